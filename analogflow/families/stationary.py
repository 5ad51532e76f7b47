"""Reads the stationary law of a noisy state off the chains of a run: mean and covariance, each with its standard error.

Nothing is assumed of the law. Errors come from the autocovariance of each averaged quantity and from how far chains are
apart, so that a slow state counts for less; what the law should be is for the caller to say.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.errors import BadInput
from analogflow.families.averages import Mixing, average, halves, mixing_of, rounded_up
from analogflow.families.ends import NOT_MIXED, Check, RunEnds
from analogflow.flows import Averaging
from analogflow.run import Outcome, Run

__all__ = [
    "ACCURACY",
    "FALSE_ALARM",
    "LAW_LABELS",
    "MOST_POINTS",
    "R_HAT",
    "Deviations",
    "Law",
    "LawHeld",
    "coarse_knots",
    "joint_limit",
    "known_to",
    "law_checks",
    "law_errors",
    "law_of",
    "power_check",
    "skipped_in",
]

FALSE_ALARM = 0.01
"""Share of right circuits that a verdict on a law may refuse by chance, whichever of its tests does it."""

_TESTS = 9
"""Most tests of a verdict, by which the share is divided (Bonferroni), whatever is asked: mean, covariance, energy and the
two halves of each of two chains, and whether the chains agree. So `verify` asks of each chain what `solve` does."""

ACCURACY = 0.25
"""Error that the checks of a law must be able to find where no accuracy is asked for: of a mean over its standard deviation,
of a covariance over the product of two. A run whose limits are wider tells too little to pass."""

R_HAT, _SHORT = 1.01, 1.05
"""Split R-hat above which chains have not mixed if their means contradict each other (Vehtari and others 2021), and above
which they are too short to tell even if these do not."""

Array = NDArray[np.float64]

MOST_POINTS, _RANKED = 2**19, 2**17
"""Points at most that all chains of a run are sampled at, and that are ranked: closer ones repeat each other."""

_FEWEST = 100

LAW_LABELS = {
    "mean": "largest difference of a mean",
    "covariance": "largest difference of a covariance",
    "mean_standard_error": "largest standard error of a mean",
    "covariance_standard_error": "largest standard error of a covariance",
    "effective_samples": "effective sample size of a covariance, at least",
    "r_hat": "split R-hat of the chains",
}
"""What the errors of a law are called where people read them."""

_UNITS = {"mean": "the standard deviation", "covariance": "the variances"}

_AGREE, _TITLE = "the chains agree", "{} agrees with the reference"

_EVEN = 1e-6
"""Relative difference of steps that count as equal: such points are not interpolated, which would cost variance."""


@dataclasses.dataclass(frozen=True, eq=False)
class Law:
    """Mean and covariance of n states over the chains of a run.

    Parameters
    ----------
    mean, mean_error : array, shape (n,)
    covariance, covariance_error : array, shape (n, n)
    mean_effective, covariance_effective : float
        Effective sample size of the mean, and of the covariance, that has the smallest.
    length : float
        Time averaged over, in τ, of each chain.
    paths : array, shape (chains, points, n)
        What was averaged, at equal distances in time.
    starts : array, shape (chains, n)
        Where the chains began.
    skipped : float
        Time left out before, in τ, of each chain.
    """

    mean: Array
    mean_error: Array
    covariance: Array
    covariance_error: Array
    mean_effective: float
    covariance_effective: float
    length: float
    paths: Array
    starts: Array
    skipped: float = 0.0

    @property
    def values(self) -> Array:
        """The points of all chains, one chain after another, shape (points, n)."""
        return self.paths.reshape(-1, self.paths.shape[2])

    @property
    def total(self) -> float:
        """Time averaged over, in τ, of all chains together."""
        return self.length * len(self.paths)

    @property
    def known_to(self) -> float:
        """Largest error that passes, of a mean over its standard deviation or of a covariance over the product of two."""
        widths = np.sqrt(np.diag(self.covariance))
        means = joint_limit(len(widths), samples=self.mean_effective) * self.mean_error
        upper = np.triu_indices(len(widths))
        covariances = joint_limit(len(upper[0]), samples=self.covariance_effective) * self.covariance_error
        with np.errstate(all="ignore"):
            return float(max((means / widths).max(), (covariances / np.outer(widths, widths))[upper].max()))

    @functools.cached_property
    def mixing(self) -> Mixing:
        """Whether the chains tell of one law."""
        return mixing_of(self.paths, rarity=FALSE_ALARM / _TESTS, ranked=_RANKED)

    def errors(self, mean: Array, covariance: Array) -> dict[str, float]:
        """Largest distances from those given, by name, with the standard errors and the effective sample size."""
        return {
            "mean": float(abs(self.mean - mean).max()),
            "covariance": float(abs(self.covariance - covariance).max()),
            "mean_standard_error": float(self.mean_error.max()),
            "covariance_standard_error": float(self.covariance_error.max()),
            "effective_samples": min(self.covariance_effective, self.mixing.effective),
            "r_hat": self.mixing.r_hat,
        }


class LawHeld(NamedTuple):
    """A law that was read off a run, and held against a reference.

    `wells` is what the chains tell of each well of the energy, as plain records; none where that is not told.
    """

    law: Law
    errors: Mapping[str, float]
    checks: Sequence[Check]
    wells: Sequence[Any] = ()


def skipped_in(run: Run, averaging: Averaging) -> float:
    """Time in τ left out at the start of each chain of a run: as it was asked for, or as `averaging` says."""
    return float(run.record.get("skipped", averaging.skipped_of(float(run.time[-1]))))


def law_of(run: Run, states: Sequence[str], *, skipped: float) -> Law:
    """Mean and covariance of all elements of `states`, one after another, over all chains of a run.

    Parameters
    ----------
    run : Run
    states : sequence of str
        Names of signals.
    skipped : float
        Time in τ left out at the start of each chain.

    Raises
    ------
    BadInput
        Too little of the run is left to average over.
    """
    return _last_law(run, tuple(states), skipped)


@functools.lru_cache(maxsize=1)
def _last_law(run: Run, states: tuple[str, ...], skipped: float) -> Law:
    """The same; kept, as a run that is long enough is judged by the law which said so."""
    chains = (run, *run.chains)
    end = min(float(chain.time[-1]) for chain in chains)
    kept = min(int((chain.time >= skipped).sum()) for chain in chains)
    if end <= skipped or kept < _FEWEST:
        raise BadInput(
            f"averaging: the run ends at {end:g} τ with {kept} points after {skipped:g} τ, and needs {_FEWEST}; "
            "give it more time."
        )
    most = MOST_POINTS // len(chains)
    paths, starts = [], []
    for chain in chains:
        signals = np.concatenate([chain.values[name] for name in states], axis=1)
        steps = np.diff(chain.time[-kept:])
        if kept > most or np.ptp(steps) > _EVEN * steps.mean() or chain.time[-1] != end:
            times = np.linspace(skipped, end, min(kept, most))
            paths.append(np.stack([np.interp(times, chain.time, signal) for signal in signals.T], axis=1))
        else:
            paths.append(signals[-kept:])
        starts.append(signals[0])
    return dataclasses.replace(_law(np.stack(paths), end - skipped, np.stack(starts)), skipped=skipped)


def _law(paths: Array, length: float, starts: Array) -> Law:
    """Law of values at equal distances in time, shape (chains, points, n)."""
    values = halves(paths) if len(paths) > 1 else paths
    means = average(values)
    centred = values - means.mean
    rows, columns = np.triu_indices(values.shape[2])
    # One pair at a time would be as quick; all at once would hold points times n²/2 numbers.
    pairs = [average(centred[:, :, [i]] * centred[:, :, [j]]) for i, j in zip(rows, columns, strict=True)]
    covariance, error = np.empty((2, values.shape[2], values.shape[2]))
    for i, j, pair in zip(rows, columns, pairs, strict=True):
        covariance[i, j] = covariance[j, i] = pair.mean[0]
        error[i, j] = error[j, i] = pair.error[0]
    effective = min(float(pair.effective[0]) for pair in pairs)
    return Law(means.mean, means.error, covariance, error, float(means.effective.min()), effective, length, paths, starts)


def coarse_knots(change: float, accuracy: float, knots: float, usual: float) -> str:
    """Why noise with such knots tells nothing, as a sentence; empty where it changes a law by no more than `accuracy`.

    `change` is in standard deviations and their products, and at least in proportion to `knots`; these and the `usual` ones
    in τ.
    """
    if change <= accuracy:
        return ""
    step = min(usual, knots * accuracy / change)
    digit = 10.0 ** (np.floor(np.log10(step)) - 1)
    return (
        f"noise with knots {knots:.2g} τ apart may itself change the law by {change:.2g} of a standard deviation, and "
        f"{accuracy:g} is asked for: a step of {np.floor(step / digit * (1 + 1e-9)) * digit:.2g} τ or less would tell"
    )


def joint_limit(count: int, samples: float = np.inf) -> float:
    """Standard errors that the largest of `count` deviations of one test exceeds as rarely as `FALSE_ALARM` lets it.

    An error that was itself estimated from `samples` independent values makes larger deviations as common, as Student's law
    says; below two of them it says nothing.
    """
    rarity = 0.5 * FALSE_ALARM / (_TESTS * count)
    return float(
        -scipy.special.ndtri(rarity) if np.isinf(samples) else -scipy.special.stdtrit(max(samples - 1, 1.0), rarity)
    )


def _scale(covariance: Array) -> Array:
    """√(C_ii C_jj + C_ij²), by which the error of a Gaussian's covariance goes; shape (n, n)."""
    deviations = np.sqrt(np.diag(covariance))
    return np.hypot(np.outer(deviations, deviations), covariance)  # squares of variances would vanish at low temperatures


