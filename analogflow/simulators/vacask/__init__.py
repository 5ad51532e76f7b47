"""The VACASK engine: a simulator and a Verilog-A compiler of their own, which share no code with the other engines."""

from analogflow.simulators.vacask.engine import run

__all__ = ["run"]
