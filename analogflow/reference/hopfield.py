"""The exact answer to a Hopfield problem: its rest at temperature 0, or mean and covariance of its stationary law.

The linear network's law is a Gaussian whose covariance is found in three ways that must agree. A rest without noise is
followed from the start by an implicit integrator and finished by Newton's method.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.problems.hopfield import root
from analogflow.reference.hopfield_saturating import by_quadrature, by_sampling

__all__ = [
    "HopfieldReference",
    "curvature",
    "drift",
    "energy",
    "from_hessian",
    "from_lyapunov",
    "from_spectrum",
    "gaussian_law",
    "gradient",
    "hopfield_reference",
    "metric",
    "overlaps",
    "rates",
    "valley_at",
]

Array = NDArray[np.float64]

_ROUNDING = float(np.finfo(float).eps)
"""Rounding of a sum, per term."""

_BEND = 0.77
"""Largest second derivative of tanh, 4/√27, rounded up."""

_SLOW, _LONGEST, _NEWTON = 1e-7, 2.0**16, 30


@dataclasses.dataclass(frozen=True, eq=False)
class HopfieldReference:
    """Mean and covariance of (v, h), with what is known of their error.

    Parameters
    ----------
    mean : array, shape (n + m,)
    covariance : array, shape (n + m, n + m)
        0 at temperature 0.
    gap : float
        Bound on the error of any number: what is left of the equations brought back through their derivative, or a larger
        difference of three ways of computing (linear); what the rules of all units are off by, whatever the others do
        ("quadrature"); for "sampling" a statistical statement, five standard errors or the difference of chains from two
        starts.
    method : {"rest", "lyapunov", "quadrature", "sampling"}
    energy : float
        E at the mean.
    valley : float
        Smallest curvature of the energy at the mean, 1 − σ with the largest singular value σ of √G' U √F', where
        G' = ∂²L_v and F' = ∂²L_h: its sign is that of the Hessian's smallest eigenvalue, also where an activation is
        saturated and the Hessian vanishes. For a rest it must be positive.
    overlap : array, shape (P,), optional
        Of the rest with the problem's memories, as `overlaps` says; None of a law, and where there are none.
    """

    mean: Array
    covariance: Array
    gap: float
    method: str
    energy: float
    valley: float
    overlap: Array | None = None

    def __post_init__(self) -> None:
        for array in (self.mean, self.covariance):
            array.setflags(write=False)

    @property
    def exact(self) -> bool:
        """Whether the gap is a bound; else it is an interval of chains: the law is without exact reference."""
        return self.method != "sampling"

    def __repr__(self) -> str:
        return f"HopfieldReference({len(self.mean)} states by {self.method}, gap {self.gap:.2g})"


@functools.lru_cache(maxsize=8)
def hopfield_reference(problem: Hopfield) -> HopfieldReference:
    """Reference for `problem`: with a bound on its error, or by sampling where a saturating one is too large or too cold."""
    if problem.temperature == 0:
        covariance = np.zeros((problem.size, problem.size))
        if problem.activation == "linear":
            mean, gap = _linear_rest(problem)
        else:
            mean, gap = _curved_rest(problem)
        method = "rest"
    elif problem.activation == "linear":
        mean, covariance, gap = gaussian_law(problem)
        method = "lyapunov"
    elif (law := by_quadrature(problem)) is not None:
        (mean, covariance, gap), method = law, "quadrature"
    else:
        (mean, covariance, gap), method = by_sampling(problem), "sampling"
    overlap = overlaps(problem, mean) if problem.temperature == 0 and problem.memories is not None else None
    valley = valley_at(problem, mean)
    return HopfieldReference(mean, covariance, gap, method, energy(problem, mean), valley, overlap)


def valley_at(problem: Hopfield, state: ArrayLike) -> float:
    """1 − σ, σ the largest singular value of √G' U √F' at a state: minus the largest eigenvalue of the rates' Jacobian."""
    n, slopes = problem.visible, metric(problem, state)
    return 1 - float(np.linalg.norm(root(slopes[:n, :n]) @ problem.U @ root(slopes[n:, n:]), ord=2))


