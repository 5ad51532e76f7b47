"""Rates of change of a netlist at given states, and the gains and time constants with which they are those of a flow.

Every capacitor that holds a state is replaced by a source, whose current over the capacitance is then the rate at that
state: nothing is integrated.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.blocks import Comparator, Imperfections
from analogflow.compiler import compile
from analogflow.errors import BadInput, SimulationFailed
from analogflow.flows import Flow
from analogflow.judgement.restart import perturbed
from analogflow.netlister.reading import Capacitance, ForeignDeck, spice_number
from analogflow.passes.degrade import degrade_graph
from analogflow.run import COMPARED, Run
from analogflow.simulators import deck_for, simulate
from analogflow.simulators.ngspice.protocol import Request
from analogflow.simulators.ngspice.session import default_session

__all__ = [
    "ASIDE",
    "FLOOR",
    "FittedRates",
    "Pairing",
    "fitted_rates",
    "holding_states",
    "measured_rates",
    "refined_gains",
    "row_rates",
    "said_gains",
]

Array = NDArray[np.float64]

_STATES, _STEPS, _SHARES = 24, (1e-3, 1e-2), (0.1, 0.3, 0.6)

_SETTLE, _RAMP, _READ = 9, 0.3, 0.1
"""Of the times between states: as many before the first is read; the share in which a state moves on; how long before that
it is read."""

_ALIKE = 0.1
"""A capacitor this much smaller than one that holds a state holds none itself."""

FLOOR = 0.05
"""Size that a row's rates count as having at least, over those of the largest row."""

_STILL = (1e-9, 1e-3)
"""Share of what a deviation of 1 would make of a row, of ideal elements and of parts, up to which it is said not to move."""

_LIKELY = 1e-2
"""What a row of parts counts that is e times as fast as the others, in its rates' size."""

_ERRED = 0.03
"""Of what a deviation of 1 would make of its rates, what it counts too: a row that moves less than its parts err tells no
rate of its own."""

ASIDE = (0.3, 0.03)
"""Shares of the way to where a restart would begin that states are tried at: parts are scaled for their own path, and some
leave their range soon beside it."""

_ROOM = 1.5
"""What a signal may be at a state right beside the flow's own path, over the most that it is along it: parts are scaled for
about that, and beyond it show their rails, such as a speed that stays below a threshold which the path never comes near."""

_MOST_VOLTS, _TOLD = 1e3, 2.0
"""Volts that no parts bear; how far a gain may be from what the header tells, which of what is wrong has no bound."""

_SMALL, _ROUNDS, _SAME = 1e-3, 6, 1e-8
"""Volts of the first steps; times that the states are chosen anew, and the relative change of a gain at which they stay."""


_DECIDED, _FEWEST = 0.1, 6
"""Distance from its threshold, over the largest that is tried, within which a comparator of parts may be thrown either way,
for it has a hysteresis and an offset; states at which none is that must be there."""

