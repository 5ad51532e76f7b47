"""The Langevin flow: its law over ensembles and over one run, in both engines, against quadrature."""

import numpy as np
import pytest

from analogflow import (
    Imperfections,
    Noise,
    certify,
    compile,
    degrade,
    ensemble,
    error_budget,
    netlist,
    parity,
    simulate,
    solve,
)
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families.stationary import joint_limit
from analogflow.flows import langevin
from analogflow.problems import Langevin
from analogflow.reference import boltzmann_law

WELL = Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5)
WARM = Langevin("x**2 - 0.5*x", ["x"], 0.5, "1 + 0.5*x**2 + 0.3*x")
TURNING = Langevin("0.5*x**2 + 0.5*y**2 + 0.3*x*y", ["x", "y"], 0.5, [[1.0, 0.8], [-0.8, 1.2]])
COUPLED = Langevin("0.5*x**2 + y**4/4 + 0.5*x*y", ["x", "y"], 0.4, [[1.0, 0.3], [0.3, 1.5]])
COUNT, KNOTS = 3000, 0.02


def final_states(problem, time=6.0):
    circuit = compile(langevin(problem))
    run = ensemble(circuit, COUNT, noise=Noise(0.0, seed=11, step=KNOTS), time_constants=time, step_accuracy=1e-3)
    return np.concatenate([run.final[name] for name in problem.variables], axis=1)


@pytest.mark.parametrize("problem", [WARM, TURNING, COUPLED], ids=["mobility of the state", "turning", "coupled"])
def test_ensemble_has_the_boltzmann_law(problem):
    x, exact = final_states(problem), boltzmann_law(problem)
    size = problem.size
    limit = joint_limit(size)
    error = np.sqrt(np.diag(exact.covariance) / COUNT)
    assert (abs(x.mean(axis=0) - exact.mean) <= limit * error).all()
    centred = x - exact.mean
    products = centred[:, :, None] * centred[:, None, :]
    knots = 7 / 15 * KNOTS * np.sqrt(np.outer(np.diag(exact.covariance), np.diag(exact.covariance))) * 3
    allowed = limit * products.std(axis=0) / np.sqrt(COUNT) + knots
    assert (abs(products.mean(axis=0) - exact.covariance) <= allowed).all()


def test_without_the_correction_the_law_would_be_another():
    """Itô's drift played through Stratonovich's noise: what leaving out half of T ∇·K does."""
    right = boltzmann_law(WARM)
    flow = langevin(WARM)
    wrong = type(flow)(
        lambda x: flow.function(x)[0] + 0.25 * (x + 0.3),
        flow.states, problem=WARM, averaging=flow.averaging,
    )  # fmt: skip
    run = ensemble(compile(wrong), COUNT, noise=Noise(0.0, seed=11, step=KNOTS), time_constants=6.0, step_accuracy=1e-3)
    error = np.sqrt(right.covariance[0, 0] / COUNT)
    assert abs(run.final["x"].mean() - right.mean[0]) > 4 * error


def test_one_run_is_certified_and_a_wrong_law_is_not():
    solution = solve(Langevin("0.5*x**2", ["x"], 0.5), engine="block", seed=3, time_constants=150.0, accuracy=0.5)
    assert solution.passed, solution
    assert any("effective sample size" in check.detail for check in solution.certificate.checks)
    assert not certify(Langevin("0.5*(x - 2)**2", ["x"], 0.5), solution.run).passed
    assert not certify(Langevin("0.5*x**2", ["x"], 5.0), solution.run).passed


@pytest.mark.slow
@pytest.mark.ngspice
def test_double_well_in_ngspice_has_the_moments_of_quadrature():
    solution = solve(WELL, engine="ngspice", seed=1, time_constants=300.0, accuracy=1.5)  # what four such chains tell
    assert solution.passed, solution


