"""Errors of many runs at once: what a certificate says of one, a study of all, and a restart of both its ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.families import judging_family, known_family, problem_of
from analogflow.families.ends import Ends, Worth
from analogflow.families.references import reference_for, reference_of
from analogflow.flows import Flow

__all__ = ["errors_of", "measures", "primary_measure", "worth_of"]

Array = NDArray[np.float64]


def measures(
    flow: Flow,
    finals: Mapping[str, Array],
    *,
    paths: Mapping[str, Array] | None = None,
    times: Array | None = None,
    end: float | None = None,
) -> dict[str, Array]:
    r"""Errors of the ends of many runs of `flow`, each of shape (samples,); NaN where a run's end says nothing.

    The names are those of a certificate's errors, and two more: ``state_nats``, :math:`|I(z) - C|` or
    :math:`|\Phi(q) - \Phi^*|` of the state read by an ideal instrument (brought to the simplex, and the value computed
    exactly), where the certificate's ``capacity_nats`` is about the value that the circuit itself shows; and for flows of
    one's own ``states``, the largest error of any state or observable.

    Parameters
    ----------
    flow : Flow
    finals : mapping of name to array, shape (samples, size of the signal)
        States and observables at each run's end; what is not there is left out of the measures.
    paths : mapping of name to array, shape (samples, k, size of the signal), optional
        Signals on the way, for what should hold all along; the ends alone if not given. A flow whose answer is a
        stationary law needs them.
    times : array, shape (k,), optional
        Of the paths, in τ.
    end : float, optional
        Time, in τ, at which runs ended, for answers that are a point of a path; the flow's own, or the last of `times`.
    """
    when = end if end is not None else flow.end_time or (float(times[-1]) if times is not None and len(times) else 0.0)
    return errors_of(problem_of(flow), finals, paths, times, when)


def errors_of(
    problem: Any, finals: Mapping[str, Array], paths: Mapping[str, Array] | None, times: Array | None, end: float
) -> dict[str, Array]:
    """The same for what a flow solves: a problem, or a flow that has none."""
    finals = {name: np.asarray(value, dtype=float) for name, value in finals.items()}
    family = judging_family(problem)
    if family.reference is None:
        return {family.primary: np.full(len(next(iter(finals.values()))), np.nan)}
    along = {name: value[:, None] for name, value in finals.items()} if paths is None else paths
    with np.errstate(all="ignore"):
        found = family.errors(problem, reference_for(problem, end), Ends(finals, along, times, end))
    return {name: np.asarray(value, dtype=float) for name, value in found.items()}


def primary_measure(flow: Flow) -> str:
    """Name of the measure by which answers of `flow` are compared first."""
    family = known_family(problem_of(flow))
    return "states" if family is None else family.primary


def worth_of(problem: Any, distributions: Array) -> Worth | None:
    """Worth of distributions, shape (samples, n): what is below 0 counts as 0, the rest is divided by its sum.

    None for problems whose answer is no distribution. Inputs that are not available are left out of the pressure.
    """
    family = known_family(problem)
    if family is None or family.worth is None:
        return None
    with np.errstate(all="ignore"):
        return family.worth(problem, reference_of(problem), np.asarray(distributions, dtype=float))
