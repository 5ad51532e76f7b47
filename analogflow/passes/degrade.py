"""Adds imperfections and noise to a graph as blocks, so that every engine that can run the graph honours them alike."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from analogflow.block_engine import VectorField
from analogflow.blocks import (
    Block,
    Constant,
    Crossbar,
    Exp,
    Gain,
    Imperfections,
    Integrator,
    Log,
    NoiseSource,
    OutputStage,
    Softmax,
    Sum,
    Tanh,
    Wire,
)
from analogflow.blocks.block import Array, frozen
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit import Circuit
from analogflow.errors import BadInput
from analogflow.graph import BlockGraph, GraphBuilder
from analogflow.graph.signal import Signal
from analogflow.noise import PARAMETERS, Noise, standard_normal
from analogflow.passes.pipeline import Brief, Pass, Passed

__all__ = ["DEGRADE", "FASTEST_POLE", "NOISE", "degrade_graph", "graph_under", "pole_label", "require_blocks"]

FASTEST_POLE = 1e8
"""Per τ: a block that is faster moves a rate by less than 1e-8, and has no pole, which would only cost accuracy."""


def degrade_graph(
    graph: BlockGraph,
    imperfections: Imperfections,
    *,
    sigma: float | Mapping[str, float] = 0.0,
    seed: int = 0,
    samples: Sequence[int] | int = 0,
    full_scale: float = 1.0,
    time_constant: float = 1.0,
    only: Collection[str] | None = None,
) -> BlockGraph:
    """Graph whose blocks have `imperfections` and whose integrators have white noise at their inputs.

    Parameters
    ----------
    graph : BlockGraph
    imperfections : Imperfections
    sigma : float or mapping of state to float
        White noise at every integrator's input, flow units per √τ.
    seed : int
        Decides every deviation, together with the sample's number, the block and the element: a block's deviations do not
        depend on which other effects are on.
    samples : sequence of int, or int
        Numbers of the samples; blocks then hold one value for each. One int gives one circuit, without an axis for samples.
    full_scale : float
        Flow units per machine unit.
    time_constant : float
        τ in seconds.
    only : collection of node names, optional
        Blocks that are imperfect; all if not given.
    """
    only = only if imperfections.effects else ()
    work = _Work(graph, imperfections, seed, samples, full_scale, time_constant)
    offsets: dict[str, Array] = {}
    for rank, node in enumerate(graph.order()):
        block = graph.block(node)
        if node in graph.timed or (only is not None and node not in only):
            work.keep(node)
        elif isinstance(block, Integrator):
            offsets[block.label] = work.integrator(rank, node, block)
        else:
            work.degrade(rank, node, block)
    return work.finish(offsets, sigma)


def require_blocks(circuit: Circuit) -> None:
    """Refuse a circuit of parts, which have deviations of their own and no graph that shows them.

    Raises
    ------
    BadInput
        It is one.
    """
    if circuit.parts is not None:
        raise BadInput(
            f"ensembles and budgets are of ideal blocks, and this circuit is of parts ({circuit.technology}): compile it "
            "with the technology 'ideal', or run samples of it one after another, as a study does."
        )


def graph_under(
    circuit: Circuit,
    imperfections: Imperfections,
    noise: Noise,
    samples: Sequence[int] | int,
    only: Collection[str] | None = None,
) -> BlockGraph:
    """Graph of a circuit of ideal blocks under conditions, of one sample or of many at once, as the pass makes it.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it: imperfections are in its machine unit and time constant.
    imperfections, noise
        As for `degrade`.
    samples : sequence of int, or int
        Numbers of the samples; blocks then hold one value for each.
    only : collection of node names, optional
        Blocks that are imperfect; all if not given.

    Raises
    ------
    BadInput
        The circuit is of parts.
    """
    require_blocks(circuit)
    units, by_state = circuit.units, noise.by_state(circuit.graph.states)
    return degrade_graph(
        circuit.graph,
        imperfections,
        sigma={state: sigma * units.input_volts(state) / units.graph_volts for state, sigma in by_state.items()},
        seed=noise.seed,
        samples=samples,
        full_scale=units.machine_unit / units.graph_volts,
        time_constant=units.time_constant,
        only=only,
    )


def _degraded(brief: Brief) -> Passed | None:
    given, circuit = brief.conditions, brief.circuit
    if brief.build.parts is not None or not (given.imperfections.effects or given.noise.sigma):
        return None
    assert circuit is not None  # conditions are for a circuit that is there, whose units they are in
    return Passed(graph_under(circuit, given.imperfections, given.noise, given.sample), str(given))


DEGRADE = Pass("degrade", _degraded, keeps_flow=False, heeds=("noise", "imperfections"))
"""Adds the flaws and the noise of the conditions to a graph of ideal blocks, in the units of the circuit without them."""


def _noisy(brief: Brief) -> Passed | None:
    noise, graph = brief.conditions.noise, brief.source or brief.graph
    if brief.build.parts is None or not noise.sigma:
        return None
    sigma = noise.by_state(graph.states)
    noisy = degrade_graph(graph, Imperfections(), sigma=sigma, seed=noise.seed, samples=brief.conditions.sample)
    note = f"noise {noise.sigma:g} per √τ at the integrators"
    return Passed(noisy, note, found={"scales": {}, "source": None})  # in flow units, where they had changed


NOISE = Pass("noise", _noisy, keeps_flow=False, heeds=("noise",))
"""Adds the noise of the conditions to the graph of a circuit of parts, before passes that choose ranges or change units."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Deviates:
    """Standard normal deviates of one block, each with a leading axis of samples unless there is one sample only."""

    gain: Array
    offset: Array
    coefficients: Array


