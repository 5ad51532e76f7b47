"""One contract for all engines: paths, outcomes and records do not depend on which engine made the run."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from zoo import PAPER

from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.flows import Flow, Simplex, capacity
from analogflow.netlister import netlist
from analogflow.problems import Channel
from analogflow.run import Outcome
from analogflow.simulators import ENGINES, simulate

STABILISED = ("logdomain", "replicator", "normalised")

engines = pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=pytest.mark.ngspice if e == "ngspice" else ()) for e in ENGINES]
)


@engines
@pytest.mark.parametrize("form", STABILISED)
def test_path_is_that_of_the_function_itself(engine, form):
    flow = capacity(Channel(PAPER.transition, initial=[0.7, 0.2, 0.1]), form=form)
    circuit = compile(flow)
    run = simulate(netlist(circuit, time_constants=20, largest_step=0.02), engine=engine)
    z0, P = flow.problem.start(), PAPER.transition

    def replicator(t, z):
        w = (P * np.log(P / (P.T @ z))).sum(1)
        return z * (w - z @ w)

    exact = solve_ivp(replicator, (0, 20), z0, t_eval=run.time, method="DOP853", rtol=1e-12, atol=1e-14).y.T
    assert abs(run.values["z"] - exact).max() < 3e-6
    assert run.outcome is Outcome.COMPLETED


@engines
def test_run_starts_at_the_start_and_ends_at_the_end(engine):
    flow = Flow(lambda x: -x, {"x": np.array([1.0, 2.0])})
    run = simulate(netlist(compile(flow), time_constants=3.0), engine=engine)
    assert run.time[0] == 0
    assert run.time[-1] == pytest.approx(3.0, rel=1e-9)
    assert (np.diff(run.time) > 0).all()
    np.testing.assert_allclose(run.values["x"][0], [1, 2], rtol=1e-12)
    np.testing.assert_allclose(run.final["x"], np.exp(-3) * np.array([1, 2]), rtol=2e-3)
    assert run.record["engine"] == engine


@engines
def test_settling_stops_the_run(engine):
    deck = netlist(compile(capacity(PAPER)), time_constants=5000, largest_step=2.0)
    run = simulate(deck, engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.SETTLED
    assert run.time[-1] < 1000
    assert len(run.time) < 600


@engines
def test_printed_form_is_caught_off_its_simplex(engine):
    deck = netlist(compile(capacity(PAPER, form="printed")), time_constants=500)
    run = simulate(deck, engine=engine, resting_speed=1e-9)
    assert run.outcome in (Outcome.BLEW_UP, Outcome.LEFT_MANIFOLD)
    assert run.detail


@engines
def test_a_blow_up_names_the_variable(engine):
    flow = Flow(lambda z: z * z - 0.5 * z, {"z": np.array([0.1, 1.0])})
    run = simulate(netlist(compile(flow), time_constants=50), engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.BLEW_UP
    assert "z[1] ran away at t = " in run.detail
    assert float(run.detail.split("t = ")[1].split(" ")[0]) == pytest.approx(2 * np.log(2), rel=0.1)


@engines
def test_type_two_inputs_are_reported_as_algebraic(engine):
    channel = Channel([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]])
    deck = netlist(compile(capacity(channel)), time_constants=2000, largest_step=5.0)
    run = simulate(deck, engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.ALGEBRAIC
    late = run.time > 1000
    assert run.values["z"][late, 2] * run.time[late] == pytest.approx(1.0, abs=0.02)


@engines
def test_a_slow_exponential_is_not_called_algebraic(engine):
    flow = Flow(lambda x: -0.002 * x, {"x": np.array([1.0])})
    run = simulate(netlist(compile(flow), time_constants=800, largest_step=20.0), engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.NOT_SETTLED


@engines
def test_two_runs_are_bit_identical(engine):
    deck = netlist(compile(capacity(PAPER, form="replicator")), time_constants=10)
    first, second = simulate(deck, engine=engine), simulate(deck, engine=engine)
    assert first.time.tobytes() == second.time.tobytes()
    assert all(first.values[name].tobytes() == second.values[name].tobytes() for name in first.values)


@engines
def test_progress_is_told(engine):
    told = []
    deck = netlist(compile(capacity(PAPER)), time_constants=300 if engine == "block" else 20000, largest_step=0.1)
    simulate(deck, engine=engine, on_progress=told.append)
    assert told
    assert told == sorted(told)


@engines
def test_every_block_computes_the_same_in_the_circuit(engine):
    from analogflow.graph import comparator, log, normalise, softmax, switch

    W = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])

    def exercise(x):
        y = np.sqrt(x) + np.tanh(x) - np.exp(-x) / (1 + x**2) + log(x) * 0.1
        grid = np.log(x)[None, :] - np.array([[0.1], [0.2]]) * x
        rows = softmax(grid, tail=[0.5, 1.5], offsets=[[0.0, 0.1, 0.2], [0.3, 0.0, 0.1]])
        gated = switch(x, comparator(x, 0.5, width=0.2)) + np.maximum(x - 0.6, 0) + normalise(x)[::-1]
        return y + W.T @ (W @ x) + rows.sum(axis=0) + gated - 3 * x

    flow = Flow(exercise, {"x": np.array([0.3, 0.6, 0.9])})
    circuit = compile(flow)
    run = simulate(netlist(circuit, time_constants=2, largest_step=0.005), engine=engine)
    exact = solve_ivp(lambda t, x: flow.rates(x=x)["x"], (0, 2), flow.states["x"], rtol=1e-11, atol=1e-13).y[:, -1]
    np.testing.assert_allclose(run.final["x"], exact, rtol=3e-6)


@engines
def test_softmax_of_many_members_survives_any_range(engine):
    start = np.linspace(-300, 300, 20)
    flow = Flow(lambda u: softmax_of(u) - 0.01 * u, {"u": start}, observables={"z": softmax_of}, answer="z")
    run = simulate(netlist(compile(flow), time_constants=2, largest_step=0.05), engine=engine)
    assert np.isfinite(run.values["z"]).all()
    np.testing.assert_allclose(run.values["z"].sum(1), 1, atol=1e-9)


def softmax_of(u):
    from analogflow.graph import softmax

    return softmax(u)


def test_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="engine 'spectre' is not known; known are: ngspice, vacask, block, spice"):
        simulate(compile(capacity(PAPER)), engine="spectre")


@pytest.mark.ngspice
@pytest.mark.parametrize("form", STABILISED)
def test_both_engines_follow_one_path(form):
    rng = np.random.default_rng(11)
    for n, m in ((2, 3), (5, 4), (8, 8)):
        flow = capacity(Channel(rng.dirichlet(np.ones(m), n), initial=rng.dirichlet(np.ones(n))), form=form)
        circuit = compile(flow)
        run = simulate(netlist(circuit, time_constants=20, largest_step=0.02), engine="ngspice")
        from analogflow.block_engine import VectorField

        field = VectorField(circuit.graph)
        exact = solve_ivp(field, (0, 20), circuit.graph.initial(), t_eval=run.time, method="DOP853", rtol=1e-11, atol=1e-13)
        assert abs(run.values["z"] - field.observables(exact.y.T)["z"]).max() < 1e-5
        assert Simplex("z").defect(run.values["z"]) == pytest.approx(0, abs=1e-9)
