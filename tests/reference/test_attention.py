"""The attention reference: closed forms it must meet, its two integrations, and wrong answers it must not accept."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from analogflow.errors import BadInput
from analogflow.families import expected_answer
from analogflow.judgement import certify
from analogflow.problems import Attention
from analogflow.problems.attention import rotating, two_phases, uniform_tokens
from analogflow.reference import attention_certificate, attention_reference
from analogflow.reference.attention import by_extrapolation, by_runge_kutta
from analogflow.run import Outcome, Run


@pytest.mark.parametrize("beta", [0.5, 10.0, 100.0, math.inf])
@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_two_integrations_agree_within_1e_11(beta, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 9)), int(rng.integers(2, 5))
    # A matrix B near a singular one makes the zero-temperature equation as steep as its condition.
    B, V = np.eye(d) + 0.4 * rng.normal(size=(d, d)) / math.sqrt(d), rng.normal(size=(d, d))
    reference = attention_reference(Attention(uniform_tokens(n, d, seed=seed), B, V, beta))
    assert reference.gap <= 1e-11
    assert abs(np.linalg.norm(reference.tokens, axis=1) - 1).max() <= 1e-15
    assert not reference.tokens.flags.writeable


@pytest.mark.parametrize(
    "problem", [two_phases(16, time=1.0), rotating(16, time=1.0), two_phases(16, beta=3.0, time=5.0)], ids=repr
)
def test_named_problems_are_certified(problem):
    assert attention_reference(problem).gap <= 1e-11


def test_two_hot_tokens_on_a_circle_meet_as_their_angle_says():
    # As β → 0 every token is drawn to the mean of both: θ̇ = −sin θ cos θ for the half-angle θ, so tan θ = tan θ₀ e^{−t}.
    angle, time = 0.7, 1.3
    tokens = [[math.cos(angle), math.sin(angle)], [math.cos(angle), -math.sin(angle)]]
    found = attention_reference(Attention(tokens, np.eye(2), np.eye(2), 1e-12, time)).tokens
    expected = math.atan(math.tan(angle) * math.exp(-time))
    np.testing.assert_allclose(found, [[math.cos(expected), s * math.sin(expected)] for s in (1, -1)], atol=1e-11)


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_cold_tokens_follow_the_matrix_exponential_on_a_clock_of_their_own(seed):
    # ẋ = P_x VBᵀx/‖Bᵀx‖ runs through e^{s VBᵀ}x₀/‖·‖ with ds/dt = 1/‖Bᵀx‖, so B orthogonal gives s = t exactly.
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    V = rng.normal(size=(3, 3))
    problem = Attention(uniform_tokens(5, 3, seed=seed), Q, V, math.inf, 1.0)
    exact = problem.tokens @ expm(V @ Q.T).T
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(attention_reference(problem).tokens, exact, atol=1e-11)


def test_one_token_follows_the_flow_of_oja():
    # Alone, a token attends to itself: ẋ = P_x V x, which is e^{Vt}x₀ brought to the sphere.
    V = np.array([[0.3, 1.0], [-0.4, 0.2]])
    exact = expm(2 * V) @ [0.6, 0.8]
    found = attention_reference(Attention([[0.6, 0.8]], [[1, 2], [3, 4]], V, 7.0, 2.0)).tokens[0]
    np.testing.assert_allclose(found, exact / np.linalg.norm(exact), atol=1e-12)


def test_tokens_at_eigenvectors_rest():
    # Appendix B of the paper: consensus, and two opposite tokens, at an eigenvector of V.
    v = np.array([0.6, 0.0, 0.8])
    V = 2 * np.outer(v, v) - np.eye(3)
    B = np.random.default_rng(1).normal(size=(3, 3))
    for tokens in ([v, v, v], [v, -v]):
        problem = Attention(tokens, B, V, 5.0, 1.0)
        np.testing.assert_allclose(attention_reference(problem).tokens, problem.tokens, atol=1e-12)


def test_integrations_share_their_answer_but_not_their_work():
    problem = two_phases(6, beta=5.0, time=1.0)
    (one, first), (other, second) = by_runge_kutta(problem, 1.0), by_extrapolation(problem, 1.0)
    assert 0 < abs(one - other).max() < 1e-11
    assert first != second
    reference = attention_reference(problem)
    assert reference.evaluations == (first, second)
    assert reference.gap == abs(one - other).max()


def test_certificate_refuses_a_wrong_answer_and_accepts_the_right_one():
    problem = two_phases(4, beta=5.0, time=1.0)
    right = attention_reference(problem).tokens
    assert attention_certificate(problem, right) < 1e-11
    assert attention_certificate(problem, right[::-1]) > 1e-2
    assert attention_certificate(problem, right, time=0.9) > 1e-3
    assert attention_certificate(problem.at_zero_temperature(), right) > 1e-2
    with pytest.raises(BadInput, match=r"tokens have shape \(3, 3\); the problem's have \(4, 3\)"):
        attention_certificate(problem, right[:3])
    with pytest.raises(BadInput, match=r"time 0 is not a positive number of time constants"):
        attention_reference(problem, time=0)


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (lambda x: x, ()),
        (lambda x: x[:, ::-1], ("tokens agree with the reference",)),
        (lambda x: 1.001 * x, ("tokens agree with the reference", "every token stays on the sphere")),
        (lambda x: np.nan * x, ("tokens agree with the reference", "every token stays on the sphere")),
    ],
)
def test_a_run_is_judged_where_it_ended(spoil, failed):
    problem = two_phases(4, beta=5.0, time=20.0)
    path = np.stack([problem.tokens, attention_reference(problem, time=0.5).tokens])
    run = Run(np.array([0, 0.5]), {"x": spoil(path.reshape(2, -1)).copy()}, Outcome.COMPLETED)
    certificate = certify(problem, run)
    assert tuple(check.name for check in certificate.checks if not check.passed) == failed
    assert certificate.reference_gap < 1e-11


def test_expected_answer_is_flat_under_the_name_of_the_state():
    problem = two_phases(3, beta=2.0, time=0.5)
    expected = expected_answer(problem)
    assert list(expected) == ["x"]
    np.testing.assert_array_equal(np.reshape(expected["x"], (3, 3)), attention_reference(problem).tokens)
