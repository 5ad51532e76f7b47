"""Options of technologies: degrees that can not be misread, noise as data sheets give it, and nothing that is ignored."""
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false, reportAttributeAccessIssue=false

import dataclasses
import inspect
import math

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.cli import main
from analogflow.compiler import noise_of
from analogflow.errors import BadInput
from analogflow.simulators.block import EnsembleOptions, chunks
from analogflow.technology import TECHNOLOGIES, BuildOptions

OTHER = {"parts": "general", "temperature_celsius": 60.0, "delay_fraction": 0.05, "scaled": True, "stabilise": False}
"""A value of every option of `compile` that is not its usual one."""


EFFECTIVE = {
    "ideal": {"scaled", "stabilise"},
    "opamp": {"parts", "temperature_celsius", "delay_fraction", "stabilise"},
    "translinear": {"parts", "temperature_celsius"},
}
"""What decides something; whether it does is tried, and everything else has to be refused."""


def test_every_option_of_compile_is_tried_here():
    assert set(inspect.signature(af.compile).parameters) == {"flow", "technology", *OTHER}


@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("name", OTHER)
def test_an_option_has_an_effect_or_is_refused(technology, name):
    flow = af.flows.capacity(PAPER)
    usual = af.compile(flow, technology=technology)
    if name in EFFECTIVE[technology]:
        changed = af.compile(flow, technology=technology, **{name: OTHER[name]})
        assert af.netlist(changed).body != af.netlist(usual).body
    elif name != "stabilise":  # transistors have a common-mode loop of their own, and nothing to stabilise
        with pytest.raises(BadInput, match=f"{name} has no effect in the technology '{technology}'"):
            af.compile(flow, technology=technology, **{name: OTHER[name]})


@pytest.mark.parametrize("verb", [af.solve, af.verify])
@pytest.mark.parametrize("name", ["parts", "temperature_celsius", "delay_fraction"])
def test_verbs_refuse_what_an_ideal_circuit_would_ignore(verb, name):
    with pytest.raises(BadInput, match=f"{name} has no effect in the technology 'ideal'"):
        verb(PAPER, engine="block", **{name: OTHER[name]})


@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_the_block_engine_takes_no_circuit_of_parts(technology):
    """It integrates the equations: with deviations of 30 % the answer was that of perfect parts, and passed."""
    for verb in (af.solve, af.verify):
        with pytest.raises(BadInput, match=f"would ignore what '{technology}' is built of; take the engine ngspice"):
            verb(PAPER, technology=technology, engine="block")
    circuit = af.compile(af.flows.capacity(PAPER), technology=technology)
    real = af.Imperfections(mismatch=0.3)
    with pytest.raises(BadInput, match="the block engine integrates equations and knows no parts"):
        af.simulate(af.netlist(af.degrade(circuit, real), time_constants=5), engine="block")
    for study in (lambda: af.ensemble(circuit, 2, imperfections=real), lambda: af.error_budget(circuit, real, samples=2)):
        with pytest.raises(BadInput, match="ensembles and budgets are of ideal blocks, and this circuit is of parts"):
            study()


@pytest.mark.parametrize("name", ["parts", "temperature_celsius"])
def test_a_comparison_without_circuits_of_parts_refuses_what_is_said_of_parts(name):
    with pytest.raises(BadInput, match=f"no circuit of parts takes part, so {name}"):
        af.compare(PAPER, only=["ideal:logdomain"], **{name: OTHER[name]})


@pytest.mark.parametrize("degrees", [300.15, 310, -273.15, math.nan, math.inf, "27", True])
def test_kelvin_are_not_taken_for_degrees(degrees):
    flow = af.flows.capacity(PAPER)
    for technology in ("opamp", "translinear"):
        with pytest.raises(BadInput, match="is not a temperature from -100 to 200 °C"):
            af.compile(flow, technology=technology, temperature_celsius=degrees)
    with pytest.raises(BadInput, match=r"temperature|not a number"):
        af.Study(PAPER, temperature_celsius=(degrees,))


def test_degrees_are_not_taken_for_kelvin():
    with pytest.raises(BadInput, match="from 100 to 1000 kelvin"):
        af.Imperfections(temperature_kelvin=27.0)


