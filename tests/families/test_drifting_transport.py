"""A circuit that runs after the optimal plan of drifting costs: closed forms, the predicted lag, and what is refused."""

import json
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import analogflow as af
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families import reference_of
from analogflow.families.files import keys_of, problem_of_keys
from analogflow.families.plugins.drifting_transport import DriftingTransport, lag_of
from analogflow.problems import Transport
from analogflow.reference.transport import transport_reference

engines = pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
TWO = [["0.4*sin(0.05*t)", 1], [1, 0]]


def share(t):
    """P_11 of two rows and columns alike: the odds of 2 P_11 are e^{(C12 + C21 − C11 − C22)/2ε}, here with ε = ½."""
    return 0.5 / (1 + math.exp(0.4 * math.sin(0.05 * t) - 2))


def lag(t):
    """Of P_11: g_1 − g_2 is half of C_11, and comes back at 1 − σ², where σ = 4 P_11 − 1 is a singular value of 2P."""
    p, moving = share(t), 0.4 * 0.05 * math.cos(0.05 * t)
    behind = -(moving / 2) / (1 - (4 * p - 1) ** 2)
    return p * (0.5 - p) / 0.5 / 0.5 * behind


@engines
def test_the_plan_of_two_rows_and_columns_has_a_closed_form_and_the_lag_of_one_number(engine):
    problem = DriftingTransport(TWO, epsilon=0.5, time=120.0)
    solution = af.solve(problem, engine=engine)
    assert solution.passed
    assert solution.certificate.errors["plan"] <= 1e-6
    found = reference_of(problem, 120.0)
    for t, optimum, behind in zip(found.times, found.optima, found.lags, strict=True):
        p, x = share(t), lag(t)
        np.testing.assert_allclose(optimum, [p, 0.5 - p, 0.5 - p, p], atol=1e-9)
        np.testing.assert_allclose(behind, [x, -x, x, -x], atol=1e-9)
    measured = np.array(solution.certificate.answer["lag"])
    assert abs(measured - found.lags[-1].reshape(2, 2)).max() < 0.1 * found.predicted


