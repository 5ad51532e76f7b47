"""The family of the Langevin flow: energies, and the stationary law of what moves in them, or at temperature 0 its rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.families.family import Family
from analogflow.families.path import PathEnd
from analogflow.flows.expressions.langevin import FORMS, langevin
from analogflow.problems import Langevin
from analogflow.reference.equations import path_end
from analogflow.reference.langevin import boltzmann_law

__all__ = ["LANGEVIN"]


def _reference(problem: Langevin, time: float) -> Any:
    if problem.temperature:
        return boltzmann_law(problem)
    names = problem.variables

    def rates(states: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        x = np.concatenate([states[name] for name in names])
        return dict(zip(names, (-problem.mobility_at(x) @ problem.gradient_at(x))[:, None], strict=True))

    return PathEnd(*path_end(rates, dict(zip(names, problem.start[:, None], strict=True)), time))


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
    reference=_reference,
    follows=lambda problem: problem.temperature == 0,
    law=lambda problem: problem.temperature > 0,
    expected=None,
)
"""The family of the Langevin flow."""
