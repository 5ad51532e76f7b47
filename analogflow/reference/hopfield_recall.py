"""What a rest recalls of a network's memories: one of them, a mixture, or none; and at which gains a mixture ends.

A mixture is followed along the gain by Newton's method, its stability read from the exact Jacobian on the way.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.reference.hopfield import hopfield_reference, metric, overlaps, rates, valley_at

__all__ = ["GAINS", "MOST_HIDDEN", "MOST_NAMED", "Edge", "Recalled", "from_memory", "mixture_edge", "recalled"]

Array = NDArray[np.float64]

GAINS = ("gain_v", "gain_h", "both gains")
"""What a mixture is followed along: one gain, or both in proportion."""

_SMALL_PART = 0.5
"""Share, over the largest, from which a memory is part of a mixture."""

_NOTHING = 1e-4
"""Largest share up to which nothing is recalled."""

_FARTHEST = math.log(1e4)
_FIRST_STEP, _LARGEST_STEP, _LEAST_STEP = 0.05, 0.25, 1e-9
"""Steps along the logarithm of the gain; an edge is known to the least."""

_NEAR = 0.2
"""Share of its size by which a rest may move in a step, and be the same one."""

_NEWTON, _SETTLED, _BALANCED = 12, 1e-11, 1e-14
_BEYOND, _PUSH = 0.01, 0.05
MOST_NAMED = 6
"""Parts up to which a mixture is told by each, and each is tried alone."""

MOST_HIDDEN = 128
"""Hidden units up to which a mixture is followed along the gain."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recalled:
    """What a state holds of the P memories.

    Parameters
    ----------
    overlaps : array, shape (P,)
        ξ·g(v)/|ξ|².
    shares : array, shape (P,)
        Combination of the memories that is nearest to g(v): overlaps without the memories' own overlaps with each other.
    parts : tuple of int
        Memories whose share is at least half of the largest, counted from 1, with the sign of the share; none where the
        largest is 1e-4 or less.
    """

    overlaps: Array
    shares: Array
    parts: tuple[int, ...]

    @property
    def mixed(self) -> bool:
        """Whether there are several parts."""
        return len(self.parts) > 1

    def __str__(self) -> str:
        if not self.parts:
            return "no pattern"
        named = [f"pattern {part}" if part > 0 else f"the reverse of pattern {-part}" for part in self.parts]
        if len(named) == 1:
            return named[0]
        if len(named) > MOST_NAMED:
            most = named[int(np.argmax(abs(self.shares[[abs(part) - 1 for part in self.parts]])))]
            return f"a mixture of {len(named)} patterns, most of all {most}"
        return f"a mixture of {', '.join(named[:-1])} and {named[-1]}"


@dataclasses.dataclass(frozen=True, eq=False)
class Edge:
    """Where a mixture ends along a gain.

    Parameters
    ----------
    gain : {"gain_v", "gain_h", "both gains"}
    factor : float
        By which it is multiplied there.
    beyond : tuple of str
        What is recalled 1% beyond, as the rest is pushed one way and the other along the direction that gave way.
    """

    gain: str
    factor: float
    beyond: tuple[str, ...]


def recalled(problem: Hopfield, state: Array) -> Recalled:
    """What a state (v, h), shape (n + m,), of a problem with memories recalls of them.

    Raises
    ------
    BadInput
        There are none.
    """
    found, memories = overlaps(problem, state), problem.memories
    assert memories is not None  # `overlaps` refuses that
    gram = memories @ memories.T
    shares = np.asarray(np.linalg.lstsq(gram, np.diag(gram) * found)[0], dtype=float)
    largest = float(abs(shares).max())
    kept = np.flatnonzero(abs(shares) >= _SMALL_PART * largest) if largest > _NOTHING else np.zeros(0, int)
    return Recalled(found, shares, tuple(int(math.copysign(k + 1, shares[k])) for k in kept))


def from_memory(problem: Hopfield, part: int) -> Recalled | None:
    """What a network recalls whose visible units are set to a memory, counted from 1 and with a sign, and hold it a while.

    None where no rest is reached.
    """
    memories = problem.memories
    assert memories is not None
    y = math.copysign(1.0, part) * memories[abs(part) - 1]
    h = problem.U.T @ y
    dense = problem.activation == "softmax"
    v = np.linalg.solve(problem.gain_v, y) if dense else problem.U @ np.tanh(problem.gain_h @ h) + problem.I
    reached = _reached(problem, np.concatenate([v, h]))
    return None if reached is None else recalled(problem, reached)


