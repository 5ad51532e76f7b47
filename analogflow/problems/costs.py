"""What inputs of a channel cost, and how much the mean may: checked, one cost or several, each with a limit."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_finite, is_number, real_array
from analogflow.errors import BadInput

__all__ = ["costs_of"]

Array = NDArray[np.float64]

_FREEDOM = 1e-9
"""Share of its range by which some distribution must keep below each of several limits."""


def costs_of(
    cost: ArrayLike | None, limit: ArrayLike | None, available: NDArray[np.intp], inputs: int
) -> tuple[Array | None, float | Array | None]:
    """Costs, shape (n,) and a limit, or (k, n) and (k,) limits, as floats; None and None where there are none.

    Raises
    ------
    BadInput
        One is there without the other, shapes differ, a number is not finite or a cost below 0, or no distribution of the
        available inputs keeps below all limits.
    """
    if (cost is None) != (limit is None):
        raise BadInput("Channel: cost and cost_limit belong together; give both or neither.")
    if cost is None or limit is None:
        return None, None
    costs = real_array(cost, "Channel.cost", "one cost for each input, or a row of them for each of several costs")
    if costs.ndim == 2 or np.ndim(limit) == 1:
        return _several(costs, limit, available, inputs)
    if not is_finite(limit):
        many = "" if is_number(limit) else ", and one for each of several costs"
        raise BadInput(f"Channel.cost_limit: {limit!r} is not a finite number; give the largest mean cost{many}.")
    if costs.shape != (inputs,):
        raise BadInput(f"Channel.cost: has shape {costs.shape}, must have one entry for each of the {inputs} inputs.")
    _refuse_negative(costs)
    cheapest = costs[available].min()
    if not cheapest < float(limit):
        raise BadInput(
            f"Channel.cost_limit: {limit!r} leaves no freedom; it must exceed the cost of the cheapest input, {cheapest:g}."
        )
    return costs, float(limit)


def _refuse_negative(costs: Array) -> None:
    if not np.isfinite(costs).all() or (costs < 0).any():
        raise BadInput("Channel.cost: costs must be finite and 0 or more.")


def _several(costs: Array, limit: ArrayLike, available: NDArray[np.intp], inputs: int) -> tuple[Array, Array]:
    limits = real_array(limit, "Channel.cost_limit", "the largest mean of each cost")
    if costs.ndim != 2 or costs.shape[1] != inputs or not len(costs) or limits.shape != costs.shape[:1]:
        raise BadInput(
            f"Channel.cost: has shape {costs.shape} with limits of shape {limits.shape}; of k costs, give a row of {inputs} "
            "numbers for each, and as cost_limit a list of k numbers."
        )
    _refuse_negative(costs)
    if not np.isfinite(limits).all():
        raise BadInput("Channel.cost_limit: limits must be finite; leave a cost without a limit out.")
    open_costs = costs[:, available]
    for k, (row, most) in enumerate(zip(open_costs, limits, strict=True), start=1):
        if not row.min() < most:
            raise BadInput(
                f"Channel.cost_limit: {most:g} of cost {k} leaves no freedom; it must exceed that of the cheapest input, "
                f"{row.min():g}."
            )
    if len(costs) > 1 and not _room(open_costs, limits) > _FREEDOM:
        raise BadInput("Channel.cost_limit: no distribution of inputs keeps below all limits at once; raise one of them.")
    return costs, limits


def _room(costs: Array, limits: Array) -> float:
    """Largest share of every cost's range by which a distribution can keep below its limit."""
    spans = np.where(np.ptp(costs, axis=1) > 0, np.ptp(costs, axis=1), 1.0)
    n = costs.shape[1]
    found = scipy.optimize.linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.hstack([costs / spans[:, None], np.ones((len(costs), 1))]),
        b_ub=limits / spans,
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, 1)] * n + [(None, None)],
    )
    return -float(found.fun) if found.success else -np.inf
