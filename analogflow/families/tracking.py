"""Answers that drift, and circuits that run after them: how far behind they are, and whether by what theory says.

With z* the optimum of the problem as it is at an instant and S the rates at which the flow returns there, δ = z − z* obeys
δ̇ = −S δ − ż* + O(δ²). Where z* moves slowly beside S, the circuit is behind by δ ≈ −S⁻¹ ż*.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import numbers
from analogflow.families.ends import Held, RunEnds, gap_of, largest

__all__ = ["FIRST_ORDER", "Tracked", "instants_until", "read_saved", "tracking_errors", "tracking_held"]

Array = NDArray[np.float64]

FIRST_ORDER = 0.25
"""Share of the largest predicted lag that the measured one may differ from it by: what is of second order is less, where the
drift is slow beside the circuit."""

_CERTAIN = 1e-8
"""Largest disagreement of two integrations of the path that counts as agreement."""

_INSTANTS = 9
"""Instants that are judged, from half of the time to its end, if none are given."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tracked:
    """Where a circuit should be, and what it runs after, at some instants.

    Parameters
    ----------
    values : mapping of name to array
        Of the path at its end.
    gap : float
        How far two integrations of the path disagree, and the optima may be off.
    times : array, shape (k,)
        Instants in τ, the last of them the end.
    on_path, optima, lags : array, shape (k, n)
        The path, the optimum of each instant, and the lag δ that the first order predicts.
    worths : array, shape (k,)
        What each optimum is worth.
    states_at : callable
        ``states_at(times)``: the path at ascending times in τ, shape (k, n).
    """

    values: Mapping[str, Array]
    gap: float
    times: Array
    on_path: Array
    optima: Array
    lags: Array
    worths: Array
    states_at: Callable[[Array], Array]

    @property
    def predicted(self) -> float:
        """Largest component of any predicted lag."""
        return float(abs(self.lags).max())

    @property
    def allowed(self) -> float:
        """How far a lag may be from the predicted one."""
        return FIRST_ORDER * self.predicted


def read_saved(given: object, time: float, faults: list[str]) -> Array | None:
    """Instants at which a run is judged, ascending, after 0 and up to `time`; None if not given."""
    if given is None:
        return None
    saved = numbers(given, "saved", (1,), "instants in τ, ascending", faults)
    if saved is not None and not (saved[0] > 0 and saved[-1] <= time and (np.diff(saved) > 0).all()):
        faults.append(f"saved must be instants after 0, ascending, up to the time, {time:g}")
        return None
    if saved is not None:
        saved.setflags(write=False)
    return saved


def instants_until(saved: Array | None, time: float) -> Array:
    """Instants at which a run to `time` is judged, `time` the last of them."""
    if saved is None:
        return np.linspace(0.5 * time, time, _INSTANTS)
    return np.append(saved[saved < time], time)


def _found(signal: str, reference: Tracked, ends: RunEnds) -> tuple[slice, Array]:
    """Which instants runs can be judged at, and how far they are from the path there, shape (samples, how many, n)."""
    last = (ends.finals[signal] - reference.on_path[-1])[:, None]
    if ends.times is None or len(ends.times) < 2 or len(reference.times) < 2:
        return slice(-1, None), last
    # A run is known at its own points: how far it is off there is taken for the instant beside it.
    near = np.abs(ends.times[:, None] - reference.times[:-1]).argmin(axis=0)
    exact = np.array([reference.states_at(ends.times[k : k + 1])[0] for k in near])
    return slice(None), np.concatenate([ends.paths[signal][:, near] - exact, last], axis=1)


def tracking_errors(signal: str, reference: Tracked, ends: RunEnds) -> dict[str, Array]:
    """Of `signal`: how far it is from its path, behind the optimum, and from the predicted lag; largest of all instants."""
    which, off = _found(signal, reference, ends)
    behind = off + reference.on_path[which] - reference.optima[which]
    return {
        signal: largest(off),
        "lag": largest(behind),
        "beyond": largest(behind - reference.lags[which]),
    }


def tracking_held(signal: str, reference: Tracked, errors: Mapping[str, Array], limit: float, what: str) -> list[Held]:
    """What is asked of a run: that it is on its path, and as far behind as predicted."""
    most = max(limit, reference.allowed)
    return [
        Held("the reference's two integrations agree", gap_of(reference, errors), _CERTAIN),
        Held(f"{what} follows the path of its equations", errors[signal], limit),
        Held(
            "the lag is that of the first order",
            errors["beyond"],
            most,
            words=lambda error: (
                f"{error:.3g} from the predicted lag of up to {reference.predicted:.3g} (at most {most:.3g})"
                + ("" if error <= most else "; the drift is too fast for the circuit, or its start not forgotten yet")
            ),
        ),
    ]
