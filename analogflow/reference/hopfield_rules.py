r"""Rules of Gauss for the units of a saturating network, each with a bound on what it is off by, whatever the others do.

Given the other layer a unit's activation y has the density :math:`w(y)\,e^{c y/T}`, in which the field c alone tells of the
others. A rule is therefore as good for the whole network as it is for one unit over all fields that it may meet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from analogflow.reference.hopfield_units import Conditional, Layer

__all__ = ["Fields", "Rule", "Rules", "mean_activations"]

Array = NDArray[np.float64]

_REACH = 3.3
"""Half the range of s in x = (π/2) sinh s, beyond which e^(-2|x|) is rounding."""

_LOOKED_AT, _LOOKS, _FEW_FIELDS = 301, 3, 8
"""Points at which a density is looked at, and how often, each time where it was seen; and at about how many fields."""

_ATOMS, _MOST_ATOMS, _CLOSE_ATOMS = 401, 3001, 0.4
"""Points of the rule that stands for the integral, whose check has twice as many; their distance at most, in widths of a
unit at a temperature."""

_COUNTS = -46.0
"""Logarithm of a density, over its largest, below which nothing counts."""

_FIELDS, _MOST_FIELDS, _CLOSE_FIELDS = 65, 2001, 0.5
"""Fields at which a rule is held against the integral, and their distance at most, in the field that moves a unit by its
width."""

_SURE = 4.0
"""Deviations of a field within which a rule's largest error counts in full."""

_FEW_NODES, _MOST_NODES = 24, 256
"""Nodes of a rule of Gauss, where few will do, and at most."""

_MORE = 2
"""Nodes by which rules grow at least."""

_LEAST = 1e-27
"""Weight of a node, over all, below which its place is known no more."""

_EPSILON = float(np.finfo(float).eps)

_CLOSE, _MOST_ROUNDS, _FEW_TABLED = 1e-2, 2000, 65
"""How near the mean activations must be, in widths of a unit at a temperature, rounds in which they come there, and fields
at which the places of densities are looked up meanwhile."""


@dataclasses.dataclass(frozen=True, eq=False)
class Fields:
    """Fields that a unit may meet: within `low` and `high` for sure, and about `centre` with a Gaussian's tails or less.

    Parameters
    ----------
    low, high, centre : float
    deviation : float
        Of a Gaussian whose tails are at least as heavy, also where its mean is one deviation from the centre; infinite where
        nothing is known.
    """

    low: float
    high: float
    centre: float
    deviation: float

    @property
    def probable(self) -> tuple[float, float]:
        """What is left without fields that have less than 1e-18 of the law."""
        away = 10.3 * self.deviation
        return max(self.low, self.centre - away), min(self.high, self.centre + away)

    def met(self, mean: float) -> bool:
        """Whether the fields' mean is one that was reckoned with."""
        return bool(abs(mean - self.centre) <= self.deviation or self.low == self.high)

    def expected(self, fields: Array, errors: Array) -> float:
        """Bound on the mean of errors at fields, the same distance apart, over what may be met."""
        if not self.low < self.high:
            return float(errors.max())
        away = abs(fields - self.centre) / self.deviation
        near = away <= _SURE
        inner = np.maximum(away - 1 - (fields[1] - fields[0]) / self.deviation, 0.0)
        rare = np.minimum(2 * np.exp(-0.5 * inner**2), 1.0)
        return float(errors[near].max(initial=0.0) + (errors * rare)[~near].sum())


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """A unit as p values of its activation, with weights.

    Parameters
    ----------
    nodes : array, shape (p,)
        Activations y.
    log_weights : array, shape (p,)
        Logarithms of weights of the density with the field that it is made for, but for a factor.
    features : array, shape (f, p)
        What stands at each node for the functions to be averaged: their projections on polynomials of degree p − 1.
    errors : array, shape (1 + f,)
        Bounds on errors of the weight and of each feature's average, over the weight, whatever field is met.
    """

    nodes: Array
    log_weights: Array
    features: Array
    errors: Array


