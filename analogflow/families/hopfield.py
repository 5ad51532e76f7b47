"""The family of the Hopfield flow: networks, and where they rest, or with noise their stationary law."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.families.family import Family
from analogflow.flows.hopfield import FORMS, hopfield
from analogflow.problems import Hopfield
from analogflow.reference.hopfield import HopfieldReference, hopfield_reference

__all__ = ["HOPFIELD"]


def _expected(problem: Hopfield, reference: HopfieldReference) -> dict[str, Any]:
    n = problem.visible
    rest = {"v": reference.mean[:n].tolist(), "h": reference.mean[n:].tolist()}
    if problem.temperature == 0:
        return rest | {"energy": reference.energy}
    variances = np.diag(reference.covariance)
    means = {f"mean of {name}": mean for name, mean in rest.items()}
    return means | {"variance of v": variances[:n].tolist(), "variance of h": variances[n:].tolist()}


def _smaller(problem: Hopfield, count: int) -> tuple[Hopfield, str]:
    U = problem.U[:count, :count]
    n, m = U.shape
    gains = problem.gain_v[:n, :n], problem.gain_h[:m, :m]
    part = Hopfield(U, problem.I[:n], *gains, problem.activation, problem.temperature)
    return part, f"a network of {n} visible and {m} hidden states"


HOPFIELD = Family(
    name="hopfield",
    problem=Hopfield,
    noun="a Hopfield network",
    keys=("U", "I", "gain_v", "gain_h", "activation", "temperature", "start"),
    needed={"U": "the matrix of couplings, a row for each visible state"},
    flow=hopfield,
    forms=FORMS,
    reference=lambda problem, _: hopfield_reference(problem),
    law=lambda problem: problem.temperature > 0,
    expected=_expected,
    size=lambda problem: max(problem.U.shape),
    smaller=_smaller,
)
"""The family of the Hopfield flow."""
