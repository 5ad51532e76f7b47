"""Perturb and restart, carried out: one circuit in any engine, or thousands of samples in the block engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit
from analogflow.circuit.parts import PartSet
from analogflow.compiler import compile, degrade
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.hardware.preferred import preferred
from analogflow.netlister import netlist
from analogflow.noise import Noise
from analogflow.problems import Attention
from analogflow.run_plan import run_plan
from analogflow.simulators import Ensemble, ensemble, simulate
from analogflow.solution import Solution, plain, solve
from analogflow.technology.options import celsius_of
from analogflow.trajectory import Trajectory
from analogflow.validation.restart import DELTA, TOLERANCE, Verdict, judge, perturbed, worth
from analogflow.validation.stationary import joint_limit, law_of

__all__ = ["Verification", "comes_back", "pushed", "restart", "restart_classes", "verify"]

_SPEED = 1e-3
"""Share of the tolerance by which an answer may still move in one τ when a restart counts as ended."""


@dataclasses.dataclass(frozen=True, eq=False)
class Verification:
    """A solution, the run that started from its perturbed end, and what both say together.

    Parameters
    ----------
    solution : Solution
    run : Trajectory
        The second run.
    verdict : Verdict
    """

    solution: Solution
    run: Trajectory
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether the answer stands: confirmed, or one of several of the same value."""
        return self.verdict.passed

    def to_dict(self) -> dict[str, Any]:
        """The solution's object, and ``restart`` with the verdict, the distance of the two answers and the gain in value."""
        found = dataclasses.asdict(self.verdict) | {"sentence": str(self.verdict)}
        return {**self.solution.to_dict(), "restart": plain(found)}

    def __repr__(self) -> str:
        return f"Verification({self.verdict})"


