"""Where tokens start: uniform on the sphere, or drawn from a mixture of von Mises-Fisher distributions; all from a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_whole
from analogflow.errors import BadInput

__all__ = ["uniform_tokens", "von_mises_fisher_tokens"]

Array = NDArray[np.float64]


def uniform_tokens(count: int, dimension: int, *, seed: int) -> Array:
    """`count` tokens drawn uniformly from the unit sphere of ℝ^`dimension`, shape (count, dimension)."""
    return _directions(np.random.default_rng(seed), _whole(count, "count", 1), _whole(dimension, "dimension", 2))


def von_mises_fisher_tokens(
    count: int, centres: ArrayLike, concentrations: ArrayLike, *, seed: int, weights: Sequence[float] | None = None
) -> Array:
    r"""Tokens from a mixture of densities :math:`\propto e^{\kappa_k \mu_k \cdot x}` on the sphere.

    Parameters
    ----------
    count : int
    centres : array, shape (m, d)
        μ_k, of any length but 0: a centre of length ℓ with κ is a unit centre with κℓ.
    concentrations : array, shape (m,)
        κ_k ≥ 0; 0 is uniform.
    seed : int
    weights : sequence of float, optional
        Shares of the components, divided by their sum; equal if not given.

    Returns
    -------
    array, shape (count, d)

    Raises
    ------
    BadInput
        A count below 1, shapes that do not fit, a centre of length 0, a negative concentration or weight.

    Notes
    -----
    The cosine to the centre is drawn by rejection from a beta distribution, the rest uniformly across it.

    References
    ----------
    A. T. A. Wood, Simulation of the von Mises Fisher distribution, Commun. Stat. Simul. Comput. 23 (1994) 157.
    """
    _whole(count, "count", 1)
    mu, kappa = np.atleast_2d(np.asarray(centres, dtype=float)), np.atleast_1d(np.asarray(concentrations, dtype=float))
    share = np.ones(len(mu)) if weights is None else np.asarray(weights, dtype=float)
    lengths = np.linalg.norm(mu, axis=-1)
    faults = []
    if mu.ndim != 2 or mu.shape[1] < 2:
        faults.append(f"centres have shape {mu.shape}; give one row of two or more coordinates for each component")
    elif kappa.shape != (len(mu),) or share.shape != (len(mu),):
        faults.append(f"{len(mu)} centres come with {kappa.size} concentrations and {share.size} weights; give one each")
    elif not np.isfinite(mu).all() or not (lengths > 0).all():
        faults.append("a centre is 0 or not finite; give a direction")
    elif not (np.isfinite(kappa).all() and (kappa >= 0).all() and (share >= 0).all() and 0 < share.sum() < np.inf):
        faults.append("a concentration or weight is negative or not finite; give 0 or more, and not all weights 0")
    if faults:
        raise BadInput(f"von Mises-Fisher mixture: {faults[0]}.")
    rng = np.random.default_rng(seed)
    members = rng.choice(len(mu), size=count, p=share / share.sum())
    tokens = np.empty((count, mu.shape[1]))
    for k, (centre, length) in enumerate(zip(mu, lengths, strict=True)):
        mine = np.flatnonzero(members == k)
        tokens[mine] = _around(rng, len(mine), centre / length, float(kappa[k] * length))
    return tokens


def _around(rng: np.random.Generator, count: int, centre: Array, kappa: float) -> Array:
    """Tokens of density ∝ exp(κ centre·x)."""
    dimension = len(centre)
    if kappa == 0 or count == 0:
        return _directions(rng, count, dimension)
    free = dimension - 1
    b = free / (2 * kappa + np.sqrt(4 * kappa**2 + free**2))
    x0 = (1 - b) / (1 + b)
    c = kappa * x0 + free * np.log1p(-(x0**2))
    cosines = np.empty(0)
    while len(cosines) < count:
        z = rng.beta(free / 2, free / 2, 2 * count + 8)
        w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
        kept = kappa * w + free * np.log1p(-x0 * w) - c >= np.log(rng.random(len(w)))
        cosines = np.concatenate([cosines, w[kept]])
    w = cosines[:count, None]
    across = rng.standard_normal((count, dimension))
    across -= (across @ centre)[:, None] * centre
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    tokens = w * centre + np.sqrt(np.maximum(1 - w**2, 0)) * across
    return tokens / np.linalg.norm(tokens, axis=1, keepdims=True)


def _directions(rng: np.random.Generator, count: int, dimension: int) -> Array:
    x = rng.standard_normal((count, dimension))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _whole(value: int, name: str, least: int) -> int:
    if not is_whole(value, least):
        raise BadInput(f"{name} is {value!r}; give a whole number of at least {least}.")
    return int(value)
