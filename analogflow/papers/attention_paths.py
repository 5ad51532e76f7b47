"""Paths of tokens on a sphere, by the circuit and by digital integrations beside it, and how they look from one side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from analogflow.compiler import compile
from analogflow.digital.attention import attention_rate
from analogflow.flows import attention
from analogflow.papers.result import Curve, Line, Panel, largest
from analogflow.problems import Attention
from analogflow.reference.attention import by_runge_kutta
from analogflow.reference.attention_theory import Eigenspace, limit_tokens, wasserstein
from analogflow.simulators import ensemble

__all__ = [
    "SOURCE",
    "alignment_path",
    "band",
    "circuit_line",
    "circuit_path",
    "digital_path",
    "distance_path",
    "drawn_anew",
    "first_tokens",
    "named",
    "overtaken",
    "sphere",
]

Array = NDArray[np.float64]

SOURCE = "arXiv:2605.10931"
"""The paper, by its number."""


def first_tokens(problem: Attention, count: int, time: float | None = None) -> Attention:
    """Same problem with the first `count` tokens alone, to `time` or its own."""
    return dataclasses.replace(problem, tokens=problem.tokens[:count], time=problem.time if time is None else time)


def digital_path(problem: Attention, times: Array, *, accuracy: float = 1e-6, single: bool = False) -> Array:
    """Tokens at `times`, shape (times, n, d), by an embedded Runge-Kutta pair on the sphere.

    With `single`, attention weights are computed in single precision, which is six times as fast at 500 tokens and moves
    alignments by less than a hundredth: the paper's sizes need it.
    """
    shape = problem.tokens.shape
    moved = _single_rate(problem) if single and math.isfinite(problem.beta) else lambda x: attention_rate(problem, x, x)

    def rate(_: float, y: Array) -> Array:
        x = y.reshape(shape)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return moved(x).ravel()

    start = problem.tokens.ravel()
    run = solve_ivp(rate, (0, float(times[-1])), start, "RK45", times, rtol=accuracy, atol=1e-2 * accuracy)
    path = np.asarray(run.y.T).reshape(len(times), *shape)
    return path / np.linalg.norm(path, axis=-1, keepdims=True)


def _single_rate(problem: Attention) -> Callable[[Array], Array]:
    """P_x V m of all tokens, with weights in single precision and one buffer for them."""
    query, value = np.float32(problem.beta) * problem.B.astype(np.float32), problem.V.T.astype(np.float32)
    weights = np.empty((problem.count, problem.count), np.float32)

    def rate(x: Array) -> Array:
        # Subnormal numbers cost sixty times as much: what is below 1e-13 of the largest weight, or of the radius, is cut.
        seen = np.where(abs(x) < 1e-13, 0.0, x).astype(np.float32)
        np.matmul(seen @ query, seen.T, out=weights)
        np.subtract(weights, weights.max(axis=1, keepdims=True), out=weights)
        np.exp(np.maximum(weights, -30, out=weights), out=weights)
        drive = ((weights @ seen) / weights.sum(axis=1, keepdims=True) @ value).astype(float)
        return drive - (x * drive).sum(axis=1, keepdims=True) * x

    return rate


def circuit_path(problem: Attention, times: Array, *, accuracy: float = 1e-9) -> Array:
    """Tokens at `times`, shape (times, n, d): the compiled circuit in the block engine."""
    circuit = compile(attention(problem))
    run = ensemble(circuit, 1, time_constants=float(times[-1]), save=times, step_accuracy=accuracy)
    return np.asarray(run.values["x"][0]).reshape(len(times), *problem.tokens.shape)


def circuit_line(problem: Attention, path: Array, name: str = "") -> Line:
    """Whether the circuit's last tokens are those of an integration at 1e-12 that shares nothing with it."""
    off = largest(path[-1] - by_runge_kutta(problem, problem.time)[0])
    case = f"{name}{problem.count} tokens, {named(problem.beta)}, to t = {problem.time:g}"
    return Line(f"circuit of {case}, against an independent integration", 0.0, off, 1e-6, says="our check")


def drawn_anew(paper: str, here: str) -> Line:
    """What the paper leaves out, so that its very curves can not be drawn."""
    return Line.unjudged("the very curves of the figure", paper, f"drawn here: {here}")


def named(beta: float) -> str:
    """β as it is shown."""
    return f"β = {beta:g}" if math.isfinite(beta) else "β = ∞"


def alignment_path(path: Array, space: Eigenspace) -> Array:
    """Mean length of the projections onto `space` at every time, shape (times,)."""
    return np.linalg.norm(space.project(path), axis=-1).mean(axis=-1)


def overtaken(times: Array, aligned: dict[str, Array]) -> float:
    """First time from which F is above E for good; infinite if that is not before the end."""
    behind = np.flatnonzero(aligned["F"] <= aligned["E"])
    first = behind[-1] + 1 if len(behind) else 0
    return float(times[first]) if first < len(times) else math.inf


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


_CAMERA = np.array([0.6, -0.55, 0.58])
_RIGHT = np.cross([0.0, 0.0, 1.0], _CAMERA) / np.linalg.norm(np.cross([0.0, 0.0, 1.0], _CAMERA))
_UP = np.cross(_CAMERA, _RIGHT) / np.linalg.norm(_CAMERA)


def sphere(title: str, points: Array, spaces: dict[str, Eigenspace], *, label: str = "tokens") -> Panel:
    """Parallel projection of points on the sphere, shape (..., 3), with the unit vectors of named eigenspaces."""
    points = points.reshape(-1, 3)
    near = points @ _CAMERA >= 0
    angle = np.linspace(0, 2 * np.pi, 181)
    curves = [
        _seen(f"{label}, near side", points[near], "dots"),
        _seen(f"{label}, far side", points[~near], "haze"),
        Curve.of("sphere", np.cos(angle), np.sin(angle), "dotted"),
    ]
    for name, space in spaces.items():
        if space.dimension == 2:
            circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ space.basis.T
            curves.append(_seen(name, circle, "line"))
        elif space.dimension == 1:
            curves.append(_seen(name, np.array([space.basis[:, 0], -space.basis[:, 0]]), "points"))
    return Panel(title, "across (radii)", "up (radii)", tuple(curves), equal=True)


def _seen(label: str, points: ArrayLike, style: str) -> Curve:
    points = np.asarray(points, dtype=float)
    return Curve.of(label, points @ _RIGHT, points @ _UP, style)
