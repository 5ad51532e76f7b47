"""Linear forms of scalar sources: what a port of an element receives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analogflow.blocks import Crossbar

__all__ = ["ONE", "Form", "added", "crossed", "repeated", "value_of"]

Form = Mapping[int, float]
"""Linear form: number of a source to its coefficient. Source `ONE` is the constant 1, source k ≥ 1 is element k − 1."""

ONE = 0
"""Number of the constant source."""

_NEGLIGIBLE = 1e-14
"""Relative size of a coefficient that is what rounding left of 0."""


def value_of(form: Form, values: list[np.ndarray]) -> np.ndarray:
    """Value of a linear form of `values`."""
    return sum((c * values[source] for source, c in form.items()), start=np.zeros_like(values[0]))


def added(terms: list[tuple[float, Form]]) -> dict[int, float]:
    """Sum of forms with factors; what cancels up to rounding is left out."""
    total: dict[int, float] = {}
    largest: dict[int, float] = {}
    for factor, form in terms:
        for source, c in form.items():
            total[source] = total.get(source, 0.0) + factor * c
            largest[source] = max(largest.get(source, 0.0), abs(factor * c))
    return {source: c for source, c in total.items() if abs(c) > _NEGLIGIBLE * largest[source]}


def repeated(forms: list[dict[int, float]], size: int) -> list[dict[int, float]]:
    """Forms of `size` signals, of which there may be one that drives all."""
    return forms * size if len(forms) == 1 and size > 1 else forms


def crossed(block: Crossbar, x: list[dict[int, float]]) -> list[dict[int, float]]:
    """Forms of the outputs of a crossbar."""
    width = block.weight.shape[-1]
    x = repeated(x, block.rows * width)
    outputs = []
    for r in range(block.rows):
        matrix = block.weight if block.weight.ndim == 2 else block.weight[r]
        group = x[r * width : (r + 1) * width]
        outputs += [added([(c, form) for c, form in zip(row, group, strict=True) if c]) for row in matrix.tolist()]
    return outputs
