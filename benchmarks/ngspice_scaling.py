"""What a channel of n symbols costs in ngspice: points, iterations, seconds and memory up to n = 128, and VACASK beside it.

One netlist for each n, run alone by the program, 60 τ at the default largest step; VACASK runs the same circuit, its modules
compiled before. Run from the project's root; ``--write`` puts the tables into docs/block_engine.md.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from tables import Section, report, table

import analogflow as af
from analogflow.simulators.ngspice.library import find_program

DOCUMENT = Path(__file__).parents[1] / "docs/block_engine.md"
SIZES = (4, 8, 16, 32, 64, 128)


def measured(n: int, folder: Path) -> dict[str, float]:
    """Ngspice's own account of one run."""
    P = np.random.default_rng(0).dirichlet(np.ones(n), n)
    deck = af.netlist(af.compile(af.flows.capacity(af.Channel(P))), time_constants=60.0)
    af.simulate(deck, engine="vacask")
    begin = time.perf_counter()
    af.simulate(deck, engine="vacask")
    second = time.perf_counter() - begin
    path = deck.write(folder / f"{n}.cir")
    path.write_text(path.read_text().replace("\nquit\n", "\nrusage all\nquit\n"))
    program = find_program()
    done = subprocess.run(
        ["/usr/bin/time", "-f", "peak %M kB", program.path, "-b", "-n", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )

    def number(label: str, text: str = done.stdout) -> float:
        found = re.search(rf"{label}\s*=?\s*([0-9.e+-]+)", text)
        return float(found[1]) if found else float("nan")

    return {
        "equations": number("Circuit Equations"),
        "points": number("Accepted timepoints"),
        "iterations": number("Transient iterations"),
        "seconds": number(r"Total analysis time \(seconds\)"),
        "factor": number("Matrix factor time"),
        "load": number("Matrix load time"),
        "megabytes": number("peak", done.stderr) / 1024,
        "vacask": second,
    }


def scaling() -> Section:
    """Table and the exponent of the last three sizes."""
    with tempfile.TemporaryDirectory() as folder:
        found = {n: measured(n, Path(folder)) for n in SIZES}
    rows = [
        (
            str(n), f"{m['equations']:.0f}", f"{m['points']:.0f}", f"{m['iterations']:.0f}", f"{m['seconds']:.3f}",
            f"{1e3 * m['seconds'] / m['iterations']:.3f}", f"{m['megabytes']:.0f}",
            f"{m['vacask']:.3f}",
        )
        for n, m in found.items()
    ]  # fmt: skip
    late = SIZES[-3:]
    fitted = {
        what: np.polyfit(
            np.log(late), np.log([found[n]["seconds"] / (found[n]["iterations"] if each else 1) for n in late]), 1
        )[0]
        for what, each in (("a run", False), ("an iteration", True))
    }
    head = ("n", "equations", "points", "iterations", "seconds", "ms an iteration", "MB", "VACASK, seconds")
    exponents = ", ".join(f"{what} grows like n^{exponent:.1f}" for what, exponent in fitted.items())
    return table(head, rows), f"Fitted over n = {late[0]} to {late[-1]}: {exponents}."


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"scaling": scaling})