def law_checks(
    law: Law,
    mean: ArrayLike,
    covariance: ArrayLike,
    *,
    accuracy: float = ACCURACY,
    allowed: float = 0.0,
    gaps: tuple[ArrayLike, ArrayLike] = (0.0, 0.0),
    unseen: str = "",
    heavy: str = "",
    coarse: str = "",
    stuck: Callable[[], str] | None = None,
) -> tuple[Check, ...]:
    """Whether the mean and the covariance are right within their standard errors, or whether too little was seen to tell.

    Parameters
    ----------
    law : Law
    mean : array, shape (n,)
    covariance : array, shape (n, n)
        What they should be; for the covariance after what the noise's knots take from it.
    accuracy : float
        Error that must be found, in standard deviations and their products: where the limits are wider, nothing passes.
    allowed : float
        Difference in the same unit that passes beside the limits: what else is known to be inexact.
    gaps : tuple of array
        How far `mean` and `covariance` may themselves be off.
    unseen : str
        What of the law the run never met, as a sentence; such a run does not know its own errors: it has not mixed.
    heavy : str
        Why a covariance has no standard error, as a sentence; nothing is concluded of it then.
    coarse : str
        Why the noise that was played can tell nothing of this law, as a sentence; nothing is concluded then.
    stuck : callable, optional
        Says where chains that have not mixed are, how long that would take and what to do, as the end of a sentence.

    Returns
    -------
    tuple of Check
        Of chains that have not mixed nothing passes and nothing fails: that is a verdict of its own.
    """
    size = len(law.mean)
    wanted, exact = np.asarray(covariance, dtype=float), np.asarray(mean, dtype=float)
    widths = np.sqrt(np.diag(wanted))
    # At a temperature so low that its noise is below the rounding of the states, nothing can be said of a law.
    fixed = np.flatnonzero((np.diag(law.covariance) == 0) & (np.diag(wanted) > 0))
    if len(fixed):
        detail = f"state {fixed[0] + 1} of {size} does not fluctuate: its noise is below the rounding of its value"
        return (Check("the run fluctuates", False, detail),)
    if coarse:
        return tuple(Check.undecided(_TITLE.format(name), coarse) for name in ("mean", "covariance"))
    upper = np.triu_indices(size)
    apart = unseen or _apart(law, wanted)
    if apart:
        said = "" if stuck is None else stuck()
        checks = [Check(_AGREE, False, f"{apart}{said and '; ' + said}", NOT_MIXED)]
        names = ("mean", "covariance")
        return (*checks, *(Check(_TITLE.format(name), False, "the chains have not mixed", NOT_MIXED) for name in names))
    seen, checks = _too_short(law), list[Check]()
    if len(law.paths) > 1:
        told = (
            f"split R-hat {law.mixing.r_hat:.4f} (at most {_SHORT:g}) of {len(law.paths)} chains of {law.length:.4g} τ each"
        )
        checks.append(Check.undecided(_AGREE, seen) if seen else Check(_AGREE, True, told))
        seen = seen and "the chains are too short to tell whether they mix"
    for name, found, right, unit, error, gap, n in (
        ("mean", law.mean, exact, widths, law.mean_error, gaps[0], law.mean_effective),
        ("covariance", law.covariance, wanted, np.outer(widths, widths), law.covariance_error, gaps[1],
         law.covariance_effective),
    ):  # fmt: skip
        errors = error * _to_right_size(law, wanted, name)
        parts = [np.broadcast_to(part, found.shape) for part in (abs(found - right), errors, unit, np.asarray(gap))]
        off, errors, unit, known = parts if found.ndim == 1 else [part[upper] for part in parts]
        said = {"length": law.length, "skipped": law.skipped, "chains": len(law.paths), "of": _UNITS[name]}
        deviations = Deviations(off, errors, unit, samples=n, gap=known, **said)
        unsaid = seen or (heavy if name == "covariance" else "")
        checks.append(power_check(_TITLE.format(name), deviations, accuracy=accuracy, allowed=allowed, unseen=unsaid))
    return tuple(checks)


