"""Exact Boltzmann laws by quadrature, and the Fokker-Planck equation on a grid as a second opinion."""

from analogflow.reference.langevin.fokker_planck import FokkerPlanck, fokker_planck
from analogflow.reference.langevin.quadrature import BoltzmannLaw, boltzmann_law, conditional_free_energy

__all__ = ["BoltzmannLaw", "FokkerPlanck", "boltzmann_law", "conditional_free_energy", "fokker_planck"]
