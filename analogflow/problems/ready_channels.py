"""Channels that have a name and parameters, such as ``bsc:0.11``: from the text of a name to rows of p(output|input).

Outputs that are numbers fall into intervals, and inputs that are numbers are taken at points: both can only lose
information, so that its capacity is at most that of the channel it stands for; `reference.ready_interval` bounds that one's.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.checks import proposal
from analogflow.errors import BadInput

__all__ = [
    "READY",
    "Parameter",
    "ReadyChannel",
    "ReadyTable",
    "name_of",
    "parameters_of",
    "ready_table",
    "stands_for_channel",
]

Array = NDArray[np.float64]

_MOST_INPUTS, _MOST_OUTPUTS = 1025, 4096

_NAMED = re.compile(r"([A-Za-z][\w-]*)(?::([^/\\]*))?")

_SHOWN = 60
"""Letters of a wrong text that a sentence repeats."""

_REACH = 3.0
"""Standard deviations of the noise beyond the outermost points up to which intervals of outputs are even."""

_TAIL = 1e-9
"""Probability of all counts that the last output of a photon channel stands for, but the first of them."""

_ROUNDING = 1e-12

_MOST_ALONG = 24
"""Intervals along each axis of a plane, if no number is given."""

_FADINGS = 12
"""Intervals of a known fading amplitude, if no number is given."""

_STRONGEST = 3.0
"""Fading amplitudes above this share one interval; one in 8,000 is."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a ready channel.

    Parameters
    ----------
    name : str
    says : str
        What it is, for a person.
    least, most : float
        Range of its values, with the ends.
    default : float, str or None, optional
        What it is where it is not given; it must be given if there is none, and None is nothing.
    whole : bool
        Whether it is a whole number.
    decibels : bool
        Whether it is a ratio that may be given in dB.
    words : tuple of str
        Its values, where these are words.
    """

    name: str
    says: str
    least: float = 0.0
    most: float = math.inf
    default: Any = ...
    whole: bool = False
    decibels: bool = False
    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What values it may have."""
        if self.words:
            return " or ".join(self.words)
        kind = "a whole number" if self.whole else "a ratio, or dB," if self.decibels else "a number"
        return f"{kind} from {self.least:g} to {self.most:g}"


class ReadyTable(NamedTuple):
    """Rows of p(output|input), what inputs and outputs are called, and the cost of each input with its limit, if any."""

    transition: Array
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cost: Array | None = None
    cost_limit: float | None = None


@dataclasses.dataclass(frozen=True)
class ReadyChannel:
    """What a name stands for.

    Parameters
    ----------
    says : str
        What channel it is, for a person.
    parameters : tuple of Parameter
        The first may be given without its name.
    table : callable
        ``table(**values)``.
    """

    says: str
    parameters: tuple[Parameter, ...]
    table: Callable[..., ReadyTable]

    def usage(self, name: str) -> str:
        """How it is written, with all its parameters."""
        said = [f"{each.name}{'' if each.default is ... else '='}" for each in self.parameters]
        return f"{name}:{','.join(said)}"


def stands_for_channel(text: str, path: Path) -> bool:
    """Whether `text` is the name of a ready channel, and not that of the file at `path`.

    Raises
    ------
    BadInput
        It may be both, or looks like a name and no channel has it.
    """
    found = _NAMED.fullmatch(text)
    if found is None:
        return False
    name, given = found.groups()
    there = path.exists()
    if name in READY and given is not None and there:
        raise BadInput(
            f"{text!r} may be the file of that name or a ready channel; write './{text}' for the file, and for the channel "
            "rename the file or write its parameters otherwise."
        )
    if there or (given is None and name not in READY):
        return False
    if name not in READY:
        raise BadInput(
            f"{_cut(text)!r} is no file, and no ready channel is called {_cut(name)!r}; {proposal(name, READY)} They are "
            f"written {', '.join(each.usage(known) for known, each in READY.items())}."
        )
    return True


