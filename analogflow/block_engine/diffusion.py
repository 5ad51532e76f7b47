"""A block graph under white noise as a diffusion, and the exact stationary law of one that is linear.

Nothing is known here of the problem that a graph solves: what is wrong with its blocks is in its vector field.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_lyapunov

from analogflow.block_engine.vector_field import VectorField
from analogflow.graph import BlockGraph

__all__ = ["CircuitLaw", "Diffusion", "diffusion_of", "linear_law"]

Array = NDArray[np.float64]

_PROBES, _SCALES, _LOUD = 16, (1e-2, 1.0, 1e2), 1e6
"""Points at which rates are held against a straight line in the noise, their distances, and how loud that is, over them."""

_STRAIGHT = 1e-9
"""Departure from a straight line, over the terms of it, that rounding explains."""

_FAR = 9.0
"""Standard deviations of a signal that a Gaussian law goes to: farther out is less of it than rounding."""

_EPSILON = float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True, eq=False)
class CircuitLaw:
    """Stationary law of a circuit's states under white noise, in the units of its graph.

    Parameters
    ----------
    mean, mean_gap : array, shape (n,)
    covariance, covariance_gap : array, shape (n, n)
        The gaps bound how far the solver may be off.
    method : str
        How it was found: "lyapunov", "quadrature" or "fokker-planck".
    """

    mean: Array
    mean_gap: Array
    covariance: Array
    covariance_gap: Array
    method: str


@dataclasses.dataclass(frozen=True, eq=False)
class Diffusion:
    """ẏ = a(y) + B(y) ξ with independent white noises ξ, as Stratonovich reads it.

    So do circuits: noise that is linear between knots, or of any finite bandwidth, tends to it as knots come closer
    (E. Wong and M. Zakai, Annals of Mathematical Statistics 36 (1965) 1560).

    Parameters
    ----------
    field : VectorField
    constant : bool
        Whether B is the same everywhere.
    own : bool
        Whether each source drives one state alone.
    """

    field: VectorField
    constant: bool
    own: bool

    @property
    def size(self) -> int:
        """Number of states n."""
        return self.field.size

    def drift(self, y: Array) -> Array:
        """a, shape (..., n), at states y, shape (..., n)."""
        return self.field(0.0, y)

    def spread(self, y: Array) -> Array:
        """B, shape (..., n, sources)."""
        return self.field.noise_jacobian(y) * self.field.density


def diffusion_of(graph: BlockGraph) -> Diffusion | None:
    """The diffusion of a graph's states, and of whatever these come from; None where it is none.

    Poles behind what people only read have no part in it. Rates have to be straight lines in the noise: the square of a
    white noise, or a limited one, is no white noise, and what it does depends on its bandwidth.

    Parameters
    ----------
    graph : BlockGraph
        Of one sample.
    """
    graph = graph.behind(name for name, node in graph.states.items() if not graph.integrator(node).hidden)
    field = VectorField(graph)
    if not len(field.streams):
        return None
    start = graph.initial()
    size = max(1.0, float(abs(start).max(initial=0.0)))
    draws = np.random.default_rng(0)
    normal = draws.normal(size=(len(_SCALES), _PROBES, field.size))
    points = np.concatenate([start + size * scale * each for scale, each in zip(_SCALES, normal, strict=True)])
    with np.errstate(all="ignore"):
        quiet, into = field(0.0, points), field.noise_jacobian(points)
        loud = (
            _LOUD
            * np.maximum(1.0, abs(points).max(axis=1, keepdims=True))
            * draws.normal(size=(len(points), len(field.streams)))
        )
        there = field(0.0, points, loud)
        carried = np.einsum("pns,ps->pn", into, loud)
        terms = np.einsum("pns,ps->pn", abs(into), abs(loud)) + abs(quiet)
        off = abs(there - quiet - carried) - _STRAIGHT * terms
    known = np.isfinite(quiet).all(axis=1) & np.isfinite(into).all(axis=(1, 2))
    # A loud noise whose rates are no numbers where those of a silent one are is bent, too.
    if not known.any() or not (off[known] <= 0).all():
        return None
    into = into[known]
    constant = bool((abs(into - into[0]) <= _STRAIGHT * abs(into).max(initial=0.0)).all())
    own = bool(((into != 0).any(axis=0).sum(axis=0) <= 1).all())
    return Diffusion(field, constant, own)


def linear_law(diffusion: Diffusion) -> CircuitLaw | None:
    """Gaussian law of a diffusion whose rates are linear and whose noise is the same everywhere; None where it is not.

    The mean is where the rates vanish, and A C + C Aᵀ + B Bᵀ = 0. Rates are held against a straight line as far as each
    signal of the graph is carried by nine of its standard deviations, either way, so that no limit is overlooked that the
    law meets. None also where the motion is not stable, so that there is no law.
    """
    field, here = diffusion.field, diffusion.field.graph.initial()
    if not diffusion.constant:
        return None
    with np.errstate(all="ignore"):
        A, rates = field.jacobian(here), diffusion.drift(here)
    if not np.isfinite(A).all() or not np.real(np.linalg.eigvals(A)).max(initial=-np.inf) < 0:
        return None
    inverse = np.linalg.inv(A)
    mean = here - inverse @ rates
    B = diffusion.spread(mean)
    noise = B @ B.T
    covariance = np.asarray(solve_continuous_lyapunov(A, -noise))
    covariance = 0.5 * (covariance + covariance.T)
    if not np.isfinite(covariance).all() or not _straight(diffusion, A, mean, covariance):
        return None
    mean_gap = abs(inverse) @ (abs(diffusion.drift(mean)) + len(A) * _EPSILON * (abs(A) @ abs(mean) + abs(rates)))
    left = abs(A @ covariance + covariance @ A.T + noise)
    left = left + len(A) * _EPSILON * (2 * abs(A) @ abs(covariance) + abs(noise))
    # ∫ e^{At} left e^{A't} dt is at most that of the norms; of a normal A it is left over twice the slowest rate.
    values, vectors = np.linalg.eig(A)
    twist = np.linalg.cond(vectors) ** 2
    return CircuitLaw(
        mean,
        mean_gap,
        covariance,
        np.full_like(left, twist * np.linalg.norm(left) / (2 * abs(np.real(values)).min())),
        "lyapunov",
    )


def _straight(diffusion: Diffusion, A: Array, mean: Array, covariance: Array) -> bool:
    """Whether rates are A (y − mean) as far as a Gaussian law takes any signal."""
    field = diffusion.field
    with np.errstate(all="ignore"):
        tangents = field.tangents(field.signals(mean))
        rows = np.concatenate([np.broadcast_to(each, (each.shape[-2], field.size)) for each in tangents.values()])
        along = rows @ covariance
        widths = np.sqrt(np.maximum((along * rows).sum(axis=1), 0.0))
        moved = widths > 0
        steps = _FAR * along[moved] / widths[moved, None]
        steps = np.concatenate([steps, -steps, 0.5 * steps])
        off = abs(diffusion.drift(mean + steps) - steps @ A.T)
        terms = abs(steps) @ abs(A).T + abs(A) @ abs(mean)
        return bool((off <= _STRAIGHT * np.maximum(terms, terms.max(axis=1, keepdims=True))).all())
