"""Engines that share no arithmetic on one circuit: how far any two are apart, along the path and at its end."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analogflow.circuit import Circuit
from analogflow.errors import BadInput, SimulationFailed
from analogflow.netlister import netlist
from analogflow.run import Outcome, Run, compared_time
from analogflow.simulators import engine_for, simulate
from analogflow.simulators.block import follow

__all__ = ["Agreement", "Difference", "Parity", "cross_check", "parity"]

_FINE = 2e-3
"""τ: the step at which trapezoids follow a path to 1e-6."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """Largest difference of two engines, relative to full scale, which is at least 1 flow unit.

    Parameters
    ----------
    first, second : str
    path : float
        Over all states and observables, and all times compared; at its own points if one of them is the block engine, which
        can be asked for any time.
    final : float
        Of the answer at the end.
    points : int
    """

    first: str
    second: str
    path: float
    final: float
    points: int


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """Pairwise differences of engines on one circuit.

    Parameters
    ----------
    family, form, technology : str
    noisy, parts : bool
        Whether the circuit plays noise, and whether it is built from parts.
    time_constants : float
    outcomes : tuple of (engine, Outcome)
    differences : tuple of Difference
    """

    family: str
    form: str
    technology: str
    noisy: bool
    parts: bool
    time_constants: float
    outcomes: tuple[tuple[str, Outcome], ...]
    differences: tuple[Difference, ...]

    @property
    def limit(self) -> float:
        """What two engines may differ by: 1e-6, with noise 1e-3 path by path, and 1e-4 at the end where there are parts.

        The block engine knows the equations, not what parts do to them, so it is not held against circuits of parts.
        """
        return 1e-4 if self.parts else 1e-3 if self.noisy else 1e-6

    @property
    def judged(self) -> tuple[tuple[Difference, float], ...]:
        """The differences that the limit applies to, each with what is held against it."""
        pairs = [pair for pair in self.differences if not self.parts or "block" not in (pair.first, pair.second)]
        return tuple((pair, pair.final if self.parts else pair.path) for pair in pairs)

    @property
    def worst(self) -> float:
        """Largest difference that counts; infinite unless all engines ended alike."""
        alike = len({outcome for _, outcome in self.outcomes}) == 1
        return max((value for _, value in self.judged), default=0.0) if alike else float("inf")

    @property
    def passed(self) -> bool:
        """Whether the engines agree."""
        return self.worst <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """The table in plain lists, names and numbers."""
        return {
            "flow": self.family,
            "form": self.form,
            "technology": self.technology,
            "outcomes": {name: outcome.name.lower() for name, outcome in self.outcomes},
            "differences": [dataclasses.asdict(pair) for pair in self.differences],
            "limit": self.limit,
            "passed": self.passed,
        }


def cross_check(
    circuit: Circuit,
    engines: Sequence[str] = ("block", "ngspice", "vacask"),
    *,
    time_constants: float | None = None,
) -> Agreement:
    """Run `circuit`, with its noise and imperfections, in every engine, and compare each two.

    Parameters
    ----------
    circuit : Circuit
    engines : sequence of str
        Two at least.
    time_constants : float, optional
        Length of the run in τ; the flow's own end, or 20, if not given.

    Raises
    ------
    BadInput
        Fewer than two engines, or one that is not known, or that knows no parts where those of the circuit deviate.
    SimulationFailed, MissingProgram
        An engine broke down or is missing.
    """
    nominal = not circuit.deviates
    names = tuple(dict.fromkeys(engine_for(circuit.technology, engine, nominal=nominal) for engine in engines))
    if len(names) < 2:
        raise BadInput(f"engines: {', '.join(engines)!r} is one engine; give two or more that are to be compared.")
    largest_step = _FINE if circuit.parts is None and not circuit.noisy else None
    end = compared_time(circuit.flow) if time_constants is None else time_constants
    deck = netlist(circuit, time_constants=end, largest_step=largest_step)
    runs = {name: simulate(deck, engine=name) for name in names if name != "block"}
    if "block" in names:
        # Asked at every time that another engine has a row for, so that nothing is interpolated.
        asked = np.unique(np.concatenate([[0.0], *(run.time for run in runs.values())]))
        runs["block"] = follow(circuit, asked, step_accuracy=1e-10)
    differences = tuple(_difference(one, other, runs, circuit) for one, other in itertools.combinations(names, 2))
    return Agreement(
        circuit.flow.family,
        circuit.flow.form,
        circuit.technology,
        circuit.noisy,
        circuit.parts is not None,
        end,
        tuple((name, runs[name].outcome) for name in names),
        differences,
    )


def _difference(first: str, second: str, runs: dict[str, Run], circuit: Circuit) -> Difference:
    one, other = runs[first], runs[second]
    end = min(one.time[-1], other.time[-1])
    if first == "block" or second == "block":
        times = (other if first == "block" else one).time
        times = times[times <= end]
    else:
        # Rows of two simulators lie at different times; a straight line between rows this near errs by less than either.
        shared = np.union1d(one.time, other.time)
        times = shared[shared <= end]
    names = [name for name in one.values if name in other.values]
    path = 0.0
    still = _still([[_at(run, name, times) for name in circuit.flow.latches] for run in (one, other)], len(times))
    for name in names:
        path = max(path, of_full_scale(_at(one, name, times)[still], _at(other, name, times)[still]))
    answer = circuit.flow.answer
    return Difference(first, second, path, of_full_scale(one.final[answer], other.final[answer]), len(times))


def _still(latches: Sequence[Sequence[np.ndarray]], points: int) -> np.ndarray:
    """Points beside which no engine has a comparator switch: what jumps there is off in time, which shows after it."""
    still = np.ones(points, dtype=bool)
    for values in itertools.chain(*latches):
        at = np.flatnonzero((abs(np.diff(values, axis=0)) > 0.5).any(axis=-1))
        still[at] = still[at + 1] = False
    return still


def of_full_scale(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of what two engines say of one circuit, over the largest magnitude of the first, 1 at least.

    Signals are taken as they stand: engines hold alike even what a manifold leaves free.
    """
    return float(abs(one - other).max()) / max(1.0, float(abs(one).max()))


