"""Perturb and restart: a circuit that rests at its answer comes back when it is pushed away, one in a wrong place does not.

A run is repeated from its own end, moved by a share δ into the manifold that the state lives on, under the same noise and
the same deviations. A flow that contracts forgets where it started, so the two ends meet; what differs then is not the
noise. Two ends may meet in a wrong place: an answer stands only where both pass what one run is judged by (`judgement`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit
from analogflow.compiler import degrade, rebuilt
from analogflow.errors import BadInput
from analogflow.families import judging_family, problem_of
from analogflow.families.ends import FAILED, NOT_MIXED, UNDECIDED
from analogflow.families.stationary import Law, joint_limit, law_of, skipped_in
from analogflow.flows import Flow, comparable, pushed_freely
from analogflow.judgement.certificate import Certificate, all_end_well, allowed_error, certificate_of
from analogflow.judgement.judging import Judgement, batched, judge, worth_of
from analogflow.noise import RESTARTS, standard_normal
from analogflow.run import Run, joined, run_plan
from analogflow.simulators import ENGINES, TIME_LIMIT, deck_for, engine_for, ensemble_chunks, named_engine, simulate
from analogflow.simulators.chains import simulate_chains

__all__ = [
    "DELTA",
    "DISTANCE",
    "PASSES",
    "VERDICTS",
    "Ends",
    "Verdict",
    "lost_support",
    "perturbed",
    "pushed",
    "restart",
    "restart_classes",
    "silence",
    "verdicts",
    "worth",
]

Array = NDArray[np.float64]

VERDICTS: dict[str, str] = {
    "confirmed": "Pushed away, the circuit came back to the same answer, and both pass their checks.",
    "support lost": "A component that has died out would make the answer better: it was lost.",
    "other optimum": "Pushed away, the circuit came to another answer of the same value, and both pass their checks.",
    "not settled": "Pushed away, the circuit went elsewhere or did not come to rest: its answer does not stand.",
    "wrong answer": "The answer fails its own checks, wherever the circuit goes when it is pushed away.",
    UNDECIDED: "Two runs agree, but each is too short to find an error of the size that is asked for.",
    NOT_MIXED: "The chains contradict each other: none of them has seen all of the law, so that nothing is known of it.",
    "not applicable": "Pushing the circuit away says nothing about this answer.",
}
"""What a restart may find, and the sentence that says it."""

PASSES = ("confirmed", "other optimum")
"""Verdicts with which an answer stands."""

DELTA = 0.05
"""Share of the way to the middle of the manifold: far beyond any noise that leaves an answer, near enough to come back."""

DISTANCE = 1e-3
"""Distance of two ends, over their size, within which they are one: what is left of δ after 40 τ at a rate of 0.1 per τ."""

_DEAD = 1e-2
"""Part of its fair share below which a component has died out."""


@dataclasses.dataclass(frozen=True, eq=False)
class Verdict:
    """What a restart found.

    Parameters
    ----------
    name : str
        One of `VERDICTS`.
    distance : float
        Largest difference of the two answers, flow units.
    gain : float
        By how much the restart's answer is better, nats; NaN where the family has no value.
    why : str
        What a person should know beyond the verdict: what failed, what was lost, why nothing is said; may be empty.
    """

    name: str
    distance: float
    gain: float
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the restart shows that the first answer stands."""
        return self.name in PASSES

    def __str__(self) -> str:
        return f"{self.name}: {VERDICTS[self.name]}{self.why and ' ' + self.why}"


