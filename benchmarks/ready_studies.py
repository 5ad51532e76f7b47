"""The three studies of examples/studies, run anew, and what came of them.

Run from the project's root; ``--write`` puts tables and figures into docs/robustness.md and docs/images.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tables import Section, Table, machine, report, table

import analogflow as af
from analogflow.report import alt_text, plot_quantiles, plot_yields
from analogflow.studies import read_experiment

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples/studies"))

import capacity_forms  # noqa: E402
import hopfield_temperature  # noqa: E402
import transport_pause  # noqa: E402

DOCUMENT = ROOT / "docs/robustness.md"
IMAGES = ROOT / "docs/images"
RESULTS: dict[str, Any] = {}
FOLDER = Path(tempfile.mkdtemp(prefix="ready-studies-"))


def results(name: str, study: Any) -> Any:
    """Dataset of a study, computed once."""
    if name not in RESULTS:
        RESULTS[name] = af.run_study(study, FOLDER / name, workers=2)
    return RESULTS[name]


def drawn(figure: Any, name: str) -> str:
    """Markdown of a figure, written where --write is given."""
    if "--write" in sys.argv:
        af.save_figure(figure, IMAGES / name, force=True)
    return f"![{alt_text(figure)}](images/{name})"


def forms() -> Section:
    """The capacity forms, by the noise they tolerate."""
    study = read_experiment(capacity_forms.EXPERIMENT)
    dataset = results("forms", study)
    pictures = [drawn(plot_quantiles(dataset, problem=name), f"study-forms-{name}.svg") for name in ("interior", "boundary")]
    return table(capacity_forms.HEAD, capacity_forms.tolerated(study, dataset)), "\n".join(pictures)


def advantage() -> Table:
    """Ratios of errors in the same samples."""
    dataset = results("forms", read_experiment(capacity_forms.EXPERIMENT))
    head = ("problem", "errors", *(f"σ = {sigma:g}" for sigma in (0.001, 0.00316, 0.01)))
    return table(head, capacity_forms.advantage(dataset))


def transport() -> Table:
    """Schedules that pause and that do not."""
    return table(transport_pause.HEAD, transport_pause.success(results("transport", transport_pause.the_study())))


def hopfield() -> Section:
    """Laws by temperature and mismatch."""
    study = read_experiment(hopfield_temperature.EXPERIMENT)
    dataset = results("hopfield", study)
    picture = drawn(plot_yields(dataset, by="problem", mismatch=0.03), "study-hopfield.svg")
    return table(hopfield_temperature.HEAD, hopfield_temperature.laws(study, dataset)), picture


if __name__ == "__main__":
    sections = {
        "machine": lambda: machine("numpy", "scipy"),
        "forms": forms,
        "advantage": advantage,
        "transport": transport,
        "hopfield": hopfield,
    }
    report(__doc__, DOCUMENT, sections)
