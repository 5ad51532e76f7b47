"""What a switch does beside switching: in every writer, in the deviations that are drawn, and to where a state starts."""

import dataclasses

import numpy as np
import pytest

import analogflow as af
from analogflow.circuit import Capacitor, CurrentSource, Switch
from analogflow.circuit.build import SWITCH_MODEL, AnalogSwitch
from analogflow.circuit.elements import simulated
from analogflow.netlister.plain import plain_deck
from analogflow.netlister.verilog_a import write_bench
from analogflow.passes.spread import sample_parts
from analogflow.technology.part_sets import catalogue, part_set

KNOWN = AnalogSwitch(name="adg412", **catalogue()["switch"]["adg412"])
CHANNEL = af.Channel([[0.8, 0.2], [0.3, 0.7]])


def built(technology="translinear", **switch):
    parts = dataclasses.replace(part_set(), switch=dataclasses.replace(KNOWN, **switch))
    return af.compile(af.flows.capacity(CHANNEL, form="logdomain"), technology=technology, parts=parts)


def test_a_switch_of_which_nothing_is_known_has_no_strays():
    assert not Switch("s", ("a", "b"), "hold", SWITCH_MODEL).strays
    bare = built(leakage=0.0, charge=0.0, off_time=0.0)
    assert list(simulated(bare.elements)) == list(bare.elements)


def test_leaks_are_drawn_for_each_switch_with_the_sheets_size():
    circuit = built()
    assert not any(e.leak for e in circuit.elements if isinstance(e, Switch))
    drawn = [e.leak for k in range(400) for e in sample_parts(circuit, sample=k).elements if isinstance(e, Switch)]
    assert np.std(drawn) == pytest.approx(0.1e-9, rel=0.1)
    assert abs(np.mean(drawn)) < 4 * 0.1e-9 / len(drawn) ** 0.5
    matched = af.degrade(circuit, imperfections=af.Imperfections(mismatch=0.01))
    assert not any(e.leak for e in matched.elements if isinstance(e, Switch))


def test_every_writer_has_the_strays():
    deck = af.netlist(sample_parts(built()))
    count = sum(isinstance(e, Switch) for e in deck.circuit.elements)
    for lines in (deck.body, plain_deck(deck).body, plain_deck(deck, "ltspice").body):
        assert sum("hold_charge" in line for line in lines) == count
        assert sum("hold_leak" in line for line in lines) == count
    bench = "\n".join(write_bench(deck).body)
    assert bench.count("_hold_charge (") == bench.count("_hold_leak (") == count
    assert not any(isinstance(e, CurrentSource) for e in deck.circuit.elements)  # nobody buys them


def decaying(x):
    return 0.1 - x


@pytest.mark.ngspice
def test_a_charge_moves_the_start_of_a_state_by_itself_over_the_capacitance():
    ends = []
    for coulombs in (0.0, 50e-12):
        parts = dataclasses.replace(part_set(), switch=dataclasses.replace(KNOWN, charge=coulombs))
        circuit = af.compile(af.Flow(decaying, states={"x": np.array([0.5])}), technology="opamp", parts=parts)
        run = af.simulate(af.netlist(circuit, time_constants=0.1))
        ends.append(float(np.interp(0.01, run.time, np.asarray(run.values["x"])[:, 0])))
    (capacitance,) = {e.capacitance for e in circuit.elements if isinstance(e, Capacitor) and e.name.endswith("_c")}
    volts = 10.0 * float(circuit.units.scales["x"][0])
    assert abs(ends[1] - ends[0]) == pytest.approx(50e-12 / capacitance / volts, rel=0.03)
