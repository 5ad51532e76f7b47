"""What circuits of parts are held to: it follows from their parts, lets sound ones pass, and finds planted faults."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import analogflow as af
from analogflow.circuit.elements import BipolarTransistor, Resistor
from analogflow.circuit.values import rounding_error
from analogflow.families.files import read_problem
from analogflow.judgement.certificate import certificate_of
from analogflow.solution import solve
from analogflow.technology.part_sets import junction_error, products_error

DATA = Path(__file__).parents[2] / "examples/data"
FILES = {
    "capacity": "paper_channel.csv",
    "rate-distortion": "rate_distortion_hamming.json",
    "transport": "transport_three.json",
}
FORMS = {"capacity": "logdomain", "rate-distortion": "logarithmic", "transport": "scaling"}


def circuit_of(family, technology, parts="precision"):
    form = {"form": FORMS[family]} if technology == "translinear" else {}
    flow = getattr(af.flows, family.replace("-", "_"))(read_problem(family, str(DATA / FILES[family])), **form)
    return af.compile(flow, technology=technology, parts=parts)


def planted(circuit, name, factor):
    """The circuit with one resistance or one area off; a name that nothing has is a fault of the test."""

    def changed(element):
        if element.name != name or not isinstance(element, Resistor | BipolarTransistor):
            return element
        field = "resistance" if isinstance(element, Resistor) else "area"
        return dataclasses.replace(element, **{field: getattr(element, field) * factor})

    groups = tuple(dataclasses.replace(g, elements=tuple(map(changed, g.elements))) for g in circuit.groups)
    assert groups != circuit.groups
    return dataclasses.replace(circuit, groups=groups)


def verdict(circuit):
    # The transport problem's slowest mode takes 50 τ.
    time = 400.0 if circuit.flow.family == "transport" else 100.0
    return certificate_of(circuit, af.simulate(af.netlist(circuit, time_constants=time)))


@pytest.mark.parametrize(("family", "technology"), [(f, t) for f in FILES for t in ("translinear", "opamp")])
def test_values_that_are_sold_add_what_they_leave(family, technology):
    exact = circuit_of(family, technology)
    coarse, fine = (af.choose_values(exact, series).accuracy for series in ("E24", "E192"))
    assert exact.accuracy < fine < coarse
    assert af.choose_values(exact, "").accuracy == exact.accuracy


def test_the_errors_are_those_of_the_data_sheets():
    parts = circuit_of("capacity", "translinear").parts
    pnp = dict(parts.pnp.parameters)
    # Half of what 30 µA drop in the emitter's resistance and in that of the base, over kT/q at 27 °C.
    drop = 15e-6 * (pnp["re"] + pnp["rb"] / pnp["bf"])
    assert junction_error(parts, 30e-6, 300.15) == pytest.approx(drop / 0.025865, rel=1e-4)
    assert products_error(parts, 9) == pytest.approx(3 * parts.multiplier.nonlinearity)
    # A value between two neighbours of E96 is nowhere likelier than elsewhere: a step over the root of twelve.
    steps = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000) * np.log(10) / 96
    assert rounding_error("E96") == pytest.approx(steps.std(), rel=0.01)


@pytest.mark.few(4)
@pytest.mark.ngspice
@pytest.mark.parametrize(("family", "technology"), [(f, t) for f in FILES for t in ("translinear", "opamp")])
@pytest.mark.parametrize("parts", ["precision", "general"])
def test_sound_circuits_pass_with_values_that_are_sold(family, technology, parts):
    found = verdict(af.choose_values(circuit_of(family, technology, parts)))
    assert [check.name for check in found.checks if not check.passed] == []


FAULTS = [
    ("transport", "translinear", "u2_t1_r", 1.1),
    ("transport", "translinear", "sink1_e", 1.1),
    ("rate-distortion", "translinear", "sink1_e", 1.1),
    ("rate-distortion", "translinear", "u1_lq1", 1.1),
    ("rate-distortion", "translinear", "t12", 0.5),
    ("rate-distortion", "translinear", "lq0_log", 0.5),
    ("capacity", "translinear", "u0_v0", 1.1),
    ("capacity", "translinear", "sink_a_e", 1.1),
    ("capacity", "translinear", "split0_1", 0.5),
    ("capacity", "translinear", "va_log", 0.5),
]


@pytest.mark.ngspice
@pytest.mark.parametrize(("family", "technology", "name", "factor"), FAULTS)
def test_one_part_that_is_wrong_fails(family, technology, name, factor):
    assert not verdict(planted(af.choose_values(circuit_of(family, technology)), name, factor)).passed


@pytest.mark.ngspice
def test_current_sinks_are_rounded_together():
    exact = circuit_of("rate-distortion", "translinear")
    gaps = [dict(verdict(c).errors)["certified_gap_nats"] for c in (exact, af.choose_values(exact))]
    assert gaps[1] < 1e-3  # 2.7e-3 with each resistor rounded by itself
    values = {e.name: e.resistance for e in af.choose_values(exact).elements if isinstance(e, Resistor)}
    wanted = {e.name: e.resistance for e in exact.elements if isinstance(e, Resistor)}
    factors = [values[name] / wanted[name] for name in wanted if name.endswith("_e")]
    assert max(factors) / min(factors) < 1.003


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_decision_that_a_circuit_takes_by_itself_has_room():
    """The brake's comparator stays open in the flow, but a circuit with errors of its own may decide it."""
    problem = read_problem("transport", str(DATA / "transport_cooling.json"))
    found = solve(problem, technology="opamp")
    assert found.passed, [check for check in found.certificate.checks if not check.passed]
    (rails,) = [check for check in found.certificate.checks if "rail" in check.name]
    assert rails.passed


def test_a_channel_that_needs_no_reference_column_gets_its_values():
    for transition in ([[0.9, 0.1], [0.2, 0.8]], [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]):
        circuit = af.compile(af.flows.capacity(af.Channel(transition), form="logdomain"), technology="translinear")
        assert af.choose_values(circuit).accuracy >= circuit.accuracy
