"""What theory says of tokens that attend: where they gather, how near they are to that while it is cold, and their energy.

They gather at eigenspaces: E of VBᵀ in the cold phase, F and F_abs of V in the last one. Attention climbs the energy where
V = B and descends it where V = −B, B symmetric.
"""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment, linprog

from analogflow.checks import is_positive, real_array
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems import Attention
from analogflow.reference.attention import velocity

__all__ = [
    "Eigenspace",
    "alignment",
    "attraction_space",
    "causal_limit",
    "concentration_bound",
    "concentration_time",
    "distance_to_limit",
    "dominant_eigenspace",
    "energy_direction",
    "facing",
    "limit_tokens",
    "log_energy",
    "log_energy_rate",
    "measure_spread",
    "value_space",
    "wasserstein",
]

Array = NDArray[np.float64]

_EQUAL = 1e-9
"""Relative difference up to which eigenvalues count as equal."""


@dataclasses.dataclass(frozen=True, eq=False)
class Eigenspace:
    """Real subspace that belongs to the dominant eigenvalues of a matrix.

    Parameters
    ----------
    basis : array, shape (d, k), read-only
        Orthonormal columns.
    eigenvalue : complex
        The dominant eigenvalue; of a complex pair the one above the real axis.
    gap : float
        Distance γ from the measure of dominance (real part or magnitude) of the next eigenvalue; infinite if there is none.
    """

    basis: Array
    eigenvalue: complex
    gap: float

    @property
    def dimension(self) -> int:
        """Dimension k."""
        return self.basis.shape[1]

    def project(self, tokens: ArrayLike) -> Array:
        """Orthogonal projection of each row, shape (..., d)."""
        return np.asarray(tokens, dtype=float) @ self.basis @ self.basis.T


def dominant_eigenspace(matrix: ArrayLike, *, by: str = "value") -> Eigenspace:
    """Eigenspace of the eigenvalues that are largest.

    Parameters
    ----------
    matrix : array, shape (d, d)
    by : {"value", "magnitude"}
        Whether the real part or the absolute value is compared.

    Raises
    ------
    BadInput
        `by` is neither, or the dominant eigenvalues have too few eigenvectors (a Jordan block).
    """
    if by not in ("value", "magnitude"):
        raise BadInput(f"by {by!r} is not known; compare eigenvalues by 'value' or by 'magnitude'.")
    a = real_array(matrix, "matrix")
    symmetric = bool(abs(a - a.T).max() <= _EQUAL * abs(a).max())
    values, vectors = np.linalg.eigh((a + a.T) / 2) if symmetric else np.linalg.eig(a)
    rank = abs(values) if by == "magnitude" else np.real(values)
    scale = max(float(abs(values).max()), np.finfo(float).tiny)
    top = rank >= rank.max() - _EQUAL * scale
    # A complex pair spans the plane of its real and imaginary parts.
    spanning = np.concatenate([np.real(vectors[:, top]), np.imag(vectors[:, top])], axis=1)
    basis, sizes, _ = np.linalg.svd(spanning, full_matrices=False)
    basis = basis[:, sizes > 1e-6 * sizes[0]]
    if basis.shape[1] != int(top.sum()):
        largest = np.real_if_close(values[top])[0]
        raise BadInput(
            f"the dominant eigenvalue {largest:.6g} has {int(top.sum())} copies and {basis.shape[1]} eigenvectors, "
            "so its eigenspace is not all that is dominant; give a matrix that can be diagonalised."
        )
    basis.setflags(write=False)
    gap = float(rank.max() - rank[~top].max()) if not top.all() else np.inf
    return Eigenspace(basis, complex(max(values[top], key=lambda value: complex(value).imag)), gap)


def attraction_space(problem: Attention) -> Eigenspace:
    """E: the dominant eigenspace of VBᵀ, where tokens gather at low temperature, with its spectral gap γ.

    Warns
    -----
    AssumptionWarning
        VBᵀ is not symmetric.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Assumption 1.
    """
    _warn_unless_symmetric(problem, "tokens need not gather at this eigenspace: they may turn for ever")
    return dominant_eigenspace(problem.attraction)


def value_space(problem: Attention, *, by: str = "value") -> Eigenspace:
    """F (by value) or F_abs (by magnitude): the dominant eigenspace of V, where tokens may end long after t ≈ ln β.

    The paper conjectures that of generic tokens (C.4; its Conjecture 1 says only that there are such matrices). When they
    come there differs from problem to problem by far more than ln β.
    """
    return dominant_eigenspace(problem.values, by=by)


def alignment(tokens: ArrayLike, space: Eigenspace) -> float:
    """Mean length of the tokens' projections onto `space`: 1 where all lie in it, 0 where all are orthogonal to it.

    The paper plots an alignment with the largest value 1 and does not define it.
    """
    return float(np.linalg.norm(space.project(tokens), axis=-1).mean())


