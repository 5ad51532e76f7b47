"""A study's conditions side by side: samples, failures, quantiles, yield and verdicts of each, as one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analogflow.errors import BadInput
from analogflow.judgement.laws import BY_CHAINS
from analogflow.judgement.restart import VERDICTS as SENTENCES
from analogflow.studies.statistics.estimates import (
    check_share,
    check_variable,
    conditions,
    losses,
    quantile_estimate,
    was_run,
)
from analogflow.studies.statistics.yields import check_limit, yield_at

if TYPE_CHECKING:
    import xarray

__all__ = ["SEEN", "VERDICTS", "summarise"]

VERDICTS = tuple(SENTENCES)
"""What a sample's answer may be found to be; an empty verdict is not counted."""

SEEN = 3.0
"""Standard errors that an error must be to be seen."""


def summarise(
    dataset: xarray.Dataset,
    *,
    limit: float | None = None,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    confidence: float = 0.95,
    variable: str = "error",
) -> xarray.Dataset:
    """Statistics of every condition of a study.

    Parameters
    ----------
    limit : float, optional
        Largest acceptable error, in its unit; without it there is no yield.
    quantiles : sequence of float
        Between 0 and 1.
    confidence : float
        Of every interval alone.
    variable : str
        ``error`` or another variable of numbers from 0.

    Returns
    -------
    Dataset
        With the study's dimensions except ``sample``, and ``quantile`` and ``verdict``: ``samples``, ``failed``,
        ``not_run``; ``value`` of each quantile with ``value_low`` and ``value_high`` (in the unit of the variable; infinite
        where failures reach that far); ``yield`` with ``yield_low`` and ``yield_high``; ``verdicts``, the number of samples
        with each. A condition that was not run has no sample and NaN elsewhere.

        Of errors that may themselves be off, as those of laws: ``sampling``, the median of by how much, and ``longer``, how
        many times as long chains would have to be for the median error to be `SEEN` times its standard error; 1 where it is
        that already, or no chain was run.

    Raises
    ------
    BadInput
        There is no such variable, nothing was run at all, or an argument is out of its range.
    """
    import xarray

    names = conditions(dataset)
    check_variable(dataset, variable)
    levels = [check_share("quantile", level) for level in quantiles]
    limit = None if limit is None else check_limit(limit)
    run = was_run(dataset).transpose(*names, "sample").values
    if not run.any():
        raise BadInput("study: no sample of it was run, so there is nothing to summarise; run the study first.")
    errors = dataset[variable].transpose(*names, "sample").values
    shape = errors.shape[:-1]
    value = np.full((3, *shape, len(levels)), np.nan)
    rate = np.full((3, *shape), np.nan)
    for place in np.ndindex(shape):
        if not run[place].any():
            continue
        kept = losses(errors[place][run[place]], name=variable)
        for k, level in enumerate(levels):
            found = quantile_estimate(kept, level, confidence=confidence)
            value[:, *place, k] = found.value, found.low, found.high
        if limit is not None:
            found = yield_at(kept, limit, confidence=confidence)
            rate[:, *place] = found.value, found.low, found.high
    sampling = dataset.get(f"sampling_{variable}")
    unit = {"units": dataset[variable].attrs["units"]} if "units" in dataset[variable].attrs else {}
    content: dict[str, Any] = {
        "samples": (names, run.sum(axis=-1)),
        "failed": (names, (run & ~np.isfinite(errors)).sum(axis=-1)),
        "not_run": (names, (~run).sum(axis=-1)),
    }
    for k, ending in enumerate(("", "_low", "_high")):
        content[f"value{ending}"] = ((*names, "quantile"), value[k], unit)
        if limit is not None:
            content[f"yield{ending}"] = (names, rate[k])
    if sampling is not None:
        off = np.where(run, sampling.transpose(*names, "sample").values, np.nan)
        chained = (run & (dataset["method"].transpose(*names, "sample").values.astype(str) == BY_CHAINS)).sum(axis=-1)
        found, off = _medians(np.where(np.isfinite(off), errors, np.nan)), _medians(off)
        with np.errstate(all="ignore"):
            needed = np.where(2 * chained > run.sum(axis=-1), (SEEN * off / found) ** 2, 1.0)
        content["sampling"] = (names, off, unit)
        content["longer"] = (names, np.where(needed > 1, needed, np.where(np.isnan(off), np.nan, 1.0)))
    if "verdict" in dataset:
        verdict = dataset["verdict"].transpose(*names, "sample").values.astype(str)
        counts = np.stack([(run & (verdict == name)).sum(axis=-1) for name in VERDICTS], axis=-1)
        content["verdicts"] = ((*names, "verdict"), counts)
    described: dict[str, Any] = {"variable": variable, "confidence": confidence}
    return xarray.Dataset(
        content,
        coords={**{name: dataset[name] for name in names}, "quantile": levels, "verdict": list(VERDICTS)},
        attrs=described if limit is None else {**described, "limit": limit},
    )


def _medians(values: Any) -> Any:
    """Medians over the last axis of what is known; NaN where nothing is."""
    held = np.ma.masked_invalid(values)
    return np.ma.filled(np.ma.median(held, axis=-1), np.nan)
