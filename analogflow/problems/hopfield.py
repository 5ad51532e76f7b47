"""A continuous Hopfield network: couplings or patterns, inputs, gains and a temperature; not where its states settle."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import LARGEST, is_number, numbers, refusal

__all__ = ["ACTIVATIONS", "RULES", "Hopfield"]

ACTIVATIONS = ("linear", "tanh", "softmax")
"""Kinds of activation."""

RULES = ("hebbian", "pseudo-inverse")
"""How couplings are made of patterns, the default first."""

Array = NDArray[np.float64]

_SYMMETRY = 1e-9
_MARGIN = 1e-9
"""How far below 1 the largest singular value must stay: nearer, the energy's curvature is rounding."""


@dataclasses.dataclass(frozen=True, eq=False)
class Hopfield:
    r"""Network of visible states v and hidden states h.

    .. math:: \dot v = U f(h) - v + I, \qquad \dot h = U^\top g(v) - h

    with :math:`g = \partial L_v`, :math:`f = \partial L_h`; at a temperature above 0 with noise of intensity
    :math:`2T K`, :math:`K_v = (\partial^2 L_v)^{-1}`, :math:`K_h = (\partial^2 L_h)^{-1}`.

    Parameters
    ----------
    U : array, shape (n, m), optional
        Couplings, a row for each visible state; made of the patterns if not given.
    I : array, shape (n,), optional
        Inputs; 0 if not given.
    gain_v : array, shape (n, n) or (n,), or float, optional
        G: g(v) = G v, or g(v) = tanh(G v). Symmetric and positive definite; for "tanh" diagonal, so that g is a gradient
        (element by element). A vector is a diagonal, a number a multiple of 1; 1 if not given, or 8 √n where couplings are
        made of patterns.
    gain_h : array, shape (m, m) or (m,), or float, optional
        F: f(h) = F h, or f(h) = tanh(F h), likewise; 1 / (2 √n) where couplings are made of patterns, which keeps the
        hidden units from saturating. For "softmax" a multiple β of 1: the inverse temperature of f(h) = softmax(β h).
    activation : {"linear", "tanh", "softmax"}, optional
        "linear" if not given, or "tanh" where couplings are made of patterns. "softmax" is of the hidden units; the visible
        ones are then linear: the dense associative memory.
    temperature : float
        T, 0 or more; for "softmax" 0.
    start : array, shape (n + m,) or (n,), optional
        v(0), then h(0), which is 0 if left out: the cue from which a network with several rests recalls one. 0 if not given.
    patterns : array, shape (P, n), optional
        Memories ξ, a row for each, of ±1 or of any numbers. The overlap of g(v) with each is part of the answer.
    rule : {"hebbian", "pseudo-inverse"}, optional
        How patterns become couplings with a hidden unit for each, where U is not given: U = Ξᵀ/√n, so that U Uᵀ is Hebb's
        Σ ξ ξᵀ/n; or U = Ξᵀ (Ξ Ξᵀ)^(−1/2), so that U Uᵀ is the projector onto the patterns, without crosstalk. With
        "softmax" there is no rule: patterns themselves are the columns of U.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message. A linear network whose energy is not bounded below is wrong: the
        largest singular value of √G U √F must be below 1.

    References
    ----------
    D. Krotov and J. Hopfield, Large Associative Memory Problem in Neurobiology and Machine Learning (2020): the network and
    its energy; (2.13): softmax. H. Ramsauer et al., Hopfield Networks is All You Need (2021): its energy with v alone.
    Relaxation (notes without author): definition 15 and theorem 16, corrected. J. J. Hopfield, PNAS 81 (1984)
    3088: Hebb's rule with graded units. L. Personnaz, I. Guyon and G. Dreyfus, J. Physique Lett. 46 (1985) L359: the
    projector.
    """

    U: Array
    I: Array  # noqa: E741
    gain_v: Array
    gain_h: Array
    activation: str
    temperature: float
    start: Array
    patterns: Array | None
    rule: str | None

    def __init__(
        self,
        U: ArrayLike | None = None,
        I: ArrayLike | None = None,  # noqa: E741
        gain_v: ArrayLike | None = None,
        gain_h: ArrayLike | None = None,
        activation: str | None = None,
        temperature: float = 0.0,
        start: ArrayLike | None = None,
        patterns: ArrayLike | None = None,
        rule: str | None = None,
    ) -> None:
        faults: list[str] = []
        stored = None if patterns is None else _patterns(patterns, faults)
        made = U is None and patterns is not None
        activation = ("tanh" if made else "linear") if activation is None else activation
        rule, couplings = _couplings(U, patterns is not None, stored, rule, activation, faults)
        n, m = (None, None) if couplings is None else couplings.shape
        if stored is not None and n is not None and stored.shape[1] != n:
            faults.append(f"patterns have {stored.shape[1]} numbers each; give one for each row of U ({n})")
        if made and n is not None and activation == "tanh":
            gain_v = 8 * np.sqrt(n) if gain_v is None else gain_v
            gain_h = 0.5 / np.sqrt(n) if gain_h is None else gain_h
        inputs = _vector(I, "I", n, "each row of U", faults)
        begin = _vector(
            start, "start", None if n is None or m is None else n + m, "each row, then each column, of U", faults, n
        )
        if activation not in ACTIVATIONS:
            faults.append(f"activation is {activation!r}; known are {', '.join(ACTIVATIONS)}")
        G, F = _gain(gain_v, "gain_v", n, activation, faults), _gain(gain_h, "gain_h", m, activation, faults)
        number = is_number(temperature)
        if not number or not (temperature == 0 or 1 / LARGEST <= temperature <= LARGEST):
            faults.append(f"temperature is {temperature!r}; give 0, or a number from {1 / LARGEST:g} to {LARGEST:g}")
        elif temperature > 0 and activation == "softmax":
            faults.append(
                "temperature is above 0 with the activation 'softmax', which a shift of all hidden states does not change: "
                "their noise would have no bound, and there is no law; give 0, or write v alone as a langevin problem with "
                "the energy v**2/2 - log(exp(beta*(u.v)) + ...)/beta, hidden states at rest"
            )
        if activation == "linear" and not faults and couplings is not None and G is not None and F is not None:
            largest = float(np.linalg.svd(root(G) @ couplings @ root(F), compute_uv=False)[0])
            if largest >= 1 - _MARGIN:
                faults.append(
                    f"the energy is hardly or not bounded below: the largest singular value of √gain_v U √gain_h "
                    f"is {largest:.12g} and must be below 1; divide U by more than {largest:.4g}, or take "
                    "the activation 'tanh'"
                )
        if faults or couplings is None or inputs is None or begin is None or G is None or F is None:
            raise refusal("Hopfield", faults)
        for name, value in zip(("U", "I", "gain_v", "gain_h", "start"), (couplings, inputs, G, F, begin), strict=True):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if stored is not None:
            stored.setflags(write=False)
        object.__setattr__(self, "activation", activation)
        object.__setattr__(self, "temperature", float(temperature))
        object.__setattr__(self, "patterns", stored)
        object.__setattr__(self, "rule", rule)

    @property
    def visible(self) -> int:
        """Number n of visible states."""
        return self.U.shape[0]

    @property
    def hidden(self) -> int:
        """Number m of hidden states."""
        return self.U.shape[1]

    @property
    def size(self) -> int:
        """Number n + m of states."""
        return sum(self.U.shape)

    @property
    def norm(self) -> float:
        """Largest singular value of √G U √F: below 1, the energy of a linear network is convex."""
        return float(np.linalg.svd(root(self.gain_v) @ self.U @ root(self.gain_h), compute_uv=False)[0])

    @property
    def memories(self) -> Array | None:
        """What overlaps are taken with, shape (P, n): the patterns; or the columns of U where these are such.

        Columns are taken for patterns of ±1 where there are several, no two alike, each of numbers of one size, and units
        saturate. None where there are no memories.
        """
        if self.patterns is not None or self.activation == "linear" or min(self.U.shape) < 2:
            return self.patterns
        sizes = abs(self.U)
        signs = np.sign(self.U).T
        if not sizes.all() or np.ptp(sizes, axis=0).max() > _SYMMETRY * sizes.max():
            return None
        alike = abs(signs @ signs.T) - self.visible * np.eye(self.hidden)
        return signs if alike.max() < self.visible else None

    def with_couplings(self, U: ArrayLike) -> Hopfield:
        """Same network with other couplings."""
        return Hopfield(U, self.I, self.gain_v, self.gain_h, self.activation, self.temperature, self.start, self.patterns)

    def with_gains(self, gain_v: ArrayLike, gain_h: ArrayLike, start: ArrayLike) -> Hopfield:
        """Same network with other gains, from another start."""
        return Hopfield(self.U, self.I, gain_v, gain_h, self.activation, self.temperature, start, self.patterns)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.U.shape, self.activation, self.temperature)).encode())
        for array in (self.U, self.I, self.gain_v, self.gain_h, self.start):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        if self.patterns is not None:
            digest.update(repr(self.patterns.shape).encode() + np.ascontiguousarray(self.patterns, dtype="<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        stored = "" if self.patterns is None else f"{_counted(len(self.patterns), 'pattern')}, "
        return (
            f"Hopfield({self.visible} + {self.hidden} states, {stored}{self.activation}, temperature {self.temperature:g}, "
            f"fingerprint {self.fingerprint})"
        )


def root(gain: Array) -> Array:
    """Symmetric square root of a symmetric matrix without negative eigenvalues, but for rounding."""
    values, vectors = np.linalg.eigh(gain)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"


def _patterns(values: Any, faults: list[str]) -> Array | None:
    wanted = "a row for each pattern, a number for each visible state"
    stored = numbers(values, "patterns", (2,), wanted, faults, largest=LARGEST)
    if stored is not None and (empty := np.flatnonzero(~stored.any(axis=1))).size:
        faults.append(f"pattern {empty[0] + 1} holds zeros alone, so that nothing overlaps with it; leave it out")
        return None
    return stored


def _couplings(
    U: Any, given: bool, stored: Array | None, rule: str | None, activation: str, faults: list[str]
) -> tuple[str | None, Array | None]:
    """The rule by which couplings were made, if one was, and the couplings."""
    if rule is not None and (rule not in RULES or not given):
        known = f"known are {', '.join(RULES)}" if rule not in RULES else "it makes couplings of patterns; give those too"
        faults.append(f"rule is {rule!r}; {known}")
        return None, None
    if U is not None:
        couplings = numbers(U, "U", (2,), "a matrix with a row for each visible state", faults, largest=LARGEST)
        if rule is None or couplings is None or stored is None:
            return None, couplings
        made = _made(stored, rule, faults)
        if made is not None and (made.shape != couplings.shape or not np.allclose(made, couplings, _SYMMETRY, _SYMMETRY)):
            faults.append(f"U is not what the rule {rule!r} makes of the patterns; leave out one of them")
        return rule, couplings
    if not given:
        faults.append("U is missing; give the matrix of couplings, a row for each visible state, or patterns to store")
        return None, None
    if activation == "linear":
        faults.append("a linear network has one rest and can not hold patterns; take the activation 'tanh', or give U too")
        return None, None
    if activation == "softmax":
        if rule is not None:
            faults.append(
                f"rule is {rule!r}; with the activation 'softmax' patterns are the columns of U: leave the rule out"
            )
        return None, None if stored is None or rule is not None else np.array(stored.T)
    rule = rule or RULES[0]
    return rule, None if stored is None else _made(stored, rule, faults)


def _made(stored: Array, rule: str, faults: list[str]) -> Array | None:
    """Couplings of patterns by a rule, shape (n, P)."""
    if rule == "hebbian":
        return stored.T / np.sqrt(stored.shape[1])
    left, sizes, right = np.linalg.svd(stored, full_matrices=False)
    if len(stored) > stored.shape[1] or sizes[-1] <= _SYMMETRY * sizes[0]:
        faults.append("patterns are not independent, so that the rule 'pseudo-inverse' has no inverse; leave out some")
        return None
    return (left @ right).T


def _vector(
    values: Any, name: str, size: int | None, place: str, faults: list[str], part: int | None = None
) -> Array | None:
    if values is None:
        return None if size is None else np.zeros(size)
    wanted = f"one number for {place}" + ("" if size is None else f" ({size})")
    vector = numbers(values, name, (1,), wanted, faults, largest=LARGEST)
    if vector is not None and size is not None and part is not None and len(vector) == part:
        return np.concatenate([vector, np.zeros(size - part)])
    if vector is not None and size is not None and len(vector) != size:
        faults.append(f"{name} has {len(vector)} numbers; give {wanted}")
        return None
    return vector


def _gain(values: Any, name: str, size: int | None, activation: str, faults: list[str]) -> Array | None:
    side = {"gain_v": "row", "gain_h": "column"}[name]
    wanted = f"a number, or one for each {side} of U, or a symmetric matrix of them"
    gain = numbers(1.0 if values is None else values, name, (0, 1, 2), wanted, faults, largest=LARGEST)
    if gain is None or size is None:
        return None
    if gain.ndim and gain.shape not in ((size,), (size, size)):
        faults.append(f"{name} has shape {gain.shape}; give {(size, size)}, a row and a column for each {side} of U")
        return None
    matrix = gain if gain.ndim == 2 else np.diag(np.broadcast_to(gain, (size,)))
    if abs(matrix - matrix.T).max() > _SYMMETRY * max(abs(matrix).max(), np.finfo(float).tiny):
        faults.append(f"{name} is not symmetric, so that its activation is no gradient and there is no energy; make it so")
        return None
    matrix = (matrix + matrix.T) / 2
    if activation == "softmax" and name == "gain_h" and abs(matrix - matrix[0, 0] * np.eye(size)).max() > 0:
        faults.append(
            "gain_h is no multiple of 1; with the activation 'softmax' it is one number, the inverse temperature β"
        )
        return None
    if activation == "tanh" and np.count_nonzero(matrix - np.diag(np.diag(matrix))):
        faults.append(f"{name} is not diagonal; with the activation 'tanh' each state has a gain of its own")
        return None
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest <= 1e-12 * abs(matrix).max():
        faults.append(f"{name} has the eigenvalue {smallest:.6g}; it must be positive definite, for the energy to fall")
        return None
    return matrix
