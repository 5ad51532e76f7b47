"""The reference that fixed voltages are made from: its sheet's figures are what drawn circuits show, all voltages alike."""

import dataclasses

import numpy as np
import pytest
from spice_bench import measured
from zoo import PAPER

import analogflow as af
from analogflow.circuit import VoltageSource
from analogflow.circuit.build import NOMINAL_CELSIUS, Tolerances, kelvin_of
from analogflow.compiler import rebuilt
from analogflow.errors import BadInput
from analogflow.netlister.spice import card
from analogflow.passes.spread import sample_parts
from analogflow.technology.part_sets import catalogue, part_set

SHEET = {"output": 10.0, "tolerance": 2.5e-3 / 10 / 2, "drift": 2.5e-6 / 2, "least_supply": 11.4}
"""Texas Instruments REF102 (SBVS022B), page 1, of the C grade; σ is half of the most."""

SAMPLES = 600


def circuit_at(celsius=NOMINAL_CELSIUS, technology="opamp"):
    circuit = af.compile(af.flows.capacity(PAPER, form="logdomain"), technology=technology)
    return rebuilt(circuit, temperature_kelvin=kelvin_of(celsius))


def fixed(circuit):
    return {
        e.name: e.voltage
        for e in circuit.elements
        if isinstance(e, VoltageSource) and e.nodes[1] == "0" and e.voltage and e.name not in circuit.ammeters
    }


def shares(circuit):
    """What the fixed voltages of each drawn board are over those of the circuit: the same of all of one board."""
    nominal = fixed(circuit)
    found = []
    for sample in range(SAMPLES):
        drawn = fixed(sample_parts(circuit, sample=sample))
        one, *others = [drawn[name] / volts for name, volts in nominal.items()]
        assert others == pytest.approx([one] * len(others), rel=1e-12)
        found.append(one - 1)
    return np.array(found)


def test_the_sets_have_the_sheets_figures():
    assert catalogue()["reference"]["ref102"] == pytest.approx(SHEET)
    assert {part_set(name).reference.name for name in ("precision", "general", "fast")} == {"ref102"}


@pytest.mark.ngspice
def test_ngspice_measures_the_output_at_the_node_of_the_reference(tmp_path):
    circuit = circuit_at()
    for element in (e for e in sample_parts(circuit, sample=3).elements if e.name in fixed(circuit)):
        node = element.nodes[0]
        found = measured(tmp_path, [card(element), f"Rload {node} 0 10k"], ["op", f"print v({node})"])
        (volts,) = found.values()
        most = 2 * SHEET["tolerance"]
        assert 0 < abs(volts / fixed(circuit)[element.name] - 1) < 2 * most


def test_outputs_are_off_by_the_sheets_tolerance_and_drift():
    room, warm = shares(circuit_at()), shares(circuit_at(NOMINAL_CELSIUS + 40))
    bound = 4 / np.sqrt(2 * SAMPLES)
    assert room.std() == pytest.approx(SHEET["tolerance"], rel=bound)
    assert abs(room.mean()) < 4 * SHEET["tolerance"] / np.sqrt(SAMPLES)
    assert ((warm - room) / 40).std() == pytest.approx(SHEET["drift"], rel=bound)


def test_a_mismatch_leaves_the_reference_alone():
    circuit = circuit_at()
    matched = af.degrade(circuit, imperfections=af.Imperfections(mismatch=0.01))
    assert fixed(matched) == fixed(circuit)


@pytest.mark.ngspice
def test_the_rest_of_a_transistor_circuit_hardly_depends_on_the_reference():
    circuit = circuit_at(technology="translinear")
    none = Tolerances(resistor=0, capacitor=0, area=0, junction=0)
    exact = dataclasses.replace(circuit.parts, op_amp=circuit.parts.op_amp.alike(), tolerances=none)
    both = (circuit, sample_parts(circuit, exact, sample=1))
    ends = [af.simulate(af.netlist(one, time_constants=60.0)).final["z"] for one in both]
    assert 0 < abs(ends[1] - ends[0]).max() < 1e-6


def test_a_reference_of_ones_own_is_read_and_a_bad_one_refused(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('reference = { like = "ref102", tolerance = 1e-3 }\n', encoding="utf-8")
    assert part_set(str(path)).reference.tolerance == 1e-3
    path = tmp_path / "bad.toml"
    path.write_text('reference = "lm4040"\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"reference 'lm4040' is not known; the nearest are: ref102\."):
        part_set(str(path))