@dataclasses.dataclass(frozen=True, eq=False)
class Deviations:
    """How far averages over a run are from what they should be.

    Parameters
    ----------
    off, errors, unit : array, shape (k,)
        Sizes of the deviations, their standard errors, and what an accuracy is relative to.
    samples, length, skipped : float
        Effective sample size, the time in τ it took each chain, and what was left out before.
    gap : array, shape () or (k,)
        How far what they should be may itself be off.
    of : str
        What errors are relative to, in words.
    chains : int
        How many there are.
    """

    off: Array
    errors: Array
    unit: Array
    samples: float
    length: float
    gap: ArrayLike = 0.0
    of: str = "what it should be"
    chains: int = 1
    skipped: float = 0.0


def power_check(
    name: str, found: Deviations, *, accuracy: float = ACCURACY, allowed: float = 0.0, unseen: str = ""
) -> Check:
    """Check of deviations by their standard errors that does not pass where it could not have failed.

    Parameters
    ----------
    name : str
    found : Deviations
    accuracy, allowed
        As for `law_checks`.
    unseen : str
        Why nothing can be concluded, as a sentence; empty if it can.
    """
    off, errors, unit, samples = found.off, found.errors, found.unit, found.samples
    limit, gap = joint_limit(off.size, samples=samples), _bounds(found.gap)
    worst = float((np.maximum(off - allowed * unit - gap, 0.0) / np.maximum(errors, np.finfo(float).tiny)).max())
    off_by = f"{worst:.2f}" if worst < 1e6 else f"{worst:.3g}"
    detail = (
        f"largest of {off.size} deviations: {off_by} standard errors (at most {limit:.2f}); "
        f"effective sample size {samples:.0f}"
    )
    if unseen:
        return Check.undecided(name, unseen)
    if not worst <= limit:
        return Check(name, False, detail)
    statistical, known = float((limit * errors / unit).max()), float((gap / unit).max())
    if known > 0.5 * accuracy:
        return Check.undecided(
            name, f"the reference itself is known to {known:.2g} of {found.of} only, and {accuracy:g} is asked for"
        )
    if not statistical + known <= accuracy:
        needed = found.length * (statistical / (accuracy - known)) ** 2
        each = f" in each of {found.chains} chains" if found.chains > 1 else ""
        return Check.undecided(
            name,
            f"errors up to {statistical:.2g} of {found.of} would pass, and {accuracy:g} is asked for: "
            f"effective sample size {samples:.0f} in {found.length:.4g} τ{each}; "
            f"about {rounded_up(found.skipped + 1.1 * needed)} τ{each} would tell",
        )
    return Check(name, True, detail)


