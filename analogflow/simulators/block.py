"""The block engine behind the contract all engines keep: it evaluates the graph a deck was made from, not its text."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import (
    IMPLICIT,
    RUNAWAY,
    Drive,
    March,
    Tolerances,
    VectorField,
    complete,
    integrate,
    march,
    method_for,
)
from analogflow.circuit import Circuit
from analogflow.errors import SimulationFailed
from analogflow.netlister import Deck
from analogflow.run import Outcome, Run

__all__ = ["follow", "in_flow_units", "outcomes_of", "run", "tolerances_of"]

_MOST_POINTS = 20_000

_PATH_ACCURACY, _LAW_ACCURACY = 1e-7, 1e-5
"""Errors allowed per step, relative: where a law is averaged, its standard errors are far above either."""

_SHORT_STEP = 1e-4
"""τ: a circuit that asks for shorter steps is very stiff."""


def run(deck: Deck, *, resting_speed: float, time_limit: float, on_progress: Callable[[float], None] | None = None) -> Run:
    """Integrate the deck's graph to the deck's end, or until the answer settles.

    Raises
    ------
    SimulationFailed
        It ran past the time limit.
    """
    circuit, on_progress = deck.circuit, _within(time_limit, on_progress)
    end = (deck.end_time - circuit.release) / circuit.time_constant
    if not circuit.ideal or circuit.noisy or circuit.parts is not None or _very_stiff(circuit):
        # The march knows noise and stiffness, and shows all of the path, of which no peak may be missed where there are
        # rails; an ideal circuit alone is followed more sharply by a method of order 8.
        points = min(int(np.ceil(end * circuit.time_constant / deck.largest_step)), _MOST_POINTS)
        times, accuracy = np.linspace(0.0, end, points + 1), _LAW_ACCURACY if circuit.flow.averaging else _PATH_ACCURACY
        return follow(circuit, times, resting_speed=resting_speed, step_accuracy=accuracy, on_progress=on_progress)
    run = integrate(
        circuit.graph, end, rests=circuit.flow.rests, resting_speed=resting_speed, size=size_of(circuit),
        scale=scale_of(circuit), runaway=runaway_of(circuit), on_progress=on_progress,
    )  # fmt: skip
    return dataclasses.replace(run, values=in_flow_units(circuit, run.values), record=_record())


def size_of(circuit: Circuit) -> float | None:
    """Size of what has to rest in the units of the circuit's graph: its own is about 1 where a pass has scaled it."""
    return 1.0 if circuit.scales else circuit.flow.size


def scale_of(circuit: Circuit) -> float:
    """Size of the states in the units of the circuit's graph."""
    return 1.0 if circuit.scales else circuit.flow.state_scale


def runaway_of(circuit: Circuit) -> float:
    """Where a state has run away, in the units of the circuit's graph."""
    return RUNAWAY * (1.0 if circuit.scales else circuit.flow.reach)


def tolerances_of(circuit: Circuit, step_accuracy: float, settled: float) -> Tolerances:
    """Errors allowed per step, relative, and a hundredth of it absolute, and when a circuit rests or runs away."""
    absolute = 1e-2 * step_accuracy * scale_of(circuit)
    return Tolerances(step_accuracy, absolute, settled, size_of(circuit), runaway_of(circuit))


def _very_stiff(circuit: Circuit) -> bool:
    """Whether a rate is so fast that the method of order 8 would take its steps for stability alone, without end."""
    return method_for(VectorField(circuit.graph), circuit.graph.initial()[None], _SHORT_STEP) is IMPLICIT


def _within(time_limit: float, on_progress: Callable[[float], None] | None) -> Callable[[float], None]:
    """Called after every step with the time reached; ends a run whose steps are so short that it would not end."""
    latest = time.monotonic() + time_limit

    def progress(reached: float) -> None:
        if time.monotonic() > latest:
            raise SimulationFailed(
                f"the block engine reached t = {reached:.4g} τ within the time limit of {time_limit:g} s and was stopped; "
                "raise time_limit, shorten the run, or take another form."
            )
        if on_progress is not None:
            on_progress(reached)

    return progress


def in_flow_units(circuit: Circuit, values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Signals divided by their scales, and the observables that the circuit does not build."""
    if not circuit.scales and circuit.derived_from is None:
        return dict(values)
    scaled = {name: np.array(value / circuit.scales.get(name, 1.0)) for name, value in values.items()}
    return scaled if circuit.derived_from is None else complete(circuit.derived_from, scaled)


def follow(
    circuit: Circuit,
    times: NDArray[np.float64],
    *,
    resting_speed: float = 0.0,
    step_accuracy: float = _PATH_ACCURACY,
    on_progress: Callable[[float], None] | None = None,
) -> Run:
    """Integrate one circuit, with its noise and imperfections, and report it at given times.

    Parameters
    ----------
    circuit : Circuit
    times : array, shape (k,)
        Ascending, in τ, the first 0.
    resting_speed : float
        The run ends when the answer moves by less than this per τ; 0 runs to the end.
    step_accuracy : float
        Error allowed per step, relative, and a hundredth of it absolute.
    on_progress : callable, optional
        Called with the time reached, in τ.
    """
    field = VectorField(circuit.graph)
    end = float(times[-1])
    start = circuit.graph.initial()[None]
    drive = Drive(field, circuit.noise, [circuit.sample], end) if len(field.streams) else None
    longest = np.inf if drive is None else circuit.noise.step
    walked = march(
        field, start, times, end, method_for(field, start, longest), drive=drive, rests=circuit.flow.rests,
        tolerances=tolerances_of(circuit, step_accuracy, resting_speed), on_progress=on_progress,
    )  # fmt: skip
    reached = times < walked.end[0]
    reported, states = np.append(times[reached], walked.end[0]), np.append(walked.states[0, reached], walked.final, axis=0)
    noise = None if drive is None else np.concatenate([drive.at(time) for time in reported])
    values = field.observables(states, noise)
    (outcome,), detail = outcomes_of(walked, stops=resting_speed > 0), ""
    if outcome is Outcome.BLEW_UP:
        largest = field.unpack(abs(walked.final[0]))
        name = max(largest, key=lambda label: float(largest[label].max()))
        detail = f"{name}[{int(largest[name].argmax())}] ran away at t = {walked.end[0]:.4g} τ."
    elif outcome is Outcome.STUCK:
        detail = f"That was at t = {walked.end[0]:.4g} τ."
    return Run(reported, in_flow_units(circuit, values), outcome, detail, _record())


def outcomes_of(walked: March, *, stops: bool) -> tuple[Outcome, ...]:
    """How each sample of a march ended; `stops` says whether it was to end where its answer settles."""
    rest = Outcome.NOT_SETTLED if stops else Outcome.COMPLETED
    flags = zip(walked.failed, walked.stuck, walked.settled, strict=True)
    return tuple(
        Outcome.BLEW_UP if failed else Outcome.STUCK if stuck else Outcome.SETTLED if settled else rest
        for failed, stuck, settled in flags
    )


def _record() -> dict[str, Any]:
    return {"engine": "block", "versions": {}}
