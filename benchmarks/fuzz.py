"""Does any input make a reader do anything but read it or refuse it in a sentence? Mutated inputs, guided by coverage.

    pip install -e .[fuzz]
    python benchmarks/fuzz.py --seconds 60 [--only READER ...] [--write]

Each reader runs in a process of its own under Atheris, from one whole example. An input that makes it fail is kept in the
folder `fuzz-findings`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]
DOCUMENT = ROOT / "docs/hardening.md"
FINDINGS = Path("fuzz-findings")
INSTRUMENTED = [
    *(f"analogflow.{part}" for part in ("problems", "studies", "technology", "hardware", "simulators", "noise", "names")),
    "tomllib",
    "json",
]
SECONDS_PER_INPUT, MEGABYTES = 25, 3000


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Run one reader; never returns."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from hostile_zoo import READERS, attempt

    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "example").write_bytes(READERS[name][1])
    FINDINGS.mkdir(exist_ok=True)
    prefix = FINDINGS / re.sub(r"\W", "-", name)
    limits = [f"-max_total_time={seconds}", f"-timeout={SECONDS_PER_INPUT}", f"-rss_limit_mb={MEGABYTES}", "-max_len=4096"]
    atheris.Setup(
        ["fuzz", *limits, f"-artifact_prefix={prefix}-", "-print_final_stats=1", str(corpus)],
        lambda content: attempt(name, content, folder),
    )
    atheris.Fuzz()


def row(name: str, seconds: int) -> tuple[str, ...]:
    """A reader's line of the table: inputs tried, and what was found."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--only", name, "--seconds", str(seconds), "--inside", folder]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
        )
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stdout)
    covered = re.findall(r"cov: (\d+)", done.stdout)
    found = re.search(r"=== Uncaught Python exception: ===\n+(.*)", done.stdout) or re.search(r"ERROR: (.*)", done.stdout)
    if done.returncode and found is None:
        raise SystemExit(done.stdout[-2000:])
    tried = f"{int(counted[1]):,}" if counted else "?"
    return name, tried, covered[-1] if covered else "?", found[1][:120] if found else "nothing"


def main() -> None:
    """Run one reader or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--only", nargs="+", help="some readers; with --write the table keeps what it has of the others")
    parser.add_argument("--write", action="store_true", help="write the table into docs/hardening.md")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return fuzz(options.only[0], options.seconds, Path(options.inside))
    from hostile_zoo import READERS
    from tables import kept, machine, store, table

    head = ("reader", "inputs tried", "branches reached", "found")
    rows = {}
    for name in options.only or READERS:
        rows[name] = row(name, options.seconds)
        print(*rows[name], sep=": ", flush=True)
    told = f"{options.seconds} s for each reader. {machine('atheris', 'numpy')}"
    if options.write:
        both = kept(DOCUMENT, "fuzz") | rows
        store(DOCUMENT, {"fuzz": (table(head, [both[name] for name in READERS if name in both]), told)})


if __name__ == "__main__":
    main()