def parameters_of(text: str) -> tuple[str, dict[str, Any]]:
    """Name of a ready channel and the values of all its parameters, from its text.

    Raises
    ------
    BadInput
        There is no such channel, or a parameter is missing, not known, given twice or not in its range.
    """
    found = _NAMED.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[1] not in READY:
        said = _cut(found[1] if found else str(text))
        raise BadInput(f"no ready channel is called {said!r}; known are: {', '.join(READY)}.")
    name, ready = found[1], READY[found[1]]
    known = {each.name: each for each in ready.parameters}
    allowed = f"{name} has the parameters " + ", ".join(f"{each.name} ({each.allowed})" for each in ready.parameters)
    values: dict[str, Any] = {}
    parts = [part.strip() for part in found[2].split(",")] if (found[2] or "").strip() else []
    for place, part in enumerate(parts):
        key, equals, value = part.partition("=")
        key, value = (key.strip(), value.strip()) if equals else (ready.parameters[0].name, key.strip())
        if not equals and place:
            raise BadInput(f"{name}: {_cut(part)!r} has no name; only the first value goes without one. {allowed}.")
        if key not in known:
            raise BadInput(f"{name}: the parameter {_cut(key)!r} is not known. {allowed}.")
        if key in values:
            raise BadInput(f"{name}: the parameter {key!r} is given twice.")
        values[key] = _value(known[key], value, name, allowed)
    if missing := [each.name for each in ready.parameters if each.default is ... and each.name not in values]:
        raise BadInput(f"{name}: {' and '.join(missing)} must be given, as in {ready.usage(name)}. {allowed}.")
    return name, {each.name: values.get(each.name, each.default) for each in ready.parameters}


def name_of(name: str, values: Mapping[str, Any]) -> str:
    """The text of a ready channel, written from its values alone; parameters that are nothing are left out."""
    return f"{name}:{','.join(f'{key}={_written(value)}' for key, value in values.items() if value is not None)}"


def _written(value: Any) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def ready_table(text: str) -> tuple[str, ReadyTable]:
    """The rows that a name stands for, and the name as `name_of` writes it.

    Raises
    ------
    BadInput
        As `parameters_of` does, and where its parameters contradict each other.
    """
    name, values = parameters_of(text)
    return name_of(name, values), READY[name].table(**values)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")


def _value(parameter: Parameter, text: str, name: str, allowed: str) -> Any:
    wrong = BadInput(f"{name}: {parameter.name} is {_cut(text)!r}, and must be {parameter.allowed}. {allowed}.")
    if parameter.words:
        if text not in parameter.words:
            raise wrong
        return text
    bare = text[:-2].strip() if parameter.decibels and text.lower().endswith("db") else text
    if not _NUMBER.fullmatch(bare):
        raise wrong
    value = float(bare)
    if bare != text:
        if abs(value) > 1000:
            raise wrong
        value = 10 ** (value / 10)
    if not parameter.least <= value <= parameter.most or (parameter.whole and value != round(value)):
        raise wrong
    return int(value) if parameter.whole else value


def _binary(p: float) -> ReadyTable:
    return ReadyTable(np.array([[1 - p, p], [p, 1 - p]]), ("0", "1"), ("0", "1"))


def _erasing(e: float) -> ReadyTable:
    matrix = np.array([[1 - e, e, 0.0], [0.0, e, 1 - e]])
    return _without_empty(matrix, ("0", "1"), ("0", "erased", "1"))


def _z(p: float) -> ReadyTable:
    return ReadyTable(np.array([[1.0, 0.0], [p, 1 - p]]), ("0", "1"), ("0", "1"))


