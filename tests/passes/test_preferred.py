"""Preferred values: every value is sold, rounding together beats rounding alone, and the path to the answer remains."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import Capacitor, Instance, Resistor
from analogflow.circuit.values import nearest
from analogflow.errors import BadInput
from analogflow.families import flow_of
from analogflow.families.files import read_problem
from analogflow.problems import Channel
from analogflow.reference import capacity_reference

DATA = Path(__file__).parents[2] / "examples/data"


def rounded_alone(circuit, series):
    """The same circuit with every resistor at its own nearest value."""
    groups = tuple(
        dataclasses.replace(
            group,
            elements=tuple(
                dataclasses.replace(e, resistance=float(nearest(e.resistance, series))) if isinstance(e, Resistor) else e
                for e in group.elements
            ),
        )
        for group in circuit.groups
    )
    return dataclasses.replace(circuit, groups=groups)


def error(circuit):
    run = af.simulate(af.netlist(circuit, time_constants=120.0))
    return abs(run.final["z"] - capacity_reference(PAPER).input_distribution).max()


@pytest.mark.parametrize("technology", ["opamp", "translinear"])
@pytest.mark.parametrize("series", ["E12", "E24", "E96", "E192"])
def test_every_value_is_one_of_the_series(technology, series):
    circuit = af.compile(af.flows.capacity(PAPER), technology=technology)
    bought = af.choose_values(circuit, series)
    for element in bought.elements:
        if isinstance(element, Resistor):
            assert element.resistance == pytest.approx(float(nearest(element.resistance, series)), rel=1e-12)
        if isinstance(element, Capacitor):
            assert element.capacitance == pytest.approx(float(nearest(element.capacitance, "E12")), rel=1e-12)
    first = [e.name for e in bought.elements if not e.name.endswith("_t")]  # beside it may be another in parallel
    assert first == [e.name for e in circuit.elements]
    assert len(bought.history) == len(circuit.history) + 1


@pytest.mark.parametrize("series", ["E24", "E96"])
def test_legs_of_an_integrator_are_in_the_ratio_that_the_flow_asks_for(series):
    """What they are off would stay where it rests: a leg that one value leaves off its tolerance is two in parallel."""
    exact = af.compile(af.flows.capacity(PAPER, form="normalised"), technology="opamp")
    wanted, got = parallel(exact), parallel(af.choose_values(exact, series))
    for row in ("integrator0_0_in", "integrator0_1_in", "integrator0_2_in"):
        factors = [got[name] / wanted[name] for name in wanted if name.startswith(row)]  # all within a tenth of each other
        assert len(factors) == 6
        assert max(factors) / min(factors) - 1 < {"E24": 1.5e-2, "E96": 2e-3}[series]


def gains_of(circuit):
    """Gains of every summing amplifier whose resistors are known, from what flows into its two inputs alone."""
    at = {}
    for element in circuit.elements:
        if isinstance(element, Resistor):
            for node, far in (element.nodes, element.nodes[::-1]):
                at.setdefault(node, {}).setdefault(far, 0.0)
                at[node][far] += 1 / element.resistance
    charged = {e.nodes for e in circuit.elements if isinstance(e, Capacitor)}
    found = {}
    for amplifier in circuit.elements:
        if not isinstance(amplifier, Instance) or amplifier.macro != circuit.parts.op_amp.name:
            continue
        plus, minus, output = amplifier.nodes
        below, above = at.get(minus, {}), at.get(plus, {}) if plus != "0" else {}
        if minus == output or output not in below or (minus, output) in charged:
            continue
        for source in sorted({*below, *above} - {"0", output}):
            # Both inputs are at the voltage v that 1 V at the source makes of them.
            v = above[source] / sum(above.values()) if source in above else 0.0
            gain = (v * sum(below.values()) - below.get(source, 0.0)) / below[output]
            found[amplifier.name, source] = gain
    return found


@pytest.mark.parametrize(
    "flow, file", [("eigenvectors", "eigenvectors_two.json"), ("multiple-access", "multiple_access_adder.json")]
)
@pytest.mark.parametrize("series", ["E24", "E96"])
def test_gains_of_an_answer_at_rest_are_within_the_tolerance_of_their_resistors(flow, file, series):
    exact = af.compile(flow_of(read_problem(flow, DATA / file)), technology="opamp")
    bought = af.choose_values(exact, series)
    wanted, got = gains_of(exact), gains_of(bought)
    assert exact.parts is not None
    assert len(wanted) > 20
    assert wanted.keys() == got.keys()
    largest = {name: max(abs(g) for (amplifier, _), g in wanted.items() if amplifier == name) for name, _ in wanted}
    off = [abs(got[k] - gain) / max(abs(gain), 0.1 * largest[k[0]]) for k, gain in wanted.items()]
    assert max(off) < 1.5 * exact.parts.tolerances.resistor * {"E24": 3, "E96": 1}[series]
    count = [sum(isinstance(e, Instance) for e in circuit.elements) for circuit in (exact, bought)]
    assert count[0] == count[1]


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "flow, file, name",
    [("eigenvectors", "eigenvectors_two.json", "x"), ("multiple-access", "multiple_access_adder.json", "rate_nats")],
)
def test_what_preferred_values_leave_of_a_shipped_answer_is_little(flow, file, name):
    solution = af.solve(read_problem(flow, DATA / file), technology="opamp")
    assert solution.passed
    assert solution.certificate.errors[name] < 3e-3


@pytest.mark.ngspice
@pytest.mark.parametrize("technology, series, within", [("translinear", "E24", 5e-3), ("translinear", "E96", 4e-4)])
def test_values_rounded_together_move_the_answer_less_than_values_rounded_alone(technology, series, within):
    circuit = af.compile(af.flows.capacity(PAPER), technology=technology)
    together = error(af.choose_values(circuit, series))
    assert together < within
    assert together < 0.5 * error(rounded_alone(circuit, series))


@pytest.mark.slow
@pytest.mark.ngspice
def test_op_amp_networks_rounded_together():
    circuit = af.compile(af.flows.capacity(PAPER), technology="opamp")
    together = error(af.choose_values(circuit, "E96"))
    assert together < 1e-2
    assert together < 0.5 * error(rounded_alone(circuit, "E96"))


def test_no_series_changes_nothing_and_an_unknown_one_is_refused():
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear")
    assert af.choose_values(circuit, "") is circuit
    with pytest.raises(BadInput, match=r"'E97'.*E96"):
        af.choose_values(circuit, "E97")
    with pytest.raises(BadInput, match=r"'ideal' has no parts; take 'opamp' or 'translinear'"):
        af.choose_values(af.compile(af.flows.capacity(PAPER)))


def test_ratios_of_a_network_are_kept_closer_than_its_values():
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear")
    bought = af.choose_values(circuit, "E96")
    rows = [[e for e in one.elements if e.name.startswith("u0_v")] for one in (circuit, bought)]
    wanted, got = (
        np.array([1 / e.resistance for e in row if isinstance(e, Resistor) and e.name in ("u0_v0", "u0_v1", "u0_v2")])
        for row in rows
    )
    assert abs(got / got.sum() - wanted / wanted.sum()).max() < 5e-3


@pytest.mark.parametrize(
    ("smallest", "message"),
    [
        (1e-300, r"a resistor of 1e\+304 ohm is needed, and 1e\+12 are the most; set the problem's smallest"),
        (1e-7, r"row 1 needs parts in a ratio of 1e\+07, and 1e\+04 is allowed; set the problem's smallest"),
    ],
)
def test_a_coefficient_too_small_for_parts_is_said_to_be(smallest, message):
    circuit = af.compile(af.flows.capacity(Channel([[0.6, 0.4], [smallest, 1.0 - smallest]])), technology="translinear")
    with pytest.raises(BadInput, match=message):
        af.choose_values(circuit)


def parallel(circuit):
    """Resistance of every resistor together with what lies across it, by the name of the first."""
    across = {}
    for element in circuit.elements:
        if isinstance(element, Resistor):
            across.setdefault(element.name.removesuffix("_t"), []).append(element.resistance)
    return {name: 1 / sum(1 / value for value in values) for name, values in across.items()}


BRUSSELATOR = af.Equations(
    {"x": 1.0, "y": 1.0}, {"x": "1 + x ** 2 * y - 4 * x", "y": "3 * x - x ** 2 * y"}, time=50.0, name="Brusselator"
)


@pytest.mark.parametrize("series, within", [("E24", 5e-3), ("E96", 1e-3)])
def test_where_the_answer_is_a_path_a_resistor_beyond_its_tolerance_is_two_of_the_series_in_parallel(series, within):
    exact = af.compile(af.flows.custom(BRUSSELATOR), technology="opamp")
    bought = af.choose_values(exact, series)
    for element in bought.elements:
        if isinstance(element, Resistor):
            assert element.resistance == pytest.approx(float(nearest(element.resistance, series)), rel=1e-12)
    added = {e.name for e in bought.elements} - {e.name for e in exact.elements}
    assert added
    assert all(name.endswith("_t") for name in added)
    assert f"{len(added)} resistors are two in parallel" in bought.history[-1].note
    wanted, got = parallel(exact), parallel(bought)
    assert wanted.keys() == got.keys()
    inputs = [name for name in wanted if re.search(r"_in\d*$", name)]  # of the integrators: each is a rate
    assert max(abs(got[name] / wanted[name] - 1) for name in inputs) < within
    assert max(abs(float(nearest(wanted[name], series)) / wanted[name] - 1) for name in inputs) > 5 * within
