"""Certified points of the rate-distortion curve, their relaxation, and corrected closed forms beside the printed ones."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from analogflow.errors import BadInput
from analogflow.problems import RateDistortion
from analogflow.reference import (
    rate_distortion_certificate,
    rate_distortion_curve,
    rate_distortion_reference,
    rate_distortion_relaxation,
)
from analogflow.reference.rate_distortion import GaussianGrid, three_cluster_rate, two_point, water_filling, wyner_ziv_beta

HAMMING = RateDistortion([0.4, 0.3, 0.2, 0.1], 1 - np.eye(4), 3.0)


def step(problem, q):
    """Blahut's step T(q), written anew."""
    A = np.exp(-problem.beta * problem.distortion)
    return q * ((problem.source / (A @ q)) @ A)


def phi(problem, q):
    return -problem.source @ np.log(np.exp(-problem.beta * problem.distortion) @ q)


def random_problem(seed, largest=12):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, largest, 2)
    return RateDistortion(rng.dirichlet(np.ones(n)), rng.uniform(size=(n, m)), float(10 ** rng.uniform(-1, 2)))


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_reference_is_certified_and_satisfies_its_conditions(seed):
    problem = random_problem(seed)
    found = rate_distortion_reference(problem)
    assert 0 <= found.gap <= 1e-10
    q = found.reproduction
    scores = (problem.source / (problem.gibbs @ q)) @ problem.gibbs
    assert scores.max() <= 1 + 1e-9
    assert abs(q * (scores - 1)).max() < 1e-7
    assert found.rate_nats + problem.beta * found.distortion == pytest.approx(found.bounds.upper, abs=1e-10)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_any_distribution_proves_an_interval_that_holds_the_optimum(seed):
    problem = random_problem(seed)
    q = np.random.default_rng(seed + 1).dirichlet(np.ones(problem.reproductions))
    proved, optimum = rate_distortion_certificate(problem, q), rate_distortion_reference(problem).bounds
    assert proved.lower <= optimum.upper + 1e-12
    assert proved.upper >= optimum.lower - 1e-12


def test_a_wrong_distribution_is_not_certified():
    assert rate_distortion_certificate(HAMMING, np.full(4, 0.25)).gap > 1e-2
    with pytest.raises(BadInput, match=r"q must be a distribution over 4 reproduction symbols"):
        rate_distortion_certificate(HAMMING, [0.5, 0.5])


def test_a_general_optimiser_finds_nothing_better():
    problem = random_problem(5)
    m = problem.reproductions
    found = minimize(lambda u: phi(problem, np.exp(u) / np.exp(u).sum()), np.zeros(m), method="BFGS", options={"gtol": 1e-9})
    assert rate_distortion_reference(problem).bounds.upper == pytest.approx(found.fun, abs=1e-7)
    assert rate_distortion_reference(problem).bounds.upper <= found.fun + 1e-12


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_decrement_of_the_discrete_step_is_exact_and_bounded(seed):
    """Φ(Tq) − Φ(q) = −Σ p ln Σ_y K_x(y) Tq_y, with K of q in it at most −KL(Tq‖q)."""
    problem = random_problem(seed)
    q = np.random.default_rng(seed).dirichlet(np.ones(problem.reproductions)) + 1e-9
    q /= q.sum()
    A = np.exp(-problem.beta * problem.distortion)
    Tq = step(problem, q)
    decrement = -problem.source @ np.log((q * A / (A @ q)[:, None]) @ (Tq / q))
    assert phi(problem, Tq) - phi(problem, q) == pytest.approx(decrement, abs=1e-11)
    assert decrement <= -(Tq @ np.log(np.maximum(Tq, 1e-300) / q)) + 1e-12


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_the_flow_is_the_fisher_rao_gradient_flow(seed):
    """Remark 8 and Proposition 13 deny it: T(q) − q = −grad_FR Φ, and dΦ/dt = −χ²."""
    problem = random_problem(seed)
    q = np.random.default_rng(seed).dirichlet(np.ones(problem.reproductions)) + 1e-3
    q /= q.sum()
    A = np.exp(-problem.beta * problem.distortion)
    gradient = -(problem.source / (A @ q)) @ A
    fisher_rao = -q * (gradient - q @ gradient)
    speed = step(problem, q) - q
    np.testing.assert_allclose(speed, fisher_rao, atol=1e-14)
    chi_square = (speed**2 / q).sum()
    assert gradient @ speed == pytest.approx(-chi_square, rel=1e-9)
    assert chi_square >= abs(speed).sum() ** 2 * (1 - 1e-12)


