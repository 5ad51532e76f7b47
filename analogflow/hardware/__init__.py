"""Boards: what analog computers one can buy hold, and whether a flow fits."""

from analogflow.hardware.board_fit import RESOLUTION, BoardFit, map_flow, read_back
from analogflow.hardware.boards import BOARDS, Board, Figure, board_of, load_board

__all__ = [
    "BOARDS",
    "RESOLUTION",
    "Board",
    "BoardFit",
    "Figure",
    "board_of",
    "load_board",
    "map_flow",
    "read_back",
]
