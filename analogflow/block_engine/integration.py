"""Follows states through time: of many samples at once, each at its own pace, or of one by SciPy's method of order 8.

Of many, a sample that diverges is frozen, and the rest go on. Noise is Gaussian knots joined by straight lines.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine.compiled import compiled_program, marched
from analogflow.block_engine.drive import Drive
from analogflow.block_engine.methods import Method, Rows, Step, few_threads
from analogflow.block_engine.vector_field import VectorField
from analogflow.blocks import PADE
from analogflow.checks import refuse_no_length
from analogflow.errors import BadInput
from analogflow.graph import BlockGraph
from analogflow.rest import ORDINARY, rest_size, rested
from analogflow.run import Outcome, Run

__all__ = ["RUNAWAY", "ErrorLimits", "March", "integrate", "march"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

RUNAWAY = 1e6
"""Flow units at which a state counts as having run away."""

_SHORTEST_REST = 1e-3
"""τ: over a shorter step even a moving answer moves by no more than rounding, so that none is taken for rest."""

_SMALLEST, _LARGEST_CHANGE, _SAFETY = 0.2, 5.0, 0.9
_SHORTEST = 1e-13
_SHARPEST, _JITTER = 1e-12, 10.0
"""Relative error per step down to which a run is sharpened, and change over that error which may be nothing else."""

_PATIENCE = 16
"""Steps after which one of many samples that may tremble, and gets no slower, is sharpened."""

_LOOK = 2000
"""Steps between two looks at a run's progress."""

_LEAST_PROGRESS, _LEAST_SHARE, _KNOTS_SHARE = 0.02, 0.005, 0.1
"""Least progress between two looks: in τ, as a share of a run that is shorter than some τ, and in knots of the noise over
steps tried."""


def _least_progress(end: float, drive: Drive | None, breaks: Array) -> float:
    """How far a run to `end` must come between two looks, both in τ; one that does not stands still.

    At the zero of a divisor the field may press from both sides: steps do not shrink to nothing then, but so far that the
    run would not end. Where the knots of the noise, or of waveforms at `breaks`, are close, steps are as short for a good
    reason.
    """
    least = min(_LEAST_PROGRESS, _LEAST_SHARE * end)
    closest = min([np.inf if drive is None else drive.step, *np.diff(breaks, prepend=0.0)])
    return min(least, _KNOTS_SHARE * _LOOK * float(closest))


@dataclasses.dataclass(frozen=True)
class ErrorLimits:
    """Relative and absolute error allowed per step, and the change of the answer per τ at which a sample has settled.

    With a ``settled`` of 0 every sample runs to the end. What settles is measured by its ``size``, or if that is None
    by the largest value on the way (`rest_size`); a sample has run away where a state is beyond ``runaway``. Errors and
    ``runaway`` are in the units of the graph, of which a flow unit is ``unit``, all else in flow units. What trembles about
    its rest by the method's own error takes smaller errors there if it ``sharpens``.
    """

    relative: float = 1e-7
    absolute: float = 1e-10
    settled: float = 0.0
    size: float | None = 1.0
    runaway: float = RUNAWAY
    unit: float = 1.0
    sharpens: bool = True

    def rested(self, change: Any, length: Any, largest: Any) -> Any:
        """Whether what moved by `change` over a step of `length` τ, and was at most `largest` on the way, has settled."""
        slow = rested(change, length, largest, self.settled, size=self.size, unit=self.unit)
        return slow & (length >= _SHORTEST_REST)

    def measure(self, largest: Any) -> Any:
        """What the speed at rest is relative to, in the units of the graph."""
        return rest_size(largest / self.unit, self.size) * self.unit


