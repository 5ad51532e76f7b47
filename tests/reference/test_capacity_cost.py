"""Capacity under a limit on the mean cost: closed forms, the certificate and its twin, and the circuit with a price."""

import dataclasses
import json

import cvxpy
import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import xlogy
from zoo import CHANNELS

import analogflow as af
from analogflow.cli import main
from analogflow.digital import discretised_flow, over_relaxed_blahut_arimoto
from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.reference import capacity_convergence, capacity_reference, cost_certificate

ROWS = CHANNELS[0].channel.transition


def test_a_noiseless_channel_spends_by_gibbs():
    """max H(z) over Σ z e ≤ E is z ∝ exp(−s e)."""
    e, limit = np.array([0.0, 1.0, 2.0, 5.0]), 0.8

    def gibbs(s):
        z = np.exp(-s * e)
        return z / z.sum()

    s = brentq(lambda s: gibbs(s) @ e - limit, 0, 10, xtol=1e-15)
    found = capacity_reference(Channel(np.eye(4), cost=e, cost_limit=limit))
    np.testing.assert_allclose(found.input_distribution, gibbs(s), atol=1e-9)
    assert found.price == pytest.approx(s, abs=1e-8)
    assert found.capacity_nats == pytest.approx(-(gibbs(s) @ np.log(gibbs(s))), abs=1e-12)


def test_the_price_is_the_slope_of_the_capacity():
    cost = [0.0, 1.0, 3.0]
    values = [capacity_reference(Channel(ROWS, cost=cost, cost_limit=0.6 + d)).capacity_nats for d in (-1e-4, 0, 1e-4)]
    price = capacity_reference(Channel(ROWS, cost=cost, cost_limit=0.6)).price
    assert (values[2] - values[0]) / 2e-4 == pytest.approx(price, rel=1e-5)


def test_a_limit_that_does_not_bind_changes_nothing():
    found = capacity_reference(Channel(ROWS, cost=[0, 1, 3], cost_limit=2.9))
    assert found.price == 0
    assert found.capacity_nats == pytest.approx(capacity_reference(Channel(ROWS)).capacity_nats, abs=1e-13)


@pytest.mark.parametrize("seed", range(12))
def test_random_channels_are_certified(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 12, 2)
    cost = rng.uniform(0, 2, n)
    limit = cost.min() + 0.3 * (cost.max() - cost.min()) + 1e-3
    channel = Channel(rng.dirichlet(np.ones(m), n), cost=cost, cost_limit=limit)
    found = capacity_reference(channel)
    assert found.gap <= 1e-10
    assert found.input_distribution @ cost <= limit + 1e-9
    # The twin: another distribution is not certified at that price.
    other = 0.5 * found.input_distribution + 0.5 / n
    lower, upper = cost_certificate(channel, other, found.price)
    assert upper - lower > 1e-7 or found.capacity_nats < 1e-6


@pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=pytest.mark.ngspice if e == "ngspice" else ()) for e in ("block", "ngspice")]
)
@pytest.mark.parametrize("limit", [0.3, 0.6, 2.9])
def test_the_circuit_finds_distribution_and_price(engine, limit):
    channel = Channel(ROWS, cost=[0, 1, 3], cost_limit=limit)
    solution = af.solve(channel, engine=engine)
    reference = capacity_reference(channel)
    assert solution.passed
    assert solution.certificate.errors["capacity_nats"] < 1e-7
    assert max(solution.run.final["price"][0], 0) == pytest.approx(reference.price, abs=1e-6)


TWO = {"cost": [[0, 1, 3], [2, 0, 1]], "cost_limit": [0.6, 0.9]}
"""Both limits bind."""


