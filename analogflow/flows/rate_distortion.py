"""The rate-distortion flow: reproduction probabilities that grow by how well they serve the source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analogflow.checks import refuse_unknown
from analogflow.flows.flow import Flow
from analogflow.flows.invariants import CommonMode, Invariant, Simplex
from analogflow.graph import log, softmax
from analogflow.problems import RateDistortion

__all__ = ["FORMS", "rate_distortion"]

FORMS: tuple[str, ...] = ("logdomain", "gibbs", "logarithmic")
"""Forms of the flow, the default first."""

_EQUATIONS = {
    "gibbs": "dq_y/dt = T(q)_y - q_y, T(q)_y = q_y c_y",
    "logdomain": "du_y/dt = c_y - 1, q = softmax(u)",
    "logarithmic": "du_y/dt = ln T(q)_y - ln q_y, T(q)_y = sum_x p_x softmax_y(u_y - beta d(x,y)), q = softmax(u)",
}
_SCORE_TEXT = "c_y = sum_x p_x A_xy/Z_x, Z_x = sum_y q_y A_xy, A_xy = exp(-beta d(x,y))"


def gibbs(q: Any, A: np.ndarray, p: np.ndarray, d: np.ndarray, offset: float, beta: float) -> Any:
    """q̇ = T(q) − q, the Fisher-Rao gradient flow of −Φ: Σq returns to 1 at rate 1, whatever the source."""
    return q * scores(q, A, p) - q


def logdomain(u: Any, A: np.ndarray, p: np.ndarray, d: np.ndarray, offset: float, beta: float) -> Any:
    """u̇_y = c_y − 1 with q = softmax(u): the same orbits, and no probability ever goes below 0."""
    return scores(softmax(u), A, p) - 1


def logarithmic(u: Any, A: np.ndarray, p: np.ndarray, d: np.ndarray, offset: float, beta: float) -> Any:
    """u̇_y = ln T(q)_y − ln q_y = ln c_y: one softmax for each source symbol, whose shares are summed by wiring."""
    spread = u[np.broadcast_to(np.arange(A.shape[1]), A.shape)]
    return log(softmax(spread, tail=p, offsets=beta * d).sum(axis=0)) - log(softmax(u))


def scores(q: Any, A: np.ndarray, p: np.ndarray) -> Any:
    """c_y = Σ_x p_x A_xy/Z_x: 1 where q is optimal, at most 1 where it has no weight."""
    return A.T @ (p / (A @ q))


def rate_distortion(problem: RateDistortion, *, form: str = "logdomain") -> Flow:
    r"""Flow whose state settles at the optimal reproduction distribution.

    .. math:: \dot q_y = q_y (c_y - 1), \quad c_y = \sum_x \frac{p_x A_{xy}}{\sum_{y'} q_{y'} A_{xy'}},
              \quad A_{xy} = e^{-\beta d(x, y)}

    Parameters
    ----------
    problem : RateDistortion, n symbols, m reproductions
    form : {"logdomain", "gibbs", "logarithmic"}
        "logdomain" can not leave the simplex; "gibbs" is Blahut's step taken continuously; "logarithmic", u̇_y = ln c_y,
        takes it in the logarithm, and is what transistors carry. All three have the same rates at the answer.

    Returns
    -------
    Flow
        State "u" (nats) or "q", shape (m,); observables "q", "phi" (R + βD, nats), "distortion" and "rate_nats". Time in
        units of τ.

    Raises
    ------
    BadInput
        `form` is not one of these.

    Notes
    -----
    dΦ/dt = −χ²(T(q)‖q) exactly. Rows of A are scaled to a largest entry of 1, which changes no c_y.

    References
    ----------
    Q. Wang, Relaxation Kernel and Global Convergence of the Blahut-Arimoto Dynamics, arXiv:2604.25106 (2026): equation (5);
    (13) and (15), corrected: Φ is minus the first term of (13), without the second.
    """
    refuse_unknown(form, FORMS, "form", "the rate-distortion flow")
    start = np.full(problem.reproductions, 1 / problem.reproductions)
    constants = {
        "A": problem.gibbs, "p": problem.source, "d": problem.distortion, "offset": problem.offset, "beta": problem.beta,
    }  # fmt: skip
    keeps: tuple[Invariant, ...] = (Simplex("q"),)
    logs = form != "gibbs"
    if logs:
        keeps = (CommonMode("u"),)
    states = {"u": CommonMode("u").project(np.log(start))} if logs else {"q": start}
    shares: Callable[[Any], Any] = softmax if logs else _itself
    observables = {
        "phi": lambda y, A, p, d, offset, beta: _phi(shares(y), A, p, offset),
        "distortion": lambda y, A, p, d, offset, beta: _distortion(shares(y), A, p, d),
        "rate_nats": lambda y, A, p, d, offset, beta: _phi(shares(y), A, p, offset) - beta * _distortion(shares(y), A, p, d),
    }
    if logs:
        observables = {"q": lambda y, **_: softmax(y), **observables}
    return Flow(
        {"logdomain": logdomain, "gibbs": gibbs, "logarithmic": logarithmic}[form],
        states,
        keeps,
        constants,
        observables,
        answer="q",
        size=1.0,
        scale=1.0,
        family="rate-distortion",
        form=form,
        equations=f"{_EQUATIONS[form]};  {_SCORE_TEXT}",
        problem=problem,
    )


def _itself(q: Any) -> Any:
    return q


def _phi(q: Any, A: np.ndarray, p: np.ndarray, offset: float) -> Any:
    return offset - p @ np.log(A @ q)


def _distortion(q: Any, A: np.ndarray, p: np.ndarray, d: np.ndarray) -> Any:
    return (p / (A @ q)) @ ((A * np.where(np.isfinite(d), d, 0.0)) @ q)
