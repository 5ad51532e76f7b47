"""Expressions as text, read through a whitelist: arithmetic, calls of named functions, indices. No text is executed.

Python's own parser makes the tree, and only the kinds of node named here pass. What computes is a function of operators,
numbers and look-ups by name that is built from that tree once, and knows nothing else, no builtin either; the meaning of
every function is given from outside, so the same text serves arrays and signals. SymPy differentiates, and its answer is
read back through the same whitelist.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
import scipy

from analogflow.checks import is_finite, is_number, proposal
from analogflow.errors import BadInput, Untraceable

__all__ = [
    "FUNCTIONS",
    "MOST_SUMMANDS",
    "NAME",
    "Expression",
    "Kept",
    "derivative",
    "is_entire",
    "multiplied_out",
    "part_of",
    "read_expression",
]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
"""What may be a name in an expression."""

_LONGEST, _DEEPEST, _LARGEST_POWER = 4000, 60, 64

MOST_SUMMANDS = 200
"""Terms of a sum without brackets: each stands a level deeper than the next, and is nested no further."""

_WIDTH = 1e-3
"""Over which a comparator goes from 0 to 1, as the block's does."""


def _comparator(a: Any, b: Any) -> Any:
    return 0.5 * (1 + np.tanh((np.asarray(a) - b) / _WIDTH))


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "exp": (1, np.exp),
    "log": (1, np.log),
    "sqrt": (1, np.sqrt),
    "tanh": (1, np.tanh),
    "sin": (1, np.sin),
    "cos": (1, np.cos),
    "arctan": (1, np.arctan),
    "sinh": (1, np.sinh),
    "cosh": (1, np.cosh),
    "abs": (1, np.abs),
    "maximum": (2, np.maximum),
    "minimum": (2, np.minimum),
    "sum": (1, lambda x: x.sum()),
    "mean": (1, lambda x: x.mean()),
    "transpose": (1, lambda x: x.T),
    "softmax": (1, lambda x: scipy.special.softmax(x, axis=-1)),
    "normalise": (1, lambda x: np.maximum(x, 0.0) / np.maximum(x, 0.0).sum(axis=-1, keepdims=True)),
    "comparator": (2, _comparator),
    "switch": (2, lambda x, control: x * np.clip(control, 0.0, 1.0)),
    "sign": (1, lambda x: np.tanh(np.asarray(x) / _WIDTH)),
    "where": (3, lambda control, x, y: y + (x - y) * np.clip(control, 0.0, 1.0)),
    "clip": (3, lambda x, least, most: np.minimum(np.maximum(x, least), most)),
}
"""Functions an expression may call: number of arguments, and the meaning on arrays."""

_INSTEAD = {
    "arcsin": "arctan(x / sqrt(1 - x**2))", "atan": "arctan(x)", "cot": "cos(x) / sin(x)", "heaviside": "comparator(x, 0)",
    "delay": "it in equations, definitions or observables of a flow of your own, which can remember",
    "hysteresis": "it in equations, definitions or observables of a flow of your own, which can remember",
    "log10": "log(x) / 2.302585092994046", "log2": "log(x) / 0.6931471805599453", "max": "maximum(a, b)",
    "min": "minimum(a, b)", "pow": "a ** 1.5", "sech": "1 / cosh(x)", "sgn": "sign(x)", "sigmoid": "1 / (1 + exp(-x))",
    "square": "x ** 2", "step": "comparator(x, 0)", "tan": "sin(x) / cos(x)",
}  # fmt: skip
"""What people call a function that has another name here, or is made of others."""

_NUMBERS = {
    "pi": "3.141592653589793, or pi = 3.141592653589793 under constants",
    "e": "2.718281828459045, or exp(x) for a power of it",
    "time": "t",
}
"""Names of what has none here."""

_WRITE: dict[type[ast.AST], str] = {
    ast.IfExp: "write where(a > b, x, y) for x where a > b and y elsewhere",
    ast.Compare: "write comparator(a, b) for 1 where a > b and 0 elsewhere, or where(a > b, x, y)",
    ast.BoolOp: "write a product of comparators for 'and', their maximum for 'or'",
    ast.BitXor: "write ** for a power",
    ast.Attribute: "write the function's name alone, as in sin(x), and transpose(A) for A.T",
}

