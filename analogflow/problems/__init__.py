"""What is asked: each problem is validated, frozen data without a solution method."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
