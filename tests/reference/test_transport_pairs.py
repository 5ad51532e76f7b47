"""Forbidden pairs, empty points and missing masses of transport, against Sinkhorn's iteration in logarithms."""

import json
import math
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp

import analogflow as af
from analogflow.cli import main
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.reference import transport_certificate, transport_limit, transport_reference

INF = math.inf
BAND = {"cost": [[0, 1, INF], [1, 0, 1], [INF, 1, 0]], "row": [0.5, 0.3, 0.2], "column": [0.2, 0.4, 0.4], "epsilon": 0.2}


def in_logarithms(problem, sweeps=4000):
    f, g, epsilon = np.zeros(problem.rows), np.zeros(problem.columns), problem.epsilon
    for _ in range(sweeps):
        f = epsilon * (np.log(problem.row) - logsumexp((g - problem.cost) / epsilon, axis=1))
        g = epsilon * (np.log(problem.column) - logsumexp((f[:, None] - problem.cost) / epsilon, axis=0))
    return np.exp((f[:, None] + g - problem.cost) / epsilon)


def drawn(seed):
    """A problem with forbidden pairs that has a plan, or the sentence that refuses it."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 7, 2)
    cost = np.where(rng.random((n, m)) < 0.35, INF, rng.random((n, m)))
    plan = np.where(np.isfinite(cost), rng.random((n, m)) * (rng.random((n, m)) < 0.6), 0) + 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return af.Transport(cost, plan.sum(axis=1), plan.sum(axis=0), 10 ** rng.uniform(-1.5, 0))


@pytest.mark.few(3)
@pytest.mark.parametrize("seed", [0, 1, 2, 4, 8, 9, 19])
def test_random_forbidden_pairs_have_the_plan_of_another_iteration(seed):
    problem = drawn(seed)
    found = transport_reference(problem)
    np.testing.assert_allclose(found.plan, in_logarithms(problem), atol=1e-9)
    assert not found.plan[~problem.allowed].any()
    assert found.gap < 1e-12
    limit = transport_limit(problem)
    assert limit.cost <= found.cost + 1e-12
    assert not limit.plan[~problem.allowed].any()


def test_a_plan_off_the_optimum_has_a_gap_that_bounds_it():
    problem = af.Transport(**BAND)
    exact = transport_reference(problem)
    best = transport_certificate(problem, exact.plan, exact.potential)
    moved = exact.plan - 0.02 * np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 0]])
    wrong = transport_certificate(problem, moved)
    assert wrong.lower <= best.lower + 1e-12
    assert wrong.upper > best.upper + 1e-4
    assert wrong.gap > 1e-4
    through = transport_certificate(problem, exact.plan + 0.1 * ~problem.allowed)
    assert through.violation == pytest.approx(0, abs=1e-12)  # what lies where nothing may lie is not read


@pytest.mark.parametrize("form", ["potential", "scaling"])
def test_the_flow_settles_at_it(form):
    solution = af.solve(af.Transport(**BAND), form=form, engine="block")
    assert solution.passed, solution.certificate
    plan = np.array(solution.certificate.answer["plan"])
    assert plan[0, 2] == plan[2, 0] == 0


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["ideal", "opamp", "translinear"])
def test_circuits_leave_the_branch_out(technology):
    solution = af.solve(af.Transport(**BAND), technology=technology, engine="ngspice")
    assert solution.passed, solution.certificate


def test_a_schedule_takes_forbidden_pairs():
    problem = af.Transport(**BAND, schedule={"kind": "adaptive", "rate": 1.0})
    assert af.solve(problem, engine="block").passed


def test_points_without_mass_are_left_out_with_a_word():
    cost = [[0, 1, 4], [1, 0, 1], [4, 1, 0]]
    with pytest.warns(AssumptionWarning, match="row 3 and column 1 have no mass and are left out; the plan is 0 there"):
        problem = af.Transport(cost, [0.5, 0.5, 0], [0, 0.4, 0.6], 0.1)
    plan = np.array(af.solve(problem, engine="block").certificate.answer["plan"])
    delta = math.exp(-20.0)  # of two by two: P11 P22/(P12 P21) = exp(-(C11 + C22 - C12 - C21)/eps)
    assert plan.shape == (3, 3)
    assert not plan[2].any()
    assert not plan[:, 0].any()
    assert plan[0, 1] * plan[1, 2] / (plan[0, 2] * plan[1, 1]) == pytest.approx(1 / delta, rel=1e-4)
    np.testing.assert_allclose(plan.sum(axis=1), [0.5, 0.5, 0], atol=1e-8)


def test_masses_that_are_not_given_are_uniform():
    assert af.Transport([[0, 1], [1, 0]], epsilon=0.1).row.tolist() == [0.5, 0.5]
    assert af.Transport([[0, 1], [1, 0]], [3, 5], epsilon=0.1).column.tolist() == [4, 4]


def test_masses_are_balanced_where_that_is_asked_for(tmp_path, capsys):
    problem = af.Transport([[0, 1], [1, 0]], [120, 80], [101, 100], 0.1, normalise=True)
    assert problem.mass == pytest.approx(1)
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"cost": [[0, 1], [1, 0]], "row": [120, 80], "column": [101, 100], "epsilon": 0.1}))
    assert main(["solve", "transport", str(path)]) == 2
    assert "multiply column by 0.995024875622, or divide each by its sum (--normalise)" in capsys.readouterr().err
    assert main(["solve", "transport", str(path), "--normalise", "--engine", "block"]) == 0
    assert main(["solve", "transport", str(path), "--transpose"]) == 2


REFUSED = {
    "no plan": (dict(cost=[[0, INF], [1, 0]], row=[0.7, 0.3], column=[0.3, 0.7]),
                r"no plan avoids the infinite costs: the mass of row 1 is 0.7, and the columns it may go to take 0.3 \(c"),
    "nowhere to go": (dict(cost=[[INF, INF], [1, 0]], row=[0.7, 0.3], column=[0.3, 0.7]),
                       r"the mass of row 1 is 0.7, and the columns it may go to take nothing"),
    "parts": (dict(cost=[[0, INF], [INF, 0]], row=[0.3, 0.7], column=[0.3, 0.7]),
              r"leave 2 parts that share no mass: row 1 with column 1; row 2 with column 2; solve each by itself"),
    "one row": (dict(cost=[[0, 1], [1, 0]], row=[1, 0], column=[0.3, 0.7]), r"only 1 x 2 points have mass"),
    "no mass": (dict(cost=[[0, 1], [1, 0]], row=[0, 0], column=[0.3, 0.7]), r"row has no mass at all"),
    "minus infinity": (dict(cost=[[0, -INF], [1, 0]], row=[1, 1], column=[1, 1]),
                       r"cost has -inf in row 1, column 2; give finite"),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_plan_is_refused(reason):
    keys, message = REFUSED[reason]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        with pytest.raises(BadInput, match=message):
            af.Transport(**keys, epsilon=0.1)


def test_a_pair_that_no_plan_can_use_is_told():
    """Row 1 fills column 1 alone, so that row 2 can put nothing there."""
    cost = [[0, INF, INF], [1, 0, 1], [INF, 1, 0]]
    with pytest.raises(BadInput, match="2 parts"):
        af.Transport(cost, [0.2, 0.5, 0.3], [0.2, 0.4, 0.4], 0.1)
