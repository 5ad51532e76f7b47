"""Derivatives of smooth scalar expressions: SymPy differentiates, and its answer is read back through the same whitelist."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Any

from analogflow.errors import BadInput
from analogflow.problems.equations.expression import Expression, read_expression

__all__ = ["derivative"]

_SMOOTH = ("exp", "log", "sqrt", "tanh", "sin", "cos")


def derivative(expression: Expression, variable: str, known: Collection[str]) -> Expression:
    """∂(expression)/∂(variable), an expression over the names in `known`.

    Raises
    ------
    BadInput
        The expression has something that has no derivative everywhere, or that is no scalar.
    """
    import sympy  # a quarter of a second, for those who need it

    symbols = {name: sympy.Symbol(name, real=True) for name in expression.names | {variable}}
    slope = sympy.diff(_symbolic(expression, expression.tree, symbols, sympy), symbols[variable])
    return read_expression(str(slope), known, where=f"the derivative of {expression.where} by {variable}")


def _symbolic(expression: Expression, node: ast.AST, symbols: dict[str, Any], sympy: Any) -> Any:
    def inner(part: ast.AST) -> Any:
        return _symbolic(expression, part, symbols, sympy)

    match node:
        case ast.Constant(value=value) if isinstance(value, int):
            return sympy.Integer(value)
        case ast.Constant(value=value) if isinstance(value, float):
            return sympy.Integer(int(value)) if value.is_integer() and abs(value) < 1e6 else sympy.Float(value, 17)
        case ast.Name(id=name):
            return symbols[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -inner(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return inner(operand)
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            return inner(a) + inner(b)
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            return inner(a) - inner(b)
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            return inner(a) * inner(b)
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            return inner(a) / inner(b)
        case ast.BinOp(left=a, op=ast.Pow(), right=b):
            return inner(a) ** inner(b)
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _SMOOTH:
            return getattr(sympy, name)(inner(argument))
    place = f"column {getattr(node, 'col_offset', 0) + 1}"
    raise BadInput(
        f"{expression.where}, {expression.text!r}: at {place} is something that can not be differentiated; "
        f"there are numbers, scalars, + - * / **, and {', '.join(_SMOOTH)}."
    )
