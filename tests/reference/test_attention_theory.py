"""What theory says of tokens: eigenspaces, concentration with its bound, energy; printed formulas beside the right ones."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems import Attention
from analogflow.problems.attention import circle, circle_then_pole, gradient, rotating, skewed, two_phases, uniform_tokens
from analogflow.reference.attention import attention_reference, velocity
from analogflow.reference.attention_theory import (
    alignment,
    attraction_space,
    concentration_bound,
    concentration_time,
    distance_to_limit,
    dominant_eigenspace,
    energy_direction,
    limit_tokens,
    log_energy,
    log_energy_rate,
    measure_spread,
    value_space,
    wasserstein,
)


def path(problem, times):
    """Tokens at `times`, shape (times, n, d), by an integration of the test's own."""
    shape = problem.tokens.shape
    run = solve_ivp(
        lambda t, y: velocity(problem, y.reshape(shape) / np.linalg.norm(y.reshape(shape), axis=1, keepdims=True)).ravel(),
        (0, times[-1]), problem.tokens.ravel(), t_eval=times, rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    x = run.y.T.reshape(-1, *shape)
    return x / np.linalg.norm(x, axis=2, keepdims=True)


def cold_problem(seed, *, off=None):
    """Random problem with symmetric VBᵀ, as the theorems assume; tokens anywhere, or about `off` radians from E."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 5))
    S = rng.normal(size=(d, d))
    B = rng.normal(size=(d, d)) + np.eye(d)
    V = np.linalg.solve(B, S + S.T).T
    V /= max(1.0, np.linalg.norm(V) / 1000)  # with B nearly singular, faster than a problem may be
    tokens = uniform_tokens(12, d, seed=seed)
    if off is not None:
        tokens = limit_tokens(tokens, dominant_eigenspace(V @ B.T)) + off * uniform_tokens(12, d, seed=seed + 1)
        tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    return Attention(tokens, B, V, math.inf, 2.0)


def parallel(space, direction):
    return space.dimension == 1 and abs(abs(space.basis[:, 0] @ direction) - 1) < 1e-12


def test_eigenspaces_of_the_figures():
    figure = two_phases(4)
    e1, e2, e3 = np.eye(3)
    assert parallel(attraction_space(figure), e1)
    assert parallel(value_space(figure), e2)
    assert parallel(value_space(figure, by="magnitude"), e3)
    assert attraction_space(figure).gap == pytest.approx(2)
    plane = attraction_space(circle(4))
    assert plane.dimension == 2
    assert plane.gap == pytest.approx(4)
    assert attraction_space(circle_then_pole(4)).dimension == 2
    assert parallel(value_space(circle_then_pole(4)), e3)


def test_eigenspaces_without_symmetry_come_with_a_warning():
    with pytest.warns(
        AssumptionWarning, match=r"not symmetric \(it differs from its transpose by 3\), so tokens need not g"
    ):
        turning = attraction_space(rotating(4))
    assert turning.dimension == 2
    assert turning.eigenvalue == pytest.approx(1j)
    np.testing.assert_allclose(turning.project(np.eye(3)), np.diag([1, 1, 0]), atol=1e-12)
    with pytest.warns(AssumptionWarning, match=r"turn for ever"):
        leaning = attraction_space(skewed(4))
    assert leaning.eigenvalue == pytest.approx(1 + math.sqrt(2))
    assert parallel(value_space(skewed(4)), np.eye(3)[1])
    with pytest.warns(AssumptionWarning, match=r"this is no bound: neither the rate nor the limit is proved"):
        concentration_bound(skewed(4), 1.0)
    with pytest.warns(AssumptionWarning, match=r"turn for ever"):
        distance_to_limit(skewed(4), skewed(4).tokens)


def test_what_has_no_dominant_eigenspace_is_refused():
    with pytest.raises(BadInput, match=r"the dominant eigenvalue 1 has 2 copies and 1 eigenvectors"):
        dominant_eigenspace([[1.0, 1.0], [0.0, 1.0]])
    with pytest.raises(BadInput, match=r"by 'size' is not known; compare eigenvalues by 'value' or by 'magnitude'"):
        dominant_eigenspace(np.eye(2), by="size")
    assert dominant_eigenspace(np.eye(3)).gap == np.inf


def test_alignment_runs_from_nought_to_one():
    space = attraction_space(two_phases(4))
    assert alignment([[1, 0, 0], [-1, 0, 0]], space) == pytest.approx(1)
    assert alignment([[0, 1, 0]], space) == pytest.approx(0)
    assert alignment([[0.6, 0.8, 0]], space) == pytest.approx(0.6)


def test_tokens_of_figure_three_gather_at_e_first():
    problem = two_phases(40, beta=100.0, time=3.0)
    E, F = attraction_space(problem), value_space(problem)
    before, after = problem.tokens, path(problem, [3.0])[-1]
    assert alignment(after, E) > 0.95 > alignment(before, E)
    assert alignment(after, E) > alignment(after, F)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_projection_onto_e_is_kept_by_every_cold_token(seed):
    problem = cold_problem(seed)
    space = attraction_space(problem)
    start = limit_tokens(problem.tokens, space)
    for x in path(problem, [0.5, 1.0, 2.0]):
        np.testing.assert_allclose(limit_tokens(x, space), start, atol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([0.25, 0.5, 1.0]))
def test_spread_decays_as_proposition_eight_says_and_bounds_the_distance(seed, p):
    problem = cold_problem(seed)
    space = attraction_space(problem)
    rate = 2 * p * space.gap / np.linalg.norm(problem.B, 2)
    left = 1e-9  # what the integration leaves of a spread that has died out
    for t, x in zip((0.5, 1.0, 2.0), path(problem, [0.5, 1.0, 2.0]), strict=True):
        assert measure_spread(x, space, p) <= measure_spread(problem.tokens, space, p) * math.exp(-rate * t) * (
            1 + 1e-6
        ) + left ** (2 * p)
        distance = distance_to_limit(problem, x)
        assert distance <= math.sqrt(2 * measure_spread(x, space, p)) * (1 + 1e-9)
        assert distance <= concentration_bound(problem, t, p=p) * (1 + 1e-6) + left


def test_bound_as_printed_fails_and_the_corrected_one_holds():
    # At t = 0, a tenth of a radian from E: the distance is 2 sin 0.05 and V_1 = tan² 0.1.
    near = Attention([[math.cos(0.1), math.sin(0.1)]] * 2, np.eye(2), np.diag([2.0, 1.0]), math.inf)
    space = attraction_space(near)
    distance, printed = distance_to_limit(near, near.tokens), measure_spread(near.tokens, space)
    assert distance == pytest.approx(2 * math.sin(0.05))
    assert distance == pytest.approx(0.09996, abs=1e-5)
    assert printed == pytest.approx(math.tan(0.1) ** 2)
    assert printed == pytest.approx(0.01007, abs=1e-5)
    assert printed < distance <= concentration_bound(near, 0.0)
    violations = {"printed": 0, "corrected": 0}
    for seed in range(12):
        problem = cold_problem(seed, off=0.2)
        space, scale = attraction_space(problem), np.linalg.norm(problem.B, 2)
        times = np.array([0.0, 0.3, 1.0, 2.0])
        for t, x in zip(times, path(problem, times), strict=True):
            distance = distance_to_limit(problem, x)
            for p in (0.25, 0.5, 1.0):
                printed = measure_spread(problem.tokens, space, p) * math.exp(-p * space.gap * t / scale)
                violations["printed"] += distance > printed * (1 + 1e-6)
                violations["corrected"] += distance > concentration_bound(problem, t, p=p) * (1 + 1e-6)
    assert violations["corrected"] == 0
    assert violations["printed"] > 0


def test_time_to_concentrate_is_where_the_bound_is_half_of_what_is_asked():
    problem = cold_problem(3)
    t1 = concentration_time(problem, 0.1, p=0.5)
    assert t1 > 0
    assert 2 * concentration_bound(problem, t1, p=0.5) == pytest.approx(0.1)
    assert concentration_time(problem, 1e9) == 0
    with pytest.raises(BadInput, match=r"distance 0 is not positive"):
        concentration_time(problem, 0)


def test_limits_of_the_bound():
    whole = Attention(uniform_tokens(3, 2, seed=0), np.eye(2), np.eye(2), math.inf)
    assert concentration_bound(whole, 0.0) == 0
    assert distance_to_limit(whole, whole.tokens) < 1e-15
    stuck = Attention([[0, 1.0], [1, 0]], np.eye(2), np.diag([2.0, 1.0]), math.inf)
    assert measure_spread(stuck.tokens, attraction_space(stuck)) == np.inf
    with pytest.raises(BadInput, match=r"token 1 is orthogonal to the eigenspace, so it has no projection there"):
        distance_to_limit(stuck, stuck.tokens)
    with pytest.raises(BadInput, match=r"p is 2; the exponent of the spread lies above 0 and at most at 1"):
        measure_spread(stuck.tokens, attraction_space(stuck), 2)


def test_wasserstein_distance_is_of_the_clouds_not_of_their_order():
    x = uniform_tokens(30, 3, seed=1)
    assert wasserstein(x, x[::-1]) < 1e-12
    shift = np.array([0.1, -0.2, 0.05])
    assert wasserstein(x, x + shift) == pytest.approx(np.linalg.norm(shift))
    y = uniform_tokens(30, 3, seed=2)
    assert wasserstein(x, y) <= math.sqrt(((x - y) ** 2).sum(axis=1).mean())
    with pytest.raises(BadInput, match=r"give two of the same shape \(n, d\)"):
        wasserstein(x, y[:5])


@given(st.integers(0, 10**6))
def test_energy_rate_is_the_derivative_of_the_energy(seed):
    rng = np.random.default_rng(seed)
    B, V = rng.normal(size=(2, 3, 3))
    problem = Attention(uniform_tokens(5, 3, seed=seed), B, V, float(rng.uniform(0.5, 20)), 1.0)
    x, h = problem.tokens, 1e-4
    v = velocity(problem, x)

    def along(step):
        return log_energy(problem, x + step * v)

    slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    assert log_energy_rate(problem, x) == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("beta", [1.0, 5.0, 20.0])
def test_energy_is_monotone_where_it_is_a_theorem_and_the_printed_one_is_not(sign, beta):
    violated = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        B = rng.normal(size=(3, 3))
        problem = Attention(uniform_tokens(12, 3, seed=seed), B + B.T, sign * (B + B.T), beta, 3.0)
        assert energy_direction(problem) == sign
        unit = Attention(problem.tokens, problem.B, problem.V, 1.0)
        points = path(problem, np.linspace(0, 3, 31))
        energies = np.array([log_energy(problem, x) for x in points])
        assert (sign * np.diff(energies) >= -1e-9).all()
        assert all(sign * log_energy_rate(problem, x) >= -1e-12 for x in points)
        violated += int((sign * np.diff([log_energy(unit, x) for x in points]) < -1e-9).sum())
    if beta == 1.0:
        assert violated == 0
    if (sign, beta) == (-1, 20.0):
        assert violated > 0


def test_energy_outside_the_theorem_comes_with_a_warning():
    tokens = uniform_tokens(3, 3, seed=0)
    with pytest.warns(AssumptionWarning, match=r"V is neither B nor −B, so the energy need not be monotone"):
        assert energy_direction(two_phases(3)) == 0
    lopsided = np.triu(np.ones((3, 3)))
    with pytest.warns(AssumptionWarning, match=r"B is not symmetric, so the energy need not be monotone"):
        assert energy_direction(Attention(tokens, lopsided, lopsided, 1.0)) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert energy_direction(gradient([3, 2, 1], -1)) == -1
    with pytest.raises(BadInput, match=r"the energy of a problem with infinite beta is not defined"):
        log_energy(two_phases(3).at_zero_temperature(), tokens)


@pytest.mark.parametrize(("beta", "one_cluster"), [(0.1, True), (1.0, False)])
def test_tokens_on_the_gradient_flow_end_in_one_cluster_or_two_opposite_ones(beta, one_cluster):
    # B = V > 0: the best state is a single cluster at the largest eigenvalue λ, with ln E = βλ. Two opposite clusters of k
    # and n − k tokens rest as well, at an energy of that law; at β = 1 this start ends there.
    problem = gradient([1.0, 2.0, 4.0], count=10, beta=beta, time=12.0, seed=4)
    end = attention_reference(problem).tokens
    assert alignment(end, value_space(problem)) > 0.9999
    share = float((end[:, 2] > 0).mean())
    assert (share in (0, 1)) == one_cluster
    together, apart = share**2 + (1 - share) ** 2, 2 * share * (1 - share)
    expected = math.log(together * math.exp(4 * beta) + apart * math.exp(-4 * beta))
    assert log_energy(problem, end) == pytest.approx(expected, abs=1e-4)
