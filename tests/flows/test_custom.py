"""Flows nobody here designed for, from files of equations: their laws, both engines, and the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import eigh

from analogflow import Equations, Flow, Noise, compile, degrade, ensemble, netlist, parity, simulate, solve, white_noise
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.flows import custom
from analogflow.run import Outcome

FLOWS = sorted((Path(__file__).parents[2] / "examples" / "flows").glob("*.toml"))
JUMPS = {path for path in FLOWS if "[[events]]" in path.read_text()}
"""Those that no netlist holds."""
WRITTEN = [path for path in FLOWS if path not in JUMPS]


def problem_of(name):
    return read_problem(str(FLOWS[0].parent / f"{name}.toml"), None)


@pytest.mark.few(4)
@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_every_flow_of_the_examples_is_certified_by_the_block_engine(path):
    solution = solve(read_problem(str(path), None), engine="block")
    assert solution.passed, solution


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "path", [WRITTEN[0], *(pytest.param(path, marks=pytest.mark.slow) for path in WRITTEN[1:])], ids=lambda path: path.stem
)
def test_every_flow_of_the_examples_is_certified_by_ngspice(path):
    solution = solve(read_problem(str(path), None), engine="ngspice")
    assert solution.passed, solution


@pytest.mark.ngspice
@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_both_engines_follow_one_path_of_any_flow(path):
    circuit = compile(custom(read_problem(str(path), None)))
    assert parity(circuit, time_constants=10.0, largest_step=1e-3).worst < 1e-6


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_block_graph_computes_the_equations(path):
    problem = read_problem(str(path), None)
    flow = custom(problem)
    found, wanted = flow.rates(), problem.rates(problem.states)
    for name in problem.states:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12, atol=1e-14)


def test_double_bracket_sorts_the_eigenvalues():
    problem = problem_of("double_bracket")
    end = solve(problem, engine="block").run.final["H"].reshape(3, 3)
    np.testing.assert_allclose(end, np.diag(eigh(problem.states["H"], eigvals_only=True)), atol=1e-6)


def test_double_bracket_comes_nearer_all_along():
    run = solve(problem_of("double_bracket"), engine="block").run
    assert (np.diff(run.values["distance"][:, 0]) <= 1e-9).all()


def test_prey_and_predator_stay_on_their_level():
    problem = problem_of("lotka_volterra")
    run = simulate(netlist(compile(custom(problem)), time_constants=40.0, largest_step=0.01), engine="block")
    assert np.ptp(run.values["level"]) < 1e-8
    assert np.ptp(run.values["prey"]) > 1.0


def test_oscillators_of_equal_frequency_end_in_phase_or_in_a_twist():
    problem = problem_of("kuramoto_ring").replaced(frequency=np.zeros(6))
    phase = solve(problem, engine="block").run.final["phase"]
    steps = np.angle(np.exp(1j * np.diff(np.append(phase, phase[0]))))
    np.testing.assert_allclose(steps, steps[0], atol=1e-4)
    assert abs(steps.sum() / (2 * np.pi) - round(steps.sum() / (2 * np.pi))) < 1e-9


def test_mean_of_the_phases_is_held_by_the_compiler():
    history = str(compile(custom(problem_of("kuramoto_ring"))).history)
    assert "common mode" in history


def test_noise_of_equations_has_the_variance_they_say():
    problem = Equations({"x": [0.0, 0.0]}, {"x": "-x"}, noise={"x": [0.1, 0.4]})
    circuit = compile(custom(problem))
    run = ensemble(circuit, 2000, noise=Noise(0.0, seed=3, step=0.05), time_constants=5.0, step_accuracy=1e-4)
    np.testing.assert_allclose(run.final["x"].var(axis=0), [0.005, 0.08], rtol=0.12)
    assert solve(problem, engine="block", seed=1).passed


SHAPED = {
    "x": "-sinh(x) + arctan(3 * y) + 0.2 * maximum(x, 0) ** 1.7",
    "y": "cosh(x) - 2 * y - clip(y, -0.3, 0.1) + where(x > y, 0.1, -0.1) + 0.2 * sign(y + 1) - 0.1 * maximum(y, 0) ** 2.5",
}


def shaped(t, state):
    """The same as `SHAPED`, in NumPy's functions and with true jumps, which the path does not come to."""
    x, y = state
    return (
        -np.sinh(x) + np.arctan(3 * y) + 0.2 * np.maximum(x, 0) ** 1.7,
        np.cosh(x) - 2 * y - np.clip(y, -0.3, 0.1) + 0.1 * np.sign(x - y) + 0.2 * np.sign(y + 1) - 0.1 * max(y, 0) ** 2.5,
    )


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_powers_and_functions_of_equations_are_those_of_numpy(engine):
    end = solve_ivp(shaped, (0, 4), [0.9, -0.2], method="LSODA", rtol=1e-11, atol=1e-13).y[:, -1]
    solution = solve(Equations({"x": 0.9, "y": -0.2}, SHAPED, time=4.0), engine=engine)
    assert solution.passed, solution
    np.testing.assert_allclose([solution.run.final[name][0] for name in "xy"], end, atol=1e-8 if engine == "block" else 1e-6)


