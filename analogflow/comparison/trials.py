"""Runs one contender and gives its row: a circuit, or a digital solver at every setting of its knob.

Errors are the judge's, of the answer that is shown, for a circuit of the state that a perfect instrument would read:
conversion is not counted, and what a solver says of itself is not looked at.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analogflow.circuit import Circuit
from analogflow.comparison.contender import Contender, Point
from analogflow.comparison.energy import Prices
from analogflow.comparison.judge import Judge
from analogflow.comparison.solvers import Delivered, Solver
from analogflow.compiler import circuit_of, compile, noise_of
from analogflow.errors import AnalogflowError, MissingProgram, SimulationFailed
from analogflow.families import FAMILIES, flow_of
from analogflow.flows import Flow
from analogflow.hardware.parts_list import parts_list
from analogflow.passes import choose_values
from analogflow.run import Run, run_plan, settling_times
from analogflow.simulators import deck_for, engine_for, ensemble, simulate
from analogflow.solution import solve
from analogflow.technology import DEFAULT_TECHNOLOGY, TECHNOLOGIES, heeded

__all__ = ["RESTING_DELAY", "SECONDS", "forms_of", "is_of_parts", "run_circuit", "run_solver"]

Array = NDArray[np.float64]

_POINTS = 160
"""Points of a path that are judged."""

_SAMPLES, _SAMPLES_OF_PARTS = 8, 2
"""Circuits of which the root mean square error counts, where the flow itself is noisy."""

SECONDS = 3.0
"""Time for each digital solver unless another is given."""

RESTING_DELAY = 0.05
"""Part of a flow's fastest time constant that delays of op-amps may be where only the rest of the circuit is looked at."""

_AVERAGES = 24
"""Lengths at which the average over a noisy run is judged."""

_OF_PARTS = ("parts", "temperature_celsius")
"""Conditions that circuits of parts alone heed."""

_REPEATS, _WORTH_REPEATING = 5, 0.05
"""Runs of which the fastest counts, at most, and seconds of all of them after which no more are made."""

_SEEDS = 8
"""Runs of which the root mean square error counts, where answers are random."""


def forms_of(family: str) -> list[str]:
    """Names of all circuits of a family: technology and form."""
    forms = FAMILIES[family].forms
    return [
        f"{technology.name}:{form}"
        for technology in TECHNOLOGIES.values()
        for form in forms
        if technology.carries is None or form == technology.form(family)
    ]


def is_of_parts(name: str) -> bool:
    """Whether a contender of that name is a circuit of parts; a digital solver is none."""
    technology, colon, _ = name.partition(":")
    built_of = TECHNOLOGIES.get(technology) if colon else None
    return built_of is not None and bool(built_of.parts)


def run_circuit(
    name: str,
    problem: Any,
    judge: Judge,
    *,
    accuracy: float,
    prices: Prices,
    answers: dict[float, Any] | None = None,
    **conditions: Any,
) -> Contender:
    """Row of a circuit.

    Parameters
    ----------
    name : str
        Technology and form, such as "opamp:logdomain".
    answers : dict of float to array, optional
        Filled with the answer at each of the row's points, by its time in τ, where the answer is one signal.
    conditions
        ``noise``, ``seed``, ``imperfections``, ``parts`` and ``temperature_celsius`` as `solve` takes them.

    Notes
    -----
    Ideal circuits are integrated by the block engine and have a time in τ only; circuits of parts, with preferred values,
    run in ngspice and have the τ and the static power of their parts. A circuit that can not be built or run is a row with
    the reason.
    """
    technology, _, form = name.partition(":")
    built_of = TECHNOLOGIES[technology]
    empty = Contender(name, "analog", built_of.summary, math.inf, 0.0)
    try:
        engine = engine_for(technology, prefer="block")
    except MissingProgram as missing:
        return dataclasses.replace(empty, note=str(missing))
    try:
        flow = flow_of(problem, form)
        if flow.averaging is not None:
            return _averaged(empty, flow, judge, accuracy, prices, engine, conditions)
        if "delay_fraction" in built_of.heeded and flow.end_time is None and not flow.path_matters:
            conditions["delay_fraction"] = RESTING_DELAY
        build = _build(technology, conditions)
        solution = solve(flow, technology=technology, engine=engine, **build, **conditions)
    except AnalogflowError as fault:
        return dataclasses.replace(empty, note=str(fault))
    circuit, run = solution.circuit, solution.run
    if not (run.outcome.ok or run.outcome.creeps):
        return dataclasses.replace(empty, note=f"{run.outcome.value} {run.detail}".strip())
    chip = prices.chip_power(_ideal_elements(flow, solution.circuit))
    ends = flow.end_time is not None
    times, errors, rows = _errors(run, judge, only_last=ends)
    if answers is not None and len(judge.contest.signals) == 1:
        shown = run.values[judge.contest.signals[0]]
        answers |= {float(time): shown[row] for time, row in zip(times, rows, strict=True)}
    noisy = solution.noisy
    delivered = float(np.quantile(errors[times >= 0.5 * times[-1]], 0.95)) if noisy else float(errors[-1])
    if not math.isfinite(delivered):
        return dataclasses.replace(
            empty, note=f"what it shows at its end is no answer: no {judge.contest.measure} can be computed"
        )
    # The judge looks at the answer, whether or not a state behind it still creeps.
    note = "read at the flow's own end" if ends else "" if run.outcome.ok else f"{run.outcome.value} {run.detail}".strip()
    tau = circuit.units.time_constant if circuit.parts else None
    bill = parts_list(circuit) if circuit.parts else None
    watts = bill.power if bill else None
    points = tuple(_timed(t, e, tau, watts) for t, e in zip(times, errors, strict=True))
    settled = float(settling_times(times, errors, accuracy))
    return dataclasses.replace(
        empty,
        delivered=delivered,
        bits=judge.bits(delivered),
        points=points,
        at=None if math.isnan(settled) else _timed(settled, min(accuracy, delivered), tau, watts),
        components=sum(entry.count for entry in bill.entries) if bill else len(circuit.elements),
        watts=watts,
        time_constant=tau,
        chip_watts=chip,
        note=note,
    )


