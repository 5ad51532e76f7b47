"""Blocks that couple all elements of a group: the emitter-coupled array and the normaliser."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, LinearMap, flat, in_groups

__all__ = ["Normaliser", "Softmax"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Block):
    """y_rk = t_r exp(x_rk − c_rk) / Σ_l exp(x_rl − c_rl), for each of ``rows`` groups r.

    An emitter-coupled array with tail current t_r and bases x − c delivers this with its sum fixed by Kirchhoff.
    ``tail`` has shape (..., rows), ``offsets`` c has shape (..., size), leading axes being samples; both default to what
    leaves the plain softmax.
    """

    ports: ClassVar = ("x",)
    rows: int = 1
    tail: Array | None = None
    offsets: Array | None = None

    def _grouped(self, x: Array) -> Array:
        shifted = x if self.offsets is None else x - self.offsets
        return shifted.reshape(*shifted.shape[:-1], self.rows, self.size // self.rows)

    def relation(self, *inputs: Array) -> Array:
        """Tail times softmax, group by group."""
        groups = self._grouped(inputs[0])
        exponentials = np.exp(groups - groups.max(axis=-1, keepdims=True))
        # Over so short an axis a product with ones is several times faster than a sum.
        shares = exponentials / (exponentials @ np.ones((exponentials.shape[-1], 1)))
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
    rows: int = 1
    floor: float = 1e-9

    def relation(self, *inputs: Array) -> Array:
        """Positive parts divided by their sum, group by group."""
        x = inputs[0]
        positive = np.maximum(x, 0).reshape(*x.shape[:-1], self.rows, self.size // self.rows)
        total = np.maximum(positive.sum(axis=-1, keepdims=True), self.floor)
        return (positive / total).reshape(x.shape)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """(δ_kl − y_k)/Σ for positive x_l, 0 otherwise; without the second term where the sum is held."""
        x = inputs[0]
        groups = x.reshape(*x.shape[:-1], self.rows, self.size // self.rows)
        y = self.relation(x).reshape(groups.shape)
        total = np.maximum(groups, 0).sum(axis=-1, keepdims=True)
        share = (groups > 0) / np.maximum(total, self.floor)
        return (_less_rank_one(share, np.where(total > self.floor, y, 0.0), share),)

    def parameters(self) -> str:
        """Number of groups, if more than one."""
        return f"{self.rows} groups" if self.rows > 1 else ""


def _less_rank_one(diagonal: Array, left: Array, right: Array) -> LinearMap:
    """diag(d) − l rᵀ in each group, all of shape (..., rows, width)."""

    def apply(tangent: Array) -> Array:
        groups = in_groups(tangent, diagonal.shape[-2])
        return flat(diagonal[..., None] * groups - left[..., None] * (right[..., None, :] @ groups))

    return LinearMap(apply)
