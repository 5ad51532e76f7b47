"""The paper on the Blahut-Arimoto flow, its models: two points, three clusters, Gaussian sources, side information."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogflow.flows import rate_distortion
from analogflow.problems import RateDistortion
from analogflow.reference import rate_distortion_certificate, rate_distortion_reference, rate_distortion_relaxation
from analogflow.reference.rate_distortion import GaussianGrid, three_cluster_rate, two_point, water_filling, wyner_ziv_beta

E6 = math.exp(-6.0)


def gibbs_rate(problem):
    """T(q) − q, by the package's flow."""
    flow = rate_distortion(problem, form="gibbs")
    return lambda q: flow.rates(q=q)["q"]


def correlations(problem, q):
    """Squared canonical correlations of the test channel of q, descending; the first is 1."""
    A = np.exp(-problem.beta * problem.distortion)
    kernel = A / (A @ q)[:, None]
    return np.linalg.svd(np.sqrt(np.outer(problem.source, q)) * kernel, compute_uv=False) ** 2


def normal(x, variance):
    q = np.exp(-(x**2) / (2 * variance))
    return q / q.sum()


def mapped_variance(s, beta, variance=1.0):
    """Equation (29)."""
    return s / (1 + 2 * beta * s) + (2 * beta * s) ** 2 * variance / (1 + 2 * beta * s) ** 2


def test_hot_rate_is_that_of_proposition_9_over_the_number_of_symbols():
    n, beta = 3, 0.01
    found = rate_distortion_relaxation(RateDistortion(np.full(n, 1 / n), 1 - np.eye(n), beta)).slowest / beta**2
    centred = (1 - np.eye(n)) - (1 - 1 / n)
    mu = np.linalg.eigvalsh(centred.T @ centred / n)[1]
    assert mu == pytest.approx(1 / 3)
    assert found == pytest.approx(mu / n, rel=0.02)
    assert abs(found - mu) > 0.2
    # Where Σ p d(x, y) differs between symbols, the optimum leaves the interior before β → 0.
    lopsided = RateDistortion([0.6, 0.25, 0.15], 1 - np.eye(3), beta)
    assert rate_distortion_relaxation(lopsided).support.sum() == 1


def test_cold_rate_tends_to_one_where_each_symbol_has_its_own():
    rates = [
        rate_distortion_relaxation(RateDistortion([0.4, 0.3, 0.2, 0.1], 1 - np.eye(4), beta)).slowest for beta in (3, 6, 12)
    ]
    np.testing.assert_allclose(rates, [0.4847, 0.9674, 0.99992], atol=1e-4)


def test_two_points_at_low_temperature_and_at_the_edge_of_the_interior():
    """Proposition 20(iii) prints min(α, 1 − α)/2 and, at high temperature, ½ α(1 − α)(βd)²."""
    alpha = 0.3
    assert two_point(alpha, 30.0)[1] == pytest.approx(1, abs=1e-9)
    assert abs(two_point(alpha, 30.0)[1] - min(alpha, 1 - alpha) / 2) > 0.8
    edge = math.log((1 - alpha) / alpha)
    assert edge == pytest.approx(0.8472978604)
    assert two_point(alpha, 0.99 * edge)[0] == 0  # no interior fixed point is left
    assert two_point(alpha, 0.9)[1] == pytest.approx(0.02143, abs=1e-5)
    assert abs(two_point(alpha, 0.9)[1] - 0.5 * alpha * (1 - alpha) * 0.9**2) > 0.05
    # Interior only where e/(1 + e) < α < 1/(1 + e).
    for probability in (0.3, 0.25):
        inside = math.exp(-1.0) / (1 + math.exp(-1.0)) < probability
        found = rate_distortion_relaxation(RateDistortion([probability, 1 - probability], 1 - np.eye(2), 1.0))
        assert found.support.all() == inside


def test_three_clusters_have_a_prefactor_and_many_fixed_points():
    """Proposition 21(i): its equations lack the source's 1/3, and no split within a cluster is preferred."""

    def printed(pi):
        return pi / (pi + E6 * (1 - pi)) + pi * E6 * ((1 / (pi + E6 * (1 - pi))).sum() - 1 / (pi + E6 * (1 - pi)))

    third = np.full(3, 1 / 3)
    assert abs(printed(third) - third).min() > 0.5
    np.testing.assert_allclose(printed(third) / 3, third, atol=1e-15)
    m = 5
    problem = RateDistortion(third, 3.0 * (np.arange(3)[:, None] != np.repeat(np.arange(3), m)), 2.0)
    rate = gibbs_rate(problem)
    for seed in range(3):
        splits = np.random.default_rng(seed).dirichlet(np.ones(m), 3)
        q = (splits / 3).ravel()
        assert abs(rate(q)).max() < 1e-15
        assert rate_distortion_certificate(problem, q).gap < 1e-12
        assert (correlations(problem, q) > 1e-12).sum() == 3


