"""Graphs under white noise as diffusions: which are, and the Gaussian law of those that are linear."""

import itertools

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

from analogflow import Flow, Hopfield, Imperfections, Noise, compile, ensemble
from analogflow.block_engine import VectorField
from analogflow.block_engine.diffusion import diffusion_of, linear_law
from analogflow.families import flow_of
from analogflow.graph import white_noise
from analogflow.passes import graph_under

A = np.array([[-1.0, 0.8, 0.0], [-0.6, -2.0, 0.3], [0.1, 0.0, -0.5]])
B = np.array([[0.3, 0.0], [0.1, 0.4], [0.0, 0.2]])
PUSH = np.array([0.5, -1.0, 0.2])


def coupled(x, A, B, push):
    return A @ x + push + B @ white_noise(np.zeros(2) if isinstance(x, np.ndarray) else x[:2])


def graph_of(function, states, **constants):
    return compile(Flow(function, states, constants=constants)).graph


def diffusion(graph):
    found = diffusion_of(graph)
    assert found is not None
    return found


def law_of_graph(graph):
    law = linear_law(diffusion(graph))
    assert law is not None
    return law


def relaxation(x, rate, density):
    return white_noise(x, density) - rate * x


NETWORK = Hopfield(
    [[0.6, 0.1], [0.2, -0.3], [0.1, 0.4]], [0.5, -0.2, 0.1], np.diag([1.0, 1.5, 2.0]), np.eye(2), "linear", 0.2
)
FLAWS = Imperfections(mismatch=0.05, offset=0.02, gain_error=0.03, dc_gain=100.0)


def test_law_of_a_hand_written_system_is_scipys():
    law = law_of_graph(graph_of(coupled, {"x": np.zeros(3)}, A=A, B=B, push=PUSH))
    assert law.mean == pytest.approx(-np.linalg.solve(A, PUSH), abs=1e-13)
    assert law.covariance == pytest.approx(solve_continuous_lyapunov(A, -B @ B.T), abs=1e-13)
    assert law.method == "lyapunov"
    assert law.mean_gap.max() < 1e-12
    assert law.covariance_gap.max() < 1e-12


def test_law_of_a_degraded_network_is_an_integral_of_its_own_field():
    """C = ∫ e^{At} B Bᵀ e^{Aᵀt} dt, the definition of what Lyapunov's equation solves, by Gauss's rule."""
    graph = graph_under(compile(flow_of(NETWORK)), FLAWS, Noise(0.03), 3)
    law, field = law_of_graph(graph), VectorField(graph)
    slope = field.jacobian(law.mean)
    into = field.noise_jacobian(law.mean) * field.density
    points, weights = np.polynomial.legendre.leggauss(40)
    edges = np.linspace(0, 60, 61)
    times = np.concatenate([0.5 * (b - a) * (points + 1) + a for a, b in itertools.pairwise(edges)])
    kernels = expm(times[:, None, None] * slope) @ into
    exact = np.einsum("t,tij,tkj->ik", np.tile(0.5 * weights, 60), kernels, kernels)
    assert law.covariance == pytest.approx(exact, rel=1e-9, abs=1e-12)
    assert abs(field(0.0, law.mean)).max() < 1e-13


@pytest.mark.slow
def test_law_of_a_degraded_network_is_that_of_many_paths_of_it():
    """Heun's rule, which knows nothing of covariances, from the exact mean for 12 τ; noise alone differs among the paths."""
    graph = graph_under(compile(flow_of(NETWORK)), FLAWS, Noise(0.0), 1)
    law, field = law_of_graph(graph), VectorField(graph)
    rng, step, paths = np.random.default_rng(1), 0.04, 3000
    y = law.mean + np.zeros((paths, field.size))
    for _ in range(300):
        noise = rng.normal(size=(paths, len(field.streams))) * field.density / np.sqrt(step)
        ahead = field(0.0, y, noise)
        y = y + 0.5 * step * (ahead + field(0.0, y + step * ahead, noise))
    widths = np.sqrt(np.diag(law.covariance))
    assert abs((y.mean(axis=0) - law.mean) / widths).max() < 4.5 / np.sqrt(paths)
    assert abs((np.cov(y.T) - law.covariance) / np.outer(widths, widths)).max() < 4.5 * np.sqrt(2 / paths)


