"""Digital solvers for the capacity: identities of the paper, monotone information, honest stopping, orders in the step."""

import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from zoo import CHANNELS, PAPER

from analogflow.digital import STEPS, blahut_arimoto, discretised_flow, multiplicative_weights, over_relaxed_blahut_arimoto
from analogflow.errors import BadInput
from analogflow.flows import capacity
from analogflow.problems import Channel
from analogflow.reference import capacity_reference

SOLVERS = {
    "blahut-arimoto": blahut_arimoto,
    "over-relaxed": over_relaxed_blahut_arimoto,
    "weights 0.3": lambda channel, **keywords: multiplicative_weights(channel, 0.3, **keywords),
}


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("entry", [e for e in zoo.CHANNELS if e.name != "type II"], ids=lambda e: e.name)
def test_known_capacities_are_reached(name, entry):
    run = SOLVERS[name](entry.channel, gap=1e-9)
    assert run.converged
    assert run.capacity_nats == pytest.approx(entry.capacity_nats, abs=2e-9)


@settings(max_examples=30)
@given(st.integers(0, 10**9))
def test_unit_step_is_blahut_arimoto_bit_for_bit_and_as_printed(seed):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(4), 3)
    channel = Channel(P)
    z = np.full(3, 1 / 3)
    for _ in range(5):
        weights = (P * np.log(P / (P.T @ z))).sum(1)
        z = z * np.exp(weights) / (z @ np.exp(weights))
    run = blahut_arimoto(channel, gap=1e-300, most=5)
    assert not run.converged
    np.testing.assert_allclose(run.input_distribution, z, rtol=1e-13)
    np.testing.assert_array_equal(
        run.input_distribution, multiplicative_weights(channel, 1.0, gap=1e-300, most=5).input_distribution
    )


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_information_never_falls(seed):
    channel = Channel(np.random.default_rng(seed).dirichlet(np.ones(4), 5))
    for solver in (blahut_arimoto, over_relaxed_blahut_arimoto):
        values = [solver(channel, gap=1e-300, most=most).capacity_nats for most in range(1, 12)]
        assert (np.diff(values) >= -1e-15).all()


def test_small_steps_follow_the_flow():
    channel = Channel(zoo.CHANNELS[0].channel.transition, initial=[0.7, 0.2, 0.1])
    optimum, decay = capacity_reference(channel).input_distribution, 0.177815867299
    for tau in (1.0, 0.01):
        early, late = (multiplicative_weights(channel, tau, gap=1e-300, most=round(t / tau)) for t in (60, 90))
        distances = [np.linalg.norm(run.input_distribution - optimum) for run in (early, late)]
        # One step shrinks the error by 1 − τ|λ|, which is the flow's rate only to first order in τ.
        assert np.log(distances[0] / distances[1]) / 30 == pytest.approx(-np.log(1 - tau * decay) / tau, rel=1e-4)


def test_limits_end_a_run_without_an_error():
    run = blahut_arimoto(zoo.CHANNELS[0].channel, gap=1e-15, most=3)
    assert (run.iterations, run.converged) == (3, False)
    slow = next(entry.channel for entry in zoo.CHANNELS if entry.name == "type II")
    assert not blahut_arimoto(slow, gap=1e-12, seconds=0.05, most=10**9).converged


def test_bad_limits_are_refused():
    with pytest.raises(BadInput, match="tau is 0; give a number above 0"):
        multiplicative_weights(zoo.CHANNELS[0].channel, 0)
    with pytest.raises(BadInput, match="gap is -1; give a number above 0"):
        blahut_arimoto(zoo.CHANNELS[0].channel, gap=-1)


UNIQUE = [known for known in CHANNELS if known.optimum and known.name != "type II"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "known", [known for known in CHANNELS if known.optimum and known.name != "type II"], ids=lambda k: k.name
)
def test_every_step_ends_at_the_capacity(known, step):
    run = discretised_flow(known.channel, step=step, tau=0.2, tolerance=1e-12)
    assert run.converged
    assert run.capacity_nats == pytest.approx(known.capacity_nats, abs=1e-9)
    np.testing.assert_allclose(run.input_distribution, known.optimum, atol=1e-8)


def test_the_multiplicative_step_of_one_is_blahut_arimoto():
    """Blahut's own formula: the next distribution from the posterior of each input, Σ_j p_ij ln(z_i p_ij / q_j)."""
    P, z, seen = PAPER.transition, np.full(3, 1 / 3), []
    for _ in range(30):
        posterior = z[:, None] * P / (z @ P)
        z = np.exp((P * np.log(posterior)).sum(axis=1))
        z /= z.sum()
        seen.append(z)
    for steps in (1, 7, 30):
        run = discretised_flow(PAPER, step="mwu", tau=1.0, tolerance=1e-300, most=steps)
        np.testing.assert_allclose(run.input_distribution, seen[steps - 1], rtol=2e-15 * steps, atol=0)
        np.testing.assert_allclose(
            blahut_arimoto(PAPER, gap=1e-300, most=steps).input_distribution, seen[steps - 1], rtol=1e-13
        )