def law_errors(names: Sequence[str], exact: Any, ends: RunEnds, *, skipped: float) -> dict[str, Array]:
    """Errors of mean and covariance over the path of each sample, from the time `skipped` on, in τ."""
    assert ends.times is not None, "a law is read off paths"
    errors = np.full((2, len(next(iter(ends.paths.values())))), np.nan)
    for k in range(errors.shape[1]):
        values = {name: ends.paths[name][k] for name in names}
        if all(np.isfinite(value).all() for value in values.values()):
            law = law_of(Run(ends.times, values, Outcome.COMPLETED), names, skipped=skipped)
            found = law.errors(exact.mean, exact.covariance)
            errors[:, k] = found["mean"], found["covariance"]
    return {"mean": errors[0], "covariance": errors[1]}


def known_to(law: Any) -> float:
    """Largest error that the reference of a law may have, in standard deviations and their products."""
    widths = np.sqrt(np.diag(law.covariance))
    means, covariances = getattr(law, "mean_gap", law.gap), getattr(law, "covariance_gap", law.gap)
    # A NaN in either is one of the whole: max() of Python keeps the first of what it can not compare.
    return float(np.max([(_bounds(means) / widths).max(), (_bounds(covariances) / np.outer(widths, widths)).max()]))


def _bounds(gap: ArrayLike) -> Array:
    """Gaps of a reference; NaN, which passes nothing, where one says less than 0."""
    found = np.asarray(gap, dtype=float)
    return np.where(found >= 0, found, np.nan)


