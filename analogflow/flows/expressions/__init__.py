"""Flows whose equations or energies the user writes as expressions."""

from analogflow.flows.expressions.custom import custom
from analogflow.flows.expressions.langevin import langevin

__all__ = ["custom", "langevin"]
