"""Figures over levels of noise or mismatch: quantiles of errors, and maps of where the support is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from analogflow.errors import BadInput
from analogflow.report.figure import INK, MUTED, describe, look, new_figure, style
from analogflow.report.studies.scales import COLUMN, caption, label, level_axis, numbers, range_axis, single
from analogflow.report.study_tables import held
from analogflow.studies.statistics import VERDICTS, summarise

if TYPE_CHECKING:
    import xarray

__all__ = ["plot_phases", "plot_quantiles"]

_OUTER, _SAMPLING = "5%, 95%", "sampling error"


def plot_quantiles(
    dataset: xarray.Dataset,
    *,
    along: str = "noise",
    by: str = "form",
    variable: str = "error",
    confidence: float = 0.95,
    **condition: Any,
) -> Figure:
    """Median of an error with its interval, and its 5% and 95% quantiles, against a level, for each form.

    Parameters
    ----------
    along : str
        Dimension of numbers on the horizontal axis.
    by : str
        Dimension whose values are the series.
    condition
        One value for each other dimension of more than one value.

    Returns
    -------
    Figure
        3.4 in wide, with an alternative text. A triangle at the top stands for a quantile that lies among failed samples. Of
        errors that may themselves be off, as those of laws, another line shows the median of by how much.

    Raises
    ------
    BadInput
        There is no such dimension, value or variable, or a dimension is left open.
    """
    part = single(dataset, (along, by), condition)
    levels = numbers(part, along)
    summary = summarise(part, quantiles=(0.05, 0.5, 0.95), confidence=confidence, variable=variable)
    summary = summary.sortby(along)
    levels = np.sort(levels)
    with style():
        figure = new_figure(COLUMN, 2.9)
        axes = figure.subplots()
        series, failures = [], False
        for k, name in enumerate(part[by].values):
            way = look(k)
            for quantile, alpha in ((0.05, 0.1), (0.95, 0.1), (0.5, 0.25)):
                found = summary.sel({by: name, "quantile": quantile})
                value, low, high = (found[f"value{end}"].values for end in ("", "_low", "_high"))
                # Where the interval is open at an end the band stops at the quantile itself.
                top = np.where(np.isfinite(high), high, value)
                bottom = np.where(np.isfinite(low) & (low > 0), low, value)
                drawn = np.where(np.isfinite(value), value, np.nan)
                axes.fill_between(levels, bottom, top, where=np.isfinite(value), color=way["color"], alpha=alpha, lw=0)
                if quantile == 0.5:
                    axes.plot(levels, drawn, **way, lw=1.3, ms=4, label=f"_{name}")
                else:
                    axes.plot(levels, drawn, color=way["color"], lw=0.9, ls=":", label=f"_{_OUTER}")
                for level in levels[np.isinf(value)]:
                    axes.annotate(
                        "▲", (level, 1.0), xycoords=axes.get_xaxis_transform(),
                        xytext=(6 * (k - (part.sizes[by] - 1) / 2), 0), textcoords="offset points", color=way["color"],
                        ha="center", va="center", fontsize=7,
                    )  # fmt: skip
                    failures = True
            if "sampling" in summary:
                off = summary.sel({by: name})["sampling"].values
                axes.plot(levels, off, color=way["color"], lw=0.9, ls="-.", label=f"_{_SAMPLING}")
            series.append(Line2D([], [], **way, lw=1.3, ms=4, label=str(name)))
        range_axis(axes)
        level_axis(axes, levels)
        axes.set(xlabel=label(part, along), ylabel=label(part, variable))
        series.append(Line2D([], [], color=MUTED, lw=0.8, ls=":", label=_OUTER))
        if "sampling" in summary:
            series.append(Line2D([], [], color=MUTED, lw=0.8, ls="-.", label=_SAMPLING))
        if failures:
            series.append(Line2D([], [], color=INK, ls="", marker="^", ms=4, label="among failures"))
        figure.legend(handles=series, loc="outside upper center", ncols=2, fontsize=7.5)
        caption(figure, held(dataset, (along, by), condition))
    first, last = (summary.sel(quantile=0.5).isel({along: k}) for k in (0, -1))
    ends = "; ".join(
        f"{name}: {float(first['value'].sel({by: name})):.2g} to {float(last['value'].sel({by: name})):.2g}"
        for name in part[by].values
    )
    describe(
        figure,
        f"Quantiles of the {label(part, variable)} against {label(part, along)} from {levels[0]:g} to {levels[-1]:g}, "
        f"one line for each {by}, with {confidence:.0%} intervals. Median from the least level to the largest: {ends}.",
    )
    return figure


_MOST_WRITTEN = 10
_DARK = 0.55


def plot_phases(
    dataset: xarray.Dataset,
    *,
    across: str = "noise",
    up: str = "mismatch",
    verdict: str = "support lost",
    **condition: Any,
) -> Figure:
    """Share of the samples with a verdict, over two levels; a line around the cells where it is more than half.

    Parameters
    ----------
    across, up : str
        Dimensions of numbers on the horizontal and the vertical axis; each level is a cell, so steps are not to scale.
    verdict : str
        One of `analogflow.studies.statistics.VERDICTS`.
    condition
        One value for each other dimension of more than one value, ``form`` among them.

    Returns
    -------
    Figure
        Shares in percent stand in the cells of a grid of up to ten by ten. A cell that was not run is hatched.

    Raises
    ------
    BadInput
        There is no such dimension, value or verdict, the study has no verdicts, or a dimension is left open.
    """
    if verdict not in VERDICTS:
        raise BadInput(f"figure: {verdict!r} is no verdict; there are {', '.join(VERDICTS)}.")
    if "verdict" not in dataset:
        raise BadInput("figure: the study has no variable 'verdict', so there are no phases to draw.")
    part = single(dataset, (across, up), condition)
    for name in (across, up):
        numbers(part, name)
    summary = summarise(part).sortby([across, up])
    counts, totals = (a.transpose(up, across).values for a in (summary["verdicts"].sel(verdict=verdict), summary["samples"]))
    share = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    rows, columns = share.shape
    with style():
        figure = new_figure(COLUMN, 3.0)
        axes = figure.subplots()
        mesh = axes.pcolormesh(100 * np.ma.masked_invalid(share), cmap="cividis", vmin=0, vmax=100, edgecolors="white")
        for i, j in np.ndindex(share.shape):
            if np.isnan(share[i, j]):
                axes.add_patch(Rectangle((j, i), 1, 1, fill=False, hatch="////", ec=MUTED, lw=0))
            elif max(share.shape) <= _MOST_WRITTEN:
                axes.text(j + 0.5, i + 0.5, f"{100 * share[i, j]:.0f}", ha="center", va="center", fontsize=7,
                          color="white" if share[i, j] < _DARK else INK)  # fmt: skip
        if _outline(axes, share > 0.5):
            figure.legend(loc="outside upper center", fontsize=7.5)
        for axis, name, count in ((axes.xaxis, across, columns), (axes.yaxis, up, rows)):
            step = -(-count // _MOST_WRITTEN)
            axis.set_ticks((np.arange(count) + 0.5)[::step], [f"{level:g}" for level in summary[name].values[::step]])
        axes.tick_params(length=0, labelsize=7.5)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set(xlabel=label(part, across), ylabel=label(part, up))
        bar = figure.colorbar(mesh, ax=axes, ticks=[0, 50, 100], aspect=30, pad=0.02)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.set_label(f"{verdict} (% of samples)")
        caption(figure, held(dataset, (across, up), condition))
    least, most = (summary["samples"].values[totals.T > 0].size, totals.size)
    beyond = int((share > 0.5).sum())
    describe(
        figure,
        f"Map of the share of samples with the verdict {verdict!r} over {label(part, across)} and {label(part, up)}: "
        f"{beyond} of {least} cells above one half, the largest {100 * np.nanmax(share):.0f}%"
        f"{f'; {most - least} cells were not run' if most > least else ''}.",
    )
    return figure


def _outline(axes: Any, inside: np.ndarray) -> bool:
    """Draw a line along every edge between a cell inside and one outside; whether there is any."""
    rows, columns = inside.shape
    name, drawn = "more than half", False
    for i, j in zip(*np.nonzero(inside), strict=True):
        for other, ends in (
            ((i - 1, j), ([j, j + 1], [i, i])),
            ((i + 1, j), ([j, j + 1], [i + 1, i + 1])),
            ((i, j - 1), ([j, j], [i, i + 1])),
            ((i, j + 1), ([j + 1, j + 1], [i, i + 1])),
        ):
            if 0 <= other[0] < rows and 0 <= other[1] < columns and not inside[other]:
                axes.plot(*ends, color="#D55E00", lw=2, solid_capstyle="round", label=f"_{name}" if drawn else name)
                drawn = True
    return drawn
