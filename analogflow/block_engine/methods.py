"""One step of an integration method, for many samples at once, each with a step of its own.

A method does not choose its step and knows no samples that failed; `analogflow.block_engine.integration` does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from analogflow.block_engine.vector_field import VectorField

__all__ = ["EXPLICIT", "IMPLICIT", "Method", "Rows", "Step", "few_threads", "method_for"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
"""Indices of samples."""

Waveform = Callable[[float], Array | None]
"""Noise at a fraction of the step, shape (samples, sources); None where there is none."""


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """End of a step, the rates there and an estimate of its error, each of shape (samples, size).

    ``inside`` gives the path of some samples, by their rows, at a fraction θ of the step of each.
    """

    end: Array
    rate: Array
    error: Array
    inside: Callable[[Rows, Array], Array]


class Method(Protocol):
    """What the march needs of a method: the order its error estimate has in the step, and the step itself."""

    order: int

    def __call__(self, field: VectorField, y: Array, rate: Array, h: Array, waveform: Waveform, slope: Array | None) -> Step:
        """Step from `y` with rates `rate` over `h`, shape (samples, 1); `slope` is the noise's change over the step."""
        ...


class _DormandPrince:
    """Explicit Runge-Kutta method of order 5, whose last stage is the first of the next step.

    J. R. Dormand and P. J. Prince, J. Comp. Appl. Math. 6 (1980) 19; the coefficients are SciPy's.
    """

    order = 5

    def __call__(self, field: VectorField, y: Array, rate: Array, h: Array, waveform: Waveform, slope: Array | None) -> Step:
        tableau: Any = scipy.integrate.RK45
        last = tableau.n_stages
        stages = _room(last + 1, y)
        stages[0] = rate
        for stage in range(1, last):
            inner = y + h * _mixed(tableau.A[stage, :stage], stages)
            stages[stage] = field(0.0, inner, waveform(tableau.C[stage]))
        end = y + h * _mixed(tableau.B, stages)
        stages[last] = field(0.0, end, waveform(1.0))

        def inside(rows: Rows, theta: Array) -> Array:
            weights = (theta[:, None] ** np.arange(1, tableau.P.shape[1] + 1)) @ tableau.P.T
            return y[rows] + h[rows] * np.einsum("sk,ksn->sn", weights, stages[:, rows])

        return Step(end, stages[last], h * _mixed(tableau.E, stages), inside)


def _room(count: int, y: Array) -> Array:
    """Room for `count` arrays like `y`, each laid out in memory as it is."""
    if y.flags.c_contiguous:
        return np.empty((count, *y.shape))
    return np.empty((count, *y.shape[::-1])).transpose(0, 2, 1)


def _mixed(weights: Array, stages: Array) -> Array:
    """Sum of the first stages times their weights, in one product over all of memory."""
    by_rows = stages.flags.c_contiguous
    plain = stages if by_rows else stages.transpose(0, 2, 1)
    mixed = (weights @ plain[: len(weights)].reshape(len(weights), -1)).reshape(plain.shape[1:])
    return mixed if by_rows else mixed.T


