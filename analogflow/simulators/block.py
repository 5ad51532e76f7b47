"""The block engine behind the contract all engines keep: it evaluates the graph a deck was made from, not its text.

It runs many samples of a circuit at once, too, each with noise and deviations of its own.
"""

from __future__ import annotations

import dataclasses
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import (
    IMPLICIT,
    Drive,
    ErrorLimits,
    March,
    Method,
    Trigger,
    VectorField,
    compiled_program,
    follow_events,
    integrate,
    march,
    march_alone,
    method_for,
)
from analogflow.blocks import PADE, Imperfections
from analogflow.checks import is_positive, is_whole, real_array
from analogflow.circuit import Circuit
from analogflow.errors import BadInput, SimulationFailed
from analogflow.flows import Jump
from analogflow.netlister import Deck
from analogflow.noise import LARGEST_SAMPLE, Noise, check_sample
from analogflow.passes import graph_under, limits_of, pole_label
from analogflow.run import Outcome, Run, Samples, check_resting_speed, run_plan
from analogflow.simulators.flow_units import in_flow_units, in_graph_units
from analogflow.simulators.played_parts import PlayedParts

__all__ = ["MEMORY", "EnsembleOptions", "abreast", "chunks", "follow", "run", "step_accuracy_of"]

_MOST_POINTS = 20_000

_FOLLOWING, _FLUCTUATING = 1e-7, 1e-5
"""Errors allowed per step, relative, without noise and with it: the noise's own knots cost more than the latter."""

_MANY_BREAKS = 64
"""Knots of waveforms beyond which the march, which goes on where the method of order 8 begins anew, is the faster one."""

_WITHIN = 3
"""Points of a path that is the answer which are kept inside each step: period and amplitude are read off a spline."""

_SHORT_STEP = 1e-4
"""τ: a circuit that asks for shorter steps is very stiff."""

Array = NDArray[np.float64]

MEMORY = 2.0**29
"""Bytes that the samples under way may take together unless another number is given."""


def run(deck: Deck, *, resting_speed: float, time_limit: float, on_progress: Callable[[float], None] | None = None) -> Run:
    """Integrate the deck's graph to the deck's end, or until the answer settles.

    Raises
    ------
    SimulationFailed
        It ran past the time limit.
    """
    circuit, on_progress = deck.circuit, _within(time_limit, on_progress)
    end = (deck.end_time - circuit.release) / circuit.units.time_constant
    field = VectorField(circuit.graph)
    if _switches(circuit, field):
        return _switched(circuit, field, end, None, on_progress)
    if not circuit.nominal or circuit.noisy or circuit.parts is not None or _very_stiff(field):
        # The march knows noise and stiffness, and shows all of the path, of which no peak may be missed where there are
        # rails; an ideal circuit alone is followed more sharply by a method of order 8.
        points = min(int(np.ceil(end * circuit.units.time_constant / deck.largest_step)), _MOST_POINTS)
        return follow(circuit, np.linspace(0.0, end, points + 1), resting_speed=resting_speed, on_progress=on_progress)
    # A point of a path is known as sharply as a chaotic flow lets it be, for its errors grow.
    followed = circuit.flow.path_matters and circuit.flow.end_time is not None
    sharp = 1e-11 if followed else 1e-9
    if len(field.breaks) > _MANY_BREAKS:
        points = min(int(np.ceil(end * circuit.units.time_constant / deck.largest_step)), _MOST_POINTS)
        return follow(
            circuit,
            np.linspace(0.0, end, points + 1),
            resting_speed=resting_speed,
            step_accuracy=sharp,
            on_progress=on_progress,
        )
    tolerances = limits_of(circuit, sharp, 1e-3 * sharp, resting_speed)
    run = integrate(
        circuit.graph,
        end,
        rests=circuit.flow.rests,
        tolerances=tolerances,
        within=_WITHIN if followed else 0,
        on_progress=on_progress,
    )
    return dataclasses.replace(run, values=in_flow_units(circuit, run.values), record=_record())


def _switches(circuit: Circuit, field: VectorField) -> bool:
    """Whether states switch at once, jump or are delayed; latches of a circuit under conditions move as blocks have them."""
    nominal = circuit.nominal and not circuit.noisy and circuit.parts is None
    return bool(field.delays) or (nominal and bool(field.latches or circuit.flow.jumps))


