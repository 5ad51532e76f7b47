"""Laws of saturating networks by sums over few values of each unit, held against SciPy's integrals and a walk."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from analogflow.families import own_reference
from analogflow.problems import Hopfield
from analogflow.reference import hopfield_reference
from analogflow.reference.hopfield import curvature, gaussian_law
from analogflow.reference.hopfield_learning import activations
from analogflow.reference.hopfield_rules import Fields, Rules
from analogflow.reference.hopfield_saturating import by_quadrature, by_sampling, layers, summed
from analogflow.reference.hopfield_units import Conditional, Layer


def network(seed, n, m, scale, temperature):
    rng = np.random.default_rng(seed)
    U, I = scale * rng.normal(size=(n, m)), rng.normal(size=n)  # noqa: E741
    return Hopfield(U, I, rng.uniform(0.5, 2.0, n), rng.uniform(0.5, 2.0, m), "tanh", temperature)


def log_density(problem, x):
    """−E/T in the activations, times the width of each in x = gain times state: written out from the energy."""
    n, T = problem.visible, problem.temperature
    gains = np.concatenate([np.diag(problem.gain_v), np.diag(problem.gain_h)])
    y, log_cosh = np.tanh(x), np.logaddexp(x, -x) - math.log(2)
    energy = ((x * y - log_cosh) / gains).sum(axis=-1) - y[..., :n] @ problem.I
    energy = energy - ((y[..., :n] @ problem.U) * y[..., n:]).sum(axis=-1)
    return -energy / T - 2 * log_cosh.sum(axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize(("coupling", "temperature"), [(0.9, 0.5), (-2.0, 0.1)])
def test_one_pair_by_scipy(coupling, temperature):
    problem = Hopfield([[coupling]], [0.3], 1.4, 0.7, "tanh", temperature)
    mean, covariance, gap = by_quadrature(problem)
    highest = max(
        float(log_density(problem, np.array([a, b]))) for a in np.linspace(-3, 3, 61) for b in np.linspace(-3, 3, 61)
    )

    def integral(f):
        centre = mean * [1.4, 0.7]
        width = 8 * np.sqrt(np.diag(covariance)) * [1.4, 0.7] + 8
        found = 0.0
        for low, high in ((centre[0] - width[0], centre[0]), (centre[0], centre[0] + width[0])):
            for below, above in ((centre[1] - width[1], centre[1]), (centre[1], centre[1] + width[1])):
                found += dblquad(
                    lambda b, a: f(a / 1.4, b / 0.7) * math.exp(log_density(problem, np.array([a, b])) - highest),
                    low, high, below, above, epsabs=1e-6, epsrel=1e-5,
                )[0]  # fmt: skip
        return found

    total = integral(lambda v, h: 1.0)
    assert gap <= 1e-9
    assert mean[0] == pytest.approx(integral(lambda v, h: v) / total, abs=1e-5)
    product = integral(lambda v, h: (v - mean[0]) * (h - mean[1])) / total
    assert covariance[0, 1] == pytest.approx(product, abs=1e-5)
    assert covariance[1, 1] == pytest.approx(integral(lambda v, h: (h - mean[1]) ** 2) / total, abs=1e-5)


def walked(problem, steps, chains, seed, step):
    """Mean and covariance with standard errors, by chains of Metropolis that know nothing but the density."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(chains, problem.size))
    here, skipped = log_density(problem, x), steps // 5
    means, squares = np.zeros_like(x), np.zeros((chains, problem.size, problem.size))
    gains = np.concatenate([np.diag(problem.gain_v), np.diag(problem.gain_h)])
    for k in range(steps):
        moved = x + step * random.normal(size=x.shape)
        there = log_density(problem, moved)
        taken = np.log(random.random(chains)) < there - here
        x, here = np.where(taken[:, None], moved, x), np.where(taken, there, here)
        if k >= skipped:
            state = x / gains
            means += state
            squares += state[:, :, None] * state[:, None]
    means, squares = means / (steps - skipped), squares / (steps - skipped)
    mean = means.mean(axis=0)
    centred = squares - means[:, :, None] * mean - mean[:, None] * means[:, None] + np.outer(mean, mean)
    root = np.sqrt(chains - 1)
    return mean, means.std(axis=0) / root, centred.mean(axis=0), centred.std(axis=0) / root


