"""Blocks that couple many signals: the emitter-coupled array, the normaliser, and the product of two matrices."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, LinearMap, flat, in_groups

__all__ = ["MatrixProduct", "Normaliser", "Softmax"]

_SHORT = 16
"""Elements of a group up to which they are compared and added up one column after another."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Block):
    """y_rk = t_r exp(x_rk − c_rk) / Σ_l exp(x_rl − c_rl), for each of ``rows`` groups r.

    An emitter-coupled array with tail current t_r and bases x − c delivers this with its sum fixed by Kirchhoff.
    ``tail`` has shape (..., rows), ``offsets`` c has shape (..., size), leading axes being samples; both default to what
    leaves the plain softmax. Where c is infinite there is no branch, and y is 0; every group has one at least.
    """

    ports: ClassVar = ("x",)
    rows: int = 1
    tail: Array | None = None
    offsets: Array | None = None

    @property
    def centred(self) -> Array:
        """Offsets of each group, from the middle of those that are finite, shape (..., rows, size/rows)."""
        offsets = np.zeros(self.size) if self.offsets is None else self.offsets
        groups = offsets.reshape(*offsets.shape[:-1], self.rows, -1)
        there = np.isfinite(groups)
        middle = np.where(there, groups, 0.0).sum(axis=-1) / there.sum(axis=-1)
        return groups - middle[..., None]

    def _grouped(self, x: Array) -> Array:
        shifted = x if self.offsets is None else x - self.offsets
        return shifted.reshape(*shifted.shape[:-1], self.rows, self.size // self.rows)

    def relation(self, *inputs: Array) -> Array:
        """Tail times softmax, group by group."""
        groups = self._grouped(inputs[0])
        # In one array: of a large block each further one would cost as much as the arithmetic.
        shares = groups - _largest(groups)
        np.exp(shares, out=shares)
        shares /= _total(shares)
        if self.tail is not None:
            shares = shares * self.tail[..., :, None]
        return shares.reshape(*shares.shape[:-2], self.size)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """diag(y) − y yᵀ/t in each group."""
        y = self.relation(*inputs)
        y = y.reshape(*y.shape[:-1], self.rows, -1)
        tail = np.ones(self.rows) if self.tail is None else self.tail
        return (_less_rank_one(y, y / tail[..., :, None], y),)

    def parameters(self) -> str:
        """Number of groups, if more than one."""
        return f"{self.rows} groups" if self.rows > 1 else ""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Normaliser(Block):
    """y_k = x_k⁺ / Σ_l x_l⁺ with x⁺ = max(x, 0) and the sum held at or above ``floor``, for each of ``rows`` groups."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "x⁺/Σx⁺"
    rows: int = 1
    floor: float = 1e-9

    def relation(self, *inputs: Array) -> Array:
        """Positive parts divided by their sum, group by group."""
        x = inputs[0]
        positive = np.maximum(x, 0).reshape(*x.shape[:-1], self.rows, self.size // self.rows)
        total = np.maximum(_total(positive), self.floor)
        return (positive / total).reshape(x.shape)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """(δ_kl − y_k)/Σ for positive x_l, 0 otherwise; without the second term where the sum is held."""
        x = inputs[0]
        groups = x.reshape(*x.shape[:-1], self.rows, self.size // self.rows)
        y = self.relation(x).reshape(groups.shape)
        total = _total(np.maximum(groups, 0))
        share = (groups > 0) / np.maximum(total, self.floor)
        return (_less_rank_one(share, np.where(total > self.floor, y, 0.0), share),)

    def parameters(self) -> str:
        """Number of groups, if more than one."""
        return f"{self.rows} groups" if self.rows > 1 else ""


# Over so short an axis as that of a group, NumPy's own reductions take most of the time of an evaluation.


def _largest(groups: Array) -> Array:
    """Largest element of each group, shape (..., 1)."""
    if groups.shape[-1] > _SHORT:
        return groups.max(axis=-1, keepdims=True)
    largest = groups[..., :1]
    for k in range(1, groups.shape[-1]):
        largest = np.maximum(largest, groups[..., k : k + 1])
    return largest


def _total(groups: Array) -> Array:
    """Sum of each group, shape (..., 1)."""
    if groups.shape[-1] > _SHORT:
        return groups.sum(axis=-1, keepdims=True)
    total = groups[..., :1]
    for k in range(1, groups.shape[-1]):
        total = total + groups[..., k : k + 1]
    return total


def _less_rank_one(diagonal: Array, left: Array, right: Array) -> LinearMap:
    """diag(d) − l rᵀ in each group, all of shape (..., rows, width)."""

    def apply(tangent: Array) -> Array:
        groups = in_groups(tangent, diagonal.shape[-2])
        return flat(diagonal[..., None] * groups - left[..., None] * (right[..., None, :] @ groups))

    return LinearMap(apply)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class MatrixProduct(Block):
    """y_ij = Σ_k a_ik b_kj: one summing node for each output, driven by as many multipliers as a has columns.

    a has shape (``rows``, ``inner``), b has shape (``inner``, ``columns``), both flat, row after row.
    """

    ports: ClassVar = ("a", "b")
    symbol: ClassVar = "X·Y"
    rows: int
    inner: int
    columns: int

    def _matrices(self, a: Array, b: Array) -> tuple[Array, Array]:
        return a.reshape(*a.shape[:-1], self.rows, self.inner), b.reshape(*b.shape[:-1], self.inner, self.columns)

    def relation(self, *inputs: Array) -> Array:
        """Matrix product."""
        a, b = self._matrices(*inputs)
        product = a @ b
        return product.reshape(*product.shape[:-2], self.size)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """∂y_ij/∂a_ik = b_kj and ∂y_ij/∂b_kj = a_ik."""
        a, b = self._matrices(*inputs)

        def by_a(tangent: Array) -> Array:
            return flat(np.einsum("...ikt,...kj->...ijt", in_groups(tangent, self.rows), b, optimize=True))

        def by_b(tangent: Array) -> Array:
            return flat(np.einsum("...ik,...kjt->...ijt", a, in_groups(tangent, self.inner), optimize=True))

        return LinearMap(by_a), LinearMap(by_b)

    def parameters(self) -> str:
        """Shapes of the factors."""
        return f"{self.rows}×{self.inner} by {self.inner}×{self.columns}"
