"""The interaction energy of tokens, which attention climbs where V = B and descends where V = −B, B symmetric."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems import Attention
from analogflow.reference.attention.integration import velocity

__all__ = ["energy_direction", "log_energy", "log_energy_rate"]

_EQUAL = 1e-9


def log_energy(problem: Attention, tokens: ArrayLike) -> float:
    r"""Logarithm of the mean of :math:`e^{\beta \langle x_i, B x_j \rangle}` over all pairs of tokens.

    Raises
    ------
    BadInput
        β is infinite.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: appendix C.3, corrected: the energy printed there has no β in its exponent, and
    is monotone for β = 1 only.
    """
    scores = _scores(problem, real_array(tokens, "tokens"))
    return _log_sum(scores) - 2 * math.log(len(scores))


def log_energy_rate(problem: Attention, tokens: ArrayLike) -> float:
    """Rate of `log_energy` per τ as the tokens move by equation (1): of one sign where `energy_direction` is not 0."""
    x = real_array(tokens, "tokens")
    scores = _scores(problem, x)
    weights = np.exp(scores - _log_sum(scores))
    gradient = problem.beta * (weights @ x @ problem.B.T + weights.T @ x @ problem.B)
    return float((gradient * velocity(problem, x)).sum())


def energy_direction(problem: Attention) -> int:
    """1 where the energy can only rise (V = B), −1 where it can only fall (V = −B), both for symmetric B; else 0.

    Warns
    -----
    AssumptionWarning
        It is 0: no theorem holds the energy monotone.
    """
    B, V = problem.B, problem.V
    scale = _EQUAL * max(abs(B).max(), abs(V).max())
    if abs(B - B.T).max() <= scale:
        for sign in (1, -1):
            if abs(V - sign * B).max() <= scale:
                return sign
    reason = "B is not symmetric" if abs(B - B.T).max() > scale else "V is neither B nor −B"
    warnings.warn(f"{reason}, so the energy need not be monotone.", AssumptionWarning, stacklevel=2)
    return 0


def _scores(problem: Attention, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if math.isinf(problem.beta):
        raise BadInput("the energy of a problem with infinite beta is not defined; give a finite beta.")
    return problem.beta * (x @ problem.B @ x.T)


def _log_sum(scores: NDArray[np.float64]) -> float:
    largest = float(scores.max())
    return largest + math.log(np.exp(scores - largest).sum())
