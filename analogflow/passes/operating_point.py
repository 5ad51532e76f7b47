"""Where a circuit of parts rests, found from its elements alone, without a simulator.

Conductances from every node to ground hold it first, and are taken away as far as Newton's method follows; then its
integrators, held at their start until there, are let go.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Capacitor, Circuit, Group, Instance, NoiseVoltage, VoltageSource
from analogflow.errors import BadInput, SimulationFailed
from analogflow.passes.device_noise import DEVICE_GROUP
from analogflow.passes.small_signal import Assembly

__all__ = ["integrating_capacitors", "rest_volts"]

Array = NDArray[np.float64]

_FIRST, _LAST, _QUICKEST, _SLOWEST = 1.0, 1e-15, 100.0, 1.003
"""Siemens from each node to ground, from first to last, and by what factor they fall at most and at least in one turn."""

_HELD = 1e-2
"""Siemens across a capacitor that is held at its voltage."""

_ROUNDS, _FEW, _FARTHEST, _NEAR = 100, 25, 0.2, 1e-9
"""Newton's steps at most, and how many are few; volts that a node goes in one of them at most; volts of the last."""

_SHORTEST, _LONGEST = 0.02, 1e7
"""Steps in τ by which the integrators are let go: as they grow they lead to where nothing moves."""


def integrating_capacitors(circuit: Circuit) -> dict[str, Capacitor]:
    """Capacitor that holds each element of each state of the circuit's graph, by the node that it is read from.

    Raises
    ------
    BadInput
        A state is held by what is no amplifier with a capacitor.
    """
    around = {e.nodes[1:3] for e in circuit.elements if isinstance(e, Instance) and len(e.nodes) >= 3}
    held = {
        end: e
        for e in circuit.elements
        if isinstance(e, Capacitor)
        for start, end in (e.nodes[:2], e.nodes[1::-1])
        if (start, end) in around
    }
    read = [
        (state, node)
        for state in circuit.graph.states
        for node in (circuit.readings[state].vectors if state in circuit.readings else ("",))
    ]
    if other := [state for state, node in read if node not in held]:
        raise BadInput(
            f"the block engine plays noise of parts to integrators, and the state {other[0]!r} of this circuit is held by "
            "what is no amplifier with a capacitor; take the engine ngspice or vacask."
        )
    return {node: held[node] for _, node in read}


def rest_volts(circuit: Circuit) -> dict[str, float]:
    """Volts of every node where a circuit of parts rests, its integrators released from their start.

    Raises
    ------
    BadInput
        It has an element without a small-signal model, or a state that is held by no amplifier with a capacitor.
    SimulationFailed
        No rest was found.

    Notes
    -----
    Conductances to ground are those of SPICE's ``gmin`` stepping (L. W. Nagel, SPICE2, UCB/ERL M520, 1975). What is let go
    moves as the circuit itself does, by implicit steps of its integrators alone, all else at rest at every moment.
    """
    assembly = Assembly(_quiet(circuit))
    capacitors = integrating_capacitors(circuit).values()
    ends = np.array([[assembly.rows[node] for node in each.nodes[:2]] for each in capacitors])
    charges = np.array([each.capacitance for each in capacitors]) / circuit.units.time_constant
    volts = np.array([each.initial for each in capacitors])
    nodes = len(assembly.rows)
    start = np.zeros(nodes + len(assembly.branches))
    for name, row in assembly.rows.items():
        start[row] = circuit.start.get(name, 0.0)
    x = _without_leaks(assembly, start, ends, volts)
    step, moved = _SHORTEST, np.inf
    while step < _LONGEST:
        found = _newton(assembly, x, 0.0, ends, charges / step, x[ends[:, 0]] - x[ends[:, 1]])
        if found is None:
            step /= 4
            if step < _SHORTEST / 1e6:
                raise SimulationFailed("no rest of the circuit was found: it can not be followed from its start.")
            continue
        moved, x = float(abs(found[0] - x)[:nodes].max()), found[0]
        step *= 2
    if moved > 1e-3:
        raise SimulationFailed("no rest of the circuit was found: its integrators go on moving.")
    return dict(zip(assembly.rows, x[:nodes].tolist(), strict=True))


def _quiet(circuit: Circuit) -> Circuit:
    """The circuit without the elements that play the noise of its parts; what they are in series with stays joined."""

    def kept() -> Iterator[Group]:
        for group in circuit.groups:
            if group.block != DEVICE_GROUP:
                yield group
                continue
            joined = [e for e in group.elements if isinstance(e, NoiseVoltage) and len(e.nodes) > 1]
            yield dataclasses.replace(group, elements=tuple(VoltageSource(e.name, e.nodes[:2], 0.0) for e in joined))

    return dataclasses.replace(circuit, groups=tuple(kept()))


def _without_leaks(assembly: Assembly, x: Array, ends: NDArray[np.intp], volts: Array) -> Array:
    """Unknowns while integrators are held, followed as conductances to ground go away."""
    leak, factor = _FIRST, 10.0
    holding = np.full(len(ends), _HELD)
    while leak > _LAST:
        found = _newton(assembly, x, leak, ends, holding, volts)
        if found is None:
            leak, factor = leak * factor, factor**0.5
            if factor < _SLOWEST:
                raise SimulationFailed("no rest of the circuit was found: Newton's method finds none at its start.")
        else:
            x, few = found
            factor = min(factor**1.5, _QUICKEST) if few else factor
        leak /= factor
    return x


def _newton(
    assembly: Assembly, x: Array, leak: float, ends: NDArray[np.intp], holding: Array, volts: Array
) -> tuple[Array, bool] | None:
    """Unknowns at which all currents cancel, and whether few steps led there; None where none does.

    `leak` siemens join each node to ground, and `holding` the ends of each capacitor, less its `volts`.
    """
    nodes, (plus, minus) = len(assembly.rows), ends.T
    for turn in range(_ROUNDS):
        left, slope = assembly.system(x)
        left[:nodes] += leak * x[:nodes]
        slope[range(nodes), range(nodes)] += leak
        currents = holding * (x[plus] - x[minus] - volts)
        for one, other, way in ((plus, minus, 1.0), (minus, plus, -1.0)):
            np.add.at(left, one, way * currents)
            np.add.at(slope, (one, one), holding)
            np.add.at(slope, (one, other), -holding)
        try:
            step = np.linalg.solve(slope, -left)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        largest = float(abs(step[:nodes]).max())
        step[:nodes] = np.clip(step[:nodes], -_FARTHEST, _FARTHEST)
        x = x + step
        if largest < _NEAR:
            return x, turn < _FEW
    return None
