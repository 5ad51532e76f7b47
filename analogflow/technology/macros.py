"""Macro-models of parts: op-amps with two poles, slew, rails, offset and noise, and multipliers and dividers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit.build import Multiplier, OpAmp
from analogflow.circuit.elements import Behavioural, Capacitor, Element, Macro, Resistor
from analogflow.names import number

__all__ = ["divider_macro", "multiplier_macro", "op_amp_macro", "root_macro"]

_JOHNSON = 1.6567e-20
"""4 k T at 300 K, joules: a resistance of e²/(4kT) has the noise voltage e."""

_SUPPLY_PORT: dict[bool, tuple[str, ...]] = {False: (), True: ("vcc",)}

_POLE_CAPACITANCE = 1e-9
_CLAMP_CONDUCTANCE, _CLAMP_VOLTS = 0.1, 0.02
"""Least conductance of the clamp at a rail, siemens, and how far beyond it the charging current may push the node."""


def op_amp_macro(part: OpAmp, supply: float, temperature_kelvin: float = NOMINAL_KELVIN, *, powered: bool = False) -> Macro:
    """Macro-model with ports +, − and output, of a part at a temperature.

    One pole at bandwidth/gain, charged by a current that is limited, which is the slew rate, and where the part has one a
    second pole after it. Beyond the rails a clamp holds the charged node itself, so that the amplifier does not have to
    unwind. The parameter ``vos`` is the offset voltage; ``cm`` is what is added to the difference per volt that both inputs
    share, and ``ibp`` and ``ibn`` are the currents into them, where the part has such. One that is `powered` has a fourth
    port, the positive supply, which the rails follow.
    """
    swing = supply - part.headroom
    last = "g" if math.isinf(part.second_pole) else "h"
    largest = part.slew * _POLE_CAPACITANCE
    steepness = 2 * math.pi * part.bandwidth * _POLE_CAPACITANCE / largest
    limit = f"max(v(vcc)-{number(part.headroom)},0)" if powered else number(swing)
    clamp = max(_CLAMP_CONDUCTANCE, largest / _CLAMP_VOLTS)
    common = "+(v(p)+v(n))*0.5*({cm})" if math.isfinite(part.cmrr) else ""
    bias, biased = part.bias_current * part.warmed(temperature_kelvin), bool(part.bias_current or part.bias_spread)
    plus, minus = (_within_range(part, supply, pin) for pin in "pn")
    parameters = [("vos", 0.0)]
    parameters += [("cm", 0.0)] if common else []
    parameters += [("ibp", bias), ("ibn", bias)] if biased else []
    elements: tuple[Element, ...] = (
        Behavioural(
            "g", ("0", "g"), f"{number(largest)}*tanh(({plus}-{minus}+({{vos}}){common}+v(en))*{number(steepness)})"
        ),
        Resistor("g", ("g", "0"), part.gain / (2 * math.pi * part.bandwidth * _POLE_CAPACITANCE)),
        Capacitor("g", ("g", "0"), _POLE_CAPACITANCE, 0.0),
        Behavioural("l", ("g", "0"), f"{number(clamp)}*(max(v(g)-{limit},0)+min(v(g)+{limit},0))"),
        *_second_pole(part),
        Behavioural("o", ("0", "o"), f"v({last})*{number(1 / part.output_resistance)}"),
        Resistor("o", ("o", "0"), part.output_resistance),
        Resistor("en", ("en", "0"), max(part.noise**2 / _JOHNSON, 1e-3)),
        *_input_capacitors(part),
        *(Behavioural(f"ib{pin}", (pin, "0"), f"({{ib{pin}}})") for pin in "pn" if biased),
    )
    ports = ("p", "n", "o", *_SUPPLY_PORT[powered])
    return Macro(part.name, ports, elements, tuple(parameters), f"op-amp {part.name}, {supply:g} V supplies")


def _within_range(part: OpAmp, supply: float, pin: str) -> str:
    """Voltage of an input as the amplifier sees it: beyond its range it stands still."""
    voltage = f"v({pin})"
    if math.isfinite(part.input_low):
        voltage = f"max({voltage},{number(part.input_low - supply)})"
    if math.isfinite(part.input_high):
        voltage = f"min({voltage},{number(supply - part.input_high)})"
    return voltage


def _second_pole(part: OpAmp) -> Iterator[Element]:
    """Node ``h``, which follows the charged node through the second pole; nothing where there is none."""
    if math.isinf(part.second_pole):
        return
    resistance = 1e3
    yield Behavioural("h", ("0", "h"), f"v(g)*{number(1 / resistance)}")
    yield Resistor("h", ("h", "0"), resistance)
    yield Capacitor("h", ("h", "0"), 1 / (2 * math.pi * part.second_pole * resistance), 0.0)


def _input_capacitors(part: OpAmp) -> Iterator[Element]:
    for name, nodes, farads in (
        ("d", ("p", "n"), part.differential_capacitance),
        ("p", ("p", "0"), part.common_capacitance),
        ("n", ("n", "0"), part.common_capacitance),
    ):
        if farads:
            yield Capacitor(name, nodes, farads, 0.0)


def _staged(part: Multiplier, name: str, ports: tuple[str, ...], formula: str, note: str, powered_by: float | None) -> Macro:
    """Formula through one pole, limited, with noise, behind ten ohms.

    Its limit is in proportion to the supply at a last port where it is `powered_by` that many volts.
    """
    resistance = 1e3
    limit = number(part.limit) if powered_by is None else f"max(v(vcc),0)*{number(part.limit / powered_by)}"
    ports = (*ports, *_SUPPLY_PORT[powered_by is not None])
    elements: tuple[Element, ...] = (
        Behavioural("g", ("0", "g"), f"{number(1 / resistance)}*min(max({formula},-{limit}),{limit})"),
        Resistor("g", ("g", "0"), resistance),
        Capacitor("g", ("g", "0"), 1 / (2 * math.pi * part.bandwidth * resistance), 0.0),
        Resistor("en", ("en", "0"), max(part.noise**2 / _JOHNSON, 1e-3)),
        Behavioural("o", ("0", "w"), "0.1*(v(g)+v(en))"),
        Resistor("o", ("w", "0"), 10.0),
    )
    parameters = (("gain", 1.0), ("xos", 0.0), ("yos", 0.0), ("zos", 0.0))
    return Macro(name, ports, elements, parameters, note)


def multiplier_macro(part: Multiplier, *, powered_by: float | None = None) -> Macro:
    """W = gain (X + xos)(Y + yos)/scale + Z + zos, bent by the part's nonlinearity; ports x1, x2, y1, y2, z, w."""
    x, y = "(v(x1)-v(x2)+({xos}))", "(v(y1)-v(y2)+({yos}))"
    # A cubic that vanishes at zero and at full scale, and is largest between them; 2.6 makes its largest value 1.
    bend = "".join(
        f"+{number(2.6 * strength)}*{u}*(1-{u}*{u}*{number(1 / part.scale**2)})*{other}*{number(1 / part.scale)}"
        for u, other, strength in ((x, y, part.nonlinearity), (y, x, part.nonlinearity / 4))
        if strength
    )
    formula = f"({{gain}})*{x}*{y}*{number(1 / part.scale)}+v(z)+({{zos}}){bend}"
    return _staged(part, part.name, ("x1", "x2", "y1", "y2", "z", "w"), formula, f"multiplier {part.name}", powered_by)


def divider_macro(part: Multiplier, *, powered_by: float | None = None) -> Macro:
    """W = gain · scale · (N + xos)/(D + yos) + zos for D above a thousandth of the scale; ports n, d, w."""
    least = number(1e-3 * part.scale)
    formula = f"({{gain}})*{number(part.scale)}*(v(n)+({{xos}}))/max(v(d)+({{yos}}),{least})+({{zos}})"
    return _staged(part, f"{part.name}_divider", ("n", "d", "w"), formula, f"{part.name} as a divider", powered_by)


def root_macro(part: Multiplier, *, powered_by: float | None = None) -> Macro:
    """W = gain · √(scale · (N + xos)) + zos for N above a millionth of the scale; ports n, w."""
    least = number(1e-6 * part.scale)
    formula = f"({{gain}})*sqrt({number(part.scale)}*max(v(n)+({{xos}})+0*({{yos}}),{least}))+({{zos}})"
    return _staged(part, f"{part.name}_root", ("n", "w"), formula, f"{part.name} as a square rooter", powered_by)
