"""Channels by their names, and some with known answers, each with where the answer comes from."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from analogflow.problems import Channel


def binary_symmetric(flip: float) -> Channel:
    """One bit that arrives flipped with probability `flip`, 0 to 1."""
    return Channel([[1 - flip, flip], [flip, 1 - flip]])


def binary_erasure(erasure: float) -> Channel:
    """One bit that is lost with probability `erasure`, more than 0 and less than 1; outputs: 0, lost, 1."""
    return Channel([[1 - erasure, erasure, 0], [0, erasure, 1 - erasure]])


def z_channel(flip: float) -> Channel:
    """Input 0 arrives as 0; input 1 arrives as 0 with probability `flip`, at least 0 and less than 1."""
    return Channel([[1, 0], [flip, 1 - flip]])


def noiseless(symbols: int) -> Channel:
    """`symbols` inputs, two or more, that each arrive as themselves."""
    return Channel(np.eye(symbols))


def noisy_typewriter(keys: int) -> Channel:
    """A typewriter of three keys or more that prints, each with probability ½, the key struck or the next one."""
    return Channel(0.5 * (np.eye(keys) + np.roll(np.eye(keys), 1, axis=1)))


class Known(NamedTuple):
    """A channel, its capacity in nats, its only optimal input distribution (None if there are more) and the source."""

    name: str
    channel: Channel
    capacity_nats: float
    optimum: tuple[float, ...] | None
    source: str


PAPER_ROWS = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]]
"""The example P(1) of Beretta and Pelillo 2025, section 8."""
PAPER = Channel(PAPER_ROWS)
PAPER_CSV = "".join(",".join(map(str, row)) + "\n" for row in PAPER_ROWS)
"""The same as a file."""

CHANNELS = (
    Known(
        "paper P(1)",
        PAPER,
        0.252343625741,
        (0.3645015452, 0.4168658487, 0.2186326061),
        "Beretta and Pelillo 2025, section 8; conditions of optimality solved in 40 digits",
    ),
    Known(
        "binary symmetric 0.11",
        binary_symmetric(0.11),
        math.log(2) + 0.11 * math.log(0.11) + 0.89 * math.log(0.89),
        (0.5, 0.5),
        "ln 2 − h(p)",
    ),
    Known("binary erasure 0.3", binary_erasure(0.3), 0.7 * math.log(2), (0.5, 0.5), "(1 − e) ln 2"),
    Known("Z 0.5", z_channel(0.5), math.log(5 / 4), (0.6, 0.4), "ln(1 + (1 − p) p^(p/(1−p)))"),
    Known("noiseless 3", noiseless(3), math.log(3), (1 / 3, 1 / 3, 1 / 3), "ln n"),
    Known("typewriter 5", noisy_typewriter(5), math.log(5 / 2), (0.2,) * 5, "ln n − ln 2; the only optimum as n is odd"),
    Known("typewriter 26", noisy_typewriter(26), math.log(13), None, "ln n − ln 2; every other key is as good as all"),
    Known("useless", Channel([[0.3, 0.7], [0.3, 0.7]]), 0.0, None, "equal rows tell nothing"),
    Known(
        "type II",
        Channel([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]]),
        math.log(2),
        (0.5, 0.5, 0.0),
        "the first two inputs never share an output; the third ties, with D = ln 2",
    ),
    Known(
        "type III",
        Channel([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.35, 0.25]]),
        0.8 * math.log(0.8 / 0.45) + 0.1 * math.log(0.1 / 0.45),
        (0.5, 0.5, 0.0),
        "symmetric in the first two inputs, and the third is worth less",
    ),
    Known(
        "deterministic",
        Channel(np.eye(3)[[0, 0, 1, 2]]),
        math.log(3),
        None,
        "ln of the number of outputs; the first two inputs are the same",
    ),
)
