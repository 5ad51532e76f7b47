"""From a transport problem to a certified plan, on both engines, in Python and on the command line."""

import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from analogflow import Noise, Outcome, Transport, compile, flows, parity, solve
from analogflow.block_engine import ErrorLimits, integrate
from analogflow.cli import main
from analogflow.judgement import certify
from analogflow.passes import nominal_orbit, stabilise
from analogflow.reference import transport_reference
from analogflow.simulators import ENGINES

DATA = Path(__file__).parents[2] / "examples" / "data"
FIXED, COOLING = DATA / "transport_three.json", DATA / "transport_cooling.json"

engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.ngspice if name == "ngspice" else ()) for name in ENGINES]
)


def random_problem(seed, n, m, epsilon, schedule=None):
    rng = np.random.default_rng(seed)
    row, column = rng.dirichlet(np.full(n, 3.0)) + 0.02, rng.dirichlet(np.full(m, 3.0)) + 0.02
    return Transport(rng.random((n, m)), row / row.sum(), column / column.sum(), epsilon, schedule)


PROBLEMS = {
    "3 x 3": random_problem(0, 3, 3, 0.2),
    "3 x 3, cold": random_problem(1, 3, 3, 0.03),
    "2 x 5": random_problem(2, 2, 5, 0.1),
    "8 x 8": random_problem(3, 8, 8, 0.1),
    "masses of their own": Transport([[0, 1, 4], [3, 1, 0]], [30, 50], [20, 20, 40], 0.7),
    "8 x 8, exponential": random_problem(5, 8, 8, 0.2, {"kind": "exponential", "start": 1.0, "rate": 0.5}),
    "exponential": random_problem(4, 3, 3, 0.1, "exponential"),
    "quadratic": random_problem(5, 3, 3, 0.2, {"kind": "quadratic", "rate": 2.0}),
    "adaptive": random_problem(6, 3, 3, 0.1, {"kind": "adaptive", "rate": 0.5, "k_safe": 0.2}),
}


SHOWN = ("3 x 3", "adaptive")
"""One at rest and one that pauses: every form and engine runs them without ``--slow``, and the block engine runs all."""


@pytest.mark.few(10)
@pytest.mark.parametrize(
    ("name", "form", "engine"),
    [
        pytest.param(
            name,
            form,
            engine,
            marks=[
                *([pytest.mark.ngspice] if engine == "ngspice" else []),
                *([] if name in SHOWN or (form, engine) == ("potential", "block") else [pytest.mark.slow]),
            ],
        )
        for name in PROBLEMS
        for form in ("potential", "scaling")
        for engine in ENGINES
    ],
)
def test_plan_and_cost_are_those_of_the_reference(engine, form, name):
    solution = solve(PROBLEMS[name], form=form, engine=engine)
    errors = solution.certificate.errors
    assert solution.run.outcome is Outcome.SETTLED
    assert solution.passed
    assert solution.certificate.reference_gap <= 1e-9
    assert errors["plan"] <= 1e-7 * PROBLEMS[name].mass
    assert errors["rows"] <= 1e-8
    assert errors["misassigned_rows"] == 0
    assert solution.settling_time is not None


@engines
def test_a_circuit_that_is_not_settled_is_not_let_pass(engine):
    solution = solve(PROBLEMS["3 x 3, cold"], engine=engine, time_constants=3.0)
    failed = {check.name for check in solution.certificate.checks if not check.passed}
    assert {"settled", "plan agrees with the reference", "marginals are right", "the plan certifies its own value"} <= failed


@pytest.mark.parametrize("form", ["potential", "scaling"])
def test_the_pause_at_eight_by_eight_in_the_block_engine(form):
    cooling = {"kind": "adaptive", "start": 1.0, "rate": 0.5, "k_safe": 0.2}
    assert solve(random_problem(5, 8, 8, 0.2, cooling), form=form, engine="block").passed


def test_wrong_answers_are_told():
    problem = PROBLEMS["3 x 3"]
    run = solve(problem, engine="block").run
    for signal, factor, check in (
        ("plan", 1.001, "row sums stay right along the path"),
        ("cost", 1.001, "cost agrees with the reference"),
    ):
        spoiled = dataclasses.replace(run, values={**run.values, signal: run.values[signal] * factor})
        failed = {found.name for found in certify(problem, spoiled).checks if not found.passed}
        assert check in failed
    other = solve(problem.at(0.21), engine="block").run
    failed = {found.name for found in certify(problem, other).checks if not found.passed}
    assert "plan agrees with the reference" in failed
    broken = dataclasses.replace(run, values={**run.values, "plan": run.values["plan"] * np.nan})
    assert not certify(problem, broken).passed


def test_potentials_that_still_travel_are_not_taken_for_settled():
    # The entries of a cold plan rest, all in wrong columns, until a potential has come far enough.
    cost = np.array([[0.0, 5.0], [0.1, 5.3]])
    solution = solve(Transport(cost, [0.5, 0.5], [0.5, 0.5], 0.05), engine="block")
    run = solution.run
    early = run.values["plan"][run.time < 20]
    assert abs(early[-1] - early[1]).max() < 1e-9
    assert solution.passed
    assert run.time[-1] > 60


