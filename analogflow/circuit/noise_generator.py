"""What has to make the noise that a circuit of parts plays: how much in which band, and the simplest part that does.

That is a resistor, whose thermal noise follows from its temperature alone, and amplifiers of the circuit's own kind behind
it. Where these do not reach, the noise comes from outside; diodes make more of it, but no formula tells how much.
"""

from __future__ import annotations

import dataclasses
import math

import scipy

from analogflow.circuit.build import OpAmp
from analogflow.circuit.circuit import Circuit
from analogflow.circuit.elements import NoiseVoltage
from analogflow.digits import engineering

__all__ = ["NoiseGenerator", "noise_generator", "noises_of_the_flow"]

_HALF_POWER = 0.319
"""Frequency, over that of the knots, at which noise that is linear between them has half its power: sinc⁴ is ½ there."""

_ABOVE = 10.0
"""Power of the resistor's noise over that of the voltage noise of the amplifier behind it."""

_MOST_STAGES = 6
_PEAK = 4.0
"""Standard deviations that an output must reach."""


@dataclasses.dataclass(frozen=True)
class NoiseGenerator:
    """White noise that a circuit needs at one node, and what makes it.

    Parameters
    ----------
    density : float
        V/√Hz, one-sided.
    lowest, highest : float
        Band in which it must be flat, Hz: from one period in the time that the law is averaged over, to where the noise that
        is simulated has half its power.
    resistance : float
        Ohms; the thermal noise of that resistor is amplified.
    gain : float
        From the resistor's noise, and the noise of the first amplifier, to `density`.
    stages : int
        Amplifiers one after another, coupled by capacitors; 0 where no number of them up to six has the bandwidth and swing.
    op_amp : OpAmp
    """

    density: float
    lowest: float
    highest: float
    resistance: float
    gain: float
    stages: int
    op_amp: OpAmp

    @property
    def rms(self) -> float:
        """Volts, behind a single pole at `highest`."""
        return self.density * math.sqrt(0.5 * math.pi * self.highest)

    @property
    def demand(self) -> str:
        """What it must deliver, in words."""
        return f"{engineering(self.density)}V/√Hz from {engineering(self.lowest)}Hz to {engineering(self.highest)}Hz"

    @property
    def making(self) -> str:
        """What makes it, in words."""
        if not self.stages:
            return f"external: no resistor and {_MOST_STAGES} stages of {self.op_amp.name} make it"
        return (
            f"{engineering(self.resistance)}Ω, its noise amplified {self.gain:.3g} times in {self.stages} "
            f"stage{'s' if self.stages > 1 else ''} of {self.op_amp.name}"
        )


def noises_of_the_flow(circuit: Circuit) -> list[NoiseVoltage]:
    """Sources that are part of what is computed; the others are what conditions assume at integrators, and nobody buys."""
    sources = sorted((source for source in circuit.noises() if not source.of_part), key=lambda source: source.stream)
    assumed = sum(start.size for start in circuit.flow.states.values()) if circuit.noise.sigma else 0
    return sources[: len(sources) - assumed] if circuit.flow.noisy else []


def noise_generator(circuit: Circuit, source: NoiseVoltage) -> NoiseGenerator:
    """What a noise source of a circuit of parts is made by.

    Notes
    -----
    A source of density d per √τ has the one-sided density d √(2τ). The resistor is the one whose 4kTR is ten times the
    squared voltage noise of the amplifier; what that adds, and the shot noise of its bias current in the resistor, are
    counted. Data sheets give these as typical, so that the gain has to be trimmed.
    """
    parts, averaging = circuit.parts, circuit.flow.averaging
    assert parts is not None  # ideal elements play noise by themselves
    op_amp, tau = parts.op_amp, circuit.units.time_constant
    density = source.density * math.sqrt(2 * tau)
    highest = _HALF_POWER / (circuit.noise.step * tau)
    lowest = 0.0 if averaging is None else 1 / (averaging.time * tau)
    thermal = 4 * scipy.constants.Boltzmann * circuit.temperature_kelvin
    resistance = float(f"{_ABOVE * op_amp.noise**2 / thermal:.2g}")
    bias = math.hypot(op_amp.bias_current, op_amp.bias_spread)
    own = thermal * resistance + op_amp.noise**2 + 2 * scipy.constants.e * bias * resistance**2
    made = NoiseGenerator(density, lowest, highest, resistance, density / math.sqrt(own), 0, op_amp)
    swings = _PEAK * made.rms <= parts.supply - op_amp.headroom
    enough = (n for n in range(1, _MOST_STAGES + 1) if _bandwidth(op_amp, made.gain, n) >= highest)
    return dataclasses.replace(made, stages=next(enough, 0) if swings else 0)


def _bandwidth(op_amp: OpAmp, gain: float, stages: int) -> float:
    """Hertz at which as many equal stages have lost half their power."""
    return op_amp.bandwidth / max(gain ** (1 / stages), 1.0) * math.sqrt(2 ** (1 / stages) - 1)