@pytest.mark.parametrize(
    ("seed", "n", "m", "scale"), [(1, 3, 8, 0.3), (2, 4, 4, 0.5), pytest.param(3, 8, 8, 0.15, marks=pytest.mark.slow)]
)
def test_networks_of_up_to_eight_and_eight_by_a_walk(seed, n, m, scale):
    problem = network(seed, n, m, scale, 0.5)
    found = hopfield_reference(problem)
    assert found.method == "quadrature"
    assert found.gap <= 2e-3
    mean, mean_error, covariance, covariance_error = walked(problem, 1500, 400, seed, 1.2 / np.sqrt(n + m))
    assert (abs(found.mean - mean) <= found.gap + 4.5 * mean_error).all()
    assert (abs(found.covariance - covariance) <= found.gap + 4.5 * covariance_error).all()
    # The walk could have told a network with couplings twice as large.
    other = by_quadrature(problem.with_couplings(2 * problem.U))
    off = max((abs(other[0] - mean) / mean_error).max(), (abs(other[1] - covariance) / covariance_error).max())
    assert off > 6


@pytest.mark.parametrize("shape", [(3, 8), (8, 8)])
def test_unsaturated_networks_have_the_linear_one_s_law(shape):
    """At T = 1e-6 about a rest at 0: T H⁻¹, which Lyapunov's equation has too."""
    rng = np.random.default_rng(4)
    U, gains = rng.normal(size=shape), (rng.uniform(0.5, 2.0, shape[0]), rng.uniform(0.5, 2.0, shape[1]))
    U *= 0.7 / Hopfield(U, None, *gains, "tanh", 1.0).norm
    found = by_quadrature(Hopfield(U, None, *gains, "tanh", 1e-6))
    exact = gaussian_law(Hopfield(U, None, *gains, "linear", 1e-6))[1]
    np.testing.assert_allclose(found[1] / 1e-6, exact / 1e-6, atol=1e-4)
    assert abs(found[0]).max() <= 1e-6
    assert found[2] <= 1e-7


