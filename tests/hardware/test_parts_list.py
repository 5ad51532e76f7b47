"""Parts lists: every part of the circuit is counted once, and the table says what it costs in watts."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import PAPER

import analogflow as af
from analogflow.circuit import BipolarTransistor, Capacitor, Instance, Resistor
from analogflow.digits import engineering
from analogflow.errors import BadInput

PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}


@pytest.mark.parametrize("technology", ["opamp", "translinear"])
@pytest.mark.parametrize("parts", ["precision", "general", "fast"])
def test_every_part_is_counted_once(technology, parts):
    circuit = af.choose_values(af.compile(af.flows.capacity(PAPER), technology=technology, parts=parts))
    found = af.parts_list(circuit)
    of_kind = {kind: sum(isinstance(e, kind) for e in circuit.elements) for kind in (Resistor, Capacitor, BipolarTransistor)}
    assert found.count("resistor") == of_kind[Resistor]
    assert found.count("capacitor") == of_kind[Capacitor]
    assert found.count("NPN transistor") + found.count("PNP transistor") == of_kind[BipolarTransistor]
    op_amps = sum(isinstance(e, Instance) and e.macro == circuit.parts.op_amp.name for e in circuit.elements)
    assert found.count(circuit.parts.op_amp.name) == op_amps > 0


def test_static_power_is_that_of_the_supply_currents_at_both_rails_and_of_loads_at_one():
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear")
    found, parts = af.parts_list(circuit), circuit.parts
    current = found.count(parts.op_amp.name) * parts.op_amp.supply_current
    assert found.power == pytest.approx(2 * parts.supply * current + found.load)
    assert 0 < found.load < 0.1 * found.power
    assert found.power > 0.01


def test_the_table_reads_back():
    found = af.parts_list(af.choose_values(af.compile(af.flows.capacity(PAPER), technology="opamp")))
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [int(row["count"]) for row in rows] == [entry.count for entry in found.entries]
    assert {row["part"] for row in rows} >= {"resistor", "capacitor", "opa2277", "NPN transistor"}


def test_ideal_circuits_have_no_parts():
    with pytest.raises(BadInput, match=r"'ideal' has no parts to list"):
        af.parts_list(af.compile(af.flows.capacity(PAPER)))


@given(st.floats(1e-14, 9e11))
def test_engineering_notation_keeps_four_digits(value):
    text = engineering(value)
    number = float(text[:-1]) * PREFIXES[text[-1]] if text[-1] in PREFIXES else float(text)
    assert number == pytest.approx(value, rel=6e-4)
    assert len(text) <= 6
