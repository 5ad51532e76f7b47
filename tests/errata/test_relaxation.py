"""The notes on relaxation: signs, a prefactor, and conditions under which a law exists."""

import math

import numpy as np
import pytest

from analogflow.digital import recall_and_learn
from analogflow.errors import BadInput
from analogflow.problems import Hopfield, Langevin
from analogflow.reference import hopfield_reference
from analogflow.reference.hopfield import drift, metric
from analogflow.reference.langevin import boltzmann_law, fokker_planck


def test_antisymmetric_part_drops_out_and_a_symmetric_one_does_not():
    """Theorem 6's proof has A^ab = A^ba; it is A^ab = −A^ba that leaves the free energy's descent to S alone."""
    K = Langevin("0.5*x**2 + y**4", ["x", "y"], 0.7, [[1.0, 0.8], [-0.8, 0.5]]).mobility_at(np.zeros(2))
    S, A = (K + K.T) / 2, (K - K.T) / 2
    for slope in np.random.default_rng(0).normal(size=(20, 2)):
        assert slope @ K @ slope == pytest.approx(slope @ S @ slope, abs=1e-14)
        assert abs(slope @ A @ slope) < 1e-15
    symmetric = np.array([[0.0, 0.8], [0.8, 0.0]])  # what A^ab = A^ba would allow
    assert abs(np.ones(2) @ symmetric @ np.ones(2)) > 1


def test_without_a_confining_energy_there_is_nothing_to_relax_to():
    """Theorem 6 asks only for a positive K. Without ∫e^{−E/T} < ∞ the free energy falls without end."""
    spreads = 0.5 * 0.4 * np.array([-math.log(4 * math.pi * math.e * 0.4 * t) for t in (1.0, 100.0, 1e6)])
    assert (np.diff(spreads) < -0.8).all()  # −T H of the Gaussian of variance 2Tt that E = 0 leads to, T = 0.4
    with pytest.raises(BadInput, match=r"energy does not confine"):
        boltzmann_law(Langevin("0.1*log(1 + x**2)", ["x"], 0.4))


def test_drift_of_a_linear_network_has_no_mobility_in_front():
    """Theorem 16 prints K[U f − v + I]; K ∂²L cancels, and only the noise has the covariance 2T K."""
    problem = Hopfield([[0.3, 0.1], [0.2, 0.4]], [0.1, -0.2], np.diag([2.0, 0.5]), np.diag([1.5, 0.7]), temperature=0.8)
    K = np.linalg.inv(metric(problem, np.zeros(4)))
    found, A = hopfield_reference(problem).covariance, drift(problem)
    np.testing.assert_allclose(A @ found + found @ A.T, -2 * 0.8 * K, atol=1e-12)
    printed = K @ A
    assert abs(printed @ found + found @ printed.T + 2 * 0.8 * K).max() > 0.5
    # The law is T H⁻¹ and needs the largest singular value of √G U √F below 1.
    with pytest.raises(BadInput, match=r"singular value|bounded"):
        hopfield_reference(problem.with_couplings(4 * problem.U))


def test_hebbian_step_needs_the_negative_phase():
    """Remark 17: ⟨g^α f^β⟩ (printed with one index) of the network alone only grows; the data's average less it settles."""
    pair = Hopfield([[0.3]], temperature=1.0)
    printed = recall_and_learn(pair, None, steps=100, rate=0.05, negative=False)
    assert printed.lost == 17
    samples = np.random.default_rng(0).normal(size=(400, 1))
    samples *= math.sqrt(1.5) / np.sqrt((samples**2).mean())
    mended = recall_and_learn(pair, samples, steps=600, rate=0.05)
    assert mended.lost is None
    assert mended.couplings[-1].item() == pytest.approx(math.sqrt(1 - 1 / 1.5), abs=1e-8)


def test_a_law_may_have_a_current_that_is_not_constant():
    """Theorem 22: e^{−E}[f + ½Σ∂E] = c. In two dimensions its divergence has to vanish, no more."""
    x = np.random.default_rng(1).normal(size=(50, 2))
    turn = np.array([[0.0, 2.0], [-2.0, 0.0]])
    problem = Langevin("0.5*x**2 + 0.5*y**2", ["x", "y"], 1.0, np.eye(2) + turn)
    drifts = -np.einsum("kij,kj->ki", problem.mobility_at(x), problem.gradient_at(x))
    density = np.exp(-0.5 * (x**2).sum(axis=1))
    printed = density[:, None] * (drifts + x)  # Σ = 2T S = 2, E = |x|²/2
    assert np.ptp(printed, axis=0).min() > 0.5

    def current(y):
        return np.exp(-0.5 * y @ y) * (-(np.eye(2) + turn) @ y + y)

    h = 1e-5
    for y in x[:10]:
        divergence = sum((current(y + h * e) - current(y - h * e)) @ e / (2 * h) for e in np.eye(2))
        assert abs(divergence) < 1e-9
    law = fokker_planck(problem, 60)
    np.testing.assert_allclose(law.moments(law.stationary())[1], boltzmann_law(problem).covariance, atol=0.08)
