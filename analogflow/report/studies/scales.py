"""How a study's dimensions are drawn: their labels and scales, and the looks of series."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.families import FAMILIES
from analogflow.report.figure import MUTED
from analogflow.studies.statistics import at, conditions

if TYPE_CHECKING:
    import xarray

__all__ = [
    "COLUMN",
    "caption",
    "label",
    "legible",
    "level_axis",
    "numbers",
    "share_axis",
    "single",
    "spread_out",
]

COLUMN = 3.4
"""Width of a column of a paper in inches."""

_MOST_TICKS = 7
_DIGIT, _CLEAR = 0.62, 4.0
"""Width of a digit over the size of its type, and what is left free between two labels, points."""
_TIED = "\N{NO-BREAK SPACE}"
_CAPTION = 66
"""Characters of a caption that fit into a column."""
_WORDS = {"error": "error", "settling_time": "settling time", "noise": "noise σ", "mismatch": "mismatch δ"}


def label(dataset: xarray.Dataset, name: str) -> str:
    """Name of a variable or dimension, or what its family calls an error, with its unit in brackets, if it has one."""
    unit = str(dataset[name].attrs.get("units", ""))
    family = FAMILIES.get(dataset.attrs.get("flow", ""))
    errors = {family.variable(error): said for error, said in family.labels.items()} if family else {}
    return f"{(_WORDS | errors).get(name, name.replace('_', ' '))}{f' ({unit})' if unit else ''}"


def single(dataset: xarray.Dataset, shown: Sequence[str], condition: dict[str, Any]) -> xarray.Dataset:
    """The part of a study that a figure shows: dimensions `shown`, and ``sample``.

    Raises
    ------
    BadInput
        A dimension to show is not one, or one that is not shown takes more than one value and `condition` does not say
        which.
    """
    part = at(dataset, **condition)
    names = conditions(part)
    for name in shown:
        if name not in names:
            raise BadInput(f"figure: {name!r} is not a dimension to be shown; there are {', '.join(names)}.")
    open_ = [name for name in names if name not in shown and part.sizes[name] > 1]
    if open_:
        raise BadInput(f"figure: {', '.join(open_)} takes more than one value and is not shown; say which one to draw.")
    return part.squeeze([name for name in names if name not in shown], drop=True)


def numbers(dataset: xarray.Dataset, name: str) -> NDArray[np.float64]:
    """Levels of a dimension of numbers.

    Raises
    ------
    BadInput
        They are not numbers, or there are fewer than two.
    """
    levels = dataset[name].values
    if levels.dtype.kind not in "iuf" or len(levels) < 2:
        raise BadInput(f"figure: {name!r} is not a dimension of two or more numbers; its values are {list(levels)!r}.")
    return levels.astype(float)


def caption(figure: Figure, text: str) -> None:
    """Write small text under a figure, in lines that fit its column and break after a comma or semicolon."""
    if text:
        tied = re.sub(r"(?<![,;]) ", _TIED, text)
        figure.supxlabel(textwrap.fill(tied, _CAPTION), fontsize=6.5, color=MUTED)


def range_axis(axes: Axes) -> None:
    """Logarithmic vertical axis of positive values over more than a factor 3, otherwise linear."""
    low, high = axes.dataLim.intervaly
    if 0 < 3 * low < high < np.inf:
        axes.set_yscale("log")


def level_axis(axes: Axes, levels: NDArray[np.float64], which: str = "x", *, margin: float = 0.05) -> None:
    """Logarithmic axis with ticks at levels; a level 0 gets a linear stretch at its foot.

    `margin` is the share of the axis left free at each end.
    """
    positive = levels[levels > 0]
    axis, scale, limits = (
        (axes.xaxis, axes.set_xscale, axes.set_xlim) if which == "x" else (axes.yaxis, axes.set_yscale, axes.set_ylim)
    )
    if (levels == 0).any() and len(positive) > 0 and (levels >= 0).all():
        scale("symlog", linthresh=float(positive.min()), linscale=0.6)
    elif len(positive) == len(levels) and positive.max() > 3 * positive.min():
        scale("log")
    ticks = spread_out(levels)
    places = axis.get_transform().transform(ticks)
    apart = margin * (places[-1] - places[0])
    limits(*axis.get_transform().inverted().transform([places[0] - apart, places[-1] + apart]))
    length = _length(axes, which) / (places[-1] - places[0] + 2 * apart)
    axis.set_major_locator(FixedLocator(ticks[legible(ticks, places * length, which)].tolist()))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def spread_out(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most seven of the levels, the least and the largest among them: powers of ten where these suffice, or evenly."""
    ordered = np.unique(levels)
    if len(ordered) <= _MOST_TICKS:
        return ordered
    round_ = [value for value in ordered if value == 0 or f"{value:e}".startswith("1.000000e")]
    if 3 <= len(round_) <= _MOST_TICKS and {ordered[0], ordered[-1]} <= set(round_):
        return np.array(round_)
    return ordered[np.unique(np.linspace(0, len(ordered) - 1, _MOST_TICKS).round().astype(int))]


def legible(values: NDArray[np.float64], places: NDArray[np.float64], which: str = "x") -> list[int]:
    """Indices of the values at `places` (points, increasing) whose labels keep apart, the first and the last among them."""
    size = rcParams["font.size"]
    sizes = [(_DIGIT * len(f"{value:g}") if which == "x" else 1.0) * size for value in values]
    kept = [0]
    for k in range(1, len(values)):
        clear = [j for j in kept if places[k] - places[j] >= 0.5 * (sizes[k] + sizes[j]) + _CLEAR]
        if len(clear) == len(kept):
            kept.append(k)
        elif k == len(values) - 1:
            kept = [0, *(j for j in clear if j), k]
    return kept


def _length(axes: Axes, which: str) -> float:
    """Length of an axis in points, before the layout is known: nearly."""
    box, figure = axes.get_position(), axes.get_figure(root=True)
    assert figure is not None  # axes that are drawn on belong to one
    width, height = figure.get_size_inches()
    return 72.0 * (box.width * width if which == "x" else box.height * height)


def share_axis(axes: Axes) -> None:
    """Vertical axis of a share in percent."""
    axes.set_ylim(-3, 103)
    axes.yaxis.set_major_locator(FixedLocator([0, 25, 50, 75, 100]))
