"""Paths of tokens, by the circuit in the block engine and by digital integrations beside it, and what is read off them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.compiler import compile
from analogflow.digital.attention import attention_rate
from analogflow.flows import attention
from analogflow.problems import Attention
from analogflow.reference.attention import Eigenspace, by_runge_kutta, limit_tokens, wasserstein
from analogflow.reproduction.result import Curve, Finding, largest
from analogflow.simulators import ensemble

__all__ = [
    "SOURCE",
    "alignment_path",
    "band",
    "circuit_finding",
    "circuit_path",
    "digital_path",
    "distance_path",
    "drawn_anew",
    "first_tokens",
    "named",
    "verdict",
]

Array = NDArray[np.float64]

SOURCE = "arXiv:2605.10931"
"""The paper, by its number."""


def first_tokens(problem: Attention, count: int, time: float | None = None) -> Attention:
    """Same problem with the first `count` tokens alone, to `time` or its own."""
    return dataclasses.replace(problem, tokens=problem.tokens[:count], time=problem.time if time is None else time)


def digital_path(problem: Attention, times: Array, *, accuracy: float = 1e-6) -> Array:
    """Tokens at `times`, shape (times, n, d), by an embedded Runge-Kutta pair on the sphere."""
    shape = problem.tokens.shape

    def rate(_: float, y: Array) -> Array:
        x = y.reshape(shape)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return attention_rate(problem, x, x).ravel()

    start = problem.tokens.ravel()
    run = solve_ivp(rate, (0, float(times[-1])), start, "RK45", times, rtol=accuracy, atol=1e-2 * accuracy)
    path = np.asarray(run.y.T).reshape(len(times), *shape)
    return path / np.linalg.norm(path, axis=-1, keepdims=True)


def circuit_path(problem: Attention, times: Array, *, accuracy: float = 1e-9) -> Array:
    """Tokens at `times`, shape (times, n, d): the compiled circuit in the block engine."""
    circuit = compile(attention(problem))
    run = ensemble(circuit, 1, time_constants=float(times[-1]), save=times, step_accuracy=accuracy)
    return np.asarray(run.values["x"][0]).reshape(len(times), *problem.tokens.shape)


def circuit_finding(problem: Attention, path: Array) -> Finding:
    """Whether the circuit's last tokens are those of an integration at 1e-12 that shares nothing with it."""
    off = largest(path[-1] - by_runge_kutta(problem, problem.time)[0])
    case = f"{problem.count} tokens, {named(problem.beta)}, to t = {problem.time:g}"
    claim = f"circuit of {case}, against an independent integration"
    return Finding(claim, "", "at most 1e-6 apart", f"{off:.1g}", verdict(off <= 1e-6))


def drawn_anew(paper: str, here: str) -> Finding:
    """What the paper leaves out, so that its very curves can not be drawn."""
    return Finding("the very curves of the figure", paper, here, "", "cannot be reproduced")


def named(beta: float) -> str:
    """β as it is shown."""
    return f"β = {beta:g}" if math.isfinite(beta) else "β = ∞"


def verdict(holds: bool | np.bool_) -> str:
    """Verdict on a claim that holds or does not."""
    return "agrees" if holds else "differs"


def alignment_path(path: Array, space: Eigenspace) -> Array:
    """Mean length of the projections onto `space` at every time, shape (times,)."""
    return np.linalg.norm(space.project(path), axis=-1).mean(axis=-1)


def distance_path(problem: Attention, path: Array, space: Eigenspace) -> Array:
    """W₂ from Π♯ρ₀ at every time, shape (times,)."""
    limit = limit_tokens(problem.tokens, space)
    return np.array([wasserstein(tokens, limit) for tokens in path])


def band(label: str, times: Array, runs: Array, style: str = "line") -> tuple[Curve, ...]:
    """Mean over runs, shape (runs, times), and faint lines at the quantiles 0.1 and 0.9, as the paper shades them.

    A dashed mean lets one below it be seen where the two coincide.
    """
    low, high = np.quantile(runs, [0.1, 0.9], axis=0)
    return (
        Curve.of(label, times, runs.mean(axis=0), style),
        Curve.of(f"{label}, quantile 0.1", times, low, "faint"),
        Curve.of(f"{label}, quantile 0.9", times, high, "faint"),
    )
