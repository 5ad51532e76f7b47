"""Does any input make a reader do anything but read it or refuse it in a sentence? Mutated inputs, guided by coverage.

Each reader runs in a process of its own under Atheris (``pip install -e .[fuzz]``), from one whole example. An input that
makes it fail is kept in the folder `fuzz-findings`.

    python tests/stress/fuzzing.py READER SECONDS FOLDER       what that process is
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

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
        command = [sys.executable, __file__, name, str(seconds), folder]
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


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]
    fuzz(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
