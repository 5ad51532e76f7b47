"""One pipeline from a flow to a circuit under conditions: what passes hand on, and the runner that checks and records them.

A technology names its passes, in the order in which they run, in its record.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.circuit import Build, Circuit, Conditions, PassRecord
from analogflow.circuit.build import PartSet
from analogflow.circuit.circuit import Realisation
from analogflow.errors import AnalogflowError
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.passes.soundness import check, nominal_orbit

__all__ = ["CHECK", "REALISE", "TRACE", "Brief", "Pass", "Passed", "run_passes"]

Array = NDArray[np.float64]

_EMPTY = BlockGraph({}, {}, (), {}, {}, {})

_EQUIVALENCE = 1e-9
"""Largest change of a rate, relative to the largest rate or 1, that counts as rounding."""

_MOST_SIGNALS = 2**22
"""Numbers that one evaluation of a graph may hold: 32 MB."""


@dataclasses.dataclass(frozen=True, eq=False)
class Brief:
    """What is to be built: it goes from pass to pass.

    Parameters
    ----------
    flow : Flow
    build : Build
    graph : BlockGraph
        As the passes so far made it: in machine units where there are scales, else in flow units. Empty before the first.
    conditions : Conditions
        Under which it is built.
    known_orbit : array, shape (points, size), optional
        States in flow units along the flow's exact orbit, where an earlier graph was followed.
    scales : mapping of name to array
        The way back: machine units per flow unit of every state and observable.
    source : BlockGraph, optional
        The graph in flow units with all observables, where the one to be built is scaled.
    used : mapping of node to float
        Machine units that each node of a scaled graph reaches.
    fastest : float
        Largest rate on the path of a scaled graph, per τ.
    drift : float
        Part of an amplitude that a delay of 1 τ in every loop adds in a run (`analogflow.passes.drift`).
    covered : float
        Time in τ that the ranges of a scaled graph hold for.
    exponents : mapping of node to float
        Largest exponent of every softmax of a scaled graph, nats above the middle of its offsets.
    realise : callable, optional
        How its technology makes a circuit of the graph.
    circuit : Circuit, optional
        The circuit, once it is there. A run that is given one leaves out the passes that made it, up to where conditions
        change its graph.
    """

    flow: Flow
    build: Build
    graph: BlockGraph = _EMPTY
    conditions: Conditions = dataclasses.field(default_factory=Conditions)
    known_orbit: Array | None = None
    scales: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    source: BlockGraph | None = None
    used: Mapping[str, float] = dataclasses.field(default_factory=dict)
    fastest: float = 1.0
    drift: float = 0.0
    covered: float = np.inf
    exponents: Mapping[str, float] = dataclasses.field(default_factory=dict)
    realise: Callable[[Brief], Realisation] | None = None
    circuit: Circuit | None = None

    @functools.cached_property
    def field(self) -> VectorField:
        """The graph as a vector field."""
        return VectorField(self.graph)

    @functools.cached_property
    def orbit(self) -> Array:
        """States in flow units along the exact orbit, shape (points, size), on which passes are compared: one for all."""
        if self.known_orbit is not None and self.known_orbit.shape[-1] == self.field.size:
            return self.known_orbit  # a graph that has become states of more functions has an orbit of its own
        return nominal_orbit(self.field, self.flow.keeps, self.flow.end_time)

    @property
    def parts(self) -> PartSet:
        """Parts of a technology that has any."""
        assert self.build.parts is not None  # `compile` gives them to every technology that has any
        return self.build.parts

    def input_units(self, volts: float) -> dict[str, float]:
        """Volts per flow unit of a rate at each state's integrators in a scaled graph, of `volts` for a machine unit.

        An integrator's gain is the ratio of its own scale to that of its input.
        """
        source = self.source or self.graph
        return {
            label: volts
            * float(self.scales[label][0])
            * float(np.max(source.integrator(source.states[label]).gain))
            / float(np.max(self.graph.integrator(node).gain))
            for label, node in self.graph.states.items()
            if label in self.scales and label in source.states
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Passed:
    """What a pass made of a brief.

    Parameters
    ----------
    graph : BlockGraph
    note : str, or callable
        What it did, in a sentence, or what returns it where finding it takes long: of a pass that does not keep the flow.
    scales : mapping of name to array
        How values go back: units of the new graph per unit of the old one, for every state and observable; 1 if empty.
    limits : mapping of state to float
        Old units at which a state of the new graph is clamped: beyond, the graphs are not the same flow.
    found : mapping of name to value
        Fields of the brief that later passes are told besides.
    name : str
        What the step is called, if not as the pass.
    """

    graph: BlockGraph
    note: str | Callable[[], str]
    scales: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    found: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    name: str = ""


@dataclasses.dataclass(frozen=True)
class Pass:
    """One step from a flow to its circuit.

    Parameters
    ----------
    name : str
    apply : callable
        ``apply(brief)``: what it `Passed` on; None where it has nothing to do.
    keeps_flow : bool
        Whether its graph is the same flow as before it, which is then checked along the nominal orbit.
    heeds : tuple of str
        Conditions that it brings in, by the names of their fields, and ``values`` of the build: without them it does
        nothing, and with them a circuit is built again from it on.
    """

    name: str
    apply: Callable[[Brief], Passed | None]
    keeps_flow: bool = True
    heeds: tuple[str, ...] = ()


def run_passes(passes: Sequence[Pass], brief: Brief) -> tuple[Brief, tuple[PassRecord, ...]]:
    """`brief` after all `passes`, and what each did.

    The nominal orbit is computed once, of the first graph whose flow a pass has to keep. A circuit that is there already is
    not built again before a condition changes it: of thousands of samples, each costs what its own conditions cost.

    Raises
    ------
    BadInput
        A graph is not a circuit.
    AnalogflowError
        A pass that should keep the flow changed it.
    """
    history, given = [], brief.circuit
    for each in passes:
        if given is not None and brief.circuit is given and brief.graph is given.graph and not each.heeds:
            continue
        done = each.apply(brief)
        if done is None:
            continue
        note = done.note
        after = brief
        if done.graph is not brief.graph:
            check(done.graph)
            after = _after(brief, done, brief.orbit if each.keeps_flow else brief.known_orbit)
        elif done.found:
            after = dataclasses.replace(brief, **done.found)
        if each.keeps_flow:
            where = "" if done.scales else "on the manifold "
            changed = _difference(brief, after, done.limits)
            if changed > _EQUIVALENCE:
                raise AnalogflowError(
                    f"the pass {each.name!r} changed the flow by {changed:.2g}{where and ' on its manifold'}: a fault of "
                    "analogflow to be reported."
                )
            note = f"{note}; {where}the rates agree within {changed:.1g}"
        history.append(PassRecord(done.name or each.name, note, len(after.graph)))
        brief = after
    return brief, tuple(history)


TRACE = Pass(
    "trace",
    lambda brief: Passed(brief.flow.graph(), f"{brief.flow.family} {brief.flow.form}".strip() + ": called on signals"),
    keeps_flow=False,
)
"""Grows the graph by calling the flow's function on signals."""

