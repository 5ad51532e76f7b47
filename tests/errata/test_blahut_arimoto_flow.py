"""The paper on the Blahut-Arimoto flow, its general theory: each formula as printed, shown to fail, and what holds."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogflow.flows import rate_distortion
from analogflow.problems import RateDistortion
from analogflow.reference import (
    rate_distortion_certificate,
    rate_distortion_reference,
    rate_distortion_relaxation,
)

HAMMING = RateDistortion([0.4, 0.3, 0.2, 0.1], 1 - np.eye(4), 3.0)
FOUND = rate_distortion_relaxation(HAMMING)
OPTIMUM = rate_distortion_reference(HAMMING).reproduction
TANGENT = np.linalg.svd(np.ones((1, 4)))[2][1:]
"""Orthonormal rows that sum to 0."""


def gibbs_rate(problem):
    """T(q) − q, by the package's flow."""
    flow = rate_distortion(problem, form="gibbs")
    return lambda q: flow.rates(q=q)["q"]


def phi(problem, q):
    """−Σ p ln Z, the part of R + βD that a certificate's upper bound is."""
    return rate_distortion_certificate(problem, q).upper


def kernels(problem, q):
    """K_x(y) = A/Z as equation (7) has it, and qA/Z as (8) needs it; each of shape (n, m)."""
    A = np.exp(-problem.beta * problem.distortion)
    printed = A / (A @ q)[:, None]
    return printed, printed * q


def gram(problem, kernel):
    return (kernel * problem.source[:, None]).T @ kernel


def differences(function, q, directions, h=1e-6):
    return np.array([(function(q + h * e) - function(q - h * e)) / (2 * h) for e in directions])


def smallest_on_tangent(matrix):
    return np.linalg.eigvalsh(TANGENT @ matrix @ TANGENT.T)[0]


def test_no_single_kernel_satisfies_both_the_definition_and_the_dual_identity():
    """(7) defines K = A/Z; (8), Remark 11 and Proposition 21 are about qA/Z."""
    printed, weighted = kernels(HAMMING, OPTIMUM)
    p = HAMMING.source
    assert abs(p @ printed / OPTIMUM - 1).max() > 1
    np.testing.assert_allclose(p @ weighted / OPTIMUM, 1, atol=1e-8)
    # Remark 11: the rows of G sum to q*.
    assert abs(gram(HAMMING, printed).sum(axis=1) - OPTIMUM).min() > 2
    np.testing.assert_allclose(gram(HAMMING, weighted).sum(axis=1), OPTIMUM, atol=1e-8)


def test_linearisation_is_minus_diag_q_times_the_kernel():
    """Theorem 7 prints −G; neither reading of K* makes that true."""
    jacobian = differences(gibbs_rate(HAMMING), OPTIMUM, np.eye(4)).T
    np.testing.assert_allclose(jacobian, -OPTIMUM[:, None] * FOUND.kernel, atol=1e-8)
    for kernel in kernels(HAMMING, OPTIMUM):
        assert abs(jacobian + gram(HAMMING, kernel)).max() > 0.5
        on_tangent = TANGENT @ (jacobian + gram(HAMMING, kernel)) @ TANGENT.T
        assert abs(on_tangent).max() > 0.3


def test_gap_of_the_kernel_is_not_the_rate_of_the_flow():
    """Definition 7, Theorem 10: λ* = λ_min(G|_T). The path falls at the smallest squared canonical correlation."""
    rate = gibbs_rate(HAMMING)
    start = OPTIMUM + 1e-3 * TANGENT.sum(axis=0)
    path = solve_ivp(lambda _, q: rate(q), (0, 30), start, "DOP853", [20.0, 21.0], rtol=1e-12, atol=1e-16).y
    measured = -math.log(np.linalg.norm(path[:, 1] - OPTIMUM) / np.linalg.norm(path[:, 0] - OPTIMUM))
    assert FOUND.slowest == pytest.approx(0.48468771872, abs=1e-9)
    assert measured == pytest.approx(FOUND.slowest, abs=2e-3)
    printed, weighted = (smallest_on_tangent(gram(HAMMING, kernel)) for kernel in kernels(HAMMING, OPTIMUM))
    assert printed == pytest.approx(1.958, abs=1e-3)
    assert weighted == pytest.approx(0.0706, abs=1e-4)