def _reached(problem: Hopfield, start: Array) -> Array | None:
    try:
        return hopfield_reference(problem.with_gains(problem.gain_v, problem.gain_h, start)).mean
    except BadInput:
        return None


def mixture_edge(problem: Hopfield, rest: Array, gain: str, *, rising: bool) -> Edge | None:
    """The gain at which a mixture stops being one as it rises, or falls; None where it is one over four decades.

    It ends where it is no valley any more (the Jacobian's largest eigenvalue, minus the valley, reaches 0) or there is no
    rest near by, unless what it goes over into has the same parts; or where its parts are others.

    Parameters
    ----------
    problem : Hopfield
        At temperature 0, with memories.
    rest : array, shape (n + m,)
        A rest that is a mixture.
    gain : {"gain_v", "gain_h", "both gains"}
    rising : bool
        Whether the gain is raised or lowered.

    Raises
    ------
    BadInput
        The network has more than 128 hidden units, which would take long.
    """
    if problem.hidden > MOST_HIDDEN:
        raise BadInput(f"{problem!r} has more than {MOST_HIDDEN} hidden units: its mixture is not followed along the gain.")
    parts, sign = recalled(problem, rest).parts, 1.0 if rising else -1.0
    at, x, step = 0.0, rest, _FIRST_STEP
    while at < _FARTHEST:
        to = min(at + step, _FARTHEST)
        network = _scaled(problem, gain, math.exp(sign * to), x)
        y = _settled(network)
        if y is not None and valley_at(network, y) > 0 and recalled(network, y).parts == parts:
            at, x, step = to, y, min(1.5 * step, _LARGEST_STEP)
        elif step <= _LEAST_STEP:
            here = _scaled(problem, gain, math.exp(sign * at), x)
            past = _scaled(problem, gain, math.exp(sign * (at + _BEYOND)), x)
            push = _PUSH * max(1.0, float(abs(x).max())) * _softest(here)
            reached = [y for way in (1.0, -1.0) if (y := _reached(past, x + way * push)) is not None]
            found = [recalled(past, y) for y in reached]
            still = next((y for y, one in zip(reached, found, strict=True) if one.parts == parts), None)
            if still is None:
                return Edge(gain, math.exp(sign * at), tuple(sorted({str(one) for one in found})))
            at, x, step = at + _BEYOND, still, _FIRST_STEP  # its parts are the same, if not their shares
        else:
            step /= 2
    return None


def _scaled(problem: Hopfield, gain: str, factor: float, start: Array) -> Hopfield:
    by_v, by_h = (1.0 if gain == other else factor for other in ("gain_h", "gain_v"))
    return problem.with_gains(by_v * problem.gain_v, by_h * problem.gain_h, start)


def _settled(network: Hopfield) -> Array | None:
    """The rest nearest to the start by Newton's method; None if it does not come near enough, or not there at all.

    δh = (1 − Uᵀ G' U F')⁻¹ (ḣ + Uᵀ G' v̇) and δv = v̇ + U F' δh, so that only m equations are solved.
    """
    U, n = network.U, network.visible
    size = float(abs(network.start).max())
    x = np.array(network.start)
    for _ in range(_NEWTON):
        slopes, rate = metric(network, x), rates(network, x)
        back, forth = U.T @ slopes[:n, :n], U @ slopes[n:, n:]
        try:
            h = np.linalg.solve(np.eye(network.hidden) - back @ forth, rate[n:] + back @ rate[:n])
        except np.linalg.LinAlgError:
            return None
        step = np.concatenate([rate[:n] + forth @ h, h])
        x = x + step
        if not abs(x - network.start).max() <= _NEAR * size:
            return None
        # Near an edge rounding moves x by as much as the Jacobian is nearly singular; what it leaves of the rates is little.
        if min(abs(step).max() / _SETTLED, abs(rate).max() / _BALANCED) <= max(1.0, size):
            return x
    return None


def _softest(network: Hopfield) -> Array:
    """Direction of the Jacobian's largest eigenvalue at the start, the first of its largest entries 1."""
    n, slopes = network.visible, metric(network, network.start)
    back, forth = network.U.T @ slopes[:n, :n], network.U @ slopes[n:, n:]
    values, vectors = (np.real(part) for part in np.linalg.eig(back @ forth))
    h = vectors[:, int(np.argmax(values))]
    direction = np.concatenate([forth @ h / math.sqrt(max(float(values.max()), 1e-12)), h])
    return direction / direction[np.argmax(abs(direction) >= (1 - 1e-6) * abs(direction).max())]
