"""Slopes by the chain rule backwards, beside SymPy's formulas and differences of complex steps."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from analogflow import BadInput, Langevin
from analogflow.problems.expression import FUNCTIONS, is_entire, read_expression
from analogflow.problems.slopes import slopes_at

TEXTS = (
    "x**2*y - 3*x + 4", "(x - y)**4/4 + x*y/2", "-(+x - 2)**3", "2 - x*x + (3 - y)", "x/y - 2/x", "y**-2 + x**1.5 + x**0",
    "exp(-x**2) * cos(3*x*y) + sin(x + y)", "log(x**2 + exp(y))", "sqrt(x**2 + y**2 + 0.1) / (1 + tanh(x - y))",
    "sinh(x) * cosh(y) - cosh(x*y)", "tanh(tanh(x) + y)**3 / 7", "7",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_slopes_are_those_that_sympy_finds(text):
    rng = np.random.default_rng(3)
    values = {name: rng.uniform(0.2, 2.0, size=40) for name in ("x", "y")}
    found = slopes_at(read_expression(text, values, where="it"), values)
    symbols = sympy.symbols("x y", positive=True)
    formula = sympy.sympify(text, dict(zip(values, symbols, strict=True)))
    for slope, symbol in zip(found, symbols, strict=True):
        expected = sympy.lambdify(symbols, sympy.diff(formula, symbol), "numpy")(*values.values())
        np.testing.assert_allclose(np.broadcast_to(slope, 40), np.broadcast_to(expected, 40), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_an_imaginary_step_of_a_slope_is_its_own_slope(text):
    rng = np.random.default_rng(4)
    values = {name: rng.uniform(0.2, 2.0, size=20) for name in ("x", "y")}
    expression = read_expression(text, values, where="it")
    moved = {"x": values["x"] + 1e-30j, "y": values["y"] + 0j}
    found = np.imag(np.broadcast_to(slopes_at(expression, moved)[0], 20)) / 1e-30
    x, y = sympy.symbols("x y", positive=True)
    expected = sympy.lambdify((x, y), sympy.diff(sympy.sympify(text, {"x": x, "y": y}), x, x), "numpy")(*values.values())
    np.testing.assert_allclose(found, np.broadcast_to(expected, 20), rtol=1e-11, atol=1e-12)


def test_one_slope_may_be_asked_for_twice_and_a_square_is_a_product():
    x = np.linspace(-2, 2, 9)
    expression = read_expression("x*x*x", ["x"], where="it")
    np.testing.assert_allclose(slopes_at(expression, {"x": x})[0], 3 * x**2)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("x**4/4 - 2*x**2 + tanh(x)*cos(3*x) - exp(-x)", True), ("x**3/2 + sinh(x)/cosh(1)", False), ("x**2/0", False),
        ("1/(1 + x**2)", False), ("log(x)", False), ("sqrt(x**2)", False), ("x**1.5", False), ("x**-2", False),
        ("abs(x)", False), ("x**0", False),
    ],
)  # fmt: skip
def test_what_is_smooth_everywhere_is_seen_from_the_formula(text, seen):
    assert is_entire(read_expression(text, ["x"], where="it")) is seen


def test_only_what_sympy_differentiates_without_a_fault_counts_as_smooth_everywhere():
    unary = [name for name, (count, _) in FUNCTIONS.items() if count == 1]
    seen = {name for name in unary if is_entire(read_expression(f"{name}(x)", ["x"], where="it"))}
    assert seen == {"exp", "tanh", "sin", "cos", "sinh", "cosh"}


@pytest.mark.parametrize(
    ("energy", "reason"),
    [
        ("x**2 + sqrt(x**2)", "not smooth in x"), ("x**2 + abs(x)", "can not be differentiated"),
        ("x**2 + x*1/0", "not finite"), ("x**2 + maximum(x, 0)", "can not be differentiated"),
    ],
)  # fmt: skip
def test_energies_without_a_slope_everywhere_are_refused_at_once(energy, reason):
    with pytest.raises(BadInput, match=reason):
        Langevin(energy, ["x"], 1.0)


def test_the_slopes_of_an_energy_are_those_of_its_formulas():
    problem = Langevin("(x**2 - 1)**2 + x*y + cosh(y)", ["x", "y"], 0.5)
    x = np.random.default_rng(5).normal(size=(50, 2))
    formulas = [slope.evaluate({"x": x[:, 0], "y": x[:, 1]}) for slope in problem.gradient]
    np.testing.assert_allclose(problem.gradient_at(x), np.stack(formulas, axis=-1), rtol=1e-13, atol=1e-13)
