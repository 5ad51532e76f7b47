r"""Is a netlist a flow? Its rates of change are measured at sampled states and held against those of the equations.

Every capacitor that holds a state is replaced by a source, whose current over the capacitance is then the rate at that
state: nothing is integrated. With :math:`V` the voltages and :math:`x` the states, a circuit of :math:`\dot x = f(x)` has
:math:`\dot V_i = \rho_i\, g\, f_i(x)` at :math:`V = V_0 + g (x - x_0)`. The gain :math:`g` of each state and the rates
:math:`\rho_i` are fitted: one :math:`1/\tau` for all of a circuit of ideal elements, and one for each row of a circuit of
parts, whose rows differ by their tolerances. What is left tells whether it is that flow. This is a test, and no proof.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.blocks import Clock, Constant, Integrator, NoiseSource
from analogflow.checks import is_positive
from analogflow.compiler import compile
from analogflow.contents import plain
from analogflow.errors import BadInput, SimulationFailed
from analogflow.families import flow_of
from analogflow.flows import Flow
from analogflow.judgement.deck_rates import (
    ASIDE,
    FLOOR,
    FittedRates,
    Pairing,
    fitted_rates,
    holding_states,
    measured_rates,
    refined_gains,
    row_rates,
    said_gains,
)
from analogflow.netlister.reading import read_deck

__all__ = ["DeckCheck", "check_deck"]

Array = NDArray[np.float64]

_IDEAL, _BUILT = 1e-6, 0.05
"""What may be left of a row's rates, over their size: of ideal elements, and of parts with their preferred values."""

_ROWS_APART = 0.35
"""How far the rate of a row of parts may be from the median of all."""

_NEAR = "only states next to the flow's own path were tried: farther away the parts do not follow it"

_FEW_SIGNALS, _FEW_ROWS = 4096, 24
"""Nodes up to which all are read; rows up to which each is left out in turn."""


@dataclasses.dataclass(frozen=True)
class RowRate:
    """How one row of a circuit moves beside its equation.

    Parameters
    ----------
    name : str
        State and element, and the capacitor that holds it.
    rate : float
        1/τ of it, per second.
    left : float
        Rms of what its equation does not explain, over the size of its rates.
    unsure : float
        What errors of parts may change of its rate, over that: much of a row whose terms cancel.
    """

    name: str
    rate: float
    left: float
    unsure: float


