"""Boards: what analog computers one can buy hold, and whether a flow fits."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