@dataclasses.dataclass(frozen=True, eq=False)
class Ends:
    """Ends of some runs, as restarts compare them.

    Parameters
    ----------
    answers : array, shape (samples, size)
        Flow units.
    ok : array of bool, shape (samples,)
        Which ended as they were asked to.
    passed : array of bool, shape (samples,)
        Which pass what one run is judged by.
    """

    answers: Array
    ok: NDArray[np.bool_]
    passed: NDArray[np.bool_]


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
    distance: float = DISTANCE,
    engine: str | None = None,
    time_constants: float | None = None,
    accuracy: float | None = None,
    certificate: Certificate | None = None,
    time_limit: float = TIME_LIMIT,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Run, Verdict]:
    """Run a circuit again from the perturbed end of a run of it.

    Parameters
    ----------
    circuit : Circuit
        With its imperfections, noise and sample; the same parts are built again.
    run : Run
        Of that circuit; it has values.
    delta, distance, on_progress
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
    first = certificate or certificate_of(circuit, run, accuracy)
    if run.chains:
        second = _other_chains(circuit, run, delta, engine, time_limit, on_progress)
        return second, _laws_agree(flow, (run, first), (second, certificate_of(circuit, second, accuracy)))
    again = pushed(circuit, run, delta=delta)
    plan = run_plan(again, float(run.time[-1]) if circuit.noisy else time_constants)
    deck = deck_for(again, engine, time_constants=plan.end, largest_step=plan.largest_step)
    second = simulate(deck, engine=engine, resting_speed=plan.stopping_speed, time_limit=time_limit, on_progress=on_progress)
    if flow.averaging is not None:
        return second, _laws_agree(flow, (run, first), (second, certificate_of(circuit, second, accuracy)))
    limit = allowed_error(circuit, accuracy)
    starts = {name: start.reshape(1, -1) for name, start in again.flow.states.items()}
    names, failed = _compared(circuit, batched(run), batched(second), starts, limit=limit, distance=distance)
    answers = [r.values[flow.answer][-1:] for r in (run, second)]
    gain = float((worth(flow, answers[1]) - worth(flow, answers[0]))[0])
    name, lost = str(names[0]), np.flatnonzero(lost_support(flow, answers[0], limit)[0])
    why = _why(name, first, failed[0], lost, flow)
    return second, Verdict(name, float(flow.apart(answers[1], answers[0])[0]), gain, why)


def _compared(
    circuit: Circuit, runs: Run, again: Run, starts: Mapping[str, Array], *, limit: float, distance: float
) -> tuple[NDArray[np.str_], list[list[str]]]:
    """Verdict on each sample of `runs` of `circuit`, and names of what its restart, one of `again`, does not pass.

    Both ends are held against what is right when the run of the sample ended. Restarts began at `starts`, shape (samples,
    size).
    """
    flow, problem = circuit.flow, problem_of(circuit.flow)
    finite = np.all([np.isfinite(runs.final[name]).all(axis=1) for name in flow.states], axis=0)
    end = np.where(finite, runs.end, np.max(runs.end))
    started = judging_family(problem).started

    def judged(which: Run, problem: Any, part: slice) -> Judgement:
        finals, paths = ({name: value[part] for name, value in each.items()} for each in (which.final, which.values))
        saved = len(runs.time) > 0
        return judge(problem, finals, limit=limit, paths=paths if saved else None, times=which.time, end=end[part])

    def ends(which: Run, passed: NDArray[np.bool_]) -> Ends:
        well = all_end_well(flow, which, passed, limit)
        # With noise no speed is left to say that an answer still creeps: its mean may drift.
        ok = [o.ok or (not circuit.noisy and good) for o, good in zip(which.outcomes, well, strict=True)]
        return Ends(which.final[flow.answer], np.array(ok), passed)

    before = ends(runs, judged(runs, problem, slice(None)).passed & finite)
    if started is None:
        seconds = [judged(again, problem, slice(None))]
    else:  # tokens are held against the path from where each of them started, all else against one answer
        alone = (slice(k, k + 1) for k in range(len(finite)))
        seconds = [judged(again, started(problem, {name: v[part] for name, v in starts.items()}), part) for part in alone]
    after = ends(again, np.concatenate([second.passed for second in seconds]))
    moved = flow.apart(again.values[flow.answer][:, 0], before.answers)
    near = max(distance, circuit.accuracy)
    failed = [second.failed(k) for second in seconds for k in range(len(second.passed))]
    return verdicts(flow, before, after, limit=limit, distance=near, moved=moved), failed


def _why(name: str, first: Certificate, second: Sequence[str], lost: NDArray[np.intp], flow: Flow) -> str:
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
    return f"The second run failed: {', '.join(second)}." if name not in PASSES and second else ""


def _other_chains(
    circuit: Circuit,
    run: Run,
    delta: float,
    engine: str | None,
    time_limit: float,
    on_progress: Callable[[float], None] | None,
) -> Run:
    """As many chains as a run has, from their perturbed ends and with noise of their own."""
    chains = (run, *run.chains)
    ends = {name: np.stack([chain.final[name] for chain in chains]) for name in circuit.flow.states}
    starts = perturbed(circuit.flow, ends, delta=delta, seed=circuit.noise.seed, samples=range(len(chains)))
    return simulate_chains(
        circuit, len(chains), engine=engine_for(circuit.technology, engine, nominal=circuit.as_its_equations),
        end=float(run.time[-1]), first=len(chains), starts=starts, time_limit=time_limit, on_progress=on_progress,
    )  # fmt: skip


def pushed(circuit: Circuit, run: Run, *, delta: float) -> Circuit:
    """The same circuit, built again to start at the perturbed end of a run."""
    flow = circuit.flow
    ends = {name: run.final[name][None] for name in flow.states}
    starts = perturbed(flow, ends, delta=delta, seed=circuit.noise.seed, samples=[circuit.sample])
    moved = {name: starts[name][0].reshape(value.shape) for name, value in flow.states.items()}
    noise = circuit.noise if flow.averaging is None else dataclasses.replace(circuit.noise, chain=1)
    return rebuilt(circuit, starts=moved, conditions=dataclasses.replace(circuit.conditions, noise=noise))


def _laws_agree(flow: Flow, *runs: tuple[Run, Certificate]) -> Verdict:
    """Two sets of chains with independent noise: each right by itself, means and covariances in joint standard errors."""
    assert flow.averaging is not None
    if not all(run.outcome.ok for run, _ in runs):
        return Verdict("not settled", float("nan"), float("nan"))
    laws = [certificate.law or _law_of(flow, run) for run, certificate in runs]
    one, other = laws
    upper = np.triu_indices(len(one.mean))
    difference = np.r_[one.mean - other.mean, (one.covariance - other.covariance)[upper]]
    errors = np.r_[np.hypot(one.mean_error, other.mean_error), np.hypot(one.covariance_error, other.covariance_error)[upper]]
    limit = joint_limit(len(difference), samples=min(law.covariance_effective for law in laws))
    agree = bool((abs(difference) <= limit * errors).all())
    failed = [[check.name for check in certificate.checks if not check.passed] for _, certificate in runs]
    unmixed = any(check.verdict == NOT_MIXED for _, certificate in runs for check in certificate.checks)
    told = [any(check.verdict == FAILED for check in certificate.checks) for _, certificate in runs]
    if told[0]:
        name = "wrong answer"
    elif unmixed:
        name = NOT_MIXED
    elif told[1] or not agree:
        name = "not settled"
    else:
        name = UNDECIDED if any(failed) else "confirmed"
    which = "Not passed by the second run" if not failed[0] else "Not passed"
    why = f"{which}: {', '.join(failed[0] or failed[1])}." if any(failed) else ""
    return Verdict(name, float(abs(difference).max()), float("nan"), why)


def _law_of(flow: Flow, run: Run) -> Law:
    """Law of a run of which nobody knows what it should be."""
    assert flow.averaging is not None
    return law_of(run, list(flow.states), skipped=skipped_in(run, flow.averaging))


def restart_classes(
    circuit: Circuit,
    runs: Run,
    *,
    engine: str = "block",
    delta: float = DELTA,
    distance: float = DISTANCE,
    accuracy: float | None = None,
) -> NDArray[np.str_]:
    """Verdict on every sample of an ensemble, by one further ensemble.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returned it.
    runs : Run
        What `ensemble` made of it. Each restart is asked for the same, and plays its sample's own noise and deviations, so
        that the two ends of a circuit that forgets its start meet.
    engine : str
        That made it, and runs the restarts.
    delta, distance : float
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
    engine = named_engine(engine)
    if ENGINES[engine].together is None:
        raise BadInput(f"restart_classes: the engine {engine!r} runs one sample after another; verify each by itself.")
    flow, played_before = circuit.flow, runs.each.asked
    noise = played_before.get("noise") or circuit.noise
    numbers = runs.each.numbers.tolist()
    ends = {name: runs.final[name] for name in flow.states}
    starts = perturbed(flow, ends, delta=delta, seed=noise.seed, samples=numbers)
    finite = np.all([np.isfinite(value).all(axis=1) for value in starts.values()], axis=0)
    safe = {name: np.where(finite[:, None], value, flow.states[name].ravel()) for name, value in starts.items()}
    played = noise if flow.averaging is None else dataclasses.replace(noise, chain=1)
    saved_times = np.union1d(0.0, runs.time) if flow.averaging is None else runs.time
    asked = {**played_before, "noise": played, "start": safe, "save": saved_times}
    again = joined(list(ensemble_chunks(circuit, numbers, engine=engine, **asked)))
    degraded = degrade(circuit, played_before.get("imperfections"), noise=played)
    if flow.averaging is not None:
        sets = ([(r, certificate_of(degraded, r, accuracy)) for r in _paths(flow, part)] for part in (runs, again))
        return np.array([_laws_agree(flow, *pair).name for pair in zip(*sets, strict=True)])
    return _compared(degraded, runs, again, safe, limit=allowed_error(degraded, accuracy), distance=distance)[0]


