"""The product of two matrices that are both signals: scores of attention, and means with weights that move."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, LinearMap, flat, in_groups

__all__ = ["MatrixProduct"]


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
