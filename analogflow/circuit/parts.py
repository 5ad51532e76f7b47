"""What is known of real parts: plain data in SI units, read from a file by a technology."""

from __future__ import annotations

import dataclasses

from analogflow.circuit.models import Model

__all__ = ["Multiplier", "OpAmp", "PartSet", "Tolerances"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpAmp:
    """Operational amplifier with one pole.

    Parameters
    ----------
    name : str
        Identifier of its macro-model.
    gain : float
        Open loop, V/V.
    bandwidth : float
        Gain-bandwidth product, Hz.
    slew : float
        V/s.
    offset : float
        σ of the input offset voltage, volts.
    bias_current : float
        Into each input, amperes; a fact of the part that no model of ours uses.
    noise : float
        Input voltage noise, V/√Hz.
    headroom : float
        Volts between a supply rail and the output's limit.
    output_resistance : float
        Ohms.
    supply_current : float
        Amperes for each amplifier.
    """

    name: str
    gain: float
    bandwidth: float
    slew: float
    offset: float
    bias_current: float
    noise: float
    headroom: float
    output_resistance: float
    supply_current: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Multiplier:
    """Analog multiplier W = (X1 − X2)(Y1 − Y2)/scale + Z, or divider W = scale·N/D.

    Parameters
    ----------
    name : str
    scale : float
        Volts.
    bandwidth : float
        Hz.
    nonlinearity : float
        Of the X input, relative to full scale; the Y input has a quarter of it.
    offset : float
        σ of the offset of each input and of the output, volts.
    gain_error : float
        σ, relative.
    noise : float
        At the output, V/√Hz.
    limit : float
        Largest output, volts.
    supply_current : float
        Amperes.
    """

    name: str
    scale: float
    bandwidth: float
    nonlinearity: float
    offset: float
    gain_error: float
    noise: float
    limit: float
    supply_current: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tolerances:
    """σ of the deviations of passive parts and junctions, local (from part to part) and lot (common to one kind of part).

    Parameters
    ----------
    resistor, capacitor, area : float
        Relative, local.
    junction : float
        Of V_BE between transistors of one array, volts.
    resistor_lot, capacitor_lot : float
        Relative, common to all resistors and to all capacitors.
    junction_lot : float
        Volts, common to all transistors of one polarity.
    resistor_drift : float
        Per kelvin, relative, common to all resistors.
    """

    resistor: float
    capacitor: float
    area: float
    junction: float
    resistor_lot: float = 0.0
    capacitor_lot: float = 0.0
    junction_lot: float = 0.0
    resistor_drift: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PartSet:
    """The parts a circuit is built from.

    Parameters
    ----------
    name : str
    op_amp : OpAmp
    multiplier, divider : Multiplier
    tolerances : Tolerances
    supply : float
        Volts, of both rails.
    series : str
        Preferred values of resistors and capacitors, such as "E96"; empty for exact values.
    npn, pnp : Model
        Gummel-Poon models of the transistors.
    """

    name: str
    op_amp: OpAmp
    multiplier: Multiplier
    divider: Multiplier
    tolerances: Tolerances
    supply: float
    series: str
    npn: Model
    pnp: Model

    @property
    def swing(self) -> float:
        """Largest output of an op-amp, volts."""
        return self.supply - self.op_amp.headroom