def test_a_quarter_of_the_printed_gap_is_no_bound():
    """Theorem 10(B): e^{−λ*t/4}. With K of (7) and N equal symbols the gap is N times the rate."""
    n, beta = 6, 3.0
    problem = RateDistortion(np.full(n, 1 / n), 1 - np.eye(n), beta)
    found = rate_distortion_relaxation(problem)
    tangent = np.linalg.svd(np.ones((1, n)))[2][1:]
    printed = np.linalg.eigvalsh(tangent @ found.kernel @ tangent.T)[0]
    assert printed == pytest.approx(n * found.slowest, rel=1e-6)
    assert found.slowest == pytest.approx(0.57884, abs=1e-5)
    assert printed / 4 == pytest.approx(0.86827, abs=1e-5)
    e = math.exp(-beta)
    assert found.slowest == pytest.approx(((1 - e) / (1 + (n - 1) * e)) ** 2, rel=1e-8)


def test_with_fewer_sources_than_reproductions_no_interior_optimum_is_isolated():
    """Theorem 10(C) needs λ* > 0, which is not to be had there: the linearisation has a rank of at most |X|."""
    distance = np.array([[0.0, 1.0, 0.2], [1.0, 0.0, 0.2]])
    distance[:, 2] = -np.log(0.5 * np.exp(-2.0 * distance[:, :2]).sum(axis=1)) / 2.0  # column 3 of A: mean of the others
    problem = RateDistortion([0.5, 0.5], distance, 2.0)
    rate = gibbs_rate(problem)
    optima = [np.array([0.5 - s / 2, 0.5 - s / 2, s]) for s in (0.1, 0.3, 0.6)]
    for q in optima:
        assert abs(rate(q)).max() < 1e-15
        assert rate_distortion_certificate(problem, q).gap < 1e-14
    tangent = np.linalg.svd(np.ones((1, 3)))[2][1:]
    printed = gram(problem, kernels(problem, optima[1])[0])
    assert abs(np.linalg.eigvalsh(tangent @ printed @ tangent.T)[0]) < 1e-14
    jacobian = differences(rate, optima[1], np.eye(3)).T
    assert np.sort(np.linalg.svd(jacobian, compute_uv=False))[0] < 1e-9


def test_proposition_3_minimises_over_conditionals_and_not_over_one_distribution():
    p, beta, d = HAMMING.source, HAMMING.beta, HAMMING.distortion
    q = np.random.default_rng(0).dirichlet(np.ones(4))

    def printed(m):
        return m @ np.log(m / q) + beta * p @ d @ m

    T = q + gibbs_rate(HAMMING)(q)
    gibbs = q * np.exp(-beta * p @ d)
    gibbs /= gibbs.sum()
    assert printed(gibbs) < printed(T) - 0.01  # T(q) is not the minimiser
    assert abs(printed(gibbs) - phi(HAMMING, q)) > 0.1

    def corrected(K):
        return p @ ((K * np.log(K / q)).sum(axis=1) + beta * (K * d).sum(axis=1))

    _, conditional = kernels(HAMMING, q)
    assert corrected(conditional) == pytest.approx(phi(HAMMING, q), abs=1e-13)
    np.testing.assert_allclose(p @ conditional, T, atol=1e-14)
    others = np.random.default_rng(1).dirichlet(np.ones(4), (200, 4))
    assert min(corrected(K) for K in others) > corrected(conditional)


def test_gradient_of_the_printed_functional_has_another_term():
    """Lemmas 3 and 4 hold for −Σ p ln Z; equation (13) has (1/β) Σ q ln q as well, whose gradient the proof drops."""
    q = np.random.default_rng(3).dirichlet(np.ones(4))
    T = q + gibbs_rate(HAMMING)(q)
    wanted = -TANGENT @ (T / q)
    np.testing.assert_allclose(differences(lambda v: phi(HAMMING, v), q, TANGENT), wanted, atol=1e-8)

    def printed(v):
        A = np.exp(-HAMMING.beta * HAMMING.distortion)
        return HAMMING.source @ np.log(A @ v) + v @ np.log(v) / HAMMING.beta

    assert abs(differences(printed, q, TANGENT) - wanted).max() > 0.5


