"""Runs a deck and returns a trajectory: one contract, two engines that share no arithmetic."""

from analogflow.simulators.engines import ENGINES, default_engine, simulate

__all__ = ["ENGINES", "default_engine", "simulate"]