def _timed(time: float, error: float, tau: float | None, watts: float | None) -> Point:
    seconds = None if tau is None else time * tau
    joules = None if seconds is None or watts is None else watts * seconds
    return Point(float(error), time_constants=float(time), seconds=seconds, joules=joules)


def _ideal_elements(flow: Flow, circuit: Any) -> int:
    return len(circuit.elements if circuit.technology == DEFAULT_TECHNOLOGY else compile(flow).elements)


def _errors(run: Run, judge: Judge, *, only_last: bool) -> tuple[Array, Array, list[int]]:
    """Times in τ, errors and numbers of some points of a run, the first and the last among them."""
    last = len(run.time) - 1
    wanted = np.geomspace(max(1e-3, float(run.time[1])), float(run.time[-1]), _POINTS) if last else np.zeros(1)
    rows = [last] if only_last else np.unique([0, *np.searchsorted(run.time, wanted).clip(0, last), last]).tolist()
    return run.time[rows], judge.errors({name: run.values[name][rows] for name in judge.contest.signals}), list(rows)


def _build(technology: str, conditions: dict[str, Any]) -> dict[str, Any]:
    """How a circuit of `technology` is built: taken out of the conditions, as far as it heeds that."""
    return heeded(technology, {name: conditions.pop(name, None) for name in _OF_PARTS})


def _averaged(
    empty: Contender, flow: Flow, judge: Judge, accuracy: float, prices: Prices, engine: str, conditions: dict[str, Any]
) -> Contender:
    """Row of a flow with noise of its own: averages over ever longer parts of several runs of the circuit."""
    averaging = flow.averaging
    assert averaging is not None  # only such flows come here
    technology, _, _ = empty.name.partition(":")
    circuit = compile(flow, technology=technology, **_build(technology, conditions))
    times = np.linspace(0.0, averaging.end, math.ceil(averaging.end / averaging.noise_step) + 1)
    paths = _paths_of_parts(circuit, times, engine, conditions) if circuit.parts else _paths(circuit, times, conditions)
    first = int(np.searchsorted(times, averaging.skipped_of(averaging.end)))
    lengths = np.unique(np.geomspace(8, len(times) - first, _AVERAGES).astype(int))
    bill = parts_list(choose_values(circuit)) if circuit.parts else None
    tau, watts = (circuit.units.time_constant, bill.power) if bill else (None, None)
    points = []
    for length in lengths:
        errors = []
        for path in paths[:, first : first + length]:
            errors.append(judge.error((path.mean(axis=0), np.atleast_2d(np.cov(path.T, bias=True)))))
        points.append(_timed(float(times[first + length - 1]), float(np.sqrt(np.mean(np.square(errors)))), tau, watts))
    reached, errors = (np.array([getattr(p, name) for p in points]) for name in ("time_constants", "error"))
    settled = float(settling_times(reached, errors, accuracy))
    delivered = points[-1].error
    note = f"averages over time, root mean square error of {len(paths)} circuits"
    if math.isnan(settled) and math.isfinite(delivered):
        # Errors of averages fall with the root of their length, once that is many relaxation times.
        longer = averaging.skipped + (averaging.end - averaging.skipped) * np.square(delivered / accuracy)
        note += f"; as errors fall with the root of the time, {accuracy:g} would take about {longer:.1e} τ"
    return dataclasses.replace(
        empty,
        delivered=delivered,
        bits=judge.bits(delivered),
        points=tuple(points),
        at=None if math.isnan(settled) else _timed(settled, accuracy, tau, watts),
        components=sum(entry.count for entry in bill.entries) if bill else len(circuit.elements),
        watts=watts,
        time_constant=tau,
        chip_watts=prices.chip_power(_ideal_elements(flow, circuit)),
        note=note,
    )