class _Work:
    """A graph under construction, and where each signal of the ideal graph is found in it."""

    def __init__(
        self,
        graph: BlockGraph,
        flaws: Imperfections,
        seed: int,
        samples: Sequence[int] | int,
        full_scale: float,
        time_constant: float,
    ) -> None:
        self.graph, self.flaws, self.seed, self.samples = graph, flaws, seed, samples
        self.offset = flaws.offset * full_scale
        self.limit = flaws.saturation * full_scale
        # One-sided n per √Hz is two-sided n²/2 per Hz; in a time t, in units of τ, the variance grows by n² t/(2τ).
        self.density = flaws.noise_density * full_scale / math.sqrt(2 * time_constant)
        corner = 2 * math.pi * flaws.bandwidth * time_constant
        self.corner = corner if corner <= FASTEST_POLE else math.inf
        self.nominal = VectorField(graph).signals(graph.initial()) if math.isfinite(self.corner) else {}
        self.builder = GraphBuilder()
        self.delivered: dict[str, str] = {}
        self.poles: dict[str, Signal] = {}
        self.streams = _streams(graph)

    def keep(self, node: str) -> None:
        """Place a block as it is."""
        inputs = () if node in self.graph.states.values() else self._inputs(node)
        if node in self.graph.timed:  # what a generator plays has no reference of the circuit's in it
            inputs = tuple(
                new if origin in self.graph.timed else self.exact(origin)
                for origin, new in zip(self.graph.inputs(node), inputs, strict=False)
            )
        self.delivered[node] = self.builder.adopt(self.graph, node, inputs, self.graph.block(node))

    def exact(self, node: str) -> str:
        """Place a constant, or what is computed of constants, without its deviations."""
        inputs = tuple(self.exact(origin) for origin in self.graph.inputs(node))
        return self.builder.insert(self.graph, node, inputs, self.graph.block(node))

    def integrator(self, rank: int, node: str, block: Integrator) -> Array:
        """Place an integrator whose capacitor, gain, leak and range are real; return the offset at its input."""
        deviates, flaws = self._deviates(rank, block), self.flaws
        leaking = dataclasses.replace(block, leak=frozen(block.leak + 1 / flaws.dc_gain), limit=min(block.limit, self.limit))
        varied, _ = _vary(leaking, deviates.coefficients, flaws)
        assert isinstance(varied, Integrator)
        gain = varied.gain * _factor(flaws.gain_error, deviates.gain) if flaws.gain_error else varied.gain
        real = dataclasses.replace(varied, gain=frozen(gain))
        self.delivered[node] = self.builder.adopt(self.graph, node, (), real)
        return self.offset * deviates.offset

    def degrade(self, rank: int, node: str, block: Block) -> None:
        """Place a block with real coefficients, then its output stage and its pole."""
        deviates, flaws = self._deviates(rank, block), self.flaws
        varied, gains = _vary(block, deviates.coefficients, flaws)
        inputs = tuple(
            origin if gain is None else self._place(node, Gain(size=gain.shape[-1], coefficients=frozen(gain)), origin)
            for origin, gain in zip(self._inputs(node), gains or (None,) * len(self._inputs(node)), strict=True)
        )
        output = self.builder.adopt(self.graph, node, inputs, varied)
        if not isinstance(block, Wire | Constant | NoiseSource):
            warm = flaws.temperature_kelvin / NOMINAL_KELVIN if isinstance(block, Log) else 1.0
            output = self._pole(node, self._stage(node, output, warm, deviates))
        self.delivered[node] = output

    def finish(self, offsets: dict[str, Array], sigma: float | Mapping[str, float]) -> BlockGraph:
        """Close the loops; `offsets` at the inputs of the imperfect integrators, `sigma` at those of all."""
        rates = {}
        for label, node in self.graph.states.items():
            size = self.graph.block(node).size
            if label == self.graph.clock:
                rates[label] = self.builder.signal(self.exact(self.graph.rate(label)))
                continue
            terms = [self.delivered[self.graph.rate(label)]]
            if label in offsets and self.offset:
                terms.append(self._place(node, Constant(size=size, values=frozen(offsets[label]))))
            own = sigma.get(label, 0.0) if isinstance(sigma, Mapping) else sigma
            density = math.hypot(own, self.density if label in offsets else 0.0)
            if density:
                terms.append(self._noise(node, density))
            summed = (
                terms[0] if len(terms) == 1 else self._place(node, Sum(size=size, coefficients=(1.0,) * len(terms)), *terms)
            )
            rates[label] = self.builder.signal(summed)
        observables = {
            name: self.builder.signal(self.delivered[node], self.graph.shapes[name])
            for name, node in self.graph.observables.items()
        }
        return self.builder.finish({**rates, **self.poles}, observables)

    def _inputs(self, node: str) -> tuple[str, ...]:
        return tuple(self.delivered[origin] for origin in self.graph.inputs(node))

    def _place(self, node: str, block: Block, *inputs: str) -> str:
        return self.builder.insert(self.graph, node, inputs, block)

    def _deviates(self, rank: int, block: Block) -> _Deviates:
        size, flaws = block.size, self.flaws
        if not flaws.deviates:
            return _Deviates(*(np.zeros(count) for count in (size, size, _coefficient_count(block))))
        samples = [self.samples] if isinstance(self.samples, int) else self.samples
        drawn = standard_normal(self.seed, samples, PARAMETERS + rank, 2 * size + _coefficient_count(block))
        drawn = drawn[0] if isinstance(self.samples, int) else drawn
        return _Deviates(drawn[..., :size], drawn[..., size : 2 * size], drawn[..., 2 * size :])

    def _stage(self, node: str, output: str, warm: float, deviates: _Deviates) -> str:
        """Node after the output stage; the same node if the stage is ideal."""
        flaws, size = self.flaws, self.graph.block(node).size
        noisy, limited = self.density > 0, math.isfinite(self.limit)
        if not (flaws.gain_error or self.offset or noisy or limited or warm != 1):
            return output
        noise = self._noise(node, self.density) if noisy else self._place(node, Constant(size=1, values=frozen([0.0])))
        gain = warm * (_factor(flaws.gain_error, deviates.gain) if flaws.gain_error else np.ones(size))
        offset = self.offset * deviates.offset if self.offset else np.zeros(size)
        stage = OutputStage(size=size, gain=frozen(gain), offset=frozen(offset), limit=self.limit)
        return self._place(node, stage, output, noise)

    def _noise(self, node: str, density: float) -> str:
        size = self.graph.block(node).size
        source = NoiseSource(size=size, density=frozen(np.full(size, density)), first=self.streams[node])
        return self._place(node, source)

    def _pole(self, node: str, output: str) -> str:
        """Node after a single pole that starts at the ideal block's output; the same node if it is too fast to matter."""
        if not math.isfinite(self.corner):
            return output
        label = pole_label(node)
        size = self.graph.block(node).size
        start = np.broadcast_to(self.nominal[node], (size,))
        state = self.builder.state(label, start, gain=frozen(self.corner), leak=frozen(self.corner), hidden=True)
        self.poles[label] = self.builder.signal(output)
        return state.node