def _paths(flow: Flow, runs: Run) -> list[Run]:
    return [
        Run(runs.time, {name: runs.values[name][k] for name in flow.states}, outcome, record=runs.record)
        for k, outcome in enumerate(runs.outcomes)
    ]


def perturbed(
    flow: Flow, ends: Mapping[str, Array], *, delta: float = DELTA, seed: int = 0, samples: Sequence[int] | None = None
) -> dict[str, Array]:
    """Starts of restarts: the ends of runs, moved along the manifold of `flow`.

    Each state moves as its manifold says (`pushed`), or its family, from where it rests, or from where it started if the
    answer is a point of a path; what nothing holds, by δ of its size, or of 1 where that is more.

    Parameters
    ----------
    flow : Flow
    ends : mapping of state to array, shape (samples, size)
    delta : float
        From 0 to 1, both excluded.
    seed : int
        Of the random directions.
    samples : sequence of int, optional
        Numbers of the samples, which have directions of their own; counted from 0 if not given.

    Raises
    ------
    BadInput
        δ is out of range.
    """
    if not 0 < delta < 1:
        raise BadInput(f"delta: {delta!r} is not a share between 0 and 1.")
    starts = {}
    numbers = range(len(next(iter(ends.values())))) if samples is None else samples
    sizes = np.cumsum([0, *(start.size for start in flow.states.values())])
    drawn = standard_normal(seed, numbers, RESTARTS, int(sizes[-1]))
    on = {kept.state: kept for kept in flow.keeps}
    family = judging_family(problem_of(flow))
    for (name, start), first in zip(flow.states.items(), sizes, strict=False):
        direction = drawn[:, first : first + start.size]
        end = np.asarray(ends[name], dtype=float)
        own = np.broadcast_to(start.ravel(), end.shape)
        at = end if flow.end_time is None else own
        if name == flow.clock:
            starts[name] = own
        elif (own_way := family.pushed(flow, name, end, direction, delta)) is not None:
            starts[name] = own_way
        elif name in on:
            starts[name] = on[name].pushed(at, start.ravel(), direction, delta)
        else:
            starts[name] = pushed_freely(at, direction, delta)
        # Off a common mode of 0 an amplifier that restores it would meet its rail.
        starts[name] = comparable(flow.keeps, name)(starts[name])
    return starts


