"""Flows of the user's own equations, and how a written expression becomes blocks."""

from analogflow.flows.custom.equations import custom
from analogflow.flows.custom.written import written

__all__ = ["custom", "written"]