def _warn_unless_symmetric(problem: Attention, consequence: str) -> None:
    """Warn, naming the `consequence`, where VBᵀ is not symmetric."""
    if not problem.symmetric:
        matrix = problem.attraction
        warnings.warn(
            f"V Bᵀ is not symmetric (it differs from its transpose by {abs(matrix - matrix.T).max():.3g}), so "
            f"{consequence}.",
            AssumptionWarning,
            stacklevel=3,
        )


def limit_tokens(tokens: ArrayLike, space: Eigenspace) -> Array:
    """Π of every token, x ↦ P_E x/‖P_E x‖, shape (n, d).

    Raises
    ------
    BadInput
        A token is orthogonal to the space, where Π is not defined.
    """
    projected = space.project(tokens)
    lengths = np.linalg.norm(projected, axis=-1, keepdims=True)
    if not (lengths > 0).all():
        raise BadInput(
            f"token {int(np.argmin(lengths)) + 1} is orthogonal to the eigenspace, so it has no projection there."
        )
    return projected / lengths


def measure_spread(tokens: ArrayLike, space: Eigenspace, p: float = 1.0) -> float:
    """V_p: mean of (‖x − P_E x‖/‖P_E x‖)^{2p} over the tokens, 0 < p ≤ 1; infinite where a token is orthogonal to E.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Assumption 2 and equation (14).
    """
    p = _exponent(p)
    x = np.asarray(tokens, dtype=float)
    inside = space.project(x)
    with np.errstate(divide="ignore"):
        ratios = np.linalg.norm(x - inside, axis=-1) / np.linalg.norm(inside, axis=-1)
    return float((ratios ** (2 * p)).mean())


def wasserstein(tokens: ArrayLike, others: ArrayLike) -> float:
    """W₂ of two clouds of n equally heavy points each, shape (n, d): the best pairing, in straight-line distance.

    Raises
    ------
    BadInput
        The clouds differ in shape.
    """
    x, y = np.asarray(tokens, dtype=float), np.asarray(others, dtype=float)
    if x.shape != y.shape or x.ndim != 2:
        raise BadInput(f"the clouds have shapes {x.shape} and {y.shape}; give two of the same shape (n, d).")
    squared = ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(squared)
    return math.sqrt(squared[rows, columns].mean())


def distance_to_limit(problem: Attention, tokens: ArrayLike) -> float:
    """W₂ of `tokens` to Π♯ρ₀, the problem's starting tokens projected onto E.

    Warns
    -----
    AssumptionWarning
        VBᵀ is not symmetric.
    """
    return wasserstein(tokens, limit_tokens(problem.tokens, attraction_space(problem)))


def concentration_bound(problem: Attention, time: float, *, p: float = 1.0) -> float:
    r"""Bound on W₂(ρ_t, Π♯ρ₀) along the zero-temperature equation.

    .. math:: W_2(\rho_t, \Pi_\sharp \rho_0) \le \sqrt{2 V_p(\rho_0)}\; e^{-p \gamma t / \sigma_{\max}(B)}

    Parameters
    ----------
    problem : Attention
    time : float
        At least 0, in units of τ.
    p : float
        0 < p ≤ 1.

    Warns
    -----
    AssumptionWarning
        VBᵀ is not symmetric.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Corollary 2, corrected: it prints V_p in place of √(2V_p), which fails at t = 0
    for tokens near E; its equation (10) has the right factor.
    """
    _warn_unless_symmetric(problem, "this is no bound: neither the rate nor the limit is proved")
    space = dominant_eigenspace(problem.attraction)
    if space.dimension == problem.dimension:
        return 0.0
    rate = _exponent(p) * space.gap / float(np.linalg.norm(problem.scores, 2))
    return math.sqrt(2 * measure_spread(problem.tokens, space, p)) * math.exp(-rate * time)


def concentration_time(problem: Attention, distance: float, *, p: float = 1.0) -> float:
    """Time t₁ after which the bound is at most half of `distance`: σ_max(B)/(pγ) · ln(2√(2V_p)/distance), at least 0.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Corollary 4, corrected as Corollary 2 is.
    """
    if not is_positive(distance, finite=False):
        raise BadInput(f"distance {distance!r} is not positive; the limit is approached, not reached.")
    start = 2 * concentration_bound(problem, 0.0, p=p)
    if start <= distance:
        return 0.0
    space = dominant_eigenspace(problem.attraction)
    return float(np.linalg.norm(problem.scores, 2)) / (_exponent(p) * space.gap) * math.log(start / distance)