def pole_label(node: str) -> str:
    """Name of the hidden state that limits the bandwidth of the block at `node`."""
    return f"pole of {node}"


def _streams(graph: BlockGraph) -> dict[str, int]:
    """Number of the first noise stream of every block: integrators first, and none depends on what is switched on."""
    sources = (block for node in graph if isinstance(block := graph.block(node), NoiseSource))
    following = max((source.first + source.size for source in sources), default=0)
    streams = {}
    for node in [*graph.states.values(), *(node for node in graph.order() if node not in graph.states.values())]:
        streams[node] = following
        following += graph.block(node).size
    return streams


_LEAST_FACTOR = 1e-3

Varied = tuple[Block, tuple[Array | None, ...]]
"""A block, and the gain that stands before each of its ports (None: a wire)."""


def _factor(sigma: float, deviates: Array) -> Array:
    """1 + σ·deviate, held above 0: no part is worth less than nothing."""
    return np.maximum(1 + sigma * deviates, _LEAST_FACTOR)


def _coefficient_count(block: Block) -> int:
    """Number of coefficients of a block that mismatch, for which deviates are to be drawn."""
    match block:
        case Crossbar():
            return block.rows * block.weight.shape[-2] * block.weight.shape[-1]
        case Sum():
            return len(block.coefficients) * block.size
        case Softmax():
            return block.size + block.rows
        case Gain() | Constant() | Integrator():
            return block.size
    return 0