def verify(
    problem: Any,
    *,
    delta: float = DELTA,
    tolerance: float = TOLERANCE,
    technology: str = "ideal",
    parts: PartSet | str | None = None,
    temperature_celsius: float | None = None,
    imperfections: Imperfections | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Verification:
    """Solve `problem`, push the settled state away, run the same circuit again from there, and compare.

    Parameters
    ----------
    problem, technology, parts, temperature_celsius, imperfections, on_progress
        As for `solve`, as are the other options.
    delta : float
        Share of the way to the middle of the manifold, from 0 to 1.
    tolerance : float
        Distance of two answers, flow units, within which they are one; that of the circuit's own accuracy if that is larger.

    Returns
    -------
    Verification
        A flow whose answer is a law is run a second time from another start and with other noise; it is confirmed where
        mean and covariance agree within what two chains differ by as rarely as one normal number by 3 standard errors.

    Raises
    ------
    BadInput
        δ or an argument of `solve` is out of range, or the answer is a point of a path.
    """
    solution = solve(
        problem, technology=technology, parts=parts, temperature_celsius=temperature_celsius, imperfections=imperfections,
        on_progress=on_progress, **options,
    )  # fmt: skip
    if not comes_back(solution.flow):
        raise BadInput("verify: the answer is where a path ends, not where it rests; there is nothing to come back to.")
    run, verdict = restart(
        solution.circuit, solution.run, delta=delta, tolerance=tolerance, engine=solution.engine,
        time_constants=options.get("time_constants"), stabilise=options.get("stabilise", True),
        loop_delay=options.get("loop_delay"), on_progress=on_progress,
    )  # fmt: skip
    return Verification(solution, run, verdict)


def comes_back(flow: Flow) -> bool:
    """Whether an answer of `flow`, pushed away, should come back: not where it is a point of a path, but for clusters."""
    return flow.end_time is None or isinstance(flow.problem, Attention)


def restart(
    circuit: Circuit,
    run: Trajectory,
    *,
    delta: float = DELTA,
    tolerance: float = TOLERANCE,
    engine: str = "ngspice",
    time_constants: float | None = None,
    stabilise: bool = True,
    loop_delay: float | None = None,
    time_limit: float = 600.0,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Trajectory, Verdict]:
    """Run a circuit again from the perturbed end of a run of it.

    Parameters
    ----------
    circuit : Circuit
        With its imperfections, noise and sample; the same parts are built again.
    run : Trajectory
        Of that circuit; it has values.
    delta, tolerance, on_progress
        As for `verify`.
    engine, stabilise, loop_delay
        As the run was made with: see `solve`.
    time_constants : float, optional
        That the run was given, in τ.
    time_limit : float
        As for `simulate`.

    Raises
    ------
    BadInput
        δ is out of range.
    MissingProgram, SimulationFailed
        The engine is not installed, or broke down.
    """
    flow = circuit.flow
    again = pushed(circuit, run, delta=delta, stabilise=stabilise, loop_delay=loop_delay)
    plan = run_plan(again, float(run.time[-1]) if circuit.noisy else time_constants)
    deck = netlist(again, time_constants=plan.end, largest_step=plan.largest_step)
    closeness = max(tolerance, circuit.accuracy)
    speed = 0.0 if flow.end_time or circuit.noisy else _SPEED * closeness
    second = simulate(deck, engine=engine, tolerance=speed, time_limit=time_limit, on_progress=on_progress)
    if flow.averaging is not None:
        return second, _laws_agree(flow, run, second)
    before, after = (r.final(flow.answer)[None] for r in (run, second))
    name = str(judge(flow, before, after, np.array([run.outcome.ok and second.outcome.ok]), tolerance=closeness)[0])
    gain = float((worth(flow, after) - worth(flow, before))[0])
    return second, Verdict(name, float(abs(after - before).max()), gain)


def pushed(circuit: Circuit, run: Trajectory, *, delta: float, stabilise: bool, loop_delay: float | None) -> Circuit:
    """The same circuit, built again to start at the perturbed end of a run."""
    flow = circuit.flow
    ends = {name: run.final(name)[None] for name in flow.states}
    starts = perturbed(flow, ends, delta=delta, seed=circuit.noise.seed, samples=[circuit.sample])
    moved = dataclasses.replace(
        flow, states={name: starts[name][0].reshape(value.shape) for name, value in flow.states.items()}
    )
    noise = circuit.noise if flow.averaging is None else dataclasses.replace(circuit.noise, chain=1)
    again = compile(
        moved, technology=circuit.technology, stabilise=stabilise, parts=circuit.parts, loop_delay=loop_delay,
        temperature_celsius=None if circuit.parts is None else celsius_of(circuit.temperature),
    )  # fmt: skip
    return degrade(again, circuit.imperfections, noise=noise, sample=circuit.sample, values=preferred)


def _laws_agree(flow: Flow, *runs: Trajectory) -> Verdict:
    """Two chains with independent noise: their means and covariances, in joint standard errors."""
    assert flow.averaging is not None
    if not all(run.outcome.ok for run in runs):
        return Verdict("not settled", float("nan"), float("nan"))
    laws = [law_of(run, list(flow.states), skipped=flow.averaging.skipped) for run in runs]
    one, other = laws
    upper = np.triu_indices(len(one.mean))
    difference = np.r_[one.mean - other.mean, (one.covariance - other.covariance)[upper]]
    errors = np.r_[np.hypot(one.mean_error, other.mean_error), np.hypot(one.covariance_error, other.covariance_error)[upper]]
    limit = joint_limit(len(difference), samples=min(law.covariance_effective for law in laws))
    agree = bool((abs(difference) <= limit * errors).all())
    return Verdict("confirmed" if agree else "not settled", float(abs(difference).max()), float("nan"))


def restart_classes(
    circuit: Circuit,
    runs: Ensemble,
    *,
    time_constants: float = 60.0,
    imperfections: Imperfections | None = None,
    noise: Noise | None = None,
    delta: float = DELTA,
    tolerance: float = TOLERANCE,
    resting_speed: float = 0.0,
    step_accuracy: float = 1e-7,
) -> NDArray[np.str_]:
    """Verdict on every sample of an ensemble of the block engine, by one further ensemble.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returned it.
    runs : Ensemble
        What `ensemble` made of it with these imperfections, noise and time: each restart plays its sample's own noise and
        deviations, so that the two ends of a circuit that forgets its start meet.
    time_constants, imperfections, noise
        As for `ensemble`.
    delta, tolerance : float
        As for `verify`.
    resting_speed : float
        Restarts end where their answers move by less than this per τ; 0 runs all to the end.
    step_accuracy : float
        As for `ensemble`.

    Returns
    -------
    array of str, shape (samples,)
        Names of `VERDICTS`. Where the answer is a law, each restart plays noise of its own, and the laws must agree; `runs`
        has saved times then.
    """
    flow, noise = circuit.flow, noise or Noise(0.0)
    numbers = runs.samples.tolist()
    ends = {name: runs.final[name] for name in flow.states}
    starts = perturbed(flow, ends, delta=delta, seed=noise.seed, samples=numbers)
    finite = np.all([np.isfinite(value).all(axis=1) for value in starts.values()], axis=0)
    safe = {name: np.where(finite[:, None], value, flow.states[name].ravel()) for name, value in starts.items()}
    if flow.averaging is not None:
        noise = dataclasses.replace(noise, chain=1)
    again = ensemble(
        circuit, numbers, time_constants=time_constants, imperfections=imperfections, noise=noise, start=safe,
        save=() if flow.averaging is None else runs.time, tolerance=resting_speed, step_accuracy=step_accuracy,
    )  # fmt: skip
    if flow.averaging is not None:
        pairs = zip(_paths(flow, runs), _paths(flow, again), strict=True)
        return np.array([_laws_agree(flow, *pair).name for pair in pairs])
    ok = runs.ok & again.ok & finite
    return judge(flow, runs.final[flow.answer], again.final[flow.answer], ok, tolerance=tolerance)


def _paths(flow: Flow, runs: Ensemble) -> list[Trajectory]:
    return [
        Trajectory(runs.time, {name: runs.values[name][k] for name in flow.states}, outcome)
        for k, outcome in enumerate(runs.outcomes)
    ]
