"""Channels with a name: the ones textbooks solve by hand. Their capacities are not here but in the reference."""

from __future__ import annotations

import numpy as np

from analogflow.checks import is_whole
from analogflow.errors import BadInput
from analogflow.problems.channel import Channel

__all__ = ["binary_erasure", "binary_symmetric", "noiseless", "noisy_typewriter", "z_channel"]


def binary_symmetric(flip: float) -> Channel:
    """One bit that arrives flipped with probability `flip`, 0 to 1."""
    flip = _probability(flip, "flip")
    return Channel([[1 - flip, flip], [flip, 1 - flip]])


def binary_erasure(erasure: float) -> Channel:
    """One bit that is lost with probability `erasure`, more than 0 and less than 1; outputs: 0, lost, 1."""
    erasure = _probability(erasure, "erasure", below_one=True, above_zero=True)
    return Channel([[1 - erasure, erasure, 0], [0, erasure, 1 - erasure]])


def z_channel(flip: float) -> Channel:
    """Input 0 arrives as 0; input 1 arrives as 0 with probability `flip`, at least 0 and less than 1."""
    flip = _probability(flip, "flip", below_one=True)
    return Channel([[1, 0], [flip, 1 - flip]])


def noiseless(symbols: int) -> Channel:
    """`symbols` inputs, two or more, that each arrive as themselves."""
    return Channel(np.eye(_count(symbols, 2)))


def noisy_typewriter(keys: int) -> Channel:
    """A typewriter of three keys or more that prints, each with probability ½, the key struck or the next one."""
    keys = _count(keys, 3)
    return Channel(0.5 * (np.eye(keys) + np.roll(np.eye(keys), 1, axis=1)))


def _probability(value: float, name: str, *, below_one: bool = False, above_zero: bool = False) -> float:
    if not 0 <= value <= 1:
        raise BadInput(f"{name} is {value!r}; give a probability between 0 and 1.")
    if (above_zero and value == 0) or (below_one and value == 1):
        raise BadInput(f"{name} is {value!r}, so that an output never occurs; give a probability inside the interval.")
    return float(value)


def _count(value: int, least: int) -> int:
    if not is_whole(value, least):
        raise BadInput(f"{value!r} symbols do not make this channel; give a whole number of at least {least}.")
    return int(value)
