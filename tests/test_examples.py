"""Every script and walk-through of examples/ runs in an empty folder, checks its own answer, and leaves nothing here."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LONG = ("studies", "transport_tracking")  # minutes; tested in small elsewhere
ELSEWHERE = ("plugin",)  # no script: tests/plugins installs it
SCRIPTS = sorted(path for path in EXAMPLES.glob("**/*.py") if not {path.stem, path.parent.name} & {*LONG, *ELSEWHERE})


@pytest.mark.parametrize(
    "script",
    [pytest.param(path, marks=pytest.mark.slow) if path.stem in ("langevin", "hopfield") else path for path in SCRIPTS],
    ids=lambda path: str(path.relative_to(EXAMPLES)),
)
def test_script_runs(script, tmp_path):
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 40


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("walkthroughs/*.py")), ids=lambda path: path.stem)
def test_walk_through_opens_as_a_notebook(script):
    cells = script.read_text().split("# %%")
    assert len(cells) > 4
    assert sum(cell.startswith(" [markdown]") for cell in cells) >= 2


TRACKING = EXAMPLES / "transport_tracking.py"
"""It repeats, and counts its runs. No schedule is said to win always."""


def study():
    spec = importlib.util.spec_from_file_location("transport_tracking", TRACKING)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.tracking_study


@pytest.mark.slow
def test_rates_of_tracking_are_counted_for_every_schedule_and_both_carries():
    found = study()(12)
    assert {carry for carry, _, _ in found} == {"potential", "scaling"}
    assert len(found) == 2 * 3 * 6
    for run in found.values():
        low, high = run.interval
        assert 0 <= low <= run.rate <= high <= 1
        assert run.rate == run.success.mean()
    again = study()(12)
    assert all(np.array_equal(found[key].success, again[key].success) for key in found)


def test_pausing_can_rescue_and_can_cost():
    # The seeds show both, which is why a success rate belongs to a k_safe and a schedule.
    found = study()(24)
    rescued = found["potential", 0.5, "k_safe 2"].rate - found["potential", 0.5, "exponential"].rate
    spent = found["potential", 0.95, "exponential"].rate - found["potential", 0.95, "k_safe 0.5"].rate
    assert rescued > 0.2
    assert spent > 0.05


def test_tracking_prints_its_table():
    done = subprocess.run([sys.executable, str(TRACKING), "4"], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.count("alpha") == 36
    assert done.stdout.count("k_safe calibrated") == 2
