"""Boards of a study that are drawn and trimmed: which studies can ask for them, and one of them at a temperature.

A board's trimmers are set once, at the temperature that its circuit is built for, whoever computes it and at whichever other
temperatures it is looked at; within a process they are remembered.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from analogflow.checks import is_whole
from analogflow.circuit import Circuit, Trimmers
from analogflow.circuit.trimmers import ALL
from analogflow.compiler import warmed
from analogflow.errors import BadInput
from analogflow.judgement.trimming import Aim, aim_of, board_of, trim
from analogflow.technology import TECHNOLOGIES

__all__ = ["board", "check_boards"]


def check_boards(count: Any, technologies: Sequence[str], varied: Sequence[str]) -> None:
    """Refuse a study whose boards can not be trimmed as it asks.

    Parameters
    ----------
    count : object
        A number of trimmers, or "all"; None where boards are not trimmed.
    technologies : sequence of str
    varied : sequence of str
        What makes samples differ otherwise.

    Raises
    ------
    BadInput
        It is no number of trimmers, a technology has no parts to trim, or something else is varied.
    """
    if count is None:
        return
    if count != ALL and not (isinstance(count, int) and is_whole(count, 0)):
        raise BadInput(f"study: trim is {count!r}; give a whole number of trimmers from 0, or {ALL!r}.")
    if without := [name for name in technologies if not TECHNOLOGIES[name].parts]:
        raise BadInput(f"study: the technology {without[0]!r} has no parts to trim; take 'opamp' or 'translinear' alone.")
    if varied:
        raise BadInput(
            f"study: boards that are trimmed deviate by the tolerances of their parts alone; leave {varied[0]} out."
        )


def board(circuit: Circuit, study: Any, sample: int, kelvin: float) -> Circuit:
    """A board of a circuit with its trimmers set, and then at another temperature.

    Parameters
    ----------
    circuit : Circuit
        Without deviations, at the temperature where its boards are trimmed.
    study : Study
        Which says how many trimmers there are, by which engine they are set, and which seed decides the boards.
    sample : int
    kelvin : float

    Raises
    ------
    SimulationFailed
        A run found no solution.
    """
    trimmers = _trimmers(circuit, study, sample)
    return warmed(board_of(circuit, trimmers, seed=study.seed, sample=sample), kelvin)


@functools.lru_cache(maxsize=4096)
def _trimmers(circuit: Circuit, study: Any, sample: int) -> Trimmers:
    asked: dict[str, Any] = {"count": study.trim, "seed": study.seed, "sample": sample}
    found = trim(circuit, **asked, aim=_aim(circuit, study), temperatures_celsius=())
    return Trimmers(tuple(found.volts.items()), circuit.temperature_kelvin)


@functools.lru_cache(maxsize=64)
def _aim(circuit: Circuit, study: Any) -> Aim:
    return aim_of(circuit, time_constants=study.time_constants, engine=study.engine)
