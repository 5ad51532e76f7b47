"""Perturb and restart, carried out: one circuit in any engine, or thousands of samples in the block engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit
from analogflow.circuit.parts import PartSet
from analogflow.compiler import compile, degrade
from analogflow.errors import BadInput
from analogflow.hardware.preferred import preferred
from analogflow.netlister import netlist
from analogflow.noise import Noise
from analogflow.problems import Attention
from analogflow.simulators import Ensemble, ensemble, simulate
from analogflow.solution import Solution, own_time, path_step, plain, solve
from analogflow.trajectory import Trajectory
from analogflow.validation.restart import DELTA, TOLERANCE, Verdict, judge, perturbed, worth
from analogflow.validation.stationary import joint_limit, law_of

__all__ = ["Verification", "restart_classes", "verify"]

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
    parts: PartSet | str = "precision",
    temperature: float = 27.0,
    imperfections: Imperfections | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Verification:
    """Solve `problem`, push the settled state away, run the same circuit again from there, and compare.

    Parameters
    ----------
    problem, technology, parts, temperature, imperfections, on_progress
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
        problem, technology=technology, parts=parts, temperature=temperature, imperfections=imperfections,
        on_progress=on_progress, **options,
    )  # fmt: skip
    flow, circuit = solution.flow, solution.circuit
    if flow.end_time is not None and not isinstance(flow.problem, Attention):
        raise BadInput("verify: the answer is where a path ends, not where it rests; there is nothing to come back to.")
    ends = {name: solution.run.final(name)[None] for name in flow.states}
    starts = perturbed(flow, ends, delta=delta, seed=solution.seed)
    moved = dataclasses.replace(
        flow, states={name: starts[name][0].reshape(value.shape) for name, value in flow.states.items()}
    )
    noise = circuit.noise
    if flow.averaging is not None:
        noise = dataclasses.replace(noise, seed=noise.seed + 1)
    again = compile(
        moved, technology=technology, parts=parts, temperature=temperature, stabilise=options.get("stabilise", True)
    )
    again = degrade(again, imperfections, noise=noise, values=preferred)
    given = options.get("time_constants") or own_time(flow)
    length = float(solution.run.time[-1]) if circuit.noisy else given or 5000.0
    length = length if circuit.parts is None or given else min(length, 1000.0)
    deck = netlist(again, time_constants=length, largest_step=path_step(again, given))
    closeness = max(tolerance, circuit.accuracy)
    speed = 0.0 if flow.end_time or circuit.noisy else _SPEED * closeness
    run = simulate(deck, engine=solution.engine, tolerance=speed, on_progress=on_progress)
    if flow.averaging is not None:
        return Verification(solution, run, _laws_agree(solution, run))
    before, after = (r.final(flow.answer)[None] for r in (solution.run, run))
    ok = np.array([solution.run.outcome.ok and run.outcome.ok])
    name = str(judge(flow, before, after, ok, tolerance=closeness)[0])
    gain = float((worth(flow, after) - worth(flow, before))[0])
    return Verification(solution, run, Verdict(name, float(abs(after - before).max()), gain))


def _laws_agree(solution: Solution, run: Trajectory) -> Verdict:
    """Two chains with independent noise: their means and covariances, in joint standard errors."""
    flow = solution.flow
    assert flow.averaging is not None
    laws = [law_of(r, list(flow.states), skipped=flow.averaging.skipped) for r in (solution.run, run)]
    one, other = laws
    upper = np.triu_indices(len(one.mean))
    difference = np.r_[one.mean - other.mean, (one.covariance - other.covariance)[upper]]
    errors = np.r_[np.hypot(one.mean_error, other.mean_error), np.hypot(one.covariance_error, other.covariance_error)[upper]]
    # Standard errors from few independent values are uncertain themselves, which Student's law allows for.
    fewest = max(min(law.covariance_effective for law in laws) - 1, 1.0)
    limit = -stdtrit(fewest, ndtr(-joint_limit(len(difference))))
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

    Returns
    -------
    array of str, shape (samples,)
        Names of `VERDICTS`.
    """
    flow = circuit.flow
    starts = perturbed(flow, {name: runs.final[name] for name in flow.states}, delta=delta)
    finite = np.all([np.isfinite(value).all(axis=1) for value in starts.values()], axis=0)
    safe = {name: np.where(finite[:, None], value, flow.states[name].ravel()) for name, value in starts.items()}
    again = ensemble(
        circuit, runs.samples.tolist(), time_constants=time_constants, imperfections=imperfections, noise=noise, start=safe
    )
    ok = runs.ok & again.ok & finite
    return judge(flow, runs.final[flow.answer], again.final[flow.answer], ok, tolerance=tolerance)