@dataclasses.dataclass(frozen=True, eq=False)
class March:
    """What came of it.

    Parameters
    ----------
    states : array, shape (samples, saved times, size)
        States at the saved times; after a sample's end its last state is repeated.
    noise : array, shape (samples, saved times, sources), or None
        Noise there, where it was kept.
    final : array, shape (samples, size)
    final_noise : array, shape (samples, sources), or None
        Noise at each sample's end.
    end : array, shape (samples,)
        Time reached, in τ.
    settled, failed, stuck : array of bool, shape (samples,)
        Came to rest; ran away; steps shrank to nothing.
    steps : int
        Evaluated steps, rejected ones included.
    evaluator : {"compiled", "numpy"}
    """

    states: Array
    noise: Array | None
    final: Array
    final_noise: Array | None
    end: Array
    settled: Flags
    failed: Flags
    stuck: Flags
    steps: int
    evaluator: str = "numpy"

    def __post_init__(self) -> None:
        for array in (self.states, self.final, self.end):
            array.setflags(write=False)


def march(
    field: VectorField,
    start: Array,
    save: Array,
    end: float,
    method: Method,
    *,
    drive: Drive | None = None,
    rests: Sequence[str] = (),
    tolerances: ErrorLimits = ErrorLimits(),
    on_progress: Callable[[float], None] | None = None,
) -> March:
    """Integrate `field` from `start`, shape (samples, size), to time `end`.

    Parameters
    ----------
    field : VectorField
    start : array, shape (samples, size)
    save : array, shape (k,)
        Ascending times, in τ, at which states are kept.
    end : float
        In τ.
    method : Method
    drive : Drive, optional
        Noise; steps then end at its knots.
    rests : sequence of str
        States and observables that have to settle; the first state if none is named.
    tolerances : ErrorLimits
    on_progress : callable, optional
        Called with the least time reached, in τ.
    """
    _refuse_delays(field)
    named = {**field.graph.states, **field.graph.observables}
    resting = [named[name] for name in rests or [next(iter(named))]]
    if (program := compiled_program(field)) is not None:
        found = marched(
            program, start, save, end, method, drive=drive, resting=resting, limits=tolerances, on_progress=on_progress,
            low=ORDINARY[0], high=ORDINARY[1], shortest_rest=_SHORTEST_REST,
            least_progress=_least_progress(end, drive, field.breaks),
            sharpest=_SHARPEST, jitter=_JITTER, patience=_PATIENCE, safety=_SAFETY, least_growth=_SMALLEST,
            most_growth=_LARGEST_CHANGE, shortest=_SHORTEST, look=_LOOK,
        )  # fmt: skip
        noise, last = (None, None) if drive is None else (found.noise, found.final_noise)
        settled, failed, stuck = (found.outcome == kind for kind in (1, 2, 3))
        return March(found.states, noise, found.final, last, found.end, settled, failed, stuck, found.steps, "compiled")
    with np.errstate(all="ignore"), few_threads(field.size):
        walk = _Walk(field, start, save, end, method, drive, resting, tolerances)
        while walk.active.any():
            walk.step()
            if on_progress is not None:
                on_progress(float(walk.time[walk.active].min(initial=end)))
        return walk.result()


