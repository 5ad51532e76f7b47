"""Every kind of loop around an amplifier keeps a phase margin, which ngspice reads: the loop is opened by an inductor."""

from __future__ import annotations

import dataclasses
import math

import pytest
from spice_bench import measured

from analogflow.circuit.build import NOMINAL_CELSIUS, thermal_voltage
from analogflow.circuit.elements import BipolarTransistor, CurrentSource, Instance, Resistor, VoltageSource
from analogflow.netlister.spice import card, macro_cards, model_card
from analogflow.technology import op_amp_macro, part_set
from analogflow.technology.compensation import junction_conductance, loop_delay
from analogflow.technology.opamp import cells
from analogflow.technology.opamp.bench import Bench
from analogflow.technology.translinear import stages

pytestmark = pytest.mark.ngspice

V_T = thermal_voltage(300.15)
NAMES = ("precision", "general", "fast", "loaded")

COST = 13.0
"""Degrees that a loop may cost beside a follower: the zero, and a crossover that is not far above it."""


def parts_of(name):
    """A known set, or one whose amplifiers have 60 degrees and 6 pF at each input: what an unknown one may have."""
    if name != "loaded":
        return part_set(name)
    base = part_set("precision")
    amplifier = dataclasses.replace(base.op_amp, phase_margin=60.0, differential_capacitance=3e-12, common_capacitance=3e-12)
    return dataclasses.replace(base, op_amp=amplifier)


def deck(parts, elements):
    """Cards of a bench. The inputs have their capacitors outside: the source that opens a loop carries no current then."""
    op_amp = parts.op_amp
    bare = dataclasses.replace(op_amp, differential_capacitance=0.0, common_capacitance=0.0)
    inputs = []
    for element in elements:
        if isinstance(element, Instance) and op_amp.input_capacitance:
            plus, minus, _ = element.nodes
            inputs += [
                f"C{element.name}_d {plus} {minus} {op_amp.differential_capacitance!r}",
                f"C{element.name}_p {plus} 0 {op_amp.common_capacitance!r}",
                f"C{element.name}_n {minus} 0 {op_amp.common_capacitance!r}",
            ]
    return [
        *macro_cards(op_amp_macro(bare, parts.supply)),
        *(model_card(model) for model in (parts.npn, parts.pnp)),
        *map(card, elements),
        *inputs,
        ".options gmin=1e-15 abstol=1e-14",
        f".temp {NOMINAL_CELSIUS}",
    ]


def margin(folder, parts, elements, amplifier, guess=""):
    """Degrees that are left where the gain around `amplifier` is 1; `guess` says near which voltages it works."""
    lines = deck(parts, elements)
    (minus,) = [e.nodes[1] for e in elements if isinstance(e, Instance) and e.name == amplifier]
    (place,) = [k for k, line in enumerate(lines) if line.startswith(f"X{amplifier} ")]
    name, plus, _, *rest = lines[place].split()
    lines[place] = " ".join((name, plus, "opened", *rest))
    return (
        measured(
            folder,
            [*lines, f"Vdrive opened {minus} 0 ac 1", *([f".nodeset {guess}"] if guess else [])],
            [
                "ac dec 400 300 300meg",
                f"let gain=-v({minus})/v(opened)",
                "let size=db(gain)",
                "let turn=180+180/pi*cph(gain)",
                "meas ac left find turn when size=0 fall=last",
            ],
        )["left"]
        % 360
    )


