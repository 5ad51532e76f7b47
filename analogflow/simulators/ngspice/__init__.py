"""The ngspice engine: a session sends decks to a process of its own, which runs them through PySpice's shared library."""

from analogflow.simulators.ngspice.engine import run

__all__ = ["run"]
