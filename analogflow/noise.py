"""Noise that every engine plays alike: seeded, piecewise linear between knots, one stream for each sample and source.

A circuit simulator's own transient noise can not be seeded, so its numbers come from here too.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.checks import is_number, is_positive, is_whole
from analogflow.errors import BadInput

__all__ = [
    "DEVICES",
    "DEVICE_STREAMS",
    "DRAWS",
    "KNOTS_TAKE",
    "LARGEST_SAMPLE",
    "MOST_CHAINS",
    "PARAMETERS",
    "RESTARTS",
    "Noise",
    "check_sample",
    "standard_normal",
]

LARGEST_SAMPLE = 2**39 - 1
"""Largest number of a sample."""

PARAMETERS = 1 << 23
"""Streams that parameters are drawn from are numbered from here; those of noise sources lie below."""

DRAWS = PARAMETERS - 1
"""Stream that draws a fluctuation for each sample where no waveform is played."""

RESTARTS = PARAMETERS - 2
"""Stream that draws where the restart of each sample begins."""

DEVICES = 1 << 21
"""Streams that the noise of parts is drawn from are numbered from here."""

DEVICE_STREAMS = 32
"""Streams of each source of a part: white noise, then the poles of its 1/f."""

KNOTS_TAKE = 7 / 15
"""Share of a variance that noise lacks which is linear between knots, per knot in a relaxation time, to first order."""

_MOST_KNOTS, _LARGEST_SIGMA = 2**27, 1e100

_CHAIN = 1 << 22
"""Streams of the noise sources of every second chain are numbered from here."""

MOST_CHAINS = 1 << 24
"""Noises of the same seed and the same parts that are told apart."""

_STREAMS = 24
"""Bits that number the streams of one sample."""

_GRID = 2.0**20
"""Standard normal numbers are rounded to multiples of 1/this, which hides differences in the last bit of a logarithm."""

_KEPT = 2**22
"""Most numbers that are kept until others are asked for: 32 MiB."""

_SLOWEST, _POLES_PER_DECADE, _BEYOND = 1e-2, 2, 100.0
"""Hz of the slowest pole of 1/f noise, poles in a decade, and how far above the corner they reach."""

_EXACT = 2.0**40
"""Factors of a recursion are rounded to multiples of 1/this, which hides the last bits of exp and tanh."""

_PARTS = re.compile(r"(?:(?P<rest>.*\S)\s*\+\s*)?parts", re.IGNORECASE | re.DOTALL)
_TEXT = re.compile(r"([-+.0-9]+(?:e[-+]?[0-9]+)?)\s*(db|v/(?:rthz|√hz))?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Noise:
    r"""White noise on every integrator's input, in flow units: dy = f(y) dt + σ dW, with t in units of τ.

    Parameters
    ----------
    sigma : float
        σ per √τ, in flow units (nats of u for the log-domain form).
    seed : int
        The same seed gives the same noise, for any number of processes.
    step : float
        Distance NT of the knots in τ. Between knots the noise is linear.
    shares : tuple of (state, share), optional
        Part of σ that the integrators of a state get whose input has another unit; 1 where a state is missing.
    chain : int
        Which of 2²⁴ independent noises of the same seed: the same parts, with the same deviations, in another night.
    parts : bool
        Whether parts play their own noise besides: that of resistors, junctions and amplifiers, as their densities are.

    Raises
    ------
    BadInput
        σ is negative or not finite, the seed is not a whole number from 0, the step is not positive, or there is no such
        chain.

    Notes
    -----
    Each knot is Gaussian with variance σ²/NT. Linear interpolation lacks power at high frequencies: a state that relaxes
    with time constant T keeps the share `variance_share` ≈ 1 − (7/15) NT/T of its variance. Engines that play the same knots
    share that loss exactly.
    """

    sigma: float
    seed: int = 0
    step: float = 0.1
    chain: int = 0
    shares: tuple[tuple[str, float], ...] = ()
    parts: bool = False

    def __post_init__(self) -> None:
        if not is_whole(self.chain, 0, MOST_CHAINS - 1):
            raise BadInput(f"noise: there is no chain {self.chain!r}; give a whole number from 0 to {MOST_CHAINS - 1}.")
        if not is_number(self.sigma) or not 0 <= self.sigma <= _LARGEST_SIGMA:
            raise BadInput(
                f"noise: sigma is {self.sigma!r}; give a number of flow units per √τ, from 0 to {_LARGEST_SIGMA:g}."
            )
        if not is_whole(self.seed, 0, 2**63 - 1):
            raise BadInput(f"noise: the seed {self.seed!r} is not a whole number from 0 to 2**63 − 1.")
        if not is_positive(self.step):
            raise BadInput(f"noise: the step {self.step!r} is not a positive number of time constants.")

    @classmethod
    def from_density(
        cls,
        volts_per_root_hertz: float,
        *,
        unit: float | Mapping[str, float],
        time_constant: float,
        seed: int = 0,
        step: float = 0.1,
    ) -> Noise:
        """Noise of a one-sided voltage density at every integrator's input.

        Parameters
        ----------
        volts_per_root_hertz : float
            V/√Hz, one-sided, as datasheets give it.
        unit : float or mapping of state to float
            Volts per flow unit at an integrator's input.
        time_constant : float
            τ in seconds.
        """
        units = unit if isinstance(unit, Mapping) else {"": unit}
        for name, value in (*(("unit", value) for value in units.values()), ("time_constant", time_constant)):
            if not is_positive(value):
                raise BadInput(f"noise: {name} is {value!r}; give a positive number.")
        if not is_number(volts_per_root_hertz):
            raise BadInput(f"noise: a density of {volts_per_root_hertz!r} V/√Hz is no number.")
        # τ dy/dt = n/unit with two-sided density S/2 of n: in time t/τ the variance grows by S/(2 τ unit²).
        least = min(units.values())
        shares = tuple((state, least / value) for state, value in units.items() if value != least)
        return cls(volts_per_root_hertz / (least * math.sqrt(2 * time_constant)), seed=seed, step=step, shares=shares)

    @classmethod
    def from_snr(cls, decibels: float, *, full_scale: float = 1.0, seed: int = 0, step: float = 0.1) -> Noise:
        """Noise by its distance from a full-scale signal (rms, flow units) in the band of one integrator with unit feedback.

        Such an integrator turns white noise into an rms of σ/√2, so σ = √2 · full scale · 10^(−dB/20). Played from knots it
        is √`variance_share` of that: 0.977 of it at a step of 0.1 τ.
        """
        if not is_number(decibels) or not abs(decibels) <= 400 or not is_positive(full_scale):
            raise BadInput(
                f"noise: an SNR of {decibels!r} dB on a full scale of {full_scale!r} is no noise; "
                "give from −400 to 400 dB on a positive full scale."
            )
        return cls(math.sqrt(2) * full_scale * 10 ** (-decibels / 20), seed=seed, step=step)

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        unit: float | Mapping[str, float] = 1.0,
        time_constant: float = 1.0,
        seed: int = 0,
        step: float = 0.1,
    ) -> Noise:
        """Noise as people write it: ``0.01`` (σ per √τ), ``40dB`` (SNR), ``5e-9V/rtHz`` (one-sided density), ``parts``.

        ``parts`` is the noise of the parts themselves, and ``0.01+parts`` both.
        """
        if own := _PARTS.fullmatch(text.strip()):
            rest = own["rest"] or "0"
            if not _PARTS.fullmatch(rest):
                beside = cls.from_text(rest, unit=unit, time_constant=time_constant, seed=seed, step=step)
                return dataclasses.replace(beside, parts=True)
        match = _TEXT.fullmatch(text.strip())
        try:
            value = float(match[1]) if match else math.nan
        except ValueError:
            value = math.nan
        if match is None or not math.isfinite(value):
            raise BadInput(f"noise: {text!r} is none of 0.01 (per root of a time constant), 40dB, 5e-9V/rtHz and parts.")
        if (match[2] or "").lower() == "db":
            return cls.from_snr(value, seed=seed, step=step)
        if match[2]:
            return cls.from_density(value, unit=unit, time_constant=time_constant, seed=seed, step=step)
        return cls(value, seed=seed, step=step)

    @staticmethod
    def is_of_parts(said: Any) -> bool:
        """Whether noise, as a `Noise` or as people write it, has that of the parts in it."""
        return said.parts if isinstance(said, Noise) else isinstance(said, str) and bool(_PARTS.fullmatch(said.strip()))

    @property
    def plays(self) -> bool:
        """Whether it makes any source play."""
        return self.sigma > 0 or self.parts

    def __str__(self) -> str:
        at = f"noise {self.sigma:g} per √τ at the integrators"
        return f"{at}, and that of the parts" if self.parts else at

    def by_state(self, states: Iterable[str]) -> dict[str, float]:
        """σ at the integrators of every state."""
        shares = dict(self.shares)
        return {state: self.sigma * shares.get(state, 1.0) for state in states}

    def knot_times(self, time_constants: float) -> NDArray[np.float64]:
        """Times of the knots in τ, shape (knots,): multiples of the step, two at least, the last at or after the end.

        Raises
        ------
        BadInput
            There would be more than 2²⁷ knots.
        """
        intervals = time_constants / self.step
        if not intervals < _MOST_KNOTS:
            raise BadInput(
                f"noise: a step of {self.step!r} τ over {time_constants:g} τ is {intervals:.3g} knots, more than "
                f"{_MOST_KNOTS}; give a longer step or a shorter run."
            )
        return np.float64(self.step) * np.arange(max(math.ceil(intervals - 1e-9), 1) + 1)

    def knots(self, samples: Sequence[int], sources: Sequence[int], time_constants: float) -> NDArray[np.float64]:
        """Standard normal numbers at the knots, shape (samples, knots, sources).

        A source of density d (flow units per √τ) plays them times d/√NT.

        Parameters
        ----------
        samples, sources : sequence of int
            Which samples and sources: each pair has a stream of its own, so any one can be drawn alone.
        time_constants : float
            Length in τ.
        """
        count = len(self.knot_times(time_constants))
        streams = self.streams(sources)
        numbers = samples if isinstance(samples, range) else tuple(map(int, samples))
        draw = _last_knots if len(numbers) * len(streams) * count <= _KEPT else _last_knots.__wrapped__
        return np.moveaxis(draw(int(self.seed), numbers, streams, count, self.chain >> 1), 0, -1)

    def flickering(
        self, samples: Sequence[int], sources: Sequence[int], corners: Sequence[float], spacing: float, time_constants: float
    ) -> NDArray[np.float64]:
        """What 1/f noise adds to the standard normal numbers of sources at the knots, shape (samples, knots, sources).

        A source of white density S and corner f_c then has the density S (1 + f_c/f), in power.

        Parameters
        ----------
        samples, sources : sequence of int
            As for `knots`; the streams after that of a source draw its poles.
        corners : sequence of float
            f_c of each source, hertz; 0 for white noise.
        spacing : float
            Distance of the knots in seconds.
        time_constants : float
            Length in τ.

        Raises
        ------
        BadInput
            A corner is so high that its poles have no streams.

        Notes
        -----
        A sum of Ornstein-Uhlenbeck processes with poles at f_k, two in every decade from 0.01 Hz to 100 f_c, each of the
        variance S f_c ln √10 (van der Ziel, Physica 16, 359, 1950): between the outermost poles it is 1/f within 0.1 %, and
        below 0.01 Hz it is white. Between knots a pole goes exactly, x → a x + √(1 − a²) ξ with a = exp(−2π f_k h). Its
        variance is that whose density at low frequencies is the pole's own whatever h is: one above the knots is white
        noise. Poles are fixed in hertz, so that a longer run begins as a shorter one, from the stationary law.
        """
        count = len(self.knot_times(time_constants))
        added = np.zeros((len(samples), count, len(sources)))
        for position, (source, corner) in enumerate(zip(sources, corners, strict=True)):
            if not corner:
                continue
            poles = np.arange(max(math.ceil(_POLES_PER_DECADE * math.log10(_BEYOND * corner / _SLOWEST) - 1e-9), 0) + 1)
            if len(poles) >= DEVICE_STREAMS:
                raise BadInput(f"noise: a corner of 1/f at {corner:g} Hz is none that parts have; give a lower one.")
            x = 2 * np.pi * spacing * _SLOWEST * 10.0 ** (poles / _POLES_PER_DECADE)
            kept = np.round(np.exp(-x) * _EXACT) / _EXACT
            power = 2 * corner * spacing * math.log(10.0) / _POLES_PER_DECADE * 2 / x * np.tanh(x / 2)
            size = np.round(np.sqrt(power) * _EXACT) / _EXACT
            fresh = np.sqrt(1 - kept**2)
            steps = self.knots(samples, [source + 1 + int(pole) for pole in poles], time_constants)
            value = steps[:, 0]
            for k in range(count):
                if k:
                    value = kept * value + fresh * steps[:, k]
                added[:, k, position] = _sum(size * value)
        return added

    def played(
        self, sample: int, sources: Sequence[int], corners: Sequence[float], spacing: float, time_constants: float
    ) -> NDArray[np.float64]:
        """What sources of a sample play at the knots, over their amplitude, shape (knots, sources): white, and 1/f with it.

        Parameters are those of `flickering`.
        """
        (knots,) = self.knots([sample], sources, time_constants)
        if not any(corners):
            return knots
        return knots + self.flickering([sample], sources, corners, spacing, time_constants)[0]

    def amplitude(self, density: Any) -> Any:
        """What a standard normal number at a knot is multiplied by where a source has this density, per √τ."""
        return density / np.sqrt(self.step)

    def streams(self, sources: Sequence[int]) -> tuple[int, ...]:
        """Numbers of the streams that sources play; chains share them two by two, and play other stretches of them."""
        return tuple(int(source) + (self.chain & 1) * _CHAIN for source in sources)

    def variance_share(self, relaxation: float = 1.0) -> float:
        """Share of the stationary variance that a state of this relaxation time (in τ) keeps, averaged over time.

        The spectrum of the interpolated noise is σ² sinc⁴(f NT); the state weighs it with 1/(1 + (2π f T)²).
        """
        x = self.step / relaxation
        # Average over one interval of the response to a triangular kernel; by series where cancellation would bite.
        if x < 1e-2:
            return 1 - KNOTS_TAKE * x + x**2 / 6
        decay = math.exp(-x)
        return _share(x, decay)


def _sum(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the last axis in one order on every machine, shape (...,)."""
    total = np.zeros(terms.shape[:-1])
    for k in range(terms.shape[-1]):
        total = total + terms[..., k]
    return total


