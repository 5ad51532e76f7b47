"""Families of one file: their answers against foreign solvers, their bounds against planted errors, their bad inputs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cvxpy
import numpy as np
import pytest
import scipy

import analogflow as af
from analogflow import families
from analogflow.cli import main
from analogflow.families import FAMILIES, flow_of, reference_of
from analogflow.families.files import keys_of, problem_of_keys
from analogflow.families.plugins import eigenvectors, linear_system, quadratic_programme
from analogflow.families.plugins.compound_channel import CompoundChannel, interval
from analogflow.families.plugins.eigenvectors import Eigenvectors
from analogflow.families.plugins.linear_system import LinearSystem
from analogflow.families.plugins.quadratic_programme import QuadraticProgramme
from analogflow.judgement.certificate import allowed_error
from analogflow.judgement.judging import judge
from analogflow.run import IDEAL_ACCURACY

FILES = sorted(path.stem for path in (Path(families.__file__).parent / "plugins").glob("[a-z]*.py"))
NAMES = [name.replace("_", "-") for name in FILES]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_else_of_the_package_names_it(name):
    package = Path(af.__file__).parent
    others = [path for path in package.rglob("*.py*") if path.suffix in (".py", ".pyi") and path.parent.name != "plugins"]
    words = (name, name.replace("-", "_"), FAMILIES[name].problem.__name__)
    assert [
        path.name for path in others for word in words if f'"{word}"' in path.read_text() or f"{word}(" in path.read_text()
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_file_of_keys_gives_its_problem_back(name):
    problem = problem_of_keys(name, FAMILIES[name].example, "here")
    again = problem_of_keys(name, json.loads(json.dumps(keys_of(problem))), "here")
    assert keys_of(again) == keys_of(problem)


@pytest.mark.few(5)
@pytest.mark.ngspice
@pytest.mark.parametrize("name", NAMES)
def test_its_circuit_agrees_with_the_reference_in_ngspice(name):
    family = FAMILIES[name]
    problem = problem_of_keys(name, family.example, "here")
    for form in family.forms:
        solution = af.solve(problem, form=form, engine="ngspice")
        assert solution.passed, solution.certificate
        answers = [error for name, error in solution.certificate.errors.items() if name in reference_of(problem).values]
        assert max(answers) <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_error_fails_its_certificate(name):
    family = FAMILIES[name]
    problem = problem_of_keys(name, family.example, "here")
    solution = af.solve(problem, engine="block")
    ends = {signal: np.ravel(value)[None] for signal, value in solution.run.final.items()}
    assert judge(problem, ends).passed.all()
    for signal in reference_of(problem, 0.0).values:
        size = max(float(abs(ends[signal]).max()), 1.0)
        spoiled = {**ends, signal: ends[signal] + 1e-3 * size * np.linspace(0.5, 1.0, ends[signal].size)}
        assert not judge(problem, spoiled).passed.any(), signal


@pytest.mark.few(5)
@pytest.mark.parametrize("name", NAMES)
def test_its_own_proof_fails_where_the_state_is_off(name):
    """Even if the reference were wrong in the same way: the bound is read off the run alone."""
    family = FAMILIES[name]
    problem = problem_of_keys(name, family.example, "here")
    solution = af.solve(problem, engine="block")
    ends = {signal: np.ravel(value)[None] for signal, value in solution.run.final.items()}
    state = next(iter(reference_of(problem).values))
    spoiled = {**ends, state: ends[state] + 1e-3 * np.linspace(0.5, 1.0, ends[state].size) * abs(ends[state]).max()}
    assert judge(problem, spoiled).errors["certified"][0] > 10 * judge(problem, ends).errors["certified"][0]
    assert judge(problem, spoiled).errors["certified"][0] > 1e-5


@pytest.mark.parametrize("seed", range(6))
def test_a_residual_bounds_the_error_of_any_x(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    m = n + int(rng.integers(0, 3))
    problem = LinearSystem(rng.standard_normal((m, n)) * 10.0 ** rng.uniform(-1, 1, n), rng.standard_normal(m))
    exact = scipy.linalg.lstsq(problem.A, problem.b, lapack_driver="gelsy")[0]
    np.testing.assert_allclose(reference_of(problem, 0.0).values["x"], exact, atol=1e-9)
    tried = exact + 10.0 ** rng.uniform(-8, 0, (50, 1)) * rng.standard_normal((50, n))
    assert (abs(tried - exact).max(axis=1) <= linear_system.proven(problem, tried)).all()


@pytest.mark.parametrize("seed", range(6))
def test_least_squares_and_equations_settle_at_numpy_s_answer(seed):
    rng = np.random.default_rng(100 + seed)
    A = rng.standard_normal((5, 3)) + 2 * np.eye(5, 3)
    problem = LinearSystem(A, rng.standard_normal(5) * 10.0 ** rng.integers(-3, 4))
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    exact = np.linalg.pinv(A) @ problem.b
    np.testing.assert_allclose(solution.certificate.answer["x"], exact, atol=2e-6 * abs(exact).max())


NORRIS = """
0.1 0.2 338.8 337.4 118.1 118.2 888.0 884.6 9.2 10.1 228.1 226.5 668.5 666.3 998.5 996.3 449.1 448.6 778.9 777.0
559.2 558.2 0.3 0.4 0.1 0.6 778.1 775.5 668.8 666.9 339.3 338.0 448.9 447.5 10.8 11.6 557.7 556.0 228.3 228.1
998.0 995.8 888.8 887.6 119.6 120.2 0.3 0.3 0.6 0.3 557.6 556.8 339.3 339.1 888.0 887.2 998.5 999.0 778.9 779.0
10.2 11.1 117.6 118.3 228.9 229.2 668.4 669.1 449.2 448.9 0.2 0.5
"""
"""y and x of NIST's Statistical Reference Dataset Norris, by turns; a straight line."""

