"""Runs a deck, or many samples of a circuit at once: one contract, engines that share no arithmetic."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
