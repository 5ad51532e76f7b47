"""How a run ended, by one rule for every engine and from its path alone: at rest, fluctuating, off its manifold, creeping.

Whether an amplifier met its rail is seen from the signals that were read, through the equations of the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.blocks import Block, Comparator, Constant, Multiplier, Scaled, Wire
from analogflow.circuit import Circuit
from analogflow.graph import BlockGraph
from analogflow.names import comment
from analogflow.run import Creep, Outcome, Run
from analogflow.simulators.flow_units import in_graph_units

__all__ = ["creep_of", "ended", "swings"]

Array = NDArray[np.float64]

_DEFECT, _IMPERFECT_DEFECT = 1e-3, 0.1

_REACHED = (Outcome.SETTLED, Outcome.STATIONARY, Outcome.COMPLETED, Outcome.NOT_SETTLED)
"""Outcomes of runs that went where they were to go, as far as their engine knows."""

_ASKED = (Outcome.SETTLED, Outcome.NOT_SETTLED)
"""Those of runs that were asked whether they come to rest."""

_SHORTEST = 100.0
"""τ below which nothing is said of how an approach goes on."""

_OCTAVES = 3
_SLOWEST_POWER, _ALIKE = 0.15, 0.15
"""Least power of 1/t that is told from standing still, and relative difference of the powers of two octaves that is none."""

_SEEN = 1e-6
"""Distance from its limit, over its largest value, from which on an algebraic approach that came to rest counts as none."""

_FAR = 1e-3
"""Distance from where a state goes by its linearisation, over the largest value, from which on it does not rest."""

_RANK, _MOST_STATES = 1e-12, 256
"""Relative size below which a direction moves nothing; states beyond which the matrix is not looked at."""

_STRAIGHT = 0.1
"""Share of a state's speed that is left where its linearised equations rest, up to which they say where it goes."""

_UNDAMPED = 0.98
"""Share of its extent in one quarter of a run that a swing keeps in the next if it does not die down."""

_AHEAD, _STEPS_AHEAD = 1000.0, 4000
"""How far the equations are followed beyond an answer's rest while other states move: τ, and steps."""

_POINTS = 256
_CLEAR, _FAINT = (0.02, 0.9), 0.999
"""Ratios of two moves after one another from which a rate is read well, and up to which it is read at all."""

_FEWEST = 8
"""Points in a quarter of a run below which nothing is said of its mean."""

_AT = 0.99
"""Part of the largest output from which an amplifier counts as being there."""


def ended(circuit: Circuit, run: Run, *, resting: float = 0.0, graph: Callable[[Any], BlockGraph] | None = None) -> Run:
    """The run with the outcome that its values show, beyond what an engine can know.

    Parameters
    ----------
    circuit : Circuit
    run : Run
        Of one run, or of many samples, of which those are looked at that were asked whether they come to rest.
    resting : float
        Speed, flow units per τ, at which the run was to stop. Of a single run with noise, any above 0 asks whether its mean
        still moves; samples that ran to their end amid noise are completed (why: `RunPlan.stopping_speed`).
    graph : callable, optional
        Graph that was run by the number of its sample, or by those of several, asked for where it matters; if not given,
        the circuit's.
    """
    if run.each is not None:
        outcomes, details, near = list(run.outcomes), list(run.details), _near_rest(circuit, run, graph)
        for k, outcome in enumerate(run.outcomes):
            if outcome in _ASKED:
                one = _ended_alone(circuit, run.sample(k), resting, graph, near=bool(near[k]))
                outcomes[k], details[k] = one.outcome, one.detail
        each = dataclasses.replace(run.each, outcomes=tuple(outcomes), details=tuple(details))
        return Run.of(each, run.time, run.values, run.record)
    return _ended_alone(circuit, run, resting, graph)


