"""The look all figures share, and how one is written to a file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analogflow.contents import refuse_existing, refuse_placeless, whole_file
from analogflow.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "INK",
    "MUTED",
    "PALETTE",
    "alt_text",
    "check_writable",
    "describe",
    "look",
    "new_figure",
    "plot_lines",
    "save_figure",
    "style",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Okabe and Ito's colours, told apart by every kind of colour vision."""

INK = "#222222"
"""Colour of text and lines."""

MUTED = "#777777"
"""Colour of axes and remarks."""

_MARKERS, _LINES = "osD^vPX*", ("-", "--", "-.", ":")

_LABELLED = 8
"""Most lines of one kind that have an entry in the legend each."""

FORMATS = (".svg", ".png", ".pdf")
"""Endings a figure may have."""

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.hashsalt": "analogflow",
    "svg.fonttype": "path",
    "legend.frameon": False,
}


def style() -> AbstractContextManager[None]:
    """Context in which figures are drawn and saved."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Empty figure of the given size in inches, in the shared style."""
    from matplotlib.figure import Figure

    with style():
        return Figure(figsize=(width, height), layout="constrained")


def plot_lines(axes: Axes, x: NDArray[np.float64], columns: NDArray[np.float64], name: str, **way: Any) -> None:
    """Draw a line for each column, shape (len(x), n), with an entry of the legend for each, or one for all of many.

    As in all our figures, a line without an entry has the label of the one that stands for it, after an underscore.
    """
    count = columns.shape[1]
    every = f"{name} 1 to {count}"
    for k in range(count):
        label = f"{name} {k + 1}" if count > 1 else name
        if count > _LABELLED:
            label = f"_{every}" if k else every
        axes.plot(x, columns[:, k], color=PALETTE[k % len(PALETTE)], label=label, **way)


def look(k: int) -> dict[str, Any]:
    """Colour, marker and line of the series number `k`: told apart without colour too."""
    return {"color": PALETTE[k % (len(PALETTE) - 2)], "marker": _MARKERS[k % len(_MARKERS)], "ls": _LINES[k % len(_LINES)]}


def describe(figure: Figure, text: str) -> None:
    """Give a figure the text that stands for it where it can not be seen; `save_figure` writes it into the file."""
    figure.set_label(text)


def alt_text(figure: Figure) -> str:
    """The text that `describe` gave a figure; empty if none did."""
    return str(figure.get_label() or "")


def check_writable(path: str | Path | None, *, force: bool) -> None:
    """Refuse a figure that could not be saved at `path` before work is spent on it; None asks for no figure."""
    if path is None:
        return
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise BadInput(f"{str(path)!r}: a figure must end in {', '.join(FORMATS)}; give it one of these endings.")
    refuse_existing(path, force=force)
    refuse_placeless(path)


def save_figure(figure: Figure, path: str | Path, *, force: bool = False) -> Path:
    """Write `figure` to a .svg, .png or .pdf file, at once or not at all; the same figure gives the same bytes.

    Its alternative text goes into the file's metadata: ``Description``, in a .pdf ``Subject``.

    Raises
    ------
    BadInput
        The ending is another, the file exists and `force` is false, or it can not be written.
    """
    path = Path(path)
    check_writable(path, force=force)
    ending = path.suffix.lower()
    with whole_file(path) as part, style():
        figure.savefig(part, format=ending[1:], dpi=200, metadata=_metadata(figure, ending))
    return path


def _metadata(figure: Figure, suffix: str) -> dict[str, str | None]:
    text = alt_text(figure)
    described: dict[str, str | None] = {"Subject" if suffix == ".pdf" else "Description": text} if text else {}
    return {**described, "Date": None} if suffix == ".svg" else described
