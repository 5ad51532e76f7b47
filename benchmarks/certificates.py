"""CPU time of `analogflow check` of a certificate in a process of its own, and what of it Python with NumPy takes.

Run from the project's root; ``--write`` puts the table into docs/certificates.md.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import Table, machine, report, table

import analogflow as af
from analogflow.families.files import read_problem

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/certificates.md"
CHECKED = {
    "capacity of a channel": ("capacity", "examples/data/paper_channel.csv"),
    "law of 64 chains": ("langevin", "examples/data/langevin_double_well.json"),
}
ROUNDS = 11


def cpu_seconds(*arguments: str) -> float:
    """CPU seconds, of user and system, that Python takes for some arguments, its bytecode being there."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    written = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, env=written)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def checking() -> Table:
    """Size and time of each certificate."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (family, problem) in CHECKED.items():
            solution = af.solve(read_problem(family, str(ROOT / problem)), engine="block")
            path = af.write_certificate(solution, Path(folder) / f"{family}.json")
            sides = {"check": ("-m", "analogflow", "check", str(path)), "numpy": ("-c", "import numpy")}
            times: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(ROUNDS):
                for side, arguments in sides.items():
                    times[side].append(cpu_seconds(*arguments))
            least = {side: f"{min(taken):.2f}" for side, taken in times.items()}
            rows.append((name, f"{path.stat().st_size / 1e6:.2g}", least["check"], least["numpy"]))
    return table(("certificate", "file (MB)", "check (s of CPU)", "of that, Python and NumPy alone (s)"), rows)


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"machine": lambda: machine("numpy", "scipy", "sympy"), "checking": checking})
