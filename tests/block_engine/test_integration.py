"""The march: fitted orders of its methods, dense output, samples that fail or settle alone, noise knot by knot."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from analogflow.block_engine import (
    EXPLICIT,
    IMPLICIT,
    Drive,
    ErrorLimits,
    VectorField,
    compiled,
    integrate,
    march,
    method_for,
    methods,
)
from analogflow.block_engine.methods import Method
from analogflow.blocks import Imperfections
from analogflow.flows import Flow, rate_distortion
from analogflow.noise import Noise
from analogflow.passes import degrade_graph
from analogflow.problems import RateDistortion
from analogflow.run import Outcome

METHODS = {"explicit": EXPLICIT, "implicit": IMPLICIT}


def field_of(function, **states):
    return VectorField(Flow(function, {name: np.array(value, dtype=float) for name, value in states.items()}).graph())


def predator(x, y):
    return x * (1.5 - y), y * (x - 1.0)


def fixed_steps(field: VectorField, y: np.ndarray, length: float, steps: int, method: Method) -> np.ndarray:
    """Without error control: what the order of a method shows in."""
    h = np.full((len(y), 1), length / steps)
    for _ in range(steps):
        step = method(field, y, field(0.0, y), h, lambda fraction: None, None)
        y = step.end
    return y


@pytest.mark.parametrize("tangents", [1, 1 << 24])
def test_a_method_is_chosen_by_parts_as_by_all_at_once(tangents, monkeypatch):
    """One stiff start among many decides, in whichever part it is; one that is no number forbids the implicit method."""
    monkeypatch.setattr(methods, "_TANGENTS", tangents)
    field, starts = field_of(lambda x: -x * x * x, x=[1.0]), np.array([[0.1], [0.2], [9.0], [0.3], [0.1]])
    assert method_for(field, starts) is IMPLICIT
    assert method_for(field, starts[:2]) is EXPLICIT
    assert method_for(field, np.append(starts, [[np.nan]], axis=0)) is EXPLICIT


@pytest.mark.parametrize(("name", "order"), [("explicit", 5), ("implicit", 4)])
def test_order(name, order):
    field = field_of(predator, x=[2.0], y=[1.0])
    start = np.array([[2.0, 1.0], [0.5, 0.7]])
    exact = np.array([solve_ivp(field, (0, 2), y, method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1] for y in start])
    errors = [abs(fixed_steps(field, start, 2.0, steps, METHODS[name]) - exact).max() for steps in (20, 40, 80)]
    fitted = np.log2(errors[:-1]) - np.log2(errors[1:])
    assert fitted[-1] == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(("name", "order"), [("explicit", 4), ("implicit", 3)])
def test_order_inside_a_step(name, order):
    field = field_of(predator, x=[2.0], y=[1.0])
    start = np.array([[2.0, 1.0]])
    errors = []
    for h in (0.2, 0.1, 0.05):
        step = METHODS[name](field, start, field(0.0, start), np.array([[h]]), lambda fraction: None, None)
        exact = solve_ivp(field, (0, 0.4 * h), start[0], method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
        errors.append(abs(step.inside(np.array([0]), np.array([0.4]))[0] - exact).max())
    fitted = np.log2(errors[:-1]) - np.log2(errors[1:])
    assert fitted[-1] > order + 0.7  # the local error is of one order more


@pytest.mark.parametrize("name", METHODS)
def test_paths_of_many_starts_agree_with_scipy(name):
    field = field_of(predator, x=[2.0], y=[1.0])
    starts = np.random.default_rng(2).uniform(0.3, 2.5, (17, 2))
    times = np.linspace(0, 12, 41)
    walked = march(field, starts, times, 12.0, METHODS[name], tolerances=ErrorLimits(1e-8, 1e-10))
    for k, start in enumerate(starts):
        exact = solve_ivp(field, (0, 12), start, method="DOP853", rtol=1e-12, atol=1e-13, t_eval=times).y.T
        np.testing.assert_allclose(walked.states[k], exact, atol=2e-6)
    assert (walked.end == 12.0).all()
    assert not walked.failed.any()
    np.testing.assert_array_equal(walked.states[:, -1], walked.final)


def test_a_stiff_problem_takes_few_implicit_steps():
    def stiff(x):
        return np.array([[-1.0, 0.0], [1000.0, -1000.0]]) @ x

    field = field_of(stiff, x=[1.0, 0.0])
    matrix = np.array([[-1.0, 0.0], [1000.0, -1000.0]])
    start = np.array([[1.0, 0.0]])
    assert method_for(field, start) is IMPLICIT
    assert method_for(field, start, longest=1e-3) is EXPLICIT
    assert method_for(field, start, longest=1e-2) is IMPLICIT
    assert method_for(field_of(predator, x=[2.0], y=[1.0]), start) is EXPLICIT
    times = np.array([0.0, 0.001, 0.5, 5.0])
    implicit = march(field, start, times, 5.0, IMPLICIT, tolerances=ErrorLimits(1e-6, 1e-9))
    explicit = march(field, start, times, 5.0, EXPLICIT, tolerances=ErrorLimits(1e-6, 1e-9))
    exact = np.array([expm(matrix * t) @ start[0] for t in times])
    np.testing.assert_allclose(implicit.states[0], exact, atol=1e-5)
    np.testing.assert_allclose(explicit.states[0], exact, atol=1e-5)
    assert 10 * implicit.steps < explicit.steps


def test_one_sample_that_runs_away_is_frozen_and_the_others_go_on():
    def runaway(x):
        return x * x - 1.0

    starts = np.array([[0.5], [2.0], [-3.0], [1.0 + 1e-9]])
    times = np.linspace(0, 6, 7)
    walked = march(field_of(runaway, x=[0.0]), starts, times, 6.0, EXPLICIT)
    assert walked.failed.tolist() == [False, True, False, False]
    # x = −coth(t − t0) with coth t0 = 2 runs away at t0 = ½ ln 3.
    assert walked.end[1] == pytest.approx(0.5 * np.log(3), abs=1e-4)
    assert np.isfinite(walked.states).all()
    assert (walked.states[1, 2:] == walked.final[1]).all()
    np.testing.assert_allclose(walked.final[[0, 2]], -1, atol=1e-3)


def test_each_sample_settles_at_a_time_of_its_own():
    def decay(x):
        return -x

    starts = np.array([[1.0], [1e-3], [0.0]])
    walked = march(field_of(decay, x=[1.0]), starts, np.empty(0), 100.0, EXPLICIT, tolerances=ErrorLimits(1e-7, 1e-12, 1e-6))
    assert walked.settled.all()
    assert walked.end[0] > walked.end[1] + 5 > walked.end[2]
    assert (abs(walked.final[:, 0]) < 1e-5).all()


@pytest.mark.parametrize("name", METHODS)
def test_noise_is_followed_knot_by_knot(name):
    """An OU process driven by straight lines has a path in closed form, one interval after another."""

    def decay(x):
        return -x

    graph = degrade_graph(Flow(decay, {"x": np.array([0.3])}).graph(), Imperfections(), sigma=0.5)
    field, noise = VectorField(graph), Noise(0.5, seed=3, step=0.2)
    drive = Drive(field, noise, range(4), 10.0)
    times = noise.knot_times(10.0)
    walked = march(field, np.full((4, 1), 0.3), times, 10.0, METHODS[name], drive=drive, tolerances=ErrorLimits(1e-9, 1e-11))
    knots, h = drive.knots[:, :, 0], 0.2
    assert knots.std() == pytest.approx(0.5 / np.sqrt(h), rel=0.15)
    exact = np.full((4, len(times)), 0.3)
    e = np.exp(-h)
    for k in range(len(times) - 1):
        slope = (knots[:, k + 1] - knots[:, k]) / h
        exact[:, k + 1] = exact[:, k] * e + knots[:, k] * (1 - e) + slope * (h - 1 + e)
    np.testing.assert_allclose(walked.states[:, :, 0], exact, atol=3e-8)
    np.testing.assert_allclose(walked.final_noise[:, 0], knots[:, 50], rtol=1e-12)
    np.testing.assert_allclose(drive.at(0.1)[:, 0], knots[:, :2].mean(axis=1), rtol=1e-12)


def test_no_sample_depends_on_its_neighbours():
    def decay(x):
        return -x

    graph = degrade_graph(Flow(decay, {"x": np.array([0.3, 0.1])}).graph(), Imperfections(), sigma=0.5)
    field, noise = VectorField(graph), Noise(0.5, seed=3)
    together = march(field, np.full((5, 2), 0.3), np.empty(0), 5.0, EXPLICIT, drive=Drive(field, noise, range(5), 5.0))
    alone = march(field, np.full((1, 2), 0.3), np.empty(0), 5.0, EXPLICIT, drive=Drive(field, noise, [3], 5.0))
    np.testing.assert_allclose(together.final[3], alone.final[0], rtol=1e-13)


def pressed(x):
    """ẋ = x/(x + 1/20) presses towards −1/20, where it has no value, from both sides."""
    return x / (x + 0.05)


@pytest.mark.parametrize("evaluator", ["compiled", "numpy"])
def test_a_step_whose_matrix_is_singular_is_tried_shorter(evaluator, monkeypatch):
    """At rest ẋ = 40x begins with a step of 0.1, over which the implicit method divides by 1/(0.25 · 0.1) − 40."""
    if evaluator == "numpy":
        monkeypatch.setattr(compiled, "library", lambda: None)
    field = field_of(lambda x: 40 * x, x=[0.0])
    found = march(field, np.array([[0.0], [1.0]]), np.array([]), 0.15, IMPLICIT, tolerances=ErrorLimits(1e-5, 1e-7))
    assert found.end.tolist() == [0.15, 0.15]
    assert found.final[0] == 0
    assert found.final[1] == pytest.approx(np.exp(6.0), rel=1e-3)


def test_a_sample_pressed_to_where_the_field_has_no_value_ends_without_holding_the_others():
    """Its slope changes sign there without a limit: steps are taken across it, to and fro, and the time stands still."""
    field = field_of(pressed, x=[-0.01])
    found = march(field, np.array([[-0.01], [0.2]]), np.array([]), 2.0, EXPLICIT, tolerances=ErrorLimits(1e-5, 1e-7))
    assert found.stuck.tolist() == [True, False]
    assert found.end[0] == pytest.approx(0.05 * np.log(5) - 0.04, abs=1e-3)  # t = x₀ − x + ln(x₀/x)/20
    assert found.end[1] == 2.0
    assert found.steps < 10_000


def test_the_single_engine_tells_a_field_without_a_value_from_a_state_that_runs_away():
    graph = Flow(pressed, {"x": np.array([-0.01])}).graph()
    run = integrate(graph, 20.0)
    assert run.outcome is Outcome.STUCK
    assert run.time[-1] == pytest.approx(0.05 * np.log(5) - 0.04, abs=1e-6)
    assert len(run.time) < 10_000
    assert "0.04047 τ" in run.detail


def test_noisy_reproductions_pushed_below_0_do_not_hold_their_ensemble():
    """A letter with a weight below 0 is pressed to where a divisor of T(q) is 0, and is kept there."""
    problem = RateDistortion([0.4, 0.3, 0.2, 0.1], 1 - np.eye(4), 3.0)
    graph = degrade_graph(rate_distortion(problem, form="gibbs").graph(), Imperfections(), sigma=0.1)
    field = VectorField(graph)
    noise, start = Drive(field, Noise(0.1), range(4), 6.0), np.tile(graph.initial(), (4, 1))
    found = march(field, start, np.array([]), 6.0, EXPLICIT, drive=noise, tolerances=ErrorLimits(1e-5, 1e-7))
    assert found.stuck.any()
    assert found.steps < 20_000
    assert (found.end[~found.stuck] == 6.0).all()
