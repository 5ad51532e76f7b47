"""Which parts make the noise of a circuit's answer: each source's share of its variance where the circuit rests.

Linear about that point, and from the same sources as a run with ``--noise parts`` plays, in the band that its knots carry.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit, NoiseVoltage, Reading
from analogflow.compiler import circuit_of
from analogflow.errors import BadInput, SimulationFailed
from analogflow.noise import Noise
from analogflow.passes.device_noise import SOURCE_KINDS
from analogflow.passes.small_signal import linearised
from analogflow.run import longest_run, resting_speed
from analogflow.simulators import deck_for, simulate

__all__ = ["DeviceBudget", "DeviceLine", "noise_budget"]

Array = NDArray[np.float64]

_POINTS, _BELOW = 161, 100.0
"""Frequencies, equally spaced in their logarithm, that a density is summed over; how far below the band they begin."""


@dataclasses.dataclass(frozen=True)
class DeviceLine:
    """One source of noise, or all of a kind.

    Parameters
    ----------
    device : str
        Name of the part in the netlist; empty for a kind.
    kind : str
    block : str
        Group of the netlist that the part is in; empty for a kind.
    share : float
        Of the answer's variance, summed over its elements.
    rms : float
        What it makes of the answer, root of the sum of squares over its elements, flow units.
    """

    device: str
    kind: str
    block: str
    share: float
    rms: float


@dataclasses.dataclass(frozen=True, eq=False)
class DeviceBudget:
    """What makes the noise of a circuit's answer.

    Parameters
    ----------
    answer : str
        Name of the signal.
    rms : array, shape (size,)
        Of each of its elements, flow units.
    kinds, devices : tuple of DeviceLine
        By kind of source, and by part: the largest first.
    lowest, highest : float
        Band in hertz, in which the power is that of noise that is linear between knots. White noise goes on below it, and
        1/f rises no further there.
    """

    answer: str
    rms: Array
    kinds: tuple[DeviceLine, ...]
    devices: tuple[DeviceLine, ...]
    lowest: float
    highest: float

    def to_dict(self) -> dict[str, object]:
        """Plain numbers and names."""
        return {
            "answer": self.answer,
            "rms": self.rms.tolist(),
            "band_hertz": [self.lowest, self.highest],
            "kinds": [dataclasses.asdict(line) for line in self.kinds],
            "devices": [dataclasses.asdict(line) for line in self.devices],
        }


def noise_budget(
    circuit: Circuit,
    imperfections: Imperfections | None = None,
    *,
    noise: Noise,
    engine: str | None = None,
    time_constants: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> DeviceBudget:
    """Shares of the parts in the variance of a circuit's answer.

    Parameters
    ----------
    circuit : Circuit
        Of parts, as `compile` returns it.
    imperfections : Imperfections, optional
        How its parts deviate; its values are chosen before.
    noise : Noise
        Seed of the deviations, and the distance of the knots, which bounds the band. σ has no part in it.
    engine : str, optional
        Which finds where the circuit rests: a simulator of circuits.
    time_constants : float, optional
        Length of that run at most, and the longest period of the band.
    on_progress : callable, optional
        Called with the time of that run, in τ.

    Raises
    ------
    BadInput
        It has no parts, does not rest, or has an element without a small-signal model.
    SimulationFailed
        It did not come to rest.

    Notes
    -----
    The adjoint of G + jωC gives the transfer of every source at once (Rohrer, Nagel, Meyer and Weber, IEEE J. Solid-State
    Circuits SC-6, 204, 1971).
    """
    flow = circuit.flow
    if circuit.parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no parts whose noise could have a budget.")
    if flow.end_time is not None or flow.averaging is not None or flow.noisy:
        raise BadInput("the noise of parts has a budget where a circuit rests, and the answer of this one is on its way.")
    own = dataclasses.replace(noise, sigma=0.0, parts=True)
    noisy = circuit_of(circuit, imperfections=imperfections, noise=own)
    silent = circuit_of(circuit, imperfections=imperfections, noise=dataclasses.replace(own, parts=False))
    if flow.answer not in noisy.readings:
        raise BadInput(f"the answer {flow.answer!r} is no signal of this circuit, so that its noise has no budget.")
    nodes = sorted({node for element in silent.elements for node in element.nodes} - {"0"})
    probed = dataclasses.replace(silent, readings={**silent.readings, _PROBES: Reading(tuple(nodes), np.ones(len(nodes)))})
    length = time_constants or longest_run(flow, parts=True)
    deck = deck_for(probed, engine, time_constants=length)
    run = simulate(deck, engine=engine, resting_speed=resting_speed(silent), on_progress=on_progress)
    if not run.outcome.ok:
        raise SimulationFailed(f"where the circuit rests is not known, so that its noise has no budget: {run.outcome.value}")
    linear = linearised(noisy, dict(zip(nodes, run.final[_PROBES].tolist(), strict=True)))
    reading, tau = noisy.readings[flow.answer], noisy.units.time_constant
    spacing = own.step * tau
    lowest, highest = 1 / (max(run.time[-1], 1.0) * tau), 1 / spacing
    sources = {source.name: source for source in noisy.elements if isinstance(source, NoiseVoltage)}
    used = [sources[name] for name in linear.sources]
    white = np.array([2 * tau * source.density**2 for source in used])
    corner = np.array([source.corner for source in used])
    frequencies = np.geomspace(lowest / _BELOW, highest, _POINTS)
    gradient = linear.gradient(reading)
    density = np.array(
        [abs(linear.transfer(gradient, f)) ** 2 * white * (1 + corner / max(f, lowest)) for f in frequencies.tolist()]
    )
    played = density * (np.sinc(frequencies * spacing) ** 4)[:, None, None] * frequencies[:, None, None]
    variance = np.trapezoid(played, np.log(frequencies), axis=0) + played[0]
    return _budget(noisy, flow.answer, variance, [source.name for source in used], lowest, highest)


_PROBES = "every node"


def _budget(circuit: Circuit, answer: str, variance: Array, names: list[str], lowest: float, highest: float) -> DeviceBudget:
    total = float(variance.sum())
    groups = {f"{type(e).__name__} {e.name}": group.block for group in circuit.groups for e in group.elements}
    kinds: dict[str, float] = {}
    devices: dict[tuple[str, str, str], float] = {}
    for name, power in zip(names, variance.sum(axis=0).tolist(), strict=True):
        prefix, _, device = name.partition("_")
        part, kind = SOURCE_KINDS[prefix]
        where = device, kind, groups.get(f"{part} {device}", "")
        kinds[kind] = kinds.get(kind, 0.0) + power
        devices[where] = devices.get(where, 0.0) + power  # both inputs of an amplifier
    lines = [DeviceLine(*where, power / total, power**0.5) for where, power in devices.items()]
    by_kind = [DeviceLine("", kind, "", power / total, power**0.5) for kind, power in kinds.items()]
    first, second = (tuple(sorted(each, key=lambda line: -line.share)) for each in (by_kind, lines))
    return DeviceBudget(answer, np.sqrt(variance.sum(axis=1)), first, second, lowest, highest)