CHECK = Pass("check", lambda brief: Passed(brief.graph, check(brief.graph)), keeps_flow=False)
"""Says that the graph is sound; the runner sees to it after every pass."""


def _realised(brief: Brief) -> Passed:
    assert brief.realise is not None  # whoever runs this pass says of which technology
    made = brief.realise(brief)
    circuit = Circuit(flow=brief.flow, build=dataclasses.replace(brief.build, values=None), **made.fields())
    units = made.units
    unit = f"1 flow unit is {units.volts:g} V" if units.volts and not units.scales else "each signal has a unit of its own"

    def counted() -> str:
        return f"{len(circuit.elements)} elements, {unit}, τ is {units.time_constant:g} s"

    note = made.note or counted
    return Passed(made.graph, note, found={"circuit": circuit}, name=circuit.technology)


REALISE = Pass("realise", _realised, keeps_flow=False)
"""Makes the circuit, of exact values where it has parts; its step has the technology's name."""


def _after(brief: Brief, done: Passed, orbit: Array | None) -> Brief:
    """The brief with the graph that a pass made of it, and the way back composed with the pass's own."""
    told = dataclasses.replace(brief, graph=done.graph, known_orbit=orbit, **done.found)
    if not done.scales:
        return told
    scales = {name: brief.scales.get(name, 1.0) * scale for name, scale in done.scales.items()}
    return dataclasses.replace(told, scales=scales, source=brief.source or brief.graph)


def _difference(before: Brief, after: Brief, limits: Mapping[str, float]) -> float:
    """Largest change of any rate along the orbit, in units of `before`, relative to the largest rate or 1."""
    if after is before:
        return 0.0
    old, new = _units(before), _units(after)
    states, ratio = before.orbit * old, new / old
    widest = [np.full(before.graph.integrator(n).size, limits.get(s, np.inf)) for s, n in before.graph.states.items()]
    states = states[(abs(states) <= np.concatenate(widest)).all(axis=1)]
    exact, rates = _rates(before.field, states), _rates(after.field, states * ratio) / ratio
    return float(abs(rates - exact).max() / max(1.0, abs(exact).max()))


def _rates(field: VectorField, states: Array) -> Array:
    """Rates at `states`, shape (points, size): as many points at once as fit into what one evaluation may take."""
    size = max(1, _MOST_SIGNALS // field.width)
    return np.concatenate([field(0.0, states[k : k + size]) for k in range(0, max(len(states), 1), size)])


def _units(brief: Brief) -> Array:
    """Units of the graph per flow unit of every component of the state."""
    sizes = {state: brief.graph.block(node).size for state, node in brief.graph.states.items()}
    return np.concatenate([np.broadcast_to(brief.scales.get(state, 1.0), (size,)) for state, size in sizes.items()])
