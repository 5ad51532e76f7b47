"""What learning asks of a network, against plain sums over a grid of activations, and differences of the likelihood."""

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.reference import hopfield_reference
from analogflow.reference.hopfield import energy
from analogflow.reference.hopfield_learning import activations, clamped_correlation, correlation, log_likelihood

GAINS = [1.2, 0.9], [1.5]
DATA = np.array([[0.9, -0.4], [0.2, 1.1], [-1.5, 0.3]])
X = np.linspace(-16, 16, 161)
"""Of x = G v and F h, where e^{−E/T} dg df falls as e^{−2|x|}: plain sums converge exponentially."""


def network(U, temperature=0.4):
    return Hopfield(U, [0.3, -0.1], *GAINS, "tanh", temperature)


def phi(x):
    return x * np.tanh(x) - np.log(np.cosh(x))


def weights_of(problem):
    """e^{−E/T} times the widths of dg df on a grid of three units, written out."""
    T = problem.temperature
    a, b, c = np.meshgrid(X, X, X, indexing="ij", sparse=True)
    y = [np.tanh(part) for part in (a, b, c)]
    E = phi(a) / GAINS[0][0] + phi(b) / GAINS[0][1] + phi(c) / GAINS[1][0] - problem.I[0] * y[0] - problem.I[1] * y[1]
    E = E - (problem.U[0, 0] * y[0] + problem.U[1, 0] * y[1]) * y[2]
    widths = [(X[1] - X[0]) / np.cosh(part) ** 2 for part in (a, b, c)]
    return np.exp(-E / T) * widths[0] * widths[1] * widths[2], y


def by_grid(problem, data):
    """Mean ln p(v) by sums alone: the hidden unit summed out at each datum, all three for Z."""
    total = weights_of(problem)[0].sum()
    T, found = problem.temperature, 0.0
    for v in data:
        x = np.array(GAINS[0]) * v
        y = np.tanh(x)
        visible = (-phi(x) / GAINS[0] + problem.I * y).sum() / T
        exponent = (problem.U[:, 0] @ y * np.tanh(X) - phi(X) / GAINS[1][0]) / T
        hidden = (np.exp(exponent) * (X[1] - X[0]) / np.cosh(X) ** 2).sum()
        found += visible + np.log(hidden) + np.log(np.array(GAINS[0]) / np.cosh(x) ** 2).sum() - np.log(total)
    return found / len(data)


def test_averages_are_those_of_a_plain_sum():
    problem = network([[0.7], [-0.5]])
    weights, y = weights_of(problem)
    found = activations(problem)
    assert found.gap <= 1e-11
    total = weights.sum()
    assert found.log_z == pytest.approx(np.log(total), abs=1e-9)
    np.testing.assert_allclose(found.visible, [(weights * y[k]).sum() / total for k in (0, 1)], atol=1e-9)
    np.testing.assert_allclose(found.hidden, [(weights * y[2]).sum() / total], atol=1e-9)
    np.testing.assert_allclose(found.products, [[(weights * y[k] * y[2]).sum() / total] for k in (0, 1)], atol=1e-9)
    # The grid's energy is the reference's, at a point.
    written = -problem.temperature * np.log(weights[100, 70, 90] * np.prod([np.cosh(X[k]) ** 2 for k in (100, 70, 90)]))
    written += 3 * problem.temperature * np.log(X[1] - X[0])
    at = np.array([X[100] / GAINS[0][0], X[70] / GAINS[0][1], X[90] / GAINS[1][0]])
    assert written == pytest.approx(energy(problem, at), rel=1e-10)


@pytest.mark.parametrize("temperature", [0.15, 1.0])
def test_the_gradient_of_the_likelihood_is_the_difference_of_both_averages(temperature):
    """By central differences of a likelihood that is summed over a grid: no code in common."""
    U, step = np.array([[0.7], [-0.5]]), 1e-4
    problem = network(U, temperature)
    assert log_likelihood(problem, DATA) == pytest.approx(by_grid(problem, DATA), abs=1e-8)
    gradient = (clamped_correlation(problem, DATA) - correlation(problem)) / temperature
    for k in (0, 1):
        moved = [U + way * step * np.eye(2)[:, [k]] for way in (1, -1)]
        up, down = (by_grid(network(part, temperature), DATA) for part in moved)
        assert gradient[k, 0] == pytest.approx((up - down) / (2 * step), abs=1e-6)
    # Without the model's own average it is not.
    assert abs(clamped_correlation(problem, DATA) / temperature - gradient).max() > 0.05


