"""The transport reference: closed forms, the linear limit, bounds that hold, and wrong plans that are not let pass."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from analogflow.errors import BadInput, SimulationFailed
from analogflow.families import expected_answer
from analogflow.problems import Transport
from analogflow.reference import transport_certificate, transport_limit, transport_reference, transport_search


def random_problem(seed, n=None, m=None, epsilon=None, uniform=False):
    rng = np.random.default_rng(seed)
    n, m = n or int(rng.integers(2, 9)), m or int(rng.integers(2, 9))
    epsilon = epsilon or float(10 ** rng.uniform(-3, 1))
    row, column = rng.dirichlet(np.full(n, 2.0)) + 1e-3, rng.dirichlet(np.full(m, 2.0)) + 1e-3
    if uniform:
        row, column = np.full(n, 1 / n), np.full(m, 1 / m)
    mass = rng.uniform(0.5, 3)
    return Transport(rng.normal(size=(n, m)), mass * row / row.sum(), mass * column / column.sum(), epsilon)


@pytest.mark.parametrize("uniform", [False, True])
@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_violation_and_gap_are_certified(uniform, seed):
    problem = random_problem(seed, uniform=uniform)
    found = transport_reference(problem)
    assert found.violation <= 1e-12
    assert found.gap <= 1e-9 * problem.span * problem.mass
    assert abs(found.plan.sum(axis=1) - problem.row).max() <= 1e-12
    bounds = transport_certificate(problem, found.plan, found.potential)
    assert bounds.lower <= bounds.upper + 1e-13 * problem.span * problem.mass
    np.testing.assert_allclose(
        found.plan, problem.row[:, None] * softmax_rows((found.potential - problem.cost) / problem.epsilon), atol=1e-11
    )
    assert problem.column @ found.potential == pytest.approx(0, abs=1e-12 * problem.span)


def softmax_rows(x):
    w = np.exp(x - x.max(axis=1, keepdims=True))
    return w / w.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("epsilon", [2.0, 0.5, 0.1, 0.02])
def test_two_by_two_in_closed_form(epsilon):
    # P₁₁ P₂₂/(P₁₂ P₂₁) = e^{D/ε} with all sums ½ gives P₁₁ = ½/(1 + e^{−D/2ε}), D = C₁₂ + C₂₁ − C₁₁ − C₂₂.
    C = np.array([[0.0, 1.0], [0.3, 0.2]])
    D = C[0, 1] + C[1, 0] - C[0, 0] - C[1, 1]
    plan = transport_reference(Transport(C, [0.5, 0.5], [0.5, 0.5], epsilon)).plan
    heavy = 0.5 / (1 + math.exp(-D / (2 * epsilon)))
    np.testing.assert_allclose(plan, [[heavy, 0.5 - heavy], [0.5 - heavy, heavy]], rtol=0, atol=1e-14)


def test_a_separable_cost_spreads_the_mass_as_if_independent():
    rng = np.random.default_rng(0)
    row, column = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.4])
    cost = rng.normal(size=3)[:, None] + rng.normal(size=2)
    found = transport_reference(Transport(cost, row, column, 0.05))
    np.testing.assert_allclose(found.plan, np.outer(row, column), atol=1e-13)


def test_gaussians_have_the_correlation_the_temperature_allows():
    # Cost (x − y)²/2 between standard normals: correlation ρ = (√(4 + ε²) − ε)/2, here on a grid.
    x = np.linspace(-6, 6, 241)
    weight = np.exp(-(x**2) / 2)
    weight /= weight.sum()
    for epsilon in (0.5, 2.0):
        problem = Transport((x[:, None] - x) ** 2 / 2, weight, weight, epsilon)
        plan = transport_reference(problem).plan
        rho = (math.sqrt(4 + epsilon**2) - epsilon) / 2
        assert (plan * np.outer(x, x)).sum() == pytest.approx(rho, abs=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_no_plan_is_better_and_no_potential_proves_more(seed):
    problem = random_problem(seed, epsilon=0.3)
    best = transport_reference(problem)
    value = transport_certificate(problem, best.plan, best.potential).upper
    rng = np.random.default_rng(seed)
    other = transport_certificate(problem, best.plan * np.exp(0.3 * rng.normal(size=best.plan.shape)))
    assert other.upper >= value - 1e-12
    assert other.lower <= value + 1e-12
    assert other.gap > 0
    assert other.violation > 1e-3


def test_a_wrong_plan_is_told_by_its_gap_or_its_marginals():
    problem = random_problem(3, 4, 4, 0.2)
    best = transport_reference(problem)
    independent = np.outer(problem.row, problem.column) / problem.mass
    bounds = transport_certificate(problem, independent)
    assert bounds.violation < 1e-14
    assert bounds.gap > 1e-2
    heavier = transport_certificate(problem, 1.01 * best.plan)
    assert heavier.violation == pytest.approx(0.02 * problem.mass)
    hotter = transport_reference(problem.at(0.21))
    assert transport_certificate(problem, hotter.plan).gap > 1e-5
    assert transport_certificate(problem, best.plan).gap < 1e-13


def test_a_collapsed_plan_is_not_saved_by_its_potentials():
    # Any potentials give ln P the same cheapest assignment; rows' largest entries and column sums tell the truth.
    rng = np.random.default_rng(4)
    C = rng.random((6, 6))
    problem = Transport(C, np.full(6, 1 / 6), np.full(6, 1 / 6), 0.02)
    wrong_g = np.array([3.0, 0, 0, 0, 0, 0])
    collapsed = softmax_rows((wrong_g - C) / 0.02) / 6
    logarithm = (wrong_g - C) / 0.02
    assert (linear_sum_assignment(-logarithm)[1] == linear_sum_assignment(C)[1]).all()
    assert (collapsed.argmax(axis=1) == 0).all()
    assert transport_certificate(problem, collapsed, wrong_g).violation > 1.5


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_cold_plans_tend_to_the_linear_programme(seed):
    problem = random_problem(seed, 5, 6)
    limit = transport_limit(problem)
    assert limit.gap <= 1e-9
    assert limit.violation <= 1e-12
    costs = [transport_reference(problem.at(epsilon)).cost for epsilon in (0.3, 0.1, 0.03, 0.01)]
    assert (np.diff(costs) <= 1e-12).all()
    # Entropy of a coupling is at most ln(nm) per unit of mass.
    assert 0 <= costs[-1] - limit.cost + 1e-12 <= 0.01 * problem.mass * math.log(30)


def test_limit_of_an_assignment_is_the_assignment():
    C = np.random.default_rng(1).random((7, 7))
    rows, columns = linear_sum_assignment(C)
    limit = transport_limit(Transport(C, np.ones(7), np.ones(7), 0.1))
    assert limit.cost == pytest.approx(C[rows, columns].sum(), abs=1e-12)
    cold = transport_reference(Transport(C, np.ones(7), np.ones(7), 1e-3))
    np.testing.assert_allclose(cold.plan, limit.plan, atol=1e-6)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("uniform", [False, True])
def test_large_and_cold_problems(uniform, epsilon):
    rng = np.random.default_rng(2)
    C = ((rng.random((100, 1, 2)) - rng.random((1, 90 if not uniform else 100, 2))) ** 2).sum(-1)
    n, m = C.shape
    row = np.full(n, 1 / n) if uniform else rng.dirichlet(np.full(n, 3.0)) + 1e-4
    column = np.full(m, 1 / m) if uniform else rng.dirichlet(np.full(m, 3.0)) + 1e-4
    found = transport_reference(Transport(C, row / row.sum(), column / column.sum(), epsilon))
    assert found.violation <= 1e-12
    assert found.gap <= 1e-12


def test_turning_the_problem_turns_the_plan():
    problem = random_problem(8, 3, 7, 0.1)
    turned = Transport(problem.cost.T, problem.column, problem.row, 0.1)
    np.testing.assert_allclose(transport_reference(problem).plan, transport_reference(turned).plan.T, atol=1e-13)


def test_constant_costs_are_no_trouble():
    found = transport_reference(Transport(np.ones((3, 2)), [1, 1, 1], [1, 2], 0.1))
    np.testing.assert_allclose(found.plan, [[1 / 3, 2 / 3]] * 3, atol=1e-15)


def test_unreachable_limits_are_refused_with_what_was_reached():
    with pytest.raises(BadInput, match=r"violation is 0; give a positive limit, such as 1e-12"):
        transport_reference(random_problem(1), violation=0)
    # Of so many sums one is always rounded, whatever the processor; those of a few may all be exact.
    with pytest.raises(SimulationFailed, match=r"is certified to a violation of .* and a gap of .* only; ask for less"):
        transport_reference(random_problem(1, 30, 40), violation=1e-19)


def test_what_is_no_plan_is_refused():
    problem = random_problem(2, 2, 3, 0.3)
    with pytest.raises(BadInput, match=r"plan has shape \(3, 2\); give one entry for each of the \(2, 3\) costs"):
        transport_certificate(problem, np.ones((3, 2)))
    with pytest.raises(BadInput, match=r"plan is not finite or has no positive entry, so it moves nothing"):
        transport_certificate(problem, np.zeros((2, 3)))
    with pytest.raises(BadInput, match=r"potential has shape \(2,\); give one finite number for each of the 3 columns"):
        transport_certificate(problem, np.ones((2, 3)), [0, 0])


def test_expected_answer_has_the_flow_s_names():
    problem = random_problem(2, 2, 3, 0.3)
    expected = expected_answer(problem)
    assert set(expected) == {"plan", "cost"}
    assert len(expected["plan"]) == 6


@pytest.mark.parametrize("epsilon", [0.2, 0.05])
def test_the_digital_peer_finds_the_same_plans(epsilon):
    import ot

    problem = random_problem(6, 12, 9, epsilon)
    problem = Transport(problem.cost, problem.row / problem.mass, problem.column / problem.mass, epsilon)
    peer = ot.sinkhorn(problem.row, problem.column, problem.cost, epsilon, "sinkhorn_log", stopThr=1e-13, numItermax=100_000)
    np.testing.assert_allclose(peer, transport_reference(problem).plan, atol=1e-10)
    assert transport_certificate(problem, peer).gap < 1e-9
    linear = ot.emd2(problem.row, problem.column, problem.cost)
    assert linear == pytest.approx(transport_limit(problem).cost, abs=1e-12)


@pytest.mark.parametrize("epsilon", [0.3, 0.1])
def test_every_way_of_the_search_ends_at_one_plan(epsilon, monkeypatch):
    problem = random_problem(7, 110, 130, epsilon)
    plans, steps = [], []
    for large, direct in ((96, 256.0), (96, 0.0), (1000, 256.0)):
        monkeypatch.setattr(transport_search, "_LARGE", large)
        monkeypatch.setattr(transport_search, "_DIRECT_LARGE", direct)
        found = transport_reference(problem)
        plans.append(found.plan)
        steps.append(found.iterations)
    assert max(abs(plan - plans[0]).max() for plan in plans) < 1e-12
    assert len({*steps}) > 1
