"""The motion of a flow that layouts are held against, how closely a machine follows it, and until when that can be told.

The nominal run is where a flow's elements go, which is what they are scaled to. Paths of a chaotic flow that start next to
each other separate, whatever computes them: e-fold every 1/λ, where λ is the leading Lyapunov exponent. What two paths have
in common then ends where a perturbation has grown to the limit, and they are compared until there. Whether a flow is
chaotic, and how far it goes, is read off a motion of a length that is its own: of so many turns, whatever its end.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import RUNAWAY, VectorField
from analogflow.blocks import Comparator
from analogflow.flows import Flow
from analogflow.graph import BlockGraph, GraphBuilder, rewritten
from analogflow.hardware.decomposition import Taken, value_at
from analogflow.hardware.machine import in_legs, path
from analogflow.passes import farthest
from analogflow.rest import usual

__all__ = [
    "EXACT",
    "POINTS",
    "Course",
    "Followed",
    "Growth",
    "Nominal",
    "chaotic_course",
    "compare",
    "course_of",
    "deciding_at_once",
    "growth_of",
    "horizon",
    "nominal_path",
    "nominal_run",
    "overload",
    "turns",
]

Array = NDArray[np.float64]

_STRETCHES = (5.0, 15.0, 40.0)
"""τ: how long is integrated before it is looked whether the state rests."""

_AT_REST = 1e-7
"""Rate of each state per τ, relative to its peak, at which it rests."""

_SHARE, _SCALE_SHARE = 1e-9, 1e-4
"""Of the largest peak, and of the scale of the flow's states: a state that stays below is what rounding left of 0."""

_NO_WIDTH = 1e-12
"""Of a comparator that decides at once."""

Field = Callable[[Array], Array]

_STEP = 1e-6
"""Relative size of the difference that a derivative along a direction is taken with."""

_SETTLING = 0.1
"""Share of the run after which growth is measured: until then a perturbation turns to the leading direction."""

_CHAOTIC = 5.0
"""λ times the length of the run from which a flow is called chaotic: in proportion to it, perturbations grow 150-fold."""

_TURNS = 64
"""How often a usual motion turns: the state that does most often."""

_MOTION_POINTS = 2049

_LONGEST = 8
"""How many times as long as a path that is to be compared a usual motion may be: longer ones would take too long."""

_STEADY = 1.25
"""By how much a state may go farther in the second half of a usual motion than in the first."""

POINTS = 801
"""Times at which the paths of a machine and its flow are compared."""

EXACT = 1e-9
"""Relative size of what the integration of exact equations perturbs them by."""


@dataclasses.dataclass(frozen=True, eq=False)
class Nominal:
    """States along a run.

    Parameters
    ----------
    states : array, shape (points, size)
        In the order of the graph's states.
    end : float
        Length in τ.
    finished : bool
        False where the run went out of every range or would take no steps.
    resting : bool
        Whether it has come to rest.
    peaks : array, shape (size,)
        Largest |value| of each state; where a state is but rounding, what rounding may reach.
    """

    states: Array
    end: float
    finished: bool
    resting: bool
    peaks: Array


def nominal_run(graph: BlockGraph, end_time: float | None = None, *, flow: Flow | None = None) -> Nominal:
    """Follow the `graph` of `flow` in the block engine to `end_time` (τ) or rest, at most 60 τ.

    What was lifted may start farther out than the flow does, and then runs away from there; without a flow, sizes are 1.
    """
    field = VectorField(graph)
    scale, far = (1.0, RUNAWAY) if flow is None else (flow.state_scale, farthest(flow))
    far = max(far, RUNAWAY * usual(float(abs(graph.initial()).max(initial=0.0))))

    def leaving(time: float, y: Array) -> float:
        return far - float(abs(y).max())

    leaving.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    y, end, finished, resting = graph.initial(), 0.0, True, False
    points, peaks = [y[None]], np.abs(y)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stretch in (end_time,) if end_time else _STRETCHES:
            run = scipy.integrate.solve_ivp(field, (0.0, stretch), y, method="LSODA", rtol=1e-9, atol=1e-14, events=leaving)
            y, end = run.y[:, -1], end + float(run.t[-1])
            points.append(run.y.T)
            finished = run.status == 0 and bool(np.isfinite(y).all())
            peaks = np.max([abs(part).max(axis=0) for part in points], axis=0)
            peaks = np.maximum(peaks, max(_SHARE * peaks.max(), _SCALE_SHARE * scale))
            resting = finished and bool((abs(field(0.0, y)) <= _AT_REST * peaks).all())
            if not finished or resting:
                break
    return Nominal(np.concatenate(points), end, finished, resting, peaks)


