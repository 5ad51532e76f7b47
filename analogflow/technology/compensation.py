"""How the loops of amplifiers are kept stable: the capacitor across what feeds an op-amp's summing node.

A conductance g and a capacitor C from the amplifier's output to its summing node, on which C_s stays, feed back
(g + sC)/(s(C + C_s)) where g is that of a transistor, whose collector holds no voltage: below the zero at g/C the loop falls
with the square of the frequency, so it has to be crossed well above. Where g is a resistor, (g + sC)/(g + s(C + C_s)) is fed
back, whose phase has a largest lag that C and C_s alone decide.
"""

from __future__ import annotations

import math

from analogflow.circuit.build import OpAmp
from analogflow.circuit.elements import Model

__all__ = [
    "across_resistor",
    "across_transistor",
    "collector_capacitance",
    "junction_conductance",
    "loop_delay",
]

_BELOW = 5.0
"""How far the zero lies below the crossover: it takes atan(1/5), 11 degrees, of the amplifier's own phase margin."""

_BESIDE = 2.0
"""C over C_s at which the largest lag of a resistor's feedback is asin(1/5), 12 degrees."""

_BOARD = 10e-12
"""Farads that loops are made for beside what is known of parts: the board's, and those of an input without a figure."""


def across_transistor(op_amp: OpAmp, conductance: float, stray: float = 0.0) -> float:
    """Farads across a transistor of at most `conductance` siemens, with `stray` farads of others at the summing node.

    An amplifier with the gain-bandwidth product B and one pole is crossed at B C/(C + C_s), and the zero lies at a fifth of
    that: C²/(C + C_s) = 5 g/(2πB).
    """
    alone = _BELOW * conductance / (2 * math.pi * op_amp.bandwidth)
    return alone / 2 + math.sqrt(alone**2 / 4 + alone * (stray + _BOARD + op_amp.input_capacitance))


def across_resistor(op_amp: OpAmp, resistance: float, stray: float = 0.0) -> float:
    """Farads across a resistor, with `stray` farads of other parts at the summing node.

    Twice what stays there, or less where that already puts the zero well below the crossover.
    """
    held = _BESIDE * (stray + _BOARD + op_amp.input_capacitance)
    return min(held, across_transistor(op_amp, 1 / resistance, stray))


def junction_conductance(current: float, thermal_voltage: float, drive: float, load: float) -> float:
    """Siemens from an amplifier's output to the collector of a transistor whose emitter it drives.

    Parameters
    ----------
    current : float
        Of the transistor, amperes.
    thermal_voltage : float
        kT/q, volts.
    drive : float
        Ohms between the output and the emitter.
    load : float
        Siemens of what else hangs on the emitter.
    """
    return 1 / (thermal_voltage / current * (1 + drive * load) + drive)


def loop_delay(op_amp: OpAmp, capacitance: float, conductance: float) -> float:
    """Seconds by which what is fed back lags a current into the summing node: C/g, and 1/(2πB) of the amplifier.

    A second pole and what stays on the summing node bend the gain, but add nothing to first order in frequency.
    """
    return capacitance / conductance + 1 / (2 * math.pi * op_amp.bandwidth)


def collector_capacitance(model: Model) -> float:
    """Farads of a collector of unit area at zero bias."""
    return dict(model.parameters).get("cjc", 0.0)
