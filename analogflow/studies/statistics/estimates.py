"""What counts as a sample of a study, and quantiles and rates of samples with intervals that hold whatever their law is.

A study is a dataset with the dimension ``sample`` and one dimension for each thing varied. Sample k has the same noise and
the same deviations under every condition. A failed sample has the error NaN and counts as an infinite error: it is a loss
and is never dropped. A sample that was not run (its outcome and its reason are empty, its error is NaN) counts as nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_number, real_array
from analogflow.errors import BadInput

if TYPE_CHECKING:
    import xarray

__all__ = [
    "Estimate",
    "at",
    "check_share",
    "check_variable",
    "column_at",
    "conditions",
    "errors_at",
    "losses",
    "quantile_estimate",
    "rate_estimate",
    "was_run",
]

Array = NDArray[np.float64]

_EMPTY = ("", "nan", "None")

_NUMBERS = 10**7
"""Numbers that the bootstrap holds at once."""


def losses(errors: ArrayLike, *, least: int = 1, name: str = "errors") -> Array:
    """Errors of samples as an array in which a failed sample is infinite, shape (n,).

    Parameters
    ----------
    errors : array, shape (n,)
        Each at least 0; NaN or infinite where the sample failed.
    least : int
        So many samples are needed.
    name : str
        What to call the errors in a refusal.

    Raises
    ------
    BadInput
        They are not one row of numbers, one is negative, or there are fewer than `least`.
    """
    try:
        values = real_array(errors, "errors")
    except (TypeError, ValueError):
        raise BadInput(f"{name}: {errors!r} is not a row of numbers; give one error for each sample.") from None
    if values.ndim != 1:
        raise BadInput(f"{name}: an array of shape {values.shape} was given; give one row, one error for each sample.")
    if len(values) < least:
        raise BadInput(
            f"{name}: {len(values)} samples were given, and {least} are needed; select another condition or run more."
        )
    if (values < 0).any():
        raise BadInput(
            f"{name}: {values[values < 0][0]!r} is negative; an error is at least 0, or NaN where a sample failed."
        )
    values[np.isnan(values)] = np.inf
    return values


def check_share(name: str, value: float) -> float:
    """`value` as a float strictly between 0 and 1.

    Raises
    ------
    BadInput
        It is not.
    """
    if not is_number(value) or not 0 < value < 1:
        raise BadInput(f"{name} is {value!r}; give a number between 0 and 1, such as 0.95.")
    return float(value)


def conditions(dataset: xarray.Dataset) -> tuple[str, ...]:
    """Names of the dimensions other than ``sample``, in the order of the variable ``error``.

    Raises
    ------
    BadInput
        The dataset has no variable ``error`` with a dimension ``sample``.
    """
    if "error" not in dataset or "sample" not in dataset["error"].dims:
        held = ", ".join(map(str, dataset.data_vars)) or "nothing"
        raise BadInput(f"study: the dataset holds {held}; a study has a variable 'error' with a dimension 'sample'.")
    return tuple(str(name) for name in dataset["error"].dims if name != "sample")


def at(dataset: xarray.Dataset, **condition: Any) -> xarray.Dataset:
    """The part of a study at the given values of its dimensions, which are dropped; other dimensions stay.

    Parameters
    ----------
    condition
        Values of dimensions by their names, as they stand in the study; numbers may differ by rounding.

    Raises
    ------
    BadInput
        There is no such dimension, or it has no such value.
    """
    known = conditions(dataset)
    for name, value in condition.items():
        if name not in known:
            raise BadInput(f"study: {name!r} is not varied here; the dimensions are {', '.join(known)}.")
        levels = dataset[name].values
        held = levels == value if levels.dtype.kind in "OUS" or isinstance(value, str) else np.isclose(levels, value, atol=0)
        found = np.flatnonzero(held)
        if len(found) == 0:
            raise BadInput(f"study: {name} = {value!r} was not run; there are {', '.join(map(str, levels))}.")
        dataset = dataset.isel({name: int(found[0])}, drop=True)
    return dataset


def was_run(dataset: xarray.Dataset) -> xarray.DataArray:
    """Whether each sample was run, with the dimensions of the variable ``error``; all were where there is no ``outcome``."""
    run = dataset["error"].notnull()
    for name in ("outcome", "reason"):
        if name in dataset:
            run = run | ~dataset[name].astype(str).isin(_EMPTY)
    return run if "outcome" in dataset else run | True


def check_variable(dataset: xarray.Dataset, variable: str) -> None:
    """Refuse a variable that a study does not have.

    Raises
    ------
    BadInput
        It has none of that name.
    """
    if variable not in dataset:
        raise BadInput(f"study: {variable!r} is not a variable of it; there are {', '.join(map(str, dataset.data_vars))}.")


def column_at(dataset: xarray.Dataset, variable: str, **condition: Any) -> tuple[Array, NDArray[np.bool_]]:
    """Values of a variable under one condition, and which samples were run; both of shape (samples,).

    Parameters
    ----------
    condition
        One value for each dimension of more than one value.

    Raises
    ------
    BadInput
        There is no such variable, dimension or value, or a dimension is left open.
    """
    part = at(dataset, **condition)
    check_variable(part, variable)
    open_ = [name for name in conditions(part) if part.sizes[name] > 1]
    if open_:
        raise BadInput(
            f"study: {', '.join(open_)} takes more than one value; say which, as in {open_[0]}={_first(part, open_[0])}."
        )
    part = part.squeeze(list(conditions(part)), drop=True)
    return part[variable].values, was_run(part).values


def errors_at(dataset: xarray.Dataset, variable: str = "error", **condition: Any) -> Array:
    """Errors of the samples run under one condition, shape (n,), infinite where a sample failed.

    Parameters
    ----------
    variable : str
        ``error`` or another variable of numbers from 0, such as ``settling_time``.
    condition
        One value for each dimension of more than one value.

    Raises
    ------
    BadInput
        There is no such variable, dimension or value, a dimension is left open, or no sample was run.
    """
    values, run = column_at(dataset, variable, **condition)
    if not run.any():
        raise BadInput(
            f"study: no sample was run at {condition or 'this condition'}; run the study, or select another condition."
        )
    return losses(values[run], name=variable)


def _first(dataset: xarray.Dataset, name: str) -> str:
    return repr(dataset[name].values[0].item() if hasattr(dataset[name].values[0], "item") else dataset[name].values[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Estimate:
    """A number with its interval.

    Parameters
    ----------
    value : float
        Estimate; infinite where it falls among failed samples.
    low, high : float
        Ends of the interval. A quantile's are 0 and infinite where the samples are too few to bound it.
    confidence : float
        Least probability that the interval covers (about that for the methods ``bootstrap`` and ``wilson``).
    samples, failed : int
        Samples that count, and how many of them failed.
    method : str
        How the interval was found.
    """

    value: float
    low: float
    high: float
    confidence: float
    samples: int
    failed: int
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def quantile_estimate(
    errors: ArrayLike,
    quantile: float = 0.5,
    *,
    confidence: float = 0.95,
    method: str = "order",
    seed: int = 0,
    resamples: int = 2000,
) -> Estimate:
    """A quantile of the errors: the least error that at least this share of the samples does not exceed.

    Parameters
    ----------
    errors : array, shape (n,)
        NaN or infinite where a sample failed, which counts as the largest error.
    quantile, confidence : float
        Between 0 and 1.
    method : str
        ``order``: between two order statistics, chosen by the binomial law, so that the interval covers with at least the
        stated probability for any law of the errors. ``bootstrap``: the percentile bootstrap, about the same for many
        samples and too narrow for few (the 95% quantile of 60 samples was covered in 0.77 of the cases for a stated 0.95).
        Both commute with any monotone change of scale.
    seed, resamples : int
        Of the bootstrap.

    Raises
    ------
    BadInput
        There is no sample, an error is negative, or an argument is out of its range.

    Notes
    -----
    The interval [x₍l₎, x₍u₎] misses the quantile where fewer than l or at least u errors lie below it, a number that is
    binomial with n trials of rate q.
    """
    values = np.sort(losses(errors))
    quantile, confidence = check_share("quantile", quantile), check_share("confidence", confidence)
    count = len(values)
    value = float(np.quantile(values, quantile, method="inverted_cdf"))
    if method == "order":
        bounds = scipy.stats.quantile_test(values, p=quantile).confidence_interval(confidence)
        low, high = np.nan_to_num(bounds.low, nan=0.0, posinf=np.inf), np.nan_to_num(bounds.high, nan=np.inf, posinf=np.inf)
    elif method == "bootstrap":
        # Ranks are resampled, not errors: the quantile commutes with a change of scale, and ranks are finite.
        if count == 1:
            raise BadInput("bootstrap: 1 sample was given, and 2 are needed; run more, or take the method 'order'.")
        ranks = scipy.stats.bootstrap(
            (np.arange(count, dtype=float),),
            lambda x, axis: np.quantile(x, quantile, axis=axis, method="inverted_cdf"),
            n_resamples=resamples,
            batch=max(1, _NUMBERS // count),
            confidence_level=confidence,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        low, high = values[int(np.floor(ranks.low))], values[int(np.ceil(ranks.high))]
    else:
        raise BadInput(f"method {method!r} is none of 'order' and 'bootstrap'.")
    return Estimate(value, float(low), float(high), confidence, count, int(np.isinf(values).sum()), method)


def rate_estimate(count: int, samples: int, *, confidence: float = 0.95, method: str = "wilson") -> Estimate:
    """A rate with its interval: `count` samples of `samples` had a property.

    Parameters
    ----------
    method : str
        ``wilson``: covers with about the stated probability on average over rates. ``exact``: Clopper and Pearson's, which
        covers with at least that for every rate.

    Raises
    ------
    BadInput
        There is no sample, the count is not from 0 to that of the samples, or an argument is out of its range.
    """
    confidence = check_share("confidence", confidence)
    if method not in ("wilson", "exact"):
        raise BadInput(f"method {method!r} is none of 'wilson' and 'exact'.")
    if samples < 1 or not 0 <= count <= samples:
        raise BadInput(
            f"rate: {count!r} of {samples!r} samples is no rate; give at least one sample and a count among them."
        )
    low, high = _rate_bounds(int(count), int(samples), confidence, method)
    return Estimate(count / samples, low, high, confidence, int(samples), 0, method)


@functools.lru_cache(4096)
def _rate_bounds(count: int, samples: int, confidence: float, method: str) -> tuple[float, float]:
    """Bounds of a rate, kept: the conditions of a study have the same few counts, and each is a search for two roots."""
    found = scipy.stats.binomtest(count, samples).proportion_ci(confidence_level=confidence, method=method)
    return float(found.low), float(found.high)