def nominal_path(graph: BlockGraph, peaks: Array, times: Array) -> Array:
    """States of `graph` at `times`, in τ, shape (points, size), followed closely in units of their `peaks`."""
    field = VectorField(graph)
    return peaks * path(lambda y: field(0.0, y * peaks) / peaks, graph.initial() / peaks, times)


def deciding_at_once(graph: BlockGraph) -> BlockGraph:
    """The same with comparators as those of a patch panel: of no width, where those of a flow have one for simulators."""

    def visit(builder: GraphBuilder, node: str, inputs: tuple[str, ...]) -> str:
        block = graph.block(node)
        sharp = dataclasses.replace(block, width=_NO_WIDTH) if isinstance(block, Comparator) else block
        return builder.adopt(graph, node, inputs, sharp)

    return rewritten(graph, visit)


@dataclasses.dataclass(frozen=True)
class Followed:
    """Distance of what a machine computes from the flow.

    Parameters
    ----------
    error : float
        Largest distance of the answer, flow units; NaN where the machine was left.
    relative : float
        Largest distance of any compared quantity, relative to its peak.
    where : str
        That quantity.
    peak : float
        Its peak.
    at : float
        τ at which it is so far.
    within : float
        τ until which every quantity stays within the limit.
    until : float
        τ until which was compared.
    """

    error: float
    relative: float
    where: str
    peak: float
    at: float
    within: float
    until: float


@dataclasses.dataclass(frozen=True, eq=False)
class Growth:
    """How a small perturbation of a flow grows.

    Parameters
    ----------
    times : array, shape (points,)
        τ.
    log : array, shape (points,)
        Logarithm of its size, relative to how large the state has been so far.
    exponent : float
        Its mean slope: an estimate of the leading Lyapunov exponent, per τ; of a flow that itself grows, by how much faster.
    states : array, shape (points, size)
        The motion along which it grows, flow units.
    """

    times: Array
    log: Array
    exponent: float
    states: Array

    @property
    def chaotic(self) -> bool:
        """Whether paths that start next to each other have parted by the end."""
        return self.exponent * float(self.times[-1]) > _CHAOTIC


def compare(
    expected: Mapping[str, Array],
    found: Mapping[str, Array],
    times: Array,
    answer: str,
    limit: float,
    span: tuple[float, float],
    peaks: Mapping[str, float],
) -> Followed:
    """Hold quantities `found` against those `expected`, each of shape (points, size), at the `times` within `span`."""
    since, until = span
    seen = (times >= since) & (times <= until * (1 + 1e-12))
    worst: tuple[float, str, float, float] = (-1.0, "", 0.0, 0.0)
    outside = np.zeros(times.shape, dtype=bool)
    for name, values in expected.items():
        peak = peaks[name] or 1.0
        distance = abs(found[name] - values).max(axis=-1) / peak
        distance = np.where(np.isfinite(distance), distance, np.inf)
        outside |= (distance > limit) & (times >= since)
        k = int(np.argmax(np.where(seen, distance, -1.0)))
        worst = max(worst, (float(distance[k]), name, peak, float(times[k])))
    relative, where, peak, at = worst
    first = int(np.argmax(outside)) if outside.any() else len(times)
    within = float(times[min(max(first - 1, 0), len(times) - 1)])
    error = float(abs(found[answer] - expected[answer])[seen].max())
    return Followed(error, relative, where, peak, at, within, until)


