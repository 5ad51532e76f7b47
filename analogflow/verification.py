"""Perturb and restart, carried out: one circuit in any engine, or thousands of samples in the block engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit
from analogflow.compiler import degrade, rebuilt
from analogflow.errors import BadInput
from analogflow.families import judging_family, problem_of
from analogflow.families.check import FAILED, UNDECIDED
from analogflow.families.stationary import joint_limit, law_of
from analogflow.flows import Flow
from analogflow.hardware.preferred import preferred
from analogflow.netlister import netlist
from analogflow.noise import Noise
from analogflow.notebook import shown
from analogflow.run import Outcome, Run
from analogflow.run_plan import run_plan
from analogflow.simulators import ensemble, simulate
from analogflow.simulators.ensemble import EnsembleOptions
from analogflow.solution import Solution, SolveOptions, allowed_error, certificate_of, plain, solve
from analogflow.validation import Certificate
from analogflow.validation.ending import ends_well
from analogflow.validation.judgement import Judgement, judge
from analogflow.validation.restart import DELTA, PASSES, TOLERANCE, Ends, Verdict, lost_support, perturbed, verdicts, worth

__all__ = ["Verification", "pushed", "restart", "restart_classes", "silence", "verify"]


@dataclasses.dataclass(frozen=True, eq=False)
class Verification:
    """A solution, the run that started from its perturbed end, and what both say together.

    Parameters
    ----------
    solution : Solution
    run : Run, optional
        The second run; None where there is nothing to come back to.
    verdict : Verdict
    """

    solution: Solution
    run: Run | None
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether the answer stands: it passes its checks, and is confirmed or one of several of the same value.

        Where a restart says nothing ("not applicable"), the checks alone decide, as they do for `solve`.
        """
        return self.solution.passed and (self.verdict.passed or self.verdict.name == "not applicable")

    def to_dict(self) -> dict[str, Any]:
        """The solution's object, and ``restart`` with the verdict, the distance of the two answers and the gain in value."""
        found = dataclasses.asdict(self.verdict) | {"sentence": str(self.verdict)}
        return {**self.solution.to_dict(), "restart": plain(found)}

    def __repr__(self) -> str:
        return f"Verification({self.verdict})"

    _repr_html_ = shown("html")


def verify(
    problem: Any,
    *,
    delta: float = DELTA,
    tolerance: float = TOLERANCE,
    **options: Unpack[SolveOptions],
) -> Verification:
    """Solve `problem`, push the settled state away, run the same circuit again from there, and compare.

    Parameters
    ----------
    problem
        As for `solve`, as are the other options.
    delta : float
        Share of the way to the middle of the manifold, from 0 to 1.
    tolerance : float
        Distance of two answers within which they are one, over their size (a plan's mass; 1 for distributions and what is up
        to two decades smaller); the circuit's own accuracy if that is larger.

    Returns
    -------
    Verification
        A flow whose answer is a law is run a second time from another start and with other noise; it is confirmed where
        mean and covariance agree within what two right chains differ by; one verdict in 100 on a right law is refused. An
        answer that fails its checks is never confirmed.

    Raises
    ------
    BadInput
        δ or an argument of `solve` is out of range.
    """
    solution = solve(problem, **options)
    if why := silence(solution.flow):
        return Verification(solution, None, Verdict("not applicable", float("nan"), float("nan"), why))
    run, verdict = restart(
        solution.circuit, solution.run, delta=delta, tolerance=tolerance, engine=solution.engine,
        time_constants=options.get("time_constants"), accuracy=options.get("accuracy"), certificate=solution.certificate,
        on_progress=options.get("on_progress"),
    )  # fmt: skip
    return Verification(solution, run, verdict)


def silence(flow: Flow) -> str:
    """Why a restart would say nothing about an answer of `flow`; empty where it says something.

    Tokens are a point of a path too, but one at which clusters may have formed, which come back.
    """
    family = judging_family(problem_of(flow))
    if flow.end_time is not None and family.groups is None:
        return "It is where a path ends, not where it rests: there is nothing to come back to."
    if conserved := family.conserves(problem_of(flow)):
        return f"A push would change {', '.join(conserved)}, which the flow conserves, and so where it rests."
    return ""