def _switched(
    circuit: Circuit, field: VectorField, end: float, save: Array | None, on_progress: Callable[[float], None] | None
) -> Run:
    run = follow_events(
        field, _triggers(circuit, field), end, limits=limits_of(circuit, 1e-11, 1e-14), save=save, on_progress=on_progress
    )
    return dataclasses.replace(run, values=in_flow_units(circuit, run.values), record=_record())


def _triggers(circuit: Circuit, field: VectorField) -> list[Trigger]:
    """Events of a circuit's flow, of states in the units of its graph."""
    flow, scales = circuit.flow, circuit.units.scales

    def states(y: Array) -> list[Array]:
        parts = field.unpack(y)
        return [(parts[name] / scales.get(name, 1.0)).reshape(start.shape) for name, start in flow.states.items()]

    def of(jump: Jump, sign: int) -> Trigger:
        def beyond(y: Array) -> float:
            return sign * float(np.asarray(jump.when(*states(y))).reshape(()))

        def then(y: Array) -> Array:
            before, after = states(y), field.unpack(y.copy())
            for name, becomes in jump.then.items():
                given = np.broadcast_to(np.asarray(becomes(*before), dtype=float), flow.states[name].shape)
                after[name] = given.ravel() * scales.get(name, 1.0)
            return field.pack(after)

        return Trigger(jump.name, beyond, then)

    return [of(jump, sign) for jump in flow.jumps for sign in jump.signs]


def step_accuracy_of(field: VectorField) -> float:
    """Error allowed per step, relative, where none is given: of a circuit alone, or of all samples of a study."""
    return _FLUCTUATING if len(field.streams) else _FOLLOWING


def _tolerances_of(circuit: Circuit, step_accuracy: float, settled: float) -> ErrorLimits:
    """Errors allowed per step, relative, and a hundredth of it absolute, and when a circuit rests or runs away."""
    return limits_of(circuit, step_accuracy, 1e-2 * step_accuracy, settled)


def _very_stiff(field: VectorField) -> bool:
    """Whether a rate is so fast that the method of order 8 would take its steps for stability alone, without end."""
    return method_for(field, field.graph.initial()[None], _SHORT_STEP) is IMPLICIT


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