def growth_of(field: Field, initial: Array, peaks: Array, times: Array) -> Growth:
    """Growth of a perturbation along the path of `field`, by the variational equation, in units of each state's peak.

    Parameters
    ----------
    field : callable
        Rates at states of shape (..., size), per τ.
    initial, peaks : array, shape (size,)
    times : array
        τ, evenly spaced.
    """
    size = len(initial)
    start = np.random.default_rng(1).normal(size=size)

    def rates(packed: Array) -> Array:
        y, u = packed[:size], packed[size : 2 * size]
        u = u / np.linalg.norm(u)
        here, ahead, behind = field(peaks * np.stack([y, y + _STEP * u, y - _STEP * u])) / peaks
        stretched = (ahead - behind) / (2 * _STEP)
        along = float(u @ stretched)
        return np.concatenate([here, stretched - along * u, [along]])

    packed = np.concatenate([initial / peaks, start / np.linalg.norm(start), [0.0]])
    run = in_legs(rates, packed, times, far=np.inf)
    so_far = np.maximum.accumulate(abs(run[:, :size]).max(axis=1))
    log = run[:, -1] - np.log(np.maximum(so_far, 1e-300))
    log = np.where(np.isfinite(log), log, np.inf)
    later = (times >= _SETTLING * times[-1]) & np.isfinite(log)
    exponent = float(np.polyfit(times[later], log[later], 1)[0]) if later.sum() > 2 else 0.0
    return Growth(times, log, exponent, peaks * run[:, :size])


def turns(states: Array) -> int:
    """How often that of `states`, shape (points, size), turns which does most often.

    Ripples of a thousandth of its peak do not count.
    """
    coarse = np.round(states / np.maximum(abs(states).max(axis=0), 1e-300), 3)
    counts = [0]
    for column in np.diff(coarse, axis=0).T:
        going = np.sign(column[column != 0])
        counts.append(int((going[1:] != going[:-1]).sum()))
    return max(counts)


def horizon(growth: Growth, start: float, drive: Array, limit: float) -> float:
    """τ at which a perturbation of relative size `start`, driven by `drive` per τ at each time, has grown to `limit`."""
    size = start
    for k, step in enumerate(np.diff(growth.times)):
        size = (size + drive[k] * step) * np.exp(min(growth.log[k + 1] - growth.log[k], 700.0))
        if not size <= limit:
            return float(growth.times[k])
    return float(growth.times[-1])


def overload(signals: Callable[[Array], Mapping[str, float]], outputs: Array, times: Array) -> str:
    """First signal beyond a machine unit along `outputs`, shape (points, integrators), and when; empty if there is none."""
    for time, row in zip(times.tolist(), outputs, strict=True):
        if not np.isfinite(row).all():
            return f"a signal runs away at {time:.3g} τ"
        beyond = {name: value for name, value in signals(row).items() if not abs(value) <= 1 + 1e-9}
        if beyond:
            name = max(beyond, key=lambda name: abs(beyond[name]))
            return f"{name} passes a machine unit at {time:.3g} τ"
    return ""


@dataclasses.dataclass(frozen=True, eq=False)
class Course:
    """What the layouts of a flow are held against.

    Parameters
    ----------
    graph, mended : BlockGraph
        As it was given, and stabilised.
    answer : str
    end : float
        τ.
    resting : bool
        Whether a flow without an end has come to rest by then; a flow that has one is taken to be asked for its motion.
    moving : bool
        Whether every point of the path counts.
    peaks : array, shape (size,)
        Largest |value| of each state, which it is integrated in units of.
    times : array
        τ at which is compared.
    expected : mapping of str to array, shape (points, size)
        Each compared quantity at `times`.
    sizes : mapping of str to float
        Its peak.
    growth : Growth, optional
        Of a chaotic flow.
    along : array, shape (points, integrators), optional
        Where the integrators go along the motion that `growth` was measured along, if that is one of the flow's own length:
        then signals are looked at along such a one.
    """

    graph: BlockGraph
    mended: BlockGraph
    answer: str
    end: float
    resting: bool
    moving: bool
    peaks: Array
    times: Array
    expected: Mapping[str, Array]
    sizes: Mapping[str, float]
    growth: Growth | None = None
    along: Array | None = None

    def until(self, end: float) -> Course:
        """The same, compared until then."""
        times = np.linspace(0.0, end, POINTS)
        states = nominal_path(self.graph, self.peaks, times)
        return dataclasses.replace(
            self, times=times, expected={name: value_at(self.graph, name, states) for name in self.expected}
        )


