"""What people look at: figures, block diagrams and tables. Nothing here computes a result."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