@functools.lru_cache(maxsize=1)
def _last_knots(
    seed: int, samples: Sequence[int], streams: tuple[int, ...], count: int, stretch: int
) -> NDArray[np.float64]:
    """Knots of some streams, shape (streams, samples, count), read-only; kept, as a restart plays the same ones again."""
    knots = np.stack([standard_normal(seed, samples, stream, count, stretch=stretch) for stream in streams])
    knots.setflags(write=False)
    return knots


def check_sample(sample: object) -> int:
    """`sample` as an int.

    Raises
    ------
    BadInput
        It is not a whole number from 0 to 2**39 − 1.
    """
    if not is_whole(sample, 0, LARGEST_SAMPLE):
        raise BadInput(f"sample: {sample!r} is not a whole number from 0 to 2**39 − 1.")
    return int(sample)


def standard_normal(seed: int, samples: Sequence[int], stream: int, count: int, *, stretch: int = 0) -> NDArray[np.float64]:
    """Standard normal numbers of one stream, or of a stretch of it 2¹⁹² counts on for each, shape (samples, count).

    Philox in counter mode under the key (seed, sample and stream), its integers mapped through the normal quantile and
    rounded to multiples of 2⁻²⁰. The integers are the same everywhere; the quantile takes a logarithm in the tails, and a
    mathematical library that is off by one in its last bit changes about one number in 10⁹, by 2⁻²⁰.
    """
    bits = np.empty((len(samples), count), dtype=np.uint64)
    generator = np.random.Philox(key=[seed, stream])
    fresh = generator.state  # to begin a stream from there costs a sixth of what a generator of its own does
    fresh["state"]["counter"][3] = stretch
    for row, sample in enumerate(samples):
        fresh["state"]["key"][1] = (int(sample) << _STREAMS) | stream
        generator.state = fresh
        bits[row] = generator.random_raw(count)
    # The middle of each of 2**52 intervals, so that no number is infinite.
    normal = scipy.special.ndtri(((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)
    return np.asarray(np.round(normal * _GRID) / _GRID, dtype=float)


def _share(x: float, decay: float) -> float:
    """Stationary variance ratio by exact propagation over one knot interval, averaged over the interval by quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    s = 0.5 * (nodes + 1)

    # y(kNT + s NT) = y_k e^{−sx} + ξ_k a(s) + ξ_{k+1} b(s), with ξ of variance 1/x (σ = T = 1).
    def response(s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        e = np.exp(-s * x)
        b = s - (1 - e) / x
        return (1 - e) - b, b

    a1, b1 = (float(v) for v in response(np.array(1.0)))
    # Covariance of y_k with ξ_k, then the stationary variance of y_k at the knots.
    cross = b1 / x
    variance = (2 * decay * a1 * cross + (a1**2 + b1**2) / x) / (1 - decay**2)
    a, b = response(s)
    e = np.exp(-s * x)
    inside = variance * e**2 + 2 * e * a * cross + (a**2 + b**2) / x
    return float(weights @ inside)  # twice the mean: under white noise the variance is ½
