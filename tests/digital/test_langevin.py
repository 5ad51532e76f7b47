"""Samplers of a Boltzmann distribution, against quadrature. Seeds are fixed; limits are four standard errors and more."""

import numpy as np
import pytest

from analogflow.digital import euler_maruyama, gaussian_law, metropolis_langevin
from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.reference import boltzmann_law

WELL = Langevin("x**4/4 + 0.5*x**2 - 0.3*x", ["x"], 0.5)
QUADRATIC = Langevin("x**2 + 0.5*y**2 + 0.3*x*y - 0.4*y", ["x", "y"], 0.4, mobility=[[1.0, 0.5], [-0.5, 2.0]])


def test_metropolis_has_no_bias_where_the_step_is_long():
    exact = boltzmann_law(WELL)
    run = metropolis_langevin(WELL, step=0.6, steps=3000, skipped=100, chains=200, seed=1)
    assert 0.3 < run.accepted < 0.95
    assert abs(run.mean - exact.mean).max() < 0.01
    assert abs(run.covariance - exact.covariance).max() < 0.01


def test_the_bias_of_euler_and_maruyama_falls_with_the_step():
    exact = boltzmann_law(WELL).covariance[0, 0]
    errors = [
        abs(euler_maruyama(WELL, step=h, steps=int(60 / h), skipped=int(6 / h), chains=400, seed=2).covariance[0, 0] - exact)
        for h in (0.2, 0.01)
    ]
    assert errors[1] < 0.01 < errors[0]


def test_mobilities_do_not_change_the_law():
    exact = boltzmann_law(QUADRATIC)
    run = euler_maruyama(QUADRATIC, step=0.01, steps=6000, skipped=600, chains=200, seed=3)
    assert abs(run.covariance - exact.covariance).max() < 0.02
    uneven = Langevin(WELL.energy.text, ["x"], 0.5, mobility="1 + 0.5*tanh(x)")
    run = euler_maruyama(uneven, step=0.01, steps=6000, skipped=600, chains=200, seed=4)
    assert abs(run.mean - boltzmann_law(uneven).mean).max() < 0.02


def test_a_quadratic_energy_needs_no_samples():
    exact, found = boltzmann_law(QUADRATIC), gaussian_law(QUADRATIC)
    assert found.mean == pytest.approx(exact.mean, abs=1e-12)
    assert found.covariance == pytest.approx(exact.covariance, abs=1e-12)
    with pytest.raises(BadInput, match="is not quadratic, so its law is not Gaussian"):
        gaussian_law(WELL)


def test_a_seed_repeats_a_run():
    runs = [metropolis_langevin(WELL, step=0.3, steps=20, seed=s).mean for s in (5, 5, 6)]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_a_chain_that_runs_away_is_said():
    with pytest.raises(BadInput, match="a chain ran away, because its step is too long"):
        euler_maruyama(WELL, step=3.0, steps=100, skipped=0)
    with pytest.raises(BadInput, match="steps is 0; give a whole number from 1"):
        euler_maruyama(WELL, step=0.1, steps=0)
    with pytest.raises(BadInput, match="give a step and a temperature above 0"):
        metropolis_langevin(WELL, step=0.0, steps=1)
