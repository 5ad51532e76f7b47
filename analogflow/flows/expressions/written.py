"""Evaluates an expression on arrays or signals, where blocks get what was written as their source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analogflow.graph import Signal, SourceLine, comparator, normalise, softmax, switch
from analogflow.problems.equations import Expression

__all__ = ["written"]

_OPERATORS = {"softmax": softmax, "normalise": normalise, "comparator": comparator, "switch": switch}
"""What an expression's functions mean on arrays and signals alike, where NumPy has no such function."""


def written(expression: Expression, values: Mapping[str, Any], label: str) -> Any:
    """Value of `expression`; where `values` has signals, the blocks it places are said to come from ``label = text``."""
    signal = next((value for value in values.values() if isinstance(value, Signal)), None)
    if signal is None:
        return expression.evaluate(values, _OPERATORS)
    signal.builder.source = SourceLine(f"{label} = {expression}")
    try:
        return expression.evaluate(values, _OPERATORS)
    finally:
        signal.builder.source = None
