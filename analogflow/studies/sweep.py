"""Constants and starts of equations as axes of a study: their values, and the problem at each of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from analogflow.checks import is_finite, is_number
from analogflow.errors import BadInput

__all__ = ["MOST_POINTS", "check_points", "swept", "values_of"]

MOST_POINTS = 4096
"""Points of all swept names together: each is a circuit of its own."""

_RANGE = re.compile(r"([^:]+):([^:]+):([^:]+)")


def values_of(name: str, given: Any) -> tuple[float, ...]:
    """Values of one swept name: a list, or ``first:last:count``, evenly spaced and with both ends.

    Raises
    ------
    BadInput
        There is none, or one alone that is in no list, one is no number or is there twice, or the text is neither a range
        nor a list.
    """
    where = f"study: sweep of {name}"
    if is_number(given) or (isinstance(given, str) and "," not in given and _is_number(given)):
        raise BadInput(
            f"{where}: {given} is one value, and may be a count or an end; give first:last:count, such as 2:6:400, or more "
            "values. A constant that stays is no axis: write it into the equations, or into a file of values."
        )
    if isinstance(given, str):
        given = _range(given, where) if ":" in given else given.split(",")
    items = list(np.ravel(given) if isinstance(given, np.ndarray) else given)
    try:
        values = tuple(float(item) for item in items)
    except (TypeError, ValueError):
        values = (np.nan,)
    if not values:
        raise BadInput(f"{where}: it has no value; give first:last:count, such as 2:6:400, or a list of values.")
    if not all(is_finite(value) for value in values):
        raise BadInput(
            f"{where}: {given!r} has a value that is no finite number; give first:last:count, or a list of values."
        )
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise BadInput(f"{where}: {twice:g} is there twice; give each value once.")
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _range(text: str, where: str) -> list[float]:
    match = _RANGE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        first, last, count = float(match[1]), float(match[2]), int(match[3])
    except ValueError:
        raise BadInput(f"{where}: {text!r} is no range; give first:last:count, such as 2:6:400.") from None
    if count < 2 or first == last:
        raise BadInput(f"{where}: the range {text!r} is empty; give two different ends and a count from 2.")
    return np.linspace(first, last, count).tolist()


def swept(problem: Any, values: Mapping[str, float]) -> Any:
    """The problem with these constants and starts in place of its own; itself where there are none."""
    return problem.replaced(**values) if values else problem


def check_points(problems: Mapping[str, Any], sweep: Mapping[str, tuple[float, ...]], taken: Collection[str]) -> None:
    """Refuse what can not be swept: names that are no single numbers of every problem, and values that make no problem.

    Parameters
    ----------
    problems : mapping of name to problem
    sweep : mapping of name to tuple of float
    taken : collection of str
        Names that results have already.

    Raises
    ------
    BadInput
        Says which name or value, and what is allowed.
    """
    count = int(np.prod([len(values) for values in sweep.values()], dtype=float)) if sweep else 0
    if count > MOST_POINTS:
        raise BadInput(
            f"study: the sweep has {count} points, more than {MOST_POINTS}; take fewer values, or several studies."
        )
    for name in sweep:
        if name in taken or name.startswith(("error_", "sampling_")):
            raise BadInput(
                f"study: sweep of {name}: results have a {name!r} of their own; name it otherwise in the equations."
            )
        for problem in problems.values():
            if not hasattr(problem, "replaced"):
                raise BadInput(
                    f"study: sweep of {name}: {type(problem).__name__} has no constants to be swept; a flow written as a "
                    "file of equations has."
                )
            own = {**problem.constants, **problem.states}
            if name in own and own[name].size != 1:
                raise BadInput(
                    f"study: sweep of {name}: it has the shape {own[name].shape}; only single numbers are swept. Name the "
                    "entry as a constant of its own."
                )
    for problem in problems.values() if sweep else ():
        for point in itertools.product(*sweep.values()):
            values = dict(zip(sweep, point, strict=True))
            try:
                swept(problem, values)
            except BadInput as fault:
                said = ", ".join(f"{name} = {value:g}" for name, value in values.items())
                raise BadInput(f"study: sweep, {said}: {fault}") from None
