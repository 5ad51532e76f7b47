"""From a transport problem to a certified plan, on both engines, in Python and on the command line."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from analogflow import Transport, solve
from analogflow.cli import main
from analogflow.reference import transport_reference
from analogflow.simulators import ENGINES

DATA = Path(__file__).parents[1] / "examples" / "data"
EXAMPLE, COOLING = DATA / "transport_three.json", DATA / "transport_cooling.json"

engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.ngspice if name == "ngspice" else ()) for name in ENGINES]
)
forms = pytest.mark.parametrize("form", ["potential", "scaling"])


def random_problem(seed, n, epsilon, schedule=None):
    rng = np.random.default_rng(seed)
    row, column = rng.dirichlet(np.full(n, 3.0)) + 0.02, rng.dirichlet(np.full(n, 3.0)) + 0.02
    return Transport(rng.random((n, n)), row / row.sum(), column / column.sum(), epsilon, schedule)


PROBLEMS = {
    "3x3": random_problem(0, 3, 0.2),
    "3x3 exponential": random_problem(1, 3, 0.1, "exponential"),
    "3x3 quadratic": random_problem(2, 3, 0.1, {"kind": "quadratic", "start": 1.0, "rate": 1.0}),
    "3x3 adaptive": random_problem(3, 3, 0.1, {"kind": "adaptive", "start": 1.0, "rate": 0.5, "k_safe": 0.1}),
    "8x8": random_problem(4, 8, 0.2),
    "8x8 exponential": random_problem(5, 8, 0.2, {"kind": "exponential", "start": 1.0, "rate": 0.5}),
    "masses of their own": Transport([[0, 1, 4], [3, 1, 0]], [30, 50], [20, 20, 40], 0.7),
}


@engines
@forms
@pytest.mark.parametrize("name", PROBLEMS)
def test_circuit_settles_at_the_certified_plan(engine, form, name):
    problem = PROBLEMS[name]
    solution = solve(problem, form=form, engine=engine)
    assert solution.passed
    assert solution.settling_time is not None
    mass = problem.mass
    assert solution.certificate.errors["plan"] <= 1e-6 * mass
    assert solution.certificate.errors["rows"] <= 1e-8
    assert solution.certificate.errors["marginals"] <= 1e-6
    assert solution.certificate.errors["misassigned_rows"] == 0
    assert solution.certificate.reference_gap <= 1e-9
    path = solution.run.values["plan"].reshape(-1, *problem.cost.shape)
    assert abs(path.sum(axis=2) - problem.row).max() <= 1e-8 * mass
    np.testing.assert_allclose(path[-1], transport_reference(problem).plan, atol=1e-6 * mass)


@forms
def test_the_pause_at_eight_by_eight_in_the_block_engine(form):
    cooling = {"kind": "adaptive", "start": 1.0, "rate": 0.5, "k_safe": 0.2}
    assert solve(random_problem(5, 8, 0.2, cooling), form=form, engine="block").passed


@engines
def test_a_run_that_is_cut_short_is_told(engine):
    solution = solve(PROBLEMS["3x3 adaptive"], engine=engine, time_constants=2.0)
    assert not solution.passed
    assert solution.certificate.errors["plan"] > 1e-3
    failed = {check.name for check in solution.certificate.checks if not check.passed}
    assert {"plan agrees with the reference", "marginals are right"} <= failed
    assert solution.certificate.errors["rows"] <= 1e-8


@engines
@pytest.mark.parametrize("path", [EXAMPLE, COOLING], ids=["fixed", "cooling"])
def test_command_line_answers_in_the_problem_s_terms(engine, path, capsys):
    assert main(["solve", "transport", str(path), "--engine", engine, "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["flow"] == "transport"
    assert out["form"] == "potential"
    assert out["settled"] is True
    assert out["settling_time"] > 0
    assert set(out["answer"]) == {"plan", "cost"}
    np.testing.assert_allclose(out["answer"]["plan"], out["reference"]["answer"]["plan"], atol=1e-6)
    np.testing.assert_allclose(np.sum(out["answer"]["plan"], axis=1), [0.5, 0.3, 0.2], atol=1e-8)
    assert out["answer"]["cost"] == pytest.approx(out["reference"]["answer"]["cost"], abs=1e-6)
    assert out["reference"]["gap"] <= 1e-9
    assert len(out["state"]["g"]) == 3
    assert ("brake" in out["state"]) == (path == COOLING)


def test_command_line_draws_explains_and_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["solve", "transport", str(COOLING), "--engine", "block", "--figure", "a.svg"]) == 0
    out = capsys.readouterr().out
    assert "sum of the marginals' errors, over the mass" in out
    assert "<svg" in Path("a.svg").read_text()
    assert main(["explain", "transport", str(EXAMPLE), "--form", "scaling"]) == 0
    assert "keeps the common mode of u" in capsys.readouterr().out
    assert main(["draw", "transport", str(COOLING), "-o", "b.svg"]) == 0
    assert main(["solve", "transport", str(EXAMPLE), "--form", "logdomain"]) == 2
    assert "form 'logdomain' of the transport flow is not known" in capsys.readouterr().err


@pytest.mark.ngspice
@forms
@pytest.mark.parametrize("problem", [EXAMPLE, COOLING], ids=["fixed", "cooling"])
def test_netlist_runs_alone_and_prints_the_expected_plan(tmp_path, form, problem):
    path = tmp_path / "t.cir"
    assert main(["netlist", "transport", str(problem), "--form", form, "-o", str(path)]) == 0
    done = subprocess.run(["ngspice", "-b", "-n", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    lines = [line.split(" = ") for line in done.stdout.splitlines() if line.startswith("answer_plan")]
    expected = next(line for line in path.read_text().splitlines() if line.startswith("* expected:  plan"))
    wanted = [float(x) for x in expected.split(" = ")[1].split(",")[:8]]
    np.testing.assert_allclose([float(value) for _, value in lines][: len(wanted)], wanted, atol=1e-6)
