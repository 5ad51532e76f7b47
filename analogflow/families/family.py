"""What a family of flows is: one record of all that the rest of the house asks about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from analogflow.families.path import path_expected
from analogflow.flows import Flow

__all__ = ["Family"]


def _never(problem: Any) -> bool:
    return False


def _no_size(problem: Any) -> int:
    return 0


def _no_part(problem: Any, count: int) -> None:
    return None


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Family:
    """A kind of problem, the flow that solves it, and how it is read.

    Parameters
    ----------
    name : str
        By which the command line knows it.
    problem : type
        Frozen data; refuses what is not a problem.
    noun : str
        What a problem is called: "a channel".
    keys : sequence of str
        Of a file with a problem: what `problem` is called with, and its attributes.
    needed : mapping of key to str
        Keys that a file must have, and what each holds.
    bare_matrix : bool
        Whether a matrix alone is a problem: ``problem(matrix)``, and ``problem.from_csv(path)``.
    flow : callable
        ``flow(problem, form=...)``, without a form the most robust one.
    forms : sequence of str
        Forms of the flow, the default first.
    units : mapping of str to str
        Of the errors that studies keep.
    reference : callable, optional
        ``reference(problem, time)``: the exact answer with a certified ``gap``, at a time in τ where it is a point of a
        path. Without one a run is not certified.
    follows : callable
        Whether the answer to a problem is a point of a path, so that its reference depends on the time.
    law : callable
        Whether the answer to a problem is a stationary law, which a run knows to its standard errors only.
    expected : callable, optional
        ``expected(problem, reference)``: the reference's answer by the names of signals, for a netlist's header.
    size, smaller : callable
        ``smaller(problem, count)`` is the leading part of a problem, of size `count`, and its name; None where there is
        no such thing. ``size(problem)`` is the number that it reduces.
    """

    name: str
    problem: type
    noun: str
    keys: tuple[str, ...]
    flow: Callable[..., Flow]
    forms: tuple[str, ...]
    needed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    bare_matrix: bool = False
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reference: Callable[[Any, float], Any] | None = None
    follows: Callable[[Any], bool] = _never
    law: Callable[[Any], bool] = _never
    expected: Callable[[Any, Any], Mapping[str, Any]] | None = path_expected
    size: Callable[[Any], int] = _no_size
    smaller: Callable[[Any, int], tuple[Any, str] | None] = _no_part

    def __repr__(self) -> str:
        return f"Family({self.name})"