@functools.singledispatch
def _vary(block: Block, deviates: Array, flaws: Imperfections) -> Varied:
    """Block with rounded and mismatched coefficients at the temperature of its junctions.

    ``deviates`` has shape (..., `_coefficient_count`), standard normal.
    """
    return block, (None,) * len(block.ports)


@_vary.register
def _(block: Crossbar, deviates: Array, flaws: Imperfections) -> Varied:
    weight = _rounded(block.weight, flaws)
    if flaws.mismatch:
        shape = (*deviates.shape[:-1], block.rows, *weight.shape[-2:])
        weight = weight * _factor(flaws.mismatch, deviates).reshape(shape)
    return dataclasses.replace(block, weight=frozen(weight)), (None,)


@_vary.register
def _(block: Gain, deviates: Array, flaws: Imperfections) -> Varied:
    coefficients = _rounded(block.coefficients, flaws)
    return dataclasses.replace(block, coefficients=frozen(_mismatched(coefficients, deviates, flaws))), (None,)


@_vary.register
def _(block: Constant, deviates: Array, flaws: Imperfections) -> Varied:
    values = _mismatched(_rounded(block.values, flaws), deviates, flaws)
    return dataclasses.replace(block, values=frozen(values)), ()


@_vary.register
def _(block: Sum, deviates: Array, flaws: Imperfections) -> Varied:
    coefficients = _rounded(np.array(block.coefficients), flaws).tolist()
    if not flaws.mismatch:
        return dataclasses.replace(block, coefficients=tuple(coefficients)), (None,) * len(coefficients)
    spread = _factor(flaws.mismatch, deviates).reshape(*deviates.shape[:-1], len(coefficients), block.size)
    gains = tuple(coefficient * spread[..., port, :] for port, coefficient in enumerate(coefficients))
    return dataclasses.replace(block, coefficients=(1.0,) * len(coefficients)), gains


@_vary.register
def _(block: Integrator, deviates: Array, flaws: Imperfections) -> Varied:
    """The capacitor deviates: all that charges or discharges it is as much slower."""
    if not flaws.mismatch:
        return block, (None,)
    slower = 1 / _factor(flaws.mismatch, deviates)
    return dataclasses.replace(block, gain=frozen(block.gain * slower), leak=frozen(block.leak * slower)), (None,)


@_vary.register
def _(block: Softmax, deviates: Array, flaws: Imperfections) -> Varied:
    """Junctions of unequal emitter area A shift the bases by ln A, whatever the temperature."""
    cold = NOMINAL_KELVIN / flaws.temperature_kelvin
    offsets = None if block.offsets is None else cold * _rounded(block.offsets, flaws)
    tail = None if block.tail is None else _rounded(block.tail, flaws)
    if flaws.mismatch:
        areas, shares = deviates[..., : block.size], deviates[..., block.size :]
        offsets = (0.0 if offsets is None else offsets) - np.log(_factor(flaws.mismatch, areas))
        tail = (1.0 if tail is None else tail) * _factor(flaws.mismatch, shares)
    varied = dataclasses.replace(
        block, offsets=None if offsets is None else frozen(offsets), tail=None if tail is None else frozen(tail)
    )
    return varied, (None if cold == 1 else np.full(block.size, cold),)


@_vary.register(Exp)
@_vary.register(Tanh)
def _(block: Block, deviates: Array, flaws: Imperfections) -> Varied:
    cold = NOMINAL_KELVIN / flaws.temperature_kelvin
    return block, (None if cold == 1 else np.full(block.size, cold),)


def _rounded(values: Array, flaws: Imperfections) -> Array:
    """Values on the grid of a converter of so many bits and a sign, whose full scale is the largest of them."""
    largest = abs(values[np.isfinite(values)]).max(initial=0.0)  # a branch that is not there has an infinite offset
    if flaws.resolution == math.inf or not largest:
        return values
    steps = 2.0**flaws.resolution - 1
    return np.round(values / largest * steps) / steps * largest


def _mismatched(values: Array, deviates: Array, flaws: Imperfections) -> Array:
    return values * _factor(flaws.mismatch, deviates) if flaws.mismatch else values