def test_gap_of_three_clusters_depends_on_the_size_with_the_papers_kernel():
    """(35) and λ* ≈ 0.08: G of qA/Z has .985/(3m), which is .08 at m = 4; the modes between clusters relax at .985."""
    beta, third = 2.0, np.full(3, 1 / 3)
    seen = {}
    for m in (4, 5):
        problem = RateDistortion(third, 3.0 * (np.arange(3)[:, None] != np.repeat(np.arange(3), m)), beta)
        q = np.full(3 * m, 1 / (3 * m))
        A = np.exp(-beta * problem.distortion)
        weighted = q * A / (A @ q)[:, None]
        values = np.linalg.eigvalsh((weighted * third[:, None]).T @ weighted)
        seen[m] = values[values > 1e-10][0]
        np.testing.assert_allclose(correlations(problem, q)[1:3], three_cluster_rate(6.0), rtol=1e-12)
    assert three_cluster_rate(6.0) == pytest.approx(0.985255607454, abs=1e-12)
    assert seen[4] == pytest.approx(three_cluster_rate(6.0) / 12)
    assert seen[5] == pytest.approx(three_cluster_rate(6.0) / 15)
    assert seen[4] == pytest.approx(0.0821, abs=1e-4)
    assert seen[5] == pytest.approx(0.0657, abs=1e-4)


def test_three_clusters_have_no_plateau():
    """Figure 6: from a uniform start nothing moves; from any other the distance falls at once."""
    m, third = 5, np.full(3, 1 / 3)
    problem = RateDistortion(third, 3.0 * (np.arange(3)[:, None] != np.repeat(np.arange(3), m)), 2.0)
    rate = gibbs_rate(problem)
    assert abs(rate(np.full(15, 1 / 15))).max() < 1e-15
    start = np.random.default_rng(1).dirichlet(np.ones(15))
    path = solve_ivp(lambda _, q: rate(q), (0, 60), start, "DOP853", [0, 1, 2, 3, 60], rtol=1e-11, atol=1e-14).y.T
    distance = np.linalg.norm(path[:4] - path[4], axis=1)
    falls = distance[1:] / distance[:-1]
    assert falls.max() < 0.45
    np.testing.assert_allclose(falls[-1], math.exp(-three_cluster_rate(6.0)), rtol=0.03)
    assert abs(math.exp(-0.08 / 4) - falls).min() > 0.5
    assert abs(rate(start)).sum() > 0.1  # the residual is not small


def test_second_moment_of_the_step_depends_on_the_shape():
    """Equation (29) holds for Gaussian q; 'only through its second moment' it does not."""
    beta = 2.0
    problem = GaussianGrid(1.0, beta, 361, 9.0).problem()
    x = np.linspace(-9, 9, 361)
    rate = gibbs_rate(problem)
    bimodal = normal(x - 1.5, 0.05) + normal(x + 1.5, 0.05)
    for q, holds in ((normal(x, 2.3), True), (bimodal / bimodal.sum(), False)):
        s = q @ x**2
        exact = (q + rate(q)) @ x**2
        assert s == pytest.approx(2.3, abs=1e-3)
        assert (abs(exact - mapped_variance(s, beta)) < 1e-6) == holds
        assert holds or abs(exact - mapped_variance(s, beta)) > 0.3


def test_variance_equation_is_closed_for_the_iteration_and_not_for_the_flow():
    """Theorem 15 and Remark 19 say the reverse."""
    beta, start = 2.0, 2.0
    problem = GaussianGrid(1.0, beta, 241, 8.0).problem()
    x = np.linspace(-8, 8, 241)
    rate, q, s = gibbs_rate(problem), normal(x, start), start
    for _ in range(4):
        q, s = q + rate(q), mapped_variance(s, beta)
        assert q @ x**2 == pytest.approx(s, abs=1e-9)
        assert q @ x**4 == pytest.approx(3 * s**2, abs=1e-8)
    flow = solve_ivp(lambda _, q: rate(q), (0, 1), normal(x, start), "DOP853", rtol=1e-10, atol=1e-14).y[:, -1]
    ode = solve_ivp(lambda _, s: mapped_variance(s, beta) - s, (0, 1), [start], rtol=1e-11, atol=1e-13).y[0, -1]
    assert flow @ x**2 == pytest.approx(1.33111, abs=1e-4)
    assert ode == pytest.approx(1.34114, abs=1e-5)
    assert flow @ x**4 / (flow @ x**2) ** 2 > 3.4  # a mixture: 3 for a Gaussian