def course_of(flow: Flow, graph: BlockGraph, mended: BlockGraph, taken: Taken, run: Nominal) -> Course:
    """Course of `flow`, whose `graph` was stabilised and `taken` apart, until the end of its nominal `run`."""
    moving = flow.end_time is not None or (flow.path_matters and not run.resting)
    held = {state for state, _ in taken.couplings.places}
    compared = [flow.answer, *(state for state in flow.states if moving and state in held and state != flow.answer)]
    # What was taken apart has the same states unless some were lifted.
    peaks = run.peaks
    if list(taken.graph.states) != list(graph.states):
        peaks = nominal_run(graph, run.end, flow=flow).peaks
    resting = flow.end_time is not None or run.resting
    empty = dict.fromkeys(compared, np.empty(0))
    course = Course(graph, mended, flow.answer, run.end, resting, moving, peaks, np.empty(0), empty, {}).until(run.end)
    sizes = {name: float(abs(values).max()) for name, values in course.expected.items()}
    return dataclasses.replace(course, sizes=sizes)


def chaotic_course(course: Course, taken: Taken, states: Array, tolerance: float) -> tuple[Course, Array] | None:
    """Course of a chaotic flow, and where its integrators go; None if it is not chaotic.

    Where the flow has a usual motion it is that one, whatever the end; else what it was, with `states`. It is compared
    until exact equations leave `tolerance`.
    """
    field, initial = functools.partial(VectorField(course.mended), 0.0), course.mended.initial()
    turned = turns(np.concatenate(list(course.expected.values()), axis=1))
    growth = _usual_motion(field, initial, course.peaks, course.end, turned)
    if growth is None or (not growth.chaotic and growth.times[-1] < course.end):
        growth = growth_of(field, initial, course.peaks, course.times)
        return (dataclasses.replace(course, growth=growth), states) if growth.chaotic else None
    if not growth.chaotic:
        return None
    along = growth.states
    if list(taken.graph.states) != list(course.mended.states):
        lifted, peaks = VectorField(taken.graph), nominal_run(taken.graph, growth.times[-1]).peaks
        start = taken.graph.initial() / peaks
        along = peaks * in_legs(lambda y: lifted(0.0, y * peaks) / peaks, start, growth.times, far=1e6)
    along = along[:, taken.columns()]
    sizes = {name: float(abs(value_at(course.graph, name, growth.states)).max()) for name in course.expected}
    told = horizon(growth, EXACT, np.zeros_like(growth.times), tolerance)
    course = course.until(told) if told < course.end else course
    return dataclasses.replace(course, sizes=sizes, growth=growth, along=along), along


def _usual_motion(field: Field, initial: Array, peaks: Array, end: float, turned: int) -> Growth | None:
    """Growth along the motion until a power of two, in τ, by when it has turned 64 times; None where it has no such motion.

    Parameters
    ----------
    field, initial
        As `growth_of` takes them.
    peaks : array, shape (size,)
        What the states reach until `end`.
    end : float
        τ; which one of the same motion does not matter.
    turned : int
        How often the motion turns until then.

    Notes
    -----
    A flow has none that comes to rest, runs away, goes farther and farther, or turns less than 8 times until `end`.
    """
    if _LONGEST * turned < _TURNS:
        return None

    def tried(length: float, units: Array) -> Array:
        times = np.linspace(0.0, length, _MOTION_POINTS)
        return units * in_legs(lambda y: field(units * y) / units, initial / units, times, accuracy=1e-6, far=1e6)

    units = 2.0 ** np.ceil(np.log2(peaks))
    length = 2.0 ** np.ceil(np.log2(end * _TURNS / turned))
    states = tried(length, units)
    while np.isfinite(states).all() and turns(shorter := tried(length / 2, units)) >= _TURNS:
        length, states = length / 2, shorter
    while np.isfinite(states).all() and turns(states) < _TURNS and length <= _LONGEST * end:
        length = 2 * length
        states = tried(length, units)
    if not np.isfinite(states).all() or turns(states) < _TURNS:
        return None
    reached = abs(states).max(axis=0)
    units = 2.0 ** np.ceil(np.log2(np.where(reached > 0, reached, units)))
    found = growth_of(field, initial, units, np.linspace(0.0, length, _MOTION_POINTS))
    early, late = (abs(half).max(axis=0) / units for half in np.array_split(found.states, 2))
    return found if (late <= _STEADY * early + 1e-3).all() else None
