"""An energy as a sum of terms of few variables each: which variables know of each other, and groups of them that do not."""

from __future__ import annotations

import ast
import dataclasses
import math

from analogflow.errors import BadInput
from analogflow.problems.expression import MOST_SUMMANDS, Expression, multiplied_out
from analogflow.problems.langevin import Langevin

__all__ = ["Term", "groups_of", "names_in", "order_of", "part_of", "summands", "terms_of"]


@dataclasses.dataclass(frozen=True, eq=False)
class Term:
    """Some summands of an energy, together.

    Parameters
    ----------
    names : tuple of str
        The variables that they are functions of, sorted as in the problem.
    expression : Expression
    """

    names: tuple[str, ...]
    expression: Expression


def terms_of(problem: Langevin) -> tuple[Term, ...]:
    """Summands of the energy, those of the same variables taken together; constants are in the first."""
    found: dict[tuple[str, ...], ast.expr] = {}
    for summand in summands(problem.energy.tree):
        for part in _expanded(summand, problem):
            used = names_in(part)
            names = tuple(name for name in problem.variables if name in used)
            found[names] = ast.BinOp(found[names], ast.Add(), part) if names in found else part
    constant = found.pop((), None)
    if constant is not None:
        first = next(iter(found))
        found[first] = ast.BinOp(found[first], ast.Add(), constant)
    return tuple(
        Term(names, Expression(ast.unparse(tree), "a term of the energy", ast.parse(ast.unparse(tree), mode="eval").body))
        for names, tree in found.items()
    )


def groups_of(problem: Langevin, terms: tuple[Term, ...]) -> tuple[tuple[str, ...], ...]:
    """Variables that are connected by terms, a group for each that knows nothing of the others."""
    group = {name: {name} for name in problem.variables}
    for term in terms:
        joined = set[str]().union(*(group[name] for name in term.names))
        for name in joined:
            group[name] = joined
    seen: list[tuple[str, ...]] = []
    for name in problem.variables:
        names = tuple(other for other in problem.variables if other in group[name])
        if names not in seen:
            seen.append(names)
    return tuple(seen)


def part_of(problem: Langevin, terms: tuple[Term, ...], names: tuple[str, ...]) -> Langevin:
    """The problem of a group alone."""
    text = " + ".join(f"({term.expression.text})" for term in terms if term.names[0] in names)
    start = [problem.start[problem.variables.index(name)] for name in names]
    return Langevin(text, names, problem.temperature, start=start)


def order_of(names: tuple[str, ...], terms: tuple[Term, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """An order to sum variables out in, each with those that its sum still depends on: fewest first."""
    known = {name: set[str]() for name in names}
    for term in terms:
        for name in term.names:
            known[name] |= set(term.names) - {name}
    order = []
    while known:
        name = min(known, key=lambda one: (len(known[one]), names.index(one)))
        left = known.pop(name)
        for other in left:
            known[other] |= left - {other}
            known[other].discard(name)
        order.append((name, tuple(one for one in names if one in left)))
    return tuple(order)


def names_in(node: ast.AST) -> set[str]:
    """Names in a formula, less those of functions that it calls."""
    called = {id(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and id(part) not in called}


def summands(node: ast.expr) -> list[ast.expr]:
    """What a formula is a sum of, signs and constant factors carried inward; products are left as they are."""
    match node:
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            return summands(a) + summands(b)
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            return summands(a) + [ast.UnaryOp(ast.USub(), part) for part in summands(b)]
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return [ast.UnaryOp(ast.USub(), part) for part in summands(a)]
        case ast.UnaryOp(op=ast.UAdd(), operand=a):
            return summands(a)
        case ast.BinOp(left=a, op=ast.Mult(), right=b) if not names_in(a):
            return [ast.BinOp(a, ast.Mult(), part) for part in summands(b)]
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div() as op, right=b) if not names_in(b):
            return [ast.BinOp(part, op, b) for part in summands(a)]
    return [node]


def _expanded(node: ast.expr, problem: Langevin) -> list[ast.expr]:
    """A summand of three variables or more, multiplied out where that leaves terms of fewer."""
    count = len(names_in(node))
    if count < 3 or _monomials(node) > MOST_SUMMANDS:
        return [node]
    try:
        parts = summands(multiplied_out(Expression(ast.unparse(node), "a term", node), problem.variables).tree)
    except BadInput:
        return [node]
    return parts if max(len(names_in(part)) for part in parts) < count else [node]


def _monomials(node: ast.expr) -> int:
    """Terms of a power of a sum of single variables once it is multiplied out; 0 of anything else.

    Multiplying out ten thousand of them, to be told that an expression may have no more than 200, takes seconds.
    """
    match node:
        case ast.BinOp(left=a, op=ast.Mult(), right=b) if _is_number(a):
            return _monomials(b)
        case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=int(power))) if power > 0:
            single = [_single(part) for part in summands(base)]
            if None not in single and len(set(single)) == len(single):
                return math.comb(len(single) + power - 1, power)
    return 0


def _single(node: ast.expr) -> str | None:
    """The variable that a term is a multiple of, empty of a number; None of anything else, or of nought."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return _single(a)
        case ast.BinOp(left=a, op=ast.Mult(), right=b) if _is_number(a):
            return _single(b)
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div(), right=b) if _is_number(b):
            return _single(a)
    return "" if _is_number(node) else None


def _is_number(node: ast.expr) -> bool:
    """Whether it is a literal number other than 0, with a sign or without."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return _is_number(a)
        case ast.Constant(value=int() | float() as value):
            return value != 0
    return False