def test_variances_of_the_flow_relax_at_alpha_squared_and_speed_up_where_it_is_cold():
    """Theorems 17 and 19, Corollary 18: 1/(2βσ²), which would slow down as β grows."""
    slopes = []
    for beta in (0.7, 2.0, 10.0):
        grid = GaussianGrid(1.0, beta)
        s, h = grid.reproduction_variance, 1e-6
        slopes.append((mapped_variance(s + h, beta) - mapped_variance(s - h, beta)) / (2 * h) - 1)
        assert mapped_variance(s, beta) == pytest.approx(s, abs=1e-12)
        assert slopes[-1] == pytest.approx(-(grid.alpha**2), abs=1e-6)
        assert abs(slopes[-1] + 1 / (2 * beta)) > 0.1
    assert (np.diff(slopes) < 0).all()  # faster and faster; slow as β falls to 1/(2σ²)
    assert slopes[-1] == pytest.approx(-0.9025, abs=1e-6)
    assert GaussianGrid(1.0, 2.0).alpha ** 20 < 0.01  # mode 20: no gap is left


def test_below_the_critical_beta_everything_is_reproduced_by_nought():
    grid = GaussianGrid(1.0, 0.4, 61, 5.0)
    found = rate_distortion_reference(grid.problem())
    assert grid.reproduction_variance == 0
    assert found.reproduction[30] == pytest.approx(1, abs=1e-6)
    assert 1 - 1 / (2 * 0.4) < 0  # what (31) would give


def test_slowest_direction_is_that_of_the_smallest_variance():
    """(34) names the largest. Kernels of independent directions multiply, so the product of two grids has all products."""
    beta = 1.0
    first = {}
    for variance in (1.0, 3.0):
        grid = GaussianGrid(variance, beta, 61, 5.0)
        first[variance] = correlations(grid.problem(), normal(grid.grid, grid.reproduction_variance))
        assert first[variance][1] == pytest.approx(1 - 1 / (2 * beta * variance), abs=5e-3)
    small = [GaussianGrid(v, beta, 15, 3.0) for v in (1.0, 3.0)]
    parts = [(g.problem(), normal(g.grid, g.reproduction_variance)) for g in small]
    distance = (parts[0][0].distortion[:, None, :, None] + parts[1][0].distortion[None, :, None, :]).reshape(225, 225)
    both = RateDistortion(np.kron(parts[0][0].source, parts[1][0].source), distance, beta)
    joint = correlations(both, np.kron(parts[0][1], parts[1][1]))
    products = np.sort(np.outer(*(correlations(*part) for part in parts)).ravel())[::-1]
    np.testing.assert_allclose(joint[:20], products[:20], atol=1e-10)
    assert first[1.0][1] < first[3.0][1]
    assert 1 / (2 * beta * 3.0) < 1 / (2 * beta * 1.0)  # the printed rates: in the opposite order


def test_second_moment_of_the_step_in_several_dimensions():
    """Proposition 22 has Σ and Σ_P the other way round."""
    beta = 0.6
    A, source = np.array([[1.0, 0.3], [0.3, 0.7]]), np.array([[1.0, 0.4], [0.4, 1.5]])
    sigma = np.array([[0.8, -0.2], [-0.2, 0.5]])
    axis = np.linspace(-6, 6, 37)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)

    def gaussian(covariance):
        q = np.exp(-0.5 * np.einsum("ki,ij,kj->k", points, np.linalg.inv(covariance), points))
        return q / q.sum()

    def moment(q):
        return (points * q[:, None]).T @ points

    q = gaussian(sigma)
    apart = points[:, None] - points[None]
    weights = np.exp(-beta * np.einsum("xyi,ij,xyj->xy", apart, A, apart))
    exact = moment(q * ((gaussian(source) / (weights @ q)) @ weights))

    def formula(inner, outer):
        L = np.linalg.inv(np.linalg.inv(inner) + 2 * beta * A)
        return L + L @ (2 * beta * A) @ outer @ (2 * beta * A) @ L

    np.testing.assert_allclose(formula(sigma, source), exact, atol=1e-5)
    assert abs(formula(source, sigma) - exact).max() > 0.1


def test_side_information_lowers_the_rate_by_the_information_only_where_distortion_is_small():
    """Section 10.6: β_eff ≤ β is heating; the gap ½ ln 1/(1 − ρ²) needs D ≤ σ²(1 − ρ²)."""
    rho = 0.6
    whole = 0.5 * math.log(1 / (1 - rho**2))
    for distortion, full in ((0.3, True), (0.8, False)):
        beta = 1 / (2 * distortion)
        gap = GaussianGrid(1.0, beta).rate_nats - GaussianGrid(1 - rho**2, beta).rate_nats
        assert (gap == pytest.approx(whole, abs=1e-12)) == full
        assert full or gap < 0.6 * whole
    for s in (0.2, 0.7):
        assert wyner_ziv_beta(2.0, 1.0, s, rho) < 2.0
    assert wyner_ziv_beta(2.0, 1.0, 1.0, rho) == pytest.approx(2.0)


