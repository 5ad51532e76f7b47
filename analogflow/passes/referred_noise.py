"""Noise of parts as a block graph knows it: referred to the inputs of its integrators, and to what is read.

Each source keeps its stream. Its way to each integrator is the circuit's own, linear about where that rests, and at once:
the poles of the amplifiers are no part of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.circuit import Circuit, NoiseVoltage
from analogflow.errors import BadInput, SimulationFailed
from analogflow.passes.operating_point import integrating_capacitors, rest_volts
from analogflow.passes.small_signal import linearised

__all__ = ["ReferredNoise", "refer_noise"]

Array = NDArray[np.float64]

_UNSEEN, _TURNS = 1e-6, 8
"""Singular value, over the largest, below which nothing is seen; Newton's steps from one rest to the other."""

_APART = 0.25
"""How far the motion about the rest may be from that of the equations, over it."""


@dataclasses.dataclass(frozen=True, eq=False)
class ReferredNoise:
    """What the sources of noise in the parts of a circuit do to its states' rates, and beside them to what is read.

    Parameters
    ----------
    sources : tuple of NoiseVoltage
    rates : mapping of state to array, shape (size, sources)
        Flow units per τ that a volt of each source adds to a rate.
    readings : mapping of signal to array, shape (size, sources)
        Flow units that a volt of each source adds to what is read while the integrators stand still.
    rest : array, shape (n,)
        Where the equations rest, flow units, all states one after another.
    bent : array, shape (n, n)
        By how much the circuit's rates change more with the states there than the equations', per τ: values that can be
        bought make some rows weaker or stronger.
    """

    sources: tuple[NoiseVoltage, ...]
    rates: Mapping[str, Array]
    readings: Mapping[str, Array]
    rest: Array
    bent: Array

    def volts(self, circuit: Circuit, time_constants: float) -> Array:
        """Volts of each source at the knots of the circuit's noise, shape (knots, sources)."""
        noise = circuit.noise
        spacing = noise.step * circuit.units.time_constant
        streams, corners = [each.stream for each in self.sources], [each.corner for each in self.sources]
        drawn = noise.played(circuit.sample, streams, corners, spacing, time_constants)
        return drawn * noise.amplitude(np.array([each.density for each in self.sources]))


def refer_noise(circuit: Circuit) -> ReferredNoise:
    """Transfers of the sources of noise in a circuit's parts to its integrators, where it rests.

    Parameters
    ----------
    circuit : Circuit
        With the noise of its parts, as `with_device_noise` makes it.

    Raises
    ------
    BadInput
        Its answer is not where it rests, it has an element without a small-signal model, or a state that is held by no
        amplifier with a capacitor.
    SimulationFailed
        No rest was found, or the circuit moves about it otherwise than its equations.

    Notes
    -----
    With the voltages of the integrating capacitors held, G x + P i = E n and Pᵀ x = v give their currents i, and so the
    rates τ i/C, and all other voltages x. Noise that is quicker than the amplifiers is passed on whole.
    """
    flow = circuit.flow
    if flow.end_time is not None or flow.averaging is not None or flow.noisy or flow.clock:
        raise BadInput(
            "the block engine plays noise of parts about where a circuit rests, and the answer of this one is on its way; "
            "take the engine ngspice or vacask."
        )
    linear = linearised(circuit, rest_volts(circuit))
    capacitors = integrating_capacitors(circuit).values()
    size, count = len(linear.rest), len(capacitors)
    joined = np.zeros((size, count))
    for k, each in enumerate(capacitors):
        for node, way in zip(each.nodes, (1.0, -1.0), strict=True):
            joined[linear.rows[node], k] = way
    system = np.block([[linear.conductance, joined], [joined.T, np.zeros((count, count))]])
    of_parts = {each.name: each for each in circuit.elements if isinstance(each, NoiseVoltage) and each.of_part}
    rows = [linear.sources[name] for name in of_parts]
    driven = np.zeros((size + count, len(rows) + count))
    driven[[*rows, *range(size, size + count)], range(len(rows) + count)] = 1.0
    found = np.linalg.solve(system, driven)
    by_source, by_volt = found[:, : len(rows)], found[:, len(rows) :]
    per_farad = circuit.units.time_constant / np.array([each.capacitance for each in capacitors])[:, None]
    labels = list(circuit.graph.states)
    of_states = np.concatenate([linear.gradient(circuit.readings[label]) for label in labels])
    shown = of_states @ by_volt[:size]
    charged, moved = per_farad * by_source[size:], per_farad * by_volt[size:]
    whole = _whole(shown)
    slopes = whole @ np.linalg.solve(whole.T, moved.T).T
    ends = np.cumsum([circuit.readings[label].size for label in labels])[:-1]
    read = [circuit.readings[label] for label in labels]
    rest, own = _own_rest(circuit, np.concatenate([r.apply(linear.rest[[linear.rows[v] for v in r.vectors]]) for r in read]))
    seen = shown @ np.linalg.pinv(shown)
    if np.linalg.norm(seen @ (slopes - own) @ seen) > _APART * np.linalg.norm(seen @ own @ seen):
        raise SimulationFailed(
            "about its rest the circuit moves otherwise than its equations, so that the block engine can not play the noise "
            "of its parts; take the engine ngspice or vacask."
        )
    readings = {name: linear.gradient(reading) @ by_source[:size] for name, reading in circuit.readings.items()}
    by_state = dict(zip(labels, np.split(whole @ charged, ends), strict=True))
    return ReferredNoise(tuple(of_parts.values()), by_state, readings, rest, slopes - own)


def _whole(shown: Array) -> Array:
    """What states are worth, per volt of each capacitor, also where readings leave out what all integrators share."""
    left, sizes, right = np.linalg.svd(shown)
    unseen = sizes < _UNSEEN * sizes[0]
    if not unseen.any():
        return shown
    # Bases of what is seen on neither side are any: those are taken that turn one into the other least.
    one, _, other = np.linalg.svd(left[:, unseen].T @ right[unseen].T)
    beside = left[:, unseen] @ one @ other @ right[unseen]
    return shown + np.sign(np.trace(shown)) * sizes[0] * beside


def _own_rest(circuit: Circuit, near: Array) -> tuple[Array, Array]:
    """Where the equations rest, in flow units, and their slopes there, per τ."""
    field = VectorField(circuit.graph)
    scale = np.concatenate(
        [np.broadcast_to(circuit.units.scales.get(s, 1.0), len(p)) for s, p in field.unpack(near).items()]
    )
    y = near * scale
    for _ in range(_TURNS):
        y = y - np.linalg.pinv(field.jacobian(y), rcond=_UNSEEN) @ field(0.0, y)
    return y / scale, field.jacobian(y) * scale / scale[:, None]
