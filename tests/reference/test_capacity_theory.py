"""Types of inputs, the linearisation M, and the explicit solution of the noiseless channel."""

import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from zoo import noiseless

from analogflow.problems import Channel
from analogflow.reference import capacity_convergence, capacity_reference, input_types
from analogflow.reference.capacity_theory import noiseless_distance, noiseless_solution


def replicator(P):
    def rate(t, z):
        w = np.where(P > 0, P * np.log(np.where(P > 0, P, 1) / (P.T @ z)), 0).sum(1)
        return z * (w - z @ w)

    return rate


def entry(name):
    return next(known for known in zoo.CHANNELS if known.name == name)


def test_eigenvalues_of_the_papers_channels():
    assert capacity_convergence(entry("paper P(1)").channel).lambda_max == pytest.approx(-0.177815867299, abs=1e-9)
    assert capacity_convergence(noiseless(3)).lambda_max == pytest.approx(-1, abs=1e-12)
    assert capacity_convergence(noiseless(3)).blahut_arimoto_factor == pytest.approx(0, abs=1e-12)


def test_types_of_the_three_kinds():
    assert input_types(entry("paper P(1)").channel).types == ("I", "I", "I")
    assert input_types(entry("type II").channel).types == ("I", "I", "II")
    third = input_types(entry("type III").channel)
    assert third.types == ("I", "I", "III")
    worth = 0.4 * np.log(0.4 / 0.45) + 0.35 * np.log(0.35 / 0.45) + 0.25 * np.log(0.25 / 0.1)
    assert third.mu[2] == pytest.approx(entry("type III").capacity_nats - worth, abs=1e-12)
    closed = input_types(Channel(entry("paper P(1)").channel.transition, unavailable=[1]))
    assert closed.types[1] == "unavailable"
    assert np.isnan(closed.mu[1])


def test_algebraic_and_exponential_approach_are_told_apart():
    assert capacity_convergence(entry("type II").channel).lambda_max == 0
    assert capacity_convergence(entry("type II").channel).blahut_arimoto_factor == 1
    found = capacity_convergence(entry("type III").channel)
    mu = found.inputs.mu[2]
    # Of two symmetric inputs with equal weight, the one tangent eigenvalue is −(0.7)²/0.9 here: ±0.35 over q = 0.45.
    assert sorted(found.eigenvalues) == pytest.approx(sorted([-(0.7**2) / 0.9, -mu]), abs=1e-12)
    assert found.blahut_arimoto_factor == pytest.approx(max(1 - 0.7**2 / 0.9, np.exp(-mu)), abs=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 10**9))
def test_matrix_is_the_linearisation_on_the_tangent_space(seed):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(int(rng.integers(2, 6))) * 2, int(rng.integers(2, 5)))
    channel = Channel(P)
    reference = capacity_reference(channel)
    found = capacity_convergence(channel, reference)
    z, rate = reference.input_distribution, replicator(channel.transition)
    tangent = np.linalg.svd(np.ones((1, len(P))))[2][1:]
    step = 1e-6
    for direction in tangent:
        slope = (rate(0, z + step * direction) - rate(0, z - step * direction)) / (2 * step)
        np.testing.assert_allclose(found.matrix @ direction, slope, atol=5e-5)
    restricted = np.linalg.eigvals(tangent @ found.matrix @ tangent.T)
    np.testing.assert_allclose(np.sort(restricted.real), np.sort(found.eigenvalues), atol=1e-6)
    assert abs(restricted.imag).max() < 1e-6
    assert found.lambda_max <= 0


def test_error_of_a_blahut_arimoto_step_shrinks_by_the_factor():
    channel = entry("paper P(1)").channel
    P, z = channel.transition, capacity_reference(channel).input_distribution
    y, distances = z + 1e-3 * np.array([1, -2, 1]), []
    for _ in range(60):
        y = y * np.exp((P * np.log(P / (P.T @ y))).sum(1))
        y /= y.sum()
        distances.append(np.linalg.norm(y - z))
    assert distances[-1] / distances[-2] == pytest.approx(capacity_convergence(channel).blahut_arimoto_factor, abs=1e-5)


def test_noiseless_channel_has_the_explicit_solution_and_its_asymptote():
    start = np.array([0.7, 0.2, 0.1])
    times = np.array([0.0, 0.5, 3.0, 8.0])
    exact = solve_ivp(replicator(np.eye(3)), (0, 8), start, t_eval=times, method="DOP853", rtol=1e-12, atol=1e-14).y.T
    np.testing.assert_allclose(noiseless_solution(start, times), exact, atol=1e-9)
    late = np.array([8.0, 15.0])
    distance = np.linalg.norm(noiseless_solution(start, late) - 1 / 3, axis=1)
    np.testing.assert_allclose(distance / noiseless_distance(start, late), 1, atol=1e-4)
    assert noiseless_distance(start, 0.0) == pytest.approx(0.464934657988, abs=1e-11)