def overlaps(problem: Hopfield, state: ArrayLike) -> Array:
    """Overlap ξ·g(v)/|ξ|² of a state with each of the problem's memories, shape (P,): 1 where g(v) is the memory itself."""
    memories = problem.memories
    if memories is None:
        raise BadInput(f"overlaps: {problem!r} has no patterns; give it some.")
    return np.asarray(memories @ _parts(problem, state)[2] / (memories**2).sum(axis=1))


def _parts(problem: Hopfield, state: ArrayLike) -> tuple[Array, Array, Array, Array]:
    """v, h, g(v), f(h)."""
    x = real_array(state, "state")
    v, h = x[: problem.visible], x[problem.visible :]
    g, f = problem.gain_v @ v, problem.gain_h @ h
    if problem.activation == "softmax":
        return v, h, g, np.asarray(scipy.special.softmax(f))
    return (v, h, g, f) if problem.activation == "linear" else (v, h, np.tanh(g), np.tanh(f))


def energy(problem: Hopfield, state: ArrayLike) -> float:
    """E = (v − I)·g − L_v + h·f − L_h − gᵀU f at a state (v, h), shape (n + m,)."""
    v, h, g, f = _parts(problem, state)
    if problem.activation == "linear":
        potentials = 0.5 * (v @ g + h @ f)
    elif problem.activation == "softmax":
        beta = problem.gain_h[0, 0]
        potentials = 0.5 * v @ g + float(np.asarray(scipy.special.logsumexp(beta * h))) / beta
    else:
        potentials = sum(
            float((np.logaddexp(a * x, -a * x) - np.log(2)) @ (1 / a))
            for a, x in ((np.diag(problem.gain_v), v), (np.diag(problem.gain_h), h))
        )
    return float((v - problem.I) @ g + h @ f - g @ problem.U @ f - potentials)


def rates(problem: Hopfield, state: ArrayLike) -> Array:
    """(v̇, ḣ) at temperature 0, shape (n + m,)."""
    v, h, g, f = _parts(problem, state)
    return np.concatenate([problem.U @ f - v + problem.I, problem.U.T @ g - h])


def metric(problem: Hopfield, state: ArrayLike) -> Array:
    """∂²L_v and ∂²L_h as one block matrix, the inverse of the mobility K where it has one, shape (n + m, n + m)."""
    _, _, g, f = _parts(problem, state)
    n = problem.visible
    blocks = np.zeros((problem.size, problem.size))
    blocks[:n, :n], blocks[n:, n:] = problem.gain_v, problem.gain_h
    if problem.activation == "softmax":
        blocks[n:, n:] = problem.gain_h[0, 0] * (np.diag(f) - np.outer(f, f))
    if problem.activation == "tanh":
        blocks *= 1 - np.concatenate([g, f]) ** 2
    return blocks


def gradient(problem: Hopfield, state: ArrayLike) -> Array:
    """∂E = −∂²L (v̇, ḣ), shape (n + m,); the proof in the paper has the sign of v and h wrong."""
    return -metric(problem, state) @ rates(problem, state)


def curvature(problem: Hopfield, state: ArrayLike) -> Array:
    """∂²E where the rates vanish: ∂²L − ∂²L_v U ∂²L_h and its transpose off the diagonal, shape (n + m, n + m)."""
    blocks = metric(problem, state)
    n = problem.visible
    coupling = -blocks[:n, :n] @ problem.U @ blocks[n:, n:]
    blocks[:n, n:], blocks[n:, :n] = coupling, coupling.T
    return blocks


