"""What a run is worth: its answer in the problem's terms, the reference, the errors, and checks that passed or did not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from analogflow.errors import BadInput
from analogflow.families.check import FAILED, UNDECIDED, Check
from analogflow.flows import Flow
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers import (
    certify_attention,
    certify_capacity,
    certify_equations,
    certify_flow,
    certify_hopfield,
    certify_langevin,
    certify_rate_distortion,
    certify_transport,
)
from analogflow.validation.ending import ending, time_needed

__all__ = ["Certificate", "Check", "certify"]


@dataclasses.dataclass(frozen=True, eq=False)
class Certificate:
    """Judgement on a run.

    Parameters
    ----------
    answer : mapping
        The run's answer in the problem's terms: name to number or list.
    reference : mapping
        The reference's answer under the same names.
    reference_gap : float
        Certified width of the interval that holds the true optimum.
    errors : mapping of name to float
        Differences from the reference, and departures from what the answer must satisfy.
    checks : tuple of Check
        The first says how the run ended. A state that still creeps is no fault where the other checks prove the answer.
    time_needed : float, optional
        Length of a run, in τ, after which an answer that still creeps would be right; None where it rests, or where that
        can not be seen.
    """

    answer: Mapping[str, Any]
    reference: Mapping[str, Any]
    reference_gap: float
    errors: Mapping[str, float]
    checks: tuple[Check, ...]
    time_needed: float | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        errors = ", ".join(f"{name} {value:.2g}" for name, value in self.errors.items())
        return f"{errors}; {self.verdict}"

    @property
    def verdict(self) -> str:
        """All checks in a line: those that failed, and those that could not tell, by their names."""
        said = [
            f"{verdict}: {', '.join(names)}"
            for verdict in (FAILED, UNDECIDED)
            if (names := [check.name for check in self.checks if check.verdict == verdict])
        ]
        return "; ".join(said) or "all checks passed"


_CERTIFIERS: dict[type, Callable[..., tuple[Any, ...]]] = {
    Channel: certify_capacity,
    Attention: certify_attention,
    Transport: certify_transport,
    RateDistortion: certify_rate_distortion,
    Langevin: certify_langevin,
    Equations: certify_equations,
    Flow: certify_flow,
    Hopfield: certify_hopfield,
}


_LAWS = (Langevin, Hopfield)
"""Kinds whose answer may be a law, which a run knows to its standard errors only."""


def certify(problem: Any, run: Trajectory, *, tolerance: float = 1e-6, accuracy: float | None = None) -> Certificate:
    """Hold the end of `run` against the exact reference of `problem`.

    Parameters
    ----------
    problem : Channel, RateDistortion, Attention, Transport, Hopfield, Langevin, Equations, Flow
        A flow of one's own, without a problem, is held against integrations of its function.
    run : Trajectory
    tolerance : float
        Largest error a check lets pass, in nats, in probability and in coordinates.
    accuracy : float, optional
        Of a law: the error that its checks must be able to find, in standard deviations, or "too few samples to tell"; a
        quarter if not given.

    Raises
    ------
    BadInput
        There is no reference for this kind of problem.
    """
    certifier = _CERTIFIERS.get(type(problem))
    if certifier is None:
        known = ", ".join(kind.__name__ for kind in _CERTIFIERS)
        raise BadInput(f"there is no exact reference for a problem of type {type(problem).__name__}; there is for: {known}.")
    asked = (accuracy,) if accuracy is not None and isinstance(problem, _LAWS) else ()
    answer, reference, gap, errors, (ended, *others) = certifier(problem, run, tolerance, *asked)
    checks = (ending(problem, run, ended, others, tolerance), *others)
    return Certificate(answer, reference, gap, errors, checks, time_needed(problem, run, tolerance))
