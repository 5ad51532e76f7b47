"""How far every signal of a graph goes: intervals from the manifolds its states live on, tightened by an ensemble."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import Drive, ErrorLimits, March, VectorField, march, method_for
from analogflow.blocks import (
    Arctan,
    Block,
    Clock,
    Comparator,
    Constant,
    Crossbar,
    Divider,
    Exp,
    Gain,
    Integrator,
    Log,
    MatrixProduct,
    Multiplier,
    Normaliser,
    PositivePart,
    Sine,
    Softmax,
    SquareRoot,
    Sum,
    Tanh,
    Wire,
)
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.noise import Noise
from analogflow.passes.limits import farthest
from analogflow.run import longest_run

__all__ = ["MARGIN", "Reach", "ensemble_starts", "intervals", "reach"]

Array = NDArray[np.float64]
Interval = tuple[Array, Array]

MARGIN = 1.2
"""What the largest value of the ensemble is multiplied by, since other starts go further."""

_STARTS, _POINTS = 96, 160
_PATH_POINTS = 4000
"""Points of the flow's own path, on which its peaks and its fastest rate are looked for."""

_RESTING = 1e-6
"""Flow units per τ below which a start of the ensemble has come to rest; how far it goes is not decided there."""

_MOST_ENTRIES = 4_000_000
"""Entries of all Jacobians that the fastest rate is looked for in."""

_MOST_SIGNALS = 2**24
"""Numbers that one evaluation of the graph may hold: 128 MB."""

_OFF = 1e-3
"""Defect of a manifold beyond which a start of the ensemble has left it."""

_CLAMP = 1.1
"""Part of its range at which the state of a softmax is clamped: beyond what it needs, within what it has."""