def drift(problem: Hopfield) -> Array:
    """Matrix A of the linear rates A (v, h) + (I, 0), shape (n + m, n + m)."""
    n, m = problem.U.shape
    A = np.zeros((n + m, n + m))
    np.fill_diagonal(A, -1.0)
    A[:n, n:], A[n:, :n] = problem.U @ problem.gain_h, problem.U.T @ problem.gain_v
    return A


def _linear_rest(problem: Hopfield) -> tuple[Array, float]:
    """Where the linear rates vanish, shape (n + m,): the mean of the law, and the rest at temperature 0; and its error."""
    inputs, A = np.concatenate([problem.I, np.zeros(problem.hidden)]), drift(problem)
    rest = np.asarray(np.linalg.solve(A, -inputs), dtype=float)
    left = abs(A @ rest + inputs) + problem.size * _ROUNDING * (abs(A) @ abs(rest) + abs(inputs))
    return rest, float((abs(np.linalg.inv(A)) @ left).max())


def from_hessian(problem: Hopfield) -> Array:
    """T H⁻¹ with H = [[G, −G U F], [·, F]], by Cholesky."""
    hessian = curvature(problem, np.zeros(problem.size))
    return problem.temperature * np.asarray(scipy.linalg.cho_solve(scipy.linalg.cho_factor(hessian), np.eye(problem.size)))


def from_lyapunov(problem: Hopfield) -> Array:
    """Solution C of A C + C Aᵀ + 2T K = 0, by Bartels and Stewart's method with one step of refinement."""
    A = drift(problem)
    noise = 2 * problem.temperature * np.linalg.inv(metric(problem, np.zeros(problem.size)))
    C = scipy.linalg.solve_continuous_lyapunov(A, -noise)
    C = C - scipy.linalg.solve_continuous_lyapunov(A, A @ C + C @ A.T + noise)
    return np.asarray((C + C.T) / 2, dtype=float)


