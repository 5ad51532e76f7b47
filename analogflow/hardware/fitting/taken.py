"""A flow as the elements that a board of some kind can hold, and how its state is read back from them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.errors import BadInput, NoCell
from analogflow.graph import BlockGraph
from analogflow.hardware.fitting.couplings import DECISIONS, Couplings
from analogflow.hardware.fitting.flatten import flatten
from analogflow.passes import fuse, lift

__all__ = ["Readout", "Taken", "take_apart", "value_at"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Readout:
    """Where component `index` of `state` is: integrator number `integrator` times `unit`, flow units per machine unit."""

    state: str
    index: int
    integrator: int
    unit: float


@dataclasses.dataclass(frozen=True, eq=False)
class Taken:
    """A flow taken apart for a board.

    Parameters
    ----------
    graph : BlockGraph
        What was taken apart: lifted where the board has no tables.
    couplings : Couplings
    note : str
        What was lifted.
    refusal : str
        Why it can not be made of what such a board has; empty if it can.
    """

    graph: BlockGraph
    couplings: Couplings
    note: str
    refusal: str = ""

    def columns(self) -> list[int]:
        """Place of each integrator of the couplings in the state vector of the graph."""
        offsets = self._offsets()
        places = {element: offsets[state] + index for (state, index), element in self.couplings.places.items()}
        return [places[element] for element in self.couplings.of("integrator")]

    def state(self, readout: tuple[Readout, ...], outputs: Array) -> Array:
        """State vectors of the graph from outputs of a machine, (…, integrators); left-out states are where they started."""
        states = np.broadcast_to(self.graph.initial(), (*outputs.shape[:-1], self.graph.size)).copy()
        for entry in readout:
            states[..., self._offsets()[entry.state] + entry.index] = outputs[..., entry.integrator] * entry.unit
        return states

    def _offsets(self) -> dict[str, int]:
        """Place of the first component of each state in the state vector of the graph."""
        sizes = [self.graph.block(node).size for node in self.graph.states.values()]
        return dict(zip(self.graph.states, np.cumsum([0, *sizes]).tolist(), strict=False))


def take_apart(graph: BlockGraph, answer: str, functions: bool, comparators: bool = False) -> Taken:
    """Elements of `graph`; where it can not be lifted, its elements with the functions it would take.

    Parameters
    ----------
    graph : BlockGraph
    answer : str
        State or observable that is read: other observables are left out.
    functions : bool
        Whether functions of a signal are there, so that nothing is lifted.
    comparators : bool
        Whether there is what passes one signal or another by the sign of a third.

    Raises
    ------
    BadInput
        A block is no element of any board.
    """
    if functions:
        return Taken(graph, _with_functions(graph), "functions are tables")
    try:
        lifted, note = lift(graph, observables=[answer] if answer in graph.observables else [])
    except (NoCell, BadInput) as fault:
        couplings = _with_functions(graph)
        if comparators and {couplings.elements[k].kind for k in couplings.functions} <= set(DECISIONS):
            return Taken(graph, couplings, "what decides is a comparator")
        return Taken(graph, couplings, "", str(fault))
    fused = fuse(lifted)[0]
    # Lifting may leave a state without a reader: u, where softmax(u) has become a state. One that had none is kept.
    read = {state for state, node in graph.states.items() if graph.network.out_degree(node)}
    return Taken(fused, flatten(fused, drop=read, answer=answer), note)


def value_at(graph: BlockGraph, name: str, y: Array) -> Array:
    """State or observable `name` at the state vector `y`."""
    with np.errstate(all="ignore"):
        return VectorField(graph).signals(y)[{**graph.states, **graph.observables}[name]]


def _with_functions(graph: BlockGraph) -> Couplings:
    try:
        return flatten(graph, functions=True)
    except NoCell as fault:
        raise BadInput(f"{fault} No board can hold it.") from fault
