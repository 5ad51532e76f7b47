"""What a family of flows is: one record of all that the rest of the house asks about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from analogflow.flows import Flow

__all__ = ["Family"]


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

    def __repr__(self) -> str:
        return f"Family({self.name})"