@pytest.mark.ngspice
@pytest.mark.parametrize("problem", [WARM, COUPLED], ids=["mobility of the state", "coupled"])
def test_both_engines_follow_one_path(problem):
    circuit = degrade(compile(langevin(problem)), noise=Noise(0.0, seed=2, step=0.05))
    assert parity(circuit, time_constants=5.0, largest_step=0.005).worst < 1e-3


def test_at_temperature_nought_it_is_the_gradient_flow():
    problem = Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.0, start=[0.5])
    solution = solve(problem, engine="block")
    assert solution.passed
    assert solution.certificate.answer["mean"][0] == pytest.approx(np.roots([4, 0, -4, 0.3]).max(), abs=1e-6)
    energy = solution.run.values["energy"][:, 0]
    assert (np.diff(energy) <= 1e-9).all()


def test_energy_is_shown_and_forms_are_named():
    run = simulate(netlist(compile(langevin(WELL)), time_constants=1.0), engine="block")
    assert run.values["energy"][0, 0] == pytest.approx(1.0)
    with pytest.raises(BadInput, match=r"form 'underdamped' of the langevin flow is not known; there is only: overdamped"):
        langevin(WELL, form="underdamped")


def test_command_line_answers_in_the_problems_terms(tmp_path, capsys):
    path = tmp_path / "well.json"
    path.write_text('{"energy": "0.5*x**2 + 0.5*y**2", "variables": ["x", "y"], "temperature": 0.5}')
    assert main(["solve", "langevin", str(path), "--engine", "block", "--time", "90", "--accuracy", "1", "--json"]) == 0
    out = capsys.readouterr().out
    assert '"mean"' in out
    assert '"covariance"' in out
    path.write_text('{"energy": "0.5*x**2", "variables": ["x"], "temperature": -1}')
    assert main(["solve", "langevin", str(path)]) == 2


def test_a_budget_of_a_law_is_refused():
    with pytest.raises(BadInput, match=r"error budget: the answer of this flow is a law and not a point"):
        error_budget(compile(langevin(WELL)), Imperfections(mismatch=0.01))


def test_a_crest_is_no_answer_however_exactly_it_is_hit():
    found = solve(Langevin("(x**2 - 1)**2/4", ["x"], 0.0, start=[0.0]), engine="block")
    assert [check.name for check in found.certificate.checks if not check.passed] == ["the end is a valley of the energy"]
    left = solve(Langevin("(x**2 - 1)**2/4", ["x"], 0.0, start=[1e-10]), engine="block")
    assert left.passed
    assert left.run.final["x"][0] == pytest.approx(1.0, abs=1e-6)
    assert solve(Langevin("(x**2 - 1)**2/4", ["x"], 0.0, start=[0.1]), engine="block").passed
    assert solve(Langevin("x**4/4", ["x"], 0.0), engine="block").passed  # flat, and no crest


def test_the_noise_of_a_low_temperature_is_not_taken_for_rounding():
    circuit = compile(langevin(Langevin("x**2/2", ["x"], 1e-40)))
    run = ensemble(circuit, 400, noise=Noise(0.0, seed=1, step=0.1), time_constants=5.0)
    assert run.final["x"].var() == pytest.approx(1e-40, rel=5 * (2 / 400) ** 0.5)  # five standard errors


SLOW = Langevin("50*x**2 + 0.05*y**2", ["x", "y"], 0.0, start=[0.0, 1.0])


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_a_run_goes_on_until_its_slow_variable_rests(engine):
    found = solve(SLOW, engine=engine)
    assert found.passed, str(found.certificate)
    assert abs(found.certificate.answer["mean"][1]) < 1e-6


def test_an_end_before_the_slow_variable_rests_is_not_let_pass():
    run = simulate(netlist(compile(langevin(SLOW)), time_constants=1.0), engine="block")
    failed = [check.name for check in certify(SLOW, run).checks if not check.passed]
    assert failed == ["every variable rests"]
