"""Exact answers with certificates. It shares no code with the flows, circuits and digital solvers that it judges."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
