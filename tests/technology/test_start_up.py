"""Circuits that are switched on: what supplies do, from where integrators begin, and whether the answer knows of it."""
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false, reportAttributeAccessIssue=false

import dataclasses
import itertools
import json
import re
import subprocess

import numpy as np
import pytest
from matplotlib.text import Text
from spice_bench import measured
from zoo import PAPER, PAPER_CSV

import analogflow as af
from analogflow.circuit import Capacitor, PlayedVoltage, StepVoltage, VoltageSource
from analogflow.circuit.start_up import RISE, StartUp
from analogflow.cli import main
from analogflow.compiler import circuit_of, rebuilt
from analogflow.errors import BadInput
from analogflow.netlister.spice import macro_cards
from analogflow.problems import Channel, Langevin, RateDistortion, Transport
from analogflow.reference import capacity_reference
from analogflow.report.kicad import board_of
from analogflow.technology import part_set, start_up
from analogflow.technology.macros import divider_macro, multiplier_macro, op_amp_macro, root_macro

TWO = Channel([[0.9, 0.1], [0.3, 0.7]])
TECHNOLOGIES = ("opamp", "translinear")


def compiled(problem, technology):
    return af.choose_values(af.compile(af.families.flow_of(problem), technology=technology))


def run(circuit, time_constants=60.0, engine="ngspice"):
    return af.simulate(af.netlist(circuit, time_constants=time_constants), engine=engine)


def rails(count):
    return [",".join(combination) for combination in itertools.product(("low", "high"), repeat=count)]


CASES = [(technology, TWO, how) for technology in TECHNOLOGIES for how in ("ramp", *rails(2))]
CASES += [
    pytest.param(technology, PAPER, how, marks=pytest.mark.slow)
    for technology in TECHNOLOGIES
    for how in ("ramp", *rails(3))
]


@pytest.mark.ngspice
@pytest.mark.parametrize(("technology", "channel", "how"), CASES)
def test_from_wherever_the_integrators_are_a_circuit_that_is_held_comes_to_its_answer(technology, channel, how):
    circuit = compiled(channel, technology)
    found = run(af.degrade(circuit, start_up=how))
    z = capacity_reference(channel).input_distribution
    held = run(circuit)
    assert found.outcome.name == "COMPLETED"
    np.testing.assert_allclose(found.values["z"][0], np.full(len(z), 1 / len(z)), atol=5e-4)
    assert abs(found.final["z"] - held.final["z"]).max() < 2e-5
    assert abs(found.final["z"] - z).max() < 2 * circuit.accuracy
    path = np.stack([np.interp(found.time, held.time, column) for column in held.values["z"].T], axis=1)
    assert abs(found.values["z"] - path).max() < 1e-3


@pytest.mark.ngspice
def test_transistors_that_nothing_holds_latch_where_a_rail_puts_them():
    z = capacity_reference(PAPER).input_distribution
    circuit = compiled(PAPER, "translinear")
    for how in ("low", "high", "low,high,low"):
        assert abs(run(af.degrade(circuit, start_up=f"{how}+unheld")).final["z"] - z).max() > 0.1
    # Where the supplies alone leave them they do not.
    assert abs(run(af.degrade(circuit, start_up="ramp+unheld")).final["z"] - z).max() < 1e-3


