"""Expressions from text: they compute what Python would, and nothing outside the whitelist gets through."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogflow import compile
from analogflow.errors import BadInput
from analogflow.families import flow_of
from analogflow.problems import Equations
from analogflow.problems.expression import FUNCTIONS, read_expression

VALUES = {"x": np.array([0.3, 0.7, 1.1]), "y": 0.4, "A": np.arange(9.0).reshape(3, 3) / 7}
MEANINGS = {
    "x + 2*y - x/3": lambda x, y, A: x + 2 * y - x / 3,
    "-x**2 + x**0.5 + y**-1 + x**(-3/2)": lambda x, y, A: -(x**2) + x**0.5 + 1 / y + x**-1.5,
    "A @ x + transpose(A) @ x": lambda x, y, A: A @ x + A.T @ x,
    "exp(-x) * log(x) + sqrt(x) + tanh(x) + sin(x)*cos(y) + abs(y - x)": lambda x, y, A: (
        np.exp(-x) * np.log(x) + np.sqrt(x) + np.tanh(x) + np.sin(x) * np.cos(y) + abs(y - x)
    ),
    "maximum(x, y) - minimum(x, 0.5)": lambda x, y, A: np.maximum(x, y) - np.minimum(x, 0.5),
    "sum(x * x) + mean(A)": lambda x, y, A: (x * x).sum() + A.mean(),
    "softmax(2*x) + normalise(x - 0.5)": lambda x, y, A: (
        np.exp(2 * x) / np.exp(2 * x).sum() + np.maximum(x - 0.5, 0) / np.maximum(x - 0.5, 0).sum()
    ),
    "x[0] * A[1, 2] + x[-1]": lambda x, y, A: x[0] * A[1, 2] + x[-1],
    "sign(x - 0.5) + clip(x, 0.5, y + 0.5)": lambda x, y, A: np.sign(x - 0.5) + np.clip(x, 0.5, 0.9),
    "arctan(3*x) + sinh(x) - cosh(y*x)": lambda x, y, A: np.arctan(3 * x) + np.sinh(x) - np.cosh(y * x),
    "switch(x, comparator(x, 0.5))": lambda x, y, A: x * (x > 0.5),
}
REFUSED = {
    "x * pi": r"unknown name 'pi' at column 5; write 3.141592653589793, or pi = 3.141592653589793 under constants",
    "-x(y - 1)": r"'x' at column 2 is a quantity and no function; write x for its value at t, x \* \(…\) for a product",
    "z + 1": r"unknown name 'z' at column 1; known are: A, x, y",
    "x + yy": r"unknown name 'yy' at column 5; did you mean y",
    "__import__('os')": r"unknown function '__import__'",
    "x.T": r"Attribute at column 1 is not allowed",
    "x.__class__": r"Attribute at column 1 is not allowed",
    "(lambda: x)()": r"Call at column 1 is not allowed",
    "[x for x in x]": r"ListComp at column 1 is not allowed",
    "x if y else x": r"IfExp at column 1 is not allowed",
    "x < y": r"Compare at column 1 is not allowed",
    "'text'": r"Constant at column 1 is not allowed",
    "True": r"Constant at column 1 is not allowed",
    "1j * x": r"Constant at column 1 is not allowed",
    "x ** y": r"the exponent at column 1 must be a number from -64 to 64",
    "9**9**9": r"the exponent at column 1 must be",
    "x // y": r"BinOp at column 1 is not allowed",
    "x[0:2]": r"an index at column 1 must be a whole number",
    "x[y]": r"an index at column 1 must be a whole number",
    "exp(x, y)": r"exp at column 1 takes 1 argument\(s\), not 2",
    "exp(x=y)": r"Call at column 1 is not allowed",
    "x +": r"can not be read",
    "x; y": r"can not be read",
    "1e999": r"the number at column 1 is too large",
    "9" * 400: r"the number at column 1 is too large",
    "": r"is not an expression",
    "x\x00": r"can not be read",
    "(" * 300 + "x" + ")" * 300: r"can not be read|nested too deeply",
    "-" * 100 + "x": r"nested too deeply",
    "x+" * 3000 + "x": r"has at most 4000 characters",
}


@pytest.mark.parametrize("text", MEANINGS)
def test_expression_means_what_it_says(text):
    found = read_expression(text, VALUES, where="here").evaluate(VALUES)
    np.testing.assert_allclose(found, MEANINGS[text](**VALUES), rtol=1e-13)


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_on_the_whitelist_is_refused_with_its_place(text):
    with pytest.raises(BadInput, match=REFUSED[text]):
        read_expression(text, VALUES, where="the rate of x")


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}, b"x"])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(BadInput, match=r"here: .* is not an expression"):
        read_expression(value, VALUES, where="here")


def test_a_comparison_chooses_between_two_values():
    for text in ("where(x > 0.5, x, 3)", "where(0.5 < x, x, 3)", "where(x >= 0.5, x, 3)", "where(comparator(x, 0.5), x, 3)"):
        found = read_expression(text, VALUES, where="here").evaluate(VALUES)
        np.testing.assert_allclose(found, np.where(VALUES["x"] > 0.5, VALUES["x"], 3), rtol=1e-13)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("x if x > y else y", r"write where\(a > b, x, y\)"),
        ("x > y", r"write comparator\(a, b\)"),
        ("x ^ 2", r"write \*\* for a power"),
        ("tan(x)", r"write sin\(x\) / cos\(x\)"),
        ("np.sin(x)", r"write the function's name alone, as in sin\(x\)"),
        ("where(x > y > 0, x, y)", r"write comparator"),
        ("max(x, y)", r"write maximum\(a, b\)"),
    ],
)
def test_a_refusal_says_what_to_write_instead(text, instead):
    with pytest.raises(BadInput, match=instead):
        read_expression(text, VALUES, where="here")


def test_numbers_are_expressions():
    assert read_expression(3, (), where="here").evaluate({}) == 3.0


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan")])
def test_numbers_that_no_float_holds_are_refused(value):
    with pytest.raises(BadInput, match=r"here: .* is not a finite number"):
        read_expression(value, (), where="here")


def test_names_are_those_of_quantities():
    assert read_expression("exp(x) + A @ x * 2", VALUES, where="here").names == {"x", "A"}


@pytest.mark.parametrize("text", ["x @ A[0]  @ A", "x[7]", "A @ y", "x + A[0, 0, 0]"])
def test_shapes_that_do_not_fit_are_said(text):
    with pytest.raises(BadInput, match=r"the rate of x, .*: this can not be computed"):
        read_expression(text, VALUES, where="the rate of x").evaluate(VALUES)


def test_what_has_no_block_is_said_of_the_text_and_not_of_the_code_that_reads_it():
    with pytest.raises(
        BadInput, match=r"equations.x, '-x \+ minimum\(x / 0, 1\)' can not become a circuit: a division by the constant 0"
    ) as raised:
        compile(flow_of(Equations({"x": 0.5}, {"x": "-x + minimum(x / 0, 1)"})))
    assert ".py" not in str(raised.value)


def read_or_say(text):
    """Message of the refusal; none if the text is an expression."""
    try:
        with np.errstate(all="ignore"):
            read_expression(text, VALUES, where="here").evaluate(VALUES)
    except BadInput as fault:
        return str(fault)
    return "here: no fault"


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_a_sentence(text):
    assert read_or_say(text).startswith("here")


PIECES = st.sampled_from(
    [*FUNCTIONS, "x", "y", "A", "+", "-", "*", "/", "**", "@", "(", ")", "[", "]", ",", "2", "0.5", "1e9"]
)


@given(st.lists(PIECES, max_size=12))
def test_any_heap_of_words_is_an_expression_or_a_sentence(words):
    assert read_or_say(" ".join(words)).startswith("here")


def test_an_expression_computes_after_a_journey_to_another_process():
    expression = read_expression("2*x + exp(x)", ["x"], where="here")
    assert expression.evaluate({"x": 1.0}) == 2 + np.exp(1.0)
    assert pickle.loads(pickle.dumps(expression)).evaluate({"x": 1.0}) == 2 + np.exp(1.0)


def test_what_computes_is_made_once_and_knows_no_name_of_the_text():
    expression = read_expression("x**2 - open*exp(x)/3", ["x", "open"], where="here")
    expression.evaluate({"x": 1.0, "open": 2.0})
    made = expression._function
    expression.evaluate({"x": 2.0, "open": 2.0})
    assert expression._function is made
    assert made.__code__.co_names == ()
    assert made.__code__.co_varnames == ("values", "functions")
    assert made.__globals__ == {"__builtins__": {}}


def test_a_number_with_an_index_is_refused_where_it_is_computed():
    with pytest.raises(BadInput, match="'float' object is not subscriptable"):
        read_expression("2[0]", [], where="here").evaluate({})
