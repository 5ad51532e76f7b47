"""Every script and walk-through of examples/ runs in an empty folder, checks its own answer, and leaves nothing here."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LONG = ("studies", "transport_tracking")  # minutes; tested in small elsewhere
SCRIPTS = sorted(path for path in EXAMPLES.glob("**/*.py") if not {path.stem, path.parent.name} & set(LONG))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_script_runs(script, tmp_path):
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 40


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("walkthroughs/*.py")), ids=lambda path: path.stem)
def test_walk_through_opens_as_a_notebook(script):
    cells = script.read_text().split("# %%")
    assert len(cells) > 4
    assert sum(cell.startswith(" [markdown]") for cell in cells) >= 2