def _ended_alone(
    circuit: Circuit, run: Run, resting: float, graph: Callable[[Any], BlockGraph] | None, *, near: bool = False
) -> Run:
    """The same for one run; `near` says that it is known to be where its equations rest."""
    if circuit.noisy and resting and run.outcome is Outcome.COMPLETED:
        run = dataclasses.replace(run, outcome=_fluctuating(run.time, _resting(circuit, run)))
    met = _rail_met(circuit, run) if run.outcome in _REACHED else ""
    if met:
        return dataclasses.replace(run, outcome=Outcome.MET_RAIL, detail=met)
    if run.outcome is Outcome.SETTLED:
        for kept in circuit.flow.keeps:
            defect = float(kept.defect(run.final[kept.state]))
            if kept.binding and abs(defect) > (_DEFECT if circuit.nominal and circuit.parts is None else _IMPERFECT_DEFECT):
                detail = f"The {kept.name} of {kept.state} is off by {defect:.3g}."
                return dataclasses.replace(run, outcome=Outcome.LEFT_MANIFOLD, detail=detail)
        if not circuit.noisy and not near:
            run = _far_from_rest(circuit, run, resting, graph)
        if run.outcome is Outcome.SETTLED and circuit.nominal:
            run = _moved_later(circuit, run)
    if circuit.noisy or run.creep is not None or run.outcome not in _ASKED or len(run.time) < 2:
        return run
    if run.outcome is Outcome.SETTLED and run.time[-1] < _SHORTEST:
        return run  # nothing would be said of how it goes on
    values = _resting(circuit, run)
    creep = dataclasses.replace(creep_of(run.time, values), size=float(abs(values).max()), resting=resting)
    if run.outcome is Outcome.NOT_SETTLED and not creep.power:
        creep = _foreseen(circuit, run, creep, graph)
    if creep.power and (run.outcome is Outcome.NOT_SETTLED or creep.left > _SEEN * creep.size):
        return dataclasses.replace(run, outcome=Outcome.ALGEBRAIC, creep=creep)
    return dataclasses.replace(run, creep=creep) if run.outcome is Outcome.NOT_SETTLED else run


def _resting(circuit: Circuit, run: Run) -> Array:
    return np.concatenate([run.values[name] for name in circuit.flow.rests], axis=-1)


def _near_rest(circuit: Circuit, run: Run, graph: Callable[[Any], BlockGraph] | None) -> NDArray[np.bool_]:
    """Which of many samples `_far_from_rest` leaves as they are, by the equations of all at once; false where not known."""
    assert run.each is not None
    near = np.zeros(len(run.outcomes), dtype=bool)
    if circuit.noisy or Outcome.SETTLED not in run.outcomes:
        return near
    field = _linearised(circuit, run.each.numbers.tolist(), graph)
    if field is None:
        return ~near
    state = field.pack(run.final)
    with np.errstate(all="ignore"):
        speeds, matrices = field(0.0, state), field.jacobian(state)
    for k, (speed, matrix) in enumerate(zip(speeds, matrices, strict=True)):
        if np.isfinite(speed).all() and np.isfinite(matrix).all():
            way = field.unpack(np.linalg.lstsq(matrix, speed, rcond=_RANK)[0])
            far = max(float(abs(way[name]).max()) for name in circuit.flow.rests)
            paths = run.values if len(run.time) else run.final
            near[k] = far <= _FAR * max(float(abs(paths[name][k]).max()) for name in circuit.flow.rests)
    return near


