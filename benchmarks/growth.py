"""How compiling, writing and running grow with the size of a problem, for every family, in time and in memory.

Each size is a process of its own with one thread: CPU seconds of compiling; of writing the netlist to a file; of 10 τ in the
block engine; and the most memory that the process held until the netlist was written. ``--write`` puts the tables into
docs/growth.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tables import Section, machine, report, table

import analogflow as af

DOCUMENT = Path(__file__).parents[1] / "docs/growth.md"
STAGES = ("compile", "netlist", "run")
FITTED = 3


def capacity(n: int, rng: np.random.Generator) -> Any:
    return af.Channel(rng.dirichlet(np.ones(n), n))


def mixed(n: int, rng: np.random.Generator) -> Any:
    return af.Channel(0.5 * np.eye(n) + 0.5 * rng.dirichlet(np.full(n, 0.1), n))


def rate_distortion(n: int, rng: np.random.Generator) -> Any:
    return af.RateDistortion(rng.dirichlet(np.ones(n)), rng.random((n, n)), 4.0)


def plan(rows: int, columns: int, rng: np.random.Generator) -> Any:
    return af.Transport(rng.random((rows, columns)), np.full(rows, 1 / rows), np.full(columns, 1 / columns), 0.1)


def transport(n: int, rng: np.random.Generator) -> Any:
    return plan(n, n, rng)


def attention(n: int, rng: np.random.Generator) -> Any:
    tokens = rng.normal(size=(n, 3))
    return af.Attention(tokens / np.linalg.norm(tokens, axis=1, keepdims=True), np.eye(3), np.eye(3), 1.0, 10.0)


def hopfield(n: int, rng: np.random.Generator) -> Any:
    couplings = rng.normal(size=(n, n))
    return af.Hopfield(0.5 * couplings / np.linalg.norm(couplings, 2), rng.normal(size=n))


def langevin(n: int, rng: np.random.Generator) -> Any:
    names = [f"x{k}" for k in range(n)]
    return af.Langevin(" + ".join(f"{name}**2 / 2" for name in names), names, 0.5)


def custom(n: int, rng: np.random.Generator) -> Any:
    return af.Equations(
        states={"phase": rng.normal(size=n).tolist()},
        constants={"frequency": (0.1 * rng.normal(size=n)).tolist(), "ahead": np.roll(np.eye(n), 1, axis=1).tolist()},
        equations={"phase": "frequency - mean(frequency) + sin(ahead @ phase - phase)"},
    )


PROBLEMS: Mapping[str, tuple[Callable[[int, np.random.Generator], Any], str, Sequence[int]]] = {
    "capacity": (capacity, "input and output symbols", (64, 128, 256, 512, 1024)),
    "rate-distortion": (rate_distortion, "symbols and reproductions", (32, 64, 128, 256, 512)),
    "transport": (transport, "points on each side", (16, 32, 64, 128, 256)),
    "attention": (attention, "tokens on a sphere in three dimensions", (32, 64, 125, 250, 500)),
    "hopfield": (hopfield, "visible and as many hidden states", (32, 64, 128, 256, 512)),
    "langevin": (langevin, "variables in a quadratic energy", (2, 4, 8, 16)),
    "custom": (custom, "oscillators on a ring, whose neighbours a matrix names", (32, 64, 128, 256, 512)),
}
"""Problem of a size, what the size counts, and the sizes."""


SOLVED: Mapping[str, tuple[str, Callable[[np.random.Generator], Any]]] = {
    "plan": ("a plan of 100 by 150, ε = 0.1", lambda rng: plan(100, 150, rng)),
    "tokens": ("250 tokens for 10 τ", lambda rng: attention(250, rng)),
    "channel": ("a channel of 256 symbols, half the identity", lambda rng: mixed(256, rng)),
}
"""Problems that are solved, by a word."""


def measured(family: str, size: int) -> dict[str, float]:
    """What one process finds of one problem."""
    found: dict[str, float] = {}
    _stages(family, 2, {})  # loads what is needed
    _stages(family, size, found)
    return found


def solved_in_a_process(word: str) -> dict[str, float]:
    """Time, memory and verdict of one problem; that of a small one loads what is needed."""
    problem = SOLVED[word][1](np.random.default_rng(0))
    af.solve(plan(3, 3, np.random.default_rng(0)), engine="block")
    started = time.process_time()
    solution = af.solve(problem, engine="block")
    return {"seconds": time.process_time() - started, "memory": peak_memory(), "passed": solution.passed}


def peak_memory() -> float:
    """Most memory that this process has held, MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.split("\n") if line.startswith("VmHWM")).split()[1]) / 1024


