"""All figures that a study has something to show in, without choosing: what varies decides what is drawn."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analogflow.errors import BadInput
from analogflow.report.studies.bifurcation import plot_bifurcation
from analogflow.report.studies.levels import plot_phases, plot_quantiles
from analogflow.report.studies.samples import plot_histogram, plot_sample_paths, plot_tolerance, plot_yields
from analogflow.report.study_tables import swept_names
from analogflow.studies import sample_paths
from analogflow.studies.statistics import conditions, summarise

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

__all__ = ["folder_figures", "study_figures"]

_SERIES = ("form", "technology", "problem")


def folder_figures(
    folder: str | Path, dataset: xarray.Dataset, *, limit: float | None = None, samples: int = 100
) -> dict[str, Figure]:
    """`study_figures` of the study in a directory, and the paths of the first samples of its middle condition.

    Circuits of parts have no paths in the block engine, and so no figure of them.
    """
    figures = study_figures(dataset, limit=limit)
    with contextlib.suppress(BadInput):
        runs = sample_paths(folder, int(dataset["condition"].size // 2), samples)
        figures["paths"] = plot_sample_paths(runs, next(iter(runs.values)))
    return figures


def study_figures(dataset: xarray.Dataset, *, limit: float | None = None) -> dict[str, Figure]:
    """Figures of a study by name: quantiles, yields, tolerance, phases and histogram, as far as its grid allows them.

    Parameters
    ----------
    dataset : Dataset
        Of which at least one condition was run.
    limit : float, optional
        Largest acceptable error, in its unit: marked among the yields; without it no tolerance is drawn.

    Returns
    -------
    dict
        A dimension that a figure does not show is held at its middle value, and the figure says so. Of a sweep there is a
        bifurcation diagram along each constant, in place of all of these.

    Raises
    ------
    BadInput
        Nothing was run, or the limit is out of range.
    """
    summary = summarise(dataset, limit=limit)
    names = conditions(dataset)
    varied = [name for name in names if dataset.sizes[name] > 1]
    levels = [name for name in varied if dataset[name].dtype.kind in "iuf"]
    series = next((name for name in _SERIES if name in varied), "form")
    middle = {name: dataset[name].values[len(dataset[name]) // 2] for name in varied}

    def others(*shown: str) -> dict[str, Any]:
        return {name: value for name, value in middle.items() if name not in shown}

    figures: dict[str, Figure] = {}

    def draw(name: str, plot: Callable[..., Figure], *arguments: Any, **shown: Any) -> None:
        with contextlib.suppress(BadInput):  # such as where every sample of the held condition failed
            figures[name] = plot(dataset, *arguments, **shown)

    if swept := swept_names(dataset):
        for along in (name for name in swept if dataset.sizes[name] > 1):
            draw(f"bifurcation-{_file_name(along)}", plot_bifurcation, along=along, **others(along))
        return figures
    if levels:
        draw("quantiles", plot_quantiles, along=levels[0], by=series, **others(levels[0], series))
    draw("yields", plot_yields, by=series, mark=limit, **others(series))
    if limit is not None and len(levels) > 1:
        along, against = levels[:2]
        draw("tolerance", plot_tolerance, limit, along=along, against=against, by=series, **others(along, against, series))
    if len(levels) > 1 and "verdicts" in summary:
        across, up = levels[:2]
        for verdict in ("support lost", "wrong answer", "not settled"):
            if (summary["verdicts"].sel(verdict=verdict) > 0).any():
                for name in dataset[series].values:
                    shown = {**others(across, up, series), series: name}
                    draw(
                        f"phases-{verdict.replace(' ', '-')}-{_file_name(name)}",
                        plot_phases,
                        across=across,
                        up=up,
                        verdict=verdict,
                        **shown,
                    )
    draw("histogram", plot_histogram, by=series, **others(series))
    return figures


def _file_name(name: Any) -> str:
    """A problem may be called anything; what is made of its name stays in one folder."""
    return re.sub(r"[^\w.-]+", "-", str(name))
