"""From a problem to a certified answer: the accuracy promised, on both engines."""

import json

import numpy as np
import pytest
from zoo import PAPER_ROWS

from analogflow import Channel, Outcome, flows, netlist, simulate, solve
from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.simulators import ENGINES

CHANNELS = {
    "paper": Channel(PAPER_ROWS),
    "bsc": Channel([[0.89, 0.11], [0.11, 0.89]], initial=[0.7, 0.3]),
    "bec": Channel([[0.7, 0.3, 0], [0, 0.3, 0.7]], initial=[0.7, 0.3]),
    "z": Channel([[1, 0], [0.5, 0.5]]),
    "identity": Channel(np.eye(3), initial=[0.7, 0.2, 0.1]),
}

engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.ngspice if name == "ngspice" else ()) for name in ENGINES]
)


@engines
@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised"])
@pytest.mark.parametrize("name", CHANNELS)
def test_named_channels_settle_at_the_capacity(engine, form, name):
    solution = solve(CHANNELS[name], form=form, engine=engine)
    assert solution.run.outcome is Outcome.SETTLED
    assert solution.certificate.errors["capacity_nats"] <= 1e-8
    assert solution.certificate.errors["input_distribution"] <= 1e-6
    assert solution.certificate.reference_gap <= 1e-12
    assert solution.passed


@pytest.mark.few(8)
@engines
@pytest.mark.parametrize("seed", range(6))
def test_random_channels_settle_within_a_millionth_of_a_nat(engine, seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 17, 2) if seed else (16, 16)
    solution = solve(Channel(rng.dirichlet(np.ones(m), n)), form="logdomain" if seed % 2 else "replicator", engine=engine)
    assert solution.run.outcome is Outcome.SETTLED, solution.run
    assert solution.certificate.errors["capacity_nats"] <= 1e-6
    assert solution.certificate.errors["certified_gap_nats"] <= 1e-6


@engines
@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised"])
def test_sum_stays_one_for_a_hundred_time_constants(engine, form):
    deck = netlist(compile(flows.capacity(Channel(PAPER_ROWS, initial=[0.1, 0.2, 0.7]), form=form)), time_constants=100)
    z = simulate(deck, engine=engine).values["z"]
    assert abs(z.sum(axis=1) - 1).max() <= 1e-9


@engines
def test_decay_rate_is_that_of_the_linearisation(engine):
    from analogflow.reference import capacity_convergence

    channel = CHANNELS["paper"]
    run = simulate(netlist(compile(flows.capacity(channel)), time_constants=60, largest_step=0.1), engine=engine)
    z = solve(channel, engine="block").certificate.reference["input_distribution"]
    distance = np.linalg.norm(run.values["z"] - z, axis=1)
    late = (run.time > 25) & (run.time < 55)
    slope = np.polyfit(run.time[late], np.log(distance[late]), 1)[0]
    assert slope == pytest.approx(-0.177815867299, rel=0.02)
    assert slope == pytest.approx(capacity_convergence(channel).lambda_max, rel=0.02)


@engines
def test_noiseless_channel_approaches_as_theorem_seven_says(engine):
    channel = CHANNELS["identity"]
    run = simulate(netlist(compile(flows.capacity(channel)), time_constants=12, largest_step=0.02), engine=engine)
    constant = np.linalg.norm(run.values["z"] - 1 / 3, axis=1) * np.exp(run.time)
    late = (run.time > 8) & (run.time < 11)
    assert constant[late] == pytest.approx(0.464934657988, rel=0.01)


@engines
def test_type_two_channels_creep_and_pass_where_the_answer_is_certified(engine):
    channel = Channel([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]])
    solution = solve(channel, engine=engine)
    assert solution.run.outcome is Outcome.ALGEBRAIC
    assert solution.settling_time is None
    assert solution.certificate.errors["certified_gap_nats"] < 1e-6
    assert solution.passed
    assert not solve(channel, engine=engine, accuracy=1e-9).passed


@engines
def test_unavailable_inputs_give_the_capacity_of_the_reduced_channel(engine):
    channel = Channel(PAPER_ROWS, unavailable=[1])
    for form in ("logdomain", "replicator"):
        solution = solve(channel, form=form, engine=engine)
        assert solution.certificate.answer["input_distribution"][1] == 0
        assert solution.passed


def test_solution_is_plain_data_when_asked():
    report = solve(CHANNELS["paper"], engine="block", seed=5).to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["seed"] == 5


def test_what_is_no_problem_is_refused():
    with pytest.raises(BadInput, match="object is not a problem a flow here solves; known are: Channel"):
        solve(object())
