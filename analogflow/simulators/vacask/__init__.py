"""The VACASK engine: a simulator and a Verilog-A compiler of their own, which share no code with the other engines."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
