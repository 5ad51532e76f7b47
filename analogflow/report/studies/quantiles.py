"""Figure of how errors grow: quantiles against noise or another level, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analogflow.report.figure import INK, MUTED, describe, new_figure, style
from analogflow.report.studies.scales import COLUMN, caption, held, label, level_axis, look, numbers, range_axis, single
from analogflow.studies.statistics import summarise

if TYPE_CHECKING:
    import xarray

__all__ = ["plot_quantiles"]

_OUTER = "5%, 95%"


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
        3.4 in wide, with an alternative text. A triangle at the top stands for a quantile that lies among failed samples.

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
            series.append(Line2D([], [], **way, lw=1.3, ms=4, label=str(name)))
        range_axis(axes)
        level_axis(axes, levels)
        axes.set(xlabel=label(part, along), ylabel=label(part, variable))
        series.append(Line2D([], [], color=MUTED, lw=0.8, ls=":", label=_OUTER))
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
