"""Derivatives of the plan, spectrum of Sinkhorn's iteration, constants table: closed forms, and printed claims refuted."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogflow.errors import BadInput
from analogflow.problems import Transport
from analogflow.reference import transport_reference
from analogflow.reference.transport_theory import (
    COLUMNS,
    PlanDerivatives,
    constants_table,
    sinkhorn_jacobian,
    sinkhorn_spectrum,
    write_constants,
)


def random_problem(seed, n=4, m=5, epsilon=0.2):
    rng = np.random.default_rng(seed)
    return Transport(rng.random((n, m)), rng.dirichlet(np.full(n, 3.0)), rng.dirichlet(np.full(m, 3.0)), epsilon)


def two_by_two(epsilon):
    return Transport([[0.0, 1.0], [0.3, 0.2]], [0.5, 0.5], [0.5, 0.5], epsilon)


D = 1.1
"""C₁₂ + C₂₁ − C₁₁ − C₂₂ of the two-by-two problem."""


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_derivatives_are_those_of_differences(seed):
    problem = random_problem(seed)
    derivatives = PlanDerivatives(problem)
    direction = np.random.default_rng(seed).normal(size=problem.cost.shape)
    h = 1e-5

    def plan(shift, warmth):
        moved = Transport(problem.cost + shift * direction, problem.row, problem.column, problem.epsilon + warmth)
        return transport_reference(moved).plan

    by_cost = (plan(h, 0) - plan(-h, 0)) / (2 * h)
    by_epsilon = (plan(0, h) - plan(0, -h)) / (2 * h)
    np.testing.assert_allclose(derivatives.with_cost(direction), by_cost, atol=1e-8)
    np.testing.assert_allclose(derivatives.with_epsilon(), by_epsilon, atol=1e-8)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_derivative_by_the_cost_keeps_marginals_is_symmetric_and_lowers_the_cost(seed):
    problem = random_problem(seed, 3, 4)
    derivatives = PlanDerivatives(problem)
    matrix = derivatives.matrix()
    assert abs(matrix - matrix.T).max() < 1e-11
    assert np.linalg.eigvalsh(matrix).max() < 1e-11
    moved = derivatives.with_cost(np.random.default_rng(seed).normal(size=(3, 4)))
    assert abs(moved.sum(axis=0)).max() < 1e-11
    assert abs(moved.sum(axis=1)).max() < 1e-11
    # A cost that is a sum of a row's and a column's part moves nothing.
    assert abs(derivatives.with_cost(np.arange(3.0)[:, None] + np.arange(4.0))).max() < 1e-12
    norm, direction = derivatives.norm()
    assert norm == pytest.approx(-np.linalg.eigvalsh(matrix).min(), rel=1e-12)
    assert np.linalg.norm(derivatives.with_cost(direction)) == pytest.approx(norm, rel=1e-9)
    assert np.linalg.norm(direction) == pytest.approx(1)


def test_norm_of_a_large_plan_needs_no_matrix():
    problem = random_problem(1, 22, 21)
    derivatives = PlanDerivatives(problem)
    norm, direction = derivatives.norm()
    assert norm == pytest.approx(-np.linalg.eigvalsh(derivatives.matrix()).min(), rel=1e-8)
    assert np.linalg.norm(derivatives.with_cost(direction)) == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("epsilon", [1.0, 0.2, 0.1, 0.05, 0.02])
def test_two_by_two_by_temperature_in_closed_form(epsilon):
    p = 1 / (1 + math.exp(-D / (2 * epsilon)))
    slope = p * math.exp(-D / (2 * epsilon)) * p * D / (2 * epsilon**2)
    found = PlanDerivatives(two_by_two(epsilon)).with_epsilon()
    np.testing.assert_allclose(found, 0.5 * slope * np.array([[-1, 1], [1, -1]]), rtol=1e-5)


def test_derivatives_vanish_at_a_unique_permutation_although_the_paper_bounds_them_from_below():
    # Lemmas A.7 and A.10 claim Θ(1/ε). Normal equations at this plan are singular to rounding, and would report noise.
    norms = [PlanDerivatives(two_by_two(epsilon)).norm()[0] for epsilon in (0.1, 0.05, 0.02, 0.01)]
    assert (np.array([0.1, 0.05, 0.02, 0.01]) * norms)[1:].max() < 1e-4
    assert (np.diff(norms) < 0).all()
    assert norms[-1] < 1e-15


def test_derivative_by_the_cost_is_of_order_one_over_epsilon_where_optimal_plans_tie():
    tied = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    scaled = [e * PlanDerivatives(Transport(tied, [1, 1, 1], [1, 1, 1], e)).norm()[0] for e in (0.05, 0.02, 0.01)]
    np.testing.assert_allclose(scaled, 0.5, rtol=1e-6)
    # There the derivative by ε is exponentially small all the same (Lemma A.10).
    assert np.linalg.norm(PlanDerivatives(Transport(tied, [1, 1, 1], [1, 1, 1], 0.02)).with_epsilon()) < 1e-11


@pytest.mark.parametrize("epsilon", [1.0, 0.3, 0.1, 0.05])
def test_two_by_two_gap_is_sech_squared(epsilon):
    # 1 − σ₂² = sech²(D/4ε): exponentially small and not of order ε.
    gap = sinkhorn_spectrum(transport_reference(two_by_two(epsilon)).plan).gap
    assert gap == pytest.approx(1 / math.cosh(D / (4 * epsilon)) ** 2, rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_gap_between_gaussians_is_epsilon_times_their_correlation(epsilon):
    x = np.linspace(-7, 7, 281)
    weight = np.exp(-(x**2) / 2)
    weight /= weight.sum()
    spectrum = sinkhorn_spectrum(transport_reference(Transport((x[:, None] - x) ** 2 / 2, weight, weight, epsilon)).plan)
    rho = (math.sqrt(4 + epsilon**2) - epsilon) / 2
    assert spectrum.gap == pytest.approx(epsilon * rho, abs=1e-6)
    np.testing.assert_allclose(spectrum.correlations[:4], rho ** np.arange(4), atol=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_jacobian_has_the_squared_correlations_and_no_more_shear_than_its_weights_allow(seed):
    plan = transport_reference(random_problem(seed)).plan
    J = sinkhorn_jacobian(plan)
    spectrum = sinkhorn_spectrum(plan)
    values = np.sort(np.linalg.eigvals(J).real)[::-1]
    np.testing.assert_allclose(values[: len(spectrum.correlations)], spectrum.correlations**2, atol=1e-12)
    assert spectrum.correlations[0] == pytest.approx(1)
    # Self-adjoint in l²(r): D_r J is symmetric.
    weighted = plan.sum(axis=1)[:, None] * J
    assert abs(weighted - weighted.T).max() < 1e-14
    # Eigenvectors that are orthonormal there have the condition √(max r/min r) and not more.
    U, _, _ = np.linalg.svd(plan / np.sqrt(np.outer(plan.sum(axis=1), plan.sum(axis=0))))
    V = U / np.sqrt(plan.sum(axis=1))[:, None]
    np.testing.assert_allclose(J @ V, V * spectrum.correlations**2, atol=1e-12)
    assert np.linalg.cond(V) == pytest.approx(spectrum.condition)
    assert spectrum.radius == pytest.approx(spectrum.correlations[1] ** 2)


def test_equal_rows_leave_no_shear_at_all():
    plan = transport_reference(Transport(np.random.default_rng(0).random((5, 5)), np.ones(5), np.ones(5), 0.1)).plan
    assert sinkhorn_spectrum(plan).condition == pytest.approx(1, abs=1e-9)
    assert abs(sinkhorn_jacobian(plan) - sinkhorn_jacobian(plan).T).max() < 1e-14


def test_one_sweep_of_sinkhorn_shrinks_the_slowest_error_by_the_radius():
    problem = random_problem(7, 5, 5, 0.15)
    reference = transport_reference(problem)
    g, errors = reference.potential + 1e-4 * np.arange(5), []
    for _ in range(20):
        exponents = (g - problem.cost) / problem.epsilon
        plan = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        plan *= (problem.row / plan.sum(axis=1))[:, None]
        errors.append(np.linalg.norm(plan - reference.plan))
        g = g + problem.epsilon * np.log(problem.column / plan.sum(axis=0))
    assert errors[16] / errors[15] == pytest.approx(sinkhorn_spectrum(reference.plan).radius, rel=1e-3)


def test_constants_table_is_written_with_the_paper_s_columns(tmp_path):
    rng = np.random.default_rng(5)
    problems = [Transport(rng.random((5, 5)), np.full(5, 0.2), np.full(5, 0.2), 1.0) for _ in range(4)]
    rows = constants_table(problems, [0.3, 0.1, 0.03])
    path = write_constants(rows, tmp_path / "constants.csv")
    with path.open() as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == ["eps", "op_norm", "C0_est", "dS_de_norm", "K1_est", "K2_est", "rho_mean", "rho_std"]
    assert tuple(read[0]) == COLUMNS
    for row, line in zip(rows, read, strict=True):
        assert float(line["C0_est"]) == row.eps * row.op_norm
        assert float(line["K1_est"]) == pytest.approx(row.eps * row.dS_de_norm)
        assert 0 < row.rho_mean < 1
    alone = problems[0].at(0.1)
    single = constants_table(problems[:1], [0.1])[0]
    assert single.rho_std == 0
    assert single.op_norm == PlanDerivatives(alone).norm()[0]
    with pytest.raises(BadInput, match=r"constants\.csv' exists already; give force=True to replace it"):
        write_constants(rows, path)
    assert write_constants(rows[:1], path, force=True).read_text().count("\n") == 2


def test_second_derivative_is_that_of_the_plan_itself():
    problem = random_problem(11, 3, 3, 0.3)
    row = constants_table([problem], [0.3])[0]
    _, direction = PlanDerivatives(problem).norm()
    h = 1e-3
    plans = [
        transport_reference(Transport(problem.cost + k * h * direction, problem.row, problem.column, 0.3)).plan
        for k in (-1, 0, 1)
    ]
    second = np.linalg.norm(plans[0] - 2 * plans[1] + plans[2]) / h**2
    assert row.K2_est == pytest.approx(0.3**2 * second, rel=1e-4)


def test_what_makes_no_sense_is_refused(tmp_path):
    problem = random_problem(0)
    with pytest.raises(BadInput, match=r"direction has shape \(2, 2\); give one finite number for each of \(4, 5\) costs"):
        PlanDerivatives(problem).with_cost(np.eye(2))
    with pytest.raises(BadInput, match=r"the derivative of a plan of 4225 entries is not written out beyond 4096"):
        PlanDerivatives(random_problem(0, 65, 65)).matrix()
    with pytest.raises(
        BadInput, match=r"plan, of shape \(2, 2\), is not a matrix of non-negative numbers with mass in every"
    ):
        sinkhorn_spectrum([[1, 0], [1, 0]])
    with pytest.raises(BadInput, match=r"constants table: give at least one problem and one temperature"):
        constants_table([], [0.1])
    with pytest.raises(BadInput, match=r"can not be written"):
        write_constants(constants_table([problem], [0.3]), tmp_path / "no" / "folder.csv")
