"""What whole commands cost: CPU seconds and memory of a process, beside one that only imports NumPy and SciPy's integrators.

Run from the project's root; ``--write`` puts the table into docs/ratios.md. Each round runs every command once, the floor
among them, so that a ratio is of neighbours in time. CPU seconds are of user and system, of the process and of all that it
starts. Modules are compiled beforehand, as those of an installed package are.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import Section, machine, report, table

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/ratios.md"
CHANNEL = str(ROOT / "examples/data/paper_channel.csv")
ROUNDS = 9

VAN_DER_POL = """\
time = 40.0
answer = "y"
[states]
y = -0.1
v = 0.0
[constants]
eta = 4.0
[equations]
y = "-2 * v"
v = "0.5 * y + eta * (0.25 - y * y) * v"
"""

LORENZ = """\
time = 20.0
[states]
x = 1.0
y = 1.0
z = 1.0
[equations]
x = "10 * (y - x)"
y = "x * (28 - z) - y"
z = "x * y - 8 / 3 * z"
"""

STUDY = """\
import resource, analogflow as af
if __name__ == "__main__":
    channel = af.Channel.from_csv(CHANNEL)
    study = af.Study(channel, noise=(0.01,), mismatch=(0.01,), samples=1000, engine="block")
    af.run_study(study, "study", workers=2).close()
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""

FLOOR = "`import numpy, scipy.integrate`"
VERB = ("-m", "analogflow")
COMMANDS: dict[str, tuple[str, ...]] = {
    FLOOR: ("-c", "import numpy, scipy.integrate"),
    "`import analogflow`": ("-c", "import analogflow"),
    "`analogflow --help`": (*VERB, "--help"),
    "`solve` of the paper's channel, block engine, `--json`": (
        *VERB,
        "solve",
        "capacity",
        CHANNEL,
        "--engine",
        "block",
        "--json",
    ),
    "the same, as a table": (*VERB, "solve", "capacity", CHANNEL, "--engine", "block"),
    "`netlist` of the paper's channel": (*VERB, "netlist", "capacity", CHANNEL, "-o", "channel.cir", "--force"),
    "`netlist` of Van der Pol's oscillator for 40 τ": (
        *VERB,
        "netlist",
        "oscillator.toml",
        "-o",
        "oscillator.cir",
        "--force",
    ),
    "`netlist` of Lorenz's equations for 20 τ": (*VERB, "netlist", "lorenz.toml", "-o", "lorenz.cir", "--force"),
    "`explain` of the paper's channel": (*VERB, "explain", "capacity", CHANNEL),
    "`draw` of the paper's channel": (*VERB, "draw", "capacity", CHANNEL, "-o", "channel.svg", "--force"),
}


def surroundings(folder: str) -> dict[str, str]:
    """What every process is started with: one thread, and a place for compiled modules."""
    own = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{folder}/compiled", "PYTHONDONTWRITEBYTECODE": ""}
    return {**os.environ, **own, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def cost(arguments: tuple[str, ...], folder: str) -> tuple[float, float]:
    """CPU seconds and largest resident memory, MB, of a process that must succeed."""
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=surroundings(folder),
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: ended with {process.returncode}.")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def hand() -> Section:
    """Every command, as the median over the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("oscillator.toml", VAN_DER_POL), ("lorenz.toml", LORENZ)):
            Path(folder, name).write_text(text, encoding="utf-8")
        Path(folder, "study.py").write_text(STUDY.replace("CHANNEL", repr(CHANNEL)), encoding="utf-8")
        for arguments in COMMANDS.values():  # unseen: what is read and compiled for the first time
            cost(arguments, folder)
        rounds = [{name: cost(arguments, folder) for name, arguments in COMMANDS.items()} for _ in range(ROUNDS)]
        studied = subprocess.run(
            [sys.executable, "study.py"], cwd=folder, capture_output=True, text=True, check=True,
            env=surroundings(folder),
        )  # fmt: skip
    rows = []
    for name in COMMANDS:
        seconds = statistics.median(one[name][0] for one in rounds)
        times = statistics.median(one[name][0] / one[FLOOR][0] for one in rounds)
        memory = statistics.median(one[name][1] for one in rounds)
        rows.append((name, f"{seconds:.2f}", f"{times:.2f}", f"{memory:.0f}"))
    rows.append(("a worker of a study of 1,000 noisy samples", "", "", f"{int(studied.stdout) / 1024:.0f}"))
    return table(("command", "CPU, s", "times the first line", "memory, MB"), rows), machine("numpy", "scipy")


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"hand": hand})
