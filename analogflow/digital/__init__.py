"""Contenders: the digital solvers that analog circuits are compared with. Each reports the gap its answer proves."""

from analogflow.digital.blahut_arimoto import (
    CapacityRun,
    blahut_arimoto,
    multiplicative_weights,
    over_relaxed_blahut_arimoto,
)

__all__ = ["CapacityRun", "blahut_arimoto", "multiplicative_weights", "over_relaxed_blahut_arimoto"]
