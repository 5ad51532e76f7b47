"""Capacity under a limit on the mean cost: closed forms, the certificate and its twin, and the circuit with a price."""

import json

import numpy as np
import pytest
from scipy.optimize import brentq
from zoo import CHANNELS

import analogflow as af
from analogflow.cli import main
from analogflow.digital import blahut_arimoto, discretised_flow, over_relaxed_blahut_arimoto
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
    ],
)
def test_bad_costs_are_refused(fields, message):
    with pytest.raises(BadInput, match=message):
        Channel(ROWS, **fields)


@pytest.mark.parametrize("solver", [blahut_arimoto, over_relaxed_blahut_arimoto, discretised_flow, capacity_convergence])
def test_what_knows_no_cost_refuses_one(solver):
    with pytest.raises(BadInput, match=r"does not know the cost of inputs"):
        solver(Channel(ROWS, cost=[0, 1, 3], cost_limit=0.6))