def _far_from_rest(circuit: Circuit, run: Run, resting: float, graph: Callable[[Any], BlockGraph] | None) -> Run:
    """The run itself, or, where it moved slowly enough to be stopped and yet is far from where it goes, one that says so."""
    flow, field = circuit.flow, _linearised(circuit, run.record.get("sample", 0), graph)
    seen = None if field is None else _tangent(field, field.pack({name: run.final[name] for name in flow.states}))
    if field is None or seen is None:
        return run
    distances = field.unpack(abs(seen.way))
    far = max(float(distances[name].max()) for name in flow.rests)
    size = max(float(abs(run.values[name]).max()) for name in flow.rests)
    if not far > _FAR * size:
        return run
    detail = (
        f"It moves by {seen.speed:.2g} per τ only and is still about {far:.2g} from where it goes: "
        "the flow's rates are small beside 1/τ; write them for a larger unit of time."
    )
    creep = Creep(seen.speed, far, size=size, resting=resting)
    return dataclasses.replace(run, outcome=Outcome.NOT_SETTLED, detail=detail, creep=creep)


def _foreseen(circuit: Circuit, run: Run, creep: Creep, graph: Callable[[Any], BlockGraph] | None) -> Creep:
    """How it creeps, where the path does not show its end but the equations do: they rest where their tangent does."""
    field = None if creep.swings or np.isfinite(creep.left) else _linearised(circuit, run.record.get("sample", 0), graph)
    if field is None:
        return creep
    state = field.pack({name: run.final[name] for name in circuit.flow.states})
    here = _tangent(field, state)
    there = None if here is None else _tangent(field, state + here.way)
    if here is None or there is None or not there.speed < _STRAIGHT * here.speed or not there.rate > 0:
        return creep
    distances = field.unpack(abs(here.way))
    return dataclasses.replace(creep, left=max(float(distances[name].max()) for name in circuit.flow.rests), rate=there.rate)


def _linearised(circuit: Circuit, sample: Any, graph: Callable[[Any], BlockGraph] | None) -> VectorField | None:
    """The equations of a sample, or of several, whose answer is states and whose states are few; None of others."""
    flow = circuit.flow
    if flow.size is not None or not set(flow.rests) <= set(flow.states):
        return None  # a state behind the answer may run on for ever, as the logarithm of what dies out does
    field = VectorField(graph(sample) if graph else circuit.graph)
    strange = circuit.parts or circuit.units.scales or set(field.graph.states) != set(flow.states)
    return None if strange or field.size > _MOST_STATES else field


@dataclasses.dataclass(frozen=True)
class _Tangent:
    """Equations linearised at a state: their largest speed, the way to where they rest, and their slowest rate of return."""

    speed: float
    way: Array
    rate: float


def _tangent(field: VectorField, state: Array) -> _Tangent | None:
    """None where a number is not finite."""
    with np.errstate(all="ignore"):
        speeds, matrix = field(0.0, state), field.jacobian(state)
        if not (np.isfinite(speeds).all() and np.isfinite(matrix).all()):
            return None
        way = -np.asarray(np.linalg.lstsq(matrix, speeds, rcond=_RANK)[0], dtype=np.float64)
        return _Tangent(float(abs(speeds).max()), way, max(0.0, -float(np.linalg.eigvals(matrix).real.max())))