@pytest.mark.ngspice
@pytest.mark.vacask
@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_second_simulator_switches_on_alike(technology):
    circuit = compiled(TWO, technology)
    for how in ("ramp", "low,high", "high+unheld"):
        paths = [run(af.degrade(circuit, start_up=how), engine=engine) for engine in ("ngspice", "vacask")]
        assert abs(paths[0].final["z"] - paths[1].final["z"]).max() < 1e-4
        np.testing.assert_allclose(paths[0].values["z"][0], paths[1].values["z"][0], atol=1e-3)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("problem", "technology"),
    [
        (RateDistortion(source=[0.6, 0.4], distortion=[[0, 1], [1, 0]], beta=2.0), "translinear"),
        (Transport(cost=[[0, 1], [1, 0]], row=[0.4, 0.6], column=[0.5, 0.5], epsilon=0.5), "translinear"),
        (Transport(cost=[[0, 1], [1, 0]], row=[0.4, 0.6], column=[0.5, 0.5], epsilon=0.5), "opamp"),
    ],
    ids=["rate-distortion", "transport", "transport-opamp"],
)
def test_other_problems_come_to_the_answer_of_a_held_start(problem, technology):
    for how in ("ramp", "low", "high"):
        found = af.solve(problem, technology=technology, start_up=how, time_constants=60.0)
        assert found.switched_on.same
        assert found.switched_on.distance < 1e-4


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("rise", [1e-5, pytest.param(5e-2, marks=pytest.mark.slow)])
def test_how_fast_supplies_rise_decides_nothing(technology, rise, monkeypatch):
    circuit = compiled(TWO, technology)
    monkeypatch.setattr(start_up, "RISE", rise)
    for how in ("ramp", "low,high"):
        found = run(af.degrade(circuit, start_up=how))
        assert abs(found.final["z"] - run(circuit).final["z"]).max() < 2e-5


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(af.Noise(0.02, seed=3), id="flow"),
        pytest.param(af.Noise(0.0, seed=3, parts=True), id="parts", marks=pytest.mark.slow),
    ],
)
def test_noise_plays_from_the_release_on(noise):
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear")
    held, found = (run(af.degrade(circuit, noise=noise, start_up=how), 10.0) for how in (None, "ramp"))
    other = run(af.degrade(circuit, noise=dataclasses.replace(noise, seed=4)), 10.0)
    at = np.linspace(1, 10, 19)
    one, same, different = (np.interp(at, each.time, each.values["z"][:, 0]) for each in (held, found, other))
    assert abs(same - one).max() < 0.1 * abs(different - one).max()


@pytest.mark.ngspice
def test_what_a_generator_plays_begins_with_the_flow():
    driven = af.Equations(
        name="driven", states={"x": 0.0}, inputs={"f": "sin(2*t)", "g": {"times": [0, 1, 4], "values": [0, 1, 0]}},
        equations={"x": "f + g - x"}, time=4.0,
    )  # fmt: skip
    circuit = af.compile(af.flows.custom(driven), technology="opamp")
    held, found = run(circuit, 4.0), run(af.degrade(circuit, start_up="ramp"), 4.0)
    assert abs(held.values["x"]).max() > 0.5
    at = np.linspace(0, 4, 9)
    one, other = (np.interp(at, each.time, each.values["x"][:, 0]) for each in (held, found))
    assert abs(one - other).max() < 2e-3


@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("how", ["ramp", "low", "high+unheld"])
def test_before_supplies_rise_nothing_has_a_charge_or_a_voltage(technology, how):
    usual = compiled(PAPER, technology)
    circuit = af.degrade(usual, start_up=how)
    assert not any(element.initial for element in circuit.elements if isinstance(element, Capacitor))
    assert not any(element.voltage for element in circuit.elements if isinstance(element, VoltageSource))
    played = [element for element in circuit.elements if isinstance(element, PlayedVoltage)]
    supply = next(element for element in played if element.nodes == ("vcc", "0"))
    assert (supply.times, supply.volts) == ((0.0, RISE), (0.0, circuit.parts.supply))
    times = np.linspace(0, 2 * RISE, 41)
    rising = np.interp(times, supply.times, supply.volts)
    for element in played:
        assert (abs(np.interp(times, element.times, element.volts)) <= rising + 1e-9).all(), element.name
    # When the flow begins, every reference is what it is in the circuit that is charged.
    fixed = {element.name: element.voltage for element in usual.elements if isinstance(element, VoltageSource)}
    holding = {element.name for element in played if element.name.endswith("_set") and abs(element.volts[1]) > 10}
    for element in played:
        if element.name not in {"supply", *holding}:
            assert np.interp(circuit.release, element.times, element.volts) == fixed[element.name]
    assert bool(holding) == (how != "ramp")
    hold = [element for element in circuit.elements if isinstance(element, StepVoltage)]
    opened = circuit.release - circuit.parts.switch.off_time
    assert [element.time for element in hold] == ([pytest.approx(opened, rel=1e-12)] if hold else [])
    assert "vcc" not in af.netlist(usual).text


