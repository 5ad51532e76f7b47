"""Scaling: the scaled graph is the flow in other units, every signal stays in range, and ranges are bounds."""

import numpy as np
import pytest
import scipy.optimize
from zoo import PAPER

import analogflow as af
from analogflow.block_engine import VectorField, integrate, march, method_for
from analogflow.blocks import Softmax
from analogflow.errors import AnalogflowError
from analogflow.passes import pruned, rescaled, scale, unfolded
from analogflow.passes.ranges import ensemble_starts, intervals, reach
from analogflow.passes.scaling import FILL
from analogflow.problems import Attention, Channel, Hopfield, RateDistortion, Transport

RNG = np.random.default_rng(4)
FLOWS = {
    **{
        f"capacity {form}": af.flows.capacity(PAPER, form=form)
        for form in ("logdomain", "replicator", "normalised", "accelerated")
    },
    **{
        f"rate-distortion {form}": af.flows.rate_distortion(
            RateDistortion(source=[0.5, 0.3, 0.2], distortion=RNG.random((3, 4)), beta=3.0), form=form
        )
        for form in ("logdomain", "gibbs", "logarithmic")
    },
    "transport": af.flows.transport(
        Transport(cost=RNG.random((3, 3)), row=[0.5, 0.3, 0.2], column=[0.3, 0.3, 0.4], epsilon=0.3)
    ),
    "cooled": af.flows.transport(
        Transport(
            cost=RNG.random((3, 3)), row=[0.5, 0.3, 0.2], column=[0.3, 0.3, 0.4], epsilon=0.1, schedule={"kind": "adaptive"}
        )
    ),
    "attention": af.flows.attention(
        Attention(tokens=[[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B=np.eye(3), V=np.eye(3), beta=1.0, time=1.0)
    ),
    "hopfield": af.flows.hopfield(
        Hopfield(U=[[0.3, 0.1]], I=[0.5], gain_v=[[1]], gain_h=[[1, 0], [0, 1]], activation="tanh", temperature=0.0)
    ),
}


def scaled(name):
    flow = FLOWS[name]
    graph = pruned(af.compile(flow).graph, [flow.answer])
    return flow, graph, scale(graph, flow)


@pytest.mark.parametrize("name", FLOWS)
def test_the_scaled_graph_is_the_flow_in_other_units(name):
    _, graph, scaling = scaled(name)
    factor = np.concatenate([np.full(graph.block(n).size, scaling.scales[n]) for n in graph.states.values()])
    states = graph.initial() + 0.02 * np.random.default_rng(1).standard_normal((5, graph.size))
    for changed in (scaling.graph, unfolded(scaling.graph)):
        moved = VectorField(changed)(0.0, states * factor) / factor - VectorField(graph)(0.0, states)
        assert abs(moved).max() < 1e-11 * max(1.0, abs(VectorField(graph)(0.0, states)).max())
    jacobian = VectorField(scaling.graph).jacobian(states * factor) * factor / factor[:, None]
    np.testing.assert_allclose(jacobian, VectorField(graph).jacobian(states), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", FLOWS)
def test_no_signal_leaves_its_range_in_an_ensemble_of_other_starts(name):
    flow, graph, scaling = scaled(name)
    field, starts = VectorField(scaling.graph), ensemble_starts(graph, flow, seed=77)
    factor = np.concatenate([np.full(graph.block(n).size, scaling.scales[n]) for n in graph.states.values()])
    limit = np.concatenate([np.full(graph.block(n).size, scaling.limits.get(n, np.inf)) for n in graph.states.values()])
    starts = np.clip(starts, -limit, limit) * factor
    times = np.linspace(0, min(flow.end_time or 30.0, 30.0), 200)
    states = march(field, starts, times, times[-1], method_for(field, starts)).states.reshape(-1, field.size)
    values = field.signals(states)
    assert max(abs(value).max() for value in values.values()) <= 0.95


def test_every_signal_fills_its_range_unless_a_product_ties_it():
    _, graph, scaling = scaled("capacity logdomain")
    assert max(scaling.used.values()) <= FILL * (1 + 1e-9)
    assert scaling.used[scaling.tightest] == min(
        scaling.used[n]
        for n in graph
        if n in scaling.used and graph.block(n).kind() in ("integrator", "multiplier", "crossbar", "sum")
    )
    assert scaling.tightest in scaling.note


def test_intervals_hold_along_random_states_and_amplitudes_are_never_beyond_them():
    flow, graph, _ = scaled("capacity replicator")
    bounds = intervals(graph, flow)
    states = np.random.default_rng(0).dirichlet(np.ones(3), 200)
    values = VectorField(graph).signals(states)
    for node, (low, high) in bounds.items():
        assert (values[node] >= low - 1e-12).all(), node
        assert (values[node] <= high + 1e-12).all(), node
    largest = reach(graph, flow).largest
    for node, (low, high) in bounds.items():
        assert largest[node] <= np.maximum(abs(low), abs(high)).max() + 1e-12


@pytest.mark.slow
def test_a_dying_input_is_clamped_where_it_no_longer_matters():
    channel = Channel([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.35, 0.25]])
    flow = af.flows.capacity(channel)
    circuit = af.compile(flow, scaled=True)
    assert "clamped" in str(circuit.history[-2])
    run = af.simulate(af.netlist(circuit, time_constants=400), engine="block")
    np.testing.assert_allclose(run.final["z"], [0.5, 0.5, 0], atol=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("name", ["capacity logdomain", "rate-distortion gibbs", "transport", "hopfield"])
def test_both_engines_run_the_scaled_circuit_and_agree_with_the_flow(name):
    flow = FLOWS[name]
    circuit = af.compile(flow, scaled=True)
    deck = af.netlist(circuit, time_constants=10, largest_step=0.01)
    exact = integrate(af.compile(flow).graph, 10.0).final[flow.answer]
    for engine in ("block", "ngspice"):
        assert abs(af.simulate(deck, engine=engine).final[flow.answer] - exact).max() < 1e-6


def test_units_of_ones_choice_change_nothing():
    graph = af.compile(FLOWS["hopfield"]).graph
    scales = dict.fromkeys(graph, 1.0)
    same = rescaled(graph, scales, {})
    states = graph.initial() + 0.1
    np.testing.assert_array_equal(VectorField(same)(0.0, states), VectorField(graph)(0.0, states))


def test_masses_that_no_scale_carries_are_to_be_divided_by_their_sum():
    cost, row, column = [[1, 2, 3], [2, 1, 2]], np.array([0.5, 0.5]), np.array([0.2, 0.3, 0.5])
    heavy = Transport(cost=cost, row=1e7 * row, column=1e7 * column, epsilon=0.5)
    with pytest.raises(
        AnalogflowError, match=r"machine units: a signal .*; scale the problem \(masses: divide each by their"
    ):
        af.compile(af.flows.transport(heavy), technology="opamp")


def test_the_programme_of_scales_knows_no_clock(monkeypatch):
    """Under a limit of time a slow machine had other scales than a fast one, and so another netlist."""
    asked, real = [], scipy.optimize.milp

    def milp(*args, options, **rest):
        asked.append(dict(options))  # milp takes its own apart
        return real(*args, options=options, **rest)

    monkeypatch.setattr(scipy.optimize, "milp", milp)
    scaled("capacity accelerated")
    assert "time_limit" not in asked[0]
    assert asked[0]["node_limit"] >= 1000


def test_a_fingerprint_does_not_hang_on_where_a_block_is_defined(monkeypatch):
    """A scaled block has the kind of the block within it in its identity."""
    _, _, scaling = scaled("capacity logdomain")
    before = scaling.graph.fingerprint()
    monkeypatch.setattr(Softmax, "__module__", "elsewhere")
    assert scaling.graph.fingerprint() == before
