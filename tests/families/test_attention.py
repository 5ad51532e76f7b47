"""From an attention problem to certified tokens, on both engines, in Python and on the command line."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from analogflow import Attention, Outcome, compile, flows, netlist, simulate, solve
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.problems.attention import gradient, rotating, two_phases, uniform_tokens
from analogflow.reference.attention_theory import log_energy, log_energy_rate
from analogflow.simulators import ENGINES

EXAMPLE = Path(__file__).parents[2] / "examples" / "data" / "attention_three_tokens.json"

engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.ngspice if name == "ngspice" else ()) for name in ENGINES]
)


def random_problem(seed, n, d, beta):
    rng = np.random.default_rng(seed)
    return Attention(uniform_tokens(n, d, seed=seed), rng.normal(size=(d, d)), rng.normal(size=(d, d)), beta)


PROBLEMS = {
    "three in the plane": random_problem(0, 3, 2, 1.0),
    "four in space": random_problem(2, 4, 3, 2.0),
    "four, cold": random_problem(3, 4, 3, 10.0),
    "figure 3": two_phases(4, beta=5.0, time=1.0),
    "turning": rotating(4, beta=5.0, time=1.0),
    "one": random_problem(5, 1, 2, 1.0),
}


@pytest.mark.few(16)
@engines
@pytest.mark.parametrize("form", ["softmax", "zero-temperature"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_tokens_arrive_where_the_reference_says(engine, form, name):
    solution = solve(PROBLEMS[name], form=form, engine=engine)
    assert solution.run.outcome is Outcome.COMPLETED
    assert solution.run.time[-1] == pytest.approx(1.0, rel=1e-9)
    assert solution.certificate.reference_gap <= 1e-11
    assert solution.certificate.errors["tokens"] <= (1e-8 if engine == "block" else 1e-6)
    assert solution.certificate.errors["sphere"] <= (1e-8 if engine == "block" else 1e-6)
    assert solution.passed
    assert solution.settling_time is None


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=[pytest.mark.ngspice, pytest.mark.slow])])
def test_sixteen_tokens_in_space(engine):
    solution = solve(random_problem(1, 16, 3, 4.0), engine=engine)
    assert solution.passed
    assert solution.certificate.errors["tokens"] <= 1e-6


@engines
def test_time_given_by_the_user_overrules_the_problem_s(engine):
    solution = solve(PROBLEMS["figure 3"], engine=engine, time_constants=0.3)
    assert solution.run.time[-1] == pytest.approx(0.3, rel=1e-9)
    assert solution.passed


@engines
def test_both_signs_of_the_gradient_flow_keep_their_sense_along_the_run(engine):
    for sign in (1, -1):
        problem = gradient([2.0, -1.0, 0.5], sign, count=4, beta=3.0, time=1.0, seed=5)
        circuit = compile(flows.attention(problem))
        run = simulate(netlist(circuit, time_constants=1, largest_step=1e-3), engine=engine)
        path = run.values["x"].reshape(-1, 4, 3)
        energies = np.array([log_energy(problem, x) for x in path])
        assert (sign * np.diff(energies) > -1e-8).all()
        # The energy gained is the integral of its exact rate, Simpson's rule where points are many.
        if engine == "ngspice":
            rates = np.array([log_energy_rate(problem, x) for x in path])
            gained = np.trapezoid(rates, run.time)
            assert energies[-1] - energies[0] == pytest.approx(gained, abs=1e-5)


def test_an_infinite_beta_is_solved_by_the_zero_temperature_form():
    solution = solve(PROBLEMS["figure 3"].at_zero_temperature(), engine="block")
    assert solution.flow.form == "zero-temperature"
    assert solution.passed
    with pytest.raises(BadInput, match=r"time_constants: 0\.0 is not a positive number of time constants"):
        solve(PROBLEMS["figure 3"], engine="block", time_constants=0.0)


def test_longest_named_run_stays_on_the_sphere_in_the_block_engine():
    solution = solve(two_phases(12, beta=30.0, time=20.0), engine="block")
    assert solution.certificate.errors["sphere"] <= 1e-8
    assert solution.passed


def test_without_stabilisation_the_failure_is_told():
    problem = Attention(uniform_tokens(4, 3, seed=2), np.eye(3), -3 * np.eye(3), 3.0, time=6.0)
    solution = solve(problem, engine="block", stabilise=False)
    assert not solution.passed
    assert {check.name for check in solution.certificate.checks if not check.passed} >= {"every token stays on the sphere"}


@engines
def test_command_line_answers_in_the_problem_s_terms(engine, capsys):
    assert main(["solve", "attention", str(EXAMPLE), "--engine", engine, "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["flow"] == "attention"
    assert out["form"] == "softmax"
    assert out["settled"] is True
    assert out["settling_time"] is None
    assert np.shape(out["answer"]["tokens"]) == (3, 3)
    np.testing.assert_allclose(out["answer"]["tokens"], out["reference"]["answer"]["tokens"], atol=1e-6)
    assert out["reference"]["gap"] <= 1e-11
    assert set(out["errors"]) == {"tokens", "sphere"}
    assert len(out["state"]["x"]) == 9


def test_command_line_draws_explains_and_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["solve", "attention", str(EXAMPLE), "--engine", "block", "--figure", "a.svg"]) == 0
    out = capsys.readouterr().out
    assert "largest departure of a token's length from 1" in out
    assert "end of the run" in out
    assert "<svg" in Path("a.svg").read_text()
    assert main(["explain", "attention", str(EXAMPLE), "--form", "zero-temperature"]) == 0
    assert "sphere of x" in capsys.readouterr().out
    assert main(["draw", "attention", str(EXAMPLE), "-o", "b.svg"]) == 0


@pytest.mark.ngspice
@pytest.mark.parametrize("form", ["softmax", "zero-temperature"])
def test_netlist_runs_alone_to_the_problem_s_time(tmp_path, form):
    path = tmp_path / "a.cir"
    assert main(["netlist", "attention", str(EXAMPLE), "--form", form, "-o", str(path)]) == 0
    done = subprocess.run(["ngspice", "-b", "-n", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    printed = [float(line.split(" = ")[1]) for line in done.stdout.splitlines() if line.startswith("answer_x")]
    expected = next(line for line in path.read_text().splitlines() if line.startswith("* expected:"))
    wanted = [float(x) for x in expected.split(" = ")[1].split(",")[:8]]
    np.testing.assert_allclose(printed[:8], wanted, atol=1e-6)
    assert "length:    1 time constants" in path.read_text()


def test_an_expected_answer_is_not_claimed_for_another_time(tmp_path):
    path = tmp_path / "a.cir"
    assert main(["netlist", "attention", str(EXAMPLE), "-o", str(path), "--time", "2"]) == 0
    assert "* expected:" not in path.read_text()
    assert "length:    2 time constants" in path.read_text()


@pytest.mark.parametrize("form", ["hardmax", "logdomain"])
def test_unknown_form_is_refused(capsys, form):
    assert main(["solve", "attention", str(EXAMPLE), "--form", form]) == 2
    assert f"form '{form}' of the attention flow is not known" in capsys.readouterr().err
