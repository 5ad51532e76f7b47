"""What a board holds, and whether a flow fits it."""

from analogflow.report.boards.tables import board_table, mapping_table

__all__ = ["board_table", "mapping_table"]
