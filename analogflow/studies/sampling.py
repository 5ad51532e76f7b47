"""Computes one chunk of a study, a condition and a range of samples, into plain arrays. It knows no files and no processes.

An engine that takes samples together, as the block engine does, carries all of a chunk through time at once, and then all
their restarts. Others, and all where there are parts, run one after another; one that breaks down there costs itself only.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit
from analogflow.circuit.build import NOMINAL_CELSIUS, kelvin_of
from analogflow.compiler import circuit_of
from analogflow.errors import AnalogflowError, BadInput, SimulationFailed
from analogflow.families import flow_of, judging_family, problem_of, require_reference
from analogflow.families.ends import NOT_MIXED
from analogflow.families.stationary import ACCURACY
from analogflow.flows import Flow
from analogflow.judgement import judge
from analogflow.judgement.certificate import all_end_well, allowed_error, certificate_of
from analogflow.judgement.judging import batched
from analogflow.judgement.laws import LawShift, averaged_shift, averaged_shifts, solved_shift
from analogflow.judgement.restart import restart, restart_classes, silence
from analogflow.judgement.trimming import check_trimmed
from analogflow.netlister import netlist
from analogflow.run import Outcome, Run, own_time, run_plan
from analogflow.simulators import ENGINES, ensemble, ensemble_chunks, simulate
from analogflow.solution import resting_times
from analogflow.studies.boards import board
from analogflow.studies.design import Chunk, Condition, Study, study_of
from analogflow.studies.observed import nothing_observed, observed, times_observed
from analogflow.studies.sweep import swept
from analogflow.technology import heeded

__all__ = [
    "Rows",
    "compute",
    "ended_badly",
    "paths",
    "prepare",
    "sample_alone",
]

Array = NDArray[np.float64]
_POINTS, _FIRST, _RATIO, _MOST_POINTS = 33, 0.02, 1.03, 20_000
"""Saved times: of a late mean; the first, in τ, and the ratio of neighbours, where a run settles; at most."""

_SHOWN_POINTS = 601

Rows = dict[str, NDArray[Any]]
"""Arrays by name, the first axis the samples."""

_LATE = 0.75
"""Fraction of a run with noise from which on its answer is averaged."""

_BROKEN = (Outcome.BLEW_UP, Outcome.STUCK, Outcome.FAILED)


def prepare(study: Study) -> None:
    """Compile a circuit for every form, technology and temperature, so that what can not be built is refused early.

    So is every problem that has no reference. Of a sweep the ends are compiled, and what can not be built elsewhere, or has
    no reference, is data.
    """
    first, ends = next(iter(study.problems)), [{n: v[k] for n, v in study.sweep.items()} for k in (0, -1)]
    for condition in study.conditions:
        if condition.problem == first and condition.sweep in ends:
            with contextlib.suppress(*([AnalogflowError] if study.sweep else [])):
                if study.trim is not None:
                    check_trimmed(_circuit_of(study, condition), study.trim)
                else:
                    _imperfect(study, condition, 0)
    if study.sweep:
        return
    for name, form in dict.fromkeys((each.problem, each.form) for each in study.conditions):
        flow = flow_of(study.problems[name], form)
        try:  # of the problem that the form solves, which is what its samples are judged by
            require_reference(problem_of(flow), accuracy=ACCURACY, end=own_time(flow, study.time_constants))
        except BadInput as fault:
            raise BadInput(f"problem {name!r}: {fault}") from None


def compute(text: str, chunk: Chunk) -> Rows:
    """Results of a chunk of the study whose text is `text`: arrays whose first axis is the samples.

    ``outcome``, ``reason`` and ``verdict`` are texts; ``end`` and ``settling_time`` are in τ; ``answer``, shape (samples,
    size), in flow units; ``error`` and ``error_…`` are measures of the end, and ``error_time_average`` is the first of them
    for the mean over the last quarter of a noisy run. Where a run broke down, errors and answer are NaN.

    Of a law ``error`` and ``error_covariance`` are those of the circuit, ``sampling_error…`` what they may be off by, and
    ``method``, out of `METHODS`, is how it was found. One that is solved for took no run: its ``end`` is NaN, its answer is
    its mean, and a restart would say nothing.

    A sample that ran to its end amid noise is COMPLETED, where `solve` asks of the same run whether its mean still moves and
    says STATIONARY or NOT_SETTLED: that errs in one of ten runs, which a study would count as failed.
    """
    study = _study(text)
    condition = study.conditions[chunk.condition]
    numbers = range(chunk.first, chunk.last)
    with threadpool_limits(1):
        if study.sweep:
            return _swept(study, condition, numbers)
        if _is_random(study, condition):
            return _compute(study, condition, numbers)
        return {name: np.repeat(values, len(numbers), axis=0) for name, values in _compute(study, condition, [0]).items()}


def _swept(study: Study, condition: Condition, numbers: Sequence[int], *, certified: bool = False) -> Rows:
    """Rows of a point of a sweep; one at which no circuit can be built, as where the flow runs away, is one that failed."""
    try:
        random = _is_random(study, condition)
        rows = _compute(study, condition, numbers if random else [numbers[0]], certified=certified)
    except (BadInput, SimulationFailed) as fault:
        nothing = {name: np.array([value]) for name, value in nothing_observed().items()}
        rows = {**_blank_rows([Outcome.FAILED], [str(fault)]), **nothing, "answer": np.full((1, 1), np.nan)}
    return {
        name: values if len(values) == len(numbers) else np.repeat(values, len(numbers), 0) for name, values in rows.items()
    }


def sample_alone(study: Study, condition: Condition, sample: int, *, certified: bool = False) -> Rows:
    """Results of one sample, computed alone; they agree with those of its chunk to rounding.

    If `certified`, ``passed`` says besides whether it ended well and passes the checks of `solve`, or of a sweep whether
    what is seen passes against the reference; a run that broke down without values has none.
    """
    with threadpool_limits(1):
        if study.sweep:
            return _swept(study, condition, [sample], certified=certified)
        return _compute(study, condition, [sample], certified=certified)


def paths(study: Study, condition: Condition, count: int = 100) -> Run:
    """Signals of the first samples of a condition over time, as the block engine runs them; circuits of parts it has not.

    Raises
    ------
    BadInput
        The condition's circuit is of parts.
    """
    circuit, degraded = _circuit_of(study, condition), _imperfect(study, condition, 0)
    if circuit.parts is not None:
        raise BadInput(
            f"paths: the block engine carries ideal blocks, not {condition.technology!r}; choose another condition."
        )
    plan, end = run_plan(degraded, study.time_constants), run_plan(circuit, study.time_constants, stops=False).end
    run = functools.partial(
        ensemble, circuit, min(count, study.samples), imperfections=condition.imperfections, noise=degraded.noise
    )  # fmt: skip
    if plan.settles and plan.end > end:  # the study's samples go on until they settle, and so far they are shown
        end = max(end, float(run(time_constants=plan.end, resting_speed=plan.stopping_speed).end.max()))
    return run(time_constants=end, save=np.linspace(0.0, end, _SHOWN_POINTS))


@functools.lru_cache(maxsize=4)
def _study(text: str) -> Study:
    return study_of(json.loads(text))


@functools.lru_cache(maxsize=64)
def _circuit(
    study: Study, problem: str, form: str, technology: str, options: tuple[tuple[str, Any], ...],
    sweep: tuple[tuple[str, float], ...],
) -> Circuit:  # fmt: skip
    """The circuit that all samples are drawn from: its values are chosen once."""
    return circuit_of(swept(study.problems[problem], dict(sweep)), form=form, technology=technology, **dict(options))


def _circuit_of(study: Study, condition: Condition) -> Circuit:
    trimmed = study.trim is not None  # where it is built for, whatever the temperature it is then looked at
    given = {"parts": study.parts, "temperature_celsius": NOMINAL_CELSIUS if trimmed else condition.temperature_celsius}
    options, sweep = tuple(heeded(condition.technology, given).items()), tuple(condition.sweep.items())
    return _circuit(study, condition.problem, condition.form, condition.technology, options, sweep)


def _imperfect(study: Study, condition: Condition, sample: int) -> Circuit:
    if study.trim is not None:
        return board(_circuit_of(study, condition), study, sample, kelvin_of(condition.temperature_celsius))
    given = {"noise": condition.noise, "imperfections": condition.imperfections, "seed": study.seed}
    return circuit_of(_circuit_of(study, condition), **given, sample=sample)


@functools.lru_cache(maxsize=64)
def _degraded(study: Study, number: int) -> Circuit:
    """The circuit of a condition as its first sample, in which no other differs where many are run together."""
    return _imperfect(study, study.conditions[number], 0)


def _is_random(study: Study, condition: Condition) -> bool:
    """Whether samples differ: otherwise one is computed and stands for all."""
    drawn = condition.noise or study.trim is not None
    return bool(drawn or condition.imperfections.random or _circuit_of(study, condition).flow.noisy)


def _compute(study: Study, condition: Condition, numbers: Sequence[int], *, certified: bool = False) -> Rows:
    circuit = _circuit_of(study, condition)
    if _is_law(circuit.flow):
        parts = _laws(study, condition, numbers, certified=certified)
    elif _together(study, circuit):
        parts = _batched(study, condition, numbers, certified=certified)
    else:
        parts = [_alone(study, condition, number, certified=certified) for number in numbers]
    return _joined(parts)


def _is_law(flow: Flow) -> bool:
    """Whether the answer is a stationary law, whose errors are those of its mean and its covariance."""
    return flow.averaging is not None and judging_family(problem_of(flow)).primary == LawShift.NAMES[0]


def _together(study: Study, circuit: Circuit) -> bool:
    """Whether samples go through time together: the engine evaluates the graph, and the circuit is all in that."""
    return ENGINES[study.engine].together is not None and circuit.parts is None


def _laws(study: Study, condition: Condition, numbers: Sequence[int], *, certified: bool) -> list[Rows]:
    """Laws of some samples: solved for where that can be done and no length of a run is asked for, else averaged."""
    found: dict[int, Rows] = {}
    if _together(study, _circuit_of(study, condition)) and study.time_constants is None:
        for number in numbers:
            if found and not condition.imperfections.deviates:  # noise has no part in a law that is solved for
                found[number] = dict(found[numbers[0]])
            elif (rows := _solved(study, condition, number)) is not None:
                found[number] = rows
            elif not condition.imperfections.deviates:
                break
    lacking = [number for number in numbers if number not in found]
    found |= dict(zip(lacking, _averaged(study, condition, lacking), strict=True))
    if certified:
        for number, rows in found.items():
            rows["passed"] = np.array([_passes(study, condition, number)])
    return [found[number] for number in numbers]


def _solved(study: Study, condition: Condition, number: int) -> Rows | None:
    """Rows of a sample whose law is solved for, without a run; None where it is not."""
    circuit = _imperfect(study, condition, number)
    shift = solved_shift(circuit, _circuit_of(study, condition))
    return None if shift is None else _law_rows(study, circuit, shift, Outcome.STATIONARY)


def _averaged(study: Study, condition: Condition, numbers: Sequence[int]) -> list[Rows]:
    """Rows of samples whose laws are averaged, beside those of the same circuits without flaws."""
    if not numbers:
        return []
    undegraded, first = _circuit_of(study, condition), _imperfect(study, condition, numbers[0])
    end = run_plan(first, study.time_constants).end
    if _together(study, undegraded):
        told = averaged_shifts(
            undegraded, numbers, imperfections=condition.imperfections, noise=first.noise, engine=study.engine, end=end
        )
        return [_told(study, first, *each) for each in told]
    rows = []
    for number in numbers:
        circuit = _imperfect(study, condition, number)
        alike = circuit_of(undegraded, noise=0.0, imperfections=Imperfections(), seed=study.seed, sample=number)
        try:
            told = averaged_shift(circuit, alike, engine=study.engine, end=end, time_limit=study.time_limit)
        except SimulationFailed as fault:
            told = None, Run(np.zeros(1), {}, Outcome.FAILED, str(fault))
        rows.append(_told(study, circuit, *told))
    return rows


def _told(study: Study, circuit: Circuit, shift: LawShift | None, run: Run) -> Rows:
    """Rows of a sample whose law is averaged, from what its chains tell and the one that stands for them."""
    if shift is None:
        reason = run.detail if run.outcome is Outcome.FAILED else f"{run.outcome.value} {run.detail}".strip()
        return _law_rows(study, circuit, None, run.outcome, reason) | {"end": np.array([run.time[-1]])}
    return _law_rows(study, circuit, shift, Outcome.COMPLETED) | {"end": np.array([run.time[-1]])}


def _law_rows(study: Study, circuit: Circuit, shift: LawShift | None, outcome: Outcome, reason: str = "") -> Rows:
    """Rows of one sample whose answer is a law; NaN where that is not known."""
    rows = _blank_rows([outcome], [reason])
    if study.verify and shift is not None:  # chains from dispersed starts say what a restart would
        rows["verdict"] = np.array(["not applicable" if shift.mixed else NOT_MIXED])
    rows["method"] = np.array(["" if shift is None else shift.method])
    rows["answer"] = np.full((1, _answer_size(circuit)), np.nan)
    family = judging_family(problem_of(circuit.flow))
    for name in LawShift.NAMES:
        own = family.variable(name)
        rows[own] = np.array([np.nan if shift is None else shift.errors[name]])
        rows[f"sampling_{own}"] = np.array([np.nan if shift is None else shift.sampling[name]])
    if shift is not None and circuit.flow.shows in shift.mean:
        rows["answer"] = shift.mean[circuit.flow.shows][None]
    return rows


def _passes(study: Study, condition: Condition, number: int) -> bool:
    """Whether one run of a sample ends well and passes the checks of `solve`."""
    circuit = _imperfect(study, condition, number)
    plan = run_plan(circuit, study.time_constants)
    deck = netlist(circuit, time_constants=plan.end, largest_step=plan.largest_step)
    try:
        run = simulate(deck, engine=study.engine, time_limit=study.time_limit)
    except SimulationFailed:
        return False
    return certificate_of(circuit, run).passed


def _batched(study: Study, condition: Condition, numbers: Sequence[int], *, certified: bool) -> list[Rows]:
    circuit, degraded = _circuit_of(study, condition), _degraded(study, condition.number)
    flow, plan = circuit.flow, run_plan(degraded, study.time_constants)
    end = plan.end
    seen = bool(study.sweep) and flow.end_time is not None
    times = times_observed(end) if seen else _saved(flow, end, noisy=degraded.noisy, step=degraded.noise.step)
    found = []
    for part in ensemble_chunks(
        circuit, numbers, engine=study.engine, time_constants=end, imperfections=condition.imperfections,
        noise=degraded.noise, save=times, resting_speed=plan.stopping_speed,
    ):  # fmt: skip
        outcomes = part.outcomes
        reasons = ["" if outcome.ok else outcome.value for outcome in outcomes]
        held = certified or study.holds(condition)
        rows = _rows_of(degraded, part, end, reasons, certified and not study.sweep, held=held)
        if study.sweep:
            rows |= _seen(degraded, [part.sample(k) for k in range(len(outcomes))], held=held, certified=certified)
        if study.verify and silence(flow):
            rows["verdict"] = np.full(len(outcomes), "not applicable")
        elif study.verify:
            rows["verdict"] = restart_classes(circuit, part, engine=study.engine)
        found.append(rows)
    return found


def _alone(study: Study, condition: Condition, number: int, *, certified: bool) -> Rows:
    """One sample through a deck; a simulator that breaks down is data."""
    try:
        circuit = _imperfect(study, condition, number)
    except SimulationFailed as fault:  # while its trimmers were set
        size = _answer_size(_circuit_of(study, condition))
        return {**_blank_rows([Outcome.FAILED], [str(fault)]), "answer": np.full((1, size), np.nan)}
    flow, plan = circuit.flow, run_plan(circuit, study.time_constants)
    end = plan.end
    deck = netlist(circuit, time_constants=end, largest_step=plan.largest_step)
    try:
        run = simulate(deck, engine=study.engine, resting_speed=plan.stopping_speed, time_limit=study.time_limit)
    except SimulationFailed as fault:
        run = Run(np.zeros(1), {}, Outcome.FAILED, str(fault))
    said = run.detail if run.outcome is Outcome.FAILED else f"{run.outcome.value} {run.detail}".strip()
    reason = "" if run.outcome.ok else said
    if not run.values:
        return {**_blank_rows([run.outcome], [reason]), "answer": np.full((1, _answer_size(circuit)), np.nan)}
    verdict = fault = ""
    if study.verify:
        verdict, fault = ("not applicable", "") if silence(flow) else _restarted(study, circuit, run)
    held = certified or study.holds(condition)
    rows = _rows_of(circuit, batched(run), end, [reason], certified and not study.sweep, held=held)
    if study.sweep:
        rows |= _seen(circuit, [run], held=held, certified=certified)
    return {**rows, "reason": np.array([str(rows["reason"][0]) or fault]), "verdict": np.array([verdict])}


def _seen(circuit: Circuit, runs: Sequence[Run], *, held: bool, certified: bool) -> Rows:
    """What is observed of runs at a point of a sweep; if `certified`, also whether each passed there."""
    each = [
        nothing_observed() if run.outcome in _BROKEN or not run.values else observed(circuit, run, held=held) for run in runs
    ]
    rows = {name: np.array([row[name] for row in each]) for name in each[0]}
    return {**rows, "passed": rows["certificate"] == "passed"} if certified else rows


def _restarted(study: Study, circuit: Circuit, run: Run) -> tuple[str, str]:
    """Verdict on a run that has values, and what went wrong where its restart broke down."""
    if not (run.outcome.ok or run.outcome.creeps):
        return "not settled", ""
    try:
        _, verdict = restart(
            circuit, run, engine=study.engine, time_constants=study.time_constants, time_limit=study.time_limit
        )
    except SimulationFailed as fault:
        return "not settled", f"its restart: {fault}"
    return verdict.name, ""


def _answer_size(circuit: Circuit) -> int:
    graph, name = circuit.derived_from or circuit.graph, circuit.flow.shows
    return graph.block({**graph.states, **graph.observables}[name]).size


def _saved(flow: Flow, end: float, *, noisy: bool, step: float) -> Array:
    """Times, in τ, at which paths are kept: for a law all knots, for noise the last quarter, else ever farther apart."""
    if flow.averaging is not None:
        return np.linspace(0.0, end, int(min(np.ceil(end / step), _MOST_POINTS)) + 1)
    if noisy:
        return np.linspace(_LATE * end, end, _POINTS)
    first = min(_FIRST, 0.1 * end)
    count = int(np.ceil((np.log(end) - np.log(first)) / np.log(_RATIO))) + 1
    return np.concatenate([[0.0], np.minimum(np.geomspace(first, end, count), end)])


def ended_badly(outcomes: NDArray[Any], reasons: NDArray[Any]) -> NDArray[np.bool_]:
    """Which samples failed, by their texts: they did not end as they were asked to, and that is a fault.

    It is none where the state still creeps and the answer is proved as it stands: there is no reason then.
    """
    outcomes, proved = outcomes.astype(str), reasons.astype(str) == ""
    good = np.isin(outcomes, ["", *(outcome.name for outcome in Outcome if outcome.ok)])
    return ~good & ~(proved & np.isin(outcomes, [outcome.name for outcome in Outcome if outcome.creeps]))


def _blank_rows(outcomes: Sequence[Outcome], reasons: Sequence[str]) -> Rows:
    """Rows of samples of which nothing else is known."""
    nothing = np.full(len(outcomes), np.nan)
    return {
        "outcome": np.array([outcome.name for outcome in outcomes]),
        "reason": np.array(reasons),
        "verdict": np.array([""] * len(outcomes)),
        "end": nothing,
        "settling_time": nothing,
        "error": nothing,
        "error_time_average": nothing,
    }


def _rows_of(circuit: Circuit, runs: Run, end: float, reasons: Sequence[str], certified: bool, *, held: bool = True) -> Rows:
    """Rows of some samples that ran.

    Parameters
    ----------
    circuit : Circuit
        As it ran, but for which sample it is.
    runs : Run
        Of many samples.
    end : float
        Time asked for, in τ.
    reasons : sequence of length samples
        Why a sample did not end as it was asked to; one whose answer still creeps and is good enough loses its reason.
    certified : bool
        Whether each is also held against all checks of a certificate.
    held : bool
        Whether errors are asked for: they are NaN otherwise, as where every run broke down.
    """
    flow, outcomes, finals, paths, times = circuit.flow, runs.outcomes, runs.final, runs.values, runs.time
    # Where the answer fluctuates, its mean over the last quarter says more than its last value.
    noisy, limit = circuit.noisy, allowed_error(circuit)
    broken = np.array([o in _BROKEN for o in outcomes])
    reached = end if flow.end_time or noisy else np.where(broken, runs.end.max(), runs.end)
    problem = problem_of(flow)
    if not held or broken.all():
        answer = np.array(finals[flow.shows])
        answer[broken] = np.nan
        return {**_blank_rows(outcomes, reasons), "answer": answer, "end": runs.end}
    judged = judge(problem, finals, limit=limit, paths=paths, times=times, end=reached)
    if any(outcome.creeps for outcome in outcomes):
        well = all_end_well(flow, runs, judged.passed, limit)
        minded = [not (outcome.creeps and good) for outcome, good in zip(outcomes, well, strict=True)]
        reasons = [reason if minds else "" for reason, minds in zip(reasons, minded, strict=True)]
    rows = _blank_rows(outcomes, reasons)
    rows |= {judged.family.variable(name): value for name, value in judged.errors.items()}
    if noisy and flow.averaging is None and flow.end_time is None:
        rows["error_time_average"] = judge(problem, _averages(flow, paths, times), paths=paths, times=times, end=end).error
    rows["answer"] = np.array(finals[flow.shows])
    for name, values in rows.items():
        if name == "answer" or name.startswith("error"):
            rows[name] = np.where(broken[:, None] if values.ndim == 2 else broken, np.nan, values)
    if certified:  # how a run ended, the first check, is decided above, with what is known of many samples
        checks = [certificate_of(circuit, runs.sample(k)).checks[1:] for k in range(len(outcomes))]
        good = ~ended_badly(rows["outcome"], rows["reason"])
        rows["passed"] = good & [all(check.passed for check in each) for each in checks]
    return {**rows, "end": runs.end, "settling_time": resting_times(circuit, runs)}


def _averages(flow: Flow, paths: Mapping[str, Array], times: Array) -> dict[str, Array]:
    """Means over the last quarter of the run, shape (samples, size).

    A state of which a part is free, as the common mode of logarithms, is no answer, and its mean is that of none: where the
    answer is an observable of it, it is left out.
    """
    late = times >= _LATE * times[-1]
    span = times[late]
    free = {kept.state for kept in flow.keeps if (kept.comparable(np.ones(flow.states[kept.state].size)) != 1).any()}
    wanted = {name: values for name, values in paths.items() if name not in free or name in (flow.answer, *flow.rests)}
    if len(span) < 2:
        return {name: values[:, -1] for name, values in wanted.items()}
    return {name: np.trapezoid(values[:, late], span, axis=1) / (span[-1] - span[0]) for name, values in wanted.items()}


def _joined(parts: Sequence[Rows]) -> Rows:
    """All rows, one after another; NaN where a part lacks a measure because its run broke down."""
    names = dict.fromkeys(name for part in parts for name in part)
    count = [len(part["outcome"]) for part in parts]
    return {
        name: np.concatenate([part.get(name, np.full(n, np.nan)) for part, n in zip(parts, count, strict=True)])
        for name in sorted(names)
    }
