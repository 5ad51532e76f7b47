"""The error budget: measured against the first-order prediction, against closed forms, and what it refuses."""

import math

import numpy as np
import pytest
from zoo import PAPER

from analogflow.blocks import Imperfections
from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.flows import Flow, capacity
from analogflow.judgement import error_budget, predict
from analogflow.noise import Noise
from analogflow.simulators import ensemble

SMALL = {
    "gain_error": 1e-3,
    "offset": 1e-4,
    "dc_gain": 1e4,
    "mismatch": 1e-3,
    "temperature_kelvin": 301.0,
    "noise_density": 1e-4,
}


@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised"])
def test_measured_and_predicted_costs_agree_where_effects_are_small(form):
    budget = error_budget(compile(capacity(PAPER, form=form)), Imperfections(**SMALL), noise=Noise(1e-3, 3), samples=48)
    assert [entry.cause for entry in budget.effects] == [*Imperfections(**SMALL).effects, "noise", "all"]
    for entry in budget.effects:
        assert entry.failed == 0
        # Predicted fluctuations are other draws of the same law, so they agree in size only.
        rel = 0.3 if entry.cause in ("noise", "noise_density", "all") else 0.02
        assert entry.measured.answer == pytest.approx(entry.predicted.answer, rel=rel), entry.cause
        assert abs(entry.measured.bits - entry.predicted.bits) < 0.5, entry.cause
    costs = [entry.measured.answer for entry in budget.blocks]
    assert costs == sorted(costs, reverse=True)
    assert {entry.place for entry in budget.blocks} >= {"q = P.T @ z"} or form == "normalised"


def test_an_offset_at_one_integrator_costs_what_algebra_says():
    """x' = −2x + 1 + o settles at (1 + o)/2."""

    def relax(x):
        return 1.0 - 2.0 * x

    circuit = compile(Flow(relax, {"x": np.array([0.0])}))
    budget = error_budget(circuit, Imperfections(offset=0.01), samples=400)
    integrator = next(entry for entry in budget.blocks if entry.cause.startswith("integrator"))
    # The standard error of a standard deviation of 400 is 3.5 %.
    assert integrator.measured.answer == pytest.approx(0.01 / 2, rel=0.11)
    assert integrator.measured.answer == pytest.approx(integrator.predicted.answer, rel=1e-5)
    assert integrator.measured.bits == pytest.approx(math.log2(1 / (math.sqrt(12) * integrator.measured.answer)))
    assert math.isnan(integrator.measured.loss)


MATRIX = np.array([[-1.0, 0.5], [0.0, -2.0]])


def relax(x):
    return MATRIX @ x


def test_predicted_fluctuations_solve_the_lyapunov_equation_for_fine_knots():
    circuit = compile(Flow(relax, {"x": np.array([0.1, 0.1])}))
    noise = Noise(0.3, step=1e-4)
    covariance = predict(circuit, np.zeros(2), 4, imperfections=Imperfections(), noise=noise).covariance
    np.testing.assert_allclose(MATRIX @ covariance + covariance @ MATRIX.T, -0.09 * np.eye(2), atol=2e-5)


@pytest.mark.parametrize("bandwidth", [np.inf, 0.3])
def test_predicted_fluctuations_are_those_of_an_ensemble(bandwidth):
    """Coarse knots and slow poles: nothing that an ideal Lyapunov equation would see. 3 standard errors of 4000 are 7 %."""
    circuit = compile(Flow(relax, {"x": np.array([0.0, 0.0])}))
    noise, flaws = Noise(0.3, seed=5, step=0.5), Imperfections(bandwidth=bandwidth, noise_density=0.2)
    predicted = predict(circuit, np.zeros(2), 4000, imperfections=flaws, noise=noise)
    run = ensemble(circuit, 4000, imperfections=flaws, noise=noise, time_constants=12.0, step_accuracy=1e-4)
    found = np.cov(run.final["x"].T)
    np.testing.assert_allclose(np.diag(predicted.covariance), np.diag(found), rtol=0.07)
    np.testing.assert_allclose(np.cov(predicted.signals["x"].T), predicted.covariance, rtol=0.15, atol=2e-3)


def test_a_slow_circuit_is_not_charged_for_its_start():
    def slow(x):
        return 0.02 * (1.0 - x)

    entry = error_budget(
        compile(Flow(slow, {"x": np.array([0.0])})), Imperfections(), noise=Noise(1e-6, 3), samples=200
    ).effects[0]
    assert entry.measured.answer == pytest.approx(entry.predicted.answer, rel=0.2)


def test_a_neutral_direction_is_not_predicted():
    def neutral(x):
        return np.array([[-1.0, 1.0], [1.0, -1.0]]) @ x

    prediction = predict(
        compile(Flow(neutral, {"x": np.ones(2)})), np.ones(2), 3, imperfections=Imperfections(offset=0.1), noise=Noise(0.0)
    )
    assert np.isnan(prediction.states).all()


def test_noise_along_a_neutral_direction_has_no_law_to_be_predicted():
    """Noise of a state that nothing holds adds up for ever; what is measured is a number all the same."""
    circuit = compile(Flow(lambda x, y: (y - x, 0.0 * x), {"x": np.array([0.5]), "y": np.array([0.5])}))
    (line,) = error_budget(circuit, Imperfections(), noise=Noise(0.01), samples=4).effects
    assert math.isnan(line.predicted.answer)
    assert 0 < line.measured.answer < 1


def test_a_bandwidth_moves_no_equilibrium():
    (entry,) = error_budget(compile(capacity(PAPER)), Imperfections(bandwidth=5.0), samples=4).effects
    assert entry.measured.answer < 1e-7
    assert entry.predicted.answer < 1e-12


def test_the_budget_is_repeatable_and_plain():
    circuit = compile(capacity(PAPER))
    first, second = (error_budget(circuit, Imperfections(mismatch=0.01), samples=8).to_dict() for _ in range(2))
    assert first == second
    assert first["effects"][0]["cause"] == "mismatch"


@pytest.mark.slow
def test_what_has_no_budget_is_refused():
    with pytest.raises(BadInput, match=r"nothing is imperfect, so nothing costs anything"):
        error_budget(compile(capacity(PAPER)), Imperfections())

    def turn(x):
        return np.array([[0.0, 1.0], [-1.0, 0.0]]) @ x

    with pytest.raises(BadInput, match=r"the ideal circuit does not settle"):
        error_budget(compile(Flow(turn, {"x": np.array([1.0, 0.0])})), Imperfections(offset=0.1))