def _exponent(p: float) -> float:
    if not 0 < p <= 1:
        raise BadInput(f"p is {p!r}; the exponent of the spread lies above 0 and at most at 1.")
    return float(p)


def log_energy(problem: Attention, tokens: ArrayLike) -> float:
    r"""Logarithm of the mean of :math:`e^{\beta \langle x_i, B x_j \rangle}` over all pairs of tokens.

    Raises
    ------
    BadInput
        β is infinite.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: appendix C.3, corrected: the energy printed there has no β in its exponent, and
    is monotone for β = 1 only.
    """
    scores = _scores(problem, real_array(tokens, "tokens"))
    return _log_sum(scores) - 2 * math.log(len(scores))


def log_energy_rate(problem: Attention, tokens: ArrayLike) -> float:
    """Rate of `log_energy` per τ as the tokens move by equation (1): of one sign where `energy_direction` is not 0."""
    x = real_array(tokens, "tokens")
    scores = _scores(problem, x)
    weights = np.exp(scores - _log_sum(scores))
    gradient = problem.beta * (weights @ x @ problem.scores.T + weights.T @ x @ problem.scores)
    return float((gradient * velocity(problem, x)).sum())


def energy_direction(problem: Attention) -> int:
    """1 where the energy can only rise (V = B), −1 where it can only fall (V = −B), both for symmetric B; else 0.

    Warns
    -----
    AssumptionWarning
        It is 0: no theorem holds the energy monotone.
    """
    if not problem.alone:
        warnings.warn(
            "of several heads, a mask or a perceptron no energy is known, so nothing need be monotone.",
            AssumptionWarning,
            stacklevel=2,
        )
        return 0
    B, V = problem.scores, problem.values
    scale = _EQUAL * max(abs(B).max(), abs(V).max())
    if abs(B - B.T).max() <= scale:
        for sign in (1, -1):
            if abs(V - sign * B).max() <= scale:
                return sign
    reason = "B is not symmetric" if abs(B - B.T).max() > scale else "V is neither B nor −B"
    warnings.warn(f"{reason}, so the energy need not be monotone.", AssumptionWarning, stacklevel=2)
    return 0


def facing(problem: Attention) -> Array | None:
    """Direction w, of length 1, whose least product w·x_i with any token can not fall along the flow; None if there is none.

    It needs all tokens on one open half of the sphere, and values that are m itself, but for a factor of each head that is
    not negative; masks and scores are free. Then w·ẋ_i = c (w·m_i − (x_i·m_i)(w·x_i)) with w·m_i ≥ w·x_i > 0 for the token
    that is last, and x_i·m_i ≤ 1.
    """
    if math.isinf(problem.beta) or problem.mlp is not None:
        return None
    eye = np.eye(problem.dimension)
    for _, values in problem.pairs:
        factor = values[0, 0]
        if factor < 0 or abs(values - factor * eye).max() > _EQUAL * factor:
            return None
    # The largest t with x_i·w ≥ t for all i, within a cube about 0.
    rows = np.column_stack([-problem.tokens, np.ones(problem.count)])
    best = linprog([0.0] * problem.dimension + [-1.0], rows, np.zeros(problem.count), bounds=[(-1, 1)] * len(rows[0]))
    if not best.success or best.x[-1] <= _EQUAL:
        return None
    return best.x[:-1] / np.linalg.norm(best.x[:-1])


def causal_limit(problem: Attention) -> Array:
    """Where all tokens of almost every start come to rest, shape (d,): at the first, which sees none but itself.

    Raises
    ------
    BadInput
        It is not known: the mask is not that of j ≤ i, there is no single head, or what it passes on is not m times a
        factor above 0.

    References
    ----------
    N. Karagodin, Y. Polyanskiy and P. Rigollet, Clustering in Causal Attention Masking, arXiv:2411.04990 (2024): theorem
    4.1, for whatever Q and K.
    """
    values, eye = problem.pairs[0][1], np.eye(problem.dimension)
    whole = values[0, 0] > 0 and abs(values - values[0, 0] * eye).max() <= _EQUAL * values[0, 0]
    causal = problem.seen is not None and (problem.seen == np.tri(problem.count, dtype=bool)).all()
    if not (causal and whole and len(problem.pairs) == 1 and problem.mlp is None):
        raise BadInput(
            "where tokens gather is known for the mask 'causal', one head and a V that is 1 times a number above 0."
        )
    return problem.tokens[0]


def _scores(problem: Attention, x: Array) -> Array:
    if math.isinf(problem.beta):
        raise BadInput("the energy of a problem with infinite beta is not defined; give a finite beta.")
    return problem.beta * (x @ problem.scores @ x.T)


def _log_sum(scores: Array) -> float:
    largest = float(scores.max())
    return largest + math.log(np.exp(scores - largest).sum())
