"""Studies: grids of conditions, each with many samples, that can be stopped, resumed and repeated bit by bit."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
