"""The ngspice engine: a session sends decks to a process of its own, which runs them through PySpice's shared library."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