def test_the_flow_and_its_linearisation_need_no_correction_of_order_one_over_beta():
    """Remark 8, Proposition 13 and 10.3 deny that the flow is −grad_FR Φ, by terms in 1/β that are not there."""
    beta = HAMMING.beta
    q = np.random.default_rng(4).dirichlet(np.ones(4))
    slope = np.append(differences(lambda v: phi(HAMMING, v), q, TANGENT) @ TANGENT, 0)[:4]
    steepest = -q * (slope - q @ slope)  # a constant in the gradient cancels, so its part on the tangent is enough
    speed = gibbs_rate(HAMMING)(q)
    np.testing.assert_allclose(speed, steepest, atol=1e-9)
    remark = speed + q * (np.log(q) - q @ np.log(q)) / beta
    assert abs(remark - steepest).max() > 0.02
    jacobian = TANGENT @ differences(gibbs_rate(HAMMING), OPTIMUM, np.eye(4)).T @ TANGENT.T
    for kernel in (np.diag(OPTIMUM) @ FOUND.kernel, *(gram(HAMMING, kernel) for kernel in kernels(HAMMING, OPTIMUM))):
        assert abs(jacobian + TANGENT @ kernel @ TANGENT.T - np.eye(3) / beta).max() > 0.3  # with G mended, too
    np.testing.assert_allclose(jacobian, -TANGENT @ np.diag(OPTIMUM) @ FOUND.kernel @ TANGENT.T, atol=1e-8)


def test_hessian_of_the_functional_is_the_kernel_everywhere():
    """Theorem 11: the form is ⟨h, diag(q) G h⟩_q = hᵀ G h; with G alone in the Fisher-Rao product it is another."""
    for q in (OPTIMUM, np.random.default_rng(5).dirichlet(np.full(4, 3.0))):

        def slope(v):
            return differences(lambda w: phi(HAMMING, w), v, TANGENT, 1e-5)

        hessian = differences(slope, q, TANGENT, 1e-4)
        G = gram(HAMMING, kernels(HAMMING, q)[0])
        np.testing.assert_allclose(hessian, TANGENT @ G @ TANGENT.T, rtol=1e-3, atol=1e-3)
        for kernel in kernels(HAMMING, q):
            printed = TANGENT @ np.diag(1 / q) @ gram(HAMMING, kernel) @ TANGENT.T
            assert abs(printed - hessian).max() > 0.5


def test_local_equivalence_of_the_dissipation():
    """Proposition 12: D_J → D, not ½⟨δ, Gδ⟩; δ → −diag(q)G(q − q*), not q − q*; D/2 ≤ Φ − Φ* ≤ D/(2λ*)."""
    rate, rng = gibbs_rate(HAMMING), np.random.default_rng(6)
    least, halves = phi(HAMMING, OPTIMUM), []
    for _ in range(20):
        away = 1e-3 * rng.normal(size=3) @ TANGENT
        q = OPTIMUM + away
        speed = rate(q)
        D = (speed**2 / q).sum()
        jeffreys = speed @ np.log((q + speed) / q)
        assert jeffreys / D == pytest.approx(1, abs=0.02)
        assert 0.48 <= (phi(HAMMING, q) - least) / D <= 0.52 / FOUND.slowest
        linear = -OPTIMUM * (FOUND.kernel @ away)
        assert np.linalg.norm(speed - linear) < 0.03 * np.linalg.norm(speed)
        assert np.linalg.norm(speed + away) > 0.1 * np.linalg.norm(speed)  # printed, with its sign mended
        halves.append(0.5 * speed @ FOUND.kernel @ speed / D)
    assert max(halves) < 0.5  # the printed leading term, with diag(q) G in the place of G


def test_chi_square_bounds_the_whole_square_of_the_residual():
    """Corollary 6 has half of it; the factor 1 is reached, so the entry time of Theorem 14 halves."""
    rng = np.random.default_rng(7)
    ratios = []
    for _ in range(2000):
        problem = RateDistortion(rng.dirichlet(np.ones(2)), rng.uniform(size=(2, 2)), 3.0)
        q = rng.dirichlet(np.ones(2))
        speed = gibbs_rate(problem)(q) if len(ratios) < 200 else q * (rng.dirichlet(np.ones(2)) / q - 1)
        ratios.append((speed**2 / q).sum() / abs(speed).sum() ** 2)
    assert 1 - 1e-12 <= min(ratios) < 1.01


def test_vertices_are_fixed_points_that_are_no_optima():
    """Section 1 and Theorem 14: supports are kept, so a start without a symbol never finds it."""
    rate = gibbs_rate(HAMMING)
    for vertex in np.eye(4):
        assert abs(rate(vertex)).max() < 1e-15
        assert rate_distortion_certificate(HAMMING, vertex).gap > 0.1
    start = np.array([0.5, 0.3, 0.2, 0.0])
    end = solve_ivp(lambda _, q: rate(q), (0, 80), start, rtol=1e-10, atol=1e-13).y[:, -1]
    assert end[3] == 0
    assert abs(rate(end)).max() < 1e-9
    assert rate_distortion_certificate(HAMMING, end).gap > 0.1
    assert rate_distortion_certificate(HAMMING, OPTIMUM).gap < 1e-10