APART = {
    "chua": (
        {"x": 0.7, "y": 0.0, "z": 0.0},
        {"x": "15.6 * (y - 0.286 * x + 0.2145 * (abs(x + 1) - abs(x - 1)))", "y": "x - y + z", "z": "-28 * y"},
        {"x": 1.0887181009333111, "y": -0.19004954603376392, "z": -1.1038064671225127},
        3.6,
    ),
    "lorenz": (
        {"x": 1.0, "y": 1.0, "z": 1.0},
        {"x": "10 * (y - x)", "y": "x * (28 - z) - y", "z": "x * y - 8 / 3 * z"},
        {"x": 13.793200591039954, "y": 12.951805391966682, "z": 34.901609639089244},
        47.8,
    ),
    "a jerk": (
        {"x": 0.5, "x'": 0.0, "x''": 0.0},
        {"x'" + "''": "-x'' + 9 * x' - x * x * x' - 5 * x"},
        {"x": 2.199950217534003, "x_dot": 15.497360109986131, "x_ddot": 30.483717350234738},
        131.3,
    ),
}
"""Flows whose errors grow: starts, rates, where DOP853 at a relative 1e-11 has them at t = 20, and their largest value."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name == "chua" else ()) for name in APART])
def test_paths_that_part_are_followed_to_their_end(name):
    states, equations, end, largest = APART[name]
    solution = solve(Equations(states, equations, time=20.0), engine="block")
    assert solution.passed, solution
    for state, value in end.items():
        assert abs(solution.run.final[state][0] - value) < 1e-6 * largest


def test_a_function_is_solved_and_certified():
    solution = solve(
        Flow(lambda x: -x * x, {"x": np.ones(2)}, end_time=3.0, observables={"s": lambda x: x.sum()}), engine="block"
    )
    assert solution.passed
    np.testing.assert_allclose(solution.certificate.answer["x"], 0.25, atol=1e-8)
    assert solution.certificate.answer["s"] == pytest.approx(0.5)
    with pytest.raises(BadInput, match=r"form: 'gibbs' can not be chosen for a flow that is given as such"):
        solve(solution.flow, form="gibbs")


def test_a_wrong_path_is_not_certified():
    problem = problem_of("lotka_volterra")
    run = simulate(degraded(problem), engine="block")
    from analogflow import certify

    certificate = certify(problem, run)
    assert not certificate.passed
    assert {check.name for check in certificate.checks if not check.passed} == {
        "states agree with the reference",
        "level is conserved",
    }


def degraded(problem):
    from analogflow import Imperfections

    return netlist(degrade(compile(custom(problem)), Imperfections(gain_error=0.01)), time_constants=20.0)


def test_a_flow_that_runs_away_is_told():
    solution_of = netlist(compile(custom(Equations({"x": 1.0}, {"x": "x**2"}))), time_constants=5.0)
    assert simulate(solution_of, engine="block").outcome is Outcome.BLEW_UP


def test_white_noise_in_a_function_is_no_error_of_its_path():
    solution = solve(Flow(lambda x: -x + white_noise(x, 0.05), {"x": np.ones(1)}), engine="block")
    assert solution.passed
    assert solution.noisy


@pytest.mark.slow
def test_command_line_solves_draws_and_writes_a_flow_of_ones_own(tmp_path, capsys):
    flow = str(FLOWS[0])
    assert main(["solve", flow, "--engine", "block", "--figure", str(tmp_path / "run.svg")]) == 0
    assert main(["explain", flow]) == 0
    assert main(["draw", flow, "-o", str(tmp_path / "graph.svg")]) == 0
    assert main(["netlist", flow, "-o", str(tmp_path / "flow.cir")]) == 0
    assert (tmp_path / "run.svg").stat().st_size > 1000
    assert "dH/dt = H @ bracket - bracket @ H" in (tmp_path / "flow.cir").read_text()
    capsys.readouterr()
    assert main(["solve", str(tmp_path / "none.toml")]) == 2
    assert main(["solve", "custom"]) == 2
    assert "none.toml" in capsys.readouterr().err


def test_text_of_equations_reaches_a_netlist_as_a_comment_only():
    problem = Equations({"x": 1.0}, {"x": "-x"}, name="bad\n.control\nshell echo hi\n.endc")
    body = netlist(compile(custom(problem)), time_constants=1.0).text
    assert not any(line.startswith((".control", "shell")) and "hi" in line for line in body.splitlines())
    assert sum(line.strip() == ".control" for line in body.splitlines()) == 1


def test_a_start_beyond_what_integrations_follow_is_a_failure_not_a_fault(tmp_path, capsys):
    path = tmp_path / "huge.toml"
    path.write_text('[states]\nx = 1e300\n[equations]\nx = "x"\n')
    assert main(["solve", str(path), "--engine", "block", "--json"]) == 1
    ended, *others = json.loads(capsys.readouterr().out)["checks"]
    assert not ended["passed"]
    assert "x[0] ran away at t =" in ended["detail"]
    assert all(check["passed"] for check in others)  # the reference goes as far as the run
