"""Rates of change of a netlist at given states, and the gains and time constants with which they are those of a flow.

Every capacitor that holds a state is replaced by a source, whose current over the capacitance is then the rate at that
state: nothing is integrated.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.compiler import compile
from analogflow.errors import BadInput, SimulationFailed
from analogflow.flows import Flow
from analogflow.judgement.restart import perturbed
from analogflow.netlister.reading import Capacitance, ForeignDeck, spice_number
from analogflow.run import COMPARED
from analogflow.simulators import deck_for, simulate
from analogflow.simulators.ngspice.protocol import Request
from analogflow.simulators.ngspice.session import default_session

__all__ = [
    "ASIDE",
    "FLOOR",
    "FittedRates",
    "fitted_rates",
    "holding_states",
    "measured_rates",
    "refined_gains",
    "row_rates",
    "said_gains",
    "widened",
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

_STILL = 1e-9
"""Share of the largest rate below which a row does not move."""

_LIKELY = 1e-2
"""What a row of parts counts that is e times as fast as the others, in its rates' size."""

ASIDE = (0.3, 0.03)
"""Shares of the way to where a restart would begin that states are tried at: parts are scaled for their own path, and some
leave their range soon beside it."""

_SMALL, _ROUNDS, _SAME = 1e-3, 6, 1e-8
"""Volts of the first steps; times that the states are chosen anew, and the relative change of a gain at which they stay."""


@dataclasses.dataclass(frozen=True)
class FittedRates:
    """States that were tried, shape (samples, size), and what was fitted to their rates."""

    states: Array
    moved: Array
    measured: Array
    rates: Array
    left: Array
    units: Array
    start: Array
    free: Array


def holding_states(deck: ForeignDeck, size: int, states: Sequence[str], where: str) -> list[Capacitance]:
    """Capacitors that hold the states, in the order of the flow's."""
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
        raise BadInput(
            f"{where}: the flow has {size} states, and it is not clear which of {len(largest)} capacitors hold them; name "
            f"them in the order of the states, as in {','.join(each.name for each in largest[:2])}."
        )
    return sorted(found, key=lambda each: each.line)


def measured_rates(
    deck: ForeignDeck, holding: Sequence[Capacitance], volts: Array, nodes: Sequence[str] = ()
) -> tuple[Array, Array]:
    """Rates in V/s of the states at `volts`, shape (samples, size), and voltages of `nodes`, shape (samples, nodes)."""
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


def fitted_rates(
    deck: ForeignDeck,
    holding: Sequence[Capacitance],
    flow: Flow,
    field: VectorField,
    seed: int,
    said: Array | None,
    aside: float,
) -> FittedRates:
    """Gains as the header has `said` them, or from small steps on the flow's manifold; then from states that these reach."""
    start = field.pack({name: np.ravel(value) for name, value in flow.states.items()})
    volts = np.array([each.volts for each in holding])
    free = _neutral(flow, field)
    far = _tried(flow, field, _STATES, _SHARES, seed + 1, aside)
    units = _gains(deck, holding, flow, field, start, volts, free, seed) if said is None else said
    every = np.ones(field.size, dtype=bool)
    moved = widened(units, field) * (far - start)
    rates, _ = measured_rates(deck, holding, volts + moved)
    for _ in range(_ROUNDS - 1):
        before, units = units, refined_gains(units, moved, rates, field, start, free, deck.built, every)
        if abs(units / before - 1).max() < _SAME:
            break
        moved = widened(units, field) * (far - start)
        rates, _ = measured_rates(deck, holding, volts + moved)
    units = refined_gains(units, moved, rates, field, start, free, deck.built, every)
    states = start + moved / widened(units, field)
    found, rest = row_rates(states, widened(units, field), field, rates, free, deck.built, every)
    left = np.sqrt((rest**2).mean(axis=0))
    return FittedRates(states, moved, rates, found, left, units, start, free)


