"""From a problem to a certified answer in one call: flow, circuit, deck, run and certificate, all kept together."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

from analogflow.circuit import Circuit
from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.flows import FAMILIES, FAMILY_OF, Flow
from analogflow.netlister import Deck, netlist
from analogflow.simulators import ENGINES, default_engine, simulate
from analogflow.trajectory import Trajectory
from analogflow.validation import Certificate, certify

__all__ = ["Solution", "family_of", "path_step", "solve"]

SPEED_TOLERANCE = 1e-9
"""The answer has settled when it moves by less than this per τ, in flow units."""

SETTLING_BAND = 1e-6
"""The settling time is when the answer enters this distance from its last value for good, in flow units."""

_AUTOMATIC = (5000.0, 1.0)
"""Longest run and largest step, in τ, where the user gives no time: runs stop where the answer settles."""

_PATH_STEP, _PATH_POINTS = 5e-4, 20_000
"""Largest step in τ, and points at most, where the answer is a point on the way: tokens come to 4e-7 at t = 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """Everything that led to an answer.

    Parameters
    ----------
    flow : Flow
    circuit : Circuit
    deck : Deck
    run : Trajectory
    certificate : Certificate
    engine : str
    seed : int
    """

    flow: Flow
    circuit: Circuit
    deck: Deck
    run: Trajectory
    certificate: Certificate
    engine: str
    seed: int

    @property
    def settling_time(self) -> float | None:
        """Time in τ from which the answer stays within 1e-6 of its last value; None if it did not or was not to."""
        if self.flow.end_time is not None:
            return None
        return self.run.settling_time(self.flow.answer, SETTLING_BAND)

    @property
    def passed(self) -> bool:
        """Whether the run settled and every check passed."""
        return self.certificate.passed

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and names, as ``analogflow solve --json`` prints them; what is not finite becomes None."""
        certificate = self.certificate
        return _plain(
            {
                "flow": self.flow.family,
                "form": self.flow.form,
                "technology": self.circuit.technology,
                "engine": self.engine,
                "seed": self.seed,
                "settled": self.run.outcome.ok,
                "settling_time": self.settling_time,
                "answer": certificate.answer,
                "reference": {"answer": certificate.reference, "gap": certificate.reference_gap},
                "errors": certificate.errors,
                "checks": [dataclasses.asdict(check) for check in certificate.checks],
                "state": {name: self.run.final(name).tolist() for name in self.flow.states},
                "versions": versions() | dict(self.run.record.get("versions", {})),
            }
        )

    def __repr__(self) -> str:
        return f"Solution({self.flow!r}, engine {self.engine}: {self.certificate})"


def solve(
    problem: Any,
    *,
    form: str | None = None,
    technology: str = "ideal",
    engine: str | None = None,
    time_constants: float | None = None,
    seed: int = 0,
    stabilise: bool = True,
    on_progress: Callable[[float], None] | None = None,
) -> Solution:
    """Compile the flow that solves `problem`, simulate its circuit, and hold the answer against the reference.

    Parameters
    ----------
    problem : Channel, Attention
    form : str, optional
        Form of the flow; the family's most robust one if not given.
    technology : str
    engine : {"ngspice", "block"}, optional
        ngspice where it is installed, else the block engine, if not given.
    time_constants : float, optional
        End of the run in τ; if not given, the problem's own time, or where the answer settles, after 5000 τ at most.
    seed : int
        Recorded with the result.
    stabilise : bool
        If false, a manifold that repels is left as it is.
    on_progress : callable, optional
        Called with the time reached, in τ.

    Raises
    ------
    BadInput
        An argument is not known or out of range.
    MissingProgram, SimulationFailed
        The engine is not installed, or broke down.
    """
    engine = default_engine() if engine is None else engine
    if engine not in ENGINES:
        raise BadInput(f"engine {engine!r} is not known; known are: {', '.join(ENGINES)}.")
    flow = FAMILIES[family_of(problem)](problem, **({} if form is None else {"form": form}))
    circuit = compile(flow, technology=technology, stabilise=stabilise)
    longest, step = _AUTOMATIC if time_constants is None else (time_constants, 0.5)
    tolerance = SPEED_TOLERANCE
    if flow.end_time is not None:
        longest, tolerance = flow.end_time if time_constants is None else time_constants, 0.0
        step = path_step(longest)
    deck = netlist(circuit, time_constants=longest, largest_step=step)
    run = simulate(deck, engine=engine, tolerance=tolerance, on_progress=on_progress)
    # A form may solve a problem of its own, such as the one at zero temperature.
    return Solution(flow, circuit, deck, run, certify(flow.problem, run), engine, seed)


def path_step(time_constants: float) -> float:
    """Largest step in τ of a run whose answer is read after `time_constants`, wherever it then goes."""
    return max(_PATH_STEP, time_constants / _PATH_POINTS)


def family_of(problem: Any) -> str:
    """Name of the family of flows that solves problems of this kind."""
    family = FAMILY_OF.get(type(problem))
    if family is None:
        known = ", ".join(kind.__name__ for kind in FAMILY_OF)
        raise BadInput(f"{type(problem).__name__} is not a problem a flow here solves; known are: {known}.")
    return family


def versions() -> dict[str, str]:
    """Versions of what computed a result."""
    packages = {name: metadata.version(name) for name in ("analogflow", "numpy", "scipy", "PySpice")}
    return {**packages, "python": platform.python_version()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
