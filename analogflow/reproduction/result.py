"""What a reproduction is: curves that were computed, and what the paper says beside what we find. It draws nothing."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Curve", "Finding", "Panel", "Reproduction", "agreement", "largest"]


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


@dataclasses.dataclass(frozen=True)
class Finding:
    """One claim.

    Parameters
    ----------
    claim : str
        What it is about, in our words.
    paper, found : str
        What the paper says, and what we find.
    difference : str
        How far they are apart, in a number where there is one.
    verdict : {"agrees", "differs", "cannot be reproduced"}
    """

    claim: str
    paper: str
    found: str
    difference: str
    verdict: str


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
    findings : tuple of Finding
    table : tuple of rows
        Of a table: the head first.
    """

    name: str
    title: str
    source: str
    panels: tuple[Panel, ...] = ()
    findings: tuple[Finding, ...] = ()
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
        """What the paper says, what we find, and the difference."""
        rows = [("claim", "paper says", "we find", "difference", "verdict"), ("---",) * 5]
        rows += [(f.claim, f.paper, f.found, f.difference, f.verdict) for f in self.findings]
        body = "\n".join(f"| {' | '.join(cell.replace('|', '∣') for cell in row)} |" for row in rows)
        return f"# {self.title}\n\n{self.source}\n\n{body}\n"


def agreement(claim: str, paper: float, found: float, *, allowed: float, digits: int = 6) -> Finding:
    """Finding on a number: it agrees within `allowed`, absolute."""
    difference = found - paper
    verdict = "agrees" if abs(difference) <= allowed else "differs"
    return Finding(claim, f"{paper:.{digits}g}", f"{found:.{digits}g}", f"{difference:.2g}", verdict)


def largest(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Largest absolute value."""
    return float(np.max(np.abs(values)))