_MISMATCH, _OFFSET, _DRAWS, _PARTS = 1e-2, 0.1, 8, (1e-6, 0.2)
"""Deviation of the draws that tell what parts make of a row's rates, their offsets over it, and how many there are; and how
much of what a deviation of 1 would make counts as their size, of ideal elements for their rounding and of parts. A row whose
terms cancel moves less than its parts err."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pairing:
    """A deck beside the flow that it should be.

    Parameters
    ----------
    deck : ForeignDeck
    holding : sequence of Capacitance
        What holds the states, in the order of the flow's.
    flow : Flow
    field : VectorField
        Its rates.
    seed : int
        Of the states that are tried.
    """

    deck: ForeignDeck
    holding: Sequence[Capacitance]
    flow: Flow
    field: VectorField
    seed: int

    @functools.cached_property
    def start(self) -> Array:
        """Flow units, shape (size,)."""
        return self.field.pack({name: np.ravel(value) for name, value in self.flow.states.items()})

    @functools.cached_property
    def volts(self) -> Array:
        """Across the capacitors at the start, shape (size,)."""
        return np.array([each.volts for each in self.holding])

    @functools.cached_property
    def free(self) -> Array:
        """Directions, shape (size, k), in which a circuit may move as it likes: common modes, which change nothing."""
        found = []
        for kept in self.flow.keeps:
            if not kept.binding:
                found.append(np.zeros(self.field.size))
                found[-1][self.field.slices[kept.state]] = 1.0
        return np.array(found).T if found else np.zeros((self.field.size, 0))

    @functools.cached_property
    def path(self) -> Run:
        """The flow's own path."""
        end = self.flow.end_time or COMPARED
        return simulate(deck_for(compile(self.flow), "block", time_constants=end), engine="block")

    @functools.cached_property
    def spread(self) -> Array:
        """What the blocks' deviations make of the rates along the path, per deviation, shape (size,): rms, flow units."""
        path = self.field.pack({name: self.path.values[name] for name in self.flow.states})
        flaws, scale = Imperfections(mismatch=_MISMATCH, offset=_OFFSET * _MISMATCH), float(abs(path).max())
        drawn = degrade_graph(self.field.graph, flaws, seed=self.seed, samples=range(_DRAWS), full_scale=scale)
        states = path[:: len(path) // 100 + 1]
        rates = VectorField(drawn)(0.0, np.repeat(states[:, None], _DRAWS, axis=1)) - self.field(0.0, states)[:, None]
        return np.sqrt((rates**2).mean(axis=(0, 1))) / _MISMATCH

    def widened(self, units: Array) -> Array:
        """One number for each state as one for each of its elements."""
        return np.repeat(units, [part.stop - part.start for part in self.field.slices.values()])


@dataclasses.dataclass(frozen=True, eq=False)
class FittedRates:
    """States that were tried, shape (samples, size), and what was fitted to their rates.

    What parts may err makes up at most `unsure` of each rate, times the share of a row that may be left.
    """

    states: Array
    moved: Array
    measured: Array
    rates: Array
    unsure: Array
    left: Array
    units: Array


def holding_states(
    deck: ForeignDeck, text: str, flow: Flow, states: Sequence[str], limit: float, where: str
) -> list[Capacitance]:
    """Capacitors that hold the states, in the order of the flow's; others next to them may have `limit` of theirs."""
    found = _chosen(deck, text, flow, states, where)
    held, least = {node.lower() for each in found for node in each.nodes} | {"0", "gnd"}, min(each.farads for each in found)
    for other in deck.capacitors:
        if other not in found and held.issuperset(map(str.lower, other.nodes)) and other.farads > limit * least:
            raise BadInput(
                f"{where}: {other.name} is between nodes of the capacitors that hold the states, and changes their rates; "
                "put them together to one for each state."
            )
    return found


def _chosen(deck: ForeignDeck, text: str, flow: Flow, states: Sequence[str], where: str) -> list[Capacitance]:
    size = sum(value.size for value in flow.states.values())
    if states:
        known = {each.name.lower(): each for each in deck.capacitors}
        if missing := [name for name in states if name.lower() not in known]:
            raise BadInput(f"{where}: there is no capacitor {missing[0]!r} outside of its subcircuits.")
        if len({name.lower() for name in states}) != size:
            raise BadInput(f"{where}: {len(states)} capacitors are named, and the flow has {size} states; name each once.")
        return [known[name.lower()] for name in states]
    largest = sorted(deck.capacitors, key=lambda each: -each.farads)
    found, others = largest[:size], largest[size:]
    if len(found) < size or (others and others[0].farads > _ALIKE * found[-1].farads):
        if said := _said_to_hold(deck, text, flow):
            return said
        raise BadInput(
            f"{where}: the flow has {size} states, and it is not clear which of {len(largest)} capacitors hold them; name "
            f"them in the order of the states, as in {','.join(each.name for each in largest[:2])}."
        )
    return sorted(found, key=lambda each: each.line)


def _said_to_hold(deck: ForeignDeck, text: str, flow: Flow) -> list[Capacitance]:
    """By far the largest capacitor at each node that a header of ours names as a state's; none where it does not tell."""
    found: list[Capacitance] = []
    for name, value in flow.states.items():
        line = re.search(rf"(?m)^\* signal: +{re.escape(name)} is (v\(\w+\)(?:, v\(\w+\))*)", text)
        nodes = re.findall(r"v\((\w+)\)", line[1]) if line else []
        if len(nodes) != value.size:
            return []
        for node in nodes:
            there = sorted((each for each in deck.capacitors if node in each.nodes), key=lambda each: -each.farads)
            if not there or there[0] in found or any(other.farads > _ALIKE * there[0].farads for other in there[1:]):
                return []
            found.append(there[0])
    return found


def measured_rates(pair: Pairing, volts: Array, nodes: Sequence[str] = ()) -> tuple[Array, Array]:
    """Rates in V/s of the states at `volts`, shape (samples, size), and voltages of `nodes`, shape (samples, nodes)."""
    deck, holding = pair.deck, pair.holding
    step = max((deck.end_time or 0.0) / 100, deck.thrown / (_SETTLE - 1)) or 1.0
    ends = (np.arange(len(volts)) + _SETTLE + 1) * step
    lines = list(deck.lines)
    for j, each in enumerate(holding):
        begins = np.r_[0.0, ends[:-1]]
        times = np.column_stack([begins, ends - _RAMP * step]).ravel()
        points = " ".join(f"{t!r} {v!r}" for t, v in zip(times.tolist(), np.repeat(volts[:, j], 2).tolist(), strict=True))
        lines[each.line] = f"Vprobe{j} {each.nodes[0]} {each.nodes[1]} pwl({points})"
    read = ends - (_RAMP + _READ) * step
    end = float(read[-1] + 0.05 * step)
    vectors = (*(f"i(vprobe{j})" for j in range(len(holding))), *(f"v({node})" for node in nodes))
    saved = (f".save {' '.join(vectors[k : k + 16])}" for k in range(0, len(vectors), 16))
    cards = ("* rates at given states", *lines, *saved, f".tran {step!r} {end!r} 0 {step!r} uic", ".end")
    reply = default_session().run(Request(deck=cards, vectors=vectors, end_time=end), time_limit=300.0)
    if reply.status != "done":
        raise SimulationFailed(f"ngspice found no rates of the netlist at the states that are tried: {reply.detail}.")
    found = np.array([np.interp(read, reply.time, reply.vectors[vector]) for vector in vectors]).T
    return found[:, : len(holding)] / [each.farads for each in holding], found[:, len(holding) :]


def fitted_rates(pair: Pairing, said: Array | None, aside: float) -> FittedRates:
    """Gains as the header has `said` them, or from small steps on the flow's manifold; then from states that these reach.

    Raises
    ------
    SimulationFailed
        ngspice finds no rates, or the flow stays where a comparator of parts may be thrown either way.
    """
    far = _tried(pair, _STATES, _SHARES, aside, pair.seed + 1)
    units = _gains(pair) if said is None else said
    every = np.ones(pair.field.size, dtype=bool)
    moved, rates = _led(pair, units, far)
    for _ in range(_ROUNDS):
        before, units = units, refined_gains(pair, units, moved, rates, every)
        if said is not None:
            units = said * np.clip(units / said, 1 / _TOLD, _TOLD)
        if abs(units / before - 1).max() < _SAME:
            break
        moved, rates = _led(pair, units, far)
    states = pair.start + moved / pair.widened(units)
    found, rest = row_rates(pair, units, moved, rates, every)
    moving = np.sqrt((pair.field(0.0, states) ** 2).mean(axis=0))
    unsure = _PARTS[pair.deck.built] * pair.spread / np.maximum(moving, 1e-300)
    return FittedRates(states, moved, rates, found, unsure, np.sqrt((rest**2).mean(axis=0)), units)


def _led(pair: Pairing, units: Array, far: Array) -> tuple[Array, Array]:
    """Volts from the start to states `far` from it, and the rates there."""
    moved = pair.widened(units) * (far - pair.start)
    if pair.deck.built and (most := abs(pair.volts + moved).max()) > _MOST_VOLTS:
        raise SimulationFailed(f"states beside the flow's own path would take {most:.1g} V, which no parts bear.")
    return moved, measured_rates(pair, pair.volts + moved)[0]


def refined_gains(pair: Pairing, units: Array, moved: Array, rates: Array, counted: NDArray[np.bool_]) -> Array:
    """Gains with which the equations of the rows that are `counted` leave least."""

    def left(logs: Array) -> Array:
        found, rest = row_rates(pair, units * np.exp(logs), moved, rates, counted)
        # Where a row is linear its rate and a gain may stand for each other: rows that are alike are likelier.
        told = found[counted & np.isfinite(found)]
        with np.errstate(all="ignore"):
            # 0 where nothing moves that should.
            apart = np.log(np.clip(told / abs(np.median(told)) if told.size else told, 1e-3, 1e3))
        return np.r_[rest[:, counted].ravel(), _LIKELY * np.pad(np.nan_to_num(apart), (0, counted.sum() - told.size))]

    return units * np.exp(
        scipy.optimize.least_squares(left, np.zeros(len(units)), x_scale=0.1, bounds=(-3, 3), max_nfev=60).x
    )


def said_gains(text: str, holding: Sequence[Capacitance], flow: Flow) -> Array | None:
    """Volts of one flow unit of each state across its capacitors, where a header of ours tells; a guess to begin with."""
    found: list[float] = []
    last, whole = iter(holding), re.search(r"(?m)^\* scale: +1 flow unit is (\S+) V", text)
    for name, value in flow.states.items():
        capacitor, *_ = [next(last) for _ in range(value.size)]
        line = re.search(rf"(?m)^\* signal: +{re.escape(name)} is v\((\w+)\)(?:.*1 flow unit is (\S+) V)?", text)
        if line is None or line[1] not in capacitor.nodes or not (volts := line[2] or (whole and whole[1])):
            return None
        found.append(spice_number(volts, "the header") * (1 if line[1] == capacitor.nodes[0] else -1))
    return np.array(found)


def _gains(pair: Pairing) -> Array:
    """The same from the rates at the start, and how these change with small steps along the flow's manifold."""
    field, start, free = pair.field, pair.start, pair.free
    near = _tried(pair, 2 * field.size + 2, _STEPS, ASIDE[0], pair.seed) - start
    # Volts of thermal size leave every kind of part in its range, whatever its gain.
    small = _SMALL * near / max(abs(near).max(), 1e-12)
    rates, _ = measured_rates(pair, np.concatenate([pair.volts[None], pair.volts + small, pair.volts - small]))
    across = np.eye(field.size) - free @ np.linalg.pinv(free)
    rates = rates @ across
    steps = (rates[1 : 1 + len(small)] - rates[1 + len(small) :]) / 2
    rates, exact, jacobian = rates[0], across @ field(0.0, start), across @ field.jacobian(start) @ across
    parts = list(field.slices.values())
    shares = np.zeros((len(parts), len(parts)))  # ρ g_s/g_t
    for i, row in enumerate(parts):
        columns = np.stack([(small[:, part] @ jacobian[row, part].T).ravel() for part in parts], axis=1)
        seen = np.linalg.norm(columns, axis=0) > 1e-9 * max(np.linalg.norm(columns), 1e-30)
        if seen.any():
            shares[i, seen] = np.linalg.lstsq(columns[:, seen], steps[:, row].ravel(), rcond=None)[0]
    own = [shares[i, i] for i in range(len(parts)) if shares[i, i]]
    mixed = [
        np.sqrt(abs(shares[i, j] * shares[j, i])) for i in range(len(parts)) for j in range(i) if shares[i, j] * shares[j, i]
    ]
    rate = float(np.median(own or mixed or [1.0]))
    gains = np.zeros(len(parts))
    largest = abs(exact).max(initial=0.0)
    for i, row in enumerate(parts):
        if abs(exact[row]).max() > 1e-6 * largest:
            gains[i] = (rates[row] @ exact[row]) / (rate * exact[row] @ exact[row])
    for _ in parts:
        for i, j in zip(*np.nonzero(shares), strict=True):
            if gains[i] and not gains[j]:
                gains[j] = rate * gains[i] / shares[i, j]
            elif gains[j] and not gains[i]:
                gains[i] = gains[j] * shares[i, j] / rate
    return np.where(gains == 0, 1.0, gains)


def row_rates(pair: Pairing, units: Array, moved: Array, rates: Array, counted: NDArray[np.bool_]) -> tuple[Array, Array]:
    """ρ of every row, and what the equations leave of the measured rates, over the size of those; of uncounted rows too.

    The states are where `moved` volts lead with `units` volts each. NaN where a row moves too little to tell its ρ.
    """
    (samples, size), wide, built = rates.shape, pair.widened(units), pair.deck.built
    with np.errstate(all="ignore"):
        exact = np.clip(np.nan_to_num(pair.field(0.0, pair.start + moved / wide) * wide), -1e30, 1e30)
    still = _STILL[built] * pair.spread * abs(wide)
    common, used = np.kron(np.eye(samples), pair.free), np.tile(counted, samples)
    known, held = exact.reshape(-1, 1), np.zeros((0, 1))
    if built:
        # One ρ of all, and what each row has beside it: alike where a common mode that is free, or rest, leaves it open.
        known = np.hstack([known, (exact[:, :, None] * np.eye(size)).reshape(-1, size)])
        sizes = _LIKELY * np.linalg.norm(exact, axis=0) + math.sqrt(samples) * _ERRED * pair.spread * abs(wide)
        held = np.hstack([np.zeros((size, 1)), np.diag(sizes)])
    held = np.pad(held, ((0, 0), (0, common.shape[1])))
    fitted = np.vstack([np.hstack([known, common])[used], held])
    found, *_ = np.linalg.lstsq(fitted, np.pad(rates.ravel()[used], (0, len(held))), rcond=None)
    rest = rates - (np.hstack([known, common]) @ found).reshape(rates.shape)
    found = found[0] + (found[1 : 1 + size] if built else np.zeros(size))
    sizes = np.sqrt((rates**2).mean(axis=0))
    sizes = np.maximum(sizes, max(FLOOR * sizes.max(), 1e-300))
    sizes = np.hypot(sizes, _PARTS[built] * pair.spread * abs(found * wide))
    return np.where(np.sqrt((exact**2).mean(axis=0)) > still, found, np.nan), rest / sizes


def _tried(pair: Pairing, count: int, shares: Sequence[float], aside: float, seed: int) -> Array:
    """States on the flow's manifold, shape (count, size): near its own path, pushed aside by these shares in turn."""
    flow, field, run = pair.flow, pair.field, pair.path
    chosen = pair.deck.built and len(shares) != len(_STEPS)
    thrown = [node for node in field.graph if isinstance(field.graph.block(node), Comparator)] if chosen else []
    near = chosen and aside < ASIDE[0]
    many = 4 * count if thrown or near else count
    # Most of them early, where the state moves: at rest, parts show their errors alone.
    times = float(run.time[-1]) * np.linspace(0, 1, many) ** 3
    points = np.searchsorted(run.time, times).clip(0, len(run.time) - 1)
    if len(shares) == len(_STEPS):
        points[:] = 0
    found, kept = [], {each.state: each for each in flow.keeps}
    for k, point in enumerate(points):
        at = {name: run.values[name][[point]] for name in flow.states}
        moved = perturbed(
            dataclasses.replace(flow, end_time=None), at, delta=shares[k % len(shares)], seed=seed, samples=[k]
        )
        beside = {name: np.ravel(at[name] + aside * (moved[name] - at[name])) for name in flow.states}
        states = field.pack({name: kept[name].onto(value) if name in kept else value for name, value in beside.items()})
        # What nothing may depend on is moved too, or else a leg that keeps it could be missing.
        found.append(states + aside * (k % 3 - 1) * pair.free.sum(axis=1) * np.ptp(states))
    states = np.array(found)
    if many == count:
        return states
    signals = field.signals(states)
    taken = np.ones(many, dtype=bool)
    for node in thrown:
        first, second = (signals[origin] for origin in field.graph.inputs(node))
        away = abs(np.broadcast_to(first - second, (many, field.graph.block(node).size)))
        taken &= (away >= _DECIDED * away.max(axis=0)).all(axis=1)
    if taken.sum() < _FEWEST:
        raise SimulationFailed("the flow stays where a comparator of parts may be thrown either way.")
    if near and (within := taken & _within(pair, signals)).sum() >= _FEWEST:
        taken = within
    places = np.flatnonzero(taken)
    return states[places[np.linspace(0, len(places) - 1, min(count, len(places))).astype(int)]]


def _within(pair: Pairing, signals: Mapping[str, Array]) -> NDArray[np.bool_]:
    """At which states every signal is about as large as along the flow's own path at most, if it is not 0 there."""
    along = pair.field.signals(pair.field.pack({name: pair.path.values[name] for name in pair.flow.states}))
    inside = np.ones(1, dtype=bool)
    for node, values in signals.items():
        size, most = abs(np.atleast_2d(values)), abs(np.atleast_2d(along[node])).max(axis=0)
        inside = inside & ((size <= _ROOM * most) | (most <= FLOOR * size.max(axis=0))).all(axis=1)
    return inside
