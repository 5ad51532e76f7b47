"""Self-attention as a flow of tokens on a sphere, at finite and at zero temperature.

A. Alcalde, L. Bungert, K. Riedl and T. Roith, Quantifying Concentration Phenomena of Mean-Field Transformers in the
Low-Temperature Regime, arXiv:2605.10931 (2026).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from analogflow.checks import refuse_unknown
from analogflow.errors import BadInput
from analogflow.flows.flow import Flow
from analogflow.flows.invariants import Sphere
from analogflow.graph import softmax
from analogflow.problems import Attention

__all__ = ["FORMS", "attention"]


def tangential(x: Any, drive: Any) -> Any:
    """P_x of each row: the drive without its part along the token, which is what layer normalisation leaves of it."""
    return drive - x * (x * drive).sum(axis=1)[:, None]


def softmax_attention(x: Any, B: np.ndarray, V: np.ndarray, beta: float) -> Any:
    """ẋ_i = P_{x_i} V m_i, m_i = Σ_j softmax_j(β x_iᵀB x_j) x_j; all tokens move at once."""
    weights = softmax((x @ (beta * B)) @ x.T)
    mean = weights @ x
    return tangential(x, mean @ V.T)


def zero_temperature(x: Any, B: np.ndarray, V: np.ndarray) -> Any:
    """ẋ_i = P_{x_i} V m_i, m_i = Bᵀx_i/‖Bᵀx_i‖: the limit of many tokens as β → ∞, in which none sees another."""
    query = x @ B
    mean = query / np.sqrt((query * query).sum(axis=1))[:, None]
    return tangential(x, mean @ V.T)


_EQUATIONS = {
    "softmax": "dx_i/dt = V m_i - (x_i . V m_i) x_i;  m_i = sum_j softmax_j(beta x_i . B x_j) x_j",
    "zero-temperature": "dx_i/dt = V m_i - (x_i . V m_i) x_i;  m_i = B^T x_i / |B^T x_i|",
}

FORMS: tuple[str, ...] = ("softmax", "zero-temperature")
"""Forms of the flow, the default first."""


def attention(problem: Attention, *, form: str | None = None) -> Flow:
    r"""Flow that carries tokens on a sphere for the problem's time.

    .. math:: \dot x_i = P_{x_i} V m_i, \quad m_i = \sum_j \operatorname{softmax}_j(\beta\, x_i^\top B x_j)\, x_j

    Parameters
    ----------
    problem : Attention, n tokens, d dimensions
    form : {"softmax", "zero-temperature"}, optional
        "zero-temperature" takes m_i = Bᵀx_i/‖Bᵀx_i‖ whatever β is, and the flow's problem is then the one with β = ∞.
        If not given, "softmax" where β is finite.

    Returns
    -------
    Flow
        State "x", shape (n, d), each row of length 1; ends at the problem's time. Time in units of τ.

    Raises
    ------
    BadInput
        `form` is not one of these, is "softmax" though β is infinite, or needs an invertible B.

    Notes
    -----
    A token's sphere returns at rate 2 x·Vm, so it repels where x·Vm < 0: `compile` measures that along the run and adds
    κ(1 − ‖x‖²)x where it is needed. The n weights of a token are one softmax block.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: equations (1) and (3), Algorithm 2.
    """
    cold = math.isinf(problem.beta)
    form = form or ("zero-temperature" if cold else "softmax")
    refuse_unknown(form, FORMS, "form", "the attention flow")
    if form == "softmax" and cold:
        raise BadInput("form 'softmax' needs a finite beta; give one, or take the form 'zero-temperature'.")
    constants: dict[str, Any] = {"B": problem.B, "V": problem.V}
    function: Callable[..., Any] = zero_temperature
    if form == "softmax":
        function, constants = softmax_attention, {**constants, "beta": problem.beta}
    elif not cold:
        problem = problem.at_zero_temperature()
    return Flow(
        function,
        {"x": problem.tokens},
        (Sphere("x", problem.dimension),),
        constants,
        family="attention",
        form=form,
        equations=_EQUATIONS[form],
        problem=problem,
        end_time=problem.time,
    )
