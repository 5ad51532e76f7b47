"""Every number of a part has a bench of its own: ngspice measures the model, a table of what makers' sheets say judges it.

The table is entered here by hand, and not read from the parts' file; what nobody could look up is marked, and so is checked
only to be what the model does.
"""

from __future__ import annotations

import dataclasses
import math

import pytest
from spice_bench import measured

from analogflow.circuit.build import NOMINAL_CELSIUS, AnalogSwitch, Multiplier, OpAmp
from analogflow.circuit.elements import Instance, Resistor, Switch, VoltageSource, simulated
from analogflow.circuit.loads import ABOVE, Levels, check_loads
from analogflow.errors import BadInput
from analogflow.netlister.spice import card, macro_cards, model_card
from analogflow.passes.spread import amplifier_parameters
from analogflow.technology import op_amp_macro
from analogflow.technology.macros import multiplier_macro
from analogflow.technology.part_sets import _numbers, catalogue, part_set

pytestmark = pytest.mark.ngspice

ROOM = NOMINAL_CELSIUS + 273.15
SUPPLY = 15.0

UNREAD = "general knowledge, sheet not read"
TI_FRONT, TI_INPUTS = "TI SBOS079C, page 1", "TI SBOS079C, 7.3.2"
MACRO = "maker's macro-model OPA277 rev. B, AC analysis with 2 kilohms"
ST072, TI324, ST324 = "ST TL072, electrical characteristics", "TI SLOS066AE, 6.5", "ST LM324 (Doc ID 2156), table 2"
ADG412 = "Analog Devices ADG411/ADG412/ADG413 rev. D, page 3, dual supply"
AD633, AD734 = "Analog Devices AD633, specifications", "Analog Devices AD734, specifications"

SHEETS = {
    ("op_amp", "opa2277"): {
        "gain": (10 ** (134 / 20), TI_FRONT),
        "bandwidth": (1.0e6, UNREAD),
        "phase_margin": (65.0, MACRO),
        "slew": (0.8e6, UNREAD),
        "offset": (10e-6, TI_FRONT),
        "bias_current": (0.0, TI_INPUTS),
        "bias_spread": (1e-9 / 2, TI_FRONT),
        "offset_drift": (0.1e-6, TI_FRONT),
        "cmrr": (10 ** (140 / 20), TI_FRONT),
        "noise": (8e-9, UNREAD),
        "headroom": (2.0, UNREAD),
        "output_resistance": (50.0, UNREAD),
        "largest_supply": (18.0, TI_FRONT),
        "output_current": (10 / 2e3, "Burr-Brown OPA2277, heading of the specifications: 2 kilohms"),
    },
    ("op_amp", "tl072"): {
        "gain": (200e3, ST072),
        "bandwidth": (4e6, ST072),
        "phase_margin": (45.0, ST072),
        "slew": (16e6, ST072),
        "offset": (3e-3, ST072),
        "bias_current": (20e-12, ST072),
        "bias_spread": (5e-12 / math.sqrt(2), ST072),
        "bias_doubling": (10.0, ST072),
        "offset_drift": (10e-6, ST072),
        "cmrr": (10 ** (86 / 20), ST072),
        "noise": (15e-9, ST072),
        "headroom": (15.0 - 13.5, ST072),
        "output_resistance": (100.0, UNREAD),
        "output_current": (10 / 2e3, ST072),
        "largest_supply": (18.0, f"{ST072}, absolute maximum ratings"),
        "input_low": (15.0 - 12.0, ST072),
        "input_high": (15.0 - 15.0, ST072),
    },
    ("op_amp", "ad8676"): {
        "gain": (10 ** (126 / 20), UNREAD),
        "bandwidth": (10e6, UNREAD),
        "slew": (2.5e6, UNREAD),
        "offset": (12e-6, UNREAD),
        "noise": (2.8e-9, UNREAD),
        "headroom": (0.5, UNREAD),
        "output_resistance": (30.0, UNREAD),
    },
    ("op_amp", "lm324"): {
        "gain": (10 ** (100 / 20), ST324),
        "bandwidth": (1.2e6, UNREAD),
        "phase_margin": (64.0, "TI's macro-model LM324 of 1989, AC analysis with 2 kilohms"),
        "slew": (0.5e6, UNREAD),
        "offset": (2e-3, ST324),
        "bias_current": (-20e-9, ST324),
        "bias_spread": (2e-9 / math.sqrt(2), ST324),
        "offset_drift": (7e-6, ST324),
        "cmrr": (10 ** (80 / 20), TI324),
        "noise": (40e-9, ST324),
        "headroom": (1.5, TI324),
        "output_resistance": (100.0, UNREAD),
        "differential_capacitance": (0.1e-12, TI324),
        "common_capacitance": (1.5e-12, TI324),
        "output_current": (10e-3, ST324),
        "largest_supply": (16.0, "ST LM324, absolute maximum ratings"),
        "input_low": (0.0, f"{ST324}, note 3"),
        "input_high": (1.5, f"{ST324}, note 3"),
    },
    ("multiplier", "ad633"): {
        "scale": (10.0, AD633),
        "bandwidth": (1e6, AD633),
        "nonlinearity": (0.4e-2, AD633),
        "offset": (5e-3, UNREAD),
        "gain_error": (0.25e-2, AD633),
        "noise": (0.8e-6, UNREAD),
        "limit": (11.0, UNREAD),
    },
    ("multiplier", "ad734"): {
        "scale": (10.0, AD734),
        "bandwidth": (10e6, AD734),
        "nonlinearity": (0.1e-2 / 4, UNREAD),
        "offset": (1e-3, UNREAD),
        "gain_error": (0.1e-2 / 2, AD734),
        "noise": (1.0e-6, AD734),
        "limit": (12.0, UNREAD),
        "output_current": (10 / 1e3, "Analog Devices AD734 rev. B, page 4"),
    },
    ("switch", "adg412"): {
        "on_resistance": (25.0, ADG412),
        "leakage": (0.1e-9, ADG412),
        "charge": (5e-12, ADG412),
        "off_time": (100e-9, ADG412),
    },
    ("switch", "adg1412"): {
        "on_resistance": (1.5, "Analog Devices ADG1412 rev. B, page 1"),
    },
}
"""What each number is, and where that was read."""

