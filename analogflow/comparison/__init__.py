"""Analog against digital: one problem, every contender, one delivered accuracy; errors recomputed, assumptions named."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