@pytest.mark.ngspice
@pytest.mark.parametrize("volts", [0.0, 1.0, 6.0, 15.0])
def test_rails_of_parts_follow_the_supply(volts, tmp_path):
    parts = part_set("precision")
    macros = [
        op_amp_macro(parts.op_amp, 15.0, powered=True),
        multiplier_macro(parts.multiplier, powered_by=15.0),
        divider_macro(parts.divider, powered_by=15.0),
        root_macro(parts.divider, powered_by=15.0),
    ]
    lines = [
        *(line for macro in macros for line in macro_cards(macro)),
        f"Vcc vcc 0 {volts}", "Vin in 0 20", "Vone one 0 1", "Vneg neg 0 -20",
        f"Xa in a a vcc {macros[0].name}", f"Xb neg b b vcc {macros[0].name}",
        f"Xm in 0 in 0 0 m vcc {macros[1].name}", f"Xd in one d vcc {macros[2].name}",
        "Vbig big 0 2000", f"Xr big r vcc {macros[3].name}",
    ]  # fmt: skip
    nodes = ("a", "b", "m", "d", "r")
    found = measured(tmp_path, lines, ["tran 1u 2m uic", *(f"meas tran {n}end find v({n}) at=2m" for n in nodes)])
    swing = max(volts - parts.op_amp.headroom, 0.0)
    # The clamp at a rail gives way by some tens of millivolts.
    assert found["aend"] == pytest.approx(swing, abs=0.05)
    assert found["bend"] == pytest.approx(-swing, abs=0.05)
    limits = {"m": parts.multiplier.limit, "d": parts.divider.limit, "r": parts.divider.limit}
    for name, limit in limits.items():
        assert found[f"{name}end"] == pytest.approx(limit * volts / 15.0, abs=0.01), name


@pytest.mark.ngspice
def test_what_is_held_is_not_taken_for_what_rests():
    """The hold is longer than the ten time constants over which rest is judged."""
    found = af.solve(PAPER, technology="translinear", start_up="ramp")
    assert found.circuit.release > 10 * found.circuit.units.time_constant
    assert found.run_time > 30
    assert found.passed


@pytest.mark.ngspice
def test_a_push_and_a_draw_keep_the_start_up():
    found = af.verify(TWO, technology="translinear", start_up="high", time_constants=60.0)
    assert found.passed
    conditions = found.solution.circuit.conditions
    assert conditions.start_up == StartUp((1,))
    again = rebuilt(found.solution.circuit)
    assert af.netlist(again).body == af.netlist(found.solution.circuit).body
    drawn = [circuit_of(TWO, technology="translinear", imperfections=af.Imperfections(mismatch=0.01), start_up=how)
             for how in (None, "ramp")]  # fmt: skip
    values = [{e.name: e.resistance for e in each.elements if e.letter == "R"} for each in drawn]
    assert values[0] == values[1]
    with pytest.raises(BadInput, match="the circuit is switched on already"):
        af.degrade(again, start_up="ramp")
    with pytest.raises(BadInput, match="switched on already; choose the values of what compile returned"):
        af.choose_values(again)
    with pytest.raises(BadInput, match="leave out noise, mismatch, other imperfections and a start-up"):
        board_of(af.netlist(again))


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_netlist_that_is_switched_on_runs_alone(technology, tmp_path, capsys):
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    deck, parts = tmp_path / "a.cir", tmp_path / "parts.csv"
    words = ["netlist", "capacity", str(tmp_path / "p.csv"), "-o", str(deck), "--parts-list", str(parts)]
    assert main([*words, "--technology", technology, "--start-up", "low,high,low"]) == 0
    assert "in which supplies rise (start-up low,high,low)" in deck.read_text()
    done = subprocess.run(["ngspice", "-b", "-n", deck], capture_output=True, text=True, timeout=120, check=False)
    found = [float(value) for value in re.findall(r"^answer_z_\d+ = (\S+)", done.stdout, re.M)]
    np.testing.assert_allclose(found, capacity_reference(PAPER).input_distribution, atol=1e-3)
    assert "signal generator" not in parts.read_text()


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_parts_and_their_drawing_are_those_of_the_circuit_that_is_charged(technology):
    usual = compiled(TWO, technology)
    circuit = af.degrade(usual, start_up="low")
    assert af.parts_list(circuit).to_csv() == af.parts_list(usual).to_csv()
    drawn = [[text.get_text() for text in af.draw_circuit(each).findobj(Text)] for each in (usual, circuit)]
    assert drawn[0] == drawn[1]


