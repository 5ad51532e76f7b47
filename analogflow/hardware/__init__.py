"""Boards: what analog computers one can buy hold, and whether a flow fits."""

from analogflow.hardware.boards import BOARDS, Board, Figure, board_of, load_board
from analogflow.hardware.mapping import RESOLUTION, Mapping, Readout, map_flow, read_back

__all__ = [
    "BOARDS",
    "RESOLUTION",
    "Board",
    "Figure",
    "Mapping",
    "Readout",
    "board_of",
    "load_board",
    "map_flow",
    "read_back",
]
