"""A compiled circuit: its elements, how its signals are read, its scale, and how it came to be."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Imperfections, NoiseSource
from analogflow.blocks.block import frozen
from analogflow.circuit.build import Build, Conditions, PartSet, Units
from analogflow.circuit.elements import Element, Macro, Model, NoiseVoltage
from analogflow.circuit.loads import Levels
from analogflow.circuit.made import Made
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.noise import Noise
from analogflow.notebook import shown
from analogflow.run import IDEAL_ACCURACY

__all__ = ["Circuit", "Group", "JointRows", "NodeVoltages", "PassRecord", "Reading", "Realisation", "direct"]


_TRAPEZOIDS, _MOST_STEPS, _MOST_VALUES = 6e-7, 1_500_000, 8_000_000
"""Error of a path by trapezoids, over full scale, that steps are short enough for; most steps, and values, worth it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reading:
    """y = G x + c from the raw vectors x; with `shares`, x is divided by its sum first.

    Parameters
    ----------
    vectors : tuple of str, length k
        Node names, or ``i(name)`` for the current through a voltage source, in volts and amperes.
    gain : array, shape (k,) or (size, k)
        Flow units per volt or ampere; one-dimensional where each element is read from a vector of its own.
    offset : array, shape (size,) or ()
        Flow units.
    shares : float
        If positive, the values are shares of their sum, which is about this many amperes (or volts).
    """

    vectors: tuple[str, ...]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64] = dataclasses.field(default_factory=lambda: frozen(0.0))
    shares: float = 0.0

    def apply(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signal in flow units, shape (..., size), from raw values, shape (..., k)."""
        if self.shares:
            raw = raw / raw.sum(axis=-1, keepdims=True)
        scaled = raw * self.gain if self.gain.ndim == 1 else raw @ self.gain.T
        return scaled + self.offset

    @property
    def resolution(self) -> float:
        """Volts or amperes that one flow unit is worth at least."""
        return (self.shares or 1.0) / float(abs(self.gain).max())

    @property
    def size(self) -> int:
        """Number of scalar signals."""
        return self.gain.shape[0]


def direct(nodes: tuple[str, ...], volts_per_unit: float | NDArray[np.float64] = 1.0) -> Reading:
    """Reading of one node voltage for each element."""
    return Reading(nodes, frozen(np.broadcast_to(1 / np.asarray(volts_per_unit, dtype=float), (len(nodes),))))


@dataclasses.dataclass(frozen=True, eq=False)
class PassRecord:
    """What one pass of the compiler did: its name, a sentence or what returns it, and the number of blocks after it."""

    name: str
    said: str | Callable[[], str]
    blocks: int

    @property
    def note(self) -> str:
        """The sentence."""
        return self.said if isinstance(self.said, str) else self.said()

    def __str__(self) -> str:
        return f"{self.name:<10} {self.blocks:>4} blocks   {self.note}"


class NodeVoltages(Mapping[str, float]):
    """Volts by circuit node, ``BLOCK_k`` for element k of a block, whose array alone is held.

    Parameters
    ----------
    signals : mapping of block to array, shape (size,)
    """

    def __init__(self, signals: Mapping[str, NDArray[np.float64]]) -> None:
        self.signals = signals

    def __getitem__(self, node: str) -> float:
        block, _, k = node.rpartition("_")
        if block not in self.signals or not k.isdecimal() or int(k) >= len(self.signals[block]):
            raise KeyError(node)
        return float(self.signals[block][int(k)])

    def __iter__(self) -> Iterator[str]:
        return (f"{block}_{k}" for block, values in self.signals.items() for k in range(len(values)))

    def __len__(self) -> int:
        return sum(len(values) for values in self.signals.values())

    def items(self) -> ItemsView[str, float]:
        """Nodes with their volts, none of which is looked up by its name."""
        return _NodesWithVolts(self)


class _NodesWithVolts(ItemsView[str, float]):
    _mapping: NodeVoltages

    def __iter__(self) -> Iterator[tuple[str, float]]:
        for block, values in self._mapping.signals.items():
            yield from ((f"{block}_{k}", volts) for k, volts in enumerate(values.tolist()))


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Elements that realise one block, under the line of the user's equations that placed it."""

    block: str
    source: str
    elements: Sequence[Element]

    def pieces(self) -> Iterator[Element | Made[Element]]:
        """The elements, those of a row together."""
        return self.elements.pieces() if isinstance(self.elements, Made) else iter(self.elements)


@dataclasses.dataclass(frozen=True, eq=False)
class JointRows:
    """Rows of resistors into virtual grounds, whose errors may cancel at the answer and so are chosen together.

    Parameters
    ----------
    what : str
        What they are, in words.
    answer : str
        State or observable that is settled at where they should cancel.
    legs : tuple of tuple of str
        Names of the resistors of each row; those of weight 0 are not there.
    sinks : tuple of str
        Names of resistors that set currents: one that all others are relative to, then those of the last legs of a row.
    weigh : callable
        ``weigh(settled)``: the ``weights`` of all legs, the ``voltages`` that drive them, and the ``sensitivity`` of the
        answer to what biases each row, where it is settled. Raises `BadInput` where several answers are as good.
    arrays : tuple of tuple of str
        Names of the transistors that split the current of each row to the first legs, where any do.
    shares : array, shape (rows, first legs), optional
        Of the current of each row that they should take.
    """

    what: str
    answer: str
    legs: tuple[tuple[str, ...], ...]
    sinks: tuple[str, ...]
    weigh: Callable[[NDArray[np.float64]], Any]
    arrays: tuple[tuple[str, ...], ...] = ()
    shares: NDArray[np.float64] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Realisation:
    """What a technology made of a brief: the fields of `Circuit` of the same names.

    ``start`` holds the voltages of algebraic nodes at t = 0, from which a simulator finds the first point: without them it
    starts all of them at zero, where a divider or a logarithm may have no slope. ``note`` says in a sentence what was built.
    """

    groups: tuple[Group, ...]
    readings: Mapping[str, Reading]
    start: Mapping[str, float]
    units: Units
    graph: BlockGraph
    models: tuple[Model, ...] = ()
    macros: tuple[Macro, ...] = ()
    release: float = 0.0
    derived_from: BlockGraph | None = None
    step: float | None = None
    options: str | None = None
    accuracy: float = IDEAL_ACCURACY
    covered: float = np.inf
    joint_rows: JointRows | None = None
    levels: Levels | None = None
    note: str = ""

    def fields(self) -> dict[str, Any]:
        """Fields that a circuit takes over, by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "note"}


@dataclasses.dataclass(frozen=True, eq=False)
class Circuit:
    """Circuit of a flow.

    Parameters
    ----------
    flow : Flow
    graph : BlockGraph
        The graph after all passes; the block engine evaluates it.
    build : Build
        How it was built.
    groups : tuple of Group
        In the order the netlist lists them.
    readings : mapping of name to Reading
        How every state and observable is read off the circuit.
    start : mapping of node name to volts
        Voltages of algebraic nodes at t = 0.
    units : Units
        What the flow's quantities are in it.
    history : tuple of PassRecord
        What each pass changed, and why.
    conditions : Conditions
        What is wrong with it, and which sample of its kind it is.
    models : tuple of Model
        Device models that transistors, diodes and switches name.
    macros : tuple of Macro
        Macro-models that instances name.
    release : float
        Seconds from the start of a simulation during which switches hold the integrators at their initial conditions; t = 0
        of the flow is when they open.
    derived_from : BlockGraph, optional
        The graph in flow units with all observables: those that the circuit does not build are computed by it from the
        signals that are read.
    step : float, optional
        Largest step in τ that a simulation of these parts may take; the simulator decides if not given.
    options : str, optional
        Simulator options that these parts need; the netlister's own if not given.
    accuracy : float
        Error that these parts are made for, in the units of the flow: what checks let pass by default.
    covered : float
        Time in τ for which its signals were followed when their ranges were chosen.
    joint_rows : JointRows, optional
        Resistors that are best chosen together.
    levels : Levels, optional
        How far its nodes go, where it is built of parts.
    orbit : array, shape (points, size), optional
        States in flow units along the flow's exact orbit, on which the passes were compared.
    bend : float
        Mean size of the third derivative of a state on the way to the flow's end, over the state's full scale, per τ³: what
        trapezoids err by. 0 where nobody asked.
    """

    flow: Flow
    graph: BlockGraph
    build: Build
    groups: tuple[Group, ...]
    readings: Mapping[str, Reading]
    start: Mapping[str, float]
    units: Units = dataclasses.field(default_factory=Units)
    history: tuple[PassRecord, ...] = ()
    conditions: Conditions = dataclasses.field(default_factory=Conditions)
    models: tuple[Model, ...] = ()
    macros: tuple[Macro, ...] = ()
    release: float = 0.0
    derived_from: BlockGraph | None = None
    step: float | None = None
    options: str | None = None
    accuracy: float = IDEAL_ACCURACY
    covered: float = np.inf
    joint_rows: JointRows | None = None
    levels: Levels | None = None
    orbit: NDArray[np.float64] | None = None
    bend: float = 0.0

    def bent_step(self, end: float) -> float:
        """Step, in τ, with which trapezoids follow the path to `end`; infinite where it bends nowhere, or asks for too many.

        One of length h errs by h²/12 of the third derivative, per τ.
        """
        if not self.bend:
            return np.inf
        step = math.sqrt(12 * _TRAPEZOIDS / (self.bend * end))
        digit = math.floor(math.log10(step)) - 1
        worth = min(_MOST_STEPS, _MOST_VALUES / self.graph.size)
        # Of two digits, so that it is the same on every machine.
        return float(f"{math.floor(step / 10.0**digit)}e{digit}") if end / worth <= step else np.inf

    @property
    def technology(self) -> str:
        """Name of the technology it is built in."""
        return self.build.technology

    @property
    def parts(self) -> PartSet | None:
        """What it is built from; None where it is built from ideal elements."""
        return self.build.parts

    @property
    def temperature_kelvin(self) -> float:
        """Of all parts."""
        return self.build.temperature_kelvin

    @property
    def imperfections(self) -> Imperfections:
        """What is wrong with the blocks."""
        return self.conditions.imperfections

    @property
    def noise(self) -> Noise:
        """White noise at the integrators' inputs; its seed also decides the deviations of the blocks."""
        return self.conditions.noise

    @property
    def sample(self) -> int:
        """Which of the circuits that the seed and the imperfections make possible this is."""
        return self.conditions.sample

    @property
    def signals(self) -> dict[str, tuple[str, ...]]:
        """Raw vectors, node voltages or currents through sources, that every state and observable is read from."""
        return {name: reading.vectors for name, reading in self.readings.items()}

    @property
    def nominal(self) -> bool:
        """Whether the circuit has neither noise nor deviations, whatever it is built from."""
        return not self.deviates and not self.noise.plays

    @property
    def deviates(self) -> bool:
        """Whether its blocks have imperfections or its parts deviations of their own."""
        return bool(self.imperfections.effects) or self.conditions.lot is not None

    @property
    def as_its_equations(self) -> bool:
        """Whether its equations say what it does, whatever it is built of: nothing deviates, and noise is no deviation."""
        return not self.deviates

    @property
    def follows_path(self) -> bool:
        """Whether what it computes depends on its path, which adds up errors, and not only on where it rests."""
        return self.flow.end_time is not None or self.graph.lifted

    @functools.cached_property
    def noisy(self) -> bool:
        """Whether any source plays noise: at the integrators, at outputs, in parts, or as a part of the flow."""
        return self.noise.parts or any(isinstance(self.graph.block(node), NoiseSource) for node in self.graph)

    @property
    def elements(self) -> Sequence[Element]:
        """All elements in order; those of ideal blocks are made as they are read."""
        return Made(lambda: (piece for group in self.groups for piece in group.pieces()))

    def noises(self) -> list[NoiseVoltage]:
        """Sources of noise in the order of the elements."""
        return [element for element in self.elements if isinstance(element, NoiseVoltage)] if self.noisy else []

    @property
    def ammeters(self) -> frozenset[str]:
        """Names of the voltage sources whose current is read: they measure, and are no parts."""
        vectors = [vector for reading in self.readings.values() for vector in reading.vectors]
        return frozenset(vector[3:-1] for vector in vectors if vector.startswith("i(v"))

    def variable(self, node: str) -> str | None:
        """Model variable that a node stands for, such as ``z[2]``; None if it is internal to a block."""
        for name, nodes in self.signals.items():
            if node in nodes:
                return f"{name}[{nodes.index(node)}]" if len(nodes) > 1 else name
        return None

    def counts(self) -> dict[str, int]:
        """Number of elements of each kind, by letter."""
        counts = Counter(element.letter for element in self.elements)
        return {letter: counts[letter] for letter in sorted(counts)}

    def __repr__(self) -> str:
        parts = ", ".join(f"{count} {letter}" for letter, count in self.counts().items())
        return f"Circuit({self.flow.family} {self.flow.form}, technology {self.technology}: {parts})"

    _repr_svg_ = shown("svg")