def restart(
    circuit: Circuit,
    run: Run,
    *,
    delta: float = DELTA,
    tolerance: float = TOLERANCE,
    engine: str | None = None,
    time_constants: float | None = None,
    accuracy: float | None = None,
    certificate: Certificate | None = None,
    time_limit: float = 600.0,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Run, Verdict]:
    """Run a circuit again from the perturbed end of a run of it.

    Parameters
    ----------
    circuit : Circuit
        With its imperfections, noise and sample; the same parts are built again.
    run : Run
        Of that circuit; it has values.
    delta, tolerance, on_progress
        As for `verify`.
    engine
        That made the run.
    time_constants : float, optional
        That the run was given, in τ.
    accuracy : float, optional
        Largest error that the checks of both runs let pass; that of `solve` if not given.
    certificate : Certificate, optional
        Of the first run, held to that accuracy; made if not given.
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
    again = pushed(circuit, run, delta=delta)
    plan = run_plan(again, float(run.time[-1]) if circuit.noisy else time_constants)
    deck = netlist(again, time_constants=plan.end, largest_step=plan.largest_step)
    closeness = max(tolerance, circuit.accuracy)
    speed = 0.0 if circuit.noisy else plan.resting_speed
    second = simulate(deck, engine=engine, resting_speed=speed, time_limit=time_limit, on_progress=on_progress)
    problem, limit = problem_of(flow), allowed_error(circuit, accuracy)
    first = certificate or certificate_of(circuit, run, accuracy)
    if flow.averaging is not None:
        return second, _laws_agree(flow, (run, first), (second, certificate_of(circuit, second, accuracy)))
    answers = [r.values[flow.answer][-1:] for r in (run, second)]
    judged = _judged(flow, _finals(second), limit, paths={name: value[None] for name, value in second.values.items()},
                     times=second.time, end=float(run.time[-1]), starts=again.flow.states)  # fmt: skip
    before = Ends(answers[0], np.array([run.outcome.ok or first.passed]), np.array([first.passed]))
    after = _ends(problem, answers[1], [second.outcome], judged.passed)
    moved = flow.apart(second.values[flow.answer][:1], answers[0])
    name = str(verdicts(flow, before, after, limit=limit, tolerance=closeness, moved=moved)[0])
    gain = float((worth(flow, answers[1]) - worth(flow, answers[0]))[0])
    why = _why(name, first, judged, np.flatnonzero(lost_support(flow, answers[0], limit)[0]), flow)
    return second, Verdict(name, float(flow.apart(answers[1], answers[0])[0]), gain, why)


def _ends(problem: Any, answers: NDArray[np.float64], outcomes: Sequence[Outcome], passed: NDArray[np.bool_]) -> Ends:
    ok = np.array([ends_well(problem, outcome, bool(held)) for outcome, held in zip(outcomes, passed, strict=True)])
    return Ends(answers, ok, passed)


def _finals(run: Run) -> dict[str, NDArray[np.float64]]:
    return {name: value[-1:] for name, value in run.values.items()}


def _judged(
    flow: Flow,
    finals: Mapping[str, NDArray[np.float64]],
    limit: float,
    *,
    starts: Mapping[str, NDArray[np.float64]] | None = None,
    **path: Any,
) -> Judgement:
    """Judgement of ends; `starts`, of one sample, where the answer is a point of a path that started elsewhere."""
    problem = problem_of(flow)
    started = judging_family(problem).started
    if started is not None and starts is not None:
        problem = started(problem, starts)
    return judge(problem, finals, limit=limit, **path)


def _why(name: str, first: Certificate, second: Judgement, lost: NDArray[np.intp], flow: Flow) -> str:
    """What a person should know beyond the verdict."""
    failed = [check.name for check in first.checks if not check.passed]
    if name == "support lost":
        whose = f"component {', '.join(str(k + 1) for k in lost)}" if len(lost) else "the one that came back"
        return f"It is {whose}{'; failed: ' + ', '.join(failed) if failed else ''}."
    if name == "not applicable":
        return (
            judging_family(problem_of(flow)).no_groups
            or "The push is within the distance at which two answers count as one."
        )
    if failed:
        return f"Failed: {', '.join(failed)}."
    return f"The second run failed: {', '.join(second.failed(0))}." if name not in PASSES and second.failed(0) else ""


def pushed(circuit: Circuit, run: Run, *, delta: float) -> Circuit:
    """The same circuit, built again to start at the perturbed end of a run."""
    flow = circuit.flow
    ends = {name: run.final[name][None] for name in flow.states}
    starts = perturbed(flow, ends, delta=delta, seed=circuit.noise.seed, samples=[circuit.sample])
    moved = dataclasses.replace(
        flow, states={name: starts[name][0].reshape(value.shape) for name, value in flow.states.items()}
    )
    noise = circuit.noise if flow.averaging is None else dataclasses.replace(circuit.noise, chain=1)
    return rebuilt(circuit, flow=moved, conditions=dataclasses.replace(circuit.conditions, noise=noise))


def _laws_agree(flow: Flow, *runs: tuple[Run, Certificate]) -> Verdict:
    """Two chains with independent noise: each right by itself, and their means and covariances in joint standard errors."""
    assert flow.averaging is not None
    if not all(run.outcome.ok for run, _ in runs):
        return Verdict("not settled", float("nan"), float("nan"))
    skipped = [min(flow.averaging.skipped, 0.2 * float(run.time[-1])) for run, _ in runs]
    laws = [law_of(run, list(flow.states), skipped=first) for (run, _), first in zip(runs, skipped, strict=True)]
    one, other = laws
    upper = np.triu_indices(len(one.mean))
    difference = np.r_[one.mean - other.mean, (one.covariance - other.covariance)[upper]]
    errors = np.r_[np.hypot(one.mean_error, other.mean_error), np.hypot(one.covariance_error, other.covariance_error)[upper]]
    limit = joint_limit(len(difference), samples=min(law.covariance_effective for law in laws))
    agree = bool((abs(difference) <= limit * errors).all())
    failed = [[check.name for check in certificate.checks if not check.passed] for _, certificate in runs]
    told = [any(check.verdict == FAILED for check in certificate.checks) for _, certificate in runs]
    if told[0]:
        name = "wrong answer"
    elif told[1] or not agree:
        name = "not settled"
    else:
        name = UNDECIDED if any(failed) else "confirmed"
    which = "Not passed by the second run" if not failed[0] else "Not passed"
    why = f"{which}: {', '.join(failed[0] or failed[1])}." if any(failed) else ""
    return Verdict(name, float(abs(difference).max()), float("nan"), why)


def restart_classes(
    circuit: Circuit,
    runs: Run,
    *,
    delta: float = DELTA,
    tolerance: float = TOLERANCE,
    accuracy: float | None = None,
) -> NDArray[np.str_]:
    """Verdict on every sample of an ensemble of the block engine, by one further ensemble.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returned it.
    runs : Run
        What `ensemble` made of it. Each restart is asked for the same, and plays its sample's own noise and deviations, so
        that the two ends of a circuit that forgets its start meet.
    delta, tolerance : float
        As for `verify`.
    accuracy : float, optional
        Largest error that the checks of both ends let pass; that of `solve` if not given.

    Returns
    -------
    array of str, shape (samples,)
        Names of `VERDICTS`. Where the answer is a law, each restart plays noise of its own, and the laws must agree; `runs`
        has saved times then.
    """
    if runs.each is None:
        raise BadInput("restart_classes: this is one run; verify runs the same circuit again.")
    flow, played_before = circuit.flow, runs.each.asked
    noise = played_before.get("noise") or Noise(0.0)
    numbers = runs.each.numbers.tolist()
    ends = {name: runs.final[name] for name in flow.states}
    starts = perturbed(flow, ends, delta=delta, seed=noise.seed, samples=numbers)
    finite = np.all([np.isfinite(value).all(axis=1) for value in starts.values()], axis=0)
    safe = {name: np.where(finite[:, None], value, flow.states[name].ravel()) for name, value in starts.items()}
    played = noise if flow.averaging is None else dataclasses.replace(noise, chain=1)
    saved_times = np.union1d(0.0, runs.time) if flow.averaging is None else runs.time
    asked = {**played_before, "noise": played, "start": safe, "save": saved_times}
    again = ensemble(circuit, numbers, **cast(EnsembleOptions, asked))
    problem = problem_of(flow)
    degraded = degrade(circuit, played_before.get("imperfections"), noise=played, values=preferred)
    limit = allowed_error(degraded, accuracy)
    if flow.averaging is not None:
        sets = ([(r, certificate_of(degraded, r, accuracy)) for r in _paths(flow, part)] for part in (runs, again))
        return np.array([_laws_agree(flow, *pair).name for pair in zip(*sets, strict=True)])
    end, answers = float(runs.end.max()), runs.final[flow.answer]
    saved = len(runs.time) > 0
    first = _judged(flow, runs.final, limit, paths=runs.values if saved else None, times=runs.time, end=end)
    # Tokens are held against the path from where each of them started, all else against one answer.
    alone = judging_family(problem).started is not None
    passed = []
    for part in [slice(k, k + 1) for k in range(len(numbers))] if alone else [slice(None)]:
        finals, paths, begun = (
            {name: value[part] for name, value in each.items()} for each in (again.final, again.values, safe)
        )
        second = _judged(flow, finals, limit, paths=paths if saved else None, times=again.time, end=end, starts=begun)
        passed.extend(second.passed)
    before = _ends(problem, answers, runs.outcomes, first.passed & finite)
    after = _ends(problem, again.final[flow.answer], again.outcomes, np.asarray(passed))
    moved = flow.apart(again.values[flow.answer][:, 0], answers)
    return verdicts(flow, before, after, limit=limit, tolerance=tolerance, moved=moved)


def _paths(flow: Flow, runs: Run) -> list[Run]:
    return [
        Run(runs.time, {name: runs.values[name][k] for name in flow.states}, outcome)
        for k, outcome in enumerate(runs.outcomes)
    ]
