"""Figure of a sweep: where the answer turns, or rests, against a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analogflow.errors import BadInput
from analogflow.report.figure import INK, MUTED, PALETTE, describe, new_figure, style
from analogflow.report.studies.scales import COLUMN, caption, numbers, single
from analogflow.report.study_tables import held, observed_signal

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

__all__ = ["plot_bifurcation"]

_RASTER = 2000
"""Dots beyond which they are one picture in a figure of lines."""


def plot_bifurcation(dataset: xarray.Dataset, *, along: str, minima: bool = False, **condition: Any) -> Figure:
    """Local maxima of the answer in the later half of every run, and where it rests, against a constant.

    Parameters
    ----------
    along : str
        The constant on the horizontal axis.
    minima : bool
        Whether minima are drawn too.
    condition
        One value for each other dimension of more than one value.

    Returns
    -------
    Figure
        5.4 in wide, with an alternative text. A tick at the foot marks a point that passed against the reference, or, in
        colour, failed; one at the top a point without a run to its end.

    Raises
    ------
    BadInput
        There is no such dimension or value, a dimension is left open, or the study sweeps nothing.
    """
    if "maxima" not in dataset:
        raise BadInput("figure: the study sweeps no constant, so that it has no extremes to draw.")
    part = single(dataset, (along,), condition)
    levels = numbers(part, along)
    kinds, certificates = (part[name].transpose(along, "sample").values.astype(str) for name in ("motion", "certificate"))
    with style():
        figure = new_figure(1.6 * COLUMN, 3.2)
        axes = figure.subplots()
        series = [("maxima", "maxima", kinds != "rest", {"color": PALETTE[0], "ms": 0.9})]
        series += [("minima", "minima", kinds != "rest", {"color": PALETTE[1], "ms": 0.9})] if minima else []
        series += [("maxima", "rest", kinds == "rest", {"color": INK, "ms": 1.6})]
        for name, said, which, how in series:
            values = part[name].transpose(along, "sample", f"{name}_component").values
            drawn = np.isfinite(values) & which[..., None]
            at = np.broadcast_to(levels[:, None, None], values.shape)[drawn]
            if len(at):
                axes.plot(at, values[drawn], ls="", marker="o", mew=0, label=said, rasterized=len(at) > _RASTER, **how)
        foot, top = axes.get_xaxis_transform(), 1.0
        for chosen, place, color in (
            (np.isin(certificates, ["passed"]).all(axis=1), 0.0, MUTED),
            ((certificates == "failed").any(axis=1), 0.0, PALETTE[1]),
            ((kinds == "").any(axis=1), top, PALETTE[1]),
        ):
            axes.plot(levels[chosen], np.full(chosen.sum(), place), ls="", marker="|", ms=5, color=color, transform=foot,
                      clip_on=False)  # fmt: skip
        signal = observed_signal(dataset)
        axes.set(xlabel=along, ylabel=f"{signal} where it turns" if minima else f"maxima of {signal}")
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper center", ncols=3, fontsize=7.5, markerscale=4)
        caption(figure, held(dataset, (along,), condition))
    tally = ", ".join(f"{(kinds == kind).sum()} {kind}" for kind in dict.fromkeys(kinds.ravel()) if kind)
    describe(
        figure,
        f"Bifurcation diagram: maxima of {signal} against {along} from {levels.min():g} to {levels.max():g}, "
        f"{kinds.size} runs: {tally}.",
    )
    return figure
