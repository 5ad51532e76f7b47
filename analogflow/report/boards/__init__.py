"""What a board holds and whether a flow fits it, what a circuit is built from, and what each level of it costs."""

from analogflow.report.boards.parts import levels_table, parts_table
from analogflow.report.boards.tables import board_table, mapping_table

__all__ = ["board_table", "levels_table", "mapping_table", "parts_table"]