@dataclasses.dataclass(frozen=True)
class DeckCheck:
    """Whether a netlist has the rates of a flow at the states that were tried.

    Parameters
    ----------
    flow : Flow
    rows : tuple of RowRate
    limit : float
        Largest share of a row's rates that may be left.
    units : mapping of state to float
        Volts of one flow unit across its capacitors; below 0 where they are connected the other way.
    states : int
        How many states were tried.
    culprit : str
        The row or node that is wrong; empty where all is right.
    notes : tuple of str
        What was left out of the deck or held.
    """

    flow: Flow
    rows: tuple[RowRate, ...]
    limit: float
    units: dict[str, float]
    states: int
    culprit: str
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no row is wrong."""
        return not self.culprit

    @property
    def time_constant(self) -> float:
        """τ in seconds: that of the median row."""
        rates = [row.rate for row in self.rows if np.isfinite(row.rate)]
        return 1 / float(np.median(rates)) if rates and np.median(rates) else float("nan")

    @property
    def verdict(self) -> str:
        """What was found, in a sentence."""
        tested = f"{len(self.rows)} rates at {self.states} states"
        if not self.rows:
            return f"The netlist could not be tested: {self.culprit}."
        if self.culprit:
            return f"This netlist is not that flow: {self.culprit} (tested: {tested})."
        told = "none of them moves" if np.isnan(self.time_constant) else f"with τ = {self.time_constant:.4g} s"
        return f"Tested, not proved: {tested} are those of the flow, {told}."

    def to_dict(self) -> dict[str, Any]:
        """The same in plain lists, names and numbers."""
        return plain({
            "passed": self.passed, "verdict": self.verdict, "rows": self.rows, "limit": self.limit, "units": self.units,
            "time_constant": self.time_constant, "culprit": self.culprit, "notes": self.notes,
        })  # fmt: skip

    def __repr__(self) -> str:
        return f"DeckCheck({self.verdict})"


def check_deck(
    text: str,
    problem: Any,
    *,
    form: str | None = None,
    states: Sequence[str] = (),
    accuracy: float | None = None,
    seed: int = 0,
    where: str = "the netlist",
) -> DeckCheck:
    """Test whether a netlist is the flow that solves a problem, in ngspice.

    Parameters
    ----------
    text : str
        Of the netlist; nothing in it is run but its elements.
    problem : object
    form : str, optional
        Of the flow; the most robust one if not given.
    states : sequence of str
        Names of the capacitors that hold the states, in the order of the flow's; the largest ones, in their order, if not
        given, or where others are as large those at the nodes that a header of ours names.
    accuracy : float, optional
        Largest share of a row's rates that its equation may leave; 1e-6 of ideal elements and 0.05 of parts if not given.
    seed : int
        Of the states that are tried.
    where : str
        Begins the sentence of a fault.

    Raises
    ------
    BadInput
        The text is refused (`read_deck`), the flow depends on time, or it is not clear which capacitors hold its states.
    MissingProgram, SimulationFailed
        ngspice is not installed, or found no solution.
    """
    if accuracy is not None and not is_positive(accuracy):
        raise BadInput(f"accuracy: {accuracy!r} is not a positive number; give the share of a row's rates that may be left.")
    flow = flow_of(problem, form)
    field = VectorField(flow.graph())
    if flow.clock or any(isinstance(field.graph.block(node), Clock) for node in field.graph):
        raise BadInput(f"{where}: the flow depends on time, and only circuits of flows that do not are compared.")
    if flow.latches or flow.jumps or flow.delays:
        raise BadInput(
            f"{where}: the flow remembers, by comparators with hysteresis, delays or events, so that its state does not "
            "tell its rates; only circuits of flows that do not remember are compared."
        )
    deck = read_deck(text, where)
    limit = accuracy or (_BUILT if deck.built else _IDEAL)
    holding = holding_states(deck, text, flow, states, limit, where)
    notes, guess, pair = deck.notes, said_gains(text, holding, flow), Pairing(deck, holding, flow, field, seed)

    def tested(aside: float) -> tuple[FittedRates, tuple[RowRate, ...], int | None]:
        fit = fitted_rates(pair, guess, aside)
        told = zip(_names(flow), holding, fit.rates, fit.left, limit * fit.unsure, strict=True)
        rows = tuple(RowRate(f"{name} at {each.name}", *map(float, numbers)) for name, each, *numbers in told)
        return fit, rows, _wrong_row(rows, limit, deck.built)

    try:
        fit, rows, worst = tested(ASIDE[0])
        if worst is not None and deck.built:
            fit, rows, worst = tested(ASIDE[1])
            notes = (*notes, _NEAR) if worst is None else notes
        units = fit.units if guess is None else guess  # gains that are fitted to what is wrong are wrong themselves
        node = _wrong_node(pair, fit, units, limit, worst is not None or not deck.built)
    except SimulationFailed as fault:
        return DeckCheck(flow, (), limit, {}, 0, str(fault).rstrip("."), notes)
    culprit = node
    if worst is not None:
        row = _likeliest(pair, fit, guess, rows, limit, worst)
        moves = f"{row.name} moves otherwise, by {100 * row.left:.2g} % of its rates"
        culprit = f"{node}, and {moves}" if node else moves
    return DeckCheck(
        flow, rows, limit, dict(zip(flow.states, fit.units.tolist(), strict=True)), len(fit.states), culprit, notes
    )


def _names(flow: Flow) -> list[str]:
    return [name if value.size == 1 else f"{name}[{k}]" for name, value in flow.states.items() for k in range(value.size)]


def _wrong_row(rows: Sequence[RowRate], limit: float, built: bool) -> int | None:
    """The row that is farthest from its equation; None where none is too far."""
    known = [row.rate for row in rows if np.isfinite(row.rate)]
    middle = float(np.median(known)) if known else 1.0
    off = np.array([row.left / limit for row in rows])
    if built:
        off = np.fmax(off, [abs(row.rate / (middle or 1e-300) - 1) / (_ROWS_APART + row.unsure) for row in rows])
    worst = int(np.argmax(off))
    return worst if off[worst] > 1 or not middle > 0 else None


def _likeliest(
    pair: Pairing, fit: FittedRates, guess: Array | None, rows: Sequence[RowRate], limit: float, worst: int
) -> RowRate:
    """The row that is likeliest to be wrong; the `worst` one where nothing more can be told.

    What is wrong with one row spreads over all where the gains are fitted to it, and where a common mode is free. It is the
    one that is worst with the gains that the header tells, or the one without which all others agree best.
    """
    size = pair.field.size
    if guess is not None and not pair.free.size:
        rates, rest = row_rates(pair, guess, fit.moved, fit.measured, np.ones(size, dtype=bool))
        left = np.sqrt((rest**2).mean(axis=0))
        told = [dataclasses.replace(row, rate=float(r), left=float(e)) for row, r, e in zip(rows, rates, left, strict=True)]
        if (found := _wrong_row(told, limit, pair.deck.built)) is not None:
            return told[found]
    if not 3 <= size <= _FEW_ROWS:
        return rows[worst]
    costs = np.empty(size)
    for k in range(size):
        others = np.arange(size) != k
        units = refined_gains(pair, fit.units, fit.moved, fit.measured, others) if guess is None else guess
        rest = row_rates(pair, units, fit.moved, fit.measured, others)[1]
        costs[k] = np.sqrt((rest[:, others] ** 2).mean())
    best, second = np.argsort(costs)[:2]
    return rows[int(best) if costs[best] < 0.5 * costs[second] else worst]


def _wrong_node(pair: Pairing, fit: FittedRates, units: Array, limit: float, every: bool) -> str:
    """Of a netlist with the names that ours have: the first node that does not show what its block computes, as a clause.

    Of parts a node has a scale of its own, which all of a block share; without `every` only what the flow shows is read.
    """
    deck, field = pair.deck, VectorField(compile(pair.flow).graph)
    there = {word.lower() for line in deck.lines if line[0] != "." for word in line.split()[1:]}
    shown = set(field.graph.observables.values())
    known = [
        (f"{node}_{k}", node, k)
        for node in field.graph.order()
        if not isinstance(field.graph.block(node), Integrator | Constant | NoiseSource) and (every or node in shown)
        for k in range(field.graph.block(node).size)
        if f"{node}_{k}" in there
    ]
    if not known or len(known) > _FEW_SIGNALS or field.size != fit.states.shape[1]:
        return ""
    volts = pair.volts + pair.widened(units) * (fit.states - pair.start)
    _, found = measured_rates(pair, volts, [name for name, _, _ in known])
    exact = field.signals(fit.states)
    expected = [np.broadcast_to(exact[node], (len(volts), field.graph.block(node).size))[:, k] for _, node, k in known]
    scales = np.array([v @ x / max(x @ x, 1e-300) for v, x in zip(found.T, expected, strict=True)])
    sizes = np.sqrt((found**2).mean(axis=0))
    sizes = np.maximum(sizes, FLOOR * np.median(sizes))
    blocks = np.array([node for _, node, _ in known])
    for j, (name, node, _) in enumerate(known):
        left = np.sqrt(((found[:, j] - (scales[j] if deck.built else 1.0) * expected[j]) ** 2).mean())
        # Of two that differ nobody can say which is wrong.
        alike = deck.built and (blocks == node).sum() > 2 and expected[j].any()
        scale = float(np.median(scales[blocks == node]))
        if left > limit * sizes[j] or (alike and abs(scales[j] - scale) > _ROWS_APART * abs(scale)):
            return f"{name} does not show {field.graph.source(node) or 'what its block computes'}"
    return ""
