"""Whether a flow fits a board: what it needs, what binds, how the board is set, and what that setting computes."""

from __future__ import annotations

import dataclasses
from collections import abc
from pathlib import Path
from typing import Any

import numpy as np

from analogflow.errors import AnalogflowError, UnstableManifold
from analogflow.flows import FAMILIES, Flow
from analogflow.graph import BlockGraph
from analogflow.hardware import lucidac, parts, that
from analogflow.hardware.boards import BOARDS, Board, load_board
from analogflow.hardware.fitting.machine import Machine, final
from analogflow.hardware.fitting.nominal import Nominal, nominal_run
from analogflow.hardware.fitting.scaling import Scaled, scale, unscaled
from analogflow.hardware.fitting.smaller import size, smaller
from analogflow.hardware.fitting.taken import Readout, Taken, take_apart, value_at
from analogflow.hardware.needs import count_needs, shortages
from analogflow.passes import fuse, stabilise

__all__ = ["TOLERANCE", "Mapping", "Readout", "map_flow", "read_back"]

TOLERANCE = 1e-4
"""Largest distance, in flow units, from the flow's answer at which what a configuration computes counts as the flow."""

_MANY_SIGNALS = 2500
"""Scalar signals of a graph that is taken apart in about a second."""


@dataclasses.dataclass(frozen=True, eq=False)
class Mapping:
    """A flow held against a board.

    Parameters
    ----------
    board : Board
    fits : bool
        Whether the board can hold it, and the setting it was given does compute the flow's answer.
    binding : tuple of str
        What it has too little of, in words with numbers; empty if it fits.
    needs, has : mapping of unit to count
    suggestions : tuple of str
        What would fit, where this does not.
    configuration : dict, optional
        How the board is set: for a crossbar the carrier's JSON of the vendor's client, for a patch panel cables and
        potentiometers, else elements and couplings.
    readout : tuple of Readout
        Where the states are.
    seconds_per_time_constant : float, optional
        Seconds of the machine for one τ of the flow.
    errors : mapping of str to float
        "ideal" and "rounded": distance of what the configuration computes from the flow's answer, flow units, with exact
        coefficients and with those of the board's resolution; NaN where it left the machine.
    note : str
        What was lifted.
    """

    board: Board
    fits: bool
    binding: tuple[str, ...]
    needs: abc.Mapping[str, int]
    has: abc.Mapping[str, int]
    suggestions: tuple[str, ...] = ()
    configuration: dict[str, Any] | None = None
    readout: tuple[Readout, ...] = ()
    seconds_per_time_constant: float | None = None
    errors: abc.Mapping[str, float] = dataclasses.field(default_factory=dict)
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All but the board's figures, as JSON can hold it: a NaN becomes None."""
        return {
            "board": self.board.name,
            "fits": self.fits,
            "binding": list(self.binding),
            "needs": dict(self.needs),
            "has": dict(self.has),
            "suggestions": list(self.suggestions),
            "errors": {name: error if np.isfinite(error) else None for name, error in self.errors.items()},
            "seconds_per_time_constant": self.seconds_per_time_constant,
            "readout": [dataclasses.asdict(entry) for entry in self.readout],
            "configuration": self.configuration,
            "note": self.note,
        }

    def __repr__(self) -> str:
        return f"Mapping({self.board.name}: {'fits' if self.fits else '; '.join(self.binding)})"


def map_flow(flow: Flow, board: str | Path | Board = "lucidac") -> Mapping:
    """Hold `flow` against `board`; one that does not fit is an answer, not an exception.

    Parameters
    ----------
    flow : Flow
    board : str, path or Board
        As `load_board` takes it.

    Raises
    ------
    BadInput
        There is no such board, or its file is not one.
    Untraceable
        The flow has no graph.

    Notes
    -----
    Where there is room, the flow is stabilised as `compile` does it, run in the block engine, scaled so that its largest
    values fill 80% of a machine unit, and laid out. The layout is then read back into differential equations, which have
    to end where the flow does.
    """
    board = board if isinstance(board, Board) else load_board(board)
    graph = fuse(flow.graph())[0]
    if _hopeless(graph, board):
        needs = {"integrators": graph.size}
        return _misfit(flow, graph, board, needs, shortages(needs, board), "too large to be counted further")
    taken = take_apart(graph, flow.answer, board.functions)
    needs = count_needs(unscaled(taken.couplings), board)
    # What scaling decides is counted after it.
    short = [*([taken.refusal] if taken.refusal else []), *shortages(_settled(needs, board), board)]
    if short:
        return _misfit(flow, graph, board, needs, short, taken.note)
    try:
        mended, _ = stabilise(graph, flow.keeps, gauge=flow.gauge, mend=flow.mend, end_time=flow.end_time)
        taken = take_apart(fuse(mended)[0], flow.answer, board.functions)
    except UnstableManifold as fault:
        return _misfit(flow, graph, board, needs, [str(fault)], taken.note)
    run = nominal_run(taken.graph, flow.end_time)
    if not run.finished:
        return _misfit(flow, graph, board, needs, ["range: the nominal run of the flow leaves every range"], taken.note)
    states, most = run.states[:, taken.columns()], board.largest_coefficient.value
    if board.kind == "patch":
        scaled = that.fewest_potentiometers(taken.couplings, states, most, enough=board.has["potentiometers"])
    else:
        scaled = scale(taken.couplings, states, most)
    needs = count_needs(scaled, board)
    short = shortages(needs, board)
    if short:
        return _misfit(flow, graph, board, needs, short, taken.note)
    return _laid_out(flow, graph, board, taken, scaled, run, needs)


