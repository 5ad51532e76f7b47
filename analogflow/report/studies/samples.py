"""Figures of samples: histograms of their errors, their paths, their yield, and what they tolerate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWNBASE, CARETUPBASE
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike

from analogflow.errors import BadInput
from analogflow.report.figure import INK, MUTED, PALETTE, describe, look, new_figure, style
from analogflow.report.studies.scales import COLUMN, caption, label, level_axis, numbers, share_axis, single
from analogflow.report.study_tables import held
from analogflow.run import Run
from analogflow.studies.statistics import errors_at, study_tolerance, yield_curve

if TYPE_CHECKING:
    import xarray

__all__ = ["plot_histogram", "plot_sample_paths", "plot_tolerance", "plot_yields"]

_POINTS = 120
_OUTSIDE, _OPEN = "outside the grid", "interval is open"
_SPREAD = 0.18
"""Inches over which the bars of all series at one level are spread."""


def plot_yields(
    dataset: xarray.Dataset,
    *,
    by: str = "form",
    limits: ArrayLike | None = None,
    mark: float | None = None,
    variable: str = "error",
    confidence: float = 0.95,
    **condition: Any,
) -> Figure:
    """Yield against the limit of the error, for each form, with pointwise Wilson intervals; failed samples are losses.

    Parameters
    ----------
    by : str
        Dimension whose values are the series.
    limits : array, optional
        Positive, in the error's unit; without them, the range of the errors.
    mark : float, optional
        A limit to mark.
    condition
        One value for each other dimension of more than one value.

    Raises
    ------
    BadInput
        There is no such dimension, value or variable, a dimension is left open, or every error is 0 or failed and no limits
        are given.
    """
    part = single(dataset, (by,), condition)
    columns = {str(name): errors_at(part, variable, **{by: name}) for name in part[by].values}
    if limits is None:
        every = np.concatenate(list(columns.values()))
        every = every[np.isfinite(every) & (every > 0)]
        if len(every) == 0:
            raise BadInput("figure: every error is 0 or its sample failed, so there is no range of limits; give limits.")
        every = every if mark is None else np.append(every, [0.8 * mark, 1.25 * mark])
        limits = np.geomspace(every.min() / 1.2, every.max() * 1.2, _POINTS)
    places = np.sort(np.atleast_1d(np.asarray(limits, dtype=float)))
    curves = {name: yield_curve(errors, places, confidence=confidence) for name, errors in columns.items()}
    with style():
        figure = new_figure(COLUMN, 2.6)
        axes = figure.subplots()
        for k, (name, curve) in enumerate(curves.items()):
            way: dict[str, Any] = look(k) | {"marker": ""}
            axes.fill_between(places, 100 * curve.low, 100 * curve.high, color=way["color"], alpha=0.2, lw=0)
            axes.plot(places, 100 * curve.yields, **way, lw=1.3, label=f"{name} ({curve.failed} of {curve.samples} failed)")
        if mark is not None:
            axes.axvline(mark, color=MUTED, lw=0.8, ls=":", label=f"limit {mark:g}")
        axes.set_xscale("log")
        share_axis(axes)
        axes.set(xlabel=f"limit of the {label(part, variable)}", ylabel="yield (%)", xlim=(places[0], places[-1]))
        figure.legend(loc="outside upper center", fontsize=7.5)
        caption(figure, held(dataset, (by,), condition))
    halves = "; ".join(f"{name}: {_half(errors)}, {curves[name].failed} failed" for name, errors in columns.items())
    describe(
        figure,
        f"Yield in percent against the limit of the {label(part, variable)} from {places[0]:.2g} to {places[-1]:.2g}, "
        f"one curve for each {by}, with {confidence:.0%} intervals. Limit with half of the samples within it: {halves}.",
    )
    return figure


def plot_tolerance(
    dataset: xarray.Dataset,
    limit: float,
    *,
    along: str = "noise",
    against: str = "mismatch",
    by: str = "form",
    target: float = 0.95,
    variable: str = "error",
    confidence: float = 0.95,
    **condition: Any,
) -> Figure:
    """Largest level of `along` with a yield of `target` at an error of `limit`, against another level, for each form.

    Parameters
    ----------
    limit : float
        Largest acceptable error, in its unit.
    along, against : str
        Dimensions of numbers: the one that is tolerated, and the one on the horizontal axis.
    condition
        One value for each other dimension of more than one value.

    Returns
    -------
    Figure
        Bars are intervals, with a caret where the grid or the samples leave them open. A white triangle at the foot says
        that even the least level misses the target, one at the top that even the largest reaches it.

    Raises
    ------
    BadInput
        There is no such dimension, value or variable, or a dimension is left open.
    """
    part = single(dataset, (along, against, by), condition)
    levels, places = np.sort(numbers(part, along)), np.sort(numbers(part, against))
    found = study_tolerance(part, along, limit, target=target, confidence=confidence, variable=variable).sortby(against)
    with style():
        figure = new_figure(COLUMN, 2.9)
        axes = figure.subplots()
        names = part[by].values
        unbound = False
        apart = min(_SPREAD / len(names), 0.08)
        for k, name in enumerate(names):
            row = found.sel({by: name})
            value, low, high = (row[key].values for key in ("tolerance", "low", "high"))
            where = row["where"].values
            at_ = np.where(where == "below", levels[0], np.where(where == "above", levels[-1], value))
            open_low, open_high = np.isnan(low) & (where != "below"), np.isinf(high) & (where != "above")
            low, high = np.where(np.isnan(low), levels[0], low), np.where(np.isinf(high), levels[-1], high)
            way, unbound = look(k), unbound or bool(open_low.any() or open_high.any())
            beside = axes.transData + ScaledTranslation(apart * (k - (len(names) - 1) / 2), 0, figure.dpi_scale_trans)
            axes.vlines(places, low, high, color=way["color"], lw=3.5, alpha=0.3, transform=beside)
            for unbounded, level, marker in ((open_low, levels[0], CARETDOWNBASE), (open_high, levels[-1], CARETUPBASE)):
                axes.plot(places[unbounded], np.full(unbounded.sum(), level), ls="", marker=marker, ms=6, alpha=0.5,
                          color=way["color"], transform=beside, label=f"_{_OPEN}")  # fmt: skip
            axes.plot(places, at_, color=way["color"], ls=way["ls"], lw=1.0, transform=beside, label=f"_{name}")
            for state, marker in (("inside", way["marker"]), ("below", "v"), ("above", "^")):
                entry = name if state == "inside" else _OUTSIDE
                here = where == state
                axes.plot(places[here], at_[here], ls="", marker=marker, color=way["color"], ms=5,
                          mfc="white" if state != "inside" else None, transform=beside, label=f"_{entry}")  # fmt: skip
            axes.plot([], [], **way, lw=1.0, ms=5, label=str(name))
        level_axis(axes, levels, "y")
        level_axis(axes, places, margin=0.08)
        axes.set(xlabel=label(part, against), ylabel=f"tolerated {label(part, along)}")
        if (found["where"] != "inside").any():
            axes.plot([], [], ls="", marker="v", mfc="white", color=MUTED, ms=5, label=_OUTSIDE)
        if unbound:
            axes.plot([], [], ls="", marker=CARETUPBASE, color=MUTED, alpha=0.5, ms=6, label=_OPEN)
        figure.legend(loc="outside upper center", ncols=2, fontsize=7.5)
        fixed = held(dataset, (along, against, by), condition)
        aim = f"{target:.0%} of samples within {limit:g} {part[variable].attrs.get('units', '')}".strip()
        caption(figure, f"{aim}; {fixed}" if fixed else aim)
    ends = "; ".join(
        f"{name}: {_said(found.sel({by: name}).isel({against: 0}))} at the least, "
        f"{_said(found.sel({by: name}).isel({against: -1}))} at the largest"
        for name in names
    )
    describe(
        figure,
        f"Largest {label(part, along)} with a yield of {target:.0%} at an error of {limit:g}, "
        f"against {label(part, against)} from {places[0]:g} to {places[-1]:g}, one line for each {by}. {ends}.",
    )
    return figure


def _half(errors: np.ndarray) -> str:
    value = float(np.quantile(errors, 0.5, method="inverted_cdf"))
    return f"{value:.2g}" if np.isfinite(value) else "none"


def _said(row: xarray.Dataset) -> str:
    where = str(row["where"].values)
    return f"{float(row['tolerance']):.2g}" if where == "inside" else f"{where} the grid"


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