CERTIFIED = -0.262323073774029, 1.00211681802045


def test_the_straight_line_of_nist_settles_at_its_certified_values_soon():
    y, x = np.array(NORRIS.split(), dtype=float).reshape(-1, 2).T
    problem = LinearSystem(np.column_stack([np.ones(len(x)), x]), y)
    assert np.linalg.cond(problem.A) > 800
    assert problem.singular_values[0] / problem.singular_values[-1] < 3
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    assert solution.run.time[-1] < 500
    np.testing.assert_allclose(solution.certificate.answer["x"], CERTIFIED, atol=1e-7)
    assert solution.certificate.errors["certified"] < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_units_of_unknowns_change_neither_time_nor_answer(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((5, 3)), rng.standard_normal(5)
    units = 10.0 ** rng.uniform(-2, 2, 3)
    flows = [flow_of(LinearSystem(A, b)), flow_of(LinearSystem(A * units, b))]
    for x in rng.standard_normal((5, 3)):
        one, other = flows[0].rates(x=x)["x"], flows[1].rates(x=x / units)["x"]
        np.testing.assert_allclose(other * units, one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_a_residual_bounds_the_distance_of_any_eigenvector(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    G = rng.standard_normal((n, n))
    problem = Eigenvectors(G + G.T, int(rng.integers(1, n + 1)))
    found, vectors = scipy.linalg.eigh(problem.matrix, driver="ev")
    exact, rows = found[::-1], vectors.T[::-1][: problem.count]
    for size in (1e-9, 1e-6, 1e-3, 1e-1, 1.0):
        tried = rows + size * rng.standard_normal((30, *rows.shape))
        signs = np.where((tried * rows).sum(axis=2, keepdims=True) < 0, -1, 1)
        away = np.linalg.norm(signs * tried - rows, axis=2).max(axis=1)
        assert (away <= eigenvectors.proven(problem, tried, exact) + 1e-12).all()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_eigenvectors_settle_at_those_of_lapack(count):
    rng = np.random.default_rng(7)
    Q, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    matrix = Q @ np.diag([-3.0, -1.0, 0.5, 2.0]) @ Q.T
    solution = af.solve(Eigenvectors((matrix + matrix.T) / 2, count), engine="block")
    assert solution.passed, solution.certificate
    np.testing.assert_allclose(solution.certificate.answer["values"], [2.0, 0.5, -1.0, -3.0][:count], atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_quadratic_programmes_agree_with_an_interior_point_method(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    G = rng.standard_normal((n, n))
    Q, c = G @ G.T + 0.3 * np.eye(n), 2 * rng.standard_normal(n)
    lower = np.where(rng.random(n) < 0.7, -rng.random(n), -np.inf)
    upper = np.where(rng.random(n) < 0.7, rng.random(n), np.inf)
    problem = QuadraticProgramme(Q, c, lower, upper)
    x = cvxpy.Variable(n)
    bounds = [x[k] >= lower[k] for k in range(n) if np.isfinite(lower[k])]
    bounds += [x[k] <= upper[k] for k in range(n) if np.isfinite(upper[k])]
    least = cvxpy.Problem(cvxpy.Minimize(0.5 * cvxpy.quad_form(x, cvxpy.psd_wrap(problem.Q)) + c @ x), bounds)
    least.solve(solver="CLARABEL")
    exact = reference_of(problem, 0.0)
    np.testing.assert_allclose(exact.values["x"], np.ravel(x.value), atol=2e-5)
    assert exact.values["objective"][0] <= least.value + 1e-7
    assert exact.gap < 1e-9
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    tried = np.asarray(exact.values["x"]) + 10.0 ** rng.uniform(-8, 0, (50, 1)) * rng.standard_normal((50, n))
    away = np.linalg.norm(tried - exact.values["x"], axis=1)
    assert (away <= quadratic_programme.proven(problem, tried) + exact.gap).all()


def test_least_squares_within_bounds_are_those_of_scipy():
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((8, 4)), rng.standard_normal(8)
    problem = QuadraticProgramme(A.T @ A, -A.T @ b, 0.0, 0.5)
    exact = scipy.optimize.lsq_linear(A, b, (0.0, 0.5), method="bvls", tol=1e-14).x
    np.testing.assert_allclose(reference_of(problem, 0.0).values["x"], exact, atol=1e-9)


SENSITIVE = QuadraticProgramme([[2, -1.5], [-1.5, 1.175]], [0.0, -0.02], -1, 1)
"""Programme of s/μ = 110."""


@pytest.mark.ngspice
def test_a_programme_in_parts_errs_by_no_more_than_its_condition_says():
    """What op-amps leave in a rate, s/μ times: more than that alone, and a larger error fails still."""
    solution = af.solve(SENSITIVE, technology="opamp", engine="ngspice")
    assert solution.passed, solution.certificate
    alone = solution.circuit.accuracy
    assert alone < solution.certificate.errors["x"] < alone * SENSITIVE.bound / np.linalg.eigvalsh(SENSITIVE.Q)[0]
    limit = allowed_error(solution.circuit)
    ends = {signal: np.ravel(value)[None] for signal, value in solution.run.final.items()}
    spoiled = {**ends, "x": reference_of(SENSITIVE).values["x"][None] / (1 - 1.05 * limit)}
    assert not judge(SENSITIVE, spoiled, limit=limit).passed.any()


@pytest.mark.parametrize("seed", range(4))
def test_errors_of_the_rates_move_the_fixed_point_by_s_over_mu_at_most(seed):
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((3, 3))
    problem = QuadraticProgramme(G @ G.T + 0.4 * np.eye(3), 2 * rng.standard_normal(3), -0.5, 0.5)
    flow, exact = flow_of(problem), reference_of(problem).values["x"]
    for d in 1e-3 * rng.standard_normal((5, 3)):
        x = exact
        for _ in range(20_000):
            x = x + flow.rates(x=x)["x"] + d
        assert np.linalg.norm(x - exact) <= flow.sensitivity * np.linalg.norm(d) * (1 + 1e-9)


def test_ideal_blocks_are_held_to_what_they_were_and_no_parts_to_more_than_a_tenth():
    steep = QuadraticProgramme([[1, 0], [0, 1e-3]], [-1, 0.0005], -1, 1)
    ideal, parts = af.compile(flow_of(steep)), af.compile(flow_of(steep), technology="opamp")
    assert allowed_error(ideal) == IDEAL_ACCURACY
    assert flow_of(steep).sensitivity == pytest.approx(1000)
    assert allowed_error(parts) == 0.1
    assert allowed_error(parts, 0.003) == 0.003
    for wrong in (0.5, np.nan):
        with pytest.raises(af.BadInput, match=r"Flow\.sensitivity: .* is not a number from 1 on"):
            dataclasses.replace(flow_of(steep), sensitivity=wrong)


def drawn_channels(seed):
    rng = np.random.default_rng(seed)
    n, count = rng.integers(2, 5), rng.integers(1, 5)
    return [rng.dirichlet(np.full(int(rng.integers(2, 5)), 0.6), size=n) for _ in range(count)]


@pytest.mark.parametrize("seed", range(10))
def test_compound_channels_agree_with_a_conic_solver(seed):
    problem = CompoundChannel(drawn_channels(seed))
    z, t = cvxpy.Variable(problem.inputs, nonneg=True), cvxpy.Variable()
    rows = [scipy.special.xlogy(P, P).sum(axis=1) for P in problem.channels]
    rates = [h @ z + cvxpy.sum(cvxpy.entr(P.T @ z)) for P, h in zip(problem.channels, rows, strict=True)]
    best = cvxpy.Problem(cvxpy.Maximize(t), [cvxpy.sum(z) == 1, *(t <= rate for rate in rates)])
    best.solve(solver="CLARABEL")
    exact = reference_of(problem)
    assert exact.values["capacity_nats"][0] == pytest.approx(best.value, abs=1e-7)
    assert exact.gap < 1e-12
    rng = np.random.default_rng(seed)
    low, high = interval(problem, rng.dirichlet(np.ones(problem.inputs), 50), rng.dirichlet(np.ones(len(rows)), 50))
    assert (low <= exact.values["capacity_nats"] + 1e-12).all()
    assert (high >= exact.values["capacity_nats"] - 1e-12).all()


def test_the_worst_of_symmetric_channels_is_met_and_mirrored_ones_are_weighed_alike():
    def symmetric(e):
        return [[1 - e, e], [e, 1 - e]]

    def rate(e):
        return np.log(2) + e * np.log(e) + (1 - e) * np.log(1 - e)

    worst = af.solve(CompoundChannel([symmetric(0.1), symmetric(0.2), symmetric(0.05)]), engine="block")
    assert worst.passed, worst.certificate
    assert worst.certificate.answer["capacity_nats"] == pytest.approx(rate(0.2), abs=1e-6)
    np.testing.assert_allclose(worst.certificate.answer["channel_weights"], [0, 1, 0], atol=1e-4)
    mirrored = af.solve(CompoundChannel([[[1, 0], [0.3, 0.7]], [[0.7, 0.3], [0, 1]]]), engine="block")
    q = 0.65  # of the likelier output at equal inputs
    half = -q * np.log(q) - (1 - q) * np.log(1 - q) + 0.5 * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    assert mirrored.certificate.answer["capacity_nats"] == pytest.approx(half, abs=1e-6)
    np.testing.assert_allclose(mirrored.certificate.answer["channel_weights"], [0.5, 0.5], atol=1e-4)


def test_a_set_of_one_channel_has_its_capacity():
    from analogflow.reference import capacity_reference

    matrix = drawn_channels(3)[0]
    alone = reference_of(CompoundChannel([matrix])).values["capacity_nats"][0]
    assert alone == pytest.approx(capacity_reference(af.Channel(matrix)).capacity_nats, abs=1e-10)


BAD = {
    "no list": (CompoundChannel, (3,), r"channels is no list of matrices"),
    "one input": (CompoundChannel, ([[[0.5, 0.5]]],), r"the channels have one input"),
    "inputs differ": (CompoundChannel, ([np.eye(2), np.eye(3)],), r"the channels have 2 and 3 inputs"),
    "sum": (CompoundChannel, ([np.eye(2), [[1, 0], [0.5, 0.6]]],), r"channel 2: row 2 sums to 1\.1, not to 1"),
    "negative": (CompoundChannel, ([[[1.5, -0.5], [0, 1]]],), r"channel 1 has -0\.5 in row 1, column 2"),
    "few equations": (LinearSystem, ([[1, 2]], [1]), r"A has 1 equations for 2 unknowns"),
    "singular": (LinearSystem, ([[1, 2], [2, 4]], [1, 2]), r"A has singular values from 1\.41 to .*x is not fixed by it"),
    "length": (LinearSystem, ([[1, 2], [2, 1]], [1]), r"A has 2 rows and b has 1 entries"),
    "text": (LinearSystem, ([["a", 2], [2, 1]], [1, 1]), r"A does not consist of numbers"),
    "not symmetric": (Eigenvectors, ([[1, 2], [3, 4]],), r"matrix has 2 in row 1, column 2 and 3 in row 2, column 1"),
    "not square": (Eigenvectors, ([[1, 2, 3], [3, 4, 5]],), r"matrix has shape \(2, 3\); give as many rows as columns"),
    "double": (Eigenvectors, ([[1, 0], [0, 1]],), r"eigenvalues 1 and 2, 1 and 1, are too near.*tells them apart"),
    "second double": (Eigenvectors, (np.diag([3, 1, 1.0]), 2), r"eigenvalues 2 and 3.*take a count of 1"),
    "count": (Eigenvectors, ([[1, 0], [0, 2]], 3), r"count is 3; give a whole number from 1 to 2"),
    "no number": (Eigenvectors, ([[1, np.nan], [0, 2]],), r"matrix has nan in row 1, column 2"),
    "indefinite": (QuadraticProgramme, ([[1, 0], [0, -1]], [1, 1]), r"Q has eigenvalues from -1 to 1.*no or many answers"),
    "skew": (QuadraticProgramme, ([[1, 1], [0, 1]], [1, 1]), r"Q is not symmetric; give \(Q \+ Q\.T\)/2"),
    "crossed": (QuadraticProgramme, ([[1]], [1], [1], [0]), r"lower bound 1 is 1, and the upper one 0"),
    "bounds": (QuadraticProgramme, ([[1]], [1], [1, 2]), r"lower has 2 entries; give one for each of 1 unknowns"),
    "bound of text": (QuadraticProgramme, ([[1]], [1], "low"), r"lower does not consist of numbers"),
    "linear part": (QuadraticProgramme, ([[1]], [1, 2]), r"c has 2 entries and Q 1 rows"),
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_problem_is_refused_in_a_sentence(reason):
    make, given, message = BAD[reason]
    with pytest.raises(af.BadInput, match=message):
        make(*given)


def test_a_form_that_does_not_fit_says_which_does():
    with pytest.raises(af.BadInput, match="needs a symmetric positive definite A; take 'gradient'"):
        af.solve(LinearSystem([[1, 2], [0, 1]], [1, 1]), form="direct")


@pytest.mark.slow
def test_the_command_line_knows_them(tmp_path, capsys):
    path = tmp_path / "p.json"
    for name in NAMES:
        path.write_text(json.dumps(FAMILIES[name].example))
        assert main(["solve", name, str(path), "--engine", "block", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["flow"] == name
        assert all(check["passed"] for check in found["checks"])
        path.write_text(json.dumps({**FAMILIES[name].example, "colour": "blue"}))
        assert main(["solve", name, str(path)]) == 2
        assert "colour" in capsys.readouterr().err