@pytest.mark.parametrize(("step", "order"), [("euler", 1), ("mwu", 1), ("rk4", 4)])
def test_order_in_the_step(step, order):
    flow = capacity(PAPER, form="replicator")
    exact = solve_ivp(lambda t, z: flow.rates(z=z)["z"], (0, 4), PAPER.start(), "DOP853", rtol=1e-13, atol=1e-15).y[:, -1]
    errors = [
        abs(discretised_flow(PAPER, step=step, tau=4 / n, tolerance=1e-300, most=n).input_distribution - exact).max()
        for n in (10, 20, 40)
    ]
    assert np.log2(errors[1] / errors[2]) == pytest.approx(order, abs=0.15)


def test_a_step_of_ones_own():
    def halved(z, divergences, tau):
        return STEPS["mwu"](z, divergences, tau / 2)

    own = discretised_flow(PAPER, step=halved, tau=1.0, tolerance=1e-300, most=5)
    np.testing.assert_array_equal(
        own.input_distribution, discretised_flow(PAPER, step="mwu", tau=0.5, tolerance=1e-300, most=5).input_distribution
    )


def test_unavailable_inputs_stay_unused():
    channel = Channel(PAPER.transition, unavailable=[1])
    assert discretised_flow(channel).input_distribution[1] == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"step": "leapfrog"}, r"step 'leapfrog' is not known; known are: euler, rk4, mwu"), ({"tau": 0.0}, r"tau is 0.0"),
     ({"tolerance": -1.0}, r"tolerance is -1.0"), ({"most": 0}, r"most is 0")],
)  # fmt: skip
def test_bad_arguments_are_refused(fields, message):
    with pytest.raises(BadInput, match=message):
        discretised_flow(PAPER, **fields)


COSTLY = {
    "three inputs": Channel([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], cost=[0, 1, 2], cost_limit=0.3),
    "far from binding": Channel([[0.9, 0.1], [0.2, 0.8]], cost=[0, 1], cost_limit=0.9),
    "all alike": Channel([[0.9, 0.1], [0.2, 0.8]], cost=[1, 1], cost_limit=1.5),
    "one unavailable": Channel(
        [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.1, 0.1, 0.8]], unavailable=[1], cost=[3, 0, 1], cost_limit=1.5
    ),
    "random": Channel(np.random.default_rng(3).dirichlet(np.ones(5), 6), cost=[0, 1, 2, 3, 4, 5], cost_limit=1.2),
}


@pytest.mark.parametrize("name", COSTLY)
def test_capacities_under_a_cost_are_those_of_the_reference(name):
    channel = COSTLY[name]
    run = blahut_arimoto(channel, gap=1e-9)
    reference = capacity_reference(channel)
    assert run.converged
    assert 0 <= run.gap <= 1e-9
    assert run.capacity_nats <= reference.capacity_nats + reference.gap + 1e-14
    assert run.capacity_nats >= reference.capacity_nats - run.gap - 1e-13
    assert run.input_distribution @ channel.costs[0] <= channel.cost_limits[0] + 1e-12


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_information_under_a_cost_never_falls_and_every_gap_is_one(seed):
    rng = np.random.default_rng(seed)
    cost = rng.random(5)
    channel = Channel(rng.dirichlet(np.ones(4), 5), cost=cost, cost_limit=float(cost.min() + 0.3 * np.ptp(cost)))
    runs = [blahut_arimoto(channel, gap=1e-300, most=most) for most in range(1, 12)]
    assert (np.diff([run.capacity_nats for run in runs]) >= -1e-14).all()
    optimum = capacity_reference(channel).capacity_nats
    assert all(run.capacity_nats + run.gap >= optimum - 1e-13 for run in runs)


def test_several_costs_and_costs_that_a_rule_does_not_know_are_refused():
    several = Channel([[0.9, 0.1], [0.2, 0.8]], cost=[[0, 1], [1, 0]], cost_limit=[0.6, 0.6])
    with pytest.raises(BadInput, match=r"knows one cost, and .* has 2"):
        blahut_arimoto(several)
    with pytest.raises(BadInput, match=r"does not know the cost of inputs"):
        over_relaxed_blahut_arimoto(COSTLY["three inputs"])
