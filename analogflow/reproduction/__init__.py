"""Figures of the source papers, computed anew: the curves, and what the paper says beside what we find. It draws nothing."""

import difflib
from collections.abc import Callable

from analogflow.errors import BadInput
from analogflow.reproduction import attention, capacity, rate_distortion, relaxation, transport
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction

__all__ = ["FIGURES", "Curve", "Line", "Panel", "Reproduction", "figure_named", "reproduce"]

FIGURES: dict[str, Callable[[], Reproduction]] = {
    **capacity.FIGURES,
    **rate_distortion.FIGURES,
    **transport.FIGURES,
    **attention.FIGURES,
    **relaxation.FIGURES,
}
"""Every figure that can be asked for, by name."""


def figure_named(name: str) -> Callable[[], Reproduction]:
    """What computes a figure.

    Raises
    ------
    BadInput
        There is no such figure.
    """
    if name not in FIGURES:
        near = difflib.get_close_matches(name, FIGURES, n=3)
        known = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(FIGURES)}."
        raise BadInput(f"reproduce: {name!r} is not known; {known}")
    return FIGURES[name]


def reproduce(name: str) -> Reproduction:
    """Compute a figure of a paper anew.

    Raises
    ------
    BadInput
        There is no such figure.
    """
    return figure_named(name)()
