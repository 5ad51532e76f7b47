"""Manifolds: a flow gets one verdict whether it is written in Python or as text, whichever manifold it keeps."""

import ast
import typing
from pathlib import Path

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.families import problem_of
from analogflow.flows import Invariant, custom
from analogflow.judgement import judge

P1 = PAPER.transition
FITNESS = np.array([0.2, 1.0, 0.5])
SYMMETRIC = np.array([[1.0, 0.4, 0.1], [0.4, 0.2, 0.0], [0.1, 0.0, -0.5]])


def replicator(z, fitness):
    return z * (fitness - (z * fitness).sum())


def oja(x, A):
    drive = A @ x
    return drive - x * (x * drive).sum()


def consensus(x, target):
    away = x - x.mean()
    return np.tanh(target - away) - np.tanh(target - away).mean()


def logdomain(u, P, entropies):
    z = af.softmax(u)
    return entropies - P @ np.log(P.T @ z)


LOGS = {"P": P1, "entropies": (P1 * np.log(P1)).sum(axis=1)}
FLOWS = {
    af.Simplex: (
        af.Flow(replicator, {"z": np.full(3, 1 / 3)}, keeps=(af.Simplex("z"),), constants={"fitness": FITNESS}),
        {"z": "z * (fitness - sum(z * fitness))"},
        "simplex",
    ),
    af.Sphere: (
        af.Flow(oja, {"x": np.array([0.6, 0.0, 0.8])}, keeps=(af.Sphere("x", 3),), constants={"A": SYMMETRIC}),
        {"x": "A @ x - x * sum(x * (A @ x))"},
        "sphere",
    ),
    af.WeightedMean: (
        af.Flow(
            consensus,
            {"x": np.array([2.0, -1.0, 4.0])},
            keeps=(af.WeightedMean("x", (1.0, 1.0, 1.0)),),
            constants={"target": FITNESS},
        ),
        {"x": "tanh(target - x + mean(x)) - mean(tanh(target - x + mean(x)))"},
        "mean",
    ),
    af.CommonMode: (
        af.Flow(
            logdomain,
            {"u": np.zeros(3)},
            keeps=(af.CommonMode("u"),),
            constants=LOGS,
            observables={"z": lambda u, P, entropies: af.softmax(u)},
        ),
        {"u": "entropies - P @ log(transpose(P) @ softmax(u))"},
        "mean",
    ),
}  # fmt: skip
"""For each class: a flow that keeps it, the same equations as text, and what a file calls the manifold."""


def as_text(kind: type) -> af.Equations:
    flow, equations, manifold = FLOWS[kind]
    (name,) = flow.states
    observables = {"z": "softmax(u)"} if kind is af.CommonMode else {}
    return af.Equations(
        dict(flow.states), equations, constants=dict(flow.constants), observables=observables, manifolds={name: manifold}
    )


def wrong(flow: af.Flow) -> af.Run:
    """A run of nearly the same equations: every rate is larger for the first element, by a hundredth of it."""
    (name,) = flow.states
    tilt = np.zeros(flow.states[name].size)
    tilt[0] = 0.01
    function = flow.function
    tilted = af.Flow(
        lambda state, **constants: function(state, **constants) + tilt * state,
        flow.states,
        keeps=flow.keeps,
        constants=flow.constants,
        observables=flow.observables,
    )
    return af.simulate(af.netlist(af.compile(tilted), time_constants=3.0), engine="block")


def test_there_is_a_flow_for_every_manifold():
    assert set(FLOWS) == set(typing.get_args(Invariant))


