"""Perturb and restart: a circuit that rests at its answer comes back when it is pushed away, one in a wrong place does not.

A run is repeated from its own end, moved by a share δ towards the middle of the manifold that the state lives on, under the
same noise and the same deviations. A flow that contracts forgets where it started, so the two ends meet; what differs then
is not the noise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, softmax, xlogy

from analogflow.errors import BadInput
from analogflow.flows import Flow, Simplex, Sphere
from analogflow.noise import RESTARTS, standard_normal
from analogflow.problems import Attention, Channel, RateDistortion

__all__ = ["DELTA", "TOLERANCE", "VERDICTS", "Verdict", "judge", "perturbed", "worth"]

Array = NDArray[np.float64]

VERDICTS: dict[str, str] = {
    "confirmed": "Pushed away, the circuit came back to the same answer.",
    "support lost": "Pushed away, the circuit found a better answer with a component that had died out: it was lost.",
    "other optimum": "Pushed away, the circuit came to rest at another answer of the same value.",
    "not settled": "Pushed away, the circuit went elsewhere or did not come to rest: its first answer was none.",
}
"""What a restart may find, and the sentence that says it."""

DELTA = 0.05
"""Share of the way to the middle of the manifold: far beyond any noise that leaves an answer, near enough to come back."""

TOLERANCE = 1e-3
"""Distance of two ends, flow units, within which they are one: what is left of δ after 40 τ at a rate of 0.1 per τ."""

_DEAD = 1e-2
"""Part of its fair share below which a component has died out."""

_SAME_CLUSTER = 0.9
"""Cosine from which two tokens belong to one cluster."""


def perturbed(
    flow: Flow, ends: Mapping[str, Array], *, delta: float = DELTA, seed: int = 0, samples: Sequence[int] | None = None
) -> dict[str, Array]:
    r"""Starts of restarts: the ends of runs, moved along the manifold of `flow`.

    A distribution z, or the softmax of a state, becomes :math:`(1 - \delta) z + \delta/n`, n the components that start
    above 0. Points on a sphere start where they started, turned towards a random direction by δ; potentials of a transport
    problem start anew, at random, and what it cools with where it started. Other states move by δ of their size, or of 1
    where that is more.

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
    shares = flow.family in ("capacity", "rate-distortion")
    for (name, start), first in zip(flow.states.items(), sizes, strict=False):
        direction = drawn[:, first : first + start.size]
        end = np.asarray(ends[name], dtype=float)
        own = np.broadcast_to(start.ravel(), end.shape)
        kept, n = on.get(name), start.size
        if isinstance(kept, Simplex):
            whole = np.clip(end, 0.0, None)
            whole = whole / np.where(whole.sum(1, keepdims=True) > 0, whole.sum(1, keepdims=True), 1.0)
            used = np.broadcast_to(start.ravel() > 0, end.shape)  # an input that is not available stays out
            starts[name] = (1 - delta) * whole + delta * used / used.sum(1, keepdims=True)
            starts[name] /= starts[name].sum(1, keepdims=True)
        elif shares and name == "u":
            logs = np.log((1 - delta) * softmax(end, axis=1) + delta / n)
            starts[name] = logs - logs.mean(1, keepdims=True)
        elif isinstance(kept, Sphere):
            # The answer is where a path ends, so it is the path's start that is turned.
            turned = own + delta * direction / np.sqrt(kept.dimension)
            starts[name] = np.stack([np.ravel(kept.project(row.reshape(start.shape))) for row in turned])
        elif flow.family == "transport" and name in ("g", "u"):
            scale = float(np.ptp(flow.constants["C"])) / (1.0 if name == "g" else float(flow.constants.get("epsilon", 1.0)))
            starts[name] = 0.5 * scale * (2 * ndtr(direction) - 1)
        elif flow.family == "transport":
            starts[name] = own.copy()
        else:
            starts[name] = end + delta * np.maximum(1.0, abs(end)) * np.where(direction < 0, -1.0, 1.0)
    return starts


def worth(flow: Flow, answers: Array) -> Array:
    """Value of answers, shape (samples,), the greater the better: I(z) or −Φ(q), nats; NaN where a family has none."""
    z = np.clip(answers, 0.0, None)
    z = z / np.where(z.sum(1, keepdims=True) > 0, z.sum(1, keepdims=True), 1.0)
    problem = flow.problem
    with np.errstate(all="ignore"):
        if isinstance(problem, Channel) and problem.cost is None:
            P = np.asarray(flow.constants["P"])
            q = z @ P
            return (z * xlogy(P, P).sum(1)).sum(1) - xlogy(q, q).sum(1)
        if isinstance(problem, RateDistortion):
            return np.log(z @ np.asarray(flow.constants["A"]).T) @ np.asarray(flow.constants["p"])
    return np.full(len(answers), np.nan)


def judge(
    flow: Flow, before: Array, after: Array, ok: NDArray[np.bool_], *, tolerance: float = TOLERANCE
) -> NDArray[np.str_]:
    """Name of the verdict on each pair of ends.

    Parameters
    ----------
    flow : Flow
    before, after : array, shape (samples, size)
        Answers of the runs and of their restarts.
    ok : array of bool, shape (samples,)
        Whether both ended well.
    tolerance : float
        Of the answer, flow units. A value is better from the square of this on, since a smooth optimum is flat, and equal
        within this itself.

    Returns
    -------
    array of str, shape (samples,)
    """
    if isinstance(flow.problem, Attention):
        same = np.array([_clusters(a, flow) == _clusters(b, flow) for a, b in zip(before, after, strict=True)])
        return np.where(~ok, "not settled", np.where(same, "confirmed", "other optimum"))
    with np.errstate(invalid="ignore"):
        distance = abs(after - before).max(axis=1)
    same = ok & (distance <= tolerance)
    gain = worth(flow, after) - worth(flow, before)
    fair = _DEAD / before.shape[1]
    revived = ((before < fair) & (after > np.maximum(fair, before + tolerance))).any(axis=1)
    better = gain > tolerance**2
    lost = ok & ~same & revived & better
    equal = ok & ~same & ~lost & (abs(gain) <= tolerance)
    return np.select([same, lost, equal], ["confirmed", "support lost", "other optimum"], "not settled")


def _clusters(tokens: Array, flow: Flow) -> tuple[int, ...]:
    """For each token the first one of its cluster."""
    (shape,) = (value.shape for value in flow.states.values())
    x = tokens.reshape(shape)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    near = x @ x.T > _SAME_CLUSTER
    return tuple(int(np.argmax(row)) for row in near)


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
    """

    name: str
    distance: float
    gain: float

    @property
    def passed(self) -> bool:
        """Whether the first answer stands."""
        return self.name in ("confirmed", "other optimum")

    def __str__(self) -> str:
        return f"{self.name}: {VERDICTS[self.name]}"
