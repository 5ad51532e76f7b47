"""The reference of Hopfield networks: its energy, three ways to a covariance, quadrature, sampling, and wrong formulas."""

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogflow.errors import BadInput
from analogflow.families import expected_answer
from analogflow.problems import Hopfield
from analogflow.problems.hopfield import ACTIVATIONS
from analogflow.reference import hopfield_reference
from analogflow.reference.hopfield import (
    curvature,
    drift,
    energy,
    from_hessian,
    from_lyapunov,
    from_spectrum,
    gradient,
    metric,
    rates,
)
from analogflow.reference.hopfield_saturating import by_quadrature, by_sampling


def network(seed=0, n=3, m=2, activation="linear", temperature=0.3, norm=0.8, scale=1.0):
    rng = np.random.default_rng(seed)
    if activation == "tanh":
        gains = rng.uniform(0.5, 2.0, n), rng.uniform(0.5, 2.0, m)
        return Hopfield(scale * rng.normal(size=(n, m)), rng.normal(size=n), *gains, activation, temperature)
    A, B, U = rng.normal(size=(n, n)), rng.normal(size=(m, m)), rng.normal(size=(n, m))
    G, F = A @ A.T / n + 0.5 * np.eye(n), B @ B.T / m + 0.5 * np.eye(m)
    if activation == "softmax":
        return Hopfield(scale * U, rng.normal(size=n), G, 1.5, "softmax")
    U *= norm / np.sqrt(np.linalg.eigvals(U.T @ G @ U @ F).real.max())
    return Hopfield(U, rng.normal(size=n), G, F, activation, temperature)


def by_differences(function, x, h=1e-5):
    return np.array([(function(x + h * e) - function(x - h * e)) / (2 * h) for e in np.eye(len(x))])


activations = pytest.mark.parametrize("activation", ACTIVATIONS)
curved = pytest.mark.parametrize("activation", ["tanh", "softmax"])


@activations
def test_gradient_and_the_printed_signs(activation):
    """The proof prints ∂E/∂v = −∂²L (U f + v − I): wrong by the sign of v − I."""
    problem = network(1, activation=activation)
    x = np.random.default_rng(2).normal(size=5)
    exact = by_differences(lambda y: energy(problem, y), x)
    np.testing.assert_allclose(gradient(problem, x), exact, atol=1e-9)
    rest = np.concatenate([x[:3] - problem.I, x[3:]])
    printed = -metric(problem, x) @ (rates(problem, x) + 2 * rest)
    assert abs(printed - exact).max() > 0.1


@activations
def test_descent_theorem(activation):
    """dE/dt = −v̇ᵀ ∂²L_v v̇ − ḣᵀ ∂²L_h ḣ, along a trajectory and summed over it."""
    problem = network(3, activation=activation, temperature=0.0)
    path = solve_ivp(
        lambda _, y: rates(problem, y), (0, 5), 2 * np.ones(5), "DOP853", rtol=1e-12, atol=1e-13, dense_output=True
    )
    nodes, weights = np.polynomial.legendre.leggauss(60)
    states = path.sol(2.5 * (nodes + 1)).T
    lost = []
    for state in states:
        rate = rates(problem, state)
        lost.append(-rate @ metric(problem, state) @ rate)
        assert gradient(problem, state) @ rate == pytest.approx(lost[-1], rel=1e-12)
    fallen = energy(problem, path.y[:, -1]) - energy(problem, path.y[:, 0])
    assert fallen == pytest.approx(2.5 * weights @ lost, abs=1e-9)
    assert max(lost) <= 0


@curved
def test_curvature_at_rest(activation):
    problem = network(4, activation=activation, temperature=0.0, scale=0.5)
    rest = hopfield_reference(problem).mean
    assert abs(rates(problem, rest)).max() < 1e-13
    exact = by_differences(lambda y: gradient(problem, y), rest)
    np.testing.assert_allclose(curvature(problem, rest), exact, atol=1e-8)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 5), (5, 2), (8, 8), (20, 30)])
@pytest.mark.parametrize("norm", [0.3, 0.95])
def test_covariance_certificate(shape, norm):
    problem = network(5, *shape, norm=norm)
    reference = hopfield_reference(problem)
    assert reference.method == "lyapunov"
    assert reference.gap <= 5e-12  # with the rounding of up to fifty states, at a condition of forty
    A, noise = drift(problem), 2 * problem.temperature * np.linalg.inv(metric(problem, np.zeros(problem.size)))
    C = reference.covariance
    assert abs(A @ C + C @ A.T + noise).max() <= 1e-12
    np.testing.assert_allclose(rates(problem, reference.mean), 0, atol=1e-13)
    np.testing.assert_allclose(from_lyapunov(problem), from_spectrum(problem), atol=1e-12)
    np.testing.assert_allclose(from_hessian(problem), C)


