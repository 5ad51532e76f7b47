"""Evaluates block graphs with NumPy, for one state or for a whole ensemble at once."""

from analogflow.block_engine.stepper import integrate
from analogflow.block_engine.vector_field import VectorField

__all__ = ["VectorField", "integrate"]
