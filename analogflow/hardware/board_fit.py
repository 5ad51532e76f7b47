"""Whether a flow fits a board: what it needs, what binds, how the board is set, and what that setting computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analogflow.blocks import PADE
from analogflow.checks import is_positive
from analogflow.circuit import Build
from analogflow.digits import quiet
from analogflow.errors import AnalogflowError, BadInput, SimulationFailed, UnstableManifold
from analogflow.families import Family, flow_of, known_family
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.hardware import element_list, lucidac, that
from analogflow.hardware.boards import BOARDS, COUNTED, LAID_OUT, Board, load_board
from analogflow.hardware.course import (
    EXACT,
    POINTS,
    Course,
    Followed,
    chaotic_course,
    compare,
    course_of,
    deciding_at_once,
    horizon,
    nominal_path,
    nominal_run,
    overload,
)
from analogflow.hardware.decomposition import Readout, Taken, take_apart, value_at
from analogflow.hardware.equations import ScaledEquation, scaled_equations
from analogflow.hardware.generators import generators_needed, held_at_peaks
from analogflow.hardware.machine import Machine, in_legs, path
from analogflow.hardware.needs import count_needs, shortages
from analogflow.hardware.scaling import ScaledCouplings, finer, scale, unscaled
from analogflow.passes import Brief, run_passes

__all__ = ["RESOLUTION", "TOLERANCE", "BoardFit", "Readout", "map_flow", "read_back"]

TOLERANCE = 1e-4
"""Largest distance from the flow, over the peak of what is compared, at which exact coefficients count as the flow."""

RESOLUTION = 1e-2
"""The same for coefficients and starts of the board's resolution, unless another limit is asked for."""

_FINE = 0.1
"""Share of the limit up to which coarse coefficients are left as they are."""

_TRIALS = 4
"""Scalings for coarse coefficients that are laid out, until one fits."""

_MANY_SIGNALS = 2500
"""Scalar signals of a graph that is taken apart in about a second."""


@dataclasses.dataclass(frozen=True, eq=False)
class BoardFit:
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
        coefficients and with those of the board's resolution; NaN where it left the machine. The largest along the path
        where the flow is one of motion, else that at rest.
    followed : mapping of str to Followed
        Of the same two: the largest distance of the answer and, in a motion, of all states, relative to their peaks, and
        until when was compared: to the end, or as far as the paths of a chaotic flow can be.
    limit : float
        Largest relative distance of the rounded coefficients at which it fits.
    equations : tuple of ScaledEquation
        What each element of the board computes, in machine units.
    note : str
        What was lifted, and whether the flow is chaotic.
    """

    board: Board
    fits: bool
    binding: tuple[str, ...]
    needs: Mapping[str, int]
    has: Mapping[str, int]
    suggestions: tuple[str, ...] = ()
    configuration: dict[str, Any] | None = None
    readout: tuple[Readout, ...] = ()
    seconds_per_time_constant: float | None = None
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    followed: Mapping[str, Followed] = dataclasses.field(default_factory=dict)
    limit: float = RESOLUTION
    equations: tuple[ScaledEquation, ...] = ()
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
            "followed": {
                name: {k: v if isinstance(v, str) or np.isfinite(v) else None for k, v in dataclasses.asdict(found).items()}
                for name, found in self.followed.items()
            },
            "limit": self.limit,
            "seconds_per_time_constant": self.seconds_per_time_constant,
            "readout": [dataclasses.asdict(entry) for entry in self.readout],
            "equations": [dataclasses.asdict(equation) for equation in self.equations],
            "configuration": self.configuration,
            "note": self.note,
        }

    def __repr__(self) -> str:
        return f"BoardFit({self.board.name}: {'fits' if self.fits else '; '.join(self.binding)})"


def map_flow(
    flow: Flow, board: str | Path | Board = "lucidac", *, limit: float = RESOLUTION, suggest: bool = True
) -> BoardFit:
    """Hold `flow` against `board`; one that does not fit is an answer, not an exception.

    Parameters
    ----------
    flow : Flow
    board : str, path or Board
        As `load_board` takes it.
    limit : float
        Largest distance from the flow that coefficients of the board's resolution may cause, relative to the peak of what is
        compared: of the answer at rest or, where the flow has an end or its path matters, of every state along the path.
    suggest : bool
        Whether to try what would fit where this does not.

    Raises
    ------
    BadInput
        There is no such board, its file is not one, or `limit` is not positive.
    Untraceable
        The flow has no graph.

    Notes
    -----
    Where there is room, the flow is stabilised as `compile` does it, run in the block engine, scaled so that its largest
    values fill 80% of a machine unit, and laid out. The layout is then read back into differential equations, exactly and
    with the board's resolution, which have to stay within the machine and close to the flow. Where paths that start next to
    each other part, they are compared until a perturbation has grown to the limit.
    """
    if not is_positive(limit):
        raise BadInput(f"limit is {limit!r}; give a positive number: the largest distance from the flow over its peak.")
    board = board if isinstance(board, Board) else load_board(board)
    brief = _brief(flow, board)
    found = _held(brief, board, limit)
    if found.fits or not suggest:
        return found
    return dataclasses.replace(found, suggestions=tuple(_suggestions(brief, board, limit)))


def read_back(board: Board, configuration: Mapping[str, Any], *, exact: bool = True) -> Machine:
    """What a configuration of `board` computes, with exact coefficients or those of the board's resolution."""
    bits = None if exact else int(board.coefficient_bits.value)
    match board.kind:
        case "crossbar":
            rate, step = board.rate_per_second.value, board.range_step
            return lucidac.machine(configuration, rate_per_second=rate, bits=bits, range_step=step)
        case "patch":
            return that.machine(configuration, bits=bits)
    return element_list.machine(configuration, bits=bits)