def _paths(circuit: Circuit, times: Array, conditions: dict[str, Any]) -> Array:
    """States of circuits of ideal blocks at some times, which all run together, shape (samples, times, size)."""
    noise = noise_of(circuit, conditions.get("noise"), conditions.get("seed"))
    found = ensemble(
        circuit, _SAMPLES, time_constants=float(times[-1]), save=times, imperfections=conditions.get("imperfections"),
        noise=noise,
    )  # fmt: skip
    return np.concatenate([found.values[name] for name in circuit.flow.states], axis=2)


def _paths_of_parts(circuit: Circuit, times: Array, engine: str, conditions: dict[str, Any]) -> Array:
    """The same of circuits of parts, which run one after another.

    Raises
    ------
    SimulationFailed
        One did not run to its end.
    """
    paths = []
    for number in range(_SAMPLES_OF_PARTS):
        sample = circuit_of(circuit, sample=number, **conditions)
        plan = run_plan(sample, float(times[-1]))
        deck = deck_for(sample, engine, time_constants=plan.end, largest_step=plan.largest_step)
        run = simulate(deck, engine=engine, resting_speed=plan.stopping_speed)
        if not run.outcome.ok:
            raise SimulationFailed(f"circuit {number} did not run to its end: {run.outcome.value} {run.detail}".rstrip())
        states = np.concatenate([run.values[name] for name in circuit.flow.states], axis=1)
        paths.append(np.column_stack([np.interp(times, run.time, state) for state in states.T]))
    return np.array(paths)


def run_solver(
    solver: Solver,
    problem: Any,
    judge: Judge,
    *,
    accuracy: float,
    finest: float,
    seconds: float,
    prices: Prices,
    seed: int = 0,
) -> Contender:
    """Row of a digital solver.

    Parameters
    ----------
    accuracy : float
        At which time and energy are compared.
    finest : float
        Down to which error against work is followed.
    seconds : float
        Time allowed for all settings together, about.

    Notes
    -----
    BLAS runs on one thread. The least time of up to five runs counts. A run's error is what the judge finds in its answer;
    what the solver says of itself is not looked at.
    """
    empty = Contender(solver.name, "digital", solver.method, math.inf, 0.0, batch=solver.share)
    if reason := solver.applies(problem):
        return dataclasses.replace(empty, note=reason)
    aims = sorted({*solver.settings(problem, accuracy), *solver.settings(problem, min(finest, accuracy))}, reverse=True)
    points: list[Point] = []
    note, deadline = "", time.perf_counter() + seconds
    with threadpool_limits(limits=1):
        for aim in aims:
            left = deadline - time.perf_counter()
            if left <= 0:
                note = f"stopped after {seconds:g} s"
                break
            try:
                point = _point(solver, problem, judge, aim, left, seed, prices)
            except AnalogflowError as fault:
                note = str(fault)
                break
            points.append(point)
            if point.error <= finest:
                break
    if not points:
        return dataclasses.replace(empty, note=note)
    delivered = min(point.error for point in points)
    reaching = [point for point in points if point.error <= accuracy]
    at = min(reaching, key=lambda point: point.seconds or math.inf, default=None)
    return dataclasses.replace(
        empty,
        delivered=delivered,
        bits=judge.bits(delivered),
        points=tuple(points),
        at=at,
        processor_joules=prices.of_processor(at.seconds) if at and at.seconds else None,
        note=note,
    )


def _point(solver: Solver, problem: Any, judge: Judge, aim: float, left: float, seed: int, prices: Prices) -> Point:
    seeds = _SEEDS if solver.random else 1
    taken, delivered = _fastest(solver, problem, aim, left / seeds, seed)
    errors = [judge.error(delivered.answer)]
    errors += [judge.error(solver.run(problem, aim, left / seeds, seed + k).answer) for k in range(1, seeds)]
    work = None if delivered.work is None else delivered.work()
    return Point(
        float(np.sqrt(np.mean(np.square(errors)))),
        setting=aim,
        iterations=None if work is None else work.iterations,
        operations=None if work is None else prices.operations(work),
        seconds=taken / solver.share,
        joules=None if work is None else prices.of_operations(work),
    )


def _fastest(solver: Solver, problem: Any, aim: float, left: float, seed: int) -> tuple[float, Delivered]:
    """Least time of some runs, seconds, and what the last delivered."""
    delivered, taken = _once(solver, problem, aim, left, seed)
    total = taken
    for _ in range(_REPEATS - 1):
        if total > _WORTH_REPEATING:
            break
        delivered, once = _once(solver, problem, aim, left, seed)
        taken, total = min(taken, once), total + once
    return taken, delivered


def _once(solver: Solver, problem: Any, aim: float, left: float, seed: int) -> tuple[Delivered, float]:
    started = time.perf_counter()
    delivered = solver.run(problem, aim, left, seed)
    return delivered, time.perf_counter() - started
