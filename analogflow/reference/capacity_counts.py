"""How far the capacity of a channel is known whose law was counted: an interval, and the bias of the estimate by itself.

Rows are drawn from their posterior under Jeffreys' prior, Dirichlet with parameters counts + 1/2 over the outputs that were
seen, and each draw's capacity is the reference's.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_finite, is_whole
from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.reference.capacity import capacity_batch

__all__ = ["LEAST_COUNTS", "LEAST_COVERAGE", "CapacityInterval", "capacity_interval"]

LEAST_COUNTS = 50
"""Observations of each input, for each output, from which on `LEAST_COVERAGE` was measured."""

LEAST_COVERAGE = 0.90
"""Share of drawn data sets whose interval of 95 % held the true capacity, at least, of those in docs/tables.md."""

_PRIOR = 0.5
_GAP = 1e-7
_INTERVALS = 64
_NUMBERS_AT_ONCE = 2_000_000


@dataclasses.dataclass(frozen=True, eq=False)
class CapacityInterval:
    """What counts tell of a capacity.

    Parameters
    ----------
    low, high : float
        Interval of the capacity, nats.
    bias : float
        By how much the capacity of the shares themselves is too high on average, nats, as far as the posterior tells.
    inputs : array, shape (n, 2), read-only
        Posterior interval of the weight of each input in an optimal distribution; 0 of unavailable ones.
    level : float
        Nominal probability of each interval.
    samples, seed : int
        Draws from the posterior, and what decides them.
    """

    low: float
    high: float
    bias: float
    inputs: NDArray[np.float64]
    level: float
    samples: int
    seed: int


@functools.lru_cache(maxsize=_INTERVALS)
def capacity_interval(channel: Channel, *, level: float = 0.95, samples: int = 1000, seed: int = 0) -> CapacityInterval:
    """Interval of the capacity of a channel that was counted.

    Parameters
    ----------
    channel : Channel
        With counts, and without a cost.
    level : float
        Nominal probability, between 0 and 1.
    samples : int
        Draws from the posterior, 100 or more.
    seed : int

    Returns
    -------
    CapacityInterval

    Raises
    ------
    BadInput
        The channel has no counts, or has a cost, or a number is out of range.

    Notes
    -----
    Capacity is convex in the matrix, so that noise in the shares raises it: the estimate is biased upwards, and draws around
    it are so once more. Their mean exceeds the capacity of the posterior's mean by the `bias` b, and the interval is that of
    the draws moved so that their mean comes to Ĉ − b, within 0 and ln min(n, m). Quantiles of the draws as they are would
    hold the truth of weak channels far less often; what these hold is measured in docs/tables.md.
    """
    if channel.counts is None:
        raise BadInput(f"{channel!r} has no counts, so that nothing is known of its errors; use Channel.from_counts.")
    channel.refuse_cost("the interval of a capacity")
    if not (is_finite(level) and 0 < level < 1):
        raise BadInput(f"level is {level!r}; give a number between 0 and 1.")
    if not is_whole(samples, 100) or not is_whole(seed, 0):
        raise BadInput(f"samples is {samples!r} and seed {seed!r}; give whole numbers from 100 and from 0.")
    reduced = channel.reduced()
    parameters = np.asarray(reduced.counts) + _PRIOR
    source, at_once = np.random.default_rng(seed), max(1, _NUMBERS_AT_ONCE // parameters.size)
    parts = [
        capacity_batch(_distributions(source, parameters, min(at_once, samples - first)), gap=_GAP)
        for first in range(0, samples, at_once)
    ]
    capacities = np.concatenate([part.capacities_nats for part in parts])
    middle = parameters / parameters.sum(axis=1, keepdims=True)
    estimate, centre = capacity_batch([reduced.transition, middle], gap=_GAP).capacities_nats
    mean = capacities.mean()
    bias = float(mean - centre)
    ends = (0.5 - level / 2, 0.5 + level / 2)
    most = math.log(min(reduced.transition.shape))
    low, high = np.clip(np.quantile(capacities, ends) - mean + estimate - bias, 0, most)
    inputs = np.zeros((channel.inputs, 2))
    inputs[channel.available] = np.quantile(np.concatenate([part.input_distributions for part in parts]), ends, axis=0).T
    inputs.setflags(write=False)
    return CapacityInterval(float(low), float(high), bias, inputs, float(level), int(samples), int(seed))


def _distributions(source: np.random.Generator, parameters: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    gammas = source.standard_gamma(parameters, size=(samples, *parameters.shape))
    return gammas / gammas.sum(axis=2, keepdims=True)