def _stages(family: str, size: int, found: dict[str, float]) -> None:
    flow = getattr(af.flows, family.replace("-", "_"))(PROBLEMS[family][0](size, np.random.default_rng(size)))

    def timed(stage: str, run: Callable[[], Any]) -> Any:
        started = time.process_time()
        made = run()
        found[stage] = time.process_time() - started
        return made

    circuit = timed("compile", lambda: af.compile(flow))
    with tempfile.TemporaryDirectory() as folder:
        path = timed("netlist", lambda: af.netlist(circuit).write(Path(folder) / "x.cir"))
        found["megabytes"] = path.stat().st_size / 1e6
    found["memory"] = peak_memory()
    found["elements"] = len(circuit.elements)
    timed("run", lambda: af.ensemble(circuit, 1, time_constants=10.0))


def in_a_process(*what: str) -> dict[str, float]:
    """The least time of each stage of two processes."""
    command = [sys.executable, "-W", "ignore", __file__, "--measure", *what]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # a thread that waits for another counts as work
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=alone).stdout) for _ in range(2)
    ]
    return {what: min(run[what] for run in runs) for what in runs[0]}


def family_table(family: str) -> Section:
    """Every size of a family, and the exponents of n that are fitted over the largest three."""
    _, counts, sizes = PROBLEMS[family]
    found = {size: in_a_process(family, str(size)) for size in sizes}
    rows = [
        (
            f"{size:,}", f"{f['elements']:,.0f}", f"{f['megabytes']:.2f}", *(f"{f[stage]:.3f}" for stage in STAGES),
            f"{f['memory']:.0f}",
        )
        for size, f in found.items()
    ]  # fmt: skip
    late = sizes[-FITTED:]
    exponents = {
        what: np.polyfit(np.log(late), np.log([found[size][what] for size in late]), 1)[0] for what in ("elements", *STAGES)
    }
    rows.append(
        (
            "exponent", f"{exponents['elements']:.1f}", "", *(f"{exponents[stage]:.1f}" for stage in STAGES), "",
        )
    )  # fmt: skip
    head = ("n", "elements", "netlist (MB)", "compile (s)", "write (s)", "run (s)", "peak memory (MB)")
    return f"n counts {counts}.", table(head, rows)


def solved() -> Section:
    """Problems from end to end."""
    rows = []
    for word, (what, _) in SOLVED.items():
        found = in_a_process(word)
        rows.append((what, f"{found['seconds']:.2f}", f"{found['memory']:.0f}", "yes" if found["passed"] else "no"))
    return table(("problem", "solve (s)", "peak memory (MB)", "passed"), rows)


def main() -> None:
    """One problem for `in_a_process`, or the page."""
    if "--measure" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--measure", nargs="+")
        what, *size = parser.parse_args().measure
        print(json.dumps(measured(what, int(size[0])) if size else solved_in_a_process(what)))
        return
    sections: dict[str, Callable[[], Section]] = {"machine": lambda: machine("numpy", "scipy")}
    sections |= {family: lambda name=family: family_table(name) for family in PROBLEMS}
    report(__doc__, DOCUMENT, sections | {"solved": solved})


if __name__ == "__main__":
    main()
