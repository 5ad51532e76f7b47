"""The attention flow in its forms: equations, the sphere, symmetries of the equation, and limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogflow.block_engine import VectorField, integrate
from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.flows import Flow, Sphere, attention
from analogflow.flows.attention import FORMS
from analogflow.passes import nominal_orbit, return_rates
from analogflow.passes import stabilise as stabilise_pass
from analogflow.problems import Attention
from analogflow.problems.attention import uniform_tokens
from analogflow.reference.attention import velocity


def random_problem(seed, n=None, d=None, beta=None, time=1.0):
    rng = np.random.default_rng(seed)
    n, d = n or int(rng.integers(1, 7)), d or int(rng.integers(2, 6))
    beta = beta or float(rng.uniform(0.2, 20))
    return Attention(uniform_tokens(n, d, seed=seed), rng.normal(size=(d, d)), rng.normal(size=(d, d)), beta, time)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_function_graph_and_reference_agree_to_rounding(form, seed):
    problem = random_problem(seed)
    flow = attention(problem, form=form)
    x = uniform_tokens(problem.count, problem.dimension, seed=seed + 1)
    direct = flow.rates(x=x)["x"]
    assert abs(VectorField(flow.graph())(0.0, x.ravel()) - direct.ravel()).max() <= 1e-14
    np.testing.assert_allclose(direct, velocity(flow.problem, x), atol=1e-13 * max(1, abs(problem.V).max()))


@pytest.mark.parametrize("form", FORMS)
@given(st.integers(0, 10**6))
def test_no_token_leaves_its_sphere(form, seed):
    problem = random_problem(seed)
    rate = attention(problem, form=form).rates()["x"]
    assert abs((problem.tokens * rate).sum(axis=1)).max() <= 1e-13 * max(1, abs(rate).max())


@pytest.mark.parametrize("form", FORMS)
@given(st.integers(0, 10**6))
def test_tokens_may_be_listed_in_any_order_and_space_turned(form, seed):
    problem = random_problem(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(problem.count)
    Q, _ = np.linalg.qr(rng.normal(size=(problem.dimension,) * 2))
    turned = Attention(problem.tokens[order] @ Q.T, Q @ problem.B @ Q.T, Q @ problem.V @ Q.T, problem.beta)
    rate, other = attention(problem, form=form).rates()["x"], attention(turned, form=form).rates()["x"]
    np.testing.assert_allclose(other, rate[order] @ Q.T, atol=1e-12 * max(1, abs(rate).max()))


@pytest.mark.slow
def test_cold_softmax_of_many_tokens_tends_to_the_zero_temperature_equation():
    # With tokens everywhere the cold softmax picks the one nearest to Bᵀx; four times as many on a circle halve the rest.
    angles = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    problem = Attention(ring, [[2, 1], [0, 1]], [[1, 0.5], [-0.3, 2]], 2000.0)
    limit = attention(problem, form="zero-temperature").rates()["x"]
    found = [abs(attention(Attention(ring, problem.B, problem.V, b)).rates()["x"] - limit).max() for b in (50, 200, 800)]
    # The mean over a Gaussian of variance 1/(β‖Bᵀx‖) on the circle falls short of length 1 like 1/(2β‖Bᵀx‖).
    np.testing.assert_allclose(np.array(found[:-1]) / found[1:], 4, rtol=0.05)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_sphere_returns_at_twice_the_drive_along_the_token(form, seed):
    problem = random_problem(seed)
    flow = attention(problem, form=form)
    graph = flow.graph()
    orbit = nominal_orbit(graph, flow.keeps, flow.end_time)
    (found,) = return_rates(graph, flow.keeps, orbit)
    rates = []
    for y in orbit:
        x = y.reshape(problem.tokens.shape)
        if form == "softmax":
            scores = problem.beta * x @ problem.B @ x.T
            w = np.exp(scores - scores.max(axis=1, keepdims=True))
            m = w @ x / w.sum(axis=1, keepdims=True)
            rates += (2 * (x * (m @ problem.V.T)).sum(axis=1)).tolist()
        else:
            query = x @ problem.B
            drive = (query / np.linalg.norm(query, axis=1, keepdims=True)) @ problem.V.T
            rates += (2 * (x * drive).sum(axis=1)).tolist()
    assert found.slowest == pytest.approx(min(rates), abs=1e-9)
    assert found.fastest == pytest.approx(max(rates), abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_a_sphere_that_repels_is_mended_and_left_where_it_attracts(form):
    repelling = Attention(uniform_tokens(4, 3, seed=2), np.eye(3), -np.eye(3), 3.0)
    circuit = compile(attention(repelling, form=form))
    assert "sphere of x repels at" in circuit.history[2].note
    assert "(1 − |x_i|²) x_i" in circuit.history[2].note
    flow = circuit.flow
    orbit = nominal_orbit(circuit.graph, flow.keeps, flow.end_time)
    assert return_rates(circuit.graph, flow.keeps, orbit)[0].slowest == pytest.approx(1.0, abs=1e-9)
    attracting = Attention(repelling.tokens, np.eye(3), np.eye(3), 30.0)
    graph = attention(attracting, form=form).graph()
    assert compile(attention(attracting, form=form)).graph.fingerprint() == graph.fingerprint()


def test_without_the_restoring_term_the_sphere_is_lost():
    problem = Attention(uniform_tokens(4, 3, seed=2), np.eye(3), -3 * np.eye(3), 3.0, time=6.0)
    mended, left = compile(attention(problem)), compile(attention(problem), stabilise=False)
    off = {}
    for name, circuit in (("mended", mended), ("left", left)):
        x = integrate(circuit.graph, 6.0).final["x"].reshape(-1, 3)
        off[name] = abs(np.linalg.norm(x, axis=1) - 1).max()
    assert off["mended"] < 1e-8
    assert off["left"] > 1e-3


def test_derivative_in_one_direction_is_that_of_the_jacobian():
    flow = attention(random_problem(5, n=6, d=4, beta=5.0))
    field, direction = VectorField(flow.graph()), np.random.default_rng(1).normal(size=24)
    for y in nominal_orbit(flow.graph(), flow.keeps, flow.end_time)[::3]:
        np.testing.assert_allclose(field.directional(y, direction), field.jacobian(y) @ direction, atol=1e-12)


@given(st.integers(0, 10**6))
def test_sphere_projects_measures_and_restores_row_by_row(seed):
    rng = np.random.default_rng(seed)
    rows, d = int(rng.integers(1, 5)), int(rng.integers(2, 5))
    sphere = Sphere("x", d)
    x = rng.normal(size=(3, rows * d)) + 0.1
    on = sphere.project(x)
    assert abs(sphere.defect(on)).max() < 1e-14
    lengths = (x.reshape(3, rows, d) ** 2).sum(axis=2)
    worst = abs(lengths - 1).argmax(axis=1)
    np.testing.assert_allclose(sphere.defect(x), lengths[np.arange(3), worst] - 1, atol=1e-14)
    y = on[0]
    normals, rate = sphere.normal(y), 1e-6
    assert normals.shape == (rows, rows * d)
    np.testing.assert_allclose(normals @ sphere.transverse(y), 1, atol=1e-14)
    # |x|² − 1 shrinks at rate 1 near the sphere, and a point on it does not move.
    assert abs(sphere.restore(y)).max() < 1e-15
    slope = 2 * normals @ sphere.restore(y * (1 + rate)) / (((1 + rate) ** 2) - 1)
    np.testing.assert_allclose(slope, -1, atol=1e-5)


def test_flow_carries_the_problem_it_solves_and_its_end():
    problem = random_problem(3, time=2.5)
    assert attention(problem).end_time == 2.5
    assert attention(problem).problem is problem
    assert attention(problem).form == "softmax"
    cold = attention(problem, form="zero-temperature")
    assert math.isinf(cold.problem.beta)
    assert attention(cold.problem).form == "zero-temperature"


def test_what_has_no_form_is_refused():
    problem = random_problem(3)
    with pytest.raises(BadInput, match=r"form 'hardmax' of the attention flow is not known; known are: softmax, zero-temp"):
        attention(problem, form="hardmax")
    with pytest.raises(BadInput, match=r"form 'softmax' needs a finite beta; give one, or take the form 'zero-temperature'"):
        attention(problem.at_zero_temperature(), form="softmax")
    singular = Attention(problem.tokens, np.zeros_like(problem.B), problem.V, 1.0)
    with pytest.raises(BadInput, match=r"B is singular, so that the zero-temperature equation is not defined"):
        attention(singular, form="zero-temperature")
    with pytest.raises(BadInput, match=r"Flow\.end_time: -1 is not a positive number of time constants"):
        Flow(lambda x: -x, {"x": [1.0]}, end_time=-1)


def test_large_problems_compile_to_a_mended_graph_and_keep_the_sphere():
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(2, 10, 10))
    flow = attention(Attention(uniform_tokens(500, 10, seed=1), matrices[0], matrices[1], 5.0, time=0.2))
    orbit = nominal_orbit(flow.graph(), flow.keeps, end_time=flow.end_time)
    graph, note = stabilise_pass(flow.graph(), flow.keeps, orbit, gauge="", mend=True)
    assert "added" in note
    run = integrate(graph, 0.2)
    x = run.final["x"].reshape(500, 10)
    assert abs(np.linalg.norm(x, axis=1) - 1).max() < 1e-8
