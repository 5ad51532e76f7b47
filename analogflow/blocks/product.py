"""The product of two matrices that are both signals: scores of attention, and means with weights that move."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Dense, Derivative

__all__ = ["MatrixProduct"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class MatrixProduct(Block):
    """y_ij = Σ_k a_ik b_kj: one summing node for each output, driven by as many multipliers as a has columns.

    a has shape (``rows``, ``inner``), b has shape (``inner``, ``columns``), both flat, row after row.
    """

    ports: ClassVar = ("a", "b")
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
        by_a = np.zeros((*b.shape[:-2], self.rows, self.columns, self.rows, self.inner))
        for i in range(self.rows):
            by_a[..., i, :, i, :] = np.swapaxes(b, -1, -2)
        by_b = np.zeros((*a.shape[:-2], self.rows, self.columns, self.inner, self.columns))
        for j in range(self.columns):
            by_b[..., :, j, :, j] = a
        return (
            Dense(by_a.reshape(*b.shape[:-2], self.size, self.rows * self.inner)),
            Dense(by_b.reshape(*a.shape[:-2], self.size, self.inner * self.columns)),
        )

    def parameters(self) -> str:
        """Shapes of the factors."""
        return f"{self.rows}×{self.inner} by {self.inner}×{self.columns}"
