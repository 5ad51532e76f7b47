"""An energy as a sum of terms: what is multiplied out, and what is known beforehand to become too long."""

import ast

import pytest
import sympy

from analogflow.problems import Langevin
from analogflow.problems.terms import _monomials, terms_of


@pytest.mark.parametrize(
    "text",
    ["(a + b + c)**2", "(0.5*a - 2*b + c/3)**4", "3*(a - b - -0.25*c + 2)**3", "-2*(a + b + c + d + 0.1)**5", "(a + b)**1"],
)
def test_terms_of_a_power_are_counted_as_sympy_finds_them(text):
    expanded = sympy.expand(sympy.sympify(text))
    assert _monomials(ast.parse(text, mode="eval").body) == len(expanded.args)


@pytest.mark.parametrize("text", ["(a + b + a)**3", "(a*b + c)**3", "(a + 0*b + c)**3", "0*(a + b + c)**4", "(a + b)**-2",
                                  "(a**2 + b)**2", "(2 + a + 3)**2", "a + b"])  # fmt: skip
def test_nothing_is_counted_where_terms_may_meet(text):
    assert _monomials(ast.parse(text, mode="eval").body) == 0


def test_a_power_of_many_terms_stays_whole_and_one_of_few_does_not():
    names = list("abcdefg")
    few, many = (" + ".join(names[:count]) for count in (3, 7))
    assert {term.names for term in terms_of(Langevin(f"({many})**4", names, 1.0))} == {tuple(names)}
    assert {term.names for term in terms_of(Langevin(f"({few})**2", names[:3], 1.0))} == {
        ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"),
    }  # fmt: skip
