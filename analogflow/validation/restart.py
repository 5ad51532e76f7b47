"""Perturb and restart: a circuit that rests at its answer comes back when it is pushed away, one in a wrong place does not.

A run is repeated from its own end, moved by a share δ into the manifold that the state lives on, under the same noise and
the same deviations. A flow that contracts forgets where it started, so the two ends meet; what differs then is not the
noise. Two ends may meet in a wrong place: an answer stands only where both pass what one run is judged by (`judgement`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.families import judging_family, problem_of
from analogflow.families.check import UNDECIDED
from analogflow.flows import Flow, pushed_freely
from analogflow.noise import RESTARTS, standard_normal
from analogflow.validation.judgement import worth_of

__all__ = ["DELTA", "PASSES", "TOLERANCE", "VERDICTS", "Ends", "Verdict", "lost_support", "perturbed", "verdicts", "worth"]

Array = NDArray[np.float64]

VERDICTS: dict[str, str] = {
    "confirmed": "Pushed away, the circuit came back to the same answer, and both pass their checks.",
    "support lost": "A component that has died out would make the answer better: it was lost.",
    "other optimum": "Pushed away, the circuit came to another answer of the same value, and both pass their checks.",
    "not settled": "Pushed away, the circuit went elsewhere or did not come to rest: its answer does not stand.",
    "wrong answer": "The answer fails its own checks, wherever the circuit goes when it is pushed away.",
    UNDECIDED: "Two chains agree, but each is too short to find an error of the size that is asked for.",
    "not applicable": "Pushing the circuit away says nothing about this answer.",
}
"""What a restart may find, and the sentence that says it."""

PASSES = ("confirmed", "other optimum")
"""Verdicts with which an answer stands."""

DELTA = 0.05
"""Share of the way to the middle of the manifold: far beyond any noise that leaves an answer, near enough to come back."""

TOLERANCE = 1e-3
"""Distance of two ends, over their size, within which they are one: what is left of δ after 40 τ at a rate of 0.1 per τ."""

_DEAD = 1e-2
"""Part of its fair share below which a component has died out."""


def perturbed(
    flow: Flow, ends: Mapping[str, Array], *, delta: float = DELTA, seed: int = 0, samples: Sequence[int] | None = None
) -> dict[str, Array]:
    """Starts of restarts: the ends of runs, moved along the manifold of `flow`.

    Each state moves as its manifold says (`pushed`), or its family, from where it rests, or from where it started if the
    answer is a point of a path; what nothing holds, by δ of its size, or of 1 where that is more.

    Parameters
    ----------
    flow : Flow
    ends : mapping of state to array, shape (samples, size)
    delta : float
        From 0 to 1, both excluded.
    seed : int
        Of the random directions.
    samples : sequence of int, optional
        Numbers of the samples, which have directions of their own; counted from 0 if not given.

    Raises
    ------
    BadInput
        δ is out of range.
    """
    if not 0 < delta < 1:
        raise BadInput(f"delta: {delta!r} is not a share between 0 and 1.")
    starts = {}
    numbers = range(len(next(iter(ends.values())))) if samples is None else samples
    sizes = np.cumsum([0, *(start.size for start in flow.states.values())])
    drawn = standard_normal(seed, numbers, RESTARTS, int(sizes[-1]))
    on = {kept.state: kept for kept in flow.keeps}
    family = judging_family(problem_of(flow))
    for (name, start), first in zip(flow.states.items(), sizes, strict=False):
        direction = drawn[:, first : first + start.size]
        end = np.asarray(ends[name], dtype=float)
        own = np.broadcast_to(start.ravel(), end.shape)
        at = end if flow.end_time is None else own
        if (own_way := family.pushed(flow, name, end, direction, delta)) is not None:
            starts[name] = own_way
        elif name in on:
            starts[name] = on[name].pushed(at, start.ravel(), direction, delta)
        else:
            starts[name] = pushed_freely(at, direction, delta)
    return starts


def worth(flow: Flow, answers: Array) -> Array:
    """Value of answers, shape (samples,), the greater the better: I(z) or −Φ(q), nats; NaN where a family has none."""
    found = worth_of(flow.problem, answers)
    return np.full(len(answers), np.nan) if found is None else found.value


def lost_support(flow: Flow, answers: Array, limit: float) -> NDArray[np.bool_]:
    """Which components have died out, or are below 0, although more of them would raise the value by more than `limit`.

    Shape (samples, size): w_i > I(z) + limit for a channel, less what costs are worth; ln Σ_x p_x K_x(y) > limit for
    rate-distortion. Elsewhere nothing is lost.
    """
    lost, found = np.zeros(answers.shape, dtype=bool), worth_of(flow.problem, answers)
    if found is None:
        return lost
    used: NDArray[Any] = np.ones(answers.shape[1], dtype=bool)
    if found.of is not None and found.pressure.shape[1] < answers.shape[1]:
        used = found.of
    with np.errstate(invalid="ignore"):
        lost[:, used] = (answers[:, used] < _DEAD / answers.shape[1]) & (found.pressure > limit)
    return lost


@dataclasses.dataclass(frozen=True, eq=False)
class Ends:
    """Ends of some runs, as restarts compare them.

    Parameters
    ----------
    answers : array, shape (samples, size)
        Flow units.
    ok : array of bool, shape (samples,)
        Which ended as they were asked to.
    passed : array of bool, shape (samples,)
        Which pass what one run is judged by.
    """

    answers: Array
    ok: NDArray[np.bool_]
    passed: NDArray[np.bool_]


def verdicts(
    flow: Flow, before: Ends, after: Ends, *, limit: float, tolerance: float = TOLERANCE, moved: Array | None = None
) -> NDArray[np.str_]:
    """Name of the verdict on each pair of ends.

    Parameters
    ----------
    flow : Flow
    before, after : Ends
        Of runs and of their restarts.
    limit : float
        Largest error that the runs are let pass.
    tolerance : float
        Distance of two answers, over their size, within which they are one. A value is better from the square of this on,
        since a smooth optimum is flat, and equal within this itself.
    moved : array, shape (samples,), optional
        How far from its end the answer was when the restart began; within the tolerance a return says nothing.

    Returns
    -------
    array of str, shape (samples,)
    """
    first, second = before.answers, after.answers
    gain = worth(flow, second) - worth(flow, first)
    fair = _DEAD / first.shape[1]
    family = judging_family(problem_of(flow))
    begun = flow.states[flow.answer] if flow.answer in flow.states else flow.observe(flow.answer)
    # What comes to rest at 0 has the size that it started with.
    near = tolerance * family.sizes(flow.problem, np.maximum(abs(first), abs(np.ravel(begun))))
    with np.errstate(invalid="ignore"):
        same = flow.apart(second, first) <= near
        equal = abs(gain) <= tolerance
        revived = ((first < fair) & (second > np.maximum(fair, first + tolerance))).any(axis=1)
    lost = lost_support(flow, first, limit).any(axis=1) | (after.ok & ~same & revived & (gain > tolerance**2))
    idle = np.zeros(len(first), dtype=bool) if moved is None else ~(moved > near)
    if groups := family.groups:
        pairs = [(groups(flow, a), groups(flow, b)) for a, b in zip(first, second, strict=True)]
        start = groups(flow, flow.states[flow.answer].ravel())
        alone = tuple(range(len(start)))
        idle = np.array([a == start or alone in (a, b) for a, b in pairs])
        same = np.array([a == b for a, b in pairs])
        equal = ~same
    return np.select(
        [~before.ok, lost, ~before.passed, idle, ~(after.ok & after.passed), same, equal],
        ["not settled", "support lost", "wrong answer", "not applicable", "not settled", "confirmed", "other optimum"],
        "not settled",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Verdict:
    """What a restart found.

    Parameters
    ----------
    name : str
        One of `VERDICTS`.
    distance : float
        Largest difference of the two answers, flow units.
    gain : float
        By how much the restart's answer is better, nats; NaN where the family has no value.
    why : str
        What a person should know beyond the verdict: what failed, what was lost, why nothing is said; may be empty.
    """

    name: str
    distance: float
    gain: float
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the restart shows that the first answer stands."""
        return self.name in PASSES

    def __str__(self) -> str:
        return f"{self.name}: {VERDICTS[self.name]}{self.why and ' ' + self.why}"
