"""Schematics of circuits of parts: stages found in the circuit's records, drawn as people draw them, joined by net names."""

from analogflow.report.schematic.sheet import draw_circuit
from analogflow.report.schematic.stages import stages_of

__all__ = ["draw_circuit", "stages_of"]
