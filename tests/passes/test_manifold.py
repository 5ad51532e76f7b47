"""The rate of return to a manifold, measured on the graph, against the law; and how a repelling one is mended."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo import PAPER_ROWS

from analogflow.compiler import compile
from analogflow.errors import UnstableManifold
from analogflow.flows import Flow, Simplex, capacity
from analogflow.passes import nominal_orbit, return_rates
from analogflow.problems import Channel

PAPER = Channel(PAPER_ROWS, initial=[0.2, 0.5, 0.3])


def rates_of(flow):
    graph = flow.graph()
    orbit = nominal_orbit(graph, flow.keeps)
    return orbit, return_rates(graph, flow.keeps, orbit)[0]


@pytest.mark.parametrize(("form", "gauge"), [("printed", -1.0), ("replicator", 0.5)])
def test_rate_is_information_plus_gauge(form, gauge):
    flow = capacity(PAPER, form=form)
    orbit, found = rates_of(flow)
    information = [float(flow.observe("capacity_nats", z=z)) for z in orbit]
    assert found.slowest == pytest.approx(min(information) + gauge, abs=1e-9)
    assert found.fastest == pytest.approx(max(information) + gauge, abs=1e-9)


@pytest.mark.parametrize("form", ["normalised", "logdomain"])
def test_neutral_forms_are_found_neutral_and_mended(form):
    flow = capacity(PAPER, form=form)
    assert abs(rates_of(flow)[1].slowest) < 1e-12
    circuit = compile(flow)
    orbit = nominal_orbit(circuit.graph, flow.keeps)
    assert return_rates(circuit.graph, flow.keeps, orbit)[0].slowest == pytest.approx(1.0, abs=1e-9)
    assert any("added" in step.note and ", so that it attracts at 1 per τ" in step.note for step in circuit.history)


def test_a_gauge_that_repels_is_set_anew():
    flow = capacity(PAPER, form="replicator")
    flow = Flow(flow.function, flow.states, flow.keeps, {**flow.constants, "gauge": -1.0}, flow.observables, gauge="gauge")
    circuit = compile(flow)
    assert return_rates(circuit.graph, flow.keeps, nominal_orbit(circuit.graph, flow.keeps))[0].slowest == pytest.approx(1.0)
    assert "gauge set to" in str(circuit.history[2])


def test_printed_form_is_left_as_it_is_with_a_warning():
    circuit = compile(capacity(PAPER, form="printed"))
    assert "repels at" in circuit.history[2].note
    assert "a deviation will grow" in circuit.history[2].note
    assert circuit.graph.fingerprint() == capacity(PAPER, form="printed").graph().fingerprint()


def test_stabilise_can_be_declined():
    flow = capacity(PAPER, form="normalised")
    circuit = compile(flow, stabilise=False)
    assert abs(return_rates(circuit.graph, flow.keeps, nominal_orbit(circuit.graph, flow.keeps))[0].slowest) < 1e-12


def test_a_manifold_the_flow_does_not_keep_can_not_be_mended():
    def runaway(z):
        return z * (z.sum() - 1.0) * 1e3 * z.sum()

    hostile = Flow(runaway, {"z": np.full(2, 0.5)}, keeps=[Simplex("z")])
    circuit = compile(hostile)  # a restoring term is strong enough for any finite rate
    assert return_rates(circuit.graph, hostile.keeps, np.full((1, 2), 0.5))[0].slowest > 0.25

    def useless_gauge(z, gauge):
        return z * (z.sum() - 1.0) + 0.0 * gauge * z

    with pytest.raises(UnstableManifold, match="simplex of state 'z' returns at -1 per τ only, even with a gauge"):
        compile(Flow(useless_gauge, {"z": np.full(2, 0.5)}, keeps=[Simplex("z")], constants={"gauge": 0.0}, gauge="gauge"))


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_mending_never_moves_the_flow_on_its_manifold(seed):
    rng = np.random.default_rng(seed)
    channel = Channel(rng.dirichlet(np.ones(rng.integers(2, 5)), rng.integers(2, 5)))
    for form in ("replicator", "normalised", "logdomain"):
        circuit = compile(capacity(channel, form=form))
        assert circuit.flow.keeps
        assert "the rates agree within" in circuit.history[2].note