ELSEWHERE = {"name", "supply_current", "noise_corner", "current_noise"}
"""Fields that no macro-model has: the parts list counts the second, the pass of the parts' noise plays the others."""


KINDS = {"op_amp": OpAmp, "multiplier": Multiplier, "switch": AnalogSwitch}


def part_of(section, name):
    kind = KINDS[section]
    return kind(name=name, **_numbers("bench", kind, catalogue()[section][name]))


def drawn(part, kelvin=ROOM, **standard):
    """Parameters of an amplifier one σ off in what is named, and nominal in all else."""
    return amplifier_parameters(part, {name for name, _ in op_amp_macro(part, SUPPLY).parameters}, standard, kelvin)


def amplifier(part, nodes, parameters=(), kelvin=ROOM):
    """Cards of one amplifier."""
    macro = op_amp_macro(part, SUPPLY, kelvin)
    return [*macro_cards(macro), card(Instance("amp", nodes, part.name, tuple(parameters)))]


def gain(folder, part):
    lines = [*amplifier(part, ("p", "0", "o"), still(part)), "Vp p 0 0 ac 1"]
    return measured(folder, lines, ["ac dec 10 1m 10", "meas ac found max vm(o)"])["found"]


def still(part):
    """Parameters of an amplifier whose inputs take no current."""
    return [(name, 0.0) for name, _ in op_amp_macro(part, SUPPLY).parameters]


def bandwidth(folder, part):
    """Gain times frequency where the gain is a thousand."""
    lines = [*amplifier(part, ("p", "0", "o"), still(part)), "Vp p 0 0 ac 1"]
    return 1e3 * measured(folder, lines, ["ac dec 200 1 100meg", "meas ac found when vdb(o)=60"])["found"]


def phase_margin(folder, part):
    lines = [*amplifier(part, ("p", "0", "o"), still(part)), "Vp p 0 0 ac 1"]
    control = ["ac dec 500 1k 100meg", "let turn=180+180/pi*cph(v(o))", "meas ac found find turn when vdb(o)=0"]
    return measured(folder, lines, control)["found"]


def slew(folder, part):
    lines = [*amplifier(part, ("p", "o", "o")), f"Vp p 0 pwl(0 -5 1n -5 2n 5 {40 / part.slew!r} 5)"]
    control = [
        f"tran {0.02 / part.slew!r} {30 / part.slew!r}",
        "meas tran early when v(o)=-2 rise=1",
        "meas tran late when v(o)=2 rise=1",
    ]
    found = measured(folder, lines, control)
    return 4.0 / (found["late"] - found["early"])


def at_output(folder, part, parameters, kelvin=ROOM):
    """Volts at the output of an amplifier with a gain of 101 whose input is at ground."""
    lines = [*amplifier(part, ("0", "n", "o"), parameters, kelvin), "Rf n o 100", "Rg n 0 1"]
    return measured(folder, lines, ["op", "print v(o)"])["v(o)"]