def test_printed_functional_rises_where_it_should_fall():
    rng = np.random.default_rng(0)
    A = np.exp(-3 * (1 - np.eye(4)))
    rising = 0
    for _ in range(50):
        q = rng.dirichlet(np.ones(4))
        gradient = (HAMMING.source / (A @ q)) @ A + (np.log(q) + 1) / 3  # of Σ p ln Z + (1/β) Σ q ln q
        rising += gradient @ (step(HAMMING, q) - q) > 0
    assert rising > 40


def test_rates_are_squared_canonical_correlations_and_the_printed_ones_are_not():
    found = rate_distortion_relaxation(HAMMING)
    np.testing.assert_allclose(found.rates, [0.48468771872, 0.66290884, 0.72069875], atol=1e-8)
    q, h = found.reproduction, 1e-6
    jacobian = np.stack([(step(HAMMING, q + h * e) - step(HAMMING, q - h * e)) / (2 * h) for e in np.eye(4)], -1) - np.eye(4)
    np.testing.assert_allclose(jacobian, -np.diag(q) @ found.kernel, atol=1e-8)
    np.testing.assert_allclose(np.sort(-np.linalg.eigvals(jacobian).real), [*found.rates, 1.0], atol=1e-8)
    assert abs(jacobian + found.kernel).max() > 5  # Theorem 7 as printed
    projector = np.eye(4) - 0.25
    printed = np.sort(np.linalg.eigvalsh(projector @ found.kernel @ projector))[1]
    assert abs(printed - found.slowest) > 1


@pytest.mark.parametrize("seed", range(6))
def test_off_the_support_symbols_die_at_their_own_rate(seed):
    problem = random_problem(seed + 100)
    found = rate_distortion_relaxation(problem)
    assert (found.escape >= -1e-8).all()
    assert (found.rates >= -1e-9).all()
    assert (found.rates <= 1 + 1e-9).all()
    h, q = 1e-9, found.reproduction
    for y, rate in zip(np.flatnonzero(~found.support), found.escape, strict=True):
        nudged = np.where(found.support, q, 0) + h * np.eye(len(q))[y]
        assert (step(problem, nudged)[y] - h) / h == pytest.approx(-rate, abs=1e-5)


def test_interior_optima_are_the_exception():
    """5 × 5 with random distortions: an optimum inside the simplex is rare at every β."""
    rng, inside = np.random.default_rng(1), 0
    for _ in range(40):
        problem = RateDistortion(rng.dirichlet(np.ones(5)), rng.uniform(size=(5, 5)), 3.0)
        inside += rate_distortion_relaxation(problem).support.all()
    assert inside <= 4


@pytest.mark.parametrize(("a", "bd"), [(0.3, 2.0), (0.3, 0.9), (0.3, 8.0), (0.5, 1.0), (0.2, 0.5), (0.9, 1.0)])
def test_two_point_model(a, bd):
    theta, rate = two_point(a, bd)
    problem = RateDistortion([a, 1 - a], 1 - np.eye(2), bd)
    found = rate_distortion_relaxation(problem)
    assert found.reproduction[0] == pytest.approx(theta, abs=1e-7)
    assert found.slowest == pytest.approx(rate, abs=1e-6)


def test_two_point_model_as_printed_is_wrong():
    theta, rate = two_point(0.3, 2.0)
    assert rate == pytest.approx(0.500030545698, abs=1e-10)
    assert abs(rate - 0.290013) > 0.2  # printed
    e = math.exp(-2.0)
    printed = (1 - 0.3) / (1 + e * (1 - theta) / theta)
    right = (1 - 0.3) / (1 + (1 - theta) / (theta * e))
    assert 0.3 / (1 + e * (1 - theta) / theta) + right == pytest.approx(theta, abs=1e-9)
    assert abs(0.3 / (1 + e * (1 - theta) / theta) + printed - theta) > 0.4
    assert two_point(0.5, 1.5)[1] == pytest.approx(math.tanh(0.75) ** 2)
    assert two_point(0.3, 30.0)[1] == pytest.approx(1, abs=1e-9)
    with pytest.raises(BadInput, match=r"two_point: give a probability inside"):
        two_point(1.0, 1.0)


