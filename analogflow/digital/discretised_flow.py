"""The capacity flow itself as a digital algorithm: its equation stepped in time by a rule that can be exchanged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from analogflow.checks import refuse_not_positive
from analogflow.digital.blahut_arimoto import CapacityRun
from analogflow.errors import BadInput
from analogflow.problems import Channel

__all__ = ["STEPS", "discretised_flow"]

Array = NDArray[np.float64]
Divergences = Callable[[Array], Array]
Step = Callable[[Array, Divergences, float], Array]


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
    channel.refuse_cost("discretised_flow")
    problem = channel.reduced()
    P = problem.transition
    h = xlogy(P, P).sum(axis=1)

    def divergences(z: Array) -> Array:
        return h - P @ np.log(np.maximum(z @ P, np.finfo(float).tiny))

    z, iterations, moved = problem.start(), 0, np.inf
    while iterations < most and moved > tolerance:
        following = rule(z, divergences, tau)
        moved, z, iterations = float(abs(following - z).sum()), following, iterations + 1
    D = divergences(z)
    information = float(z @ D)
    distribution = np.zeros(channel.inputs)
    distribution[channel.available] = z
    distribution.setflags(write=False)
    return CapacityRun(information, distribution, max(float(D.max()) - information, 0.0), iterations, moved <= tolerance)


def _rate(z: Array, divergences: Divergences) -> Array:
    D = divergences(z)
    return z * (D - z @ D / z.sum())