def offset(folder, part):
    return at_output(folder, part, drawn(part, offset=1.0)) / 101


def offset_drift(folder, part):
    warm = ROOM + 10.0
    return at_output(folder, part, drawn(part, warm, drift=1.0), warm) / 101 / 10.0


def currents(folder, part, parameters, kelvin=ROOM):
    """Amperes into both inputs of a follower, each through a megohm."""
    lines = [*amplifier(part, ("p", "n", "o"), parameters, kelvin), "Rp 0 p 1meg", "Rn o n 1meg"]
    found = measured(folder, lines, ["op", "let plus=-v(p)/1e6", "let minus=(v(o)-v(n))/1e6", "print plus minus"])
    return found["plus"], found["minus"]


def bias_current(folder, part):
    plus, minus = currents(folder, part, drawn(part))
    assert plus == pytest.approx(minus, abs=1e-15)
    return plus


def bias_spread(folder, part):
    plus, minus = currents(folder, part, drawn(part, plus=1.0))
    alone, other = currents(folder, part, drawn(part, minus=1.0))
    assert other - alone == pytest.approx(plus - minus, rel=1e-3)
    return plus - minus


def bias_doubling(folder, part):
    """Kelvin in which the currents double, from what twenty kelvin do."""
    warm = ROOM + 20.0
    ratio = currents(folder, part, drawn(part, warm), warm)[0] / currents(folder, part, drawn(part))[0]
    return 20.0 / math.log2(ratio)


def cmrr(folder, part):
    lines = [*amplifier(part, ("p", "o", "o"), [*drawn(part, common=1.0)]), "Vp p 0 0 ac 1"]
    # Finite gain would hide what is asked, so that the follower with no such error is subtracted.
    control = ["ac lin 1 1m 1m", "let found=real(v(o))", "print found"]
    with_error = measured(folder, lines, control)["found"]
    lines = [*amplifier(part, ("p", "o", "o"), [*drawn(part)]), "Vp p 0 0 ac 1"]
    return 1 / (with_error - measured(folder, lines, control)["found"])


def noise(folder, part):
    lines = [*amplifier(part, ("p", "o", "o"), still(part)), "Vp p 0 0 ac 1"]
    control = ["noise v(o) Vp lin 1 1k 1k", "setplot noise1", "print onoise_spectrum"]
    return measured(folder, lines, control)["onoise_spectrum"]


def headroom(folder, part):
    lines = [*amplifier(part, ("p", "n", "o")), "Vp p 0 2", "Rf n o 900k", "Rg n 0 100k"]
    return SUPPLY - measured(folder, lines, ["op", "print v(o)"])["v(o)"]


def output_resistance(folder, part):
    lines = [*amplifier(part, ("0", "0", "o"), still(part)), "Iout 0 o 0 ac 1"]
    return measured(folder, lines, ["ac lin 1 1 1", "let found=mag(v(o))", "print found"])["found"]


def input_range(folder, part):
    """Least and largest common voltage at which a millivolt between the inputs still takes the output to its limit."""
    lines = [*amplifier(part, ("p", "n", "o"), still(part)), "Vn n 0 0", "Vp p n 1m"]
    control = ["dc Vn -17 17 0.01", "meas dc low when v(o)=5 rise=1", "meas dc high when v(o)=5 fall=1"]
    return measured(folder, lines, control)


def input_low(folder, part):
    return input_range(folder, part)["low"] + SUPPLY


def input_high(folder, part):
    return SUPPLY - input_range(folder, part)["high"]


def largest_supply(folder, part):
    """Volts of the largest supply that a file of parts may give the amplifier."""
    path, low, high = folder / "supplied.toml", 5.0, 100.0
    while high - low > 1e-3:
        volts = (low + high) / 2
        path.write_text(f'supply = {volts!r}\nop_amp = "{part.name}"\n', encoding="utf-8")
        try:
            low = part_set(str(path)).supply
        except BadInput:
            high = volts
        part_set.cache_clear()
    return low


def input_capacitance(folder, part, driven):
    """Farads of the inverting input, or with both of them on one source of the two together."""
    nodes = {"minus": ("0", "n", "o"), "both": ("n", "n", "o")}[driven]
    lines = [*amplifier(part, nodes, still(part)), "Vn n 0 0 ac 1"]
    control = ["ac lin 1 1k 1k", "let found=mag(i(Vn))/(2*pi*1k)*1e12", "print found"]
    return 1e-12 * measured(folder, lines, control)["found"]