def test_a_cold_network_with_inputs_has_its_valley_s_law():
    problem = network(5, 6, 6, 0.15, 1e-5)
    mean, covariance, gap = by_quadrature(problem)
    rest = hopfield_reference(Hopfield(problem.U, problem.I, problem.gain_v, problem.gain_h, "tanh")).mean
    assert gap <= 1e-9
    np.testing.assert_allclose(mean, rest, atol=1e-3)
    np.testing.assert_allclose(covariance / 1e-5, np.linalg.inv(curvature(problem, rest)), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("most", [2_000, 10_000, 100_000])
@pytest.mark.parametrize(("scale", "temperature"), [(0.3, 0.4), (0.15, 0.05), (1.0, 0.5)])
def test_gaps_are_no_smaller_than_errors(monkeypatch, most, scale, temperature):
    """With few values of each unit, against many."""
    problem = network(6, 4, 5, scale, temperature)
    fine = summed(problem)
    monkeypatch.setattr("analogflow.reference.hopfield_saturating._ENOUGH", ((most, 1e-13),))
    monkeypatch.setattr("analogflow.reference.hopfield_saturating._USABLE", np.inf)
    coarse = summed(problem)
    assert fine.gap <= 1e-6
    assert coarse.gap > fine.gap
    assert abs(coarse.mean - fine.mean).max() <= coarse.gap + fine.gap
    assert abs(coarse.covariance - fine.covariance).max() <= coarse.gap + fine.gap
    assert abs(coarse.log_z - fine.log_z) <= coarse.lost + fine.lost


@pytest.mark.parametrize("limit", [1e300, 500.0, -1.0])
def test_three_ways_of_summing_agree(monkeypatch, limit):
    """Products as they are, by logarithms, and one combination after another."""
    problem = network(7, 4, 3, 0.5, 0.1)
    usual = summed(problem, activations=True)
    monkeypatch.setattr("analogflow.reference.hopfield_saturating._LARGEST_EXPONENT", limit)
    other = summed(problem, activations=True)
    np.testing.assert_allclose(other.mean, usual.mean, atol=1e-13)
    np.testing.assert_allclose(other.covariance, usual.covariance, atol=1e-13)
    assert other.log_z == pytest.approx(usual.log_z, abs=1e-11)


@pytest.mark.parametrize("activated", [False, True])
def test_layers_can_be_swapped(activated):
    problem = network(8, 4, 6, 0.4, 0.3)
    problem = Hopfield(problem.U, None, problem.gain_v, problem.gain_h, "tanh", 0.3)
    swapped = Hopfield(problem.U.T, None, problem.gain_h, problem.gain_v, "tanh", 0.3)
    order = np.r_[6:10, :6]
    found, other = summed(problem, activations=activated), summed(swapped, activations=activated)
    np.testing.assert_allclose(found.covariance, other.covariance[np.ix_(order, order)], atol=found.gap + other.gap)
    assert found.log_z == pytest.approx(other.log_z, abs=found.lost + other.lost)


def test_learning_has_averages_of_four_and_four():
    """⟨g fᵀ⟩ is T times the derivative of ln Z with respect to the couplings."""
    problem = network(9, 4, 4, 0.4, 0.5)
    found, step = activations(problem), 1e-4
    assert found.gap <= 1e-9
    for i, j in ((0, 0), (2, 3)):
        push = step * np.eye(16)[4 * i + j].reshape(4, 4)
        up, down = (activations(problem.with_couplings(problem.U + sign * push)).log_z for sign in (1, -1))
        assert found.products[i, j] == pytest.approx(0.5 * (up - down) / (2 * step), abs=1e-6)


def test_a_rule_is_exact_for_one_unit_at_every_field_it_is_made_for():
    """Error of the weight, against SciPy's integral of e^{cy/T} w(y), is what the rule says."""
    unit = Layer(np.array([1.3]), np.array([0.2]), np.array([[1.0]]), 0.4)
    rules = Rules(unit, Fields(-0.8, 1.2, 0.2, np.inf), lambda x: np.stack([x, x**2, np.tanh(x)]))
    for size in (4, 8, 16):
        rule = rules.rule(size)
        worst = 0.0
        for field in (-0.8, 0.5, 1.2):
            exact, first = (
                quad(
                    lambda x: x**power * math.exp(float(unit.log_density(np.array([x]))[0]) + field * math.tanh(x) / 0.4),  # noqa: B023
                    -20, 20, epsabs=1e-14, epsrel=1e-13, limit=400,
                )[0] for power in (0, 1)
            )  # fmt: skip
            share = np.exp(rule.log_weights + rules.log_scale + (field - 0.2) * rule.nodes / 0.4)
            worst = max(worst, abs(share.sum() / exact - 1))
            assert abs(share @ rule.features[0] - first) / exact <= rule.errors[1] + 1e-12
        assert 0.3 * worst <= rule.errors[0] + 1e-12
        assert worst <= rule.errors[0] + 1e-12


@pytest.mark.slow
def test_chains_that_do_not_meet_say_so():
    """Two wells that no sweep leaves: both starts stay where they were."""
    _, _, gap = by_sampling(Hopfield(3.0 * np.eye(10), activation="tanh", temperature=0.05))
    assert gap > 1


@pytest.mark.parametrize("temperature", [1e-4, 0.05, 2.0])
def test_means_that_are_averaged_are_those_of_the_integral(temperature):
    problem = network(11, 3, 3, 0.2, temperature)
    layer = layers(problem)[0]
    random = np.random.default_rng(0)
    other = np.tanh(random.normal(size=(9, 3)))
    _, mean, square = Conditional(layer).drawn(other, None, random)
    for field, k in ((layer.fields(other)[i, k], k) for i in range(9) for k in range(3)):
        fields = Fields(float(field) - 1e-9, float(field) + 1e-9, float(field), np.inf)
        gain = layer.gains[k]
        rules = Rules(layer.unit(k), fields, lambda x, gain=gain: np.stack([x / gain, (x / gain) ** 2, np.tanh(x)]))
        exact = rules.averages[:2, 0]
        i = int(np.flatnonzero(layer.fields(other)[:, k] == field)[0])
        width = math.sqrt(exact[1] - exact[0] ** 2)
        assert abs(mean[i, k] - exact[0]) <= 2e-3 * width
        assert abs(square[i, k] - exact[1]) <= 2e-3 * (width**2 + width * abs(exact[0]))


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1e-4, 0.05, 2.0])
def test_sampling_is_right_at_every_temperature(temperature):
    problem = network(11, 3, 3, 0.2, temperature)
    exact, sampled = by_quadrature(problem), by_sampling(problem, seed=2)
    assert sampled[2] <= 0.1 * math.sqrt(np.diag(exact[1]).max())
    for k in (0, 1):
        assert abs(exact[k] - sampled[k]).max() <= sampled[2] + exact[2]


def test_a_law_by_chains_is_held_as_one_without_exact_reference():
    from analogflow.families.hopfield import HOPFIELD
    from analogflow.run import Outcome, Run

    problem = network(12, 2, 2, 0.2, 0.3)
    exact = own_reference(problem)
    chains = dataclasses.replace(exact, method="sampling", gap=0.01)
    random = np.random.default_rng(0)
    x = random.multivariate_normal(exact.mean, exact.covariance, size=4000)
    run = Run(np.linspace(0, 600, 4000), {"v": x[:, :2], "h": x[:, 2:]}, Outcome.COMPLETED)
    details = [[c.detail for c in HOPFIELD.held_as_law(problem, law, run, 1e-6, 0.25).checks] for law in (exact, chains)]
    assert not any("without exact reference" in detail for detail in details[0])
    assert all("without exact reference: held against 0.01" in detail for detail in details[1])
