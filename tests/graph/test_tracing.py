"""A function read twice: tracing grows a graph that computes what the function computes, or refuses with the place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogflow.block_engine import VectorField
from analogflow.errors import Untraceable
from analogflow.graph import comparator, log, normalise, softmax, switch, trace

RNG = np.random.default_rng(7)
M = RNG.uniform(0.1, 1, (3, 4))
A = RNG.uniform(0.2, 0.9, 4)
X = RNG.uniform(0.2, 0.9, (2, 4))

VECTOR_FUNCTIONS = {
    "arithmetic": lambda x: 2 * x - x / 3 + 1.5 - -x + A * x,
    "right-hand constants": lambda x: 1 - x + A / x + 1 / (x + 1),
    "matrix products": lambda x: M.T @ (M @ x) + (x @ M.T) @ M,
    "inner product": lambda x: (x @ x) * A + np.dot(A, x),
    "elementwise": lambda x: np.log(x) + np.exp(x) + np.sqrt(x) + np.tanh(x) + np.square(x) + np.sin(x) * np.cos(x),
    "powers": lambda x: x**0 + x**2 + x**3 + x**4 + x**0.5 + x**-1 + x**1.7 + x**-0.3 + x**2.5 + x**-1.5,
    "hyperbolas and arcs": lambda x: np.sinh(x) + np.cosh(2 * x) + np.arctan(3 * x),
    "extremes": lambda x: np.maximum(x, 0.5) + np.minimum(x, 0.4) + np.maximum(0, x - 0.5) + abs(x - 0.6),
    "sums": lambda x: x - x.sum() + np.sum(x) * A + x.mean(),
    "indexing": lambda x: x[::-1] + x[[0, 0, 1, 2]] + x[2],
    "operators": lambda x: softmax(x) + normalise(x - 0.4) + log(x) + softmax(x, offsets=A) + softmax(x, tail=2.0),
    "switching": lambda x: switch(x, comparator(x, 0.5)) + comparator(x, x[::-1], width=0.1),
    "unrolled loop": lambda x: sum(x[k] * A for k in range(4)),
}
MATRIX_FUNCTIONS = {
    "products with constants": lambda x: (x @ M.T) @ M + np.eye(2) @ x,
    "product of signals": lambda x: (x @ x.T) @ x,
    "rows": lambda x: softmax(x) + normalise(x) + softmax(x, tail=[0.5, 2.0]),
    "axes": lambda x: x - x.sum(axis=0) + x.sum(axis=1)[:, None] + x[0],
    "reshaping": lambda x: x.T.reshape(2, 4) + x.reshape((4, 2)).T,
}


def difference(function, x):
    graph = trace(function, {"x": x})
    traced = VectorField(graph)(0.0, x.ravel()).reshape(x.shape)
    return abs(traced - function(x)).max()


@pytest.mark.parametrize("name", VECTOR_FUNCTIONS)
def test_traced_vector_function_computes_the_same(name):
    assert difference(VECTOR_FUNCTIONS[name], A + 0.05) < 1e-13


@pytest.mark.parametrize("name", MATRIX_FUNCTIONS)
def test_traced_matrix_function_computes_the_same(name):
    assert difference(MATRIX_FUNCTIONS[name], X) < 1e-13


@given(st.lists(st.floats(0.1, 2.0), min_size=4, max_size=4), st.sampled_from(sorted(VECTOR_FUNCTIONS)))
def test_traced_functions_agree_at_any_point(point, name):
    x = np.array(point)
    assert difference(VECTOR_FUNCTIONS[name], x) <= 1e-12 * max(1, abs(VECTOR_FUNCTIONS[name](x)).max())


@pytest.mark.parametrize("name", VECTOR_FUNCTIONS)
def test_jacobian_follows_from_the_blocks(name):
    x, step = A + 0.05, 1e-6
    field = VectorField(trace(VECTOR_FUNCTIONS[name], {"x": x}))
    slopes = np.array([(field(0, x + step * e) - field(0, x - step * e)) / (2 * step) for e in np.eye(4)]).T
    np.testing.assert_allclose(field.jacobian(x), slopes, atol=1e-6, rtol=1e-6)


def test_common_subexpressions_are_placed_once():
    graph = trace(lambda x: np.log(M @ x).sum() * x + np.log(M @ x).sum(), {"x": A})
    kinds = [graph.block(node).kind() for node in graph]
    assert kinds.count("log") == 1
    assert kinds.count("crossbar") == 2


def test_graph_prints_every_block_with_the_users_line():
    def halved(x):
        return -0.5 * np.tanh(x)  # half of it

    text = str(trace(halved, {"x": A}))
    assert "return -0.5 * np.tanh(x)   (test_tracing.py:" in text
    assert "half of it" not in text


REFUSED = {
    "np.arcsin has no block": lambda x: np.arcsin(x),
    "a decision on a signal": lambda x: x if x[0] > 0 else -x,
    "only powers that are numbers": lambda x: x ** np.array([1.0, 2.0]),
    "from −64 to 64": lambda x: x**65,
    "assigned to in place": lambda x: x.__setitem__(0, 1.0) or x,
    "an operation in place": lambda x: np.add(x, 1.0, out=x),
    "this function needs numbers": lambda x: np.asarray(x),
    "no single number": lambda x: float(x[0]) * x,
    "do not fit together": lambda x: x + np.ones(3),
    "matrix product of shapes": lambda x: M.T @ x,
    "np.cumsum has no block": lambda x: np.cumsum(x),
    "division by the constant 0": lambda x: x / np.zeros(4),
    "np.multiply.reduce has no block": lambda x: np.multiply.reduce(x),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_block_is_refused_with_file_and_line(reason):
    with np.errstate(all="ignore"), pytest.raises(Untraceable, match=rf"test_tracing\.py:\d+: .*{reason}"):
        trace(REFUSED[reason], {"x": A})


def test_rates_that_do_not_fit_are_refused():
    with pytest.raises(Untraceable, match=r"rate of shape \(3,\) for the state 'x' of shape \(4,\)"):
        trace(lambda x: x[:3], {"x": A})
    with pytest.raises(Untraceable, match="one rate for each of the states x, y"):
        trace(lambda x, y: x, {"x": A, "y": A})


def test_a_function_with_other_arguments_is_refused():
    with pytest.raises(Untraceable, match=r"test_tracing\.py:\d+: <lambda> can not be called with the states x: too many"):
        trace(lambda: 0.0, {"x": A})
    said = r"with the states x and, by their names, the constants A: .*'B'"
    with pytest.raises(Untraceable, match=said):
        trace(lambda x, B: x, {"x": A}, constants={"A": A})
    with pytest.raises(Untraceable, match=r"^the observable 'y', .* can not be called with the states x and.*'A'"):
        trace(lambda x, A: x, {"x": A}, constants={"A": A}, observables={"y": lambda x: x})
    assert trace(np.tanh, {"x": A}).states  # of which Python knows no arguments


@pytest.mark.parametrize("power", [-8, -7, -1, 1, 2, 3, 4, 5, 7, 8, 64])
def test_whole_powers_are_products(power):
    graph = trace(lambda x: x**power, {"x": A})
    state = np.array([-1.01, 0.97, 1.5, 0.3])
    np.testing.assert_allclose(VectorField(graph)(0.0, state), state**power, rtol=1e-13)
    assert [graph.block(node).kind() for node in graph].count("multiplier") <= 2 * abs(power).bit_length() - 2


def test_two_states_feed_each_other():
    graph = trace(lambda x, y: (y, -x), {"x": np.array([1.0]), "y": np.array([0.0])})
    np.testing.assert_array_equal(VectorField(graph)(0.0, np.array([0.3, 0.7])), [0.7, -0.3])


@pytest.mark.parametrize("method", ["max", "std", "copy", "ravel", "astype"])
def test_a_method_of_arrays_without_a_block_is_refused_with_the_line(method):
    def relax(x):
        return -getattr(x, method)(*["float"] * (method == "astype"))

    with pytest.raises(Untraceable, match=rf"test_tracing.*'{method}' has no block"):
        trace(relax, {"x": np.zeros(2)})
