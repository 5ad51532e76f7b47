"""Holds a run's output against an independent reference, engines against each other, and errors against their causes."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