def follow(
    circuit: Circuit,
    times: Array,
    *,
    resting_speed: float = 0.0,
    step_accuracy: float | None = None,
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
    step_accuracy : float, optional
        Error allowed per step, relative, and a hundredth of it absolute.
    on_progress : callable, optional
        Called with the time reached, in τ.
    """
    end = float(times[-1])
    parts = PlayedParts(circuit, end) if circuit.noise.parts else None
    field = VectorField(circuit.graph) if parts is None else parts.field
    if _switches(circuit, field):
        return _switched(circuit, field, end, times, on_progress)
    start = circuit.graph.initial()[None]
    drive = parts.drive if parts else Drive(field, circuit.noise, [circuit.sample], end) if len(field.streams) else None
    longest = np.inf if drive is None else circuit.noise.step
    step_accuracy = step_accuracy_of(field) if step_accuracy is None else step_accuracy
    walked = march(
        field, start, times, end, method_for(field, start, longest), drive=drive, rests=circuit.flow.rests,
        tolerances=_tolerances_of(circuit, step_accuracy, resting_speed), on_progress=on_progress,
    )  # fmt: skip
    reached = times < walked.end[0]
    reported, states = np.append(times[reached], walked.end[0]), np.append(walked.states[0, reached], walked.final, axis=0)
    noise = None
    if drive is not None:
        played = (_noise_at(walked, drive, k, times) for k in range(int(reached.sum())))
        noise = np.concatenate([each for each in (*played, walked.final_noise) if each is not None])
    values = field.observables(states, noise)
    (outcome,), detail = _outcomes_of(walked, stops=resting_speed > 0), ""
    if outcome is Outcome.BLEW_UP:
        largest = field.unpack(abs(walked.final[0]))
        name = max(largest, key=lambda label: float(largest[label].max()))
        detail = f"{name}[{int(largest[name].argmax())}] ran away at t = {walked.end[0]:.4g} τ."
    elif outcome is Outcome.STUCK:
        detail = f"That was at t = {walked.end[0]:.4g} τ."
    shown = in_flow_units(circuit, values) if parts is None else parts.shown(values, reported)
    return Run(reported, shown, outcome, detail, _record(walked.evaluator))


def abreast(
    circuit: Circuit,
    starts: Mapping[str, Array],
    chains: Sequence[int],
    times: Array,
    *,
    time_limit: float,
    on_progress: Callable[[float], None] | None = None,
) -> list[Run]:
    """Chains of one circuit at given times, all carried through time at once.

    What is no state of the flow, as the poles of real blocks, starts as from the flow's own start.
    """
    on_progress, count, end = _within(time_limit, on_progress), len(chains), float(times[-1])
    field = VectorField(circuit.graph)
    states = {label: np.tile(part, (count, 1)) for label, part in field.unpack(circuit.graph.initial()).items()}
    start = field.pack(states | in_graph_units(circuit, starts))
    drive = Drive(field, circuit.noise, [circuit.sample] * count, end, chains) if len(field.streams) else None
    walked = march(
        field, start, times, end, method_for(field, start[:1], np.inf if drive is None else circuit.noise.step),
        drive=drive, rests=circuit.flow.rests, tolerances=_tolerances_of(circuit, step_accuracy_of(field), 0.0),
        on_progress=on_progress,
    )  # fmt: skip
    runs = []
    for k, outcome in enumerate(_outcomes_of(walked, stops=False)):
        reached = times < walked.end[k]
        states = np.append(walked.states[k, reached], walked.final[k : k + 1], axis=0)
        noise = _noise_along(walked, drive, k, times[reached])
        values = in_flow_units(circuit, field.observables(states, noise))
        record = _record(walked.evaluator) | {"chain": chains[k]}
        runs.append(Run(np.append(times[reached], walked.end[k]), values, outcome, "", record))
    return runs


def _noise_at(walked: March, drive: Drive | None, k: int, times: Array) -> Array | None:
    """Noise of every sample at saved time `k`, or at its end before, shape (samples, sources); None where there is none."""
    if walked.noise is not None:
        return walked.noise[:, k]
    if drive is None or walked.final_noise is None:
        return None
    return np.where(times[k] <= walked.end[:, None], drive.at(times[k]), walked.final_noise)


def _noise_along(walked: March, drive: Drive | None, sample: int, times: Array) -> Array | None:
    """Noise of one sample at saved times and at its end, shape (times + 1, sources); None where there is none."""
    if drive is None or walked.final_noise is None:
        return None
    if walked.noise is not None:
        along = walked.noise[sample, : len(times)]
    else:
        along = np.stack([drive.at(time)[sample] for time in times]) if len(times) else walked.final_noise[:0]
    return np.append(along, walked.final_noise[sample : sample + 1], axis=0)


def _outcomes_of(walked: March, *, stops: bool) -> tuple[Outcome, ...]:
    """How each sample of a march ended; `stops` says whether it was to end where its answer settles."""
    rest = Outcome.NOT_SETTLED if stops else Outcome.COMPLETED
    flags = zip(walked.failed, walked.stuck, walked.settled, strict=True)
    return tuple(
        Outcome.BLEW_UP if failed else Outcome.STUCK if stuck else Outcome.SETTLED if settled else rest
        for failed, stuck, settled in flags
    )


def _record(evaluator: str = "numpy") -> dict[str, Any]:
    return {"engine": "block", "evaluator": evaluator, "versions": {}}


class EnsembleOptions(TypedDict, total=False):
    """Options of `ensemble`; `chunks` alone knows what they are if not given."""

    time_constants: float | None
    imperfections: Imperfections | None
    noise: Noise | None
    start: Mapping[str, Array] | None
    save: Sequence[float] | Array
    resting_speed: float
    step_accuracy: float | None
    memory: float
    only: Collection[str] | None
    on_progress: Callable[[float], None] | None


def chunks(
    circuit: Circuit,
    samples: int | Sequence[int],
    *,
    time_constants: float | None = None,
    imperfections: Imperfections | None = None,
    noise: Noise | None = None,
    start: Mapping[str, Array] | None = None,
    save: Sequence[float] | Array = (),
    resting_speed: float = 0.0,
    step_accuracy: float | None = None,
    memory: float = MEMORY,
    only: Collection[str] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Run]:
    """Chunks of an ensemble, one after another, as the march knows how they ended; all else as in `simulators.ensemble`."""
    numbers = _numbers(samples)
    times = real_array(save, "save")
    noise, imperfections = noise or circuit.noise, imperfections or Imperfections()
    end = run_plan(circuit, stops=False).end if time_constants is None else time_constants
    accuracy = {} if step_accuracy is None else {"step_accuracy": step_accuracy}
    _check(circuit, times, only, start, time_constants=end, memory=memory, **accuracy)
    check_resting_speed(resting_speed)
    starts = _starts(circuit, start, len(numbers))
    probe, methods = _probe(circuit, imperfections, noise, numbers[:1], only)
    step_accuracy = step_accuracy_of(probe) if step_accuracy is None else step_accuracy
    if probe.delays and len(probe.streams):
        raise BadInput(f"no engine here plays noise to a flow with a delay: leave it out, or write {PADE}.")
    if resting_speed and len(probe.streams):
        raise BadInput("resting_speed: a run with noise never comes to rest; leave it at 0 and give time_constants.")
    longest = noise.step if len(probe.streams) else np.inf
    method = None if starts else methods.get(longest)
    if method is None:
        method = method_for(probe, _initial(circuit, probe, starts, slice(0, 1)), longest)
        methods |= {} if starts else {longest: method}
    size = 1 if probe.delays else _samples_in(memory, probe, noise, end, len(times), stiff=method is IMPLICIT)
    asked: EnsembleOptions = {
        "time_constants": end, "imperfections": imperfections, "noise": noise, "resting_speed": resting_speed,
        "step_accuracy": step_accuracy, "memory": memory, "only": only,
    }  # fmt: skip
    record = {"seed": noise.seed, "noise": noise.sigma, "noise_step": noise.step, "imperfections": str(imperfections)}
    for first in range(0, len(numbers), size):
        some = numbers[first : first + size]
        alike = not imperfections.deviates or len(numbers) == 1
        field = probe if alike else VectorField(graph_under(circuit, imperfections, noise, some, only))
        drive = Drive(field, noise, some, end) if len(field.streams) else None

        def progress(reached: float, done: int = first, part: int = len(some)) -> None:
            if on_progress is not None:
                on_progress((done + part * reached / end) / len(numbers))

        if field.delays:
            walked = march_alone(field, times, end, limits=limits_of(circuit, 1e-11, 1e-14), on_progress=progress)
        else:
            walked = march(
                field, _initial(circuit, field, starts, slice(first, first + len(some))), times, end, method,
                drive=drive, rests=circuit.flow.rests,
                tolerances=_tolerances_of(circuit, step_accuracy, resting_speed), on_progress=progress,
            )  # fmt: skip
        yield _result(circuit, field, drive, walked, np.array(some), times, asked=asked, record=record)


_LAST: weakref.WeakKeyDictionary[Circuit, tuple[object, VectorField, dict[float, Method]]] = weakref.WeakKeyDictionary()


def _probe(
    circuit: Circuit, imperfections: Imperfections, noise: Noise, first: Sequence[int], only: Collection[str] | None
) -> tuple[VectorField, dict[float, Method]]:
    """Field of the first sample, and the methods found for its own start, by the longest step.

    Of blocks that do not deviate it is every sample's, and kept for the circuit's next run.
    """
    asked = imperfections, noise.sigma, noise.shares, None if only is None else frozenset(only)
    last = _LAST.get(circuit)
    if last is not None and last[0] == asked:
        return last[1], last[2]
    field = VectorField(graph_under(circuit, imperfections, noise, first, only))
    if not imperfections.deviates:
        _LAST[circuit] = asked, field, {}
    return field, {}


def _numbers(samples: int | Sequence[int]) -> Sequence[int]:
    """Numbers of the samples; a range stays one, however long."""
    if is_whole(samples):
        if not 1 <= samples <= LARGEST_SAMPLE:
            raise BadInput(f"samples: {samples!r} is not a number of samples from 1 to 2**39 − 1.")
        return range(int(samples))
    if isinstance(samples, range) and len(samples):
        check_sample(min(samples[0], samples[-1]))
        check_sample(max(samples[0], samples[-1]))
        return samples
    if not isinstance(samples, Sequence | np.ndarray) or isinstance(samples, str) or not len(samples):
        raise BadInput(f"samples: {samples!r} is neither a number of samples nor a list of them with at least one.")
    return [check_sample(number) for number in samples]


def _check(circuit: Circuit, times: Array, only: Collection[str] | None, start: Any, **positive: float) -> None:
    if not circuit.nominal:
        raise BadInput("the circuit is imperfect already; an ensemble starts from what compile returned.")
    if circuit.flow.jumps:
        raise BadInput(
            f"an ensemble is marched together, and none of it can be set anew, as {circuit.flow.jumps[0].name!r} does: run "
            "one sample after another by simulate."
        )
    if circuit.flow.delays and start:
        raise BadInput(
            "start: samples of a flow with a delay begin where it does, for its past is that start's; make the problem "
            "anew, as problem.replaced does."
        )
    for name, value in positive.items():
        if not is_positive(value):
            raise BadInput(f"{name}: {value!r} is not a positive number.")
    if positive.get("step_accuracy", 0.0) > 0.1:
        raise BadInput(f"step_accuracy: {positive['step_accuracy']!r} is not a relative error of 0.1 or less.")
    end = positive["time_constants"]
    if times.ndim != 1 or not (np.diff(times) > 0).all() or (len(times) and not 0 <= times[0] <= times[-1] <= end):
        raise BadInput(f"save: must be ascending times from 0 to {end:g} τ.")
    unknown = [node for node in only or () if node not in circuit.graph.blocks]
    if unknown:
        raise BadInput(f"only: {unknown[0]!r} is not a block of the circuit; there are: {', '.join(circuit.graph)}.")


def _starts(circuit: Circuit, start: Mapping[str, Array] | None, samples: int) -> dict[str, Array]:
    """Start of every state of the flow that was given one, shape (samples, size)."""
    starts = {}
    for name, values in (start or {}).items():
        if name not in circuit.flow.states:
            raise BadInput(f"start: {name!r} is not a state; there are: {', '.join(circuit.flow.states)}.")
        size = circuit.flow.states[name].size
        try:
            starts[name] = np.broadcast_to(real_array(values, f"start: {name!r}"), (samples, size))
        except ValueError:
            raise BadInput(
                f"start: {name!r} has shape {np.shape(values)}, but needs {(samples, size)} or {(size,)}."
            ) from None
        if not np.isfinite(starts[name]).all():
            raise BadInput(f"start: {name!r} has a value that is not finite.")
    return starts


def _initial(circuit: Circuit, field: VectorField, starts: Mapping[str, Array], rows: slice) -> Array:
    """State vectors of some samples, shape (samples, size); a pole starts at what its ideal block delivers there."""
    count, graph = rows.stop - rows.start, circuit.graph
    states = {label: np.tile(graph.integrator(node).initial, (count, 1)) for label, node in graph.states.items()}
    states |= in_graph_units(circuit, {name: values[rows] for name, values in starts.items()})
    poles = {node: label for node in graph if (label := pole_label(node)) in field.graph.states}
    if poles:
        ideal = VectorField(graph)
        signals = ideal.signals(ideal.pack(states))
        states |= {label: np.broadcast_to(signals[node], (count, graph.block(node).size)) for node, label in poles.items()}
    return field.pack(states)


def _samples_in(memory: float, field: VectorField, noise: Noise, time_constants: float, saved: int, *, stiff: bool) -> int:
    """How many samples fit: saved states and stages; in NumPy knots, and the matrices of a stiff step, too."""
    sources = len(field.streams)
    each = saved * (2 * field.width + sources) + 12 * field.size + 4 * field.width
    if compiled_program(field) is None:
        knots = len(noise.knot_times(time_constants)) * sources if sources else 0
        each += 3 * knots + (field.size * (3 * field.size + field.width) if stiff else 0)
    return max(1, int(memory // (8 * each)))


def _result(
    circuit: Circuit,
    field: VectorField,
    drive: Drive | None,
    walked: March,
    samples: NDArray[np.intp],
    times: Array,
    *,
    asked: EnsembleOptions,
    record: Mapping[str, Any],
) -> Run:
    final = in_flow_units(circuit, field.observables(walked.final, walked.final_noise))
    values: dict[str, Array] = {}
    if len(times) and field.shows_states_alone:
        values = {name: np.array(value) for name, value in field.observables(walked.states).items()}
    elif len(times):
        rows = [field.observables(walked.states[:, k], _noise_at(walked, drive, k, times)) for k in range(len(times))]
        values = {name: np.stack([row[name] for row in rows], axis=1) for name in rows[0]}
    values = in_flow_units(circuit, values) if values else {}
    outcomes = _outcomes_of(walked, stops=bool(asked.get("resting_speed")))
    record = {**record, "evaluator": walked.evaluator}
    return Run.of(Samples(samples, outcomes, walked.end, final, asked), times, values, record)