class _Walk:
    """Samples under way."""

    def __init__(
        self,
        field: VectorField,
        start: Array,
        save: Array,
        end: float,
        method: Method,
        drive: Drive | None,
        resting: Sequence[str],
        tolerances: ErrorLimits,
    ) -> None:
        samples = len(start)
        self.field, self.method, self.drive, self.tolerances = field, method, drive, tolerances
        self.save, self.end, self.breaks = save, end, np.append(field.breaks, np.inf)
        # Many samples of few states lie in memory state by state: what is done to a whole column is done in one go.
        self.y = np.array(start, dtype=float, order="F" if samples > field.size else "C")
        self.time = np.zeros(samples)
        self.segment = np.zeros(samples, dtype=np.intp)
        self.active = np.ones(samples, dtype=bool)
        self.settled, self.failed, self.stuck = (np.zeros(samples, dtype=bool) for _ in range(3))
        self.states = np.empty((samples, len(save), field.size))
        self.saved = np.zeros(samples, dtype=np.intp)
        self.steps = 0
        self.looked = self.time
        self.resting = resting
        self.rate = field(0.0, self.y, self._noise(0.0, np.zeros(samples)))
        self.watched = self._watch() if tolerances.settled else np.zeros((samples, 1))
        self.largest = abs(self.watched).max(axis=-1)
        self.sharpness, self.slowest, self.waited = np.ones(samples), np.full(samples, np.inf), np.zeros(samples)
        self.h = self._first_step()
        self._keep(self.time, lambda rows, theta: self.y[rows], self.y, np.ones(samples, dtype=bool))

    def step(self) -> None:
        """Try one step of every sample that is under way."""
        limit = np.full(len(self.y), self.end)
        if self.drive is not None:
            knot = np.minimum((self.segment + 1) * self.drive.step, self.end)
            limit = np.where(self.segment < self.drive.last_segment, knot, self.end)
        limit = np.minimum(limit, self.breaks[np.searchsorted(self.breaks, self.time, side="right")])
        # A step that would leave a crumb before the limit is stretched to it.
        reaches = self.time + 1.01 * self.h >= limit
        h = np.where(self.active, np.where(reaches, limit - self.time, self.h), 0.0)
        start_noise, change = self._segment_noise()

        slope = None if change is None or self.drive is None else change * (h / self.drive.step)[:, None]
        before = None if start_noise is None or change is None else start_noise + self._position(0.0)[:, None] * change

        def waveform(fraction: float) -> Array | None:
            return None if before is None or slope is None else before + fraction * slope

        moved = self.method(self.field, self.y, self.rate, h[:, None], waveform, slope)
        self.steps += 1
        error = self._error(moved.end, moved.error)
        accepted = self.active & (error <= 1)
        growth = np.clip(_SAFETY * np.maximum(error, 1e-12) ** (-1 / self.method.order), _SMALLEST, _LARGEST_CHANGE)
        growth = np.where(np.isfinite(growth), growth, _SMALLEST)
        # A step cut short by a limit says little about the step that the error would allow.
        self.h = np.where(self.active, np.where(accepted & reaches, np.maximum(self.h, h * growth), h * growth), self.h)
        self._advance(moved, h, accepted, accepted & reaches, limit)
        stuck = self.active & ~accepted & (self.h < _SHORTEST * np.maximum(1.0, self.time))
        if self.steps % _LOOK == 0:
            stuck |= self.active & (self.time - self.looked < _least_progress(self.end, self.drive, self.field.breaks))
            self.looked = self.time
        self.stuck = self.stuck | stuck
        self.active = self.active & ~stuck

    def result(self) -> March:
        """Everything, with the last state of each sample at the times it did not reach."""
        unreached = np.arange(len(self.save)) >= self.saved[:, None]
        states = np.where(unreached[:, :, None], self.y[:, None, :], self.states)
        noise = self._noise(0.0, np.zeros(len(self.y)))
        return March(states, None, self.y, noise, self.time, self.settled, self.failed, self.stuck, self.steps)

    def _advance(self, moved: Step, h: Array, accepted: Flags, on_limit: Flags, limit: Array) -> None:
        before = self.time
        arrived = np.where(on_limit, limit, before + h)
        wild = accepted & ~_all(abs(moved.end) < self.tolerances.runaway)
        good = accepted & ~wild
        self._keep(np.where(good, arrived, before), moved.inside, moved.end, good)
        if good.all():
            self.y, self.rate = moved.end, moved.rate
        else:
            self.y = np.where(good[:, None], moved.end, self.y)
            self.rate = np.where(good[:, None], moved.rate, self.rate)
        self.time = np.where(good, arrived, before)
        if self.drive is not None:
            passed = good & on_limit & (self.time < self.end) & (self.time >= (self.segment + 1) * self.drive.step)
            self.segment = np.minimum(self.segment + passed, self.drive.last_segment)
        self._stop(wild, failed=True)
        if self.tolerances.settled:
            watched = self._watch()
            change = abs(watched - self.watched).max(axis=-1)
            self.watched, self.largest = watched, np.maximum(self.largest, abs(watched).max(axis=-1))
            self._stop(good & self.tolerances.rested(change, h, self.largest) & self.active, settled=True)
            if self.tolerances.sharpens:
                self._sharpen(good & self.active, change, h)
        self._stop(self.active & (self.time >= self.end))

    def _sharpen(self, good: Flags, change: Array, h: Array) -> None:
        """Sharpen the steps of samples that tremble by more than their rest allows, or that have got no slower for long.

        Most come to rest without. To sharpen all would cost creeping ones three times their steps.
        """
        trembles = good & _trembles(change, self.sharpness * self.tolerances.relative, abs(self.y).max(axis=-1))
        speed = change / np.where(good, h, 1.0)
        self.waited = np.where(good, np.where(trembles & (speed >= self.slowest), self.waited + 1, 0), self.waited)
        self.slowest = np.where(good, np.minimum(self.slowest, speed), self.slowest)
        large = self.sharpness * self.largest > self.tolerances.measure(self.largest)
        sharper = trembles & (large | (self.waited >= _PATIENCE))
        if sharper.any():
            self.sharpness, self.waited = np.where(sharper, 0.1 * self.sharpness, self.sharpness), self.waited * ~sharper

    def _keep(self, reached: Array, inside: Callable[[Rows, Array], Array], end: Array, good: Flags) -> None:
        """Save the path at every saved time that the step of the good samples covers, which ends in `end`."""
        if not len(self.save):
            return
        upto = np.searchsorted(self.save, reached, side="right")
        counts = np.where(good, np.maximum(upto - self.saved, 0), 0)
        total = int(counts.sum())
        if not total:
            return
        rows = np.repeat(np.arange(len(counts)), counts)
        which = self.saved[rows] + np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        length = reached[rows] - self.time[rows]
        theta = (self.save[which] - self.time[rows]) / np.where(length > 0, length, 1.0)
        # The interpolant meets a step's end but for rounding, which differs from processor to processor.
        ends = (self.save[which] == reached[rows])[:, None]
        self.states[rows, which] = np.where(ends, end[rows], inside(rows, theta))
        self.saved = self.saved + counts

    def _stop(self, which: Flags, *, failed: bool = False, settled: bool = False) -> None:
        self.active = self.active & ~which
        self.failed = self.failed | (which if failed else False)
        self.settled = self.settled | (which if settled else False)

    def _error(self, end: Array, error: Array) -> Array:
        scale = self.tolerances.absolute + self.tolerances.relative * np.maximum(abs(self.y), abs(end))
        if self.tolerances.settled:
            scale = self.sharpness[:, None] * scale
        # Over so short an axis a product is several times faster than a mean.
        size = np.sqrt((error / scale) ** 2 @ np.full(self.field.size, 1 / self.field.size))
        return np.where(np.isfinite(size) & _all(np.isfinite(end)), size, np.inf)

    def _first_step(self) -> Array:
        """A hundredth of the time in which the state would change by its own size."""
        scale = self.tolerances.absolute + abs(self.y)
        speed = np.max(abs(self.rate) / (1e-3 + scale), axis=-1)
        return np.minimum(0.01 / np.maximum(speed, 1e-6), 0.1)

    def _segment_noise(self) -> tuple[Array | None, Array | None]:
        return (None, None) if self.drive is None else self.drive.segment(self.segment)

    def _position(self, ahead: Array | float) -> Array:
        """Where in its segment each sample is, `ahead` of its time, from 0 to 1."""
        assert self.drive is not None
        return (self.time + ahead) / self.drive.step - self.segment

    def _noise(self, fraction: float, h: Array) -> Array | None:
        start, change = self._segment_noise()
        return None if start is None or change is None else start + self._position(fraction * h)[:, None] * change

    def _watch(self) -> Array:
        """What has to settle, of each sample, shape (samples, size of it)."""
        values = self.field.signals(self.y, self._noise(0.0, np.zeros(len(self.y))))
        return np.concatenate(
            [np.broadcast_to(values[node], (len(self.y), values[node].shape[-1])) for node in self.resting], axis=-1
        )


