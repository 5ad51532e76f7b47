"""Fail where the last run of the tests with coverage took fewer branches of the package than it must; say nothing otherwise.

    python scripts/branch_coverage.py 90    least percentage of branches; reads .coverage, which `make coverage` leaves

Coverage's own limit counts lines and branches together, so that many lines would hide missing branches.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from coverage import Coverage
from coverage.exceptions import CoverageException


def main() -> None:
    try:
        least = float(sys.argv[1])
    except (IndexError, ValueError):
        raise SystemExit("branch_coverage: give the least percentage of branches, such as 90.") from None
    try:
        share = branches_taken()
    except CoverageException as fault:
        raise SystemExit(f"branch_coverage: {fault}; run `make coverage` first.") from None
    if share < least:
        raise SystemExit(f"branch_coverage: {share:.1f} % of the branches were taken, and {least:g} % must be.")


def branches_taken() -> float:
    """Percentage of branches that the last run took."""
    data = Coverage()
    data.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "coverage.json")
        data.json_report(outfile=str(path))
        totals = json.loads(path.read_text(encoding="utf-8"))["totals"]
    return 100.0 * totals["covered_branches"] / totals["num_branches"]


if __name__ == "__main__":
    main()