def read_back(board: Board, configuration: abc.Mapping[str, Any], *, exact: bool = True) -> Machine:
    """What a configuration of `board` computes, with exact coefficients or those of the board's resolution."""
    bits = None if exact else int(board.coefficient_bits.value)
    match board.kind:
        case "crossbar":
            return lucidac.machine(configuration, rate_per_second=board.rate_per_second.value, bits=bits)
        case "patch":
            return that.machine(configuration, bits=bits)
    return parts.machine(configuration, bits=bits)


def _laid_out(
    flow: Flow, graph: BlockGraph, board: Board, taken: Taken, scaled: Scaled, run: Nominal, needs: dict[str, int]
) -> Mapping:
    couplings = scaled.couplings
    held = couplings.of("integrator")
    signs: tuple[int, ...] = (1,) * len(held)
    match board.kind:
        case "crossbar":
            configuration = lucidac.configuration(scaled, board)
        case "patch":
            plan = that.patch(scaled, inverters=board.has["inverters"])
            configuration, signs = plan.to_dict(), plan.signs
        case _:
            configuration = parts.configuration(scaled, board)
    order = {element: number for number, element in enumerate(held)}
    readout = tuple(
        Readout(state, index, order[element], float(scaled.scales[element + 1]) * signs[order[element]])
        for (state, index), element in couplings.places.items()
    )
    expected = value_at(graph, flow.answer, nominal_run(graph, run.end).states[-1])
    errors = {}
    for name in ("ideal", "rounded"):
        outputs = final(read_back(board, configuration, exact=name == "ideal"), run.end / scaled.slowing)
        reached = value_at(taken.graph, flow.answer, taken.state(readout, outputs))
        errors[name] = float(abs(reached - expected).max())
    fits = errors["ideal"] <= TOLERANCE
    binding = () if fits else (f"re-simulation: what was laid out ends {errors['ideal']:.2g} from the flow's answer",)
    return Mapping(
        board,
        fits,
        binding,
        needs,
        board.has,
        configuration=configuration,
        readout=readout,
        seconds_per_time_constant=1 / (board.rate_per_second.value * scaled.slowing),
        errors=errors,
        note=taken.note,
    )


def _settled(needs: abc.Mapping[str, int], board: Board) -> dict[str, int]:
    """Needs that scaling can not change."""
    scaled = {"summers", "inverters", "potentiometers"} | ({"multipliers"} if board.kind == "chip" else set())
    return {unit: count for unit, count in needs.items() if unit not in scaled}


def _misfit(flow: Flow, graph: BlockGraph, board: Board, needs: dict[str, int], binding: list[str], note: str) -> Mapping:
    return Mapping(
        board, False, tuple(binding), needs, board.has, suggestions=tuple(_suggestions(flow, graph, board)), note=note
    )


def _suggestions(flow: Flow, graph: BlockGraph, board: Board) -> list[str]:
    others = [other for name in BOARDS if name != board.name and _has_room(flow, graph, other := load_board(name))]
    found = [f"{other.title} has enough of each unit: map it there" for other in others]
    if flow.family in FAMILIES and flow.problem is not None:
        low, high = 1, size(flow.problem)
        name = ""
        # Needs grow with the size, so that the largest that fits is found by halving.
        while high - low > 1:
            middle = (low + high) // 2
            fitting = _smaller_fits(flow, board, middle)
            low, high, name = (middle, high, fitting) if fitting else (low, middle, name)
        found += [f"{name} would have room"] if name else []
    return found


def _smaller_fits(flow: Flow, board: Board, count: int) -> str:
    """Name of the smaller problem if there is room for its flow; else nothing."""
    try:
        part = smaller(flow.problem, count)
        if part is None:
            return ""
        reduced = FAMILIES[flow.family](part[0], form=flow.form)
        return part[1] if _has_room(reduced, fuse(reduced.graph())[0], board) else ""
    except AnalogflowError:
        return ""


def _hopeless(graph: BlockGraph, board: Board) -> bool:
    """Whether so large a graph has more states than the board has integrators: then nothing else is worth counting."""
    signals = sum(graph.block(node).size for node in graph)
    return signals > _MANY_SIGNALS and graph.size > board.has["integrators"]


def _has_room(flow: Flow, graph: BlockGraph, board: Board) -> bool:
    if _hopeless(graph, board):
        return False
    taken = take_apart(graph, flow.answer, board.functions)
    needs = count_needs(unscaled(taken.couplings), board)
    return not taken.refusal and not shortages({**needs, "potentiometers": 0, "inverters": 0}, board)
