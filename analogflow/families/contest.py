"""What answers to one problem are compared by, whoever gives them: which of a run's errors count, and in what units."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.families.ends import known_to, largest
from analogflow.flows import differences

if TYPE_CHECKING:
    from analogflow.families.family import Family

__all__ = ["Contest", "contest_of_law", "contest_of_path"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Contest:
    """One measure of error for every contender of a problem, the errors that runs are judged by.

    Parameters
    ----------
    measure : str
        What the error is, in a few words.
    unit : str
        Of the error.
    full_scale : float
        Error that is as large as an answer can be: effective bits are log₂(full_scale/error).
    usual : float
        Accuracy that is asked for where none is given.
    signals : tuple of str
        Of a circuit: what its answer is read from.
    errors : mapping of str to float
        Names of the errors that count, as the family computes them, and what each counts in; the largest is the answer's.
    gap : float
        What is added, as far as the reference itself may be off.
    read : callable
        ``read(answer)``: signals by name, of an answer as digital contenders give it; the only signal if not given.
    away : callable, optional
        ``away(signals)``: errors of signals of shape (samples, size), shape (samples,), where the family's own count what
        only runs have.
    """

    measure: str
    unit: str = ""
    full_scale: float
    usual: float = 1e-3
    signals: tuple[str, ...]
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    gap: float = 0.0
    read: Callable[[Any], Mapping[str, Any]] | None = None
    away: Callable[[Mapping[str, Array]], Array] | None = None

    def signals_of(self, answer: Any) -> dict[str, Array]:
        """Signals of one answer, each of shape (1, size)."""
        found = {self.signals[0]: answer} if self.read is None else self.read(answer)
        return {name: np.asarray(value, dtype=float).reshape(1, -1) for name, value in found.items()}


def contest_of_path(family: Family, problem: Any) -> Contest:
    """Of a signal that the reference knows: what the flow shows.

    A run's error counts in the full scale of its path. Contenders have none, only its end, so that theirs is in flow units.
    """
    flow = family.flow(problem)
    if family.reference is None:
        raise BadInput(f"compare: the family {family.name} has no reference, so that no error can be measured.")
    reference = family.reference(problem, float(flow.end_time or 0.0))
    exact = np.ravel(reference.values[flow.shows])
    return Contest(
        measure=f"largest error of a component of {flow.shows}",
        full_scale=2 * float(abs(exact).max(initial=0.0)) or 1.0,
        signals=(flow.shows,),
        gap=reference.gap,
        away=lambda signals: largest(differences(flow.keeps, signals, {flow.shows: exact})[flow.shows]),
    )


def contest_of_law(law: Any) -> Contest:
    """Of (mean, covariance) against those of a reference.

    A run's errors are held against the standard errors of its averages. An answer without a run has none, so that here they
    count in the law's own standard deviations, element by element.
    """
    widths = np.sqrt(np.diag(law.covariance))
    squares = np.outer(widths, widths)

    def away(signals: Mapping[str, Array]) -> Array:
        means = abs(signals["mean"] - law.mean) / widths
        spreads = abs(signals["covariance"].reshape(-1, *squares.shape) - law.covariance) / squares
        return np.maximum(means.max(axis=1), spreads.max(axis=(1, 2)))

    return Contest(
        measure="largest error of a mean or covariance, in standard deviations and their products",
        full_scale=1.0,
        usual=5e-2,
        signals=("mean", "covariance"),
        gap=known_to(law),
        read=lambda answer: {"mean": answer[0], "covariance": answer[1]},
        away=away,
    )
