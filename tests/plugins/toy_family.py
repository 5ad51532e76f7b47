"""A family of flows in one file, as another package would bring it: phases that lock to their targets."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np

import analogflow as af
from analogflow.checks import real_array
from analogflow.families import Family, PathEnd, TradeOff

__all__ = ["LOCK", "UNKNOWN"]


@dataclasses.dataclass(frozen=True, eq=False)
class Lock:
    """Phases that go to targets."""

    targets: np.ndarray

    def __post_init__(self) -> None:
        targets = real_array(self.targets, "Lock: targets", "a list of finite numbers")
        if targets.ndim != 1 or not np.isfinite(targets).all():
            raise af.BadInput("Lock: targets must be a list of finite numbers.")
        object.__setattr__(self, "targets", targets)


@dataclasses.dataclass(frozen=True, eq=False)
class Riddle(Lock):
    """The same, as if nobody knew where they go."""


def phase_lock(phase, target):
    return np.tanh(target - phase)


def flow(problem: Lock, form: str = "tanh") -> af.Flow:
    if form != "tanh":
        raise af.BadInput(f"form {form!r} of the lock flow is not known; there is only: tanh.")
    return af.Flow(
        phase_lock,
        states={"phase": np.zeros(problem.targets.size)},
        constants={"target": problem.targets},
        family="lock",
        form=form,
        problem=problem,
    )


def reference(problem: Lock, time: float) -> PathEnd:
    return PathEnd({"phase": problem.targets}, 0.0)


WORTH = TradeOff(
    at="reach",
    value="worth_nats",
    says="reach",
    value_says="worth",
    ends=lambda problem, which: (0.0, float(abs(problem.targets).max())),
    point=lambda problem, at, which: SimpleNamespace(at=at, lower=at**2, upper=at**2, slope=2 * at),
    posed=lambda problem, point, which: Lock(problem.targets * point.at / abs(problem.targets).max()),
    read=lambda run, which: (abs(run.final["phase"]).max(), abs(run.final["phase"]).max() ** 2),
)

LOCK = Family(
    name="lock",
    problem=Lock,
    noun="a lock",
    keys=("targets",),
    needed={"targets": "where the phases go"},
    flow=flow,
    forms=("tanh",),
    reference=reference,
    primary="phase",
    labels={"phase": "largest distance of a phase from its target"},
    curve=WORTH,
)

UNKNOWN = dataclasses.replace(LOCK, name="riddle", problem=Riddle, noun="a riddle", reference=None, curve=None)