def test_the_linear_gradient_is_that_of_its_gaussian():
    rng = np.random.default_rng(2)
    U, G, F = 0.3 * rng.normal(size=(2, 3)), np.array([[1.2, 0.3], [0.3, 0.9]]), np.diag([1.1, 0.7, 1.0])
    I, T, step = [0.2, -0.4], 0.6, 1e-5  # noqa: E741

    def likelihood(part):
        """ln N(v) with mean and precision written out."""
        precision = (G - G @ part @ F @ part.T @ G) / T
        mean = np.linalg.solve(precision, G @ I / T)
        away = DATA - mean
        value = -0.5 * (away @ precision * away).sum(axis=1).mean()
        return value + 0.5 * np.log(np.linalg.det(precision)) - np.log(2 * np.pi)

    problem = Hopfield(U, I, G, F, temperature=T)
    assert log_likelihood(problem, DATA) == pytest.approx(likelihood(U), abs=1e-12)
    gradient = (clamped_correlation(problem, DATA) - correlation(problem)) / T
    for i in range(2):
        for j in range(3):
            unit = np.zeros((2, 3))
            unit[i, j] = step
            exact = (likelihood(U + unit) - likelihood(U - unit)) / (2 * step)
            assert gradient[i, j] == pytest.approx(exact, rel=1e-7)  # what is left out of a difference goes with step²


def test_ln_z_of_a_linear_network_is_an_integral():
    problem = Hopfield([[0.5]], [0.4], 1.5, 0.8, temperature=0.3)
    v, h = np.meshgrid(np.linspace(-12, 12, 481), np.linspace(-12, 12, 481), indexing="ij")
    E = 0.75 * v * v - 0.6 * v + 0.4 * h * h - 0.6 * v * h
    assert activations(problem).log_z == pytest.approx(np.log(np.exp(-E / 0.3).sum() * 0.05**2), abs=1e-10)


def test_either_layer_may_be_the_smaller_one():
    problem = Hopfield([[0.6, -0.8, 0.3, 0.2]], None, [1.2], [0.7, 1.0, 1.5, 1.1], "tanh", 0.3)
    swapped = Hopfield(problem.U.T, None, [0.7, 1.0, 1.5, 1.1], [1.2], "tanh", 0.3)
    one, other = activations(problem), activations(swapped)
    np.testing.assert_allclose(one.products, other.products.T, atol=1e-13)
    assert one.log_z == pytest.approx(other.log_z, abs=1e-12)


def test_cold_averages_are_products_of_activations_at_rest():
    cold = Hopfield([[0.4], [0.2]], [0.5, -0.3], *GAINS, "tanh")
    rest = hopfield_reference(cold).mean
    y = np.tanh(np.array([*GAINS[0], *GAINS[1]]) * rest)
    found = activations(Hopfield(cold.U, cold.I, *GAINS, "tanh", 1e-4))
    np.testing.assert_allclose(found.products[:, 0], y[:2] * y[2], atol=1e-3)


def test_what_can_not_be_averaged_is_refused():
    with pytest.raises(BadInput, match="has no law at temperature 0; give it a temperature"):
        activations(Hopfield([[0.3]]))
    with pytest.raises(BadInput, match=r"too large or too cold for a sum .* average over runs of its circuit"):
        activations(Hopfield(0.1 * np.ones((14, 14)), activation="tanh", temperature=1.0))
    with pytest.raises(BadInput, match=r"the data have shape \(2,\); give rows of 1 finite numbers"):
        clamped_correlation(Hopfield([[0.3]], temperature=1.0), [1.0, 2.0])