def differential_capacitance(folder, part):
    return input_capacitance(folder, part, "minus") - common_capacitance(folder, part)


def common_capacitance(folder, part):
    return input_capacitance(folder, part, "both") / 2


def let_through(parts, instance, sources):
    """Ohms, from 10 V to ground, that take what an output is rated for: circuits are let off `ABOVE` times that."""
    levels = Levels(volts={"block": 10.0}, others=parts.swing, junction=1.0, current=0.0)
    low, high = 1.0, 1e6
    while high / low > 1 + 1e-6:
        ohms = math.sqrt(low * high)
        try:
            check_loads([*sources, instance, Resistor("load", ("block_0", "0"), ohms)], levels, parts)
        except BadInput:
            low = ohms
        else:
            high = ohms
    return high * ABOVE


def output_current(folder, part):
    """Amperes that ngspice finds in the least load that is not refused, of an amplifier that holds 10 V across it."""
    follower = Instance("part", ("in", "block_0", "block_0"), part.name)
    ohms = let_through(dataclasses.replace(part_set(), op_amp=part), follower, [VoltageSource("in", ("in", "0"), 10.0)])
    lines = [*amplifier(part, ("in", "o", "o"), still(part)), "Vin in 0 10", f"Rload o 0 {ohms!r}"]
    return measured(folder, lines, ["op", "let found=@rload[i]", "print found"])["found"]


def multiplier_output_current(folder, part):
    """The same of a multiplier of two full inputs."""
    instance = Instance("part", ("x", "0", "y", "0", "0", "block_0"), part.name)
    ohms = let_through(dataclasses.replace(part_set(), multiplier=part), instance, [])
    lines = [
        *macro_cards(multiplier_macro(part)),
        card(Instance("mult", ("x", "0", "y", "0", "0", "w"), part.name)),
        "Vx x 0 10",
        "Vy y 0 10",
        f"Rload w 0 {ohms!r}",
    ]
    return measured(folder, lines, ["op", "let found=@rload[i]", "print found"])["found"]


def product(folder, part, x, y, parameters=()):
    """Volts at the output of a multiplier."""
    lines = [
        *macro_cards(multiplier_macro(part)),
        card(Instance("mult", ("x", "0", "y", "0", "0", "w"), part.name, tuple(parameters))),
        f"Vx x 0 {x!r}",
        f"Vy y 0 {y!r}",
    ]
    return measured(folder, lines, ["op", "print v(w)"])["v(w)"]


def scale(folder, part):
    """Product of two full inputs over the output, where the cubic that bends them vanishes."""
    return 100.0 / product(folder, part, 10.0, 10.0)


def multiplier_bandwidth(folder, part):
    lines = [
        *macro_cards(multiplier_macro(part)),
        card(Instance("mult", ("x", "0", "y", "0", "0", "w"), part.name)),
        "Vx x 0 0 ac 1",
        "Vy y 0 10",
    ]
    control = ["ac dec 200 1k 1g", "let size=db(v(w))-db(v(w)[0])", "meas ac found when size=-3.0103"]
    return measured(folder, lines, control)["found"]


def nonlinearity(folder, part):
    """Largest departure from a straight line while X is swept at full Y, over full scale."""
    lines = [
        *macro_cards(multiplier_macro(part)),
        card(Instance("mult", ("x", "0", "y", "0", "0", "w"), part.name)),
        "Vx x 0 0",
        "Vy y 0 10",
    ]
    control = ["dc Vx -10 10 0.05", "let off=abs(v(w)-v(x))", "meas dc found max off"]
    return measured(folder, lines, control)["found"] / 10.0


def multiplier_offset(folder, part):
    """Volts at the output with one input full and the other one off by its offset."""
    bent = product(folder, part, 1e-9, 10.0)
    return product(folder, part, 0.0, 10.0, [("xos", part.offset)]) / (1 + 2.6 * part.nonlinearity) - bent


def gain_error(folder, part):
    return product(folder, part, 10.0, 10.0, [("gain", 1 + part.gain_error)]) / product(folder, part, 10.0, 10.0) - 1


def multiplier_noise(folder, part):
    lines = [
        *macro_cards(multiplier_macro(part)),
        card(Instance("mult", ("x", "0", "y", "0", "0", "w"), part.name)),
        "Vx x 0 0 ac 1",
        "Vy y 0 0",
    ]
    control = ["noise v(w) Vx lin 1 1k 1k", "setplot noise1", "print onoise_spectrum"]
    return measured(folder, lines, control)["onoise_spectrum"]


