"""The family of the Langevin flow: energies, and the stationary law of what moves in them, or at temperature 0 its rest."""

from __future__ import annotations

from analogflow.families.family import Family
from analogflow.flows.expressions.langevin import FORMS, langevin
from analogflow.problems import Langevin

__all__ = ["LANGEVIN"]

LANGEVIN = Family(
    name="langevin",
    problem=Langevin,
    noun="a Langevin problem",
    keys=("energy", "variables", "temperature", "mobility", "start"),
    needed={
        "energy": "the energy as an expression of the variables",
        "variables": "the names of the variables",
        "temperature": "the temperature in units of the energy",
    },
    flow=langevin,
    forms=FORMS,
)
"""The family of the Langevin flow."""