def _trembles(change: Any, relative: Any, largest: Any) -> Any:
    """Whether what still moves may be the method's own error, of states of at most `largest`: such would tremble for ever.

    A step is sharpened then, for it is no longer seen whether anything else moves.
    """
    return (change <= _JITTER * relative * largest) & (relative > _SHARPEST)


def _all(flags: Flags) -> Flags:
    """Whether all flags of each sample are set; that they are in every sample is the usual case, and soon seen."""
    return np.ones(len(flags), dtype=bool) if flags.all() else np.asarray(flags.all(axis=-1))


def integrate(
    graph: BlockGraph,
    time_constants: float,
    *,
    rests: Sequence[str] = (),
    tolerances: ErrorLimits = ErrorLimits(1e-9, 1e-12),
    within: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Run:
    """Follow the graph's states from their start.

    Parameters
    ----------
    graph : BlockGraph
    time_constants : float
        End time in units of τ; the run stops before if it settles.
    rests : sequence of str
        States and observables that have to settle; the first state if none is named.
    tolerances : ErrorLimits
    within : int, optional
        Points of the path that are kept inside each step, beside its end: steps of order 8 are so long that a spline through
        their ends alone is 1e-3 off.
    on_progress : callable, optional
        Called with the time reached, in τ.

    Raises
    ------
    BadInput
        The end time is not a positive number.
    """
    refuse_no_length(time_constants=time_constants)
    field = VectorField(graph)
    _refuse_delays(field)
    rests = rests or [next(iter(graph.states))]
    settled = tolerances.settled
    outcome, detail = (Outcome.NOT_SETTLED if settled else Outcome.COMPLETED), ""
    with few_threads(field.size), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        stops = [*field.breaks[field.breaks < time_constants].tolist(), time_constants]
        begun = scipy.integrate.DOP853
        solver = begun(field, 0.0, graph.initial(), stops.pop(0), rtol=tolerances.relative, atol=tolerances.absolute)
        times, states, steps, looked, halts = [0.0], [solver.y.copy()], 0, 0.0, False
        watched = _joint(field, solver.y, rests)
        largest = float(abs(watched).max())
        while solver.status == "running":
            solver.step()
            if not abs(solver.y).max() < tolerances.runaway:
                outcome = Outcome.BLEW_UP
                detail = f"{_largest(graph, solver.y)} ran away at t = {solver.t:.4g} τ."
                break
            steps += 1
            if steps % _LOOK == 0:
                halts, looked = solver.t - looked < _least_progress(time_constants, None, field.breaks), solver.t
            if solver.status == "failed" or halts:  # it fails where its step is shorter than the spacing of numbers
                outcome, detail = Outcome.STUCK, f"That was at t = {solver.t:.4g} τ."
                break
            before = times[-1]
            if within and solver.t > before:
                inside = before + (solver.t - before) * np.arange(1, within + 1) / (within + 1)
                times += inside.tolist()
                states += list(solver.dense_output()(inside).T)
            times.append(solver.t)
            states.append(solver.y.copy())
            moved, watched = watched, _joint(field, solver.y, rests)
            length, change = solver.t - before, float(abs(watched - moved).max())
            largest = max(largest, float(abs(watched).max()))
            if settled and tolerances.rested(change, length, largest):
                outcome = Outcome.SETTLED
                break
            if settled and tolerances.sharpens and _trembles(change, solver.rtol, abs(solver.y).max()):
                solver.rtol, solver.atol = 0.1 * solver.rtol, 0.1 * solver.atol
            if on_progress is not None:
                on_progress(solver.t)
            if solver.status == "finished" and stops:
                solver = begun(field, solver.t, solver.y, stops.pop(0), rtol=solver.rtol, atol=solver.atol)
        values = field.observables(np.array(states))
    return Run(np.array(times), {name: np.array(value) for name, value in values.items()}, outcome, detail)


def _refuse_delays(field: VectorField) -> None:
    if field.delays:
        raise BadInput(
            f"what is delayed, as {field.delays[0][2].label!r}, can not be marched with others, by noise or to its rest: "
            f"only one run alone, to its end, knows its past. Write {PADE}."
        )


def _joint(field: VectorField, y: np.ndarray, names: Sequence[str]) -> np.ndarray:
    values = field.observables(y)
    return np.concatenate([values[name] for name in names])


def _largest(graph: BlockGraph, y: np.ndarray) -> str:
    names = [f"{label}[{k}]" for label, node in graph.states.items() for k in range(graph.block(node).size)]
    return names[int(np.argmax(np.where(np.isfinite(y), abs(y), np.inf)))]
