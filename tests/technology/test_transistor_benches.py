"""The transistors of the sets in a bench of their own: ngspice measures the models, sheets of pairs judge them.

The models are generic and no maker's: they are held to be no better than what sheets of matched pairs call typical.
"""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from spice_bench import measured
from zoo import PAPER

import analogflow as af
from analogflow.circuit import BipolarTransistor
from analogflow.circuit.packing import packing_of
from analogflow.netlister.spice import card, model_card
from analogflow.passes.spread import sample_parts
from analogflow.technology.part_sets import part_set

V_T = 8.617333262e-5 * 300.15
CURRENTS = (10e-6, 100e-6, 1e-3)
PAIRS = {"MAT04E": (50e-6, 200e-6), "SSM2212": (10e-6, 200e-6)}
"""Volts between the bases of a pair at one current, typical and at most, by the sheets."""

SHEETS = {
    # gain: least and typical at 10 µA, 100 µA and 1 mA; ohms of the bulk resistance: typical and most
    "npn": {"gain": ((300, 600),) * 3, "bulk": (0.4, 0.6), "from": "Analog Devices MAT04 rev. D, page 2, F grade"},
    "pnp": {"gain": ((60, 120), (70, 150), (80, 165)), "bulk": (0.3, 0.75), "from": "Analog Devices MAT03, grades A to F"},
}


def model_of(kind):
    return getattr(part_set(), kind)


def biased(folder, kind, current):
    """V_BE, and amperes of collector and base, with both at ground and `current` amperes through the emitter."""
    model = model_of(kind)
    ends = ("emit", "0") if kind == "npn" else ("0", "emit")
    lines = [
        model_card(model),
        card(BipolarTransistor("bench", ("col", "base", "emit"), model.name)),
        "Vc col 0 0",
        "Vb base 0 0",
        f"Ie {' '.join(ends)} {current!r}",
        ".options gmin=1e-15 reltol=1e-9 abstol=1e-15 vntol=1e-12",
    ]
    found = measured(folder, lines, ["op", "let ic=i(Vc)*1e9", "let ib=i(Vb)*1e9", "print v(emit) ic ib"])
    return abs(found["v(emit)"]), abs(found["ic"]) * 1e-9, abs(found["ib"]) * 1e-9


def worked_out(kind, current):
    """What `biased` measures, from Gummel's and Poon's equations at 27 °C with the base at the collector, by hand."""
    given = dict(model_of(kind).parameters)

    def currents(volts):
        forward = given["is"] * math.expm1(volts / V_T)
        charge = (1 + math.sqrt(1 + 4 * forward / given["ikf"])) / 2 / (1 - volts / given["var"])
        base = forward / given["bf"] + given["ise"] * math.expm1(volts / given["ne"] / V_T)
        return forward / charge, base

    inner = brentq(lambda volts: sum(currents(volts)) - current, 0.2, 0.9, xtol=1e-15)
    collector, base = currents(inner)
    return inner + base * given["rb"] + current * given["re"], collector, base


@pytest.mark.ngspice
@pytest.mark.parametrize("kind", SHEETS)
@pytest.mark.parametrize("current", CURRENTS)
def test_voltage_and_gain_at_a_current_are_those_of_the_equations(tmp_path, kind, current):
    volts, collector, base = biased(tmp_path, kind, current)
    told = worked_out(kind, current)
    assert volts == pytest.approx(told[0], abs=0.05e-3)
    assert collector == pytest.approx(told[1], rel=1e-4)
    assert base == pytest.approx(told[2], rel=2e-3)


@pytest.mark.ngspice
@pytest.mark.parametrize("kind", SHEETS)
def test_gains_are_below_what_a_sheet_calls_typical_and_of_its_size(tmp_path, kind):
    for current, (least, typical) in zip(CURRENTS, SHEETS[kind]["gain"], strict=True):
        _, collector, base = biased(tmp_path, kind, current)
        assert 0.8 * least < collector / base < typical


@pytest.mark.ngspice
@pytest.mark.parametrize("kind", SHEETS)
def test_logarithms_are_bent_by_more_than_the_bulk_resistance_of_a_sheet(tmp_path, kind):
    """From 10 µA to 1 mA, as the sheets do: high injection and the base's resistance are in it, beside the emitter's."""
    (low, few, _), (high, many, _) = (biased(tmp_path, kind, current) for current in (CURRENTS[0], CURRENTS[-1]))
    bulk = (high - low - V_T * math.log(many / few)) / (many - few)
    typical, most = SHEETS[kind]["bulk"]
    assert most < bulk < 10 * typical + 0.1


@pytest.mark.ngspice
@pytest.mark.parametrize("kind", SHEETS)
def test_a_transconductance_is_the_current_over_the_thermal_voltage(tmp_path, kind):
    model = model_of(kind)
    sign = "" if kind == "npn" else "-"
    volts, collector, _ = biased(tmp_path, kind, 10e-6)
    lines = [
        model_card(model),
        card(BipolarTransistor("bench", ("col", "base", "0"), model.name)),
        f"Vb base 0 {sign}{volts!r} ac 1",
        f"Vc col 0 {sign}{volts!r}",
    ]
    found = measured(tmp_path, lines, ["ac lin 1 1 1", "let gm=mag(i(Vc))*1e6", "print gm"])["gm"] * 1e-6
    given = dict(model.parameters)
    # The base moves against the collector, too, by the reverse Early effect: V_T/VAR of it.
    assert found == pytest.approx(collector / V_T / (1 + V_T / given["var"]), rel=3e-3)


def test_transistors_of_one_package_are_apart_by_what_sheets_of_pairs_say():
    circuit = af.choose_values(af.compile(af.flows.capacity(PAPER), technology="translinear"))
    packing = packing_of(circuit)
    units = [e for e in circuit.elements if isinstance(e, BipolarTransistor) and len(packing.of.get(e, ())) == 1]
    by_package = {}
    for element in units:
        by_package.setdefault(packing.of[element][0].package, []).append(element.name)
    pairs = [names for names in by_package.values() if len(names) == 2]
    assert pairs
    apart = []
    for sample in range(200):
        areas = {e.name: e.area for e in sample_parts(circuit, sample=sample).elements if isinstance(e, BipolarTransistor)}
        apart += [V_T * math.log(areas[one] / areas[other]) for one, other in pairs]
    sigma = float(np.std(apart))
    assert sigma == pytest.approx(math.sqrt(2) * part_set().tolerances.junction, rel=4 / math.sqrt(2 * len(apart)))
    for typical, most in PAIRS.values():
        assert typical < sigma < most / 2.5  # a sheet tests all that it sells, and 2.5 σ hold 99 of a hundred
