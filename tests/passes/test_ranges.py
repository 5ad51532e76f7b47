"""Ranges and speed of op-amp circuits: they hold for the whole run, and a run that leaves them says so."""

import re
from pathlib import Path

import numpy as np
import pytest

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.circuit import Capacitor
from analogflow.digits import significant
from analogflow.errors import AnalogflowError, BadInput
from analogflow.families.files import read_problem
from analogflow.passes import ranges
from analogflow.passes.ranges import reach
from analogflow.run import Outcome

ODE = Path(__file__).parents[1] / "data/ode"
WORST = {"ramp": 1e-4, "epor": 1e-3, "bouncing": 2e-2, "vdp": 1e-2, "massspring": 1e-2, "pid": 2e-2}
"""Largest error at the end, of the peak, by flow: 0.18, 0.27, 1.6, 0.025, 0.0041 and 0.0094 when ranges ended at 40 τ."""


def flow_of(name):
    return af.flows.custom(read_problem(str(ODE / f"{name}.toml")))


def peaks(circuit, run):
    states = np.concatenate([run.values[name] * circuit.units.scales[name] for name in circuit.graph.states], axis=-1)
    return {node: float(abs(value).max()) for node, value in VectorField(circuit.graph).signals(states).items()}


@pytest.mark.parametrize("name", ["ramp", "epor", "bouncing", "vdp", "henon_heiles", "jerk"])
def test_no_signal_leaves_its_range_before_the_end_of_the_run(name):
    circuit = af.compile(flow_of(name), technology="opamp")
    run = af.simulate(af.netlist(circuit), engine="block")
    assert run.outcome is Outcome.COMPLETED
    assert run.time[-1] == pytest.approx(circuit.flow.end_time)
    assert max(peaks(circuit, run).values()) <= 1.0


@pytest.mark.few(3)
@pytest.mark.ngspice
@pytest.mark.parametrize("name", WORST)
def test_paths_end_where_an_integrator_of_high_order_says(name):
    flow = flow_of(name)
    run = af.simulate(af.netlist(af.compile(flow, technology="opamp")))
    assert run.outcome is Outcome.COMPLETED
    if name == "ramp":
        assert run.final["y"][0] == pytest.approx(1.0, abs=WORST[name])
        return
    right = np.load(ODE / "paths.npz")[f"{name}.y"]
    found = np.concatenate([run.final[state] for state in flow.states])
    assert (abs(found - right[:, -1]) / abs(right).max(axis=1)).max() < WORST[name]


def test_the_fastest_rate_is_that_of_the_path():
    flow = flow_of("bouncing")
    # In contact ÿ = −300 y − …, which the start, in free fall, does not show.
    assert reach(flow.graph(), flow).fastest == pytest.approx(np.sqrt(300.0), rel=1e-6)


@pytest.mark.ngspice
def test_a_run_that_meets_a_rail_names_the_signal_and_the_time():
    solution = af.solve(flow_of("ramp").problem, technology="opamp", engine="ngspice", time_constants=300.0)
    assert solution.run.outcome is Outcome.MET_RAIL
    unit = 10.0 * solution.circuit.units.scales["y"][0]
    (when,) = re.findall(r"y met ±13 V at t = ([\d.]+) τ", solution.run.detail)
    assert float(when) == pytest.approx(0.99 * 13.0 / unit / 0.01, rel=2e-3)
    assert "its range was chosen for 100 τ" in solution.run.detail
    (check,) = [check for check in solution.certificate.checks if check.name == "no amplifier meets its rail"]
    assert not check.passed
    assert "y met" in check.detail
    assert not solution.passed


@pytest.mark.ngspice
def test_a_run_within_its_range_passes_the_check_of_rails():
    solution = af.solve(flow_of("ramp").problem, technology="opamp", engine="ngspice")
    assert [check.passed for check in solution.certificate.checks if "rail" in check.name] == [True]


def test_compile_and_netlist_say_how_long_the_ranges_hold():
    circuit = af.compile(flow_of("ramp"), technology="opamp")
    (said,) = [step.note for step in circuit.history if step.name == "scale"]
    assert "ranges hold for 100 τ, where y still grows" in said
    assert "* range:" not in af.netlist(circuit).text
    assert "* range:     signals were followed for 100 time constants" in af.netlist(circuit, time_constants=300).text