def test_the_name_without_a_unit_is_gone():
    assert "temperature" not in inspect.signature(af.compile).parameters
    for verb in (af.solve, af.verify, af.compare):
        with pytest.raises(TypeError, match="unexpected keyword argument 'temperature'"):
            verb(PAPER, temperature=27.0)


def test_options_of_circuits_are_those_of_compile():
    assert set(BuildOptions.__optional_keys__) == set(inspect.signature(af.compile).parameters) - {"flow"}
    assert set(EnsembleOptions.__optional_keys__) == set(inspect.signature(chunks).parameters) - {
        "circuit",
        "samples",
    }


@pytest.mark.parametrize("name", ["scaled", "delay_fraction", "technology"])
def test_a_comparison_refuses_what_its_contenders_differ_in(name):
    with pytest.raises(BadInput, match=f"{name}: a comparison has circuits of its own"):
        af.compare(PAPER, only=["ideal:logdomain"], **{name: "opamp"})


def test_room_temperature_is_the_nominal_one():
    circuit = af.compile(af.flows.capacity(PAPER), technology="opamp", temperature_celsius=27.0)
    assert circuit.temperature_kelvin == pytest.approx(NOMINAL_KELVIN)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_density_is_the_noise_at_the_inputs_of_the_integrators(technology):
    """Two flows of one state: where the input has twice the volts a flow unit, σ is half."""
    circuit = af.compile(af.flows.capacity(PAPER), technology=technology)
    noise = noise_of(circuit, "5e-9V/rtHz", 3)
    volts = circuit.units.inputs.get("u", circuit.units.volts)
    assert noise.sigma == pytest.approx(5e-9 / (volts * math.sqrt(2 * circuit.units.time_constant)))
    noisy = af.degrade(circuit, noise=noise)
    if technology == "translinear":  # the source stands before the integrator's own resistor, in volts per √τ
        sources = [e.density for e in noisy.elements if type(e).__name__ == "NoiseVoltage"]
        assert np.abs(sources) == pytest.approx(5e-9 / math.sqrt(2 * circuit.units.time_constant))
    assert noisy.noisy


def test_a_state_without_volts_of_its_own_has_those_of_the_circuit():
    circuit = af.compile(af.flows.custom(af.Equations(states={"x": 1.0, "y": 1.0}, equations={"x": "-x", "y": "-y"})))
    circuit = dataclasses.replace(circuit, units=dataclasses.replace(circuit.units, volts=2.0, inputs={"x": 4.0}))
    sigma = noise_of(circuit, "1e-6V/rtHz", 0).by_state(circuit.graph.states)
    assert sigma["y"] == 2 * sigma["x"]


def test_states_with_other_units_get_their_own_share_of_a_density():
    flow = af.flows.custom(
        af.Equations(
            name="two", states={"x": 1.0, "y": 100.0}, equations={"x": "-x", "y": "100 * x - y"}, time=5.0
        )
    )  # fmt: skip
    circuit = af.compile(flow, technology="opamp")
    noise = noise_of(circuit, "1e-6V/rtHz", 0)
    units = circuit.units.inputs
    assert units["x"] > 10 * units["y"]
    assert noise.by_state(units) == {
        state: pytest.approx(1e-6 / (unit * math.sqrt(2 * circuit.units.time_constant))) for state, unit in units.items()
    }
    graph = af.degrade(circuit, noise=noise).derived_from
    volts = {
        label: float(graph.block(origin).density[0]) * units[label]
        for label in graph.states
        for origin in graph.network.predecessors(graph.rate(label))
        if type(graph.block(origin)).__name__ == "NoiseSource"
    }
    assert volts == {label: pytest.approx(1e-6 / math.sqrt(2 * circuit.units.time_constant)) for label in ("x", "y")}


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_the_command_line_takes_a_density_with_every_technology(technology, tmp_path):
    matrix = tmp_path / "p.csv"
    matrix.write_text("0.9,0.1\n0.2,0.8\n")
    words = ["netlist", "capacity", str(matrix), "-o", str(tmp_path / "a.cir"), "--technology", technology]
    assert main([*words, "--noise", "5e-9V/rtHz"]) == 0