def test_theorem_16_as_printed_has_another_covariance():
    """With K in front of the drift as well, A K stands where A should: its Lyapunov equation is not solved by T H⁻¹."""
    problem = network(6, 2, 2, temperature=1.0)
    K = np.linalg.inv(metric(problem, np.zeros(4)))
    A, C = drift(problem), hopfield_reference(problem).covariance
    assert abs(A @ C + C @ A.T + 2 * K).max() <= 1e-12
    printed = K @ A
    assert abs(printed @ C + C @ printed.T + 2 * K).max() > 0.5


def test_a_wrong_covariance_is_told_by_the_three_ways():
    problem = network(7)
    other = Hopfield(problem.U, problem.I, 1.01 * problem.gain_v, problem.gain_h, temperature=problem.temperature)
    assert abs(from_hessian(problem) - from_lyapunov(other)).max() > 1e-4


@pytest.mark.slow
def test_quadrature_of_one_pair_against_the_plain_double_sum():
    """⟨v^a h^b⟩ under e^{−E/T} dg df."""
    problem = Hopfield([[0.9]], [0.4], 1.5, 0.8, "tanh", 0.5)

    # The trapezoidal rule converges exponentially for what decays like e^{−2|x|}.
    grid_v, grid_h = np.linspace(-14, 14, 181), np.linspace(-26, 26, 181)

    def weight(x):
        return np.exp(-energy(problem, x) / 0.5) * metric(problem, x).diagonal().prod()

    weights = np.array([[weight(np.array([a, b])) for b in grid_h] for a in grid_v])
    v, h = grid_v[:, None], grid_h[None]

    def moment(values):
        return (weights * values).sum()

    mean, covariance, gap = by_quadrature(problem)
    total = moment(1.0)
    assert gap <= 1e-12
    assert mean[0] == pytest.approx(moment(v) / total, abs=1e-7)
    assert covariance[0, 1] + mean[0] * mean[1] == pytest.approx(moment(v * h) / total, abs=1e-7)
    assert covariance[1, 1] + mean[1] ** 2 == pytest.approx(moment(h * h) / total, abs=1e-7)


def test_density_in_v_and_h_can_not_be_normalised():
    """E tends to a constant far out, so ∫ e^{−E/T} dv dh grows with the domain: there is no law for T div K to hold."""
    problem = Hopfield([[0.9]], [0.4], 1.5, 0.8, "tanh", 0.5)
    far = [energy(problem, np.array([v, 0.0])) for v in (20.0, 40.0, 80.0)]
    np.testing.assert_allclose(far, far[0], atol=1e-12)
    linear = Hopfield([[0.5]], [0.4], 1.5, 0.8, "linear", 0.5)
    assert energy(linear, np.array([80.0, 0.0])) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 4), (3, 2)])
def test_quadrature_over_either_layer_and_sampling_agree(shape):
    problem = network(8, *shape, activation="tanh", temperature=0.4)
    mean, covariance, gap = by_quadrature(problem)
    assert gap <= 1e-12
    sampled = by_sampling(problem, seed=1)
    assert abs(sampled[0] - mean).max() <= sampled[2]
    assert abs(sampled[1] - covariance).max() <= sampled[2]


def test_swapping_the_layers_swaps_the_law():
    problem = Hopfield([[0.6, -0.8, 0.3]], None, [1.2], [0.7, 1.0, 1.5], "tanh", 0.3)
    swapped = Hopfield(problem.U.T, None, [0.7, 1.0, 1.5], [1.2], "tanh", 0.3)
    order = [3, 0, 1, 2]
    for found, other in ((by_quadrature(problem), by_quadrature(swapped)),):
        np.testing.assert_allclose(found[1], other[1][np.ix_(order, order)], atol=1e-12)


@pytest.mark.slow
def test_a_large_saturating_network_is_sampled_and_says_so():
    reference = hopfield_reference(network(9, 9, 9, activation="tanh", temperature=0.05, scale=0.25))
    assert reference.method == "sampling"
    assert not reference.exact
    assert 1e-5 < reference.gap < 0.03
    assert "by sampling" in repr(reference)


def test_cold_saturating_law_is_the_gaussian_of_its_valley():
    problem = network(10, 2, 2, activation="tanh", temperature=1e-3, scale=0.3)
    cold = hopfield_reference(Hopfield(problem.U, problem.I, problem.gain_v, problem.gain_h, "tanh"))
    warm = hopfield_reference(problem)
    assert warm.gap <= 1e-10
    np.testing.assert_allclose(warm.mean, cold.mean, atol=0.01)
    np.testing.assert_allclose(warm.covariance / 1e-3, np.linalg.inv(curvature(problem, cold.mean)), rtol=0.02, atol=0.02)


