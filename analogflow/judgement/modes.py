"""Where a flow can rest, and how it moves there: its linearisation, mode by mode, before any circuit is run.

Derivatives are those of the blocks. Rests are looked for by Newton's method from the start, along the path from there, and
from points scattered about that; it is not proved that there are no others.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import RUNAWAY, VectorField
from analogflow.blocks import PADE
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.rest import size_of
from analogflow.run import SETTLING_BAND, settling_times

__all__ = ["Rest", "modes_of"]

Array = NDArray[np.float64]

_LONGEST = 200.0
"""τ for which the path from the start is followed."""

_ALONG, _SCATTERED, _WIDE = 24, 96, 1.5
"""Points of the path and points about it that Newton's method starts from; how much wider than the path these lie."""

_MOST_SCATTERED = 40
"""States above which none are scattered: they would find little."""

_SAME, _STILL = 1e-6, 1e-9
"""Distance of rests that are one, and rate of a state that rests, over the size of the states."""

_NEUTRAL = 1e-7
"""Real part, over the fastest rate, below which a mode neither grows nor decays."""

_NEAR = 1e-3
"""Distance, over the size of the states, of a path's end from the rest that it came to."""

_SHOWN = 12
"""Rests at most that are told."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rest:
    """A state at which every rate is 0, and the modes of small motions about it.

    Parameters
    ----------
    at : mapping of name to array
        Flow units.
    eigenvalues : array of complex, shape (n,)
        Of the Jacobian, per τ, the slowest to decay first.
    kind : str
        Node, focus, saddle or centre, stable or not; with how many modes that do not move.
    reached : bool
        Whether the path from the flow's start comes to it.
    settling : float, optional
        τ from which that path stays within 1e-6 of the states' size of it, as it takes to come near and the slowest mode
        from there on; None where the path goes elsewhere, or never rests.
    """

    at: Mapping[str, Array]
    eigenvalues: NDArray[np.complex128]
    kind: str
    reached: bool
    settling: float | None

    @property
    def time_constants(self) -> Array:
        """τ in which each mode decays e-fold, negative where it grows, infinite where it does neither; shape (n,)."""
        real = self.eigenvalues.real
        with np.errstate(divide="ignore"):
            return np.where(_neutral(self.eigenvalues), np.inf, -1.0 / real)

    @property
    def stable(self) -> bool:
        """Whether no mode grows and one decays at least: what is pushed comes back, to a neighbour if some do not move."""
        neutral = _neutral(self.eigenvalues)
        return bool((self.eigenvalues.real[~neutral] < 0).all() and not neutral.all())


def modes_of(flow: Flow) -> tuple[Rest, ...]:
    """Rests of a flow that were found, the one that its path comes to first, and their modes.

    Raises
    ------
    BadInput
        The equations depend on time, switch, jump or are delayed.
    """
    if flow.clock:
        raise BadInput(
            f"modes: the {flow.family} flow depends on time, so that it rests nowhere; take its inputs away, or hold them."
        )
    if flow.delays:
        raise BadInput(
            f"modes: the {flow.family} flow is delayed, and has infinitely many about a rest; write {PADE}, whose modes are "
            "near the slowest of them."
        )
    if flow.latches or flow.jumps:
        what = "jumps at events" if flow.jumps else "switches by a comparator with hysteresis"
        raise BadInput(f"modes: the {flow.family} flow {what}, and is linear about no rest of its own; leave that out.")
    field = VectorField(flow.graph())
    path, times, ran = _path(field)
    size = max(float(abs(path).max()), 1e-300)
    found: list[Array] = []
    for guess in _guesses(field, path):
        rest = _newton(field, guess, size)
        if rest is not None and not any(_alike(field, rest, other, size) for other in found):
            found.append(rest)
        if len(found) >= _SHOWN:
            break
    rests = [_rest(field, at, path, times, size, ran=ran) for at in found]
    return tuple(sorted(rests, key=lambda rest: (not rest.reached, not rest.stable)))


def _alike(field: VectorField, one: Array, other: Array, size: float) -> bool:
    """Whether two rests are one, or of a line of rests whose modes are the same."""
    if abs(one - other).max() <= _SAME * size:
        return True
    each = [np.sort_complex(_eigenvalues(field, at)) for at in (one, other)]
    still = all((_neutral(values) & (abs(values.imag) <= _NEUTRAL * abs(values).max())).any() for values in each)
    return still and bool(abs(each[0] - each[1]).max() <= _SAME * abs(each[0]).max())


def _path(field: VectorField) -> tuple[Array, Array, bool]:
    """States from the flow's start, shape (points, size), their times, and whether the path did not run away."""
    start = field.graph.initial()
    largest = float(abs(start).max(initial=0.0))
    far = RUNAWAY * max(largest, 1.0)

    def leaving(time: float, y: Array) -> float:
        return far - float(abs(y).max())

    leaving.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = scipy.integrate.solve_ivp(
            field, (0.0, _LONGEST), start, method="LSODA", rtol=1e-9, atol=1e-12 * size_of(largest), events=leaving
        )  # fmt: skip
    kept = np.isfinite(run.y).all(axis=0)
    return run.y.T[kept], run.t[kept], bool(run.status == 0 and kept.all())


