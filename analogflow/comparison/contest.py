"""The verb `compare`: one problem, given to every circuit and every digital solver of its family."""

from __future__ import annotations

import dataclasses
import math
import os
import platform
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analogflow.circuit.parts import PartSet
from analogflow.comparison.analog import forms_of, run_circuit
from analogflow.comparison.contender import Contender
from analogflow.comparison.digital import run_solver
from analogflow.comparison.energy import Prices, prices
from analogflow.comparison.judge import judge_of
from analogflow.comparison.result import Comparison
from analogflow.comparison.solvers import SOLVERS
from analogflow.errors import BadInput
from analogflow.solution import family_of

__all__ = ["compare", "contenders_of"]

_FINEST = 1e-9
"""Error down to which digital solvers are followed where less is asked for."""


def contenders_of(family: str) -> list[str]:
    """Names of all contenders for the problems of a family: circuits, then digital solvers.

    Raises
    ------
    BadInput
        There are none for that family.
    """
    if family not in SOLVERS:
        raise BadInput(f"compare: there are no digital contenders for {family!r}; known are: {', '.join(SOLVERS)}.")
    return [*forms_of(family), *(solver.name for solver in SOLVERS[family])]


def compare(
    problem: Any,
    *,
    accuracy: float | None = None,
    only: Sequence[str] = (),
    seconds: float = 3.0,
    finest: float | None = None,
    energy: Prices | str | Path | None = None,
    noise: float | str | None = None,
    seed: int = 0,
    parts: PartSet | str = "precision",
    temperature: float = 27.0,
    source: str = "PROBLEM",
    on_progress: Callable[[float], None] | None = None,
) -> Comparison:
    """Solve `problem` by every circuit and every digital solver, and compare them at one delivered accuracy.

    Parameters
    ----------
    problem : Channel, RateDistortion, Transport, Attention, Hopfield, Langevin
    accuracy : float, optional
        Error to compare at, in the unit of the problem's judge; its usual one if not given.
    only : sequence of str
        Names of contenders; all if empty.
    seconds : float
        Time for each digital solver, all its settings together.
    finest : float, optional
        Error down to which digital solvers are followed; 1e-9, or `accuracy` if that is less, if not given.
    energy : Prices or path, optional
        What operations, a processor and a chip need.
    noise : float or str, optional
        White noise at every integrator of the circuits, as `solve` takes it.
    seed : int
        Of that noise, and of samplers.
    parts, temperature
        Of circuits of parts, as `solve` takes them.
    source : str
        Path of the problem's file, for the command that repeats a row.
    on_progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    Comparison
        Every error in it was computed from a contender's answer; none is what a solver said of itself.

    Raises
    ------
    BadInput
        An argument is out of range, a name is not known, or there are no contenders for such problems.
    """
    family = family_of(problem)
    judge = judge_of(problem)
    accuracy = _positive("accuracy", judge.usual if accuracy is None else accuracy)
    finest = min(_positive("finest", _FINEST if finest is None else finest), accuracy)
    seconds = _positive("seconds", seconds)
    known = contenders_of(family)
    unknown = [name for name in only if name not in known]
    if unknown:
        raise BadInput(f"only: {unknown[0]!r} is no contender for {family}; known are: {', '.join(known)}.")
    table = energy if isinstance(energy, Prices) else prices(energy)
    named = [name for name in known if not only or name in only]
    solvers = {solver.name: solver for solver in SOLVERS[family]}
    rows: list[Contender] = []
    for k, name in enumerate(named):
        if name in solvers:
            row = run_solver(
                solvers[name], problem, judge, accuracy=accuracy, finest=finest, seconds=seconds, prices=table, seed=seed
            )
        else:
            row = run_circuit(
                name, problem, judge, accuracy=accuracy, prices=table, noise=noise, seed=seed, parts=parts,
                temperature=temperature,
            )  # fmt: skip
        command = _command(family, source, accuracy, name, energy, noise, seed, parts, temperature, seconds)
        rows.append(_with_command(row, command))
        if on_progress is not None:
            on_progress((k + 1) / len(named))
    return Comparison(
        family, repr(problem), accuracy, judge.bits(accuracy), judge.measure, judge.unit, tuple(rows), table, _machine()
    )


def _with_command(row: Contender, command: str) -> Contender:
    return dataclasses.replace(row, command=command)


def _command(
    family: str, source: str, accuracy: float, name: str, energy: Any, noise: Any, seed: int, parts: Any, temperature: float,
    seconds: float,
) -> str:  # fmt: skip
    """The one command that repeats a row; what is as usual is left out."""
    words = ["analogflow", "compare", family, source, "--accuracy", f"{accuracy:g}", "--only", name]
    given = (
        ("--energy", energy if isinstance(energy, str | Path) else None),
        ("--noise", noise),
        ("--seed", seed or None),
        ("--parts", parts if isinstance(parts, str) and parts != "precision" else None),
        ("--temperature", None if temperature == 27.0 else f"{temperature:g}"),
        ("--seconds", None if seconds == 3.0 else f"{seconds:g}"),
    )
    for option, value in given:
        words += [] if value is None else [option, str(value)]
    return shlex.join(words)


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise BadInput(f"{name} is {value!r}; give a positive number.")
    return float(value)


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