@pytest.mark.ngspice
@pytest.mark.parametrize("name", ["3 x 3", "exponential", "adaptive"])
def test_engines_follow_the_same_path(name):
    found = parity(compile(flows.transport(PROBLEMS[name])), time_constants=20, largest_step=0.01)
    assert max(value for name, value in found.differences.items() if name != "brake") < 1e-4
    # The comparator switches within a hundredth of what it compares.
    assert found.differences.get("brake", 0.0) < 1e-2


def test_noise_is_carried_through_and_rows_hold():
    solution = solve(PROBLEMS["3 x 3"], engine="block", noise=Noise(0.01, seed=3))
    assert solution.certificate.errors["rows"] < 1e-12
    assert 1e-6 < solution.certificate.errors["plan"] < 0.2
    again = solve(PROBLEMS["3 x 3"], engine="block", noise=Noise(0.01, seed=3))
    assert solution.certificate.answer == again.certificate.answer


@pytest.mark.slow
def test_a_plan_of_256_by_256_in_the_block_engine():
    rng = np.random.default_rng(0)
    cost = ((rng.random((256, 1, 2)) - rng.random((1, 256, 2))) ** 2).sum(-1)
    problem = Transport(cost, np.full(256, 1 / 256), np.full(256, 1 / 256), 0.2)
    flow = flows.transport(problem)
    graph, _ = stabilise(flow.graph(), flow.keeps, nominal_orbit(flow.graph(), flow.keeps), gauge="", mend=True)
    run = integrate(graph, 500, rests=["scaled"], tolerances=ErrorLimits(1e-9, 1e-12, settled=1e-9))
    assert run.outcome is Outcome.SETTLED
    assert abs(run.final["plan"].reshape(256, 256) - transport_reference(problem).plan).max() < 1e-9


@engines
@pytest.mark.parametrize("path", [FIXED, COOLING], ids=lambda path: path.stem)
def test_command_line_answers_in_the_problem_s_terms(engine, path, capsys):
    assert main(["solve", "transport", str(path), "--engine", engine, "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["flow"] == "transport"
    assert out["form"] == "potential"
    assert out["settled"] is True
    np.testing.assert_allclose(out["answer"]["plan"], out["reference"]["answer"]["plan"], atol=1e-7)
    assert out["answer"]["cost"] == pytest.approx(out["reference"]["answer"]["cost"], abs=1e-7)
    assert out["reference"]["gap"] <= 1e-9
    assert {"plan", "cost", "marginals", "rows"} <= set(out["errors"])
    assert len(out["state"]["g"]) == 3
    assert ("brake" in out["state"]) == (path is COOLING)


@pytest.mark.slow
def test_command_line_draws_explains_and_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["solve", "transport", str(COOLING), "--engine", "block", "--figure", "a.svg"]) == 0
    assert "largest error of a row's sum on the way" in capsys.readouterr().out
    assert "<svg" in Path("a.svg").read_text()
    assert main(["solve", "transport", str(FIXED), "--engine", "block", "--figure", "c.svg"]) == 0
    assert main(["explain", "transport", str(COOLING), "--form", "scaling"]) == 0
    shown = capsys.readouterr().out
    assert "common mode of u" in shown
    assert "comparator" in shown
    assert main(["draw", "transport", str(FIXED), "-o", "b.svg"]) == 0
    assert main(["solve", "transport", str(FIXED), "--form", "printed"]) == 2
    assert "form 'printed' of the transport flow is not known" in capsys.readouterr().err


@pytest.mark.ngspice
@pytest.mark.parametrize("form", ["potential", "scaling"])
@pytest.mark.parametrize("path", [FIXED, COOLING], ids=lambda path: path.stem)
def test_netlist_runs_alone_and_prints_the_plan(tmp_path, form, path):
    deck = tmp_path / "a.cir"
    assert main(["netlist", "transport", str(path), "--form", form, "-o", str(deck), "--time", "150"]) == 0
    done = subprocess.run(["ngspice", "-b", "-n", str(deck)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    printed = [float(line.split(" = ")[1]) for line in done.stdout.splitlines() if line.startswith("answer_plan")]
    expected = next(line for line in deck.read_text().splitlines() if line.startswith("* expected:"))
    wanted = [float(x) for x in expected.split(" = ")[1].split(",")[:8]]
    np.testing.assert_allclose(printed[:8], wanted, atol=1e-7)


@pytest.mark.ngspice
def test_a_cost_that_is_the_same_everywhere_is_not_measured_in_its_range():
    problem = Transport(np.full((3, 3), 2.0), np.full(3, 1 / 3), np.full(3, 1 / 3), 0.1)
    solution = solve(problem, engine="ngspice")
    assert solution.passed, str(solution.certificate)


@pytest.mark.slow
def test_a_schedule_far_faster_than_the_flow_is_no_endless_run():
    hurried = random_problem(4, 3, 3, 0.1, {"kind": "exponential", "start": 1.0, "rate": 1e6})
    assert solve(hurried, engine="block").passed