def test_rests_depend_on_the_start():
    """Two valleys, and a saddle between them that is no valley."""
    found = [hopfield_reference(Hopfield([[3.0]], activation="tanh", start=[s, s])) for s in (1.0, -1.0, 0.0)]
    assert found[0].mean[0] == pytest.approx(-found[1].mean[0], abs=1e-12)
    assert found[0].mean[0] > 1
    assert [reference.valley > 0 for reference in found] == [True, True, False]
    assert found[0].energy < found[2].energy
    assert all(reference.gap <= 1e-12 for reference in found)


def test_expected_answers_have_the_names_of_signals():
    cold, warm = (expected_answer(network(11, temperature=T)) for T in (0.0, 0.2))
    assert set(cold) == {"v", "h", "energy"}
    assert set(warm) == {"mean of v", "mean of h", "variance of v", "variance of h"}
    assert cold["v"] == warm["mean of v"]


@pytest.mark.parametrize("beta", [0.1, 1.0, 10.0, 300.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_softmax_rest_is_where_another_integrator_and_the_update_end(beta, seed):
    """The path by DOP853, which is not what the reference takes; and v = U softmax(β Uᵀ G v) + I, in fifty digits."""
    problem = network(seed, 4, 3, "softmax")
    problem = problem.with_gains(problem.gain_v, beta, 2 * np.random.default_rng(seed).normal(size=7))
    found = hopfield_reference(problem)
    path = solve_ivp(lambda _, y: rates(problem, y), (0, 400), problem.start, "DOP853", rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found.mean, path.y[:, -1], atol=1e-8)
    assert found.gap <= 1e-11
    with mpmath.workdps(50):
        U, G, I = (mpmath.matrix(part.tolist()) for part in (problem.U, problem.gain_v, problem.I))  # noqa: E741
        v = mpmath.matrix(found.mean[:4].tolist())
        for _ in range(2000):
            fields = U.T * (G * v)
            weights = [mpmath.exp(beta * (field - max(fields))) for field in fields]
            following = U * mpmath.matrix([weight / sum(weights) for weight in weights]) + I
            moved, v = mpmath.norm(following - v, mpmath.inf), following
            if moved < mpmath.mpf(10) ** -40:
                break
        assert moved < mpmath.mpf(10) ** -30
        exact = np.array([float(x) for x in (*v, *(U.T * (G * v)))])
    assert abs(found.mean - exact).max() <= found.gap + 1e-16 * abs(exact).max()


def test_the_energy_of_softmax_with_hidden_states_at_rest_is_ramsauer_s():
    """½|v|² − ln Σ exp(β u·v)/β, whose gradient is −v̇ there; and a softmax energy is bounded below."""
    rng = np.random.default_rng(3)
    U, beta = rng.normal(size=(4, 3)), 2.5
    problem = Hopfield(U, gain_h=beta, activation="softmax")
    for _ in range(5):
        v = 3 * rng.normal(size=4)
        known = 0.5 * v @ v - np.log(np.exp(beta * (U.T @ v)).sum()) / beta
        assert energy(problem, np.concatenate([v, U.T @ v])) == pytest.approx(known, rel=1e-13)
        exact = by_differences(lambda x: energy(problem, np.concatenate([x, U.T @ x])), v)
        np.testing.assert_allclose(-rates(problem, np.concatenate([v, U.T @ v]))[:4], exact, atol=1e-8)
    # h·f − L_h is minus an entropy over β at least, and f is a mean of columns.
    lowest = -np.log(3) / beta - 0.5 * (U**2).sum(axis=0).max()
    states = rng.normal(scale=20, size=(1000, 7))
    assert min(energy(problem, state) for state in states) >= lowest


def test_at_the_temperature_1_over_beta_softmax_would_have_a_mixture_of_gaussians():
    """With h at rest: e^{−βE} of v is Σ of Gaussians about the columns of U, E being what the refusal proposes."""
    U, beta = np.array([[1.0, -0.5]]), 2.0
    v = np.linspace(-3, 3, 7)
    written = [v_**2 / 2 - np.log(np.exp(beta * v_) + np.exp(-0.5 * beta * v_)) / beta for v_ in v]
    mixed = [sum(np.exp(beta * u**2 / 2) * np.exp(-beta * (x - u) ** 2 / 2) for u in U[0]) for x in v]
    np.testing.assert_allclose(np.exp(-beta * np.array(written)), mixed, rtol=1e-12)


def test_a_network_at_the_edge_of_two_rests_is_refused(monkeypatch):
    monkeypatch.setattr("analogflow.reference.hopfield._LONGEST", 100.0)
    with pytest.raises(BadInput, match=r"Hopfield: no rest is reached in .* τ; scale U by a few percent"):
        hopfield_reference(Hopfield([[1.0]], activation="tanh", start=[1.0, 1.0]))