class _Rodas:
    """Linearly implicit Runge-Kutta (Rosenbrock) method of order 4, L-stable, with Hermite's cubic inside the step.

    E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, section IV.7 and the code RODAS.
    """

    order = 4
    gamma = 0.25
    a = np.array([
        [0, 0, 0, 0, 0],
        [1.544, 0, 0, 0, 0],
        [0.9466785280815826, 0.2557011698983284, 0, 0, 0],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0, 0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.687886036105895, 0],
    ])  # fmt: skip
    c = np.array([
        [0, 0, 0, 0, 0],
        [-5.6688, 0, 0, 0, 0],
        [-2.430093356833875, -0.2063599157091915, 0, 0, 0],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0, 0],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.7089089320616, 0],
        [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
    ])  # fmt: skip
    time = (0.0, 0.386, 0.21, 0.63, 1.0, 1.0)
    drift = (0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0)

    def __call__(self, field: VectorField, y: Array, rate: Array, h: Array, waveform: Waveform, slope: Array | None) -> Step:
        noise = waveform(0.0)
        size = y.shape[-1]
        step = np.where(h > 0, h, 1.0)[..., None]
        inverse = _inverse(np.eye(size) / (self.gamma * step) - field.jacobian(y, noise))
        moved = 0.0 if slope is None else (field.noise_jacobian(y, noise) @ slope[..., None])[..., 0]
        stages = np.empty((6, *y.shape))
        inner = y
        for stage in range(6):
            if stage:
                inner = inner + stages[4] if stage == 5 else y + np.tensordot(self.a[stage, :stage], stages[:stage], axes=1)
            known = rate if stage == 0 else field(0.0, inner, waveform(self.time[stage]))
            known = known + self.drift[stage] * moved
            if stage:
                known = known + np.tensordot(self.c[stage, :stage], stages[:stage], axes=1) / step[..., 0]
            stages[stage] = np.where(h > 0, (inverse @ known[..., None])[..., 0], 0.0)
        end = inner + stages[5]

        end_rate = field(0.0, end, waveform(1.0))

        def inside(rows: Rows, theta: Array) -> Array:
            s, step_rows = theta[:, None], h[rows]
            jump = end[rows] - y[rows]
            bend = (1 - 2 * s) * jump + (s - 1) * step_rows * rate[rows] + s * step_rows * end_rate[rows]
            return y[rows] + s * jump + s * (s - 1) * bend

        return Step(end, end_rate, stages[5], inside)


def _inverse(matrices: Array) -> Array:
    """Inverse of each matrix, shape (..., n, n); no numbers for a singular one, so that its sample takes a shorter step."""
    try:
        return np.asarray(np.linalg.inv(matrices), dtype=float)
    except np.linalg.LinAlgError:
        return np.full_like(matrices, np.nan) if matrices.ndim == 2 else np.stack([_inverse(each) for each in matrices])


EXPLICIT: Method = _DormandPrince()
"""For problems whose fastest rate is near 1 per τ, with noise or without."""

IMPLICIT: Method = _Rodas()
"""For stiff problems, such as circuits whose poles lie far above 1 per τ, with noise or without."""

_STIFF = 25.0
"""Rate, per τ, from which the explicit method would take its steps for stability and not for accuracy."""

_STABLE = 2.0
"""Rate times step up to which the explicit method is stable, with a margin: its stability ends at 3.3."""

_TANGENTS = 2**24
"""Numbers of the tangents of all signals that are held at once."""

_LARGEST_SPECTRUM, _WORTH_MORE = 400, 512
"""States beyond which no spectrum is computed, and from which the linear algebra library may take more threads."""


def method_for(field: VectorField, y: Array, longest: float = np.inf) -> Method:
    """Method that suits the rates of `field` at `y`, shape (samples, size), as its poles and its Jacobian show them.

    No step is longer than `longest`, in τ: over steps as short as those between knots the explicit method may be stable.
    """
    stiff = max(_STIFF, _STABLE / longest)
    if field.fastest_leak() > stiff:
        return IMPLICIT
    if field.size > _LARGEST_SPECTRUM:
        return EXPLICIT
    found, at_once = EXPLICIT, max(1, _TANGENTS // (field.width * field.size))
    with np.errstate(all="ignore"), few_threads(field.size):
        for first in range(0, len(y), at_once):
            jacobian = field.jacobian(y[first : first + at_once])
            if not np.isfinite(jacobian).all():
                return EXPLICIT
            bound = abs(jacobian).sum(axis=-1).max()  # no eigenvalue is larger, and most need no closer look
            if bound > stiff and abs(np.linalg.eigvals(jacobian)).max() > stiff:
                found = IMPLICIT
    return found


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def few_threads(size: int) -> contextlib.AbstractContextManager[object]:
    """One thread of the linear algebra library below 512 states, where a second one only waits; else as many as it takes."""
    return _controller().limit(limits=1) if size < _WORTH_MORE else contextlib.nullcontext()
