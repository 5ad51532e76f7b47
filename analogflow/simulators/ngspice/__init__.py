"""The ngspice engine: a session sends decks to a process of its own, which runs them through PySpice's shared library."""

from analogflow.simulators.ngspice.engine import run
from analogflow.simulators.ngspice.session import NgspiceSession

__all__ = ["NgspiceSession", "run"]
