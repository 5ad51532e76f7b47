"""The family of the capacity flow: channels, and the input distributions that achieve their capacity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.families.ends import Held, RunEnds, Worth, asked, below_zero, distribution, largest
from analogflow.families.family import Contest, Family
from analogflow.families.trade_off import TradeOff
from analogflow.flows.capacity import FORMS, capacity
from analogflow.problems import Channel
from analogflow.reference.capacity import CapacityReference, capacity_reference
from analogflow.reference.capacity_counts import LEAST_COUNTS, LEAST_COVERAGE, CapacityInterval, capacity_interval
from analogflow.reference.capacity_theory import capacity_convergence, input_types
from analogflow.reference.curves import at_limit, capacity_cost_ends, capacity_cost_point
from analogflow.reference.ready_channels import ReadyInterval, ready_interval
from analogflow.run import Run

__all__ = ["CAPACITY"]


Array = NDArray[np.float64]

_TINY = float(np.finfo(float).tiny)

_SHOWN = 8
"""Inputs that a sentence names."""

_DRAWS, _FEW, _MANY = 1000, 100, 2000
"""Draws from the posterior of counts, and how many where the matrix has more than so many entries."""


def _errors(channel: Channel, reference: CapacityReference, ends: RunEnds) -> dict[str, Array]:
    """``state_nats`` is of the state read by an ideal instrument, ``capacity_nats`` of what the circuit itself shows."""
    rows, finals = channel.available, ends.finals
    z = finals["z"]
    full = _all_inputs(channel, z)
    state = distribution(finals, "z")
    state = state if state.shape[1] == len(rows) else state[:, rows]
    found = {"state_nats": abs(_information(channel.transition[rows], state)[0] - reference.capacity_nats)}
    if "capacity_nats" in finals:
        found["capacity_nats"] = abs(finals["capacity_nats"][:, 0] - reference.capacity_nats)
    if "capacity_readout" in finals:
        found["capacity_readout_nats"] = abs(finals["capacity_readout"][:, 0] - reference.capacity_nats)
    found["input_distribution"] = largest(full - reference.input_distribution)
    if channel.cost is not None:
        found["cost"] = np.maximum(_excess(channel, full).max(axis=1), 0.0)
    found["certified_gap_nats"] = _worth(channel, reference, z).gap
    found["simplex"] = largest(ends.paths["z"].sum(axis=2) - 1)
    return found


def _spans(channel: Channel) -> Array:
    """Range of each cost over the available inputs, or its size where all cost the same; shape (k,)."""
    costs = channel.costs[:, channel.available]
    spans = np.ptp(costs, axis=1)
    return np.where(spans > 0, spans, np.maximum(costs.max(axis=1, initial=0.0), _TINY))


def _excess(channel: Channel, z: Array) -> Array:
    """By how much mean costs exceed their limits, shape (samples, k): in units of an only cost, else of each range."""
    over = z @ channel.costs.T - channel.cost_limits
    return over if len(channel.costs) == 1 else over / _spans(channel)


def _all_inputs(channel: Channel, z: Array) -> Array:
    """Distributions over all inputs, shape (..., inputs); a form that leaves out unavailable inputs has weight 0 there."""
    if z.shape[-1] == channel.inputs:
        return z
    full = np.zeros((*z.shape[:-1], channel.inputs))
    full[..., channel.available] = z
    return full


def _information(P: Array, z: Array) -> tuple[Array, Array]:
    """I(z), shape (samples,), and D(p_i‖q), shape (samples, n), nats."""
    divergences = np.maximum(scipy.special.xlogy(P, P).sum(axis=1) - np.log(np.maximum(z @ P, _TINY)) @ P.T, 0)
    return (z * divergences).sum(axis=1), divergences


def _worth(channel: Channel, reference: CapacityReference | None, z: Array) -> Worth:
    """The reference's price is needed where the channel has a cost."""
    rows = channel.available
    positive = np.maximum(z if z.shape[1] == len(rows) else z[:, rows], 0)
    shares = positive / positive.sum(axis=1, keepdims=True)
    information, pressure = _information(channel.transition[rows], shares)
    if reference is None or channel.cost is None:
        pressure = pressure - information[:, None]
        return Worth(information, pressure, np.maximum(pressure.max(axis=1), 0), rows)
    dear = reference.prices @ channel.costs[:, rows]
    value = information - shares @ dear
    pressure = pressure - dear - value[:, None]
    return Worth(value, pressure, pressure.max(axis=1) + reference.prices @ channel.cost_limits - shares @ dear, rows)