@pytest.mark.parametrize("seed", range(8))
def test_several_costs_agree_with_a_general_solver(seed):
    rng = np.random.default_rng(seed)
    n, m, k = rng.integers(3, 9), rng.integers(2, 9), rng.integers(2, 4)
    P, cost = rng.dirichlet(np.ones(m), n), rng.uniform(0, 2, (k, n))
    limit = cost @ rng.dirichlet(np.ones(n)) + 0.02
    z = cvxpy.Variable(n, nonneg=True)
    information = cvxpy.sum(cvxpy.entr(P.T @ z)) + xlogy(P, P).sum(axis=1) @ z
    problem = cvxpy.Problem(cvxpy.Maximize(information), [cvxpy.sum(z) == 1, cost @ z <= limit])
    problem.solve(solver=cvxpy.CLARABEL)
    channel = Channel(P, cost=cost, cost_limit=limit)
    found = capacity_reference(channel)
    assert found.capacity_nats == pytest.approx(problem.value, abs=1e-6)
    np.testing.assert_allclose(found.prices, problem.constraints[1].dual_value, atol=1e-3)
    assert found.gap <= 1e-10
    assert (cost @ found.input_distribution <= limit + 1e-12).all()
    # The twin: another distribution is not certified at these prices.
    lower, upper = cost_certificate(channel, 0.5 * found.input_distribution + 0.5 / n, found.prices)
    assert upper - lower > 1e-7


def test_a_noiseless_channel_spends_two_costs_by_gibbs():
    """max H(z) is z ∝ exp(−s e − t f), with s and t where the dual, ln Σ exp(−s e − t f) + s E + t F, is least."""
    cost, limit = np.array([[0.0, 1.0, 2.0, 5.0], [3.0, 1.0, 0.0, 1.0]]), np.array([1.0, 1.2])
    dual = minimize(
        lambda s: np.log(np.exp(-s @ cost).sum()) + s @ limit, [0.1, 0.1], bounds=[(0, None)] * 2, method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-12},
    )  # fmt: skip
    found = capacity_reference(Channel(np.eye(4), cost=cost, cost_limit=limit))
    assert found.capacity_nats == pytest.approx(dual.fun, abs=1e-11)
    np.testing.assert_allclose(found.prices, dual.x, atol=1e-5)
    assert (dual.x > 1e-3).all()


def test_every_price_is_a_slope_of_the_capacity():
    found = capacity_reference(Channel(ROWS, **TWO))
    for k in range(2):
        step = 1e-4 * np.eye(2)[k]
        up, down = (
            capacity_reference(Channel(ROWS, cost=TWO["cost"], cost_limit=TWO["cost_limit"] + sign * step)).capacity_nats
            for sign in (1, -1)
        )
        assert (up - down) / 2e-4 == pytest.approx(found.prices[k], rel=1e-4)
        assert found.prices[k] > 0.01
    with pytest.raises(BadInput, match=r"there are 2 costs, each with a price; take prices"):
        _ = found.price


def test_a_cost_that_is_given_twice_counts_by_its_lower_limit():
    once = capacity_reference(Channel(ROWS, cost=[0, 1, 3], cost_limit=0.6))
    twice = capacity_reference(Channel(ROWS, cost=[[0, 1, 3], [0, 2, 6]], cost_limit=[0.6, 1.3]))
    assert twice.capacity_nats == pytest.approx(once.capacity_nats, abs=1e-12)
    assert twice.prices[0] == pytest.approx(once.price, abs=1e-8)
    assert twice.prices[1] == 0
    alone = capacity_reference(Channel(ROWS, cost=[[0, 1, 3]], cost_limit=[0.6]))
    assert alone.price == once.price


@pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=pytest.mark.ngspice if e == "ngspice" else ()) for e in ("block", "ngspice")]
)
@pytest.mark.parametrize("limit", [[0.6, 0.9], [0.6, 2.0], [3.0, 2.0]])
def test_the_circuit_finds_every_price(engine, limit):
    channel = Channel(ROWS, cost=TWO["cost"], cost_limit=limit)
    solution = af.solve(channel, engine=engine)
    assert solution.passed
    assert any(check.name == "mean costs keep their limits" for check in solution.certificate.checks)
    prices = capacity_reference(channel).prices
    np.testing.assert_allclose(np.maximum(solution.run.final["price"], 0), prices, atol=1e-5)
    assert (solution.run.final["mean_cost"] <= np.asarray(limit) + 1e-6).all()


def test_a_distribution_that_breaks_one_of_two_limits_does_not_pass():
    channel = Channel(ROWS, cost=TWO["cost"], cost_limit=[0.6, 0.9])
    loose = dataclasses.replace(channel, cost_limit=[0.6, 2.0])
    run = af.solve(loose, engine="block").run
    held = {check.name: check.passed for check in af.certify(channel, run).checks}
    assert not held["mean costs keep their limits"]


