"""Turns functions into states: a graph of logarithms, quotients and softmaxes becomes one of sums and products alone.

A machine without function generators can still hold ln q: it is the integral of q̇/q. Every function of a signal becomes an
integrator whose rate the chain rule gives. What each becomes is the catalogue `analogflow.passes.rates`; the walk through
the graph that places them is here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping

import numpy as np

from analogflow.block_engine import VectorField
from analogflow.blocks import (
    Block,
    Constant,
    Crossbar,
    Divider,
    Gain,
    Integrator,
    MatrixProduct,
    Multiplier,
    NoiseSource,
    Sum,
    Wire,
)
from analogflow.blocks.block import frozen
from analogflow.errors import AnalogflowError, BadInput, NoCell
from analogflow.flows import Flow
from analogflow.graph import BlockGraph, GraphBuilder, Signal, restarted
from analogflow.passes.fusion import fuse
from analogflow.passes.pipeline import Brief, Pass, Passed
from analogflow.passes.rates import LIFTED, Lifting, rate_of

__all__ = ["LIFT", "lift"]


def lift(
    flow: BlockGraph | Flow,
    *,
    observables: Collection[str] | None = None,
    restore: float = 0.0,
    only: Collection[str] | None = None,
) -> tuple[BlockGraph, str]:
    r"""Return an equivalent graph of integrators, sums, gains, multipliers and constants, and a sentence on its cost.

    .. math:: r = 1/q:\ \dot r = -r (r \dot q), \quad L = \ln q:\ \dot L = r \dot q, \quad e = e^x:\ \dot e = e \dot x, \quad
              \rho = x^{-1/2}:\ \dot\rho = -\tfrac12 \rho^2 (\rho \dot x), \quad \sqrt x = x \rho, \\
              y = \operatorname{softmax}(x):\ \dot y_k = y_k (\dot x_k - \textstyle\sum_l y_l \dot x_l), \quad
              t = \tanh x:\ \dot t = (1 - t^2) \dot x, \quad s = \sin x, c = \cos x:\ \dot s = c \dot x,\
              \dot c = -s \dot x, \\ a = \arctan x, r = 1/(1 + x^2):\ \dot a = r \dot x,\ \dot r = -2 r^2 x \dot x

    Parameters
    ----------
    flow : BlockGraph or Flow
        Never lifted twice: what is already polynomial is left as it is.
    observables : collection of str, optional
        Observables to keep; each may cost states of its own. All if not given.
    restore : float
        Rate k, per τ, of a restoring term on the identities that have one: r gets +k r(1 − q r), ρ gets
        +½ k ρ(1 − x ρ²), a softmax row gets +k y(1 − Σy), a sine gets +½ k s(1 − s² − c²), and the r of an arctangent
        +k r(1 − r(1 + x²)). 0 leaves them out.
    only : collection of str, optional
        Kinds of blocks to lift, with all that their arguments are made of since the last state; every function if not given.

    Returns
    -------
    graph, note
        The states of `flow` come first and are called as before; lifted ones follow and are hidden. They start at what the
        functions are worth at the start of the flow.

    Raises
    ------
    NoCell
        A block has no derivative that is a polynomial of states: a comparator, a switch, a positive part; or noise is
        multiplied by a signal, or enters what is lifted.
    BadInput
        A function starts where it is held or is not smooth: a logarithm or a quotient of 0, a normaliser of a negative
        part; or a name is no observable, or `restore` is no rate.

    Notes
    -----
    The identities (r q = 1, e^L = q, Σy = 1, ...) are kept because they hold at the start: they are neutral. An error
    that an offset or a coarse coefficient makes in them does not decay, and over a long run it adds up; ln, exp and tanh
    have no polynomial that would return it. `restore` mends the others at the price of two or three multipliers each.
    Floors and ceilings of the blocks are not lifted: a lifted logarithm follows q below 1e-12. Where a denominator goes to
    0 its reciprocal grows without bound, and the lifted path is worth little: so it is with the accelerated capacity flow.

    References
    ----------
    E. Kerner, J. Math. Phys. 22 (1981) 1366, and C. Gu, IEEE Trans. CAD 30 (2011) 1307: every elementary system of
    ordinary differential equations can be written as a quadratic one.
    """
    graph = flow.graph() if isinstance(flow, Flow) else flow
    kept = tuple(graph.observables) if observables is None else tuple(observables)
    for name in kept:
        if name not in graph.observables:
            raise BadInput(f"lift: {name!r} is no observable; there are: {', '.join(graph.observables) or 'none'}.")
    if not 0 <= restore < np.inf:
        raise BadInput(f"lift: restore is {restore!r}; give a rate per τ of 0 or more.")
    return _Lifting(graph, kept, restore, only).result()


_WITHOUT_CELL = ("sine", "arctan")
"""Functions that no junction follows."""

_RESTORE = 1.0
"""Rate, per τ, at which identities of lifted functions are restored in circuits of parts."""

_STEP, _DIFFERENCE = 1e-5, 1e-6
"""τ over which functions are differentiated along the flow, and what the quotient may be off by."""

_COMPARED = 8
"""Points of the orbit at which the lifted graph is compared with the other."""


def _lifted_for_parts(brief: Brief) -> Passed | None:
    graph = brief.graph
    nodes = [node for node in graph if graph.block(node).kind() in _WITHOUT_CELL and node not in graph.timed]
    if not nodes:
        return None
    # An observable that needs one costs integrators and drifts; what is read of the states tells it as well.
    kept = [name for name, node in graph.observables.items() if not graph.needed_by({node}) & set(nodes)]

    def started(states: Mapping[str, np.ndarray]) -> BlockGraph:
        first = restarted(graph, states) if states else graph
        return fuse(lift(first, observables=kept, restore=_RESTORE, only=_WITHOUT_CELL)[0])[0]

    what = " and ".join(kind for kind in _WITHOUT_CELL if any(graph.block(node).kind() == kind for node in nodes))

    try:
        lifted = started({})
    except (NoCell, BadInput) as fault:
        said = str(fault).removeprefix("lift: ")
        raise NoCell(
            f"the technology {brief.build.technology!r} has no cell for {what}, placed by {graph.source(nodes[0])}, and it "
            f"can not become a state: {said}"
        ) from None
    changed = max(_changed(brief.field, started, point) for point in brief.orbit[:: max(1, len(brief.orbit) // _COMPARED)])
    if changed > _DIFFERENCE:
        raise AnalogflowError(f"lifting changed the flow by {changed:.2g}: a fault of analogflow to be reported.")
    build = brief.build
    if build.ranged_from is not None:
        # The path that ranges are to hold begins with what functions are worth at its own start.
        first = started({name: build.ranged_from[name] for name in graph.states})
        build = dataclasses.replace(build, ranged_from={**VectorField(first).unpack(first.initial()), **build.ranged_from})
    added = lifted.counts()["integrator"] - graph.counts()["integrator"]
    note = f"{what} has no cell and becomes {added} integrators; the rates agree within {changed:.1g}"
    return Passed(lifted, note, found={"build": build, "source": graph})


def _changed(field: VectorField, started: Callable[[Mapping[str, np.ndarray]], BlockGraph], point: np.ndarray) -> float:
    """Largest difference of a rate at a state of the graph before, relative to the largest rate or 1.

    Those of functions are compared with how far the functions move along the flow.
    """
    exact = field(0.0, point)
    ahead, behind = (started(field.unpack(point + step * exact)).initial() for step in (_STEP, -_STEP))
    moved = (ahead - behind) / (2 * _STEP)
    other = started(field.unpack(point))
    rates = VectorField(other)(0.0, other.initial())
    return float(abs(rates - np.concatenate([exact, moved[point.size :]])).max() / max(1.0, abs(rates).max()))


LIFT = Pass("lift", _lifted_for_parts, keeps_flow=False)
"""Makes states of the functions that circuits of parts have no cell for."""


_LINEAR = (Sum, Crossbar, Gain, Wire)


class _Lifting:
    """A graph being lifted: what each node has become, and how fast it moves."""

    def __init__(
        self, graph: BlockGraph, observables: tuple[str, ...], restore: float, only: Collection[str] | None
    ) -> None:
        self.graph, self.kept, self.restore = graph, observables, restore
        self.chosen = set(graph) if only is None else _behind(graph, only)
        self.builder = GraphBuilder()
        self.site = Lifting(self.builder, restore, self.rate)
        self.start = VectorField(graph).signals(graph.initial())
        self.new: dict[str, Signal] = {}
        self.rates: dict[str, Signal | None] = {}
        self.made: dict[str, str] = {}
        wanted = _wanted(graph, observables)
        self.noisy = _reached_by_noise(graph)
        for node in graph.order():
            if node in wanted:
                self.builder.source = graph.source(node)
                self.new[node] = self._lifted(node, graph.block(node))
        self.builder.source = None

    def result(self) -> tuple[BlockGraph, str]:
        """The finished graph and its note."""
        graph, builder = self.graph, self.builder
        closed = {state: self.new[graph.rate(state)] for state in graph.states}
        for label, grow in list(self.site.pending.items()):
            closed[label] = grow()
        builder.source = None
        lifted = builder.finish(
            closed, {name: builder.signal(self.new[graph.observables[name]].node, graph.shapes[name]) for name in self.kept}
        )
        before, after = graph.counts(), lifted.counts()
        states = after["integrator"] - before["integrator"]
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.site.lifted.items()))
        if not states:
            return lifted, "nothing to lift: the graph is polynomial"
        grown = after.get("multiplier", 0) - before.get("multiplier", 0)
        return lifted, f"lifted {kinds}: {states} more integrators and {grown:+d} multipliers"

    def rate(self, node: str) -> Signal | None:
        """Time derivative of what `node` of the old graph delivers; None where it does not move."""
        if node not in self.rates:
            self.builder.source = self.graph.source(node)
            self.rates[node] = self._moving(node, self.graph.block(node))
        return self.rates[node]

    def _lifted(self, node: str, block: Block) -> Signal:
        graph, builder = self.graph, self.builder
        if isinstance(block, Integrator):
            if block.limit < np.inf:
                raise NoCell(f"lift: the state {block.label!r} is clamped at ±{block.limit:g}, which no polynomial does.")
            return builder.signal(builder.adopt(graph, node, (), block), _shape(block.size))
        origins = graph.inputs(node)
        inputs = tuple(self.new[origin] for origin in origins)
        if isinstance(block, Constant | NoiseSource):
            return self._placed(block, ())
        if inputs and all(isinstance(builder.block(x.node), Constant) for x in inputs):
            return builder.constant(np.broadcast_to(self.start[node], (block.size,)))
        if isinstance(block, _LINEAR) or node not in self.chosen:
            return self._placed(block, inputs)
        if any(origin in self.noisy for origin in origins):
            raise NoCell(
                f"lift: {graph.source(node)}: the {block.kind().replace('_', ' ')} {node!r} has noise at its input; "
                "only noise that is added to a rate can be lifted, so take the flow at temperature 0."
            )
        if isinstance(block, Multiplier):
            return self._times(*inputs)
        if isinstance(block, MatrixProduct):
            return _product(block, *inputs)
        if isinstance(block, Divider):
            return self._times(inputs[0], self._inverse(origins[1], block))
        make = LIFTED.get(block.kind())
        if make is None:
            raise NoCell(
                f"lift: {graph.source(node)}: a {block.kind().replace('_', ' ')} ({node!r}) is not smooth, so that it "
                f"can not become states of a polynomial system; what can: {', '.join(sorted(LIFTED))}."
            )
        return make(self.site, block, node, origins[0], inputs[0], self.start[origins[0]])

    def _inverse(self, node: str, block: Divider) -> Signal:
        """1/x of what `node` delivers; one for each signal before it is repeated, not for each copy."""
        wire = self.graph.block(node)
        if not isinstance(wire, Wire) or node in self.site.reciprocals:
            return LIFTED["reciprocal"](self.site, block, node, node, self.new[node], self.start[node])
        origin = self.graph.inputs(node)[0]
        width = self.graph.block(origin).size
        inner = self._inverse(origin, block)
        wired = self._placed(wire, (_spread(inner, width),))

        def moved() -> Signal:
            rate = rate_of(self.site, inner)
            assert rate is not None
            return self._placed(wire, (_spread(rate, width),))

        self.site.reciprocals[node] = wired
        self.site.derived[wired.node] = functools.cache(moved)
        return wired

    def _times(self, a: Signal, b: Signal) -> Signal:
        """Product; with a constant factor it is a gain."""
        for x, y in ((a, b), (b, a)):
            block = self.builder.block(x.node)
            if isinstance(block, Constant) and not block.label:
                return y * (block.values if block.size > 1 else float(block.values[0]))
        return a * b

    def _placed(self, block: Block, inputs: tuple[Signal, ...]) -> Signal:
        return self.builder.place(block, inputs, _shape(block.size))

    def _moving(self, node: str, block: Block) -> Signal | None:
        graph, new = self.graph, self.new
        if isinstance(block, Integrator):
            if graph.rate(block.label) in self.noisy:
                raise NoCell(
                    f"lift: the state {block.label!r} is moved by noise and a function of it is to be lifted, which "
                    "would multiply the noise; only noise added to a rate can be lifted, so take the flow at temperature 0."
                )
            # The rate an integrator sees, spread over its elements, is already a signal of the new graph.
            driven = _spread(new[graph.rate(block.label)], block.size)
            moved = driven if (block.gain == 1).all() else driven * block.gain
            return moved - new[node] * block.leak if block.leak.any() else moved
        known = rate_of(self.site, new[node])
        if known is not None:
            return known
        origins = graph.inputs(node)
        moves = [self.rate(origin) for origin in origins]
        self.builder.source = graph.source(node)
        if isinstance(block, Sum):
            terms = [(c, move) for c, move in zip(block.coefficients, moves, strict=True) if move is not None]
            if not terms:
                return None
            total = Sum(size=max(move.size for _, move in terms), coefficients=tuple(c for c, _ in terms))
            return self._placed(total, tuple(move for _, move in terms))
        if all(move is None for move in moves):
            return None
        if isinstance(block, Crossbar | Gain | Wire):
            width = graph.block(origins[0]).size
            assert moves[0] is not None
            return self._placed(block, (_spread(moves[0], width),))
        left, right = (new[origin] for origin in origins)
        if isinstance(block, MatrixProduct):
            sizes = [graph.block(origin).size for origin in origins]
            terms = [
                None if moves[0] is None else _product(block, _spread(moves[0], sizes[0]), right),
                None if moves[1] is None else _product(block, left, _spread(moves[1], sizes[1])),
            ]
        elif isinstance(block, Multiplier):
            terms = [
                None if moves[0] is None else self._times(moves[0], right),
                None if moves[1] is None else self._times(left, moves[1]),
            ]
        else:
            assert isinstance(block, Divider)
            inverse = self.site.reciprocals[origins[1]]
            slope = rate_of(self.site, inverse)
            terms = [
                None if moves[0] is None else moves[0] * inverse,
                None if slope is None else self._times(left, slope),
            ]
        moving = [term for term in terms if term is not None]
        return moving[0] if len(moving) == 1 else moving[0] + moving[1]


def _shape(size: int) -> tuple[int, ...]:
    return () if size == 1 else (size,)


def _spread(x: Signal, size: int) -> Signal:
    """A scalar signal repeated to `size`, where a block needs as many; wiring."""
    return x if x.size == size else x.reshape(1)[np.zeros(size, dtype=int)]


def _product(block: MatrixProduct, a: Signal, b: Signal) -> Signal:
    """The product of two matrices of signals as multipliers and summing nodes."""
    left = a.reshape(block.rows, block.inner)[:, None, :]
    right = b.reshape(block.inner, block.columns).T[None, :, :]
    terms = (left * right).reshape(block.size * block.inner)
    weight = frozen(np.ones((1, block.inner)))
    return terms.builder.place(Crossbar(size=block.size, weight=weight, rows=block.size), (terms,), _shape(block.size))


def _behind(graph: BlockGraph, only: Collection[str]) -> set[str]:
    """Nodes of some kinds that do not depend on time alone, and what they are made of since the last states."""
    chosen: set[str] = set()
    for node in reversed(list(graph.order())):
        if node in graph.timed or isinstance(graph.block(node), Integrator):
            continue
        if graph.block(node).kind() in only or any(reader in chosen for reader in graph.readers(node)):
            chosen.add(node)
    return chosen


def _wanted(graph: BlockGraph, observables: tuple[str, ...]) -> set[str]:
    """Nodes that the rates and the kept observables depend on."""
    roots = {*graph.states.values(), *(graph.observables[name] for name in observables)}
    return graph.needed_by(roots)


def _reached_by_noise(graph: BlockGraph) -> set[str]:
    """Nodes that a noise source reaches without passing an integrator."""
    reached: set[str] = set()
    for node in graph.order():
        block = graph.block(node)
        if isinstance(block, NoiseSource) or (
            not isinstance(block, Integrator) and any(origin in reached for origin in graph.inputs(node))
        ):
            reached.add(node)
    return reached