def _without_empty(matrix: Array, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> ReadyTable:
    used = matrix.max(axis=0) > 0
    return ReadyTable(matrix[:, used], inputs, tuple(name for name, kept in zip(outputs, used, strict=True) if kept))


def _even_outputs(reach: float, m: int | None) -> Array:
    """Edges between the m intervals of an output in unit noise, a quarter wide if m is not given; shape (m − 1,)."""
    most = reach + _REACH
    count = m or 2 * math.ceil(4 * most)
    return np.linspace(-most, most, count - 1) if count > 2 else np.zeros(1)


def normal_shares(centres: Array, edges: Array) -> Array:
    """Probability of each interval between the edges, of unit Gaussian noise around each centre, shape (n, edges + 1)."""
    below = edges - centres[:, None]
    ndtr = scipy.special.ndtr
    # Of the two tails the smaller one is subtracted, so that small probabilities keep their digits.
    left, right = ndtr(below), ndtr(-below)
    steps = np.where(below[:, 1:] <= 0, left[:, 1:] - left[:, :-1], right[:, :-1] - right[:, 1:])
    return np.asarray(np.concatenate([left[:, :1], steps, right[:, -1:]], axis=1), dtype=float)


def _intervals(edges: Array, of: str = "y") -> tuple[str, ...]:
    inner = [f"{of} {low:.4g} to {high:.4g}" for low, high in itertools.pairwise(edges)]
    return (f"{of} below {edges[0]:.4g}", *inner, f"{of} above {edges[-1]:.4g}")


def _amplitude_limited(A: float, n: int, m: int | None, power: float | None) -> ReadyTable:
    x = np.linspace(-A, A, n)
    edges = _even_outputs(A, m)
    names = tuple(f"x = {value:.4g}" for value in x)
    return _priced(ReadyTable(normal_shares(x, edges), names, _intervals(edges)), x**2, power, "power")


def _priced(table: ReadyTable, cost: Array, limit: float | None, name: str) -> ReadyTable:
    if limit is None or limit >= (1 - _ROUNDING) * cost.max():
        return table  # no input costs more
    if not limit > cost.min():
        raise BadInput(f"{name} is {limit:g}, and every input costs {cost.min():g} or more; give a larger {name}.")
    return table._replace(cost=cost, cost_limit=limit)


def light_levels(peak: float, n: int) -> Array:
    """Mean photon numbers of the n inputs of a photon channel: squares are even, as its noise grows with the signal."""
    return peak * np.linspace(0, 1, n) ** 2


def _photons(peak: float, dark: float, mean: float | None, n: int) -> ReadyTable:
    light = light_levels(peak, n)
    rate = light + dark
    # Counts from the first one on that hardly any is above.
    last = int(np.searchsorted(-scipy.special.pdtrc(np.arange(_MOST_OUTPUTS), rate[-1]), -_TAIL))
    counts = np.arange(last)
    inner = np.exp(scipy.special.xlogy(counts, rate[:, None]) - rate[:, None] - scipy.special.gammaln(counts + 1))
    matrix = np.concatenate([inner, scipy.special.pdtrc(last - 1, rate)[:, None]], axis=1)
    matrix /= matrix.sum(axis=1, keepdims=True)
    inputs = tuple(f"{value:.4g} photons" for value in light)
    outputs = (*(f"{k} counts" for k in counts), f"{last} counts or more")
    return _priced(ReadyTable(matrix, inputs, outputs), light, mean, "mean")


def pam_points(M: int, power: float) -> Array:
    """M even, symmetric points whose mean square is `power`, shape (M,)."""
    return np.arange(1 - M, M, 2, dtype=float) * math.sqrt(3 * power / (M * M - 1))


def _limited(limit: str, power: float) -> float | None:
    return power if limit == "power" else None


def _pam(M: int, snr: float, limit: str, m: int | None) -> ReadyTable:
    x = pam_points(M, snr)
    edges = _even_outputs(x[-1], m)
    names = tuple(f"x = {value:.4g}" for value in x)
    return _priced(ReadyTable(normal_shares(x, edges), names, _intervals(edges)), x**2, _limited(limit, snr), "snr")


def side_of_square(M: int) -> int:
    """Points along a side of a square of M points.

    Raises
    ------
    BadInput
        M is no square.
    """
    side = math.isqrt(M)
    if side * side != M:
        raise BadInput(f"qam: M is {M}, and must be a square, such as 4, 16, 64 or 256.")
    return side


def _qam(M: int, snr: float, limit: str, m: int | None) -> ReadyTable:
    # Along each axis half of the power and half of the noise: in units of the noise along it, the same ratio.
    x = pam_points(side_of_square(M), snr)
    edges = _even_outputs(x[-1], m or min(2 * math.ceil(2 * (x[-1] + _REACH)), _MOST_ALONG))
    along = normal_shares(x, edges)
    inputs = tuple(f"x = {a:.4g}{b:+.4g}j" for a in x for b in x)
    outputs = tuple(f"{a}, {b}" for a in _intervals(edges, "re") for b in _intervals(edges, "im"))
    cost = (x[:, None] ** 2 + x**2).ravel()
    return _priced(
        ReadyTable(np.asarray(np.kron(along, along), dtype=float), inputs, outputs), cost, _limited(limit, 2 * snr), "snr"
    )


def _faded(x: Array, edges: Array, weakest: float, strongest: float) -> Array:
    r"""P(amplitude from weakest to strongest, output between edges | x) for y = h x + noise, shape (n, edges + 1).

    .. math:: \int 2 h e^{-h^2} \Phi(y - h x) dh = \big[-e^{-h^2} \Phi(y - h x)\big]
        - \frac{x}{\sqrt{2a}} e^{-y^2/2a} \big[\Phi((h - c) \sqrt{2a})\big], \quad a = 1 + x^2/2, \; c = x y / 2a
    """
    ndtr = scipy.special.ndtr
    y, signal = edges[None], x[:, None]
    a = 1 + signal**2 / 2
    centre, root = signal * y / (2 * a), np.sqrt(2 * a)
    ends = []
    for h in (weakest, strongest):
        shares = ndtr(y - h * signal) if math.isfinite(h) else 0.0
        ends.append(-math.exp(-h * h) * shares - signal / root * np.exp(-(y**2) / (2 * a)) * ndtr((h - centre) * root))
    below = ends[1] - ends[0]
    whole = math.exp(-weakest * weakest) - math.exp(-strongest * strongest)
    full = np.concatenate([np.zeros((len(x), 1)), below, np.full((len(x), 1), whole)], axis=1)
    return np.maximum(np.diff(full, axis=1), 0.0)


def _rayleigh(M: int, snr: float, state: str, limit: str, m: int | None, k: int | None) -> ReadyTable:
    if k is not None and state == "unknown":
        raise BadInput("rayleigh: k is of a fading amplitude that is known; leave it out, or give state=known.")
    k = k or _FADINGS
    x = pam_points(M, snr)
    names = tuple(f"x = {value:.4g}" for value in x)
    edges = _even_outputs(x[-1], m or 2 * math.ceil(2 * (x[-1] + _REACH)))
    if state == "unknown":
        matrix, outputs = _faded(x, edges, 0.0, math.inf), _intervals(edges)
    else:
        if k * (len(edges) + 1) > _MOST_OUTPUTS:
            raise BadInput(f"rayleigh: {k} × {len(edges) + 1} intervals are more than {_MOST_OUTPUTS} outputs; give m or k.")
        bounds = np.append(np.linspace(0, _STRONGEST, k), math.inf) if k > 1 else np.array([0.0, math.inf])
        parts = [_faded(x, edges, low, high) for low, high in itertools.pairwise(bounds)]
        matrix = np.concatenate(parts, axis=1)
        fading = [f"h {low:.3g} to {high:.3g}" for low, high in itertools.pairwise(bounds)]
        outputs = tuple(f"{h}, {y}" for h in fading for y in _intervals(edges))
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    table = _without_empty(matrix, names, outputs)
    return _priced(table, x**2, _limited(limit, snr), "snr")


_OUTPUTS = Parameter("m", "intervals of the output", 2, _MOST_OUTPUTS, None, whole=True)
_SNR = Parameter("snr", "mean power over that of the noise", 1e-6, 1e4, decibels=True)
_LIMIT = Parameter("limit", "whether the mean power is limited to snr", default="power", words=("power", "none"))
_POINTS = Parameter("M", "points", 2, 256, whole=True)

READY: Mapping[str, ReadyChannel] = {
    "bsc": ReadyChannel(
        "binary symmetric: a bit is flipped with probability p", (Parameter("p", "of a flip", 0, 1),), _binary
    ),
    "bec": ReadyChannel(
        "binary erasure: a bit is erased with probability e", (Parameter("e", "of an erasure", 0, 1),), _erasing
    ),
    "z": ReadyChannel("Z: a 1 becomes a 0 with probability p", (Parameter("p", "of a loss", 0, 0.999999),), _z),
    "awgn": ReadyChannel(
        "Gaussian noise of unit power; amplitudes up to A, and perhaps a limited mean power",
        (
            Parameter("A", "largest amplitude, in standard deviations of the noise", 1e-3, 30),
            Parameter("n", "amplitudes", 2, _MOST_INPUTS, 17, whole=True),
            _OUTPUTS,
            Parameter("power", "largest mean power", 0, 1e4, None),
        ),
        _amplitude_limited,
    ),
    "poisson": ReadyChannel(
        "counted photons: Poisson with the mean of the light sent, and dark counts",
        (
            Parameter("peak", "most light, photons", 1e-3, 500),
            Parameter("dark", "mean dark count", 0, 500, 0.0),
            Parameter("mean", "largest mean light, photons", 0, 500, None),
            Parameter("n", "amounts of light", 2, _MOST_INPUTS, 17, whole=True),
        ),
        _photons,
    ),
    "pam": ReadyChannel("M even amplitudes in Gaussian noise", (_POINTS, _SNR, _LIMIT, _OUTPUTS), _pam),
    "qam": ReadyChannel(
        "a square of M points in complex Gaussian noise",
        (
            dataclasses.replace(_POINTS, least=4),
            _SNR,
            _LIMIT,
            dataclasses.replace(_OUTPUTS, says="intervals along each axis", most=64),
        ),
        _qam,
    ),
    "rayleigh": ReadyChannel(
        "M even amplitudes, faded by a Rayleigh amplitude that the receiver knows or not, in Gaussian noise",
        (
            dataclasses.replace(_POINTS, most=16),
            dataclasses.replace(_SNR, most=1e3),
            Parameter("state", "of the fading, at the receiver", words=("known", "unknown")),
            _LIMIT,
            _OUTPUTS,
            Parameter("k", "intervals of a known fading amplitude", 1, 256, None, whole=True),
        ),
        _rayleigh,
    ),
}
"""What each name stands for."""