class Rules:
    """Rules for one unit, of any number of nodes.

    Each is Gauss's for one of two measures, whichever is off by less: the unit's own density at its central field, or where
    that holds too little of what other fields make likely the mean of the densities at all fields that may be met. The
    largest is the plain rule x = (π/2) sinh s.

    Parameters
    ----------
    unit : Layer of one unit
    fields : Fields
    features : callable
        ``features(x)``: functions to be averaged, shape (3, points): a value, its square, and the activation tanh x.
    """

    def __init__(self, unit: Layer, fields: Fields, features: Callable[[Array], Array]) -> None:
        self.fields, self.temperature = fields, unit.temperature
        gain, T = float(unit.gains[0]), unit.temperature
        low, high = fields.probable
        wanted = (high - low) / (_CLOSE_FIELDS * max(np.sqrt(T / gain), T))
        self.at = np.linspace(low, high, int(min(max(wanted, _FIELDS), _MOST_FIELDS)))
        self.seen = bool(wanted <= _MOST_FIELDS)
        s = self._range(unit)
        atoms = int(min(max((s[1] - s[0]) * np.pi / 2 / (_CLOSE_ATOMS * np.sqrt(gain * T)), _ATOMS), _MOST_ATOMS))
        x, logs = _points(unit, np.linspace(*s, 2 * atoms + 1))
        exponents = logs + self.at[:, None] * np.tanh(x) / self.temperature
        top = exponents.max(axis=1)
        share = np.exp(exponents - top[:, None])
        total = share.sum(axis=1)
        self.log_z = top + np.log(total)
        self.averages = features(x) @ share.T / total
        self.width = float(np.sqrt(self.averages[1].min())) or 1.0
        # Exponents are differences of numbers of this size, each of which is rounded.
        self.rounding = 2 * _EPSILON * (1 + float(abs(self.at).max()) / self.temperature)
        x, logs = _points(unit, np.linspace(*s, atoms))
        y, values = np.tanh(x), features(x)
        logs = logs + fields.centre * y / self.temperature
        self.log_scale = float(logs.max())
        logs = logs - self.log_scale
        self.gauss, self.most = _MOST_NODES, len(y)
        self.masses = np.exp(logs), np.exp(logs - self._log_ratio(y))
        self.atoms, self.values, self.logs = y, values, logs
        self._measure(min(_FEW_NODES, self.gauss))
        self._found: dict[int, Rule] = {}

    def _measure(self, count: int) -> None:
        own, mixed = (_Measure(self.atoms, mass, self.values, count) for mass in self.masses)
        self.measures, self.count = ((own, np.zeros_like), (mixed, self._log_ratio)), count

    def _range(self, unit: Layer) -> tuple[float, float]:
        """Ends of s beyond which no density counts, whatever the field."""
        low, high = -_REACH, _REACH
        some = self.at[:: max(1, len(self.at) // _FEW_FIELDS)]
        some = np.append(some, self.at[-1])
        for _ in range(_LOOKS):
            s = np.linspace(low, high, _LOOKED_AT)
            x, logs = _points(unit, s)
            exponents = logs + some[:, None] * np.tanh(x) / self.temperature
            counts = np.flatnonzero((exponents > exponents.max(axis=1, keepdims=True) + _COUNTS).any(axis=0))
            low, high = float(s[max(counts[0] - 1, 0)]), float(s[min(counts[-1] + 1, len(s) - 1)])
        return low, high

    def _log_ratio(self, y: Array) -> Array:
        """Logarithm of the density at the central field over the mean of those at all, which is a function of y alone."""
        away = (self.at - self.fields.centre) / self.fields.deviation
        exponents = (self.at - self.fields.centre) * y[:, None] / self.temperature + self.log_scale - self.log_z
        exponents = exponents - 0.5 * away**2
        top = exponents.max(axis=1)
        return -top - np.log(np.exp(exponents - top[:, None]).sum(axis=1))

    def rule(self, size: int) -> Rule:
        """The rule of so many nodes, or of as many as there can be."""
        size = size if size <= self.gauss else self.most
        while self.count < size <= self.gauss:
            self._measure(min(3 * self.count, self.gauss))
        if size not in self._found:
            self._found[size] = self._plain() if size > self.gauss else min(self._rules(size), key=self._largest)
        return self._found[size]

    def following(self, size: int) -> int:
        """The next larger rule's size, or 0."""
        more = size + max(_MORE, size // 8)
        return more if more <= self.gauss else self.most if size < self.most else 0

    def error(self, size: int) -> float:
        """Largest error of the rule of so many nodes, in the least root of the mean square of the first feature."""
        return self._largest(self.rule(size))

    def _largest(self, rule: Rule) -> float:
        found = rule.errors[:3] / np.array([1.0, self.width, self.width**2])
        return float(found.max()) if self.seen and np.isfinite(found).all() else np.inf

    def _rules(self, size: int) -> list[Rule]:
        rules = []
        for measure, log_ratio in self.measures:
            nodes, weights, features = measure.gauss(size)
            rules.append(self._held(nodes, np.log(weights) + log_ratio(nodes), features))
        return rules

    def _plain(self) -> Rule:
        return self._held(self.atoms, self.logs, self.values)

    def _held(self, nodes: Array, logs: Array, features: Array) -> Rule:
        away = (self.at - self.fields.centre)[:, None] * nodes / self.temperature
        with np.errstate(over="ignore", invalid="ignore"):
            share = np.exp(away + logs + self.log_scale - self.log_z[:, None])
            off = [abs(share.sum(axis=1) - 1)] + [
                abs(share @ feature - exact) for feature, exact in zip(features, self.averages, strict=True)
            ]
        found = np.array([self.fields.expected(self.at, np.where(np.isfinite(error), error, np.inf)) for error in off])
        return Rule(nodes, logs, features, found + self.rounding * np.array([1.0, self.width, self.width**2, 1.0]))


class _Measure:
    """Masses at points y: the Jacobi matrix of its polynomials, and the first coefficients of some functions."""

    def __init__(self, y: Array, mass: Array, values: Array, count: int) -> None:
        basis = np.zeros((count, len(y)))
        self.diagonal, self.beside = np.zeros(count), np.zeros(count)
        self.total = float(mass.sum())
        basis[0] = np.sqrt(mass / self.total)
        for k in range(count):
            following = y * basis[k]
            self.diagonal[k] = basis[k] @ following
            for _ in range(2):  # once more, for what rounding leaves
                following = following - basis[: k + 1].T @ (basis[: k + 1] @ following)
            self.beside[k] = np.linalg.norm(following)
            if k + 1 == count or self.beside[k] < 1e-14:
                count = k + 1
                break
            basis[k + 1] = following / self.beside[k]
        self.count = count
        self.coefficients = (values * np.sqrt(mass / self.total)) @ basis[:count].T

    def gauss(self, size: int) -> tuple[Array, Array, Array]:
        """Nodes, weights, and the functions' projections there; without nodes that rounding has moved."""
        size = min(size, self.count)
        nodes = eigh_tridiagonal(self.diagonal[:size], self.beside[: size - 1], eigvals_only=True)
        # Small weights are beyond the rounding of eigenvectors; the recurrence knows them to their own.
        values, before = np.ones((size, size)), np.zeros(size)
        with np.errstate(all="ignore"):
            for n in range(size - 1):
                following = (nodes - self.diagonal[n]) * values[n] - (self.beside[n - 1] * before if n else 0.0)
                before, values[n + 1] = values[n], following / self.beside[n]
            weights = 1 / (values**2).sum(axis=0)
        kept = weights > _LEAST
        return nodes[kept], self.total * weights[kept], self.coefficients[:, :size] @ values[:, kept]


def mean_activations(visible: Layer, hidden: Layer, sigma: float) -> tuple[Array, Array]:
    """Activations that are each about the mean of their unit's where the others are at theirs, of a network with σ < 1."""
    g, f = np.zeros(len(visible.gains)), np.zeros(len(hidden.gains))
    close = _CLOSE * (1 - sigma**2) * np.sqrt(visible.temperature)
    given = Conditional(visible, _FEW_TABLED), Conditional(hidden, _FEW_TABLED)
    for _ in range(_MOST_ROUNDS):
        new_g = given[0].mean_activations(f)
        new_f = given[1].mean_activations(new_g)
        moved = max(float(abs(new_g - g).max()), float(abs(new_f - f).max()))
        g, f = new_g, new_f
        if moved <= close:
            break
    return g, f


def _stretched(s: Array) -> tuple[Array, Array]:
    """Points x = (π/2) sinh s, and logarithms of their widths."""
    return np.pi / 2 * np.sinh(s), np.log(np.pi / 2 * np.cosh(s) * (s[-1] - s[0]) / (len(s) - 1))


def _points(unit: Layer, s: Array) -> tuple[Array, Array]:
    """Points x at s, and the logarithm of one unit's density there with the points' widths, both of shape (points,)."""
    x, widths = _stretched(s)
    return x, unit.log_density(x[:, None])[:, 0] + widths