def from_spectrum(problem: Hopfield) -> Array:
    """2T ∫ e^{At} K e^{Aᵀt} dt, where √G U √F = R σ Sᵀ makes the rates 1 ∓ σ."""
    roots = []
    for gain in (problem.gain_v, problem.gain_h):
        values, vectors = np.linalg.eigh(gain)
        roots.append(((vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T))
    left, sigma, right = np.linalg.svd(roots[0][0] @ problem.U @ roots[1][0], full_matrices=True)
    n, m = problem.U.shape
    padded = np.zeros(max(n, m))  # directions without a partner have the singular value 0
    padded[: len(sigma)] = sigma
    weights, same = 1 / (1 - padded**2), np.zeros((n + m, n + m))
    same[:n, :n] = (left * weights[:n]) @ left.T
    same[n:, n:] = (right.T * weights[:m]) @ right
    cross = (left[:, : len(sigma)] * (sigma / (1 - sigma**2))) @ right[: len(sigma)]
    same[:n, n:], same[n:, :n] = cross, cross.T
    spread = np.zeros_like(same)
    spread[:n, :n], spread[n:, n:] = roots[0][1], roots[1][1]
    return problem.temperature * (spread @ same @ spread)


def gaussian_law(problem: Hopfield) -> tuple[Array, Array, float]:
    """Mean, covariance T H⁻¹, and a bound on the error of any of their numbers.

    The bound is what is left of H C = T, with its rounding, brought back through H⁻¹; or the largest difference of the three
    covariances from each other, if that is larger; or the bound of the mean.
    """
    found = [way(problem) for way in (from_hessian, from_lyapunov, from_spectrum)]
    apart = max(float(abs(found[k] - found[k - 1]).max()) for k in range(3))
    hessian, size = curvature(problem, np.zeros(problem.size)), problem.size
    left = abs(hessian @ found[0] - problem.temperature * np.eye(size))
    left = left + size * _ROUNDING * (abs(hessian) @ abs(found[0]))
    back = abs(found[0]) / problem.temperature
    mean, gap = _linear_rest(problem)
    return mean, found[0], max(apart, gap, float((back @ left).max()))


def _jacobian(problem: Hopfield, state: Array) -> Array:
    """Derivative of the rates, shape (n + m, n + m)."""
    n, m = problem.U.shape
    blocks = metric(problem, state)
    return np.block([[-np.eye(n), problem.U @ blocks[n:, n:]], [problem.U.T @ blocks[:n, :n], -np.eye(m)]])


def _curved_rest(problem: Hopfield) -> tuple[Array, float]:
    """The rest that is reached from the problem's start, and a bound on its error.

    The bound is Kantorovich's: 2 |J⁻¹ rates|, where |J⁻¹| K |J⁻¹ rates| ≤ 1/2 with a Lipschitz constant K of J. At the edge
    of a second rest, where that does not hold, none is known, and the gap is infinite.

    Raises
    ------
    BadInput
        None is reached in 65536 τ: the network is at the edge of having two.
    """
    state, length, passed = np.array(problem.start), 16.0, 0.0
    while abs(rates(problem, state)).max() > _SLOW:
        if passed > _LONGEST:
            raise BadInput(f"Hopfield: no rest is reached in {passed:g} τ; scale U by a few percent.")
        state = scipy.integrate.solve_ivp(
            lambda _, y: rates(problem, y), (0, length), state, method="LSODA", rtol=1e-10, atol=1e-12
        ).y[:, -1]
        passed, length = passed + length, 2 * length
    gap = np.inf
    for _ in range(_NEWTON):
        step = np.linalg.solve(_jacobian(problem, state), -rates(problem, state))
        size = float(abs(step).max())
        if size >= gap:
            break
        state, gap = state + step, size
    return state, _bound(problem, state)


def _bound(problem: Hopfield, state: Array) -> float:
    """Distance within which the rates are sure to vanish once."""
    U, G, F = problem.U, np.diag(problem.gain_v), np.diag(problem.gain_h)
    back = np.linalg.inv(_jacobian(problem, state))
    size = abs(U).sum(axis=1).max() + 1, abs(U.T @ problem.gain_v).sum(axis=1).max() + 1
    rounding = problem.size * _ROUNDING * (max(size) + float(abs(state).max()) + float(abs(problem.I).max()))
    left = float((abs(back) @ (abs(rates(problem, state)) + rounding)).max())
    if problem.activation == "softmax":
        certain = abs(back).sum(axis=1).max() * _dense_lipschitz(problem, state, left) * left <= 0.5
        return 2 * left if certain else np.inf
    # Where a unit is saturated its activation is straight: |tanh″ x| ≤ 8 e^{−2|x|}.
    bends = [
        gain**2 * np.minimum(_BEND, 8 * np.exp(-2 * np.maximum(gain * (abs(part) - 2 * left), 0)))
        for gain, part in ((G, state[: problem.visible]), (F, state[problem.visible :]))
    ]
    lipschitz = max(float((abs(U) @ bends[1]).max()), float((bends[0] @ abs(U)).max()))
    certain = abs(back).sum(axis=1).max() * lipschitz * left <= 0.5
    return 2 * left if certain else np.inf


def _dense_lipschitz(problem: Hopfield, state: Array, left: float) -> float:
    r"""Lipschitz constant, in the largest norm, of the Jacobian within 2 `left` of a state, of a softmax.

    A second derivative of f along a and b is :math:`\beta^2 f \circ ((a - \bar a)(b - \bar b) - \operatorname{cov})` with
    means over f. Its magnitudes add up to :math:`2 \beta^2` standard deviations of a and b, each at most 1, and at most 4 ε
    in square where all shares but the largest add up to ε of it. Its sum is 0, so that a row of U counts by half its range.
    """
    beta = float(problem.gain_h[0, 0])
    shares = scipy.special.softmax(beta * state[problem.visible :])
    others = (1 / float(shares.max()) - 1) * np.exp(min(4 * beta * left, 700.0))
    variance = min(1.0, 4 * others)
    return beta**2 * float(np.ptp(problem.U, axis=1).max()) * variance
