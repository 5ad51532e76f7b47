"""The verb `compare`: one problem, given to every circuit and every digital solver of its family."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

from analogflow.blocks import Imperfections
from analogflow.checks import near_names, positive
from analogflow.circuit.build import celsius_of, kelvin_of
from analogflow.comparison.contender import Contender
from analogflow.comparison.energy import Prices, prices
from analogflow.comparison.judge import judge_of
from analogflow.comparison.refining import circuit_of_refined, refined_name, run_refined
from analogflow.comparison.result import Comparison
from analogflow.comparison.solvers import Solver, solvers_of
from analogflow.comparison.trials import SECONDS, forms_of, is_of_parts, run_circuit, run_solver
from analogflow.compiler import CircuitOptions, split_options
from analogflow.errors import BadInput
from analogflow.families import FAMILIES, as_problem, family_of
from analogflow.noise import Noise
from analogflow.technology import DEFAULT_PARTS, part_set

__all__ = ["compare", "contenders_of"]

_FINEST = 1e-9
"""Error down to which digital solvers are followed where less is asked for."""

_OWN = ("technology", "stabilise", "scaled", "delay_fraction")
"""Options of circuits that the contenders differ in."""


def contenders_of(family: str) -> list[str]:
    """Names of all contenders for the problems of a family: circuits, then digital solvers.

    Raises
    ------
    BadInput
        There are none for that family.
    """
    if family not in FAMILIES or FAMILIES[family].contest is None:
        known = ", ".join(name for name, one in FAMILIES.items() if one.contest is not None)
        raise BadInput(f"compare: there are no digital contenders for {family!r}; known are: {known}.")
    corrected = [name for form in forms_of(family) if is_of_parts(form) and (name := refined_name(form, family))]
    return [*forms_of(family), *corrected, *(solver.name for solver in solvers_of(family))]


def compare(
    problem: Any,
    *,
    accuracy: float | None = None,
    only: Sequence[str] = (),
    seconds: float = SECONDS,
    energy: Prices | str | Path | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Unpack[CircuitOptions],
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
    energy : Prices or path, optional
        What operations, a processor and a chip need.
    on_progress : callable, optional
        Called with the fraction done.
    noise, imperfections
        What is wrong with the circuits, as `solve` takes it.
    seed : int
        Of noise and deviations, and of samplers; 0 if not given.
    parts, temperature_celsius
        Of circuits of parts, as `solve` takes them.

    Returns
    -------
    Comparison
        Every error in it was computed from a contender's answer; none is what a solver said of itself.

    Raises
    ------
    BadInput
        An argument is out of range, a name is not known, there are no contenders for such problems, or what is wrong with
        circuits is said and no circuit takes part.
    """
    build, conditions = split_options("compare", options)
    if foreign := [name for name in options if name in _OWN]:
        raise BadInput(f"{foreign[0]}: a comparison has circuits of its own; leave it out, and name some with only.")
    problem = as_problem(problem)
    family = family_of(problem).name
    judge = judge_of(problem)
    accuracy = judge.contest.usual if accuracy is None else accuracy
    accuracy = positive(accuracy, f"accuracy is {accuracy!r}; give a positive number")
    finest = min(_FINEST, accuracy)
    seconds = positive(seconds, f"seconds is {seconds!r}; give a positive number")
    known = contenders_of(family)
    unknown = [name for name in only if name not in known]
    if unknown:
        near = near_names(unknown[0], known)[0]
        raise BadInput(
            f"only: {unknown[0]!r} is no contender for {family}; the nearest is {near!r}, known are: {', '.join(known)}."
        )
    flaws = _flaws(conditions.get("noise"), conditions.get("imperfections"))
    if flaws and only and all(name in {solver.name for solver in solvers_of(family)} for name in only):
        raise BadInput(f"only: no circuit takes part, so {flaws} would change nothing; leave that out, or name a circuit.")
    parts, temperature_celsius = build.get("parts"), build.get("temperature_celsius")
    said = [name for name, value in (("parts", parts), ("temperature_celsius", temperature_celsius)) if value is not None]
    if said and only and not any(is_of_parts(name) for name in only):
        raise BadInput(
            f"only: no circuit of parts takes part, so {' and '.join(said)} would change nothing; "
            "leave that out, or name one."
        )
    degrees = celsius_of(kelvin_of(temperature_celsius))
    table = energy if isinstance(energy, Prices) else prices(energy)
    named = [name for name in known if not only or name in only]
    stated = [flaws or "no noise, no deviations"]
    if any(is_of_parts(name) for name in named):
        stated.append(f"parts of the set {part_set(parts or DEFAULT_PARTS).name}, {degrees:g} °C")
    solvers = {solver.name: solver for solver in solvers_of(family)}
    rows: list[Contender] = []
    read: dict[str, tuple[Contender, dict[float, Any]]] = {}

    def circuit_row(name: str) -> Contender:
        """Row of a circuit, and what it shows along its path for whoever corrects that."""
        answers: dict[float, Any] = {}
        row = run_circuit(
            name, problem, judge, accuracy=accuracy, prices=table, answers=answers, parts=parts,
            temperature_celsius=temperature_celsius, **conditions,
        )  # fmt: skip
        read[name] = row, answers
        return row

    for k, name in enumerate(named):
        try:
            if name in solvers:
                row = run_solver(
                    solvers[name],
                    problem,
                    judge,
                    accuracy=accuracy,
                    finest=finest,
                    seconds=seconds,
                    prices=table,
                    seed=conditions.get("seed") or 0,
                )
            elif circuit := circuit_of_refined(name):
                if circuit not in read:
                    circuit_row(circuit)
                row = run_refined(name, family, problem, judge, *read[circuit], accuracy=accuracy, prices=table)
            else:
                row = circuit_row(name)
        except Exception as fault:  # noqa: BLE001 - whatever befalls one contender, the other rows stand
            row = _broken(name, solvers.get(name), fault)
        rows.append(row)
        if on_progress is not None:
            on_progress((k + 1) / len(named))
    return Comparison(
        family, repr(problem), accuracy, judge.bits(accuracy), judge.contest.measure, judge.contest.unit,
        tuple(rows), table, _machine(), "; ".join(stated),
    )  # fmt: skip


def _broken(name: str, solver: Solver | None, fault: Exception) -> Contender:
    """Row of a contender that broke down."""
    why = f"it broke down, which is a fault of this program: {type(fault).__name__}: {fault}"
    kind, method = ("mixed" if circuit_of_refined(name) else "analog", "") if solver is None else ("digital", solver.method)
    return Contender(name, kind, method, math.inf, 0.0, note=why)


def _flaws(noise: Any, imperfections: Imperfections | None) -> str:
    """What is wrong with circuits, in words; raises if a noise is none."""
    said = []
    if noise is not None:
        (Noise.from_text(noise, unit=1.0, time_constant=1.0) if isinstance(noise, str) else Noise(noise))
    if _is_noise(noise):
        said.append(f"noise {noise}" + (" per √τ" if not isinstance(noise, str) or noise[-1].isdigit() else ""))
    said += [f"{effect} {getattr(imperfections, effect):g}" for effect in _effects(imperfections)]
    return ", ".join(said)


def _is_noise(noise: Any) -> bool:
    return noise not in (None, 0, 0.0, "0")


def _effects(imperfections: Imperfections | None) -> tuple[str, ...]:
    return () if imperfections is None else tuple(imperfections.effects)


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
