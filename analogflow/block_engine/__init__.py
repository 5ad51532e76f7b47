"""Evaluates block graphs, for one state or for a whole ensemble at once, in NumPy or in C where there is a compiler."""

from analogflow.block_engine.compiled import compiled_program
from analogflow.block_engine.drive import Drive
from analogflow.block_engine.integration import RUNAWAY, ErrorLimits, March, integrate, march
from analogflow.block_engine.methods import EXPLICIT, IMPLICIT, Method, method_for
from analogflow.block_engine.native import EVALUATOR, evaluator
from analogflow.block_engine.switching import Trigger, follow_events, march_alone
from analogflow.block_engine.vector_field import VectorField, complete

__all__ = [
    "EVALUATOR",
    "EXPLICIT",
    "IMPLICIT",
    "RUNAWAY",
    "Drive",
    "ErrorLimits",
    "March",
    "Method",
    "Trigger",
    "VectorField",
    "compiled_program",
    "complete",
    "evaluator",
    "follow_events",
    "integrate",
    "march",
    "march_alone",
    "method_for",
]
