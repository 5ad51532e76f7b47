"""Evaluates block graphs with NumPy, for one state or for a whole ensemble at once."""

from analogflow.block_engine.integration import RUNAWAY, Drive, ErrorLimits, March, integrate, march
from analogflow.block_engine.methods import EXPLICIT, IMPLICIT, method_for
from analogflow.block_engine.vector_field import VectorField, complete

__all__ = [
    "EXPLICIT",
    "IMPLICIT",
    "RUNAWAY",
    "Drive",
    "ErrorLimits",
    "March",
    "VectorField",
    "complete",
    "integrate",
    "march",
    "method_for",
]
