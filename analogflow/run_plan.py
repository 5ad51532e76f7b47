"""How long a circuit is run and in what steps: decided here alone, for every verb, engine and netlist."""

from __future__ import annotations

import dataclasses

from analogflow.circuit import Circuit
from analogflow.flows import Flow

__all__ = [
    "ALONE",
    "LARGEST_STEP",
    "LONGEST",
    "RESTING_SPEED",
    "RunPlan",
    "longest_run",
    "own_time",
    "resting_speed",
    "run_plan",
]

RESTING_SPEED = 1e-9
"""A run has settled when nothing that must rest moves by more than this per τ, in flow units."""

ALONE = 60.0
"""Length in τ of a netlist that runs by itself, and so does not see that its answer has settled."""

LARGEST_STEP, _SETTLING_STEP = 0.5, 1.0
"""Largest step in τ, and that of a run which ends where its answer settles: steps grow as it comes to rest."""

LONGEST, _LONGEST_OF_PARTS = 5000.0, 1000.0
"""Longest run in τ where the user gives no time; of parts, whose answer is not known well enough for more to be worth it."""

_NOISY_TIME, _PATH_TIME = 60.0, 200.0
"""The same where there is noise, and where the path matters."""

_PATH_STEP, _PATH_POINTS = 5e-4, 20_000
"""Largest step in τ, and points at most, where the answer is a point on the way: tokens come to 4e-7 at t = 1."""

_FOLLOWING_STEP = 1e-3
"""Largest step in τ where the answer is where a path ends that must be followed: an isospectral one comes to 1e-6."""


@dataclasses.dataclass(frozen=True)
class RunPlan:
    """Plan of a run.

    Parameters
    ----------
    end : float
        Length in τ: where the run ends, or after which it is given up if its answer has not settled.
    largest_step : float, optional
        In τ; None where the noise's knots decide.
    resting_speed : float
        Flow units per τ below which the answer rests and the run ends; 0 where the answer is a point on the way.
    """

    end: float
    largest_step: float | None
    resting_speed: float


def run_plan(circuit: Circuit, time_constants: float | None = None, *, stops: bool = True) -> RunPlan:
    """Plan for `circuit`.

    Parameters
    ----------
    circuit : Circuit
    time_constants : float, optional
        Length asked for in τ; that of the flow's answer, or until it settles, if not given.
    stops : bool
        Whether the run ends where its answer settles; a netlist that runs by itself can not.
    """
    flow = circuit.flow
    given = own_time(flow) if time_constants is None else time_constants
    if given is None and not stops:
        given = ALONE
    longest = longest_run(flow, noisy=circuit.noisy, parts=circuit.parts is not None)
    if circuit.noisy:
        step = None
    elif flow.end_time is not None:
        step = max(_PATH_STEP, (time_constants or flow.end_time) / _PATH_POINTS)
    elif flow.path_matters:
        step = _FOLLOWING_STEP
    else:
        step = _SETTLING_STEP if time_constants is None and stops else LARGEST_STEP
    return RunPlan(longest if given is None else given, step, 0.0 if flow.end_time else resting_speed(circuit))


def longest_run(flow: Flow, *, noisy: bool = False, parts: bool = False) -> float:
    """Time in τ after which a run of a flow without a time of its own is given up."""
    longest = _NOISY_TIME if noisy else _PATH_TIME if flow.path_matters else LONGEST
    return min(longest, _LONGEST_OF_PARTS) if parts else longest


def own_time(flow: Flow) -> float | None:
    """Length of a run in τ that the flow's answer asks for; None where the answer is where it settles."""
    return flow.averaging.end if flow.averaging else flow.end_time


def resting_speed(circuit: Circuit) -> float:
    """Speed below which the answer rests, flow units per τ: that of circuits of parts is known to their accuracy only."""
    return 1e-3 * circuit.accuracy if circuit.parts else RESTING_SPEED