def test_a_flow_without_an_end_is_followed_as_long_as_it_is_run():
    ramp = af.Equations(name="ramp", states={"y": 0.0}, equations={"y": "0.01"})
    circuit = af.compile(af.flows.custom(ramp), technology="opamp")
    run = af.simulate(af.netlist(circuit, time_constants=200), engine="block")
    assert circuit.covered == 200
    assert run.outcome is Outcome.COMPLETED


def test_a_flow_that_starts_small_is_followed_to_where_it_goes():
    """x' = x (1 − x) from 1e-8 stands at 1 after 37 τ; its circuit had room for 1e-6."""
    logistic = af.Equations(name="logistic", states={"x": 1e-8}, equations={"x": "x*(1 - x)"})
    circuit = af.compile(af.flows.custom(logistic), technology="opamp")
    assert 0.1 < circuit.units.scales["x"][0] < 1
    assert circuit.covered > 37


def test_a_flow_that_runs_away_is_refused():
    runaway = af.Equations(name="runaway", states={"x": 1.0}, equations={"x": "x * x"}, time=2.0)
    with pytest.raises(BadInput, match="runs away at t = 1 τ, so no range"):
        af.compile(af.flows.custom(runaway), technology="opamp")


def test_a_large_flow_does_not_run_away():
    turn = af.Equations({"x": 1e6, "v": -2e5}, {"x": "v", "v": "-x"}, time=10.0)
    flow = af.flows.custom(turn)
    found = reach(flow.graph(), flow)
    assert max(found.largest.values()) == pytest.approx(1.2 * np.hypot(1e6, 2e5), rel=0.2)  # the margin, and starts nearby
    with pytest.raises(AnalogflowError, match="a signal is too large"):
        af.compile(flow, technology="opamp")


def test_a_rate_that_is_zero_for_good_asks_for_no_capacitor_that_nobody_sells():
    circuit = af.compile(flow_of("ramp"), technology="opamp")
    assert max(e.capacitance for e in circuit.elements if isinstance(e, Capacitor)) <= 1e-5


@pytest.mark.parametrize("noise", [False, True])
def test_ranges_are_the_same_however_many_states_are_evaluated_at_once(noise, monkeypatch):
    flow = (
        af.flows.langevin(af.Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5))
        if noise
        else af.flows.capacity(af.Channel([[0.7, 0.3], [0.2, 0.8]]))
    )
    graph = flow.graph()
    whole = ranges.reach(graph, flow)
    monkeypatch.setattr(ranges, "_MOST_SIGNALS", 1000 * VectorField(graph).width)
    evaluated = []
    original = VectorField.signals
    monkeypatch.setattr(
        VectorField, "signals", lambda self, y, *more, **named: evaluated.append(len(y)) or original(self, y, *more, **named)
    )
    parted = ranges.reach(graph, flow)
    assert evaluated.count(1000) > 3
    assert parted.largest == pytest.approx(whole.largest, rel=1e-13)
    assert parted.exponents == pytest.approx(whole.exponents, rel=1e-13)
    assert parted.clamped == whole.clamped


@pytest.mark.parametrize(
    "flow",
    [
        af.flows.capacity(af.Channel([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], unavailable=[0]), form="printed"),
        af.flows.capacity(af.Channel([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]]), form="printed"),
    ],
    ids=["an input that is not available", "all inputs"],
)
def test_ranges_do_not_hang_on_rounding_where_a_manifold_repels(flow, monkeypatch):
    """What a start does once it has left its manifold is decided by the last bit of its first step."""
    starts, graph = ranges.ensemble_starts, flow.graph()
    found = []
    for seed in range(4):
        jolt = 1 + 1e-14 * np.random.default_rng(seed).standard_normal((96, 3)) * (seed > 0)
        monkeypatch.setattr(ranges, "ensemble_starts", lambda *given, jolt=jolt: starts(*given) * jolt)
        found.append({node: significant(value, 4) for node, value in reach(graph, flow).largest.items()})
    assert found[1:] == found[:1] * 3
    assert all(value < 1.1 for node, value in found[0].items() if node in graph.states.values())