def limit(folder, part):
    return product(folder, part, 14.0, 14.0)


def on_resistance(folder, part):
    """Ohms between the ends of a closed switch, at 10 mA; open it takes less than can be measured."""
    lines = [model_card(part.model), card(Switch("s", ("a", "0"), "hold", part.model.name)), "Vc hold 0 1", "Ia 0 a 10m"]
    closed = measured(folder, lines, ["op", "print v(a)"])["v(a)"] / 10e-3
    lines[2:] = ["Vc hold 0 0", "Va a 0 15"]
    assert abs(measured(folder, lines, ["op", "print i(va)"])["i(va)"]) < 1e-10
    return closed


def leakage(folder, part):
    """Amperes by which a capacitor of a nanofarad droops between 1 and 11 ms, times its capacitance over that time."""
    drawn_one = dataclasses.replace(part.between("s", ("a", "b")), leak=part.leakage)
    lines = [model_card(part.model), *map(card, simulated([drawn_one])), "Vc hold 0 0", "Vb b 0 0", "Cheld a 0 1n ic=0"]
    control = [
        "tran 10u 11m uic",
        "meas tran early find v(a) at=1m",
        "meas tran late find v(a) at=11m",
        "let found=(early-late)*1e3",
        "print found",
    ]
    return measured(folder, lines, control)["found"] * 1e-3 * 1e-9 / 10e-3


def opened(folder, part, control):
    """What is measured of ten nanofarads that a switch holds at ground until it opens at 1 ms: the sheet's own test."""
    lines = [
        model_card(part.model),
        *map(card, simulated([part.between("s", ("a", "b"))])),
        "Vc hold 0 pwl(0 1 1m 1 1.00001m 0)",
        "Vb b 0 0",
        "Cheld a 0 10n ic=0",
    ]
    run = ["tran 1u 1.02m 0 10n uic", "meas tran early find v(a) at=0.999m", "meas tran late find v(a) at=1.01m"]
    return measured(folder, lines, [*run, *control])


def charge(folder, part):
    """Coulombs that the capacitor loses."""
    return opened(folder, part, ["let found=(early-late)*1e3", "print found"])["found"] * 1e-3 * 10e-9


def off_time(folder, part):
    """Seconds from the edge of the control until the capacitor has lost nine tenths of what it loses."""
    found = opened(folder, part, ["let share=(early-v(a))/(early-late)", "meas tran at when share=0.9 rise=1"])
    return found["at"] - 1.000005e-3


BENCHES = {
    "op_amp": {
        bench.__name__: bench
        for bench in (
            gain, bandwidth, phase_margin, slew, offset, bias_current, bias_spread, bias_doubling, offset_drift, cmrr, noise,
            headroom, output_resistance, differential_capacitance, common_capacitance, input_low,
            input_high, largest_supply, output_current,
        )
    },
    "multiplier": {
        "scale": scale,
        "bandwidth": multiplier_bandwidth,
        "nonlinearity": nonlinearity,
        "offset": multiplier_offset,
        "gain_error": gain_error,
        "noise": multiplier_noise,
        "limit": limit,
        "output_current": multiplier_output_current,
    },
    "switch": {"on_resistance": on_resistance, "leakage": leakage, "charge": charge, "off_time": off_time},
}  # fmt: skip

TOLERANCES = {
    "slew": 0.05,
    "nonlinearity": 0.02,
    "headroom": 0.05,
    "noise": 0.02,
    "phase_margin": 0.02,
    "bandwidth": 0.02,
    "output_current": 0.015,
    "charge": 0.02,
    "off_time": 0.05,
}
"""Relative, where it is not a hundredth."""


def test_no_field_of_a_part_is_without_a_bench():
    for section, kind in KINDS.items():
        assert {field.name for field in dataclasses.fields(kind)} - ELSEWHERE == set(BENCHES[section]), section


def test_no_number_of_a_part_is_without_a_row_of_the_table():
    for section in BENCHES:
        for name, values in catalogue()[section].items():
            assert set(values) - ELSEWHERE == set(SHEETS[section, name]), name


@pytest.mark.parametrize("section, name, field", [(*part, field) for part, rows in SHEETS.items() for field in rows])
def test_the_model_shows_what_the_sheet_says(tmp_path, section, name, field):
    said, _ = SHEETS[section, name][field]
    found = BENCHES[section][field](tmp_path, part_of(section, name))
    assert found == pytest.approx(said, rel=TOLERANCES.get(field, 0.01), abs=0.02 if field.startswith("input_") else 1e-14)