@pytest.mark.parametrize("kind", FLOWS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("time", [None, 3.0])
def test_python_and_text_get_one_verdict_where_the_answer_is_right(kind, time):
    flow, *_ = FLOWS[kind]
    for given in (flow, as_text(kind)):
        solution = af.solve(given, engine="block", time_constants=time)
        assert [check for check in solution.certificate.checks if not check.passed and check.name != "ran to its end"] == []
        assert solution.passed or time is not None


@pytest.mark.parametrize("kind", FLOWS, ids=lambda kind: kind.__name__)
def test_python_and_text_get_one_verdict_where_it_is_wrong(kind):
    flow, *_ = FLOWS[kind]
    run = wrong(flow)
    verdicts = [af.certify(given, run) for given in (flow, as_text(kind))]
    for verdict in verdicts:
        assert [check.name for check in verdict.checks if not check.passed] == ["states agree with the reference"]
    assert verdicts[0].errors == pytest.approx(verdicts[1].errors, rel=0.1)  # text knows the plain mean only


@pytest.mark.parametrize("kind", FLOWS, ids=lambda kind: kind.__name__)
def test_a_batch_is_measured_as_one_run_is(kind):
    flow, *_ = FLOWS[kind]
    run = wrong(flow)
    finals, paths = {n: v[-1:] for n, v in run.values.items()}, {n: v[None] for n, v in run.values.items()}
    for given in (flow, custom(as_text(kind))):
        found = judge(problem_of(given), finals, paths=paths, times=run.time).errors
        errors = af.certify(given.problem or given, run).errors
        assert {name: found[name][0] for name in errors} == pytest.approx(errors, rel=1e-9)


@pytest.mark.parametrize("kind", FLOWS, ids=lambda kind: kind.__name__)
def test_points_are_compared_along_the_last_axis_and_only_what_is_free_is_left_out(kind):
    (kept,) = FLOWS[kind][0].keeps
    points = np.random.default_rng(0).normal(size=(2, 5, 3))
    compared = kept.comparable(points)
    np.testing.assert_allclose(compared[1, 3], kept.comparable(points[1, 3]), atol=1e-15)
    np.testing.assert_allclose(compared - compared[..., :1], points - points[..., :1], atol=1e-14)
    moved = kept.comparable(points + 7.0)
    np.testing.assert_allclose(moved - compared, 7.0 if kept.binding else 0.0, atol=1e-13)


@pytest.mark.parametrize("kind", FLOWS, ids=lambda kind: kind.__name__)
def test_two_answers_are_apart_by_what_counts_of_their_difference(kind):
    flow, *_ = FLOWS[kind]
    answers = np.random.default_rng(1).normal(size=(2, 5, 3))
    tilt = np.array([3.0, 0.0, -1.0])
    assert flow.apart(answers, answers + 7.0) == pytest.approx(
        np.full((2, 5), 7.0 if flow.keeps[0].binding else 0.0), abs=1e-13
    )
    assert (flow.apart(answers, answers + tilt) > 1.0).all()


@pytest.mark.parametrize("kind", FLOWS, ids=lambda kind: kind.__name__)
def test_a_push_is_a_step_of_its_size_that_stays_on_what_binds(kind):
    flow, *_ = FLOWS[kind]
    (kept,), (start,) = flow.keeps, flow.states.values()
    direction = np.random.default_rng(2).normal(size=(40, 3))
    ends = np.stack([kept.onto(row) for row in np.random.default_rng(3).normal(size=(40, 3))])
    moved = kept.pushed(ends, start, direction, 0.01)
    assert (flow.apart(ends, moved) > 1e-5).all()
    assert (flow.apart(ends, moved) < 0.5).all()  # of logarithms, small shares move most
    assert len(np.unique((kept.comparable(moved) - kept.comparable(ends)).round(9), axis=0)) > 4
    if kept.binding:
        np.testing.assert_allclose(kept.defect(moved), 0.0, atol=1e-12)
        low, high = kept.bounds
        assert ((moved >= low) & (moved <= high)).all()


def test_what_starts_at_0_is_outside_the_support_of_a_distribution_and_no_push_brings_it_in():
    kept, start = af.Simplex("z"), np.array([0.5, 0.0, 0.5])
    assert kept.support(start).tolist() == [True, False, True]
    moved = kept.pushed(np.array([[1.0, 0.0, 0.0]] * 5), start, np.random.default_rng(0).normal(size=(5, 3)), 0.1)
    assert (moved[:, 1] == 0).all()
    assert (moved[:, 2] > 0).all()


def told_apart(source: str) -> list[int]:
    """Lines on which a manifold's class is asked for, by isinstance, by its type or in a case."""
    kinds, found = {kind.__name__ for kind in FLOWS}, []
    for node in ast.walk(ast.parse(source)):
        asks = isinstance(node, ast.Compare) or (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass")
        )
        if (asks or isinstance(node, ast.MatchClass)) and kinds & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}:
            found.append(node.lineno)
    return found


@pytest.mark.slow
def test_nothing_in_the_package_tells_manifolds_apart():
    assert told_apart("if isinstance(kept, Simplex | Sphere): pass") == [1]
    assert told_apart("match kept:\n    case Sphere(): pass") == [2]
    assert told_apart("ok = type(kept) is CommonMode") == [1]
    package = Path(af.__file__).parent
    found = {file.name: told_apart(file.read_text("utf-8")) for file in package.rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_own_equations_in_the_log_domain_find_the_capacity():
    solution = af.solve(FLOWS[af.CommonMode][0], engine="block")
    z = np.array(solution.certificate.answer["z"])
    assert solution.passed
    # By Kuhn and Tucker no input tells more than z does where z is best.
    told = LOGS["entropies"] - P1 @ np.log(P1.T @ z)
    assert told.max() == pytest.approx(z @ told, abs=1e-8)
