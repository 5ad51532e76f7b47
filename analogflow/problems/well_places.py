"""Places where an energy may have a well that is narrow: no descent from afar leads there, but its formula tells of it.

A well that is narrow is made by a product with exponentials or quotients, such as −30 e^(−200 (x − 3)²): its floor is near
where their arguments are stationary. What else is narrow is seen on a grid, in terms of one or two variables.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.problems.expression import Expression
from analogflow.problems.langevin import Langevin
from analogflow.problems.terms import names_in, summands

__all__ = ["Place", "narrow_places"]

Array = NDArray[np.float64]

Place = tuple[tuple[int, ...], Array]
"""Numbers of some variables, and their values."""

_IMAGINARY = 1e-30
"""Step of the derivatives, as in the landscape."""

_QUADRATIC = 1e-9
"""Slope that is left after one Newton's step, over what it was, up to which a formula counts as quadratic."""

_BEGINNINGS, _STEPS, _SIDE = 24, 40, 1e-4
"""Points that Newton's steps begin at where a formula is not quadratic, their number, and the step of differences."""

_REACHES = (3.0, 30.0, 300.0)
"""Half the widths of the grids about the start."""

_POINTS = {1: 120_000, 2: 120_000}
"""Points of all grids over one variable together, and over two."""

_NEAR, _BENDING = 0.2, 2.0
"""Part of its distance from the start within which a narrow well ends: there it rises less than so often what it rises in
half of that; a square rises four times."""

_LOWEST, _MOST_PRODUCTS, _MOST_PLACES = 8, 64, 96
"""Minima that are taken of each grid, products that are looked at, and places that are kept."""


def narrow_places(problem: Langevin) -> tuple[Place, ...]:
    """Values of some variables at which an energy may have narrow wells; none of a polynomial, which has none."""
    if _is_polynomial(problem.energy.tree):
        return ()
    with np.errstate(all="ignore"):
        found = [*_stationary_places(problem), *_lowest_on_grids(problem)]
    places: list[Place] = []
    for numbers, values in found:
        if np.isfinite(values).all() and not any(numbers == k and np.allclose(values, v, 1e-6, 1e-9) for k, v in places):
            places.append((numbers, values))
    return tuple(places[:_MOST_PLACES])


def _stationary_places(problem: Langevin) -> Iterator[Place]:
    """Where the logarithms of products with exponentials and quotients are stationary."""
    for count, factors in enumerate(_products(problem.energy.tree)):
        if count == _MOST_PRODUCTS:
            return
        tree = _logarithm(factors)
        numbers = _numbers_in(problem, tree)
        for values in _stationary(_formula(tree), [problem.variables[k] for k in numbers], problem.start[list(numbers)]):
            yield numbers, values


def _products(node: ast.AST) -> Iterator[list[tuple[float, ast.expr, bool]]]:
    """Factors that make products narrow: power, argument or base, and whether it is that of an exponential."""
    match node:
        case ast.BinOp(op=ast.Mult() | ast.Div() | ast.Pow()) | ast.Call() | ast.UnaryOp():
            factors, inner = _factors(node, 1.0)
            if factors:
                yield factors
            for part in inner:
                yield from _products(part)
        case _:
            for part in ast.iter_child_nodes(node):
                yield from _products(part)


def _factors(node: ast.expr, power: float) -> tuple[list[tuple[float, ast.expr, bool]], list[ast.AST]]:
    """Exponentials and denominators of a product, and what is to be looked into besides."""
    match node:
        case ast.UnaryOp(operand=inner):
            return _factors(inner, power)
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div() as op, right=b):
            (one, left), (other, right) = _factors(a, power), _factors(b, power if isinstance(op, ast.Mult) else -power)
            return one + other, left + right
        case ast.BinOp(left=a, op=ast.Pow(), right=b) if not names_in(b) and _value(b):
            return _factors(a, power * _value(b))
        case ast.Call(func=ast.Name(id="exp"), args=[argument]) if names_in(argument):
            return [(power, argument, True)], [argument]
    inside = list(ast.iter_child_nodes(node))
    return ([(power, node, False)] if power < 0 and names_in(node) else []), inside


def _value(node: ast.expr) -> float:
    return float(_formula(node).evaluate({}))


def _logarithm(factors: Sequence[tuple[float, ast.expr, bool]]) -> ast.expr:
    """Logarithm of a product; of one factor its argument or base, which is stationary where that is."""
    if len(factors) == 1:
        return factors[0][1]
    parts = [
        ast.BinOp(ast.Constant(power), ast.Mult(), node if exponent else ast.Call(ast.Name("log", ast.Load()), [node], []))
        for power, node, exponent in factors
    ]
    whole: ast.expr = parts[0]
    for part in parts[1:]:
        whole = ast.BinOp(whole, ast.Add(), part)
    return whole


