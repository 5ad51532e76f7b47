"""The family of the Hopfield flow: networks, and where they rest, or with noise their stationary law."""

from __future__ import annotations

from analogflow.families.family import Family
from analogflow.flows.hopfield import FORMS, hopfield
from analogflow.problems import Hopfield

__all__ = ["HOPFIELD"]

HOPFIELD = Family(
    name="hopfield",
    problem=Hopfield,
    noun="a Hopfield network",
    keys=("U", "I", "gain_v", "gain_h", "activation", "temperature", "start"),
    needed={"U": "the matrix of couplings, a row for each visible state"},
    flow=hopfield,
    forms=FORMS,
)
"""The family of the Hopfield flow."""
