"""First-order prediction of what imperfections do to a settled circuit: one linear solve in place of a simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_lyapunov

from analogflow.block_engine import VectorField
from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit
from analogflow.noise import Noise, standard_normal
from analogflow.passes import degrade

__all__ = ["Prediction", "predict"]

Array = NDArray[np.float64]

_DRAWS = (1 << 23) - 1
"""Number of the stream that draws a fluctuation for each sample; those of noise sources lie far below."""


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted ends of some samples.

    Parameters
    ----------
    states : array, shape (samples, size)
        States of the ideal graph, moved.
    signals : mapping of name to array, shape (samples, size of the signal)
        What the imperfect circuit shows there.
    covariance : array, shape (size, size)
        Of the fluctuations, from the Lyapunov equation; 0 without noise.
    """

    states: Array
    signals: Mapping[str, Array]
    covariance: Array


def predict(
    circuit: Circuit,
    settled: Array,
    samples: int,
    *,
    imperfections: Imperfections,
    noise: Noise,
    only: Collection[str] | None = None,
) -> Prediction:
    r"""Ends of `samples` samples to first order around the settled state y* of the ideal circuit.

    Static effects change the rates at y* by δf, so the state settles at y* − J⁻¹ δf. Noise of intensities D entering through
    N = ∂f/∂n leaves fluctuations of covariance Σ with J Σ + Σ Jᵀ + N D² Nᵀ = 0. A finite bandwidth moves no equilibrium.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it.
    settled : array, shape (size,)
        Settled state of the ideal circuit.
    samples : int
    imperfections, noise : as for an ensemble
    only : collection of node names, optional
        Blocks that are imperfect; all if not given.
    """
    static = imperfections.without("bandwidth")
    graph = degrade(
        circuit.graph, static, sigma=noise.sigma, seed=noise.seed, samples=range(samples),
        full_scale=1 / circuit.unit, time_constant=circuit.time_constant, only=only,
    )  # fmt: skip
    field, ideal = VectorField(graph), VectorField(circuit.graph)
    jacobian = ideal.jacobian(settled)
    inverse = np.linalg.pinv(jacobian)
    there = np.tile(settled, (samples, 1))
    moved = there - (field(0.0, there) - ideal(0.0, settled)) @ inverse.T
    covariance = np.zeros_like(jacobian)
    shaking = None
    if len(field.streams):
        entry = field.noise_jacobian(there)[0] * field.density
        covariance = solve_continuous_lyapunov(jacobian, -entry @ entry.T)
        draws = standard_normal(noise.seed, range(samples), _DRAWS, ideal.size + len(field.streams))
        moved = moved + draws[:, : ideal.size] @ _root(covariance).T
        shaking = draws[:, ideal.size :] * field.density / np.sqrt(noise.step)
    return Prediction(moved, field.observables(moved, shaking), covariance)


def _root(covariance: Array) -> Array:
    """Symmetric square root; directions that rounding made negative count as still."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return vectors * np.sqrt(np.maximum(values, 0.0))