def test_several_costs_in_a_file(tmp_path, capsys):
    path = tmp_path / "channel.json"
    path.write_text(json.dumps({"transition": ROWS.tolist(), **TWO}))
    assert main(["solve", "capacity", str(path), "--engine", "block", "--json"]) == 0
    exact = capacity_reference(Channel(ROWS, **TWO)).capacity_nats
    assert json.loads(capsys.readouterr().out)["answer"]["capacity_nats"] == pytest.approx(exact, abs=1e-7)
    assert main(["solve", "capacity", str(path), "--technology", "translinear"]) == 2
    said = capsys.readouterr().err
    assert "does not carry the capacity flow in the form 'logdomain' with a cost, since " in said
    assert "; it carries: " in said


@pytest.mark.slow
@pytest.mark.ngspice
def test_operational_amplifiers_carry_two_prices():
    solution = af.solve(Channel(ROWS, **TWO), technology="opamp")
    assert solution.passed
    assert (solution.run.final["price"] > 0.01).all()


def test_a_problem_file_with_a_cost(tmp_path, capsys):
    path = tmp_path / "channel.json"
    path.write_text(json.dumps({"transition": ROWS.tolist(), "cost": [0, 1, 3], "cost_limit": 0.6}))
    assert main(["solve", "capacity", str(path), "--engine", "block", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"]["capacity_nats"] == pytest.approx(0.23405135158592, abs=1e-7)
    assert main(["solve", "capacity", str(path), "--engine", "block", "--form", "replicator"]) == 2
    assert "form 'replicator' of the capacity flow knows no cost" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cost": [0, 1, 3]}, r"cost and cost_limit belong together"),
        ({"cost": [0, 1], "cost_limit": 1.0}, r"Channel.cost: has shape \(2,\), must have one entry"),
        ({"cost": [0, -1, 3], "cost_limit": 1.0}, r"costs must be finite and 0 or more"),
        ({"cost": [1, 2, 3], "cost_limit": 1.0}, r"leaves no freedom; it must exceed the cost of the cheapest input, 1"),
        ({"cost": [1, 2, 3], "cost_limit": float("nan")}, r"is not a finite number"),
        ({"cost": ["a", 2, 3], "cost_limit": 1.0}, r"Channel.cost does not consist of numbers"),
        (
            {"cost": [[0, 1, 3]], "cost_limit": 1.0},
            r"give a row of 3 numbers for each, and as cost_limit a list of k numbers",
        ),
        ({"cost": [0, 1, 3], "cost_limit": [1.0]}, r"has shape \(3,\) with limits of shape \(1,\)"),
        ({"cost": [[0, 1], [1, 0]], "cost_limit": [1, 1]}, r"has shape \(2, 2\) with limits of shape \(2,\)"),
        ({"cost": [[0, 1, 3], [1, 0, -1]], "cost_limit": [1, 1]}, r"costs must be finite and 0 or more"),
        (
            {"cost": [[0, 1, 3], [1, 0, 1]], "cost_limit": [1, np.inf]},
            r"limits must be finite; leave a cost without a limit",
        ),
        ({"cost": [[0, 1, 3], [1, 2, 1]], "cost_limit": [1, 1]}, r"1 of cost 2 leaves no freedom; it must exceed that of"),
        (
            {"cost": [[0, 1, 1], [1, 0, 1]], "cost_limit": [0.4, 0.5]},
            r"no distribution of inputs keeps below all limits at once",
        ),
        (
            {"cost": [[0, 1, 1], [1, 0, 1]], "cost_limit": [0.4, 0.6]},
            r"no distribution of inputs keeps below all limits at once",
        ),
    ],
)
def test_bad_costs_are_refused(fields, message):
    with pytest.raises(BadInput, match=message):
        Channel(ROWS, **fields)


@pytest.mark.parametrize("solver", [over_relaxed_blahut_arimoto, discretised_flow, capacity_convergence])
def test_what_knows_no_cost_refuses_one(solver):
    with pytest.raises(BadInput, match=r"does not know the cost of inputs"):
        solver(Channel(ROWS, cost=[0, 1, 3], cost_limit=0.6))