def _to_right_size(law: Law, covariance: Array, name: str) -> Array:
    """Factors from the errors of a run to those of one that fluctuates as it should.

    A run that fluctuates too little thinks too well of itself, and one that does so too much would be forgiven for it.
    """
    larger = _scale(covariance) / np.maximum(_scale(law.covariance), np.finfo(float).tiny)
    return np.sqrt(np.diag(larger)) if name == "mean" else larger


def _apart(law: Law, covariance: Array) -> str:
    """How chains contradict each other, or one its own halves, as a sentence; empty where they do not."""
    if len(law.paths) == 1:
        return _halves_apart(law, covariance)
    mixing = law.mixing
    if not (mixing.r_hat > R_HAT and mixing.spread > mixing.allowed):
        return ""
    return (
        f"the chains contradict each other: split R-hat {mixing.r_hat:.4g} (at most {R_HAT:g}), means are apart by "
        f"{np.sqrt(mixing.spread):.3g} of their own standard errors (at most {np.sqrt(mixing.allowed):.3g}), after "
        f"{law.length:.4g} τ in each of {len(law.paths)}"
    )


def _too_short(law: Law) -> str:
    """That chains which do not contradict each other are too short to tell, as a sentence; empty where they are not."""
    ratio = law.mixing.r_hat if len(law.paths) > 1 else 1.0
    if ratio <= _SHORT:
        return ""
    needed = law.skipped + 1.2 * law.length * (ratio**2 - 1) / (_SHORT**2 - 1)
    return (
        f"split R-hat is {ratio:.4f} (at most {_SHORT:g}): chains of {law.length:.4g} τ are too short to tell whether they "
        f"mix; about {rounded_up(needed)} τ in each of {len(law.paths)} would"
    )


def _halves_apart(law: Law, covariance: Array) -> str:
    """Whether the two halves of a chain contradict each other, as a sentence: it has not seen its law yet."""
    (values,) = law.paths
    half = len(values) // 2
    if half < _FEWEST // 2:
        return ""
    one, other = (_law(part[None], 0.5 * law.length, law.starts) for part in (values[:half], values[half:]))
    upper = np.triu_indices(len(law.mean))
    off, errors = [], []
    for name, index in (("mean", slice(None)), ("covariance", upper)):
        found = [
            (getattr(part, name), getattr(part, f"{name}_error") * _to_right_size(part, covariance, name))
            for part in (one, other)
        ]
        off.append(abs(found[0][0] - found[1][0])[index])
        errors.append(np.hypot(found[0][1], found[1][1])[index])
    apart = np.concatenate(off) / np.maximum(np.concatenate(errors), np.finfo(float).tiny)
    samples = min(part.covariance_effective for part in (one, other))
    limit = joint_limit(apart.size, samples=samples)
    if apart.max() <= limit:
        return ""
    return (
        f"the two halves of the run contradict each other by {apart.max():.1f} standard errors (at most {limit:.2f}): "
        f"it has not seen all of its law in {law.length:.0f} τ; several times as long may tell"
    )
