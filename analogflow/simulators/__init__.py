"""Runs a deck and returns a trajectory, or an ensemble: one contract, two engines that share no arithmetic."""

from analogflow.simulators.engines import ENGINES, SPICE, default_engine, judged, named_engine, simulate
from analogflow.simulators.ensemble import Ensemble, ensemble, ensemble_chunks

__all__ = [
    "ENGINES",
    "SPICE",
    "Ensemble",
    "default_engine",
    "ensemble",
    "ensemble_chunks",
    "judged",
    "named_engine",
    "simulate",
]
