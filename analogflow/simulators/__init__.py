"""Runs a deck, or many samples of a circuit at once: one contract, engines that share no arithmetic."""

from analogflow.simulators.engines import (
    ENGINES,
    SPICE,
    Engine,
    engine_for,
    engine_versions,
    ensemble,
    ensemble_chunks,
    named_engine,
    simulate,
)
from analogflow.simulators.ngspice.session import TIME_LIMIT

__all__ = [
    "ENGINES",
    "SPICE",
    "TIME_LIMIT",
    "Engine",
    "engine_for",
    "engine_versions",
    "ensemble",
    "ensemble_chunks",
    "named_engine",
    "simulate",
]