def _moved_later(circuit: Circuit, run: Run) -> Run:
    """The run itself, or, where the states that still move will take the answer along, one that says so.

    An answer such as ẋ = max(t − 50, 0) − x rests at 0 from the start, and is none. The flow's own function is followed on.
    """
    flow = circuit.flow
    if not set(flow.rests) <= set(flow.states) or flow.keeps or flow.gauge or not set(flow.states) <= set(run.values):
        return run
    names = list(flow.states)
    start = {name: np.asarray(run.final[name], dtype=float).reshape(np.shape(flow.states[name])) for name in names}
    cuts = np.cumsum([start[name].size for name in names])

    def joined(values: dict[str, Array]) -> Array:
        return np.concatenate([np.broadcast_to(values[name], start[name].shape).ravel() for name in names])

    def rates(_: float, state: Array) -> Array:
        parts = zip(names, np.split(state, cuts), strict=False)
        return joined(flow.rates(**{name: part.reshape(start[name].shape) for name, part in parts}))

    sizes = joined({name: np.asarray(flow.resting_size(float(abs(run.values[name]).max()))) for name in names})
    watched = joined({name: np.asarray(float(name in flow.rests)) for name in names}) > 0
    limit = max(_FAR, circuit.accuracy if circuit.parts else 0.0) * sizes
    state = joined(start)
    with np.errstate(all="ignore"):
        if not (abs(rates(0.0, state)) > limit)[~watched].any():
            return run
        walk = scipy.integrate.LSODA(
            rates, 0.0, state, _AHEAD, rtol=1e-6, atol=1e-3 * float(limit.min()), max_step=_AHEAD / 100
        )
        for _ in range(_STEPS_AHEAD):
            if walk.status != "running":
                break
            walk.step()
            moved = abs(walk.y - state)
            if not np.isfinite(moved).all() or (moved > limit)[watched].any():
                others = ", ".join(name for name in names if name not in flow.rests)
                detail = (
                    f"The answer rests, but {others}, on which it depends, still moves, and takes it along about "
                    f"{walk.t:.2g} τ later: give an end time beyond that (time = …)."
                )
                return dataclasses.replace(run, outcome=Outcome.NOT_SETTLED, detail=detail)
    return run


