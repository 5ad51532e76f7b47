"""Tokens on a sphere that attend to each other: where are they after a given time? It does not know how to solve it.

Problems with a name have the matrices of the paper's figures and of its appendix C. The figures' seeds are not published,
so tokens are drawn from the stated distributions and individual runs are not theirs.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import LARGEST, is_whole, numbers, positive, refusal
from analogflow.errors import BadInput
from analogflow.problems.heads import (
    CAUSAL,
    Head,
    Perceptron,
    frozen,
    read_head,
    read_heads,
    read_mask,
    read_output,
    read_perceptron,
)

__all__ = [
    "NORM_TOLERANCE",
    "Attention",
    "circle",
    "circle_then_pole",
    "gradient",
    "random_diagonal",
    "rotating",
    "skewed",
    "two_phases",
    "uniform_tokens",
    "von_mises_fisher_tokens",
]

NORM_TOLERANCE = 1e-6
"""Largest departure of a token's length from 1 that is accepted, and divided out."""

LONGEST = 3e3
"""Time, in units of what V takes to turn a token, up to which a run is followed."""

_SYMMETRY = 1e-9

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Attention:
    r"""Self-attention of n tokens on the unit sphere of ℝᵈ, followed for a given time.

    .. math:: \dot x_i = P_{x_i} V m_i, \quad m_i = \sum_j \operatorname{softmax}_j(\beta\, x_i^\top B x_j)\, x_j,
              \quad P_x y = y - (x^\top y)\, x

    With several heads the drive V m_i is their sum, or what a matrix makes of all; a mask leaves tokens out of the sum over
    j, and a perceptron W2 σ(W1 x_i + b1) + b2 is added to the drive.

    Parameters
    ----------
    tokens : array, shape (n, d)
        Row i is where token i starts; each row has length 1 within 1e-6. d is 2 or more.
    B : array, shape (d, d), optional
        Product QᵀK of the query and key matrices; given unless they are, or `heads`.
    V : array, shape (d, d), optional
        Value matrix, (v, d) where `output` is a matrix; given unless `heads` are.
    beta : float
        Inverse temperature, positive; infinity stands for the zero-temperature equation m_i = Bᵀx_i/‖Bᵀx_i‖, which needs
        an invertible B and no mask.
    time : float
        End of the run, positive, in units of τ; times the largest drive (the norm of V of one head alone), or 1 if that is
        less, at most 3,000.
    Q, K : array, shape (k, d), optional
        Queries and keys, instead of B: the score of i and j is β (Qx_i)·(Kx_j), without a factor 1/√k.
    heads : sequence of Head or mapping, optional
        Matrices of each head by name, V with B or with Q and K, instead of all of these.
    output : {"sum", "mean"} or array, shape (d, sum of the rows of every V), optional
        What is made of the values of the heads, one after another; their sum if not given.
    mask : "causal" or array of 0 and 1, shape (n, n), optional
        1 where token i sees token j, one in each row at least; "causal" is j ≤ i. All see all if not given.
    mlp : Perceptron or mapping, optional
        W1, b1, W2, b2 and the activation "tanh" or "relu"; b1 and b2 are 0 and it is "tanh" if not given.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.

    References
    ----------
    A. Alcalde, L. Bungert, K. Riedl and T. Roith, Quantifying Concentration Phenomena of Mean-Field Transformers in the
    Low-Temperature Regime, arXiv:2605.10931 (2026): equations (1) and (3). N. Karagodin, Y. Polyanskiy and P. Rigollet,
    Clustering in Causal Attention Masking, arXiv:2411.04990 (2024): the mask "causal".
    """

    tokens: Array
    B: Array | None
    V: Array | None
    beta: float
    time: float = 1.0
    Q: Array | None = None
    K: Array | None = None
    heads: tuple[Head, ...] | None = None
    output: str | Array | None = None
    mask: str | Array | None = None
    mlp: Perceptron | None = None

    def __init__(
        self,
        tokens: ArrayLike,
        B: ArrayLike | None = None,
        V: ArrayLike | None = None,
        beta: float | None = None,
        time: float = 1.0,
        *,
        Q: ArrayLike | None = None,
        K: ArrayLike | None = None,
        heads: Sequence[Head | Mapping[str, Any]] | None = None,
        output: str | ArrayLike | None = None,
        mask: str | ArrayLike | None = None,
        mlp: Perceptron | Mapping[str, Any] | None = None,
    ) -> None:
        faults: list[str] = []
        x = numbers(tokens, "tokens", (2,), "one row of coordinates for each token", faults, largest=LARGEST)
        if x is not None:
            x = _on_sphere(x, faults)
        dimension = None if x is None else x.shape[1]
        square = output is None or isinstance(output, str)
        found: dict[str, Any] = {}
        every: tuple[Head | None, ...]
        if heads is None:
            own = read_head({"B": B, "Q": Q, "K": K, "V": V}, "", dimension, faults, square=square)
            every = (own,)
            found = {} if own is None else {"B": own.B, "V": own.V, "Q": own.Q, "K": own.K}
        else:
            both = [name for name, value in (("B", B), ("V", V), ("Q", Q), ("K", K)) if value is not None]
            if both:
                faults.append(f"heads and {both[0]} are given; put {both[0]} into a head")
            found["heads"] = read_heads(heads, dimension, faults, square=square)
            every = found["heads"] or (None,)
        scalars = {
            "beta": positive(beta, f"beta is {beta!r}; give a positive inverse temperature", faults, finite=False),
            "time": positive(time, f"time is {time!r}; give a positive, finite number of time constants", faults),
        }
        if x is not None:
            known = [head for head in every if head is not None]
            if output is not None and len(known) == len(every):
                found["output"] = read_output(output, known, x.shape[1], faults)
            if mask is not None:
                found["mask"] = read_mask(mask, len(x), faults)
            if mlp is not None:
                found["mlp"] = read_perceptron(mlp, x.shape[1], faults)
        if x is None or faults:
            raise refusal("Attention", faults)
        for field in dataclasses.fields(self)[5:]:
            found.setdefault(field.name, None)
        for name, value in {"tokens": frozen(x), "B": None, "V": None, **scalars, **found}.items():
            object.__setattr__(self, name, value)
        faults += _impossible(self)
        if faults:
            raise refusal("Attention", faults)

    @property
    def count(self) -> int:
        """Number n of tokens."""
        return self.tokens.shape[0]

    @property
    def dimension(self) -> int:
        """Number d of coordinates of a token."""
        return self.tokens.shape[1]

    @functools.cached_property
    def every_head(self) -> tuple[Head, ...]:
        """All heads, the only one too."""
        return self.heads or (Head(self.V, self.B, self.Q, self.K),)  # type: ignore[arg-type]

    @functools.cached_property
    def pairs(self) -> tuple[tuple[Array, Array], ...]:
        """Of each head the matrix of its scores, and what takes its mean m to the drive, both of shape (d, d)."""
        heads, output = self.every_head, self.output
        if output is None or isinstance(output, str):
            share = 1.0 / len(heads) if output == "mean" else 1.0
            return tuple((head.scores, head.V if share == 1 else share * head.V) for head in heads)
        ends = np.cumsum([head.V.shape[0] for head in heads])
        return tuple(
            (head.scores, output[:, end - len(head.V) : end] @ head.V) for head, end in zip(heads, ends, strict=True)
        )

    @functools.cached_property
    def seen(self) -> NDArray[np.bool_] | None:
        """Whether token i sees token j, shape (n, n); None where all see all."""
        if self.mask is None:
            return None
        if isinstance(self.mask, str):
            assert self.mask == CAUSAL
            return np.tri(self.count, dtype=bool)
        return self.mask != 0

    @property
    def alone(self) -> bool:
        """Whether one head is all there is, which all tokens see through: what theory speaks of."""
        return len(self.every_head) == 1 and self.mask is None and self.mlp is None

    def _only(self) -> tuple[Array, Array]:
        if not self.alone:
            more = [f"{len(self.every_head)} heads"] * (len(self.every_head) > 1)
            more += ["a mask"] * (self.mask is not None) + ["a perceptron"] * (self.mlp is not None)
            raise BadInput(
                f"the theory is of one head without mask and perceptron, and this problem has {' and '.join(more)}; "
                "what its flow does is known from its paths alone."
            )
        return self.pairs[0]

    @property
    def scores(self) -> Array:
        """The matrix B, or QᵀK, of the only head, shape (d, d).

        Raises
        ------
        BadInput
            There are several heads, a mask or a perceptron; so it is with all that theory asks for.
        """
        return self._only()[0]

    @property
    def values(self) -> Array:
        """What takes the mean m to the drive of the only head, shape (d, d)."""
        return self._only()[1]

    @property
    def attraction(self) -> Array:
        """The matrix VBᵀ of the only head, shape (d, d), on whose dominant eigenspace cold tokens gather."""
        return self.values @ self.scores.T

    @property
    def symmetric(self) -> bool:
        """Whether VBᵀ is symmetric to 1e-9 of its size, as the results on concentration assume."""
        matrix = self.attraction
        return bool(abs(matrix - matrix.T).max() <= _SYMMETRY * max(abs(matrix).max(), np.finfo(float).tiny))

    def at_zero_temperature(self) -> Attention:
        """Same problem with β = ∞.

        Raises
        ------
        BadInput
            B is singular.
        """
        return dataclasses.replace(self, beta=math.inf)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.tokens.shape, self.beta, self.time)).encode())
        for array in (self.tokens, self.B, self.V):
            if array is not None:
                digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        more = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[5:]}
        more = {name: value for name, value in more.items() if value is not None}
        if more:
            digest.update(repr(_plain(more)).encode())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return (
            f"Attention({self.count} tokens, {self.dimension} dimensions, beta {self.beta:g}, time {self.time:g}, "
            f"fingerprint {self.fingerprint})"
        )


