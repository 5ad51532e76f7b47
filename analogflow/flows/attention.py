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


def several(x: Any, beta: float, relu: bool = False, offsets: np.ndarray | None = None, **matrices: np.ndarray) -> Any:
    """ẋ_i = P_{x_i} (Σ_h O_h V_h m_i^h + W2 σ(W1 x_i + b1) + b2): what heads pass on, and a perceptron's output.

    Matrices are named with the number of their head, such as Q_1. What a mask leaves out has an infinite offset, so that
    no part of the softmax is made for it.
    """
    drive: Any = 0.0
    for number in range(1, 1 + sum(name.startswith("V_") for name in matrices)):
        parts: list[Any] = [matrices.get(f"{name}_{number}") for name in "BQKVO"]
        B, Q, K, V, O = parts  # noqa: E741
        # At zero temperature lengths are divided out; else the crossbar of the queries has β in it.
        gain = 1.0 if np.isinf(beta) else beta
        queries = x @ (gain * B) if Q is None else x @ (gain * Q).T
        if np.isinf(beta):
            query = queries if K is None else queries @ K
            mean = query / np.sqrt((query * query).sum(axis=1))[:, None]
        else:
            scores = queries @ (x if K is None else x @ K.T).T
            mean = softmax(scores, offsets=offsets) @ x
        value = mean @ V.T if O is None else (mean @ V.T) @ O.T
        drive = value if number == 1 else drive + value
    if "W1" in matrices:
        units = x @ matrices["W1"].T
        units = units + matrices["b1"] if "b1" in matrices else units
        hidden = np.maximum(units, 0.0) if relu else np.tanh(units)
        drive = drive + hidden @ matrices["W2"].T
        drive = drive + matrices["b2"] if "b2" in matrices else drive
    return tangential(x, drive)


def _constants(problem: Attention, form: str) -> dict[str, Any]:
    """Of `several`: matrices that are not there are left out."""
    heads, output = problem.every_head, problem.output
    found: dict[str, Any] = {"beta": problem.beta if form == "softmax" else math.inf}
    column = 0
    for number, head in enumerate(heads, start=1):
        V = head.V / len(heads) if isinstance(output, str) and output == "mean" else head.V
        found |= {f"V_{number}": V, f"B_{number}": head.B, f"Q_{number}": head.Q, f"K_{number}": head.K}
        if isinstance(output, np.ndarray):
            found[f"O_{number}"] = output[:, column : column + len(V)]
            column += len(V)
    if problem.seen is not None:
        found["offsets"] = np.where(problem.seen, 0.0, np.inf)
    if problem.mlp is not None:
        mlp = problem.mlp
        found |= {"W1": mlp.W1, "W2": mlp.W2, "relu": mlp.activation == "relu"}
        found |= {name: shift for name, shift in (("b1", mlp.b1), ("b2", mlp.b2)) if shift.any()}
    return {name: value for name, value in found.items() if value is not None}


def _equations(problem: Attention, form: str) -> str:
    """Of `several`, as text."""
    several_heads = problem.heads is not None
    h = "^h" if several_heads else ""
    part = ("sum_h " if several_heads else "") + ("O V" if isinstance(problem.output, np.ndarray) else "V") + f"{h} m_i{h}"
    drive = f"({part} + W2 {problem.mlp.activation}(W1 x_i + b1) + b2)" if problem.mlp else f"({part})"
    if form == "softmax":
        scores = f"Q{h} x_i . K{h} x_j" if problem.every_head[0].B is None else f"x_i . B{h} x_j"
        sees = "j seen by i" if problem.mask is not None else "j"
        mean = f"m_i{h} = sum_j softmax_j(beta {scores}) x_j, over {sees}"
    else:
        mean = f"m_i{h} = B{h}^T x_i / |B{h}^T x_i|"
    return f"dx_i/dt = P_xi {drive};  {mean}"


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
    Several heads add their drives, or the output matrix makes one of what they pass on; a mask leaves scores out of the
    softmax; a perceptron is added to the drive.

    A token's sphere returns at rate 2 x·Vm, so it repels where x·Vm < 0: `compile` measures that along the run and adds
    κ(1 − ‖x‖²)x where it is needed. The n weights of a token are one softmax block.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: equations (1) and (3), Algorithm 2. The mask of Karagodin, Polyanskiy and
    Rigollet, arXiv:2411.04990 (2024).
    """
    cold = math.isinf(problem.beta)
    form = form or ("zero-temperature" if cold else "softmax")
    refuse_unknown(form, FORMS, "form", "the attention flow")
    if form == "softmax" and cold:
        raise BadInput("form 'softmax' needs a finite beta; give one, or take the form 'zero-temperature'.")
    if form == "zero-temperature" and not cold:
        problem = problem.at_zero_temperature()
    constants: dict[str, Any] = {"B": problem.B, "V": problem.V}
    function: Callable[..., Any] = zero_temperature
    if problem.B is None or problem.output is not None or not problem.alone:
        function, constants = several, _constants(problem, form)
        equations = _equations(problem, form)
    else:
        equations = _EQUATIONS[form]
        if form == "softmax":
            function, constants = softmax_attention, {**constants, "beta": problem.beta}
    return Flow(
        function,
        {"x": problem.tokens},
        (Sphere("x", problem.dimension),),
        constants,
        family="attention",
        form=form,
        equations=equations,
        problem=problem,
        end_time=problem.time,
    )