def worth(flow: Flow, answers: Array) -> Array:
    """Value of answers, shape (samples,), the greater the better: I(z) or −Φ(q), nats; NaN where a family has none."""
    found = worth_of(flow.problem, answers)
    return np.full(len(answers), np.nan) if found is None else found.value


def lost_support(flow: Flow, answers: Array, limit: float) -> NDArray[np.bool_]:
    """Which components have died out, or are below 0, although more of them would raise the value by more than `limit`.

    Shape (samples, size): w_i > I(z) + limit for a channel, less what costs are worth; ln Σ_x p_x K_x(y) > limit for
    rate-distortion. Elsewhere nothing is lost.
    """
    lost, found = np.zeros(answers.shape, dtype=bool), worth_of(flow.problem, answers)
    if found is None:
        return lost
    used: NDArray[Any] = np.ones(answers.shape[1], dtype=bool)
    if found.of is not None and found.pressure.shape[1] < answers.shape[1]:
        used = found.of
    with np.errstate(invalid="ignore"):
        lost[:, used] = (answers[:, used] < _DEAD / answers.shape[1]) & (found.pressure > limit)
    return lost


def verdicts(
    flow: Flow, before: Ends, after: Ends, *, limit: float, distance: float = DISTANCE, moved: Array | None = None
) -> NDArray[np.str_]:
    """Name of the verdict on each pair of ends.

    Parameters
    ----------
    flow : Flow
    before, after : Ends
        Of runs and of their restarts.
    limit : float
        Largest error that the runs are let pass.
    distance : float
        Distance of two answers, over their size, within which they are one. A value is better from the square of this on,
        since a smooth optimum is flat, and equal within this itself.
    moved : array, shape (samples,), optional
        How far from its end the answer was when the restart began; within the distance a return says nothing.

    Returns
    -------
    array of str, shape (samples,)
    """
    first, second = before.answers, after.answers
    gain = worth(flow, second) - worth(flow, first)
    fair = _DEAD / first.shape[1]
    family = judging_family(problem_of(flow))
    begun = flow.states[flow.answer] if flow.answer in flow.states else flow.observe(flow.answer)
    # What comes to rest at 0 has the size that it started with.
    near = distance * family.sizes(flow.problem, np.maximum(abs(first), abs(np.ravel(begun))))
    with np.errstate(invalid="ignore"):
        same = flow.apart(second, first) <= near
        equal = abs(gain) <= distance
        revived = ((first < fair) & (second > np.maximum(fair, first + distance))).any(axis=1)
    lost = lost_support(flow, first, limit).any(axis=1) | (after.ok & ~same & revived & (gain > distance**2))
    idle = np.zeros(len(first), dtype=bool) if moved is None else ~(moved > near)
    if groups := family.groups:
        pairs = [(groups(flow, a), groups(flow, b)) for a, b in zip(first, second, strict=True)]
        start = groups(flow, flow.states[flow.answer].ravel())
        alone = tuple(range(len(start)))
        idle = np.array([a == start or alone in (a, b) for a, b in pairs])
        same = np.array([a == b for a, b in pairs])
        equal = ~same
    return np.select(
        [~before.ok, lost, ~before.passed, idle, ~(after.ok & after.passed), same, equal],
        ["not settled", "support lost", "wrong answer", "not applicable", "not settled", "confirmed", "other optimum"],
        "not settled",
    )