def _plain(value: Any) -> Any:
    """What a record holds, in numbers and texts that print in full."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _plain(vars(value)) if dataclasses.is_dataclass(value) else value


def _impossible(problem: Attention) -> list[str]:
    """What no equation says, and what no engine could follow: scores that are no numbers any more, far too long times."""
    faults, beta, time = [], problem.beta, problem.time
    for number, (scores, _) in enumerate(problem.pairs, start=1):
        which = (
            ("B" if problem.Q is None else "QᵀK") if problem.heads is None else f"the matrix of the scores of head {number}"
        )
        if math.isinf(beta) and not np.linalg.cond(scores) <= 1e12:
            faults.append(f"{which} is singular, so that the zero-temperature equation is not defined; give an invertible B")
        if not math.isinf(beta) and beta > LARGEST**3 / max(abs(scores).max(), 1.0):
            faults.append(
                f"beta is {beta:g}: its products with {which} are no numbers any more; give inf for zero temperature"
            )
    if math.isinf(beta) and problem.mask is not None:
        faults.append("mask means nothing at zero temperature, where no token sees another; leave it out, or beta finite")
    size = sum(float(np.linalg.norm(values, 2)) for _, values in problem.pairs)
    size += 0.0 if problem.mlp is None else problem.mlp.largest
    if not time * max(size, 1.0) <= LONGEST:
        what = "V has the norm" if problem.heads is None and problem.mlp is None else "the drive may reach"
        faults.append(
            f"time is {time:g} and {what} {size:.4g}: their product may be {LONGEST:g} at most, by which tokens "
            "have gathered or turn for ever; give a shorter time, or divide V by its norm"
        )
    return faults


def _on_sphere(tokens: Array, faults: list[str]) -> Array:
    if tokens.shape[1] < 2:
        faults.append("tokens have 1 coordinate, so that none can move; give two or more")
        return tokens
    lengths = np.sqrt((tokens**2).sum(axis=1, keepdims=True))
    for i in np.flatnonzero(abs(lengths[:, 0] - 1) > NORM_TOLERANCE)[:3]:
        faults.append(
            f"tokens: row {i + 1} has length {lengths[i, 0]:.9g}; each must have length 1 within {NORM_TOLERANCE:g}: "
            "divide it by its length"
        )
    if faults:
        return tokens
    # A row that is right to rounding stays as the user wrote it; others are brought to the sphere.
    return np.where(abs(lengths - 1) <= 4 * np.finfo(float).eps, tokens, tokens / lengths)


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


def circle(count: int = 2000, *, beta: float = 30.0, time: float = 5.0, seed: int = 0) -> Attention:
    """Figure 1: V = I, B = Rᵀdiag(5, 5, 1)R, so that E is a plane; tokens from the three-component mixture of C.1.

    The paper gives R as a rotation by π/8 without its axis; here it turns about the first axis.
    """
    return Attention(_mixture(count, seed), _circle_matrix(), np.eye(3), beta, time)


def circle_then_pole(count: int = 2000, *, beta: float = 30.0, time: float = 10.0, seed: int = 0) -> Attention:
    """Figure 2: the same VBᵀ as in Figure 1 with V = diag(1, 1, 2), whose dominant eigenspace F is the third axis."""
    V = np.diag([1.0, 1.0, 2.0])
    B = np.linalg.solve(V, _circle_matrix()).T
    return Attention(_mixture(count, seed), B, V, beta, time)


def two_phases(count: int = 200, *, beta: float = 100.0, time: float = 20.0, seed: int = 0) -> Attention:
    """Figure 3: V = diag(−1, 1, −2), B = diag(−1, −1, 1): E, F and F_abs are the first, second and third axis."""
    return Attention(uniform_tokens(count, 3, seed=seed), np.diag([-1.0, -1, 1]), np.diag([-1.0, 1, -2]), beta, time)


def random_diagonal(
    count: int = 500, dimension: int = 10, *, beta: float = 10.0, time: float = 15.0, seed: int = 0
) -> Attention:
    """Figures 4 and 10: diagonal B and V with independent normal entries, tokens uniform; all from one seed."""
    rng = np.random.default_rng([seed, 1])
    B, V = np.diag(rng.standard_normal(dimension)), np.diag(rng.standard_normal(dimension))
    return Attention(uniform_tokens(count, dimension, seed=seed), B, V, beta, time)


def rotating(count: int = 200, *, beta: float = 100.0, time: float = 20.0, seed: int = 0) -> Attention:
    """Equation (39): VBᵀ is not symmetric and has the eigenvalues ±i and −2, so that tokens turn for ever."""
    V = np.array([[-1.0, 1, 0], [-2, 1, 0], [0, 0, -2]])
    return Attention(uniform_tokens(count, 3, seed=seed), np.diag([-1.0, -1, 1]), V, beta, time)


def skewed(count: int = 200, *, beta: float = 100.0, time: float = 20.0, seed: int = 0) -> Attention:
    """Equation (40): VBᵀ is not symmetric, but its eigenvalues 1 ± √2 and −2 are real."""
    B = np.array([[-1.0, 1, 0], [-2, 1, 0], [0, 0, 1]])
    return Attention(uniform_tokens(count, 3, seed=seed), B, np.diag([-1.0, 1, -2]), beta, time)


def gradient(
    eigenvalues: list[float] | np.ndarray,
    sign: int = 1,
    *,
    count: int = 100,
    beta: float = 1.0,
    time: float = 10.0,
    seed: int = 0,
) -> Attention:
    """Appendix C.3: B = diag(`eigenvalues`), V = `sign`·B, so that the energy can only rise (1) or fall (−1)."""
    B = np.diag(np.asarray(eigenvalues, dtype=float))
    return Attention(uniform_tokens(count, len(B), seed=seed), B, sign * B, beta, time)


def _circle_matrix() -> np.ndarray:
    c, s = np.cos(np.pi / 8), np.sin(np.pi / 8)
    R = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return R.T @ np.diag([5.0, 5.0, 1.0]) @ R


def _mixture(count: int, seed: int) -> np.ndarray:
    centres = [[1, -0.3, -0.2], [0, 1, -0.3], [-1, 1, 1]]
    return von_mises_fisher_tokens(count, centres, [2.0, 10.0, 5.0], seed=seed)