def _held(
    channel: Channel, reference: CapacityReference, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    keeps = "mean costs keep their limits" if len(channel.costs) > 1 else "the mean cost keeps its limit"
    return [
        *asked(
            errors,
            limit,
            ("capacity_nats", "capacity agrees with the reference", "nat"),
            ("certified_gap_nats", "the distribution certifies its own capacity", "nat"),
            ("simplex", "Σz stays 1", ""),
            ("cost", keeps, "of a cost's range", _spans(channel)[0] if len(channel.costs) == 1 else 1.0),
        ),
        Held("no input has a weight below 0", below_zero(ends.finals["z"]), limit),
    ]


def _answer(channel: Channel, reference: CapacityReference, run: Run) -> dict[str, Any]:
    found = _counted(channel)
    intervals = (
        {"capacity_interval_nats": [found.low, found.high], "input_intervals": found.inputs.tolist()} if found else {}
    )
    itself = _itself(channel)
    return {
        "capacity_nats": float(run.final["capacity_nats"][0]),
        "input_distribution": _all_inputs(channel, run.final["z"]).tolist(),
        **intervals,
        **({"before_discretisation_nats": list(itself)} if itself else {}),
    }


def _itself(channel: Channel) -> ReadyInterval | None:
    """Interval of what the channel stands for, where it is the discretisation of one."""
    return None if channel.model is None or channel.unavailable else ready_interval(channel.model)


def _counted(channel: Channel) -> CapacityInterval | None:
    if channel.counts is None or channel.cost is not None:
        return None
    return capacity_interval(channel, samples=_DRAWS if channel.counts.size <= _MANY else _FEW)


def _notes(channel: Channel, reference: CapacityReference) -> list[str]:
    """What counts tell of the answer, and what points and intervals cost."""
    if (itself := _itself(channel)) is not None:
        low, high = (max(end - reference.capacity_nats, 0.0) for end in itself)
        return [
            f"Before it is made discrete, {channel.model} has a capacity of {itself.low:.7g} to {itself.high:.7g} nat, "
            f"{itself.low / math.log(2):.7g} to {itself.high / math.log(2):.7g} bit; that costs {low:.2g} to {high:.2g} nat."
        ]
    if channel.counts is None:
        return []
    if (found := _counted(channel)) is None:
        return ["Of a channel with a cost, counts give no interval yet."]
    scarce = int(channel.counts.sum(axis=1).min()) < LEAST_COUNTS * channel.outputs
    held = (
        f"with fewer than {LEAST_COUNTS * channel.outputs} observations of an input it may hold less often than it says"
        if scarce
        else f"of drawn data sets with so many observations, at least {LEAST_COVERAGE:.0%} of such intervals held the truth"
    )
    return [
        f"{found.level:.0%} interval of the capacity from the counts: {found.low:.6g} to {found.high:.6g} nat, "
        f"{found.low / math.log(2):.6g} to {found.high / math.log(2):.6g} bit; {held}.",
        f"The capacity of the shares is too high by {found.bias:.2g} nat on average, which the interval allows for.",
        "Interval of each input's weight: "
        + ", ".join(f"{low:.3f} to {high:.3f}" for low, high in found.inputs[:_SHOWN])
        + (f", … ({channel.inputs})" if channel.inputs > _SHOWN else "")
        + f" ({found.samples} draws from the posterior, seed {found.seed}).",
    ]


def _exact(channel: Channel, reference: CapacityReference) -> dict[str, Any]:
    return {"capacity_nats": reference.capacity_nats, "input_distribution": reference.input_distribution.tolist()}


def _slowest(channel: Channel, reference: CapacityReference) -> float:
    return 0.0 if channel.cost is not None else -capacity_convergence(channel, reference).lambda_max


def _why_slow(channel: Channel, slowest: float) -> str:
    second = (
        [] if channel.cost is not None else [str(k + 1) for k, kind in enumerate(input_types(channel).types) if kind == "II"]
    )
    return f"input {', '.join(second)} is of type II, unused and as good as those in use; " if second else ""


def _contest(channel: Channel, reference: Any) -> Contest:
    """Of z, shape (n,), which proves by itself how good it is; with costs at the optimum's prices, and within the limits."""
    costs = {} if channel.cost is None else {"cost": float(_spans(channel)[0]) if len(channel.costs) == 1 else 1.0}
    measure = "certified gap of the input distribution"
    return Contest(
        measure=f"{measure}, or what it spends beyond a limit over the cost's range" if costs else measure,
        unit="" if costs else "nat",
        full_scale=math.log(max(2, min(channel.transition.shape))),
        signals=("z",),
        errors={"certified_gap_nats": 1.0, **costs},
    )


def _expected(channel: Channel, reference: CapacityReference) -> dict[str, Any]:
    return {"capacity_nats": reference.capacity_nats, "z": reference.input_distribution.tolist()}


def _smaller(problem: Channel, count: int) -> tuple[Channel, str]:
    part = problem.transition[:count, : max(2, min(count, problem.transition.shape[1]))]
    # A part that lost all its weight gets some everywhere, for it is only counted.
    part = part + 1e-3
    cost = None if problem.cost is None else problem.cost[..., :count]
    name = f"a channel of {part.shape[0]} inputs and {part.shape[1]} outputs"
    return Channel(part / part.sum(axis=1, keepdims=True), cost=cost, cost_limit=problem.cost_limit), name


CAPACITY = Family(
    name="capacity",
    problem=Channel,
    noun="a channel",
    keys=("transition", "initial", "unavailable", "cost", "cost_limit", "counts", "model"),
    needed={"transition": "the matrix of p(output|input)"},
    bare_matrix=True,
    flow=capacity,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats", "error_reading": "nats", "error_certified_gap_nats": "nats"},
    reference=lambda channel, _: capacity_reference(channel),
    errors=_errors,
    sizes=lambda problem, answers: np.ones(len(answers)),
    primary="state_nats",
    unlisted="state_nats",
    labels={
        "capacity_nats": "difference from the reference",
        "capacity_readout_nats": "error of the circuit's own read-out",
        "input_distribution": "largest difference in z",
        "certified_gap_nats": "certified gap of the circuit's z",
        "simplex": "largest departure of Σz from 1",
    },
    kept_as={"capacity_nats": "reading"},
    held=_held,
    ended="settled",
    answer=_answer,
    exact=_exact,
    worth=_worth,
    slowest=_slowest,
    why_slow=_why_slow,
    contest=_contest,
    notes=_notes,
    expected=_expected,
    size=lambda channel: channel.transition.shape[0],
    smaller=_smaller,
    curve=TradeOff(
        at="mean_cost",
        value="capacity_nats",
        says="mean cost",
        value_says="capacity",
        ends=capacity_cost_ends,
        point=capacity_cost_point,
        posed=at_limit,
        read=lambda run, which: (run.final["mean_cost"][which], run.final["capacity_nats"][0]),
    ),
)
"""The family of the capacity flow."""
