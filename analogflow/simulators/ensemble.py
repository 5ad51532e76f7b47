"""Runs many samples of a circuit at once in the block engine: each with noise and deviations of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import IMPLICIT, Drive, March, VectorField, march, method_for
from analogflow.blocks import Imperfections
from analogflow.checks import is_positive, is_whole, real_array
from analogflow.circuit import Circuit
from analogflow.compiler import imperfect_graph
from analogflow.errors import BadInput
from analogflow.noise import LARGEST_SAMPLE, Noise, check_sample
from analogflow.passes import pole_label
from analogflow.run import Run, Samples, joined
from analogflow.simulators.block import in_flow_units, outcomes_of, tolerances_of

__all__ = ["MEMORY", "EnsembleOptions", "ensemble", "ensemble_chunks"]

Array = NDArray[np.float64]

MEMORY = 2.0**29
"""Bytes that the samples under way may take together unless another number is given."""


class EnsembleOptions(TypedDict, total=False):
    """Options of `ensemble_chunks`, where another verb passes them on; that alone knows what they are if not given."""

    time_constants: float
    imperfections: Imperfections | None
    noise: Noise | None
    start: Mapping[str, Array] | None
    save: Sequence[float] | Array
    resting_speed: float
    step_accuracy: float
    memory: float
    only: Collection[str] | None
    on_progress: Callable[[float], None] | None


def ensemble(circuit: Circuit, samples: int | Sequence[int], **options: Unpack[EnsembleOptions]) -> Run:
    """All samples of an ensemble at once; options and exceptions are those of `ensemble_chunks`."""
    return joined(list(ensemble_chunks(circuit, samples, **options)))


def ensemble_chunks(
    circuit: Circuit,
    samples: int | Sequence[int],
    *,
    time_constants: float = 60.0,
    imperfections: Imperfections | None = None,
    noise: Noise | None = None,
    start: Mapping[str, Array] | None = None,
    save: Sequence[float] | Array = (),
    resting_speed: float = 0.0,
    step_accuracy: float = 1e-7,
    memory: float = MEMORY,
    only: Collection[str] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Run]:
    """Chunks of an ensemble, one after another, for studies larger than memory.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it.
    samples : int or sequence of int
        How many, or which.
    time_constants : float
        End of the run in τ.
    imperfections, noise : optional
        As for `degrade`; the seed is the noise's.
    start : mapping of state to array, shape (samples, size) or (size,), optional
        Where each sample starts; the flow's own start if not given.
    save : array, shape (k,)
        Ascending times, in τ, at which signals are kept; the ends always are.
    resting_speed : float
        A sample ends when its answer moves by less than this per τ; 0 runs all to the end. It needs a run without noise.
    step_accuracy : float
        Error allowed per step, relative, and a hundredth of it absolute.
    memory : float
        Bytes that a chunk may take while it is computed; one sample is always run.
    only : collection of node names, optional
        Blocks that are imperfect; all if not given.
    on_progress : callable, optional
        Called with the fraction done.

    Raises
    ------
    BadInput
        An argument is out of range, or the circuit is imperfect already.

    Notes
    -----
    Explicit or linearly implicit steps: the first sample decides for all, so that a sample run alone takes the same steps.
    """
    numbers = _numbers(samples)
    times = real_array(save, "save")
    noise, imperfections = noise or Noise(0.0), imperfections or Imperfections()
    _check(circuit, times, only, time_constants=time_constants, step_accuracy=step_accuracy, memory=memory)
    if not 0 <= resting_speed < np.inf:
        raise BadInput(f"resting_speed: {resting_speed!r} is not a speed of 0 flow units per τ or more.")
    starts = _starts(circuit, start, len(numbers))
    probe = VectorField(imperfect_graph(circuit, imperfections, noise, numbers[:1], only))
    if resting_speed and len(probe.streams):
        raise BadInput("resting_speed: a run with noise never comes to rest; leave it at 0 and give time_constants.")
    method = method_for(probe, _initial(circuit, probe, starts, slice(0, 1)), noise.step if len(probe.streams) else np.inf)
    size = _samples_in(memory, probe, noise, time_constants, len(times), stiff=method is IMPLICIT)
    asked: EnsembleOptions = {
        "time_constants": time_constants, "imperfections": imperfections, "noise": noise, "resting_speed": resting_speed,
        "step_accuracy": step_accuracy, "memory": memory, "only": only,
    }  # fmt: skip
    record = {"seed": noise.seed, "noise": noise.sigma, "noise_step": noise.step, "imperfections": str(imperfections)}
    for first in range(0, len(numbers), size):
        some = numbers[first : first + size]
        field = VectorField(imperfect_graph(circuit, imperfections, noise, some, only))
        drive = Drive(field, noise, some, time_constants) if len(field.streams) else None

        def progress(reached: float, done: int = first, part: int = len(some)) -> None:
            if on_progress is not None:
                on_progress((done + part * reached / time_constants) / len(numbers))

        walked = march(
            field, _initial(circuit, field, starts, slice(first, first + len(some))), times, time_constants, method,
            drive=drive, rests=circuit.flow.rests,
            tolerances=tolerances_of(circuit, step_accuracy, resting_speed), on_progress=progress,
        )  # fmt: skip
        yield _result(circuit, field, drive, walked, np.array(some), times, asked=asked, record=record)


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


def _check(circuit: Circuit, times: Array, only: Collection[str] | None, **positive: float) -> None:
    if not circuit.ideal:
        raise BadInput("the circuit is imperfect already; an ensemble starts from what compile returned.")
    for name, value in positive.items():
        if not is_positive(value):
            raise BadInput(f"{name}: {value!r} is not a positive number.")
    if positive["step_accuracy"] > 0.1:
        raise BadInput(f"step_accuracy: {positive['step_accuracy']!r} is not a relative error of 0.1 or less.")
    end = positive["time_constants"]
    if times.ndim != 1 or not (np.diff(times) > 0).all() or (len(times) and not 0 <= times[0] <= times[-1] <= end):
        raise BadInput(f"save: must be ascending times from 0 to {end:g} τ.")
    unknown = [node for node in only or () if node not in circuit.graph.network]
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
    count = rows.stop - rows.start
    ideal = VectorField(circuit.graph)
    states = {label: np.tile(part, (count, 1)) for label, part in ideal.unpack(circuit.graph.initial()).items()}
    states |= {name: values[rows] * circuit.scales.get(name, 1.0) for name, values in starts.items()}
    signals = ideal.signals(ideal.pack(states))
    for node in circuit.graph:
        if (label := pole_label(node)) in field.graph.states:
            size = circuit.graph.block(node).size
            states[label] = np.broadcast_to(signals[node], (count, size))
    return field.pack(states)


def _samples_in(memory: float, field: VectorField, noise: Noise, time_constants: float, saved: int, *, stiff: bool) -> int:
    """How many samples fit: their knots, saved states, stages, and the matrices that a stiff step would need."""
    knots = len(noise.knot_times(time_constants)) * len(field.streams) if len(field.streams) else 0
    matrices = field.size * (3 * field.size + field.width) if stiff else 0
    each = 8 * (3 * knots + 2 * saved * field.width + 12 * field.size + 4 * field.width + matrices)
    return max(1, int(memory // each))


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
    rows = [field.observables(walked.states[:, k], drive.at(time) if drive else None) for k, time in enumerate(times)]
    final = in_flow_units(circuit, field.observables(walked.final, walked.final_noise))
    values = {name: np.stack([row[name] for row in rows], axis=1) for name in rows[0]} if rows else {}
    values = in_flow_units(circuit, values) if values else {}
    outcomes = outcomes_of(walked, stops=bool(asked.get("resting_speed")))
    return Run.of(Samples(samples, outcomes, walked.end, final, asked), times, values, record)
