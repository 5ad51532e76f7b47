"""Figures of the samples themselves: histograms of their errors, and the paths of an ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from analogflow.errors import BadInput
from analogflow.report.figure import INK, MUTED, PALETTE, describe, new_figure, style
from analogflow.report.studies.scales import COLUMN, caption, held, label, look, single
from analogflow.run import Run
from analogflow.studies.statistics import errors_at

if TYPE_CHECKING:
    import xarray

__all__ = ["plot_histogram", "plot_sample_paths"]


def plot_histogram(
    dataset: xarray.Dataset, *, by: str = "form", variable: str = "error", bins: int = 30, **condition: Any
) -> Figure:
    """Histogram of an error for each form, on a logarithmic axis where all errors are positive; a tick marks each median.

    Parameters
    ----------
    by : str
        Dimension whose values are the series.
    bins : int
        Of all series together.
    condition
        One value for each other dimension of more than one value.

    Raises
    ------
    BadInput
        There is no such dimension, value or variable, a dimension is left open, or every sample failed.
    """
    if not 1 <= bins <= 1000:
        raise BadInput(f"figure: {bins!r} bins can not be drawn; give from 1 to 1000.")
    part = single(dataset, (by,), condition)
    columns = {str(name): errors_at(part, variable, **{by: name}) for name in part[by].values}
    every = np.concatenate([errors[np.isfinite(errors)] for errors in columns.values()])
    if len(every) == 0:
        raise BadInput("figure: every sample failed, so there is no histogram; select another condition.")
    logarithmic = every.min() > 0 and every.max() > 3 * every.min()
    edges = np.geomspace(every.min(), every.max(), bins + 1) if logarithmic else np.histogram_bin_edges(every, bins)
    with style():
        figure = new_figure(COLUMN, 2.6)
        axes = figure.subplots()
        for k, (name, errors) in enumerate(columns.items()):
            way, finite = look(k), errors[np.isfinite(errors)]
            failed = len(errors) - len(finite)
            counts, _ = np.histogram(finite, edges)
            shown = f"{name} ({failed} of {len(errors)} failed)" if failed else f"{name} ({len(errors)} samples)"
            axes.stairs(counts, edges, fill=True, color=way["color"], alpha=0.25)
            axes.stairs(counts, edges, color=way["color"], lw=1.2, ls=way["ls"], label=shown)
            middle = np.quantile(errors, 0.5, method="inverted_cdf")
            if np.isfinite(middle):
                axes.plot(middle, 0, "^", color=way["color"], mec="white", ms=7, clip_on=False, zorder=5,
                          label="_median")  # fmt: skip
        axes.plot([], [], "^", color=MUTED, mec="white", ms=7, label="median")
        if logarithmic:
            axes.set_xscale("log")
        axes.set(xlabel=label(part, variable), ylabel="samples", ylim=(0, None))
        figure.legend(loc="outside upper center", fontsize=7.5)
        caption(figure, held(dataset, (by,), condition))
    said = "; ".join(
        f"{name}: {len(errors)} samples, {int(np.isinf(errors).sum())} failed, median "
        f"{np.quantile(errors, 0.5, method='inverted_cdf'):.2g}"
        for name, errors in columns.items()
    )
    describe(figure, f"Histogram of the {label(part, variable)}, one outline for each {by}. {said}.")
    return figure


def plot_sample_paths(
    ensemble: Run, signal: str, *, component: int = 0, shown: int = 20, reference: float | None = None
) -> Figure:
    """A signal of the first samples against time, with the median and the 5–95% range of all that did not fail.

    Parameters
    ----------
    signal : str
        State or observable of the ensemble, which saved times.
    component : int
        From 0.
    shown : int
        So many samples are drawn; failed ones are dashed.
    reference : float, optional
        Exact answer, drawn as a line.

    Raises
    ------
    BadInput
        There is no such signal or component, the ensemble saved no times, or no path is to be drawn.
    """
    if signal not in ensemble.values or len(ensemble.time) < 2:
        there = ", ".join(ensemble.values) if len(ensemble.time) > 1 else "none, for it saved no times"
        raise BadInput(f"figure: {signal!r} is not a path of this ensemble; there are {there}.")
    values = ensemble.values[signal]
    if not 0 <= component < values.shape[2] or shown < 1:
        raise BadInput(
            f"figure: component {component!r} of {signal!r} and {shown!r} samples can not be drawn; give a component "
            f"from 0 to {values.shape[2] - 1} and at least one sample."
        )
    paths, ok, time = values[:, :, component], ensemble.ok, ensemble.time
    name = signal if values.shape[2] == 1 else f"{signal}, component {component}"
    with style():
        figure = new_figure(COLUMN, 2.6)
        axes = figure.subplots()
        for k in range(min(shown, len(paths))):
            axes.plot(time, paths[k], color=MUTED if ok[k] else PALETTE[1], lw=0.5, ls="-" if ok[k] else "--", alpha=0.7,
                      label="_samples" if ok[k] else "_failed")  # fmt: skip
        axes.plot([], [], color=MUTED, lw=0.5, label="samples")
        if not ok[:shown].all():
            axes.plot([], [], color=PALETTE[1], lw=0.7, ls="--", label="failed")
        if ok.any():
            low, middle, high = np.quantile(paths[ok], [0.05, 0.5, 0.95], axis=0)
            axes.fill_between(time, low, high, color=PALETTE[0], alpha=0.25, lw=0, label="5% to 95%")
            axes.plot(time, middle, color=PALETTE[0], lw=1.5, label="median")
        if reference is not None:
            axes.axhline(reference, color=INK, lw=0.9, ls=":", label="reference")
        axes.set(xlabel="time (τ)", ylabel=name, xlim=(time[0], time[-1]))
        figure.legend(loc="outside upper center", ncols=3, fontsize=7.5)
    describe(
        figure,
        f"{name} against time from {time[0]:g} to {time[-1]:g} τ: {min(shown, len(paths))} of {len(paths)} samples, "
        f"of which {int((~ok).sum())} failed, and the median and 5 to 95% range of the others.",
    )
    return figure