def _at(run: Run, name: str, times: np.ndarray) -> np.ndarray:
    """Values at given times: exact where the run has a row, by a cubic through four rows elsewhere."""
    values = run.values[name]
    if len(run.time) < 4 or np.isin(times, run.time).all():
        return np.stack([np.interp(times, run.time, column) for column in values.T], axis=-1)
    from scipy.interpolate import CubicSpline

    return np.asarray(CubicSpline(run.time, values, axis=0)(times))


_GRACE = 1.0
"""τ: two paths that run away part exponentially fast just before."""


@dataclasses.dataclass(frozen=True, eq=False)
class Parity:
    """Difference of two engines along one path; of a path that runs away, up to 1 τ before it does.

    Parameters
    ----------
    differences : mapping of name to float
        Largest difference of each state and observable over all points of ngspice's path, relative to full scale; but for
        those beside which a comparator switches.
    full_scale : mapping of name to float
        Largest magnitude of each signal on the path, and at least 1 flow unit.
    points : int
        Points of ngspice's path.
    outcomes : tuple of Outcome
        Of ngspice and of the block engine.
    """

    differences: Mapping[str, float]
    full_scale: Mapping[str, float]
    points: int
    outcomes: tuple[Outcome, Outcome]

    @property
    def worst(self) -> float:
        """Largest of the differences; infinite unless both engines ended alike."""
        return max(self.differences.values()) if self.outcomes[0] is self.outcomes[1] else float("inf")

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.2g}" for name, value in self.differences.items())
        return f"{parts} of full scale over {self.points} points"


def parity(
    circuit: Circuit,
    *,
    time_constants: float | None = None,
    largest_step: float | None = None,
    step_accuracy: float = 1e-9,
) -> Parity:
    """Run `circuit`, with its noise and imperfections, in ngspice and in the block engine, and compare the paths.

    Parameters
    ----------
    circuit : Circuit
    time_constants : float, optional
        Length of the run in τ; the flow's own end, or 20, if not given.
    largest_step : float, optional
        ngspice's, in τ.
    step_accuracy : float
        Relative error that the block engine may make per step.

    Raises
    ------
    SimulationFailed, MissingProgram
        ngspice broke down or is missing, or the path runs away within 1 τ.
    """
    length = compared_time(circuit.flow) if time_constants is None else time_constants
    spice = simulate(netlist(circuit, time_constants=length, largest_step=largest_step), engine="ngspice")
    times = spice.time
    if spice.outcome is Outcome.BLEW_UP:
        times = np.append(times, times[-1] + _GRACE)  # the block engine has as much time to run away as well
    block = follow(circuit, times, step_accuracy=step_accuracy)
    end = min(spice.time[-1], block.time[-1])
    if Outcome.BLEW_UP in (spice.outcome, block.outcome):
        end -= _GRACE
    shared = int(np.searchsorted(spice.time, end, side="right"))
    if not shared:
        raise SimulationFailed(f"the path runs away at t = {end + _GRACE:.3g} τ, before there is anything to compare.")
    full_scale = {name: max(1.0, float(abs(value[:shared]).max())) for name, value in block.values.items()}
    latches = [[run.values[name][:shared] for name in circuit.flow.latches] for run in (spice, block)]
    still = _still(latches, shared)
    differences = {
        name: of_full_scale(v[:shared][still], spice.values[name][:shared][still]) for name, v in block.values.items()
    }
    return Parity(differences, full_scale, shared, (spice.outcome, block.outcome))