_ON_ARRAYS = {name: function for name, (_, function) in FUNCTIONS.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class Expression:
    """A formula that was read.

    Parameters
    ----------
    text : str
        As it was written, on one line.
    where : str
        What it says, for messages: "the equation of 'prey'".
    tree : ast.expr
        Only nodes of the whitelist.
    """

    text: str
    where: str
    tree: ast.expr

    @property
    def names(self) -> frozenset[str]:
        """Names of the quantities it needs."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        return frozenset(node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and id(node) not in called)

    def evaluate(self, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> Any:
        """Value where every name means what `values` says; `functions` overrides what functions mean on arrays.

        Raises
        ------
        BadInput
            Shapes do not fit, or a number is out of range.
        """
        try:
            return self._function(values, {**_ON_ARRAYS, **functions} if functions else _ON_ARRAYS)
        except Untraceable as fault:
            raise BadInput(f"{self.where}, {self.text!r} can not become a circuit: {fault.reason}.") from fault
        except (ValueError, TypeError, IndexError, AttributeError, OverflowError, ZeroDivisionError) as fault:
            raise BadInput(f"{self.where}, {self.text!r}: this can not be computed ({fault}).") from fault

    @functools.cached_property
    def _function(self) -> Callable[[Mapping[str, Any], Mapping[str, Callable[..., Any]]], Any]:
        """The value, of what names mean and of what functions mean."""
        given = ast.arguments(
            posonlyargs=[], args=[ast.arg("values"), ast.arg("functions")], kwonlyargs=[], kw_defaults=[], defaults=[]
        )
        made = ast.Expression(ast.Lambda(given, _computed(self.tree)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of a number with an index: it is refused where it is computed
            code = compile(ast.fix_missing_locations(made), "<expression>", "eval")
        return eval(code, {"__builtins__": {}})

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to another process, which builds the function anew."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __str__(self) -> str:
        return self.text


Kept = Callable[[ast.Call, Callable[[ast.expr], ast.expr]], ast.expr]
"""What stands for a call: ``kept(call, inner)``, where ``inner`` does the same with its arguments."""


class _Keeper(ast.NodeTransformer):
    """Puts names in place of calls, and knows which."""

    def __init__(self, kept: Mapping[str, Kept]) -> None:
        self.kept = kept
        self.names: set[str] = set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.func.id not in self.kept:
            return self.generic_visit(node)
        made = self.kept[node.func.id](node, self.visit)
        self.names |= {part.id for part in ast.walk(made) if isinstance(part, ast.Name)}
        return made


def read_expression(text: Any, known: Collection[str], *, where: str, kept: Mapping[str, Kept] | None = None) -> Expression:
    """Expression in `text`, over the names in `known`; calls of the functions in `kept` become what these return.

    Raises
    ------
    BadInput
        It is no expression of the whitelist, or has an unknown name; the message gives the column.
    """
    if is_number(text):
        if not is_finite(text):
            raise BadInput(f"{where}: {_shown(str(text))} is not a finite number.")
        text = repr(float(text))
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{where}: {text!r} is not an expression; write one between quotation marks.")
    line = " ".join(text.split())
    if len(line) > _LONGEST:
        raise BadInput(
            f"{where}: an expression has at most {_LONGEST} characters, not {len(line)}; split it by definitions."
        )
    try:
        tree = ast.parse(line, mode="eval").body
    except (SyntaxError, ValueError) as fault:
        column = getattr(fault, "offset", None)
        place = f" near column {column}" if column else ""
        raise BadInput(f"{where}: {_shown(line)} can not be read{place}; write it as Python would.") from None
    except (RecursionError, MemoryError):
        raise BadInput(f"{where}: {_shown(line)} is nested too deeply; split it by definitions.") from None
    keeper = _Keeper({name: each for name, each in (kept or {}).items() if name in line})
    if keeper.kept:
        try:
            tree = keeper.visit(tree)
        except RecursionError:
            raise BadInput(f"{where}: {_shown(line)} is nested too deeply; split it by definitions.") from None
    for fault in _faults(tree, {*known, *keeper.names} if keeper.names else known, 0):
        raise BadInput(f"{where}, {_shown(line)}: {fault}.")
    return Expression(line, where, tree)


def part_of(node: ast.expr, known: Collection[str], *, where: str) -> Expression:
    """Expression of a part of a tree, over the names in `known`.

    Raises
    ------
    BadInput
        As of `read_expression`.
    """
    text = ast.unparse(node)
    for fault in _faults(node, known, 0):
        raise BadInput(f"{where}, {_shown(text)}: {fault}.")
    return Expression(text, where, node)


def _faults(node: ast.AST, known: Collection[str], depth: int) -> Iterator[str]:
    """What the whitelist does not let pass, in order of reading."""
    if depth > _DEEPEST:
        yield "it is nested too deeply; split it by definitions"
        return
    place = f"at column {getattr(node, 'col_offset', 0) + 1}"
    match node:
        case ast.Constant(value=value) if is_number(value):
            if not is_finite(value):
                yield f"the number {place} is too large"
        case ast.Name(id=name):
            if name not in known:
                known_as = f"write {_NUMBERS[name]}" if name in _NUMBERS else proposal(name, sorted(known)).rstrip(".")
                yield f"unknown name {name[:31]!r} {place}; {known_as}"
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            yield from _faults(inner, known, depth + 1)
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            power = _number(exponent)
            if power is None or abs(power) > _LARGEST_POWER:
                limits = f"from -{_LARGEST_POWER} to {_LARGEST_POWER}"
                yield f"the exponent {place} must be a number {limits}, such as 2, -1 or 1.5; write exp(b*log(a)) else"
            yield from _faults(base, known, depth + 1)
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            terms = _terms(node)
            if len(terms) > MOST_SUMMANDS:
                yield f"it is a sum of {len(terms)} terms, and may have {MOST_SUMMANDS}; split it by definitions"
                return
            for term in terms:
                yield from _faults(term, known, depth + 1)
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div() | ast.MatMult(), right=b):
            yield from _faults(a, known, depth + 1)
            yield from _faults(b, known, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name in known and name not in FUNCTIONS:
                yield (
                    f"{name[:31]!r} {place} is a quantity and no function; write {name} for its value at t, {name} * (…) "
                    f"for a product, and for its past value {_INSTEAD['delay']}"
                )
            elif name not in FUNCTIONS:
                known_as = f"write {_INSTEAD[name]}" if name in _INSTEAD else proposal(name, sorted(FUNCTIONS)).rstrip(".")
                yield f"unknown function {name[:31]!r} {place}; {known_as}"
            elif len(arguments) != FUNCTIONS[name][0]:
                yield f"{name} {place} takes {FUNCTIONS[name][0]} argument(s), not {len(arguments)}"
            condition = arguments[0] if name == "where" and arguments else None
            if isinstance(condition, ast.Compare) and _compared(condition):
                arguments = [condition.left, *condition.comparators, *arguments[1:]]
            for argument in arguments:
                yield from _faults(argument, known, depth + 1)
        case ast.Subscript(value=inner, slice=key):
            indices = key.elts if isinstance(key, ast.Tuple) else [key]
            if any(_integer(index) is None for index in indices):
                yield f"an index {place} must be a whole number, or several separated by commas"
            yield from _faults(inner, known, depth + 1)
        case _:
            told = node.op if isinstance(node, ast.BinOp) else node.func if isinstance(node, ast.Call) else node
            write = _WRITE.get(type(told), "there are numbers, names, + - * / ** @, calls and indices")
            yield f"{type(node).__name__} {place} is not allowed; {write}"


def _terms(node: ast.expr) -> list[ast.expr]:
    """What is added up or subtracted, without brackets, in the order of reading."""
    terms: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        terms.append(node.right)
        node = node.left
    return [node, *reversed(terms)]


def _without(node: ast.expr, variable: str) -> ast.expr:
    """The same but for terms that do not hold a variable, which its derivative does not see."""
    signed: list[tuple[ast.operator, ast.expr]] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        signed.append((node.op, node.right))
        node = node.left
    found = node if _holds(node, variable) else None
    for op, term in reversed(signed):
        if _holds(term, variable):
            found = ast.BinOp(ast.Constant(0) if found is None else found, op, term)
    return ast.Constant(0) if found is None else found


def _holds(node: ast.expr, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


def _compared(condition: ast.Compare) -> bool:
    """Whether it is one comparison of two sides, of which one is the larger."""
    return len(condition.ops) == 1 and isinstance(condition.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE)


def _computed(node: ast.AST) -> ast.expr:
    """A tree that was let pass, built anew: names are keys of ``values`` and ``functions``, numbers are floats."""
    match node:
        case ast.Constant(value=value) if is_number(value):
            return ast.Constant(float(value))
        case ast.Name(id=name):
            return _looked_up("values", name)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=inner):
            return ast.UnaryOp(type(op)(), _computed(inner))
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent) if (power := _number(exponent)) is not None:
            return ast.BinOp(_computed(base), ast.Pow(), ast.Constant(int(power) if power.is_integer() else power))
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.MatMult() as op, right=b):
            return ast.BinOp(_computed(a), type(op)(), _computed(b))
        case ast.Compare(left=a, ops=[op], comparators=[b]):
            sides = [_computed(a), _computed(b)]
            ordered = sides if isinstance(op, ast.Gt | ast.GtE) else sides[::-1]
            return ast.Call(_looked_up("functions", "comparator"), ordered, [])
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return ast.Call(_looked_up("functions", name), [_computed(argument) for argument in arguments], [])
        case ast.Subscript(value=inner, slice=key):
            given = [_integer(index) for index in (key.elts if isinstance(key, ast.Tuple) else [key])]
            indices = ast.Tuple([ast.Constant(index) for index in given if index is not None], ast.Load())
            return ast.Subscript(_computed(inner), indices, ast.Load())
    raise TypeError(f"{type(node).__name__} passed the whitelist")


def _looked_up(table: str, name: str) -> ast.expr:
    return ast.Subscript(ast.Name(table, ast.Load()), ast.Constant(name), ast.Load())


def _number(node: ast.AST) -> float | None:
    """Number written with or without a sign, or as a fraction; None if it is anything else."""
    match node:
        case ast.Constant(value=value) if is_finite(value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            inner_value = _number(inner)
            return None if inner_value is None else -inner_value
        case ast.BinOp(left=over, op=ast.Div(), right=under):
            a, b = _number(over), _number(under)
            return None if a is None or not b else a / b
    return None


def _integer(node: ast.AST) -> int | None:
    value = _number(node)
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**31 else None


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")


_ENTIRE = ("exp", "tanh", "sin", "cos", "sinh", "cosh")
_SMOOTH = (*_ENTIRE, "log", "sqrt")


def is_entire(expression: Expression) -> bool:
    """Whether it is seen at a glance to be smooth in all its names wherever they are real, and a number."""
    return _seen_entire(expression.tree)


def _seen_entire(node: ast.AST) -> bool:
    match node:
        case ast.Constant() | ast.Name():
            return True
        case ast.UnaryOp(operand=inner):
            return _seen_entire(inner)
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            power = _number(exponent)
            return power is not None and power > 0 and power.is_integer() and _seen_entire(base)
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            return bool(_number(b)) and _seen_entire(a)
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() | ast.Mult(), right=b):
            return _seen_entire(a) and _seen_entire(b)
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return name in _ENTIRE and _seen_entire(argument)
    return False


def derivative(expression: Expression, variable: str, known: Collection[str]) -> Expression:
    """∂(expression)/∂(variable), an expression over the names in `known`.

    Raises
    ------
    BadInput
        The expression has something that has no derivative everywhere, or that is no scalar.
    """
    import sympy  # a quarter of a second, for those who need it

    symbols = {name: sympy.Symbol(name, real=True) for name in expression.names | {variable}}
    slope = sympy.diff(_symbolic(expression, _without(expression.tree, variable), symbols, sympy), symbols[variable])
    if slope.has(sympy.zoo, sympy.nan, sympy.oo):
        raise BadInput(f"{expression.where}, {expression.text!r}, is not finite: it divides by 0, or has log(0).")
    if slope.has(sympy.Abs, sympy.sign):
        raise BadInput(
            f"{expression.where}, {expression.text!r}, is not smooth in {variable}: it has a root of a square, "
            "which is |u|; make it round, such as sqrt(u**2 + 0.01) for sqrt(u**2)."
        )
    return read_expression(str(slope), known, where=f"the derivative of {expression.where} by {variable}")


def multiplied_out(expression: Expression, known: Collection[str]) -> Expression:
    """The same with products and powers of sums as sums, an expression over the names in `known`.

    Raises
    ------
    BadInput
        The expression has something that has no derivative everywhere, or that is no scalar; or it becomes too long.
    """
    import sympy

    symbols = {name: sympy.Symbol(name, real=True) for name in expression.names}
    whole = sympy.expand(_symbolic(expression, expression.tree, symbols, sympy))
    return read_expression(str(whole), known, where=expression.where)


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
