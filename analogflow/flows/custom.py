"""Flows of the user's own equations, read from text: the expressions are evaluated on arrays or grow the block graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analogflow.checks import refuse_unknown
from analogflow.flows.flow import Flow, Jump
from analogflow.flows.invariants import Invariant, Simplex, Sphere, WeightedMean
from analogflow.graph import (
    Signal,
    SourceLine,
    clip,
    comparator,
    normalise,
    sign,
    softmax,
    switch,
    waveform,
    where,
    white_noise,
)
from analogflow.problems.equations import TIME, Equations
from analogflow.problems.expression import Expression
from analogflow.problems.inputs import PiecewiseLinear
from analogflow.problems.memory import DIRECTIONS

__all__ = ["FORMS", "custom", "played", "written"]

FORMS: tuple[str, ...] = ("written",)
"""Forms of the flow."""

_OPERATORS = {
    "softmax": softmax, "normalise": normalise, "comparator": comparator, "switch": switch, "sign": sign, "where": where,
    "clip": clip,
}  # fmt: skip
"""What an expression's functions mean on arrays and signals alike, where NumPy has no such function."""


def custom(problem: Equations, form: str = "written") -> Flow:
    """Flow of `problem`, as its equations are written.

    Every state, observable and conserved quantity can be read; noise, where the problem has any, is added to the rates.

    Raises
    ------
    BadInput
        There is no such form.
    """
    refuse_unknown(form, FORMS, "form", "a custom flow", there="there is only")
    names = [*problem.states, *problem.memory, *([TIME] if problem.timed else [])]

    def rates(*states: Any) -> tuple[Any, ...]:
        values = _quantities(problem, names, states)
        return (
            *(
                _noisy(problem, name, written(problem.equations[name], values, f"d{name}/dt"), state)
                for name, state in zip(problem.states, states, strict=False)
            ),
            *(written(each.signal, values, name) for name, each in problem.memory.items()),
            *((1.0,) if problem.timed else ()),
        )

    def read(expression: Expression) -> Callable[..., Any]:
        return lambda *states: written(expression, _quantities(problem, names, states), expression.where)

    shown = {**{name: "observables" for name in problem.observables}, **{name: "conserved" for name in problem.conserved}}
    return Flow(
        rates,
        {**problem.states, **problem.outputs, **({TIME: np.zeros(1)} if problem.timed else {})},
        keeps=tuple(_manifold(problem, name) for name in problem.manifolds),
        observables={name: _observable(problem, kind, name, names) for name, kind in shown.items()},
        answer=problem.answer,
        family=problem.name,
        form=form,
        equations="; ".join(f"d{name}/dt = {problem.equations[name]}" for name in problem.states),
        problem=problem,
        end_time=problem.time,
        path_matters=True,
        conserved=tuple(problem.conserved),
        clock=TIME if problem.timed else "",
        latches={name: (each.low, each.high) for name, each in problem.comparators.items()},
        delays={name: each.delay for name, each in problem.delays.items()},
        jumps=tuple(
            Jump(each.name, read(each.when), DIRECTIONS[each.direction], {k: read(e) for k, e in each.then.items()})
            for each in problem.events
        ),
    )


def written(expression: Expression, values: Mapping[str, Any], label: str) -> Any:
    """Value of `expression`; where `values` has signals, the blocks it places are said to come from ``label = text``."""
    signal = next((value for value in values.values() if isinstance(value, Signal)), None)
    if signal is None:
        return expression.evaluate(values, _OPERATORS)
    signal.builder.source = SourceLine(f"{label} = {expression}")
    try:
        return expression.evaluate(values, _OPERATORS)
    finally:
        signal.builder.source = None


def _observable(problem: Equations, kind: str, name: str, names: list[str]) -> Callable[..., Any]:
    def observable(*states: Any) -> Any:
        return written(getattr(problem, kind)[name], _quantities(problem, names, states), name)

    return observable


def _quantities(problem: Equations, names: list[str], states: tuple[Any, ...]) -> dict[str, Any]:
    values = {**problem.constants, **dict(zip(names, states, strict=True))}
    for name, given in problem.inputs.items():
        if isinstance(given, PiecewiseLinear):
            values[name] = played(given, values[TIME], name)
        else:
            values[name] = written(given, {**problem.constants, TIME: values[TIME]}, name)
    for name in problem.definitions:
        values[name] = written(problem.definitions[name], values, name)
    return values


def played(given: PiecewiseLinear, time: Any, name: str) -> Any:
    """Value of points at `time`; where that is a signal, the block is said to come from the input's name."""
    if not isinstance(time, Signal):
        return waveform(time, given.times, given.values, name)
    time.builder.source = SourceLine(f"{name}(t) = straight lines between {len(given.times)} points")
    try:
        return waveform(time, given.times, given.values, name)
    finally:
        time.builder.source = None


def _noisy(problem: Equations, name: str, rate: Any, state: Any) -> Any:
    density = problem.noise.get(name)
    return rate if density is None or not np.any(density) else rate + white_noise(state, density)


def _manifold(problem: Equations, name: str) -> Invariant:
    start = problem.states[name]
    match problem.manifolds[name]:
        case "simplex":
            return Simplex(name)
        case "sphere":
            return Sphere(name, start.shape[-1])
        case _:
            return WeightedMean(name, (1.0,) * start.size)