@pytest.mark.ngspice
def test_the_command_says_when_the_flow_began_and_whose_answer_it_is(tmp_path, capsys):
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    words = ["solve", "capacity", str(tmp_path / "p.csv"), "--technology", "translinear", "--start-up"]
    assert main([*words, "ramp", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["start_up"] == "ramp"
    assert said["switched_on"]["same"]
    assert said["switched_on"]["release_seconds"] > RISE
    page, stated = tmp_path / "page.html", tmp_path / "stated.json"
    assert main([*words, "ramp", "--report", str(page), "--certificate", str(stated)]) == 0
    assert "the answer of a held" in capsys.readouterr().out
    assert "the answer of a held start" in page.read_text()
    assert json.loads(stated.read_text())["made"]["start_up"] == "ramp"
    assert main(["check", str(stated)]) == 0
    assert main([*words, "low+unheld"]) == 1
    assert "not the answer of a" in capsys.readouterr().out


def test_an_answer_that_is_right_but_another_does_not_pass():
    from analogflow.judgement.switching_on import SwitchedOn

    one = SwitchedOn(StartUp(), 6e-3, 2e-3, 1e-3)
    assert not one.same
    assert dataclasses.replace(one, distance=1e-3).same
    assert not dataclasses.replace(one, distance=float("inf")).same


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--start-up", "ramp"], "the technology 'ideal' has no supplies that could come up"),
        (["--technology", "opamp", "--engine", "block", "--start-up", "ramp"], "knows no parts"),
        (["--technology", "opamp", "--start-up", "middle"], "'middle' is not known; give ramp, low or high"),
        (["--technology", "opamp", "--start-up", "low,"], "'low,' is not known"),
        (["--technology", "opamp", "--start-up", "ramp,low"], "'ramp,low' is not known"),
        (["--technology", "opamp", "--start-up", "+unheld"], "'+unheld' is not known"),
        (["--technology", "opamp", "--start-up", ""], "is no name"),
        (["--technology", "translinear", "--start-up", "low,high"], "of 2 integrators, and the circuit has 3"),
        (["--technology", "translinear", "--trim", "--start-up", "low"], "leave out --start-up"),
    ],
)
def test_what_can_not_be_switched_on_is_refused_by_a_sentence(words, sentence, tmp_path, capsys):
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    assert main(["solve", "capacity", str(tmp_path / "p.csv"), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_law_has_no_start_up():
    problem = Langevin(energy="x**2/2", variables=["x"], temperature=1.0)
    with pytest.raises(BadInput, match="a law, which forgets any start"):
        af.solve(problem, technology="opamp", start_up="ramp")


@pytest.mark.parametrize("text", ["ramp", "low", "high", "low,high,low", "ramp+unheld", "high,low+unheld"])
def test_a_start_up_is_said_as_it_is_read(text):
    assert str(StartUp.from_text(text)) == text