@pytest.mark.parametrize("power", [3.0, 1.0])
def test_update_of_the_channels_that_fills_water(power):
    """Section 10.5 prints (HᴴH + Q⁻¹)⁻¹; with the scaling q ← c q h/(1 + h q) the water is filled."""
    h = np.array([4.0, 1.0, 0.5])
    printed, mended = np.full(3, power / 3), np.full(3, power / 3)
    for _ in range(4000):
        printed = 1 / (h + 1 / printed)
        printed *= power / printed.sum()
        mended = mended * h / (1 + h * mended)
        mended *= power / mended.sum()
    np.testing.assert_allclose(mended, water_filling(h, power), atol=1e-6)
    assert abs(printed - water_filling(h, power)).max() > 0.5


@pytest.mark.parametrize(
    ("beta", "rho", "printed", "best"), [(2.0, 0.5, 0.697, 0.727), (4.0, 0.8, 0.719, 0.839), (2.0, 0.8, 0.0, 0.55)]
)
def test_flow_with_side_information_needs_what_the_decoder_knows(beta, rho, printed, best):
    """10.6 keeps the standard flow with d_WZ in the place of d; the objective is I(X;U) − I(Y;U) + βD, σ² = 1."""

    def objective(s, *, seen=True):
        distortion = (1 - s) * (1 - rho**2) / (1 - rho**2 * s)
        known = -0.5 * math.log(1 - rho**2 * s) if seen else 0.0
        return -0.5 * math.log(1 - s) - known + beta * distortion

    s = 0.999
    for _ in range(4000):
        s = float(mapped_variance(s, wyner_ziv_beta(beta, 1.0, s, rho)))
    assert s == pytest.approx(printed, abs=2e-3)
    grid = np.linspace(1e-4, 0.999, 20_000)
    found = grid[np.argmin([objective(v) for v in grid])]
    assert found == pytest.approx(best, abs=1e-3)
    # Wyner and Ziv's rate at the distortion of that slope, ½ ln (1 − ρ²)/D at D = 1/(2β), is the least there is.
    rate = 0.5 * math.log((1 - rho**2) * 2 * beta)
    assert objective(found) == pytest.approx(rate + 0.5, abs=1e-6)
    assert objective(max(s, 1e-9)) > objective(found) + 1e-3
    if printed == 0:
        assert rate == pytest.approx(0.182, abs=5e-4)


@pytest.mark.parametrize(("strongest", "rate"), [(4.0, 0.443), (400.0, 0.411)])
def test_slowest_of_parallel_channels_is_the_weakest_that_is_used(strongest, rate):
    """10.5 and Figure 7: the mode with the largest gain is the bottleneck, and ill-conditioned channels are slow."""
    h, power = np.array([strongest, 2.0, 1.0]), 3.0
    q = water_filling(h, power)
    level = q[0] + 1 / h[0]
    # Near the optimum δq̇ = −q δq/ν + q δc/c, Σδq̇ = 0: rates are roots of Σ q²/(q/ν − r) = 0 between neighbours of q/ν.
    speeds = np.sort(q / level)
    slow = np.linspace(speeds[0] + 1e-9, speeds[1] - 1e-9, 200_001)
    weight = np.array([(v * level) for v in speeds])
    balance = (weight[:, None] / (speeds[:, None] - slow)).sum(axis=0)
    found = slow[np.flatnonzero(np.diff(np.sign(balance)))[0]]
    assert found == pytest.approx(rate, abs=1e-3)
    assert speeds[0] == pytest.approx(q[2] / level)  # the weakest sets the scale
    assert 1 / (h * level).max() < 0.4 * found  # 1 − max α as printed, noise 1/h in the place of 1/(2β)


def test_gap_of_two_points_does_not_vanish_at_the_edges():
    """Figure 5: largest near α = ½, vanishing as α → 0, 1. Outside the interior the dying symbol's rate takes over."""
    rates = {a: rate_distortion_relaxation(RateDistortion([a, 1 - a], 1 - np.eye(2), 2.0)).slowest for a in (0.02, 0.5)}
    assert rates[0.02] == pytest.approx(0.72, abs=2e-3)
    assert rates[0.5] == pytest.approx(0.58, abs=1e-3)
    assert rates[0.02] == pytest.approx(two_point(0.02, 2.0)[1], abs=1e-6)