def _guesses(field: VectorField, path: Array) -> Iterator[Array]:
    """Where Newton's method starts: the path's end, its start, points of it, and about it."""
    yield path[-1]
    yield from path[np.unique(np.linspace(0, len(path) - 1, _ALONG).astype(int))]
    yield np.zeros(field.size)
    if field.size > _MOST_SCATTERED:
        return
    low, high = path.min(axis=0), path.max(axis=0)
    reach = np.maximum(high - low, 0.5 * max(float(abs(path).max()), 1.0))
    about = np.random.default_rng(1).uniform(-_WIDE, _WIDE, (_SCATTERED, field.size))
    yield from 0.5 * (low + high) + reach * about


def _newton(field: VectorField, guess: Array, size: float) -> Array | None:
    """The rest that Newton's method finds from a guess."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = scipy.optimize.root(
                lambda y: field(0.0, y), guess, jac=field.jacobian, method="hybr", options={"xtol": 1e-13}
            )
        except (ValueError, FloatingPointError, np.linalg.LinAlgError):
            return None
        rates = field(0.0, found.x)
    fastest = max(float(abs(field.jacobian(found.x)).max()), 1.0)
    still = np.isfinite(found.x).all() and np.isfinite(rates).all() and abs(rates).max() <= _STILL * fastest * size
    return found.x if still else None


def _eigenvalues(field: VectorField, at: Array) -> NDArray[np.complex128]:
    return np.asarray(np.linalg.eigvals(field.jacobian(at)), dtype=np.complex128)


def _neutral(eigenvalues: NDArray[np.complex128]) -> NDArray[np.bool_]:
    return abs(eigenvalues.real) <= _NEUTRAL * max(float(abs(eigenvalues).max(initial=0.0)), 1e-300)


def _kind(eigenvalues: NDArray[np.complex128]) -> str:
    """What mathematicians call such a rest."""
    neutral, fastest = _neutral(eigenvalues), max(float(abs(eigenvalues).max(initial=0.0)), 1e-300)
    turning = abs(eigenvalues.imag) > _NEUTRAL * fastest
    grows, decays = (eigenvalues.real[~neutral] > 0).sum(), (eigenvalues.real[~neutral] < 0).sum()
    still = int((neutral & ~turning).sum())
    shape = "focus" if turning[~neutral].any() else "node"
    if grows and decays:
        kind = "saddle" if shape == "node" else "saddle-focus"
    elif grows or decays:
        kind = f"{'unstable' if grows else 'stable'} {shape}"
    else:
        kind = "centre" if turning.any() else "no motion"
    if (grows or decays) and (neutral & turning).any():
        kind += ", swings without end"
    return f"{kind}, {still} modes stand still" if still > 1 else f"{kind}, one mode stands still" if still else kind


def _rest(field: VectorField, at: Array, path: Array, times: Array, size: float, *, ran: bool) -> Rest:
    unsorted = _eigenvalues(field, at)
    order = np.lexsort((-unsorted.imag, -np.round(unsorted.real, 12)))
    eigenvalues = np.asarray(unsorted[order], dtype=np.complex128)
    rest = Rest({}, eigenvalues, _kind(eigenvalues), False, None)
    # Where modes stand still, Newton's method leads a little along a line of rests; the path stays where it came to rest.
    resting = abs(path[-1] - at).max() <= _NEAR * size and abs(field(0.0, path[-1])).max() <= SETTLING_BAND * size
    goal = path[-1] if resting else at
    away = abs(path - goal).max(axis=1) / size
    decaying = -eigenvalues.real[~_neutral(eigenvalues) & (eigenvalues.real < 0)]
    slowest = float(decaying.min(initial=math.inf))
    reached, settling = bool(ran and away[-1] <= SETTLING_BAND), None
    if ran and rest.stable:
        near = float(away[-1])
        if reached:
            settling = float(settling_times(times, away, SETTLING_BAND))
        elif near <= 0.5 * float(away.max()) and near < 0.1 and (np.diff(away[-8:]) <= 0).all():
            # What it still has to go, its slowest mode takes.
            reached, settling = True, float(times[-1]) + math.log(near / SETTLING_BAND) / slowest
    at_states = {label: at[part] for label, part in field.slices.items() if label in field.visible_states}
    return dataclasses.replace(rest, at=at_states, reached=reached, settling=settling)
