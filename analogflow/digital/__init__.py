"""Contenders: the digital solvers that analog circuits are compared with. Each reports the gap its answer proves."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