@pytest.mark.parametrize("members", [1, 3, 5])
def test_three_clusters(members):
    """Two modes between clusters, the same for any size; the split within a cluster does not relax; no plateau."""
    labels = np.repeat(range(3), members)
    distance = (labels[:, None] != labels[None, :]).astype(float)
    q = np.full(3 * members, 1 / (3 * members))
    problem = RateDistortion(q, distance, 6.0)
    A = problem.gibbs
    kernel = A / (A @ q)[:, None]
    rates = np.linalg.svd(np.sqrt(np.outer(q, q)) * kernel, compute_uv=False) ** 2
    np.testing.assert_allclose(rates[1:3], three_cluster_rate(6.0), rtol=1e-12)
    assert (rates > 1e-12).sum() == 3
    assert three_cluster_rate(math.log(1 / 0.0024787521766663585)) == pytest.approx(0.985255607454, abs=1e-9)
    np.testing.assert_allclose(step(problem, q), q, atol=1e-15)


def test_gaussian_modes_relax_at_powers_of_alpha():
    grid = GaussianGrid(1.0, 2.0, 121, 6.0)
    problem = grid.problem()
    found = rate_distortion_reference(problem)
    assert found.rate_nats == pytest.approx(grid.rate_nats, abs=5e-3)
    assert found.distortion == pytest.approx(1 / (2 * grid.beta), abs=5e-3)
    x = grid.grid
    q = np.exp(-0.5 * x**2 / grid.reproduction_variance)
    q /= q.sum()
    A = problem.gibbs
    kernel = A / (A @ q)[:, None]
    rates = np.linalg.svd(np.sqrt(np.outer(problem.source, q)) * kernel, compute_uv=False) ** 2
    np.testing.assert_allclose(rates[1:5], grid.alpha ** np.arange(1, 5), atol=2e-3)
    # Theorem 17 has 1 − αⁿ: .25, .4375, … the other way round.
    assert abs(rates[1:3] - (1 - grid.alpha ** np.arange(1, 3))).max() > 0.1


def test_curve_lies_between_its_bounds_and_falls():
    points = rate_distortion_curve(HAMMING.source, HAMMING.distortion, [0.5, 1.0, 2.0, 3.0, 5.0, 8.0])
    for point in points:
        assert point.lower <= point.upper + 1e-12
        assert point.upper - point.lower < 1e-9
    assert (np.diff([point.distortion for point in points]) <= 1e-12).all()
    assert (np.diff([point.upper for point in points]) >= -1e-12).all()
    binary = rate_distortion_curve([0.5, 0.5], 1 - np.eye(2), [1.0, 2.0])
    for point in binary:
        D = point.distortion
        assert point.upper == pytest.approx(math.log(2) + D * math.log(D) + (1 - D) * math.log(1 - D), abs=1e-10)


def test_water_filling_fills_water_and_the_printed_update_inverts_channels():
    powers = water_filling([4.0, 1.0, 0.5], 3.0)
    np.testing.assert_allclose(powers, [1.8333333333, 1.0833333333, 0.0833333333], atol=1e-9)
    np.testing.assert_allclose(water_filling([4.0, 1.0, 0.1], 1.0), [0.875, 0.125, 0.0], atol=1e-12)
    q, h = np.full(3, 1.0), np.array([4.0, 1.0, 0.5])
    for _ in range(4000):
        q = 1 / (h + 1 / q)
        q *= 3 / q.sum()
    np.testing.assert_allclose(q, 3 / h / (1 / h).sum(), atol=1e-2)
    with pytest.raises(BadInput, match=r"give positive gains and a positive power"):
        water_filling([1.0, -1.0], 1.0)


def test_side_information_heats():
    """The decoder's estimate from u and Y, regressed anew: its error grows by the square of the coefficient of x − u."""
    variance, s, correlation, beta = 2.0, 1.2, 0.6, 1.5
    rng = np.random.default_rng(2)
    u = rng.normal(scale=math.sqrt(s), size=400_000)
    x = u + rng.normal(scale=math.sqrt(variance - s), size=u.size)
    y = correlation * x + math.sqrt((1 - correlation**2) * variance) * rng.normal(size=u.size)
    estimate = np.stack([u, y], 1) @ np.linalg.lstsq(np.stack([u, y], 1), x, rcond=None)[0]
    slope = np.cov(x - estimate, x - u)[0, 1] / (x - u).var()
    found = wyner_ziv_beta(beta, variance, s, correlation)
    assert found == pytest.approx(beta * slope**2, rel=5e-3)
    assert found <= beta
    with pytest.raises(BadInput, match=r"wyner_ziv_beta: give"):
        wyner_ziv_beta(1.0, 1.0, 2.0, 0.5)