_LARGEST_LOGARITHM = 12.0
"""Nats beyond which the state of a softmax no longer matters: its share is 6e-6 and below."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reach:
    """How far and how fast the signals of a graph go in a whole run.

    Parameters
    ----------
    largest : mapping of node to float
        Largest magnitude, flow units.
    clamped : mapping of node to float
        Limits of the states that are to be clamped there.
    fastest : float
        Largest magnitude of an eigenvalue of the Jacobian on the flow's own path, per τ, or 1.
    covered : float
        Time in τ that this holds for; infinite where every start came to rest, and where noise decides.
    exponents : mapping of node to float
        Largest exponent of every softmax on the flow's own path, nats above the middle of its offsets.
    growing : tuple of str
        States whose magnitude is largest where the time covered ends.
    """

    largest: Mapping[str, float]
    clamped: Mapping[str, float]
    fastest: float
    covered: float
    exponents: Mapping[str, float]
    growing: tuple[str, ...] = ()


def reach(graph: BlockGraph, flow: Flow) -> Reach:
    """Largest magnitude of every node in flow units, and what else a run of `flow` asks of its circuit.

    Parameters
    ----------
    graph : BlockGraph
    flow : Flow
        Whose manifolds, end and averaging say where the states go.

    Raises
    ------
    BadInput
        The flow's own path runs away before the run's end, so that there is no range that holds it.

    Notes
    -----
    The state of a softmax may run to −∞, as an input that dies out does; it is clamped where its share no longer matters.
    """
    field = VectorField(graph)
    noisy = bool(len(field.streams))
    end = flow.end_time or longest_run(flow, parts=True)
    own, settled = _own_path(field, flow, end)
    starts = ensemble_starts(field, flow)
    drive, until = None, end
    if noisy:
        until = flow.end_time or min(flow.averaging.end if flow.averaging else np.inf, longest_run(flow, noisy=True))
        drive = Drive(field, Noise(1.0, 1, flow.noise_step), range(len(starts)), until)
    times = until * np.linspace(0.0, 1.0, _POINTS) ** 3  # most of them early, where the fast modes are
    with np.errstate(all="ignore"):
        walked = march(
            field,
            starts,
            times,
            until,
            method_for(field, starts, np.inf if drive is None else drive.step),
            drive=drive,
            rests=_rests(graph, flow),
            tolerances=ErrorLimits(
                1e-5, 1e-8, 0.0 if noisy or flow.end_time else _RESTING, _size(flow), farthest(flow), sharpens=False
            ),
        )
    states = np.concatenate([own, _kept(field, flow, walked)])
    clamped = {}
    for label in graph.states:
        node = graph.states[label]
        largest = float(abs(field.unpack(states)[label]).max())
        if _drives_softmax(graph, node):
            clamped[node] = min(_CLAMP * MARGIN * largest, _LARGEST_LOGARITHM)
    states = np.concatenate(
        [
            np.clip(part, -clamped.get(graph.states[label], np.inf), clamped.get(graph.states[label], np.inf))
            for label, part in field.unpack(states).items()
        ],
        axis=-1,
    )
    noise = None
    if drive is not None:
        # Four standard deviations of the knots, of either sign.
        normal = np.clip(np.random.default_rng(0).standard_normal((len(states), len(field.streams))) * 2, -4, 4)
        noise = normal * field.density / math.sqrt(drive.step)
    largest_seen, exponents = _largest_signals(field, states, noise, len(own))
    bounds = intervals(graph, flow)
    found = {}
    for node in graph:
        seen = largest_seen[node] * (1.0 if isinstance(graph.block(node), Constant) else MARGIN)
        low, high = bounds.get(node, (np.array(-np.inf), np.array(np.inf)))
        found[node] = min(seen, float(np.maximum(abs(low), abs(high)).max()))
    for node, size in _decided(graph).items():
        found[node] = max(found[node], size)
    covered = np.inf if noisy or settled else end
    growing = (
        ()
        if np.isinf(covered)
        else tuple(
            name for name, x in field.unpack(own).items() if graph.states[name] not in {*clamped, *graph.timed} and _grows(x)
        )
    )
    return Reach(found, clamped, _fastest(field, own), covered, exponents, growing)


def _kept(field: VectorField, flow: Flow, walked: March) -> Array:
    """States, shape (points, size), of an ensemble: of starts that came to their end, or as long as they stay on manifolds.

    Where a manifold repels, rounding decides when a start leaves it, and how far one goes then tells nothing of the circuit.
    """
    binding = [kept for kept in flow.keeps if kept.binding and kept.state in field.slices]
    states = walked.states[~(walked.stuck if binding else walked.failed | walked.stuck)].reshape(-1, field.size).copy()
    for kept in binding:
        part = field.slices[kept.state]
        with np.errstate(all="ignore"):
            states = states[abs(kept.defect(states[:, part])) <= _OFF]
        states[:, part] = kept.project(states[:, part])
    return states


def _decided(graph: BlockGraph) -> dict[str, float]:
    """How far comparators take themselves and the sums they enter once they decide, which the ensemble may not come to.

    A circuit decides for good, and with its own errors, where the flow's comparator is still between its two values.
    """
    found: dict[str, float] = {}
    for node in graph.order():
        block, given = graph.block(node), [found.get(origin, 0.0) for origin in graph.inputs(node)]
        size = 0.0
        match block:
            case Comparator():
                size = 1.0
            case Wire():
                size = given[0]
            case Sum():
                size = sum(abs(c) * of for c, of in zip(block.coefficients, given, strict=True))
            case Gain():
                size = float(abs(block.coefficients).max()) * given[0]
            case Crossbar():
                size = float(abs(block.weight).sum(axis=-1).max()) * given[0]
        if size:
            found[node] = size
    return found


def _largest_signals(
    field: VectorField, states: Array, noise: Array | None, own: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Largest magnitude of every node at `states`, and the largest exponents on the flow's `own` path, which comes first.

    As many states at once as fit into what one evaluation may take: of a plan of 64 by 64 all would be two gigabytes.
    """
    largest: dict[str, float] = {}
    exponents: dict[str, float] = {}
    rows = max(1, _MOST_SIGNALS // field.width)
    for first in range(0, len(states), rows):
        part = slice(first, first + rows)
        values = field.signals(states[part], None if noise is None else noise[part])
        found = {node: float(abs(values[node]).max()) for node in field.graph}
        largest = {node: float(np.maximum(value, largest.get(node, 0.0))) for node, value in found.items()}
        if first < own:
            found = _exponents(field.graph, values, own - first)
            exponents = {node: float(np.maximum(value, exponents.get(node, -np.inf))) for node, value in found.items()}
    return largest, exponents


def _exponents(graph: BlockGraph, values: Mapping[str, Array], count: int) -> dict[str, float]:
    found = {}
    for node in graph:
        block = graph.block(node)
        if isinstance(block, Softmax):
            given = values[graph.inputs(node)[0]]
            given = given[:count] if given.ndim > 1 else given[None]
            offsets = block.centred
            found[node] = float((given.reshape(-1, *offsets.shape) - offsets).max())
    return found


def _own_path(field: VectorField, flow: Flow, end: float) -> tuple[Array, bool]:
    """States on the noiseless path from the flow's own start to the run's end, and whether it came to rest before."""
    own = field.graph.initial()[None]
    spread = np.linspace(0.0, 1.0, _PATH_POINTS)
    times = np.union1d(end * spread, end * spread[:: _PATH_POINTS // _POINTS] ** 3)
    with np.errstate(all="ignore"):
        walked = march(
            field, own, times, end, method_for(field, own, np.inf), rests=_rests(field.graph, flow),
            tolerances=ErrorLimits(
                1e-6, 1e-9, 0.0 if flow.end_time else _RESTING, _size(flow), farthest(flow), sharpens=False
            ),
        )  # fmt: skip
    if walked.failed[0]:
        raise BadInput(
            f"the flow runs away at t = {walked.end[0]:.4g} τ, so no range of a circuit holds its signals for {end:g} τ; "
            "end it earlier, take another form, or the technology 'ideal'."
        )
    return walked.states[0, times <= walked.end[0]], bool(walked.settled[0])


def _rests(graph: BlockGraph, flow: Flow) -> list[str]:
    """What has to settle in the graph: the flow's states where it does not compute what the flow names."""
    return [name for name in flow.rests if name in graph.states or name in graph.observables] or list(flow.states)


def _fastest(field: VectorField, path: Array) -> float:
    """Largest magnitude of an eigenvalue of the Jacobian along `path`, or of what an input moves over its size, or 1."""
    fewer = path[:: max(1, len(path) * field.size**2 // _MOST_ENTRIES)]
    with np.errstate(all="ignore"):
        jacobians = field.jacobian(fewer)
    finite = jacobians[np.isfinite(jacobians).all(axis=(1, 2))]
    fastest = max(1.0, float(abs(np.linalg.eigvals(finite)).max())) if len(finite) else 1.0
    values, graph = field.signals(fewer), field.graph
    for node, tangent in field.clock_tangents(values).items():
        if isinstance(graph.block(node), Clock) or all(reader in graph.timed for reader in graph.readers(node)):
            continue
        # Of a sine the mean of both is the angular frequency; a jump counts for no more than it moves in all.
        speed, size = (float(np.mean(abs(of))) for of in (tangent, values[node]))
        fastest = max(fastest, speed / size) if size > 0 else fastest
    return fastest


def _grows(path: Array) -> bool:
    """Whether the magnitude of a state is largest in the last hundredth of its path, and clearly above that before."""
    size = abs(path).max(axis=-1)
    before = float(size[: max(1, int(0.9 * len(size)))].max())
    return float(size[-max(1, len(size) // 100) :].max()) > 1.05 * before


def _size(flow: Flow) -> float:
    """Size by which a speed counts as rest: what starts small and grows is not at rest where it starts."""
    return min(1.0, flow.state_scale)


def ensemble_starts(graph: BlockGraph | VectorField, flow: Flow, seed: int = 20) -> Array:
    """Starts of the nominal ensemble, shape (96, size): the flow's own, and random ones on its manifolds."""
    field, rng = VectorField.of(graph), np.random.default_rng(seed)
    graph = field.graph
    own = graph.initial()
    spread = 0.5 * abs(own) + 0.2 * max(1.0, float(abs(own).max()))
    # Half of them at corners of the box, half inside.
    corners = np.sign(rng.uniform(-1, 1, (_STARTS // 2, own.size)))
    starts = own + spread * np.concatenate([corners, rng.uniform(-1, 1, (_STARTS - len(corners), own.size))])
    starts[0] = own
    if flow.end_time is not None:
        starts[1:] = own + 0.1 * (starts[1:] - own)  # where a path ends, another start is another problem
    for row in starts[1:]:
        states = field.unpack(row)
        for kept in flow.keeps:
            states[kept.state] = kept.onto(states[kept.state])
        for label, node in graph.states.items():
            hidden = graph.integrator(node).hidden or own.size == 1 or label == graph.clock
            positive = (field.unpack(own)[label] > 0).all() and not any(kept.state == label for kept in flow.keeps)
            states[label] = field.unpack(own)[label] if hidden or positive else states[label]
        row[:] = field.pack(states)
    return starts


def _drives_softmax(graph: BlockGraph, node: str) -> bool:
    following = {node}
    for other in graph.order():
        if isinstance(graph.block(other), Wire) and following & set(graph.inputs(other)):
            following.add(other)
    return any(isinstance(graph.block(other), Softmax) for name in following for other in graph.readers(name))


def intervals(graph: BlockGraph, flow: Flow) -> dict[str, Interval]:
    """Lower and upper bound of every node whose inputs have bounds; states have those of the simplex and the sphere."""
    known: dict[str, Interval] = {}
    for kept in flow.keeps:
        node = graph.states.get(kept.state)
        if node is not None and kept.bounds is not None:
            # A twentieth beyond the manifold: what restores it needs room to act.
            low, high = (np.full(graph.block(node).size, 1.05 * bound) for bound in kept.bounds)
            known[node] = (low, high)
    for node in graph.order():
        block, inputs = graph.block(node), graph.inputs(node)
        if isinstance(block, Integrator):
            continue
        given = [known.get(origin) for origin in inputs]
        found = _interval(block, given)
        if found is not None:
            known[node] = (np.broadcast_to(found[0], (block.size,)), np.broadcast_to(found[1], (block.size,)))
    return known


@functools.singledispatch
def _interval(block: Block, given: Sequence[Interval | None]) -> Interval | None:
    return None


@_interval.register
def _(block: Constant, given: Sequence[Interval | None]) -> Interval | None:
    return block.values, block.values


@_interval.register
def _(block: Softmax, given: Sequence[Interval | None]) -> Interval | None:
    tail = np.ones(block.rows) if block.tail is None else block.tail
    return np.zeros(block.size), np.repeat(tail, block.size // block.rows)


@_interval.register
def _(block: Normaliser, given: Sequence[Interval | None]) -> Interval | None:
    return np.zeros(block.size), np.ones(block.size)


@_interval.register(Tanh)
@_interval.register(Sine)
def _(block: Block, given: Sequence[Interval | None]) -> Interval | None:
    return np.full(block.size, -1.0), np.ones(block.size)


@_interval.register
def _(block: Arctan, given: Sequence[Interval | None]) -> Interval | None:
    return np.full(block.size, -np.pi / 2), np.full(block.size, np.pi / 2)


@_interval.register
def _(block: Wire, given: Sequence[Interval | None]) -> Interval | None:
    order = list(block.indices)
    return None if given[0] is None else (given[0][0][order], given[0][1][order])


@_interval.register(Exp)
@_interval.register(Log)
@_interval.register(SquareRoot)
@_interval.register(PositivePart)
def _(block: Block, given: Sequence[Interval | None]) -> Interval | None:
    return None if given[0] is None else (block.relation(given[0][0]), block.relation(given[0][1]))


@_interval.register
def _(block: Gain, given: Sequence[Interval | None]) -> Interval | None:
    return None if given[0] is None else _ordered(block.coefficients * given[0][0], block.coefficients * given[0][1])


@_interval.register
def _(block: Sum, given: Sequence[Interval | None]) -> Interval | None:
    low, high = np.zeros(block.size), np.zeros(block.size)
    for coefficient, bounds in zip(block.coefficients, given, strict=True):
        if bounds is None:
            return None
        least, most = _ordered(coefficient * bounds[0], coefficient * bounds[1])
        low, high = low + least, high + most
    return low, high


@_interval.register
def _(block: Crossbar, given: Sequence[Interval | None]) -> Interval | None:
    if given[0] is None:
        return None
    centre, radius = (given[0][0] + given[0][1]) / 2, (given[0][1] - given[0][0]) / 2
    middle = block.relation(centre)
    reach = Crossbar(size=block.size, weight=abs(block.weight), rows=block.rows).relation(radius)
    return middle - reach, middle + reach


@_interval.register
def _(block: Multiplier, given: Sequence[Interval | None]) -> Interval | None:
    if given[0] is None or given[1] is None:
        return None
    products = np.stack([np.broadcast_to(a * b, (block.size,)) for a in given[0] for b in given[1]])
    return products.min(axis=0), products.max(axis=0)


@_interval.register
def _(block: MatrixProduct, given: Sequence[Interval | None]) -> Interval | None:
    if given[0] is None or given[1] is None:
        return None
    largest = [np.maximum(abs(low), abs(high)) for low, high in (given[0], given[1])]
    reach = block.relation(*largest)
    return -reach, reach


@_interval.register
def _(block: Divider, given: Sequence[Interval | None]) -> Interval | None:
    if given[0] is None or given[1] is None or (given[1][0] <= 0).any():
        return None
    quotients = np.stack([np.broadcast_to(a / b, (block.size,)) for a in given[0] for b in given[1]])
    return quotients.min(axis=0), quotients.max(axis=0)


def _ordered(a: Array, b: Array) -> Interval:
    return np.minimum(a, b), np.maximum(a, b)