@pytest.mark.parametrize("seed", range(5))
def test_the_predicted_lag_is_that_of_optima_a_moment_apart_and_of_the_flow_s_own_rates(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.random((2, 3, 4))
    row, column = rng.dirichlet(np.ones(3) * 5), rng.dirichlet(np.ones(4) * 5)
    problem = DriftingTransport(costs=[one, other], times=[0.0, 10.0], row=row, column=column, epsilon=0.3, time=10.0)
    C, moving, d = problem.matrix.at(5.0), problem.matrix.rate(5.0), 1e-3
    ahead, behind = (transport_reference(Transport(C + s * d * moving, row, column, 0.3)) for s in (1, -1))
    here = transport_reference(Transport(C, row, column, 0.3))
    motion = (ahead.potential - behind.potential) / (2 * d)
    flow = af.flows.transport(Transport(C, row, column, 0.3))
    g = here.potential
    S = np.array([(flow.rates(g=g - e)["g"] - flow.rates(g=g + e)["g"]) / 2e-6 for e in 1e-6 * np.eye(4)]).T
    behind_by = np.linalg.lstsq(S, -motion, rcond=1e-8)[0]

    def plan(potential):
        scores = np.exp((potential - C) / 0.3)
        return row[:, None] * scores / scores.sum(axis=1, keepdims=True)

    wanted = (plan(g + 1e-5 * behind_by) - plan(g - 1e-5 * behind_by)) / 2e-5
    np.testing.assert_allclose(lag_of(problem, here.plan, moving), wanted, atol=1e-5)


def test_the_path_is_that_of_the_equation_integrated_in_the_plainest_way():
    problem = DriftingTransport(
        [["u", 1.0, 0.2], [0.5, "u*u", 0.1]], {"u": {"times": [0, 3, 7], "values": [0.0, 1.0, 0.5]}}, epsilon=0.4, time=9.0
    )

    def rate(t, g):
        u = np.interp(t, [0, 3, 7], [0.0, 1.0, 0.5])
        scores = np.exp((g - np.array([[u, 1.0, 0.2], [0.5, u * u, 0.1]])) / 0.4)
        P = 0.5 * scores / scores.sum(axis=1, keepdims=True)
        return 0.4 * (1 - 3 * P.sum(axis=0))

    run = solve_ivp(rate, (0, 9), np.zeros(3), method="Radau", rtol=1e-10, atol=1e-12, max_step=0.02)
    end = af.solve(problem, engine="block").run.final["g"]
    np.testing.assert_allclose(np.ravel(end) - np.mean(end), run.y[:, -1] - run.y[:, -1].mean(), atol=1e-7)
    scores = np.exp((run.y[:, -1] - problem.matrix.at(9.0)) / 0.4)
    np.testing.assert_allclose(
        reference_of(problem, 9.0).on_path[-1], (0.5 * scores / scores.sum(axis=1, keepdims=True)).ravel(), atol=1e-8
    )


@pytest.mark.slow
@engines
def test_costs_too_fast_to_follow_fail_the_verdict_though_the_path_is_right(engine):
    solution = af.solve(DriftingTransport([["sin(2*t)", 1], [1, 0]], epsilon=0.3, time=20.0), engine=engine)
    assert not solution.passed
    failed = [check.name for check in solution.certificate.checks if not check.passed]
    assert failed == ["the lag is that of the first order"]


BAD = {
    "nothing": ({}, r"give cost, with entries that are functions of t, or costs and their times"),
    "no time": (dict(cost=TWO, time=-1), r"time is -1; give the end of the run"),
    "no epsilon": (dict(cost=TWO, epsilon=None), r"epsilon is None"),
    "epsilon nan": (dict(cost=TWO, epsilon=math.nan), r"epsilon is nan"),
    "unknown name": (dict(cost=[["v", 1], [1, 0]]), r"cost, row 1, column 1, .*: unknown name 'v'"),
    "nan": (dict(cost=[[math.nan, 1], [1, 0]]), r"cost, row 1, column 1: nan is not a finite number"),
    "forbidden": (dict(cost=[[math.inf, 1], [1, 0]]), r"cost, row 1, column 1: inf is not a finite number"),
    "far too dear": (dict(cost=[["exp(9*t)", 1], [1, 0]], time=90.0), r"row 1, column 1 is inf at t = "),
    "unlike masses": (dict(cost=TWO, row=[1, 1], column=[1, 2]), r"both must carry the same mass"),
    "row too long": (dict(cost=TWO, row=[1, 1, 1]), r"row has"),
    "no mass": (dict(cost=[[1, 2, 3], [2, 1, "t"]], column=[0.5, 0.5, 0.0]), r"has no mass"),
    "unlike shapes": (dict(costs=[np.eye(2), np.eye(3)], times=[0, 1]), r"costs differ in shape"),
    "saved late": (dict(cost=TWO, saved=[11.0]), r"saved must be instants after 0, ascending, up to the time, 10"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::analogflow.errors.AssumptionWarning")
@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_problem_is_refused_with_what_is_allowed(reason):
    given, message = BAD[reason]
    with pytest.raises(BadInput, match=message):
        DriftingTransport(**{"time": 10.0, "epsilon": 0.5, **given})


def test_a_file_is_read_back_and_solved(tmp_path, capsys):
    keys = {"cost": [["d", 1.0], [1.0, 0.0]], "inputs": {"d": "0.02*t"}, "row": [0.5, 0.5], "column": [0.25, 0.75],
            "epsilon": 0.5, "time": 40.0, "saved": [20.0, 30.0]}  # fmt: skip
    assert keys_of(problem_of_keys("drifting-transport", keys, "here")) == keys
    path = tmp_path / "p.json"
    path.write_text(json.dumps(keys))
    assert main(["solve", "drifting-transport", str(path), "--engine", "block", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["reference"]["answer"]["instants"] == [20.0, 30.0, 40.0]
    assert np.shape(out["answer"]["lag"]) == (2, 2)


@pytest.mark.ngspice
@pytest.mark.slow
def test_op_amps_follow_it():
    assert af.solve(DriftingTransport(TWO, epsilon=0.5, time=40.0), technology="opamp").passed
