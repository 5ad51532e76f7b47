"""What a reproduction is: curves, and lines of what the paper says beside what we find. It draws nothing.

A verdict is computed from two numbers and a tolerance, by `Line.verdict` and nowhere else.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AGREES",
    "DIFFERS",
    "ERRATUM",
    "HEAD",
    "UNJUDGED",
    "VERDICTS",
    "Curve",
    "Line",
    "Panel",
    "Reproduction",
    "largest",
]


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """A line or points.

    Parameters
    ----------
    label : str
    x, y : array, shape (k,)
    style : {"line", "dashed", "dotted", "faint", "points", "crosses", "dots", "haze"}
        Dotted is a bound or an asymptote, faint the edge of a band, dots one of very many, haze those behind.
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    style: str = "line"

    @classmethod
    def of(cls, label: str, x: ArrayLike, y: ArrayLike, style: str = "line") -> Curve:
        """A curve from anything that is an array."""
        return cls(label, np.asarray(x, dtype=float), np.asarray(y, dtype=float), style)


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes: its curves, the names of the axes with their units, if they are logarithmic or of one scale."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False
    equal: bool = False


AGREES, ERRATUM, DIFFERS, UNJUDGED = "agrees", "differs, as docs/errata.md says", "differs", "cannot be judged"
VERDICTS = (AGREES, ERRATUM, DIFFERS, UNJUDGED)
"""The second is the expected one on a claim that is wrong, and is computed like the others."""


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """One claim: what the paper says and what we find, in numbers, and how far apart they may be.

    Parameters
    ----------
    claim : str
        What it is about, in our words.
    paper, found : array or float
        Number or numbers of the paper, or the bound that it claims, and ours, which no formula of the paper went into.
        In a check of our own (a circuit against an independent integration) `paper` is the other computation.
    tolerance : float
        Largest difference of a component at which they agree.
    relation : {"=", "≤", "≥"}
        What `found` is said to be to `paper`.
    says, shown : str
        Words beside the numbers: the paper's, with the place, and ours.
    corrected : array or float, optional
        What docs/errata.md gives in the place of a wrong claim.
    corrected_relation : {"=", "≤", "≥"}
        What `found` has to be to `corrected`.
    row : str
        Where in the paper the row of docs/errata.md says that it is wrong; needed with `corrected`.
    why : str
        Why there is nothing to judge; then there are no numbers.
    """

    claim: str
    paper: NDArray[np.float64] | float
    found: NDArray[np.float64] | float
    tolerance: float = 0.0
    relation: str = "="
    says: str = ""
    shown: str = ""
    corrected: NDArray[np.float64] | float | None = None
    corrected_relation: str = "="
    row: str = ""
    why: str = ""

    @classmethod
    def unjudged(cls, claim: str, says: str, why: str) -> Line:
        """A claim that no number here can decide, and why."""
        return cls(claim, math.nan, math.nan, says=says, why=why)

    @property
    def apart(self) -> float:
        """Largest amount by which `found` breaks the claim; negative where a bound is kept with room."""
        return _broken(self.found, self.paper, self.relation)

    @property
    def verdict(self) -> str:
        """One of `AGREES`, `ERRATUM`, `DIFFERS`, `UNJUDGED`; a number that is none differs."""
        if self.why:
            return UNJUDGED
        if self.apart <= self.tolerance:
            return AGREES
        if self.corrected is not None and _broken(self.found, self.corrected, self.corrected_relation) <= self.tolerance:
            return ERRATUM
        return DIFFERS

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Claim, what the paper says, what we find, the difference, what is allowed, and the verdict, to be read."""
        if self.why:
            return self.claim, self.says, self.why, "", "", self.verdict
        sign = "" if self.relation == "=" else f"{self.relation} "
        paper = f"{self.says}: {sign}{_written(self.paper)}" if self.says else f"{sign}{_written(self.paper)}"
        found = _written(self.found) + (f", {self.shown}" if self.shown else "")
        if self.corrected is not None:
            sign = "" if self.corrected_relation == "=" else f"{self.corrected_relation} "
            found += f" (corrected: {sign}{_written(self.corrected)})"
        return self.claim, paper, found, f"{self.apart:.2g}", f"{self.tolerance:.2g}", self.verdict


def _broken(found: ArrayLike, expected: ArrayLike, relation: str) -> float:
    off = np.asarray(found, dtype=float) - np.asarray(expected, dtype=float)
    return float(np.max({"=": np.abs(off), "≤": off, "≥": -off}[relation]))


def _written(values: ArrayLike) -> str:
    """A number, or the first four of several."""
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim == 0:
        return f"{float(numbers):.6g}"
    shown = ", ".join(f"{value:.4g}" for value in numbers[:4])
    return f"({shown}{', …' if numbers.size > 4 else ''})"


@dataclasses.dataclass(frozen=True, eq=False)
class Reproduction:
    """A figure or table of a paper, computed anew.

    Parameters
    ----------
    name : str
        By which it is asked for.
    title : str
    source : str
        The paper and its figure or table.
    panels : tuple of Panel
        Empty for a table.
    lines : tuple of Line
    table : tuple of rows
        Of a table: the head first.
    """

    name: str
    title: str
    source: str
    panels: tuple[Panel, ...] = ()
    lines: tuple[Line, ...] = ()
    table: tuple[tuple[Any, ...], ...] = ()

    def to_csv(self) -> str:
        """All numbers: rows of panel, curve, x and y, or the table."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self.table:
            writer.writerows(self.table)
        else:
            writer.writerow(("panel", "curve", "x", "y"))
            for panel in self.panels:
                for curve in panel.curves:
                    for x, y in zip(curve.x, curve.y, strict=True):
                        writer.writerow((panel.title, curve.label, repr(float(x)), repr(float(y))))
        return text.getvalue()

    def to_markdown(self) -> str:
        """What the paper says, what we find, the difference, and what is allowed."""
        rows = [HEAD, ("---",) * len(HEAD), *(line.cells() for line in self.lines)]
        body = "\n".join(f"| {' | '.join(cell.replace('|', '∣') for cell in row)} |" for row in rows)
        return f"# {self.title}\n\n{self.source}\n\n{body}\n"


HEAD = ("claim", "paper says", "we find", "difference", "allowed", "verdict")
"""Of a table of lines."""


def largest(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Largest absolute value."""
    return float(np.max(np.abs(values)))
