"""How large the page of a study of a thousand samples is, and how long a browser takes to open it.

Run from the project's root, with Chromium on the path; ``--write`` puts the table into docs/reports.md.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tables import Table, machine, report, table

import analogflow as af
from analogflow import report as pages

DOCUMENT = Path(__file__).parents[1] / "docs/reports.md"
REPEATS = 5


def opened(browser: str, address: str, profile: str) -> float:
    """Seconds from the start of a browser to a page that is wholly read and laid out."""
    begin = time.perf_counter()
    flags = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--screenshot=/dev/null")
    subprocess.run([browser, *flags, address], capture_output=True, timeout=120, check=True)
    return time.perf_counter() - begin


def page() -> Table:
    """Size and time of a page, beside those of an empty one."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("Chromium is not installed.")
    grid = {"forms": ("logdomain", "replicator"), "noise": (0.01, 0.2), "mismatch": (0.0, 0.05)}
    channel = af.Channel.from_csv(Path(__file__).parents[1] / "examples/data/paper_channel.csv")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "results"
        af.run_study(af.Study(channel, **grid, samples=1000), place, ThreadPoolExecutor(1))
        written = pages.write_page(pages.study_page(place, pages.PLOTS, limit=0.01), place / "report.html")
        empty = Path(folder) / "empty.html"
        empty.write_text("<!DOCTYPE html><title>empty</title>")
        times = {path: [] for path in (written, empty)}
        for _ in range(REPEATS):
            for path, taken in times.items():
                taken.append(opened(browser, path.as_uri(), f"{folder}/profile"))
        whole, alone = (statistics.median(times[path]) for path in (written, empty))
        size = written.stat().st_size / 1e6
    head = ("samples", "page (MB)", "browser and page (s)", "browser with an empty page (s)", "the page alone (s)")
    return table(head, [("8 × 1000", f"{size:.2f}", f"{whole:.2f}", f"{alone:.2f}", f"{whole - alone:.2f}")])


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"machine": lambda: machine("numpy", "matplotlib"), "page": page})