@dataclasses.dataclass(frozen=True, eq=False)
class _Laid:
    """A flow laid out on a board: how it is set and how it is read."""

    board: Board
    taken: Taken
    scaled: ScaledCouplings
    configuration: dict[str, Any]
    readout: tuple[Readout, ...]

    @property
    def seconds(self) -> float:
        """Of the machine for one τ."""
        return 1 / (self.board.rate_per_second.value * self.scaled.slowing)

    def outputs(self, states: np.ndarray) -> np.ndarray:
        """Outputs of the machine where the integrators are at `states`, shape (points, integrators), flow units."""
        found = np.zeros((len(states), len(read_back(self.board, self.configuration).initial)))
        for entry in self.readout:
            found[:, entry.integrator] = states[:, entry.integrator] / entry.unit
        return found


def _brief(flow: Flow, board: Board) -> Brief:
    """What is to be laid out; boards that are tried instead share it, and the orbit that it is followed along."""
    return run_passes(COUNTED, Brief(flow, Build(board.name)))[0]


def _held(brief: Brief, board: Board, limit: float) -> BoardFit:
    """What `map_flow` finds, without what would fit instead."""
    flow, graph = brief.flow, brief.graph
    if flow.latches or flow.jumps:
        told = "no board here sets states anew or has comparators with hysteresis; write a state that follows one"
        return _misfit(board, {"integrators": graph.size}, [told], "what switches or jumps is not laid out")
    if flow.delays:
        told = f"no board here delays a signal; write {PADE}"
        return _misfit(board, {"integrators": graph.size}, [told], "what is delayed is not laid out")
    if _hopeless(graph, board):
        needs = {"integrators": graph.size}
        return _misfit(board, needs, shortages(needs, board), "too large to be counted further")
    played = generators_needed(graph, board)
    whole = held_at_peaks(graph) if played else graph
    taken = take_apart(whole, flow.answer, board.functions, board.comparators)
    needs = count_needs(unscaled(taken.couplings), board)
    # What scaling decides is counted after it.
    later = {"summers", "inverters", "potentiometers"} | ({"multipliers"} if board.kind == "chip" else set())
    settled = {unit: count for unit, count in needs.items() if unit not in later}
    short = [*([taken.refusal] if taken.refusal else []), *shortages(settled, board)]
    if played:
        told = "the rest of it is counted with a constant in a generator's place, and not laid out"
        return _misfit(board, needs, [*played, *short], "; ".join(filter(None, (taken.note, told))))
    if short:
        return _misfit(board, needs, short, taken.note)
    try:
        mended = run_passes(LAID_OUT, brief)[0].graph
        taken = take_apart(mended, flow.answer, board.functions, board.comparators)
    except UnstableManifold as fault:
        return _misfit(board, needs, [str(fault)], taken.note)
    nominal = nominal_run(taken.graph, flow.end_time, flow=flow)
    # At times that do not depend on a solver's steps, so that the same flow is laid out the same way everywhere.
    times = np.unique([*np.linspace(0.0, nominal.end, POINTS), *np.geomspace(1e-6 * nominal.end, nominal.end, POINTS // 4)])
    states = quiet(nominal_path(taken.graph, nominal.peaks, times), flow.state_scale)[:, taken.columns()]
    if not (nominal.finished and np.isfinite(states).all()):
        return _misfit(board, needs, ["range: the nominal run of the flow leaves every range"], taken.note)
    if board.comparators:
        graph, mended = deciding_at_once(graph), deciding_at_once(mended)
    try:
        course = course_of(flow, graph, mended, taken, nominal)
    except SimulationFailed as fault:
        return _misfit(board, needs, [f"re-simulation: {fault}"], taken.note)
    found = _fitted(board, taken, states, course, limit)
    strays = any(one.relative > (TOLERANCE if name == "ideal" else limit) for name, one in found.followed.items())
    chaotic = chaotic_course(course, taken, states, TOLERANCE) if course.moving and strays else None
    if chaotic is None:
        return _refined(found, board, taken, states, course, limit)
    # A chaotic flow is scaled to what it reaches in the long run, and compared as far as that can be.
    course_so_far, states_so_far = chaotic
    far = _fitted(board, taken, states_so_far, course_so_far, limit)
    far = _refined(far, board, taken, states_so_far, course_so_far, limit)
    if far.fits or found.binding[0].startswith("range"):
        return far
    own = _refined(found, board, taken, states, course, limit)
    return own if own.fits else far


def _fitted(board: Board, taken: Taken, states: np.ndarray, course: Course, limit: float) -> BoardFit:
    """A flow scaled to `states`, shape (points, integrators), laid out on a board that has the elements, and judged."""
    most = board.largest_coefficient.value
    if board.kind == "patch":
        scaled = that.fewest_potentiometers(taken.couplings, states, most, enough=board.has["potentiometers"])
    else:
        scaled = scale(taken.couplings, states, most)
    needs = count_needs(scaled, board)
    short = shortages(needs, board)
    if short:
        return _misfit(board, needs, short, taken.note)
    return _judged(_lay_out(board, taken, scaled), course, needs=needs, limit=limit)


def _refined(found: BoardFit, board: Board, taken: Taken, states: np.ndarray, course: Course, limit: float) -> BoardFit:
    """What was `found`, or one that is scaled for coarse coefficients and is closer or fits: of several, until one fits."""
    if "rounded" not in found.followed or found.followed["rounded"].relative <= _FINE * limit or board.kind == "patch":
        return found
    most, bits = board.largest_coefficient.value, int(board.coefficient_bits.value)
    scalings = finer(taken.couplings, states, most, bits, board.range_step)
    for scaled in scalings[:_TRIALS]:
        needs = count_needs(scaled, board)
        if shortages(needs, board):
            continue
        again = _judged(_lay_out(board, taken, scaled), course, needs=needs, limit=limit)
        if "rounded" not in again.followed or again.fits < found.fits:
            continue
        closer = again.followed["rounded"].relative < found.followed["rounded"].relative
        if closer or again.fits > found.fits:
            found = again
        if found.fits:
            break
    return found


def _lay_out(board: Board, taken: Taken, scaled: ScaledCouplings) -> _Laid:
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
            configuration = element_list.configuration(scaled, board)
    order = {element: number for number, element in enumerate(held)}
    readout = tuple(
        Readout(state, index, order[element], float(scaled.scales[element + 1]) * signs[order[element]])
        for (state, index), element in couplings.places.items()
    )
    return _Laid(board, taken, scaled, configuration, readout)


def _judged(laid: _Laid, course: Course, *, needs: dict[str, int], limit: float) -> BoardFit:
    """Read the layout back, and hold what it computes against the flow."""
    board, taken, growth, slowing = laid.board, laid.taken, course.growth, laid.scaled.slowing
    machines = {"ideal": read_back(board, laid.configuration), "rounded": read_back(board, laid.configuration, exact=False)}
    followed: dict[str, Followed] = {}
    binding: list[str] = []
    notes = [taken.note] if taken.note else []
    if not course.resting:
        notes.append(f"it is not at rest after {course.end:g} τ, until when it is followed")
    outputs = np.empty(0)
    for name, machine in machines.items():
        most, what = (
            (TOLERANCE, "exact coefficients")
            if name == "ideal"
            else (limit, f"coefficients of {board.coefficient_bits.value:g} bits")
        )
        told, compared = course.end, course
        if growth is not None:
            start, drive = EXACT, np.zeros_like(growth.times)
            if name == "rounded":
                # Where exact coefficients go is known along the flow's own motion.
                start, drive = _apart(machines, outputs if course.along is None else laid.outputs(course.along), slowing)
            told = horizon(growth, start, drive, most)
            if course.along is not None and told < course.times[-1]:
                compared = course.until(told)
            if told < course.end:
                notes.append(
                    f"chaotic: paths that start together part e-fold every {1 / growth.exponent:.2g} τ, so that {what} are "
                    f"compared until {told:.3g} of {course.end:g} τ"
                )
        try:
            outputs = path(machine.rates, machine.initial, compared.times / slowing)
        except SimulationFailed as fault:
            binding.append(f"re-simulation: with {what} {fault}")
            break
        states = taken.state(laid.readout, outputs)
        found = {quantity: value_at(taken.graph, quantity, states) for quantity in course.expected}
        span = (0.0 if course.moving else course.end, min(told, course.end))
        followed[name] = compare(compared.expected, found, compared.times, course.answer, most, span, course.sizes)
        looked = compared.times
        if growth is not None and course.along is not None:
            looked = growth.times
            outputs = (
                laid.outputs(course.along)
                if name == "ideal"
                else in_legs(machine.rates, machine.initial, growth.times / slowing)
            )
        left = overload(machine.signals, outputs, looked)
        kind = "re-simulation" if name == "ideal" else "resolution"
        if left:
            binding.append(f"range: with {what} {left}")
        elif not followed[name].relative <= most:
            binding.append(f"{kind}: with {what} {_too_far(followed[name], most, course.moving)}")
        elif growth is not None and told < min(course.end, 1 / growth.exponent):
            binding.append(
                f"{kind}: with {what} a path may be {most:g} of its peak off after {told:.2g} τ, sooner "
                f"than paths that start together part e-fold ({1 / growth.exponent:.2g} τ), so that nothing can be told"
            )
        if binding:
            # Coarse coefficients of a layout that is wrong with exact ones say nothing.
            break
    return BoardFit(
        board,
        not binding,
        tuple(binding),
        needs,
        board.has,
        configuration=laid.configuration,
        readout=laid.readout,
        seconds_per_time_constant=laid.seconds,
        errors={name: found.error for name, found in followed.items()},
        followed=followed,
        limit=limit,
        equations=scaled_equations(laid.scaled),
        note="; ".join(notes),
    )


def _too_far(found: Followed, limit: float, moving: bool) -> str:
    if not moving:
        where = f"{found.where} comes to rest {found.relative:.2g} of its peak, {found.peak:.3g}, from where the flow does"
        return f"{where}, more than {limit:g}"
    return (
        f"{found.where} is {found.relative:.2g} of its peak, {found.peak:.3g}, from the flow's path at {found.at:.3g} τ, "
        f"more than {limit:g}; it is closer until {found.within:.3g} τ"
    )


def _apart(machines: Mapping[str, Machine], outputs: np.ndarray, slowing: float) -> tuple[float, np.ndarray]:
    """How far rounding turns the start, and the rates along `outputs`, shape (points,): machine units, and those per τ."""
    exact, rounded = machines["ideal"], machines["rounded"]
    turned = np.array([np.linalg.norm(rounded.rates(y) - exact.rates(y)) for y in outputs])
    return float(np.linalg.norm(rounded.initial - exact.initial)), turned / slowing


def _misfit(board: Board, needs: dict[str, int], binding: list[str], note: str) -> BoardFit:
    return BoardFit(board, False, tuple(binding), needs, board.has, note=note)


def _suggestions(brief: Brief, board: Board, limit: float) -> list[str]:
    """Other boards that the flow does fit, and the largest smaller problem that fits this one: each was tried."""
    flow = brief.flow
    others = [load_board(name) for name in BOARDS if name != board.name]
    found = [f"{other.title}: it fits there (board {other.name})" for other in others if _fits(brief, other, limit)]
    if family := known_family(flow.problem):
        low, high = 1, family.size(flow.problem)
        name = ""
        # Needs grow with the size, so that the largest that fits is found by halving.
        while high - low > 1:
            middle = (low + high) // 2
            fitting = _smaller_fits(family, flow, board, middle, limit)
            low, high, name = (middle, high, fitting) if fitting else (low, middle, name)
        found += [f"{name} would fit"] if name else []
    return found


def _smaller_fits(family: Family, flow: Flow, board: Board, count: int, limit: float) -> str:
    """Name of the smaller problem if its flow fits; else nothing."""
    try:
        part = family.smaller(flow.problem, count)
        if part is None:
            return ""
        reduced = flow_of(part[0], flow.form)
        return part[1] if _fits(_brief(reduced, board), board, limit) else ""
    except AnalogflowError:
        return ""


def _hopeless(graph: BlockGraph, board: Board) -> bool:
    """Whether so large a graph has more states than the board has integrators: then nothing else is worth counting."""
    signals = sum(graph.block(node).size for node in graph)
    return signals > _MANY_SIGNALS and graph.size > board.has["integrators"]


def _fits(brief: Brief, board: Board, limit: float) -> bool:
    try:
        return _held(brief, board, limit).fits
    except AnalogflowError:
        return False
