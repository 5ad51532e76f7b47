"""Multiplicative solvers: identities of the paper, monotone information, honest stopping."""

import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from analogflow.digital import blahut_arimoto, multiplicative_weights, over_relaxed_blahut_arimoto
from analogflow.errors import BadInput
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
