"""Equations of the user's own: expressions read from text, and systems of them."""

from analogflow.problems.equations.expression import FUNCTIONS, Expression, read_expression
from analogflow.problems.equations.faults import MANIFOLDS
from analogflow.problems.equations.system import Equations

__all__ = ["FUNCTIONS", "MANIFOLDS", "Equations", "Expression", "read_expression"]