def _stationary(formula: Expression, names: Sequence[str], start: Array) -> list[Array]:
    """Where a formula is stationary: by one step if it is quadratic, else its maxima and minima about the start."""
    eye = np.eye(len(names))

    def slopes(x: Array) -> Array:
        moved = x[:, None, :] + _IMAGINARY * 1j * eye
        found = formula.evaluate({name: moved[..., k] for k, name in enumerate(names)})
        return np.broadcast_to(np.imag(found) / _IMAGINARY, moved.shape[:-1])

    def bends(x: Array, side: float) -> Array:
        sides = slopes((x[:, None, None] + side * np.stack([eye, -eye])).reshape(-1, len(names)))
        ahead, behind = np.moveaxis(sides.reshape(len(x), 2, len(names), len(names)), 1, 0)
        whole = (ahead - behind) / (2 * side)
        return 0.5 * (whole + np.swapaxes(whole, 1, 2))

    slope, bent = slopes(start[None])[0], bends(start[None], 1.0)[0]
    if np.isfinite(slope).all() and np.isfinite(bent).all():
        there = start - np.linalg.lstsq(bent, slope, rcond=1e-12)[0]
        if abs(slopes(there[None])).max() <= _QUADRATIC * (abs(slope).max() + abs(bent).max() * abs(there).max()):
            return [there] if bent.any() else []
    random = np.random.default_rng(0)
    away = random.normal(size=(_BEGINNINGS, len(names))) * np.geomspace(0.1, 10, _BEGINNINGS)[:, None]
    x = np.concatenate([start[None], start + away, start[None], start + away])
    signs = np.repeat([1.0, -1.0], len(x) // 2)[:, None]
    longest = np.maximum(1.0, np.linalg.norm(x - start, axis=1))[:, None]
    rest = np.zeros(len(x), dtype=bool)
    for _ in range(_STEPS):
        slope, bent = slopes(x), bends(x, _SIDE)
        good = np.asarray(np.isfinite(slope).all(axis=1) & np.isfinite(bent).all(axis=(1, 2)))
        values, vectors = np.linalg.eigh(np.where(good[:, None, None], bent, eye))
        along = np.einsum("kij,ki->kj", vectors, np.where(good[:, None], slope, 0.0))
        step = np.einsum("kij,kj->ki", vectors, -signs * along / np.maximum(abs(values), 1e-12))
        length = np.linalg.norm(step, axis=1, keepdims=True)
        x = x + step * np.minimum(1.0, longest / np.maximum(length, 1e-300))
        longest = np.where(length > longest, 0.8 * longest, longest)
        rest = good & (length[:, 0] <= 1e-6 * (1 + np.linalg.norm(x, axis=1)))
    return list(x[rest])


def _lowest_on_grids(problem: Langevin) -> Iterator[Place]:
    """The lowest minima, on grids about the start, of what the energy is of one or two variables alone."""
    parts = [(_numbers_in(problem, part), part) for part in summands(problem.energy.tree)]
    scopes = dict.fromkeys(n for n, part in parts if 1 <= len(n) <= 2 and not _is_polynomial(part))
    for numbers in scopes:
        count = len(numbers)
        alone = [part for other, part in parts if set(other) <= set(numbers)]
        whole = alone[0]
        for part in alone[1:]:
            whole = ast.BinOp(whole, ast.Add(), part)
        formula = _formula(whole)
        share = _POINTS[count] / len(_REACHES) / sum(len(other) == count for other in scopes)
        side = max(41, int(share ** (1 / count)))
        for reach in _REACHES:
            axes = [problem.start[k] + reach * np.linspace(-1, 1, side) for k in numbers]
            named = {
                problem.variables[k]: axis.reshape([-1 if j == i else 1 for j in range(count)])
                for i, (k, axis) in enumerate(zip(numbers, axes, strict=True))
            }
            energy = np.broadcast_to(np.asarray(formula.evaluate(named), dtype=float), [side] * count)
            yield from (
                (numbers, place) for place in _narrow(np.where(np.isnan(energy), np.inf, energy), axes, problem, numbers)
            )


def _narrow(energy: Array, axes: Sequence[Array], problem: Langevin, numbers: tuple[int, ...]) -> Array:
    """The lowest minima within the rim of a grid that are narrow along all axes, shape (places, axes)."""
    inner = tuple(slice(1, -1) for _ in axes)
    lowest = np.isfinite(energy[inner])
    for axis in range(len(axes)):
        ahead, behind = (
            energy[tuple(side if k == axis else slice(1, -1) for k in range(len(axes)))]
            for side in (slice(2, None), slice(None, -2))
        )
        lowest &= (energy[inner] < ahead) & (energy[inner] <= behind)
    places = np.argwhere(lowest) + 1
    points = np.stack([axis[column] for axis, column in zip(axes, places.T, strict=True)], axis=-1)
    window = _NEAR * np.linalg.norm(points - problem.start[list(numbers)], axis=1)
    narrow = np.ones(len(places), dtype=bool)
    for k, axis in enumerate(axes):
        half = np.maximum(1, (0.5 * window / (axis[1] - axis[0])).astype(int))
        for sign in (1, -1):
            moved = [places.copy(), places.copy()]
            for times, place in enumerate(moved, 1):
                place[:, k] = np.clip(place[:, k] + sign * times * half, 0, len(axis) - 1)
            near, far = (energy[tuple(place.T)] - energy[tuple(places.T)] for place in moved)
            narrow &= (near > problem.temperature) & (far < _BENDING * near)
    points, depth = points[narrow], energy[tuple(places[narrow].T)]
    return points[np.argsort(depth, kind="stable")[:_LOWEST]]


def _is_polynomial(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() | ast.Mult(), right=b):
            return _is_polynomial(a) and _is_polynomial(b)
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            return _is_polynomial(a) and not names_in(b)
        case ast.BinOp(left=a, op=ast.Pow(), right=b):
            return not names_in(b) and _is_polynomial(a) and _value(b) >= 0 and _value(b).is_integer()
        case ast.UnaryOp(operand=inner):
            return _is_polynomial(inner)
    return isinstance(node, ast.Name | ast.Constant) or (isinstance(node, ast.Call) and not names_in(node))


def _numbers_in(problem: Langevin, node: ast.AST) -> tuple[int, ...]:
    used = names_in(node)
    return tuple(k for k, name in enumerate(problem.variables) if name in used)


def _formula(node: ast.expr) -> Expression:
    tree = ast.parse(ast.unparse(ast.fix_missing_locations(node)), mode="eval").body
    return Expression(ast.unparse(tree), "a part of the energy", tree)
