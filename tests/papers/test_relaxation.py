"""Relaxations of Hopfield networks and Langevin motion: which theorems hold, and numbers against closed forms."""

import numpy as np
import pytest
from figure_zoo import curve, found, verdict
from scipy.interpolate import CubicSpline

from analogflow.papers import FIGURES
from analogflow.papers.drawing import plot_reproduction
from analogflow.papers.result import AGREES, ERRATUM
from analogflow.report import alt_text

NAMES = [name for name in FIGURES if name.startswith(("hopfield", "langevin"))]


@pytest.mark.parametrize("name", NAMES)
def test_alternative_texts_and_curves_are_there(name):
    assert AGREES in alt_text(plot_reproduction(found(name)))
    assert all(np.isfinite([c.x, c.y]).all() for panel in found(name).panels for c in panel.curves)


def test_the_energy_of_the_circuit_falls_at_the_rate_of_its_descent():
    energy, descent = (
        found("hopfield-definition-15").panels[0].curves[0],
        found("hopfield-definition-15").panels[1].curves[0],
    )
    drop = CubicSpline(descent.x, descent.y).antiderivative()(descent.x)
    assert energy.y - energy.y[0] == pytest.approx(drop, abs=1e-3)
    assert (descent.y <= 0).all()


def test_the_noisy_network_has_the_inverse_hessian_as_its_covariance():
    G, F, U = np.diag([2.0, 0.8]), np.diag([0.5, 1.2]), np.array([[0.5, 0.2], [-0.3, 0.6]])
    law = 0.5 * np.linalg.inv(np.block([[G, -G @ U @ F], [-(G @ U @ F).T, F]]))
    for label, k in (("v₁", 0), ("h₁", 2)):
        ode = curve("hopfield-theorem-16", "noisy linear circuit", f"{label}, Lyapunov equation")
        circuit = curve("hopfield-theorem-16", "noisy linear circuit", f"{label}, circuit")
        assert ode.y[-1] == pytest.approx(law[k, k], rel=0.01)
        assert circuit.y[-1] == pytest.approx(law[k, k], rel=0.15)
    assert verdict("hopfield-theorem-16", "couplings twice as large") == ERRATUM


def test_learning_runs_away_without_its_negative_phase():
    alone = curve("hopfield-algorithm-14", "recall and learn, η = 0.05", "without negative phase")
    both = curve("hopfield-algorithm-14", "recall and learn, η = 0.05", "with it")
    assert len(alone.x) == 18
    assert alone.y[-1] == pytest.approx(1.175, abs=5e-4)
    assert both.y.max() < 0.61


def test_laws_of_langevin_motion():
    x = np.linspace(-6, 6, 20001)
    weight = np.exp(-(x**4 / 4 - x**2 / 2) / 0.5)
    exact = weight @ x**2 / weight.sum()
    assert curve("langevin-theorem-8", "mobility 1/(1 + x²), T = 0.5", "quadrature").y[0] == pytest.approx(exact, abs=1e-9)
    # Without T K' the law is e^(−E/T)/K: the motion is that of E + T ln K.
    lacking = weight * (1 + x**2)
    wrong = curve("langevin-theorem-8", "mobility 1/(1 + x²), T = 0.5", "without T ∇·K").y[0]
    assert wrong == pytest.approx(lacking @ x**2 / lacking.sum(), abs=1e-3)
    free = curve("langevin-theorem-6", "double well, T = 0.5", "−T ln Z").y[0]
    assert free == pytest.approx(-0.5 * np.log(weight.sum() * (x[1] - x[0])), abs=1e-9)


def test_a_law_may_carry_a_current():
    assert verdict("langevin-theorem-22", "covariance of the rotating") == AGREES
    assert verdict("langevin-theorem-22", "as vectors") == ERRATUM
    spread = curve("langevin-theorem-22", "variance", "circuit")
    assert spread.y[-1] == pytest.approx(1, abs=0.12)
