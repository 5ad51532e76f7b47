"""Takes a flow apart into what a board of some kind can hold, and reads its state back from that."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.blocks import (
    Block,
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
    NoiseSource,
    Normaliser,
    PositivePart,
    Sine,
    Softmax,
    SquareRoot,
    Sum,
    Switch,
    Tanh,
    Waveform,
    Wire,
)
from analogflow.errors import BadInput, NoCell
from analogflow.graph import BlockGraph
from analogflow.hardware.couplings import (
    DECISIONS,
    FUNCTIONS,
    ONE,
    ComputingElement,
    Couplings,
    Form,
    added,
    crossed,
    repeated,
)
from analogflow.passes import fuse, lift

__all__ = ["Readout", "Taken", "flatten", "take_apart", "value_at"]

Array = NDArray[np.float64]


def flatten(graph: BlockGraph, *, functions: bool = False, drop: Collection[str] = (), answer: str = "") -> Couplings:
    """Take `graph` apart.

    Parameters
    ----------
    graph : BlockGraph
    functions : bool
        Whether logarithms and their like become elements; if not they are refused.
    drop : collection of str
        States that are left out where no rate and not the answer reads them.
    answer : str
        State or observable that is read.

    Raises
    ------
    NoCell
        A block is no element.

    Notes
    -----
    Products are shared up to a factor, and (a + b x)(c + d y) takes one multiplier for x y, not one for each such product.
    """
    flat = _Flat(graph, functions)
    roots = {**graph.states, **graph.observables}.get(answer)
    read = set() if roots is None else {source for form in flat.forms[roots] for source in form}
    return flat.result(read, set(drop))


class _Flat:
    """Forms of every scalar signal, and the elements made so far."""

    def __init__(self, graph: BlockGraph, functions: bool) -> None:
        self.graph, self.functions = graph, functions
        self.elements: list[ComputingElement] = []
        self.owners: list[tuple[str, int] | None] = []
        self.shared: dict[object, int] = {}
        self.forms: dict[str, list[dict[int, float]]] = {}
        for label, node in graph.states.items():
            block = graph.integrator(node)
            self.forms[node] = []
            for k in range(block.size):
                name = label if block.size == 1 else f"{label}[{k}]"
                self.elements.append(ComputingElement("integrator", name, (), float(block.initial[k])))
                self.owners.append((label, k))
                self.forms[node].append({len(self.elements): 1.0})
        for node in graph.order():
            block = graph.block(node)
            if not isinstance(block, Integrator):
                self.forms[node] = self._formed(node, block, [self.forms[origin] for origin in graph.inputs(node)])

    def result(self, read: set[int], drop: set[str]) -> Couplings:
        """Couplings of what the states that are kept depend on."""
        graph, ports = self.graph, {}
        for label, node in graph.states.items():
            block = graph.integrator(node)
            driven = repeated(self.forms[graph.rate(label)], block.size)
            for k, form in enumerate(driven):
                gain = float(np.broadcast_to(block.gain, (block.size,))[k])
                leak = float(np.broadcast_to(block.leak, (block.size,))[k])
                own = self.forms[node][k]
                source = next(iter(own))
                ports[source] = (added([(gain, form), (-leak, own)]),)
        needed = self._needed(ports, read, drop)
        numbers = {ONE: ONE} | {old: new + 1 for new, old in enumerate(sorted(needed))}
        elements = tuple(
            dataclasses.replace(
                self.elements[old - 1],
                ports=tuple(
                    {numbers[source]: c for source, c in form.items()}
                    for form in ports.get(old, self.elements[old - 1].ports)
                ),
            )
            for old in sorted(needed)
        )
        places = {owner: numbers[old] - 1 for old in sorted(needed) if (owner := self.owners[old - 1]) is not None}
        return Couplings(elements, places)

    def _needed(self, ports: Mapping[int, tuple[Form, ...]], read: set[int], drop: set[str]) -> set[int]:
        """Sources that are kept: states, but for those to be dropped that no rate reads, and what they need."""
        states = {k + 1 for k, owner in enumerate(self.owners) if owner is not None}
        loose = {k for k in states if (owner := self.owners[k - 1]) is not None and owner[0] in drop}
        while True:
            needed: set[int] = set()
            for state in states:
                needed |= self._upstream(ports[state], needed)
            if not loose & states - read:
                return {*needed, *states}
            readers = {k: self._upstream(ports[k], set()) for k in states}
            unread = {k for k in loose & states - read if not any(k in readers[other] for other in states)}
            if not unread:
                return {*needed, *states}
            states -= unread

    def _upstream(self, forms: tuple[Form, ...], seen: Collection[int]) -> set[int]:
        found: set[int] = set()
        waiting = [source for form in forms for source in form]
        while waiting:
            source = waiting.pop()
            if source == ONE or source in found or source in seen:
                continue
            found.add(source)
            waiting += [further for form in self.elements[source - 1].ports for further in form]
        return found

    def _element(self, kind: str, node: str, *forms: dict[int, float], key: object = None) -> dict[int, float]:
        key = key or (kind, *sorted(_rounded(form) for form in forms))
        if key not in self.shared:
            self.elements.append(ComputingElement(kind, f"{node}.{len(self.elements)}", forms))
            self.owners.append(None)
            self.shared[key] = len(self.elements)
        return {self.shared[key]: 1.0}

    def _product(self, node: str, f: dict[int, float], g: dict[int, float]) -> dict[int, float]:
        for one, other in ((f, g), (g, f)):
            if not one.keys() - {ONE}:
                return added([(one.get(ONE, 0.0), other)])
        f_moving, g_moving = ({s: c for s, c in form.items() if s != ONE} for form in (f, g))
        if len(f_moving) == len(g_moving) == 1 and (ONE in f or ONE in g):
            a, b = f.get(ONE, 0.0), g.get(ONE, 0.0)
            return added([(1.0, self._product(node, f_moving, g_moving)), (b, f_moving), (a, g_moving), (a * b, {ONE: 1.0})])
        scale = 1.0
        normal = []
        for form in (f, g):
            lead = form[min(form)]
            scale *= lead
            normal.append({s: c / lead for s, c in form.items()})
        return added([(scale, self._element("multiplier", node, *normal))])

    def _function(self, kind: str, node: str, form: dict[int, float], width: float = 1.0) -> dict[int, float]:
        if not form.keys() - {ONE}:
            return {ONE: float(FUNCTIONS[kind](np.array(form.get(ONE, 0.0) / width)))}
        if kind == "positive_part":
            return self._positive(node, form)
        return self._element(kind, node, added([(1 / width, form)]))

    def _positive(self, node: str, form: dict[int, float]) -> dict[int, float]:
        """Positive part, shared up to a factor; that of −f is that of f less f, where the latter is there, as in |f|."""
        size = abs(form[max(form)])
        normal = added([(1 / size, form)])
        opposite = added([(-1.0, normal)])
        if ("positive_part", _rounded(opposite)) in self.shared:
            return added([(size, self._element("positive_part", node, opposite)), (-size, opposite)])
        return added([(size, self._element("positive_part", node, normal))])

    def _formed(self, node: str, block: Block, inputs: list[list[dict[int, float]]]) -> list[dict[int, float]]:
        size = block.size
        match block:
            case Constant():
                return [{ONE: float(v)} if v else {} for v in np.broadcast_to(block.values, (size,))]
            case Sum():
                ports = [repeated(forms, size) for forms in inputs]
                terms = zip(*ports, strict=True)
                return [added(list(zip(block.coefficients, term, strict=True))) for term in terms]
            case Gain():
                coefficients = np.broadcast_to(block.coefficients, (size,)).tolist()
                return [added([(c, form)]) for c, form in zip(coefficients, repeated(inputs[0], size), strict=True)]
            case Wire():
                return [inputs[0][k] for k in block.indices]
            case Crossbar():
                return crossed(block, inputs[0])
            case Multiplier():
                a, b = (repeated(forms, size) for forms in inputs)
                return [self._product(node, f, g) for f, g in zip(a, b, strict=True)]
            case MatrixProduct():
                return self._multiplied(node, block, *inputs)
            case NoiseSource():
                sources = [self._element("noise", node, key=(node, k)) for k in range(size)]
                return [added([(float(d), form)]) if d else {} for d, form in zip(block.density, sources, strict=True)]
        if not self.functions:
            raise NoCell(
                f"{self.graph.source(node)}: a {block.kind().replace('_', ' ')} ({node!r}) is no sum and no product."
            )
        return self._tabulated(node, block, inputs)

    def _multiplied(
        self, node: str, block: MatrixProduct, a: list[dict[int, float]], b: list[dict[int, float]]
    ) -> list[dict[int, float]]:
        inner, columns = block.inner, block.columns
        return [
            added([(1.0, self._product(node, a[i * inner + k], b[k * columns + j])) for k in range(inner)])
            for i in range(block.rows)
            for j in range(columns)
        ]

    def _tabulated(self, node: str, block: Block, inputs: list[list[dict[int, float]]]) -> list[dict[int, float]]:
        x = [repeated(forms, block.size) for forms in inputs]
        match block:
            case Log() | Exp() | SquareRoot() | PositivePart() | Tanh() | Sine():
                return [self._function(block.kind(), node, form) for form in x[0]]
            case Divider():
                inverse = [self._function("reciprocal", node, form) for form in x[1]]
                return [self._product(node, f, r) for f, r in zip(x[0], inverse, strict=True)]
            case Comparator():
                gaps = [added([(1.0, f), (-1.0, g)]) for f, g in zip(*x, strict=True)]
                return [self._function("step", node, gap, block.width) for gap in gaps]
            case Switch():
                return [self._product(node, f, self._function("clip", node, g)) for f, g in zip(*x, strict=True)]
            case Softmax():
                offsets = np.zeros(block.size) if block.offsets is None else block.offsets
                parts = [
                    self._function("exp", node, added([(1.0, f), (-float(c), {ONE: 1.0})])) if np.isfinite(c) else {}
                    for f, c in zip(x[0], offsets, strict=True)
                ]
                tail = np.ones(block.rows) if block.tail is None else block.tail
                return self._shares(node, parts, block.rows, tail)
            case Normaliser():
                positive = [self._function("positive_part", node, form) for form in x[0]]
                return self._shares(node, positive, block.rows, np.ones(block.rows))
        if isinstance(block, Waveform):
            raise NoCell(
                f"{self.graph.source(node)}: no board plays points, so patch a generator here, and map the flow with "
                "a constant in its place to see what the rest of it takes."
            )
        raise NoCell(f"{self.graph.source(node)}: a {block.kind().replace('_', ' ')} ({node!r}) is no element of a board.")

    def _shares(self, node: str, parts: list[dict[int, float]], rows: int, tail: np.ndarray) -> list[dict[int, float]]:
        width = len(parts) // rows
        shares = []
        for r in range(rows):
            group = parts[r * width : (r + 1) * width]
            inverse = self._function("reciprocal", node, added([(1.0, form) for form in group]))
            shares += [added([(float(tail[r]), self._product(node, form, inverse))]) if form else {} for form in group]
        return shares


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
    read = {state for state, node in graph.states.items() if graph.readers(node)}
    return Taken(fused, flatten(fused, drop=read, answer=answer), note)


def value_at(graph: BlockGraph, name: str, y: Array) -> Array:
    """State or observable `name` at the state vector `y`."""
    with np.errstate(all="ignore"):
        return VectorField(graph).signals(y)[{**graph.states, **graph.observables}[name]]


def _rounded(form: Mapping[int, float]) -> tuple[tuple[int, float], ...]:
    return tuple((source, float(f"{c:.12g}")) for source, c in sorted(form.items()))


def _with_functions(graph: BlockGraph) -> Couplings:
    try:
        return flatten(graph, functions=True)
    except NoCell as fault:
        raise BadInput(f"{fault} No board can hold it.") from fault
