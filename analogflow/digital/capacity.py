"""Digital solvers for the capacity: Blahut-Arimoto, with other step lengths, over-relaxed, and the flow itself in steps.

They are contenders, so they stop at a gap they prove themselves and report what it cost; a run that stops early is no
error. They share no code with the reference that judges them.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from analogflow.checks import refuse_not_positive
from analogflow.errors import BadInput
from analogflow.problems import Channel

__all__ = [
    "STEPS",
    "CapacityRun",
    "blahut_arimoto",
    "discretised_flow",
    "multiplicative_weights",
    "over_relaxed_blahut_arimoto",
]

_GROWTH = 1.5
_PRICES, _SHARP = 200, 1e-14
"""Steps of the search for a price, and how closely it is met."""
_SMALLEST = float(np.finfo(float).tiny)

Array = NDArray[np.float64]

Divergences = Callable[[Array], Array]

Step = Callable[[Array, Divergences, float], Array]


@dataclasses.dataclass(frozen=True, eq=False)
class CapacityRun:
    """What an iterative solver delivered.

    Parameters
    ----------
    capacity_nats : float
        Mutual information at `input_distribution`.
    input_distribution : array, shape (n,), read-only
        The last distribution; 0 on unavailable inputs.
    gap : float
        max_i D(p_i‖q) − I(z), nats: how much more the capacity can be.
    iterations : int
        Steps computed, each of two matrix-vector products; steps that were taken back count.
    converged : bool
        Whether `gap` is what was asked for; if not, the limit on iterations or seconds ended the run.
    """

    capacity_nats: float
    input_distribution: Array
    gap: float
    iterations: int
    converged: bool


def blahut_arimoto(channel: Channel, *, gap: float = 1e-9, most: int = 100_000, seconds: float = math.inf) -> CapacityRun:
    """The algorithm of Blahut and Arimoto: multiplicative weights with τ = 1, from the channel's starting distribution.

    Where the channel has a cost, each step takes the price at which the next distribution spends the limit, or 0 where it
    spends less: information never falls then either. Parameters and exceptions are those of `multiplicative_weights`; a
    channel with several costs is refused.

    References
    ----------
    S. Arimoto, IEEE Trans. Inf. Theory 18 (1972) 14; R. Blahut, the same volume, 460.
    """
    if channel.cost is None:
        return multiplicative_weights(channel, 1.0, gap=gap, most=most, seconds=seconds)
    refuse_not_positive(gap=gap, most=most, seconds=seconds)
    if len(channel.costs) > 1:
        raise BadInput(f"Blahut and Arimoto's algorithm here knows one cost, and {channel!r} has {len(channel.costs)}.")
    problem = channel.reduced()
    P, e, E = problem.transition, problem.costs[0], float(problem.cost_limits[0])
    h = xlogy(P, P).sum(axis=1)
    z, price = _spending(np.log(np.maximum(problem.start(), _SMALLEST)), e, E)
    deadline = time.perf_counter() + seconds
    iterations = 0
    while True:
        D = _divergences(P, h, z)
        # The price of the last step and that of the next one both prove a gap; the better one counts.
        following, its_price = _spending(np.log(np.maximum(z, _SMALLEST)) + D, e, E)
        width = min(float((D - s * e).max() + s * E - z @ D) for s in (price, its_price))
        if width <= gap or iterations >= most or time.perf_counter() > deadline:
            found = _run(channel, z, D, gap, iterations)
            return dataclasses.replace(found, gap=max(width, 0.0), converged=width <= gap)
        z, price = following, its_price
        iterations += 1


def _spending(logs: Array, e: Array, E: float) -> tuple[Array, float]:
    """Distribution in proportion to exp(logs − s e) and the least price s ≥ 0 at which it spends E at most."""

    def at(s: float) -> Array:
        grown = np.exp(logs - s * e - (logs - s * e).max())
        return grown / grown.sum()

    z = at(0.0)
    if z @ e <= E:
        return z, 0.0
    low, high = 0.0, 1.0 / float(np.ptp(e))
    while at(high) @ e > E:
        low, high = high, 2 * high
    s = high
    for _ in range(_PRICES):
        z, tried = at(s), s
        over = float(z @ e) - E
        low, high = (s, high) if over > 0 else (low, s)
        # Newton's step of the convex log-sum: its second derivative is the variance of the cost.
        step = s + over / max(float(z @ e**2) - float(z @ e) ** 2, _SMALLEST)
        s = step if low < step < high else 0.5 * (low + high)
        if abs(over) <= _SHARP * float(np.ptp(e)):
            return z, tried
        if high - low <= _SHARP * high:
            break
    return at(high), high


def multiplicative_weights(
    channel: Channel, tau: float, *, gap: float = 1e-9, most: int = 100_000, seconds: float = math.inf
) -> CapacityRun:
    r"""Multiplicative weight updates, the discrete counterpart of the capacity flow.

    .. math:: z_i \leftarrow z_i e^{\tau D_i} / \sum_k z_k e^{\tau D_k}, \qquad D_i = D(p_i \| P^\top z)

    Parameters
    ----------
    channel : Channel, n inputs, m outputs
    tau : float
        Step length. 1 is Blahut-Arimoto, which never loses mutual information; a small τ follows the flow at t = kτ.
    gap : float
        Certified gap to stop at, nats.
    most : int
        Steps allowed.
    seconds : float
        Time allowed, seconds.

    Returns
    -------
    CapacityRun

    Raises
    ------
    BadInput
        A parameter is not a positive number.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025, equation (17) and theorem 3.
    """
    refuse_not_positive(tau=tau, gap=gap, most=most, seconds=seconds)
    problem, z, h = _prepared(channel)
    deadline = time.perf_counter() + seconds
    iterations = 0
    while True:
        D = _divergences(problem.transition, h, z)
        top = D.max()
        width = top - z @ D
        if width <= gap or iterations >= most or time.perf_counter() > deadline:
            return _run(channel, z, D, gap, iterations)
        z = z * np.exp(tau * (D - top))
        z /= z.sum()
        iterations += 1


def over_relaxed_blahut_arimoto(
    channel: Channel, *, gap: float = 1e-9, most: int = 100_000, seconds: float = math.inf
) -> CapacityRun:
    """Blahut-Arimoto with a step length that grows by half each time mutual information rises.

    A step of τ > 1 that loses mutual information is taken back and repeated with τ = 1, which can not lose any: the
    mutual information of the kept steps never falls. Parameters and exceptions are those of `multiplicative_weights`.

    References
    ----------
    G. Matz and P. Duhamel, Information geometric formulation and interpretation of accelerated Blahut-Arimoto-type
    algorithms, IEEE Information Theory Workshop, 2004 (longer steps in the same direction).
    """
    refuse_not_positive(gap=gap, most=most, seconds=seconds)
    problem, z, h = _prepared(channel)
    deadline = time.perf_counter() + seconds
    D = _divergences(problem.transition, h, z)
    information, tau, iterations = z @ D, 1.0, 0
    while D.max() - information > gap and iterations < most and time.perf_counter() <= deadline:
        longer = z * np.exp(tau * (D - D.max()))
        longer /= longer.sum()
        its_D = _divergences(problem.transition, h, longer)
        iterations += 1
        # With τ = 1 a fall can only be rounding, and the step is kept.
        if longer @ its_D >= information or tau == 1:
            z, D, information, tau = longer, its_D, longer @ its_D, tau * _GROWTH
        else:
            tau = 1.0
    return _run(channel, z, D, gap, iterations)


def _prepared(channel: Channel, by: str = "Blahut and Arimoto's algorithm here") -> tuple[Channel, Array, Array]:
    """Channel without unavailable inputs, its starting distribution, and Σ_j p_ij ln p_ij of its rows."""
    channel.refuse_cost(by)
    problem = channel.reduced()
    return problem, problem.start(), xlogy(problem.transition, problem.transition).sum(axis=1)


def _divergences(P: Array, h: Array, z: Array) -> Array:
    # Inputs whose weight underflows may be all that reach an output; its probability then is below every number.
    q = np.maximum(z @ P, _SMALLEST)
    return h - P @ np.log(q)


def _run(channel: Channel, z: Array, D: Array, gap: float, iterations: int) -> CapacityRun:
    information = float(z @ D)
    width = max(float(D.max()) - information, 0.0)
    distribution = np.zeros(channel.inputs)
    distribution[channel.available] = z
    distribution.setflags(write=False)
    return CapacityRun(information, distribution, width, iterations, width <= gap)


def euler(z: Array, divergences: Divergences, tau: float) -> Array:
    """Z + τ ż: it can leave the simplex where τ is too large."""
    return z + tau * _rate(z, divergences)


def runge_kutta(z: Array, divergences: Divergences, tau: float) -> Array:
    """The classical method of order 4."""
    a = _rate(z, divergences)
    b = _rate(z + tau / 2 * a, divergences)
    c = _rate(z + tau / 2 * b, divergences)
    d = _rate(z + tau * c, divergences)
    return z + tau / 6 * (a + 2 * b + 2 * c + d)


def multiplicative_weight_update(z: Array, divergences: Divergences, tau: float) -> Array:
    """z_i e^{τ D_i}, normalised: never leaves the simplex, and is Blahut-Arimoto for τ = 1."""
    D = divergences(z)
    grown = z * np.exp(tau * (D - D.max()))
    return grown / grown.sum()


STEPS: dict[str, Step] = {"euler": euler, "rk4": runge_kutta, "mwu": multiplicative_weight_update}
"""Rules by name: a distribution, the function that gives D(p_i‖q) at one, and τ in; the next distribution out."""


def discretised_flow(
    channel: Channel,
    *,
    step: str | Step = "mwu",
    tau: float = 0.1,
    tolerance: float = 1e-12,
    most: int = 1_000_000,
) -> CapacityRun:
    r"""Algorithm 1: step the capacity flow until the distribution moves by at most `tolerance` in the 1-norm.

    .. math:: \dot z_i = z_i (D(p_i\|q) - I(z))

    Parameters
    ----------
    channel : Channel, n inputs
    step : {"mwu", "euler", "rk4"} or callable
        A rule of `STEPS`, or one of that kind.
    tau : float
        Step in units of the flow's time constant.
    tolerance : float
        ‖z_new − z‖₁ at which to stop.
    most : int
        Steps allowed.

    Returns
    -------
    CapacityRun
        ``converged`` says whether the tolerance was met; ``gap`` is certified at the distribution where it stopped.

    Raises
    ------
    BadInput
        The rule is not known, or a number is not positive.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025, Algorithm 1.
    """
    refuse_not_positive(finite=True, tau=tau, tolerance=tolerance, most=most)
    if isinstance(step, str) and step not in STEPS:
        raise BadInput(f"step {step!r} is not known; known are: {', '.join(STEPS)}, or a function.")
    rule = STEPS[step] if isinstance(step, str) else step
    problem, z, h = _prepared(channel, "discretised_flow")

    def divergences(z: Array) -> Array:
        return _divergences(problem.transition, h, z)

    iterations, moved = 0, np.inf
    while iterations < most and moved > tolerance:
        following = rule(z, divergences, tau)
        moved, z, iterations = float(abs(following - z).sum()), following, iterations + 1
    return dataclasses.replace(_run(channel, z, divergences(z), np.inf, iterations), converged=moved <= tolerance)


def _rate(z: Array, divergences: Divergences) -> Array:
    D = divergences(z)
    return z * (D - z @ D / z.sum())