def test_law_of_an_ensemble_in_which_every_sample_has_its_own_circuit():
    """Each circuit's end is drawn from its own law: (end − mean)ᵀ C⁻¹ (end − mean) is χ² of all states, on average 5."""
    circuit, noise = compile(flow_of(NETWORK)), Noise(0.0, 7, step=0.02)
    run = ensemble(circuit, 200, time_constants=12.0, imperfections=FLAWS, noise=noise)
    ends = np.concatenate([run.final["v"], run.final["h"]], axis=1)
    squares = []
    for sample, end in enumerate(ends):
        law = law_of_graph(graph_under(circuit, FLAWS, noise, sample))
        squares.append((end - law.mean) @ np.linalg.solve(law.covariance, end - law.mean))
    assert np.mean(squares) == pytest.approx(5, abs=4.5 * np.sqrt(2 * 5 / 200))


@pytest.mark.parametrize("change", [0.0, 0.01, -0.3])
def test_a_coefficient_that_changes_shifts_the_law_as_it_should(change):
    law = law_of_graph(graph_of(relaxation, {"x": np.zeros(1)}, rate=2 * (1 + change), density=0.4))
    assert law.covariance[0, 0] == pytest.approx(0.4**2 / (4 * (1 + change)), rel=1e-13)


def silent(x):
    return -x


def test_a_limit_that_the_law_never_meets_changes_nothing():
    circuit = compile(Flow(silent, {"x": np.zeros(1)}))
    far, near = (diffusion(graph_under(circuit, Imperfections(saturation=limit), Noise(0.1), 0)) for limit in (1.0, 0.3))
    law = linear_law(far)
    assert law is not None
    assert law.covariance[0, 0] == pytest.approx(0.005, rel=1e-13)
    assert linear_law(near) is None


def test_what_runs_away_has_no_law():
    assert linear_law(diffusion(graph_of(relaxation, {"x": np.zeros(1)}, rate=-0.1, density=0.4))) is None


def squared(x, density):
    noise = white_noise(x, density)
    return noise * noise - x


def limited(x, density):
    return np.maximum(white_noise(x, density), 0.0) - x


@pytest.mark.parametrize("function", [squared, limited])
def test_white_noise_through_what_is_bent_is_no_diffusion(function):
    assert diffusion_of(graph_of(function, {"x": np.zeros(1)}, density=0.4)) is None


def test_a_graph_without_noise_is_no_diffusion():
    assert diffusion_of(graph_of(silent, {"x": np.zeros(1)})) is None


def test_a_limit_on_a_noisy_output_is_no_diffusion():
    flow = Flow(relaxation, {"x": np.zeros(1)}, constants={"rate": 1.0, "density": 0.1})
    assert diffusion_of(graph_under(compile(flow), Imperfections(saturation=1.0, noise_density=1e-3), Noise(0.0), 0)) is None


def scaled(x, y, density):
    return white_noise(x, density) * (1 + x * x) - x, white_noise(y, density) - y


def test_which_noise_is_the_same_everywhere():
    even = diffusion(graph_of(relaxation, {"x": np.zeros(1)}, rate=1.0, density=0.4))
    uneven = diffusion(graph_of(scaled, {"x": np.zeros(1), "y": np.zeros(1)}, density=0.4))
    shared = diffusion(graph_of(coupled, {"x": np.zeros(3)}, A=A, B=B, push=PUSH))
    assert [(each.constant, each.own) for each in (even, uneven, shared)] == [(True, True), (False, True), (True, False)]
    assert linear_law(uneven) is None