def follower(parts):
    return [Instance("y_amp", ("0", "y", "y"), parts.op_amp.name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_follower_has_the_phase_margin_of_its_part(tmp_path, name):
    parts = parts_of(name)
    assert margin(tmp_path, parts, follower(parts), "y_amp") == pytest.approx(parts.op_amp.phase_margin, abs=1.0)


@pytest.mark.parametrize("share", [1.0, 0.1, 1e-3])
@pytest.mark.parametrize("name", NAMES)
def test_transdiodes_of_translinear_circuits_are_stable_at_every_current(tmp_path, name, share):
    parts, tail = parts_of(name), 30e-6
    for load in (0.0, 1 / 10e3, 5 / 10e3):
        elements = [
            CurrentSource("in", ("s", "0"), share * tail),
            *stages.transdiode("v", "s", parts, tail, load=load, stray=15e-12),
            *([Resistor("load", ("v", "held"), 1 / load), VoltageSource("held", ("held", "0"), 0.65)] if load else []),
        ]
        guess = "v(v)=0.6 v(v_drive)=0.6 v(s)=0 v(opened)=0"
        assert margin(tmp_path, parts, elements, "v_amp", guess) > parts.op_amp.phase_margin - COST, load


def bench(parts):
    return Bench(parts, V_T, 1e-3)


@pytest.mark.parametrize("share", [1.0, 1 / 40, 1e-3])
@pytest.mark.parametrize("name", NAMES)
def test_transdiodes_of_op_amp_circuits_are_stable_at_every_current(tmp_path, name, share):
    parts, most, gain = parts_of(name), 25e-6, 10.0 / V_T
    elements = [
        CurrentSource("in", ("0", "s"), share * most),
        *cells._transdiode("v", "s", most, gain / cells.leg_resistance(parts, gain) / gain, bench(parts)),
        Resistor("load", ("v", "held"), cells.leg_resistance(parts, gain)),
        VoltageSource("held", ("held", "0"), -0.6),
    ]
    guess = "v(v)=-0.6 v(v_drive)=-0.6 v(s)=0 v(opened)=0"
    assert margin(tmp_path, parts, elements, "v_amp", guess) > parts.op_amp.phase_margin - COST


@pytest.mark.parametrize("name", NAMES)
def test_converters_are_stable(tmp_path, name):
    parts = parts_of(name)
    for resistance in (50e3, cells.FULL_RESISTANCE, 500e3):
        elements = [
            *bench(parts).converter("y", "col", resistance),
            BipolarTransistor("q", ("col", "0", "emit"), parts.npn.name),
            CurrentSource("tail", ("emit", "0"), 5e-6),
        ]
        assert margin(tmp_path, parts, elements, "y_amp", "v(emit)=-0.6") > parts.op_amp.phase_margin - COST, resistance


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gains", [[-0.0026], [-1.0], [0.3, -0.2], [387.0, -387.0], [-0.1, -0.1, -0.1]])
def test_adders_are_stable(tmp_path, name, gains):
    parts = parts_of(name)
    sources = [VoltageSource(f"x{k}", (f"x{k}", "0"), 0.01) for k in range(len(gains))]
    elements = [*sources, *bench(parts).adder("y", [(g, f"x{k}") for k, g in enumerate(gains)])]
    assert margin(tmp_path, parts, elements, "y_amp") > parts.op_amp.phase_margin - COST


@pytest.mark.parametrize("name", NAMES)
def test_the_servo_of_an_array_is_stable_however_its_current_is_shared(tmp_path, name):
    parts, full = parts_of(name), 8.0
    for volts in (0.0, 0.1):
        bases = [("b0", [(1e-3 if volts else -1e-9, "x")]), ("b1", [(-1e-3 if volts else -1e-9, "x")])]
        elements = [
            VoltageSource("x", ("x", "0"), 100 * volts),
            VoltageSource("refn", ("vrefn", "0"), -10.0),
            VoltageSource("low", ("vlow", "0"), -5.0),
            *cells._array("a", bases, ["y0", "y1"], full, bench(parts)),
        ]
        guess = "v(a_em)=-0.65 v(a_tail)=-3.3 v(a_sv)=0 v(opened)=0 v(y0)=4 v(y1)=4 v(a_sv_o)=3"
        assert margin(tmp_path, parts, elements, "a_sv_amp", guess) > 45.0


@pytest.mark.parametrize("name", NAMES)
def test_a_transdiode_lags_by_the_delay_that_sets_the_time_constant(tmp_path, name):
    parts, current, load = parts_of(name), 1e-6, 1 / 10e3
    made = [*stages.transdiode("v", "s", parts, 30e-6, load=load)]
    capacitance = next(e.capacitance for e in made if e.name == "v_c")
    drive = next(e.resistance for e in made if e.name == "v_drive")
    elements = [
        CurrentSource("in", ("s", "0"), current),
        *made,
        Resistor("load", ("v", "held"), 1 / load),
        VoltageSource("held", ("held", "0"), 0.6),
    ]
    found = measured(
        tmp_path,
        [*deck(parts, elements), "Istep 0 s 0 ac 1", ".nodeset v(v)=0.6 v(v_drive)=0.6 v(s)=0"],
        ["ac dec 100 100 1k", "let turn=cph(v(v))", "meas ac turned find turn at=999"],
    )
    expected = loop_delay(parts.op_amp, capacitance, junction_conductance(current, V_T, drive, load))
    assert -found["turned"] % math.pi / (2 * math.pi * 999) == pytest.approx(expected, rel=0.05)
