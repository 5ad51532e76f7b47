"""Runs a deck and returns a trajectory, or an ensemble: one contract, engines that share no arithmetic."""

from analogflow.simulators.ending import judged
from analogflow.simulators.engines import (
    ENGINES,
    SPICE,
    Engine,
    default_engine,
    engine_for,
    engine_versions,
    named_engine,
    simulate,
)
from analogflow.simulators.ensemble import Ensemble, ensemble, ensemble_chunks

__all__ = [
    "ENGINES",
    "SPICE",
    "Engine",
    "Ensemble",
    "default_engine",
    "engine_for",
    "engine_versions",
    "ensemble",
    "ensemble_chunks",
    "judged",
    "named_engine",
    "simulate",
]
