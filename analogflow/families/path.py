"""Answers that are where a path ends, or rests, signal by signal: what a family gets that says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PathEnd", "path_expected"]

Array = NDArray[np.float64]


class PathEnd(NamedTuple):
    """Where a path ends: signals by name, flat or shaped as they start, and how far two integrations disagree."""

    values: Mapping[str, Array]
    gap: float


def path_expected(problem: Any, reference: Any) -> dict[str, Any]:
    """Every signal that a reference knows, row after row."""
    return {name: np.ravel(value).tolist() for name, value in reference.values.items()}