def refined_gains(
    units: Array,
    moved: Array,
    rates: Array,
    field: VectorField,
    start: Array,
    free: Array,
    built: bool,
    counted: NDArray[np.bool_],
) -> Array:
    """Gains with which the equations of the rows that are `counted` leave least."""

    def left(logs: Array) -> Array:
        tried = widened(units * np.exp(logs), field)
        found, rest = row_rates(start + moved / tried, tried, field, rates, free, built, counted)
        # Where a row is linear its rate and a gain may stand for each other: rows that are alike are likelier.
        with np.errstate(all="ignore"):  # of what does not move at all
            apart = np.log(np.clip(found[counted] / np.nanmedian(found[counted]), 1e-3, 1e3))
        return np.r_[rest[:, counted].ravel(), _LIKELY * np.nan_to_num(apart)]

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


def _gains(
    deck: ForeignDeck,
    holding: Sequence[Capacitance],
    flow: Flow,
    field: VectorField,
    start: Array,
    volts: Array,
    free: Array,
    seed: int,
) -> Array:
    """The same from the rates at the start, and how these change with small steps along the flow's manifold."""
    near = _tried(flow, field, 2 * field.size + 2, _STEPS, seed, ASIDE[0]) - start
    # Volts of thermal size leave every kind of part in its range, whatever its gain.
    small = _SMALL * near / max(abs(near).max(), 1e-12)
    rates, _ = measured_rates(deck, holding, np.concatenate([volts[None], volts + small, volts - small]))
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


def row_rates(
    states: Array, units: Array, field: VectorField, rates: Array, free: Array, each: bool, counted: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """ρ of every row, and what the equations leave of the measured rates, over the size of those; of uncounted rows too."""
    samples, size = rates.shape
    with np.errstate(all="ignore"):
        exact = np.clip(np.nan_to_num(field(0.0, states) * units), -1e30, 1e30)
    common = np.kron(np.eye(samples), free)
    columns = (exact[:, :, None] * np.eye(size)).reshape(-1, size) if each else exact.reshape(-1, 1)
    known, used = np.hstack([columns, common]), np.tile(counted, samples)
    found, *_ = np.linalg.lstsq(known[used], rates.ravel()[used], rcond=None)
    sizes = np.sqrt((rates**2).mean(axis=0))
    sizes = np.maximum(sizes, max(FLOOR * sizes.max(), 1e-300))
    rest = rates - (known @ found).reshape(rates.shape)
    found = np.broadcast_to(found[: columns.shape[1]], size)
    # Of a row that should not move, and does not, no rate can be told.
    return np.where(abs(exact).max(axis=0) > _STILL * abs(exact).max(), found, np.nan), rest / sizes


def _neutral(flow: Flow, field: VectorField) -> Array:
    """Directions, shape (size, k), in which a circuit may move as it likes: common modes, which change nothing."""
    found = []
    for kept in flow.keeps:
        if not kept.binding:
            found.append(np.zeros(field.size))
            found[-1][field.slices[kept.state]] = 1.0
    return np.array(found).T if found else np.zeros((field.size, 0))


def _tried(flow: Flow, field: VectorField, count: int, shares: Sequence[float], seed: int, aside: float) -> Array:
    """States on the flow's manifold, shape (count, size): near its own path, pushed aside by these shares in turn."""
    circuit = compile(flow)
    end = flow.end_time or COMPARED
    run = simulate(deck_for(circuit, "block", time_constants=end), engine="block")
    # Most of them early, where the state moves: at rest, parts show their errors alone.
    times = float(run.time[-1]) * np.linspace(0, 1, count) ** 3
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
        found.append(states + aside * (k % 3 - 1) * _neutral(flow, field).sum(axis=1) * np.ptp(states))
    return np.array(found)


def widened(units: Array, field: VectorField) -> Array:
    """One number for each state as one for each of its elements."""
    return np.repeat(units, [part.stop - part.start for part in field.slices.values()])
