"""The motion that the layouts of a flow are held against, and until when; of a chaotic flow, whatever end it was given."""

from __future__ import annotations

import dataclasses
import functools
from collections import abc

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.hardware.fitting.following import Growth, growth_of, horizon, turns, usual_motion
from analogflow.hardware.fitting.machine import in_legs
from analogflow.hardware.fitting.nominal import Nominal, nominal_path, nominal_run
from analogflow.hardware.fitting.taken import Taken, value_at

__all__ = ["EXACT", "POINTS", "Course", "chaotic_course", "course_of"]

Array = NDArray[np.float64]

POINTS = 801
"""Times at which the paths of a machine and its flow are compared."""

EXACT = 1e-9
"""Relative size of what the integration of exact equations perturbs them by."""


@dataclasses.dataclass(frozen=True, eq=False)
class Course:
    """What the layouts of a flow are held against.

    Parameters
    ----------
    graph, mended : BlockGraph
        As it was given, and stabilised.
    answer : str
    end : float
        τ.
    resting : bool
        Whether a flow without an end has come to rest by then; a flow that has one is taken to be asked for its motion.
    moving : bool
        Whether every point of the path counts.
    peaks : array, shape (size,)
        Largest |value| of each state, which it is integrated in units of.
    times : array
        τ at which is compared.
    expected : mapping of str to array, shape (points, size)
        Each compared quantity at `times`.
    sizes : mapping of str to float
        Its peak.
    growth : Growth, optional
        Of a chaotic flow.
    along : array, shape (points, integrators), optional
        Where the integrators go along the motion that `growth` was measured along, if that is one of the flow's own length:
        then signals are looked at along such a one.
    """

    graph: BlockGraph
    mended: BlockGraph
    answer: str
    end: float
    resting: bool
    moving: bool
    peaks: Array
    times: Array
    expected: abc.Mapping[str, Array]
    sizes: abc.Mapping[str, float]
    growth: Growth | None = None
    along: Array | None = None

    def until(self, end: float) -> Course:
        """The same, compared until then."""
        times = np.linspace(0.0, end, POINTS)
        states = nominal_path(self.graph, self.peaks, times)
        return dataclasses.replace(
            self, times=times, expected={name: value_at(self.graph, name, states) for name in self.expected}
        )


def course_of(flow: Flow, graph: BlockGraph, mended: BlockGraph, taken: Taken, run: Nominal) -> Course:
    """Course of `flow`, whose `graph` was stabilised and `taken` apart, until the end of its nominal `run`."""
    moving = flow.end_time is not None or (flow.path_matters and not run.resting)
    held = {state for state, _ in taken.couplings.places}
    compared = [flow.answer, *(state for state in flow.states if moving and state in held and state != flow.answer)]
    # What was taken apart has the same states unless some were lifted.
    peaks = run.peaks
    if list(taken.graph.states) != list(graph.states):
        peaks = nominal_run(graph, run.end, scale=flow.state_scale).peaks
    resting = flow.end_time is not None or run.resting
    empty = dict.fromkeys(compared, np.empty(0))
    course = Course(graph, mended, flow.answer, run.end, resting, moving, peaks, np.empty(0), empty, {}).until(run.end)
    sizes = {name: float(abs(values).max()) for name, values in course.expected.items()}
    return dataclasses.replace(course, sizes=sizes)


def chaotic_course(course: Course, taken: Taken, states: Array, tolerance: float) -> tuple[Course, Array] | None:
    """Course of a chaotic flow, and where its integrators go; None if it is not chaotic.

    Where the flow has a usual motion it is that one, whatever the end; else what it was, with `states`. It is compared
    until exact equations leave `tolerance`.
    """
    field, initial = functools.partial(VectorField(course.mended), 0.0), course.mended.initial()
    turned = turns(np.concatenate(list(course.expected.values()), axis=1))
    growth = usual_motion(field, initial, course.peaks, course.end, turned)
    if growth is None or (not growth.chaotic and growth.times[-1] < course.end):
        growth = growth_of(field, initial, course.peaks, course.times)
        return (dataclasses.replace(course, growth=growth), states) if growth.chaotic else None
    if not growth.chaotic:
        return None
    along = growth.states
    if list(taken.graph.states) != list(course.mended.states):
        lifted, peaks = VectorField(taken.graph), nominal_run(taken.graph, growth.times[-1]).peaks
        start = taken.graph.initial() / peaks
        along = peaks * in_legs(lambda y: lifted(0.0, y * peaks) / peaks, start, growth.times, far=1e6)
    along = along[:, taken.columns()]
    sizes = {name: float(abs(value_at(course.graph, name, growth.states)).max()) for name in course.expected}
    told = horizon(growth, EXACT, np.zeros_like(growth.times), tolerance)
    course = course.until(told) if told < course.end else course
    return dataclasses.replace(course, sizes=sizes, growth=growth, along=along), along