def creep_of(time: Array, values: Array) -> Creep:
    """How `values`, shape (k, size), still move at their end, and how far they still have to go as far as that can be seen.

    An approach like t^-p moves 2^p times as far in each octave of time as in the next; an exponential one moves less by a
    factor that is squared from one octave to the next, and by the same factor from one stretch of time to the next.
    """
    end = float(time[-1])
    if swings(time, values):
        span = time >= 0.75 * end
        slopes = np.diff(values[span], axis=0) / np.diff(time[span])[:, None]
        return Creep(float(abs(slopes).max()), float("inf"), swings=True)
    wanted = np.concatenate([np.geomspace(end / 2 ** (_OCTAVES + 1), end, _POINTS // 2), np.linspace(0, end, _POINTS // 2)])
    rows = np.unique([*np.searchsorted(time, wanted).clip(0, len(time) - 1), len(time) - 2, len(time) - 1])
    rows = rows[np.diff(time[rows], prepend=-1.0) > 0]
    with np.errstate(all="ignore"):  # slopes of what all but stands still
        path = scipy.interpolate.PchipInterpolator(time[rows], values[rows])

    def moves(*times: float) -> list[float]:
        return abs(np.diff(path(np.array(times)), axis=0)).max(axis=1).tolist()

    span = max(0.01 * end, float(time[-1] - time[-2]))
    speed = moves(end - span, end)[0] / span
    octaves = moves(*(end / 2**k for k in range(_OCTAVES + 1)))
    if end >= _SHORTEST and all(octave > 0 for octave in octaves):
        powers = np.log2([octaves[1] / octaves[0], octaves[2] / octaves[1]])
        if powers.min() > _SLOWEST_POWER and np.ptp(powers) <= _ALIKE * powers.max():
            return Creep(speed, float(octaves[0] / np.expm1(powers[0] * np.log(2))), power=float(powers[0]))
    faint = Creep(speed, float("inf"))
    for part in 2.0 ** -np.arange(2, 10):
        stretch = part * end
        before, last = moves(end - 2 * stretch, end - stretch, end)
        if before <= 0 or not last < _FAINT * before:
            continue
        ratio = last / before
        found = Creep(speed, last * ratio / (1 - ratio), rate=float(-np.log(ratio) / stretch)) if ratio > 0 else faint
        if _CLEAR[0] < ratio < _CLEAR[1]:
            return found
        faint = found if np.isinf(faint.left) else faint
    return faint


def swings(time: Array, values: Array) -> bool:
    """Whether something turns back twice in the last quarter of a run, and moves as far there as in the quarter before."""
    ends = np.searchsorted(time, [0.5 * time[-1], 0.75 * time[-1]])
    before, last = values[ends[0] : ends[1]], values[ends[1] :]
    if len(before) < 3 or len(last) < 4:
        return False
    turns = (np.diff(np.sign(np.diff(last, axis=0)), axis=0) != 0).sum(axis=0)
    return bool(
        ((turns >= 2) & (np.ptp(last, axis=0) >= _UNDAMPED * np.ptp(before, axis=0)) & (np.ptp(last, axis=0) > 0)).any()
    )


def _fluctuating(time: Array, values: Array) -> Outcome:
    """Whether the mean over the last quarter of the run lies within the fluctuations of the quarter before.

    The mean of an answer that drifts moves on, from each of the last quarters to the next, by most of the range of its
    fluctuations; that of a stationary one, which few correlation times make up, does so once at times, and then comes back.
    """
    quarters = [values[(time >= low * time[-1]) & (time <= (low + 0.25) * time[-1])] for low in (0.25, 0.5, 0.75)]
    if min(map(len, quarters)) < _FEWEST:
        return Outcome.NOT_SETTLED
    means, ranges = ([of(quarter, axis=0) for quarter in quarters] for of in (np.mean, np.ptp))
    moves = np.diff(means, axis=0)
    far = abs(moves) > 0.5 * np.maximum(ranges[1:], ranges[:-1]) + 1e-12
    drifts = far.all(axis=0) & (moves[0] * moves[1] > 0)
    left = abs(moves[1]) > 2 * ranges[1] + 1e-12
    return Outcome.NOT_SETTLED if (drifts | left).any() else Outcome.STATIONARY


def _rail_met(circuit: Circuit, run: Run) -> str:
    """Sentence that names the first signal at a rail and the time; empty where there is none, and for circuits without."""
    graph, parts = circuit.graph, circuit.parts
    if parts is None or not circuit.units.scales or not set(graph.states) <= set(run.values):
        return ""
    states = np.concatenate([*in_graph_units(circuit, {name: run.values[name] for name in graph.states}).values()], axis=-1)
    with np.errstate(all="ignore"):
        values = VectorField(graph).signals(states)
    decided = _decided(circuit)
    first, where, limit = len(run.time), ("", 0), 0.0
    for node, value in values.items():
        block = graph.block(node)
        if isinstance(block, Constant | Wire) or node in decided:
            continue
        swing = min(parts.swing, parts.multiplier.limit) if _plain(block) is Multiplier else parts.swing
        met = np.broadcast_to(abs(value) * circuit.units.machine_unit >= _AT * swing, (len(run.time), block.size))
        at = np.flatnonzero(met.any(axis=1))
        if len(at) and at[0] < first:
            first, where, limit = int(at[0]), (node, int(met[at[0]].argmax())), swing
    if not where[0]:
        return ""
    followed = f"; its range was chosen for {circuit.covered:g} τ" if np.isfinite(circuit.covered) else ""
    return f"{_named(circuit, *where)} met ±{limit:g} V at t = {run.time[first]:.4g} τ{followed}."


def _decided(circuit: Circuit) -> set[str]:
    """Signals that comparators alone read: what is beyond the threshold may stand at a rail."""
    graph, found = circuit.graph, set[str]()
    for node in reversed(graph.order()):
        readers = graph.readers(node)
        if readers and all(reader in found or _plain(graph.block(reader)) is Comparator for reader in readers):
            found.add(node)
    return found - set(graph.states.values())


def _plain(block: Block) -> type[Block]:
    return type(block.block) if isinstance(block, Scaled) else type(block)


def _named(circuit: Circuit, node: str, index: int) -> str:
    """A signal by its name in the flow, or by its node and the line that placed it."""
    graph = circuit.graph
    for name, origin in {**graph.observables, **graph.states}.items():
        if origin == node:
            return f"{name}[{index}]" if graph.block(node).size > 1 else name
    return f"{node} ({comment(str(graph.source(node)), width=60)})"
