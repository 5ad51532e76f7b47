"""Runs a deck and returns a trajectory, or an ensemble: one contract, two engines that share no arithmetic."""

from analogflow.simulators.engines import ENGINES, default_engine, judged, simulate
from analogflow.simulators.ensemble import Ensemble, ensemble, ensemble_chunks

__all__ = ["ENGINES", "Ensemble", "default_engine", "ensemble", "ensemble_chunks", "judged", "simulate"]
