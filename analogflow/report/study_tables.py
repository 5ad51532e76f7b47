"""Tables of studies in the terminal, and a line on what of a study a table or a figure holds fixed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from analogflow.circuit.build import NOMINAL_CELSIUS
from analogflow.report.bits import said_in_nats
from analogflow.studies.observed import CERTIFICATES
from analogflow.studies.statistics import VERDICTS, conditions, summarise

if TYPE_CHECKING:
    import xarray

__all__ = ["held", "observed_signal", "print_study", "study_table", "sweep_counts", "swept_names"]

_WIDEST = 1000

_TOGETHER, _DIGITS = 1e-2, 1e-3
"""Distance of maxima that are shown as one: over their range, and over their size."""

_MOST_LINES = 40
"""Lines of a sweep's table, beyond which the rest is counted."""


def study_table(
    dataset: xarray.Dataset,
    *,
    limit: float | None = None,
    variable: str = "error",
    confidence: float = 0.95,
    intervals: bool = True,
) -> Table:
    """One line for each condition: samples, failures, median and 95% quantile of the error, yield and verdicts.

    Beside the median of an error that may itself be off, as that of a law, stands by how much, and after it the error of the
    covariance. A note says how laws were found, and which errors could not be told from those of sampling.

    Of a sweep there is a line for each stretch of a constant over which runs do the same, and a note says how many points
    were held against the reference; no argument changes that.

    Parameters
    ----------
    limit : float, optional
        Largest acceptable error, in its unit; without it there is no yield.
    variable : str
        ``error`` or another variable of numbers from 0.
    confidence : float
        Of each interval, in brackets.
    intervals : bool
        If false, these are left out.

    Raises
    ------
    BadInput
        There is no such variable, nothing was run, or an argument is out of its range.
    """
    if swept_names(dataset):
        return _sweep_table(dataset)
    summary = summarise(dataset, limit=limit, quantiles=(0.5, 0.95), variable=variable, confidence=confidence)
    names = conditions(dataset)
    varied = [name for name in names if dataset.sizes[name] > 1]
    unit = str(dataset[variable].attrs.get("units", ""))
    shown = variable.replace("_", " ")
    notes = [f"in brackets: {confidence:.0%} intervals"] if intervals else []
    notes.append("failed samples count as infinite errors")
    trim = _parameters(dataset).get("trim")
    if trim is not None:
        notes.append(f"drawn boards, trimmers: {trim}, set at {NOMINAL_CELSIUS:.4g} °C")
    if unit:
        notes.append(f"{shown} in {said_in_nats(unit)}")
    verdicts = [name for name in VERDICTS if "verdicts" in summary and (summary["verdicts"].sel(verdict=name) > 0).any()]
    if verdicts:
        notes.append(f"verdicts: {' / '.join(verdicts)}")
    beside = _beside(dataset, variable, summary, confidence)
    if beside:
        notes += _sampling_notes(dataset, beside, varied)
    fixed = held(dataset, varied, {})
    table = Table(
        title=f"study: {fixed}" if fixed else "study", caption="; ".join(notes), box=box.SIMPLE_HEAD, pad_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    for name in varied:
        width = max(len(name), *(len(_level(value)) for value in dataset[name].values))
        justify = "right" if dataset[name].dtype.kind in "iuf" else "left"
        table.add_column(name, no_wrap=True, min_width=width, justify=justify)
    columns = ["n", "failed", f"median {shown}", *(["±"] if beside else []), "95%"]
    for other in list(beside)[1:]:
        columns += [f"median {other.replace('_', ' ')}", "±"]
    for name in (*columns, *([] if limit is None else [f"yield % at {limit:g}"])):
        table.add_column(name, justify="right", no_wrap=True)
    if verdicts:
        table.add_column("verdicts", justify="right", no_wrap=True)
    before: list[str] = [""] * len(varied)
    for place in np.ndindex(tuple(dataset.sizes[name] for name in names)):
        where = dict(zip(names, place, strict=True))
        row = summary.isel(where)
        levels = [_level(dataset[name].values[k]) for name, k in zip(names, place, strict=True) if name in varied]
        first = next((k for k, (new, old) in enumerate(zip(levels, before, strict=True)) if new != old), 0)
        said, before = ["" if k < first else level for k, level in enumerate(levels)], levels
        count, failed = int(row["samples"]), int(row["failed"])
        if count == 0:
            table.add_row(*said, "0", "", Text("not run", "yellow"))
            continue
        cells: list[str | Text] = [str(count), Text(str(failed), "bold red") if failed else ""]
        cells.append(_quantile(row, 0.5, intervals=intervals))
        if beside:
            cells.append(_number(float(row["sampling"])))
        cells.append(_number(float(row["value"].sel(quantile=0.95))))
        for other in list(beside)[1:]:
            part = beside[other].isel(where)
            cells += [_quantile(part, 0.5, intervals=intervals), _number(float(part["sampling"]))]
        if limit is not None:
            value, low, high = (100 * float(row[f"yield{end}"]) for end in ("", "_low", "_high"))
            cells.append(f"{value:.0f} [{low:.0f}, {high:.0f}]" if intervals else f"{value:.0f}")
        if verdicts:
            cells.append("/".join(str(int(row["verdicts"].sel(verdict=name))) for name in verdicts))
        table.add_row(*said, *cells)
    return table


def _beside(dataset: xarray.Dataset, variable: str, summary: xarray.Dataset, confidence: float) -> dict[str, xarray.Dataset]:
    """Summaries of errors that may themselves be off, by their names, `variable` first; none where it is known as it is."""
    if "sampling" not in summary:
        return {}
    others = [str(name).removeprefix("sampling_") for name in dataset.data_vars if str(name).startswith("sampling_")]
    found = {name: summarise(dataset, quantiles=(0.5,), variable=name, confidence=confidence) for name in others}
    return {variable: summary, **{name: part for name, part in found.items() if name != variable}}


def _sampling_notes(dataset: xarray.Dataset, beside: Mapping[str, xarray.Dataset], varied: Sequence[str]) -> list[str]:
    """How laws were found, what stands beside their errors, and which of these could not be told from those of sampling."""
    methods, counts = np.unique(dataset["method"].values.astype(str), return_counts=True)
    found = ", ".join(f"{name} ({count})" for name, count in zip(methods, counts, strict=True) if name)
    notes = [f"laws by {found}", "±: what the solver may be off by, or the standard error of chains"]
    names = conditions(dataset)
    for name, summary in beside.items():
        unseen = []
        for place in np.ndindex(tuple(dataset.sizes[dim] for dim in names)):
            row = summary.isel(dict(zip(names, place, strict=True)))
            if float(row["longer"]) > 1:
                levels = [f"{d} {_level(dataset[d].values[k])}" for d, k in zip(names, place, strict=True) if d in varied]
                error, off = float(row["value"].sel(quantile=0.5)), float(row["sampling"])
                needed = f"{error:.2g} ± {off:.2g}, needs about {_rounded(float(row['longer']))} times as much"
                unseen.append(f"{', '.join(levels)}: {needed}" if levels else needed)
        if unseen:
            notes.append(f"too few samples to see the {name.replace('_', ' ')} ({'; '.join(unseen)})")
    return notes


def _rounded(factor: float) -> str:
    """A factor, rounded up to two digits."""
    if not np.isfinite(factor):
        return "infinitely many"
    unit = 10.0 ** max(np.floor(np.log10(factor)) - 1, 0)
    return f"{np.ceil(factor / unit) * unit:.0f}"


def held(dataset: xarray.Dataset, shown: Sequence[str], condition: dict[str, Any]) -> str:
    """What a table or a figure holds fixed, as a line of text: the condition, and dimensions of one value."""
    fixed = {
        name: condition.get(name, dataset[name].values[0])
        for name in conditions(dataset)
        if name in condition or (name not in shown and dataset.sizes[name] == 1)
    }
    parts = []
    for name, value in fixed.items():
        unit = str(dataset[name].attrs.get("units", ""))
        parts.append(f"{name} {_level(value)}{f' {unit}' if unit else ''}")
    return ", ".join(parts)


def swept_names(dataset: xarray.Dataset) -> list[str]:
    """Constants and starts that a study sweeps; none of another study."""
    return list(_parameters(dataset).get("sweep", {}))


def _parameters(dataset: xarray.Dataset) -> dict[str, Any]:
    """What the study was asked for."""
    return json.loads(dataset.attrs.get("parameters", "{}"))


def sweep_counts(dataset: xarray.Dataset) -> dict[str, int]:
    """How many points were found to be what against the reference, by `CERTIFICATES`, those that failed to run left out."""
    found = dataset["certificate"].values.astype(str).ravel()
    return {name: int((found == name).sum()) for name in CERTIFICATES if (found == name).any()}


def observed_signal(dataset: xarray.Dataset) -> str:
    """Name of the answer, whose turns a sweep looks at."""
    label = next(str(name) for name in dataset.data_vars if _is_answer(dataset, str(name)))
    return label.removeprefix("answer_")


def _is_answer(dataset: xarray.Dataset, name: str) -> bool:
    last = str(dataset[name].dims[-1])
    return last == f"{name}_component" and name not in ("maxima", "minima")


def _sweep_table(dataset: xarray.Dataset) -> Table:
    """A line for each stretch of the last swept constant over which runs do the same: period and maxima at its ends.

    A note says how many points were held against the reference, and what they were found to be.
    """
    names, swept = conditions(dataset), swept_names(dataset)
    axis = swept[-1]
    varied = [name for name in names if dataset.sizes[name] > 1 and name != axis]
    counts = sweep_counts(dataset)
    of = int((dataset["outcome"].values.astype(str) != "").sum())
    notes = [f"of {of} points, against the reference: {', '.join(f'{n} {name}' for name, n in counts.items()) or 'none'}"]
    if "irregular" in counts:
        notes.append("irregular: chaos, of which no two integrations agree to the end, so that none can be a witness")
    fixed = held(dataset, [*varied, axis], {})
    title = f"sweep: {fixed}" if fixed else "sweep"
    table = Table(title=title, caption="; ".join(notes), box=box.SIMPLE_HEAD, pad_edge=False)
    columns = (
        axis,
        "points",
        "motion",
        "returns",
        "period (τ)",
        "amplitude",
        f"maxima of {observed_signal(dataset)}",
        "error",
    )
    for name in (*varied, *columns):
        table.add_column(name, justify="left" if name == "motion" else "right", no_wrap=True)
    lines = 0
    outer = [name for name in names if name != axis]
    for place in np.ndindex(tuple(dataset.sizes[name] for name in outer)):
        part = dataset.isel({**dict(zip(outer, place, strict=True)), "sample": 0}).sortby(axis)
        levels, said = part[axis].values, [_level(part[name].values.item()) for name in varied]
        kinds = [
            (str(motion) or "failed", None if np.isnan(returns) else int(returns))
            for motion, returns in zip(part["motion"].values, part["returns"].values, strict=True)
        ]
        for kind, group in itertools.groupby(range(len(levels)), key=kinds.__getitem__):
            lines += 1
            if lines > _MOST_LINES:
                continue
            where = list(group)
            table.add_row(*said, _ends(levels[where]), str(len(where)), *_row(part.isel({axis: where}), *kind))
    if lines > _MOST_LINES:
        table.caption = f"{table.caption}; {lines - _MOST_LINES} further stretches are in the dataset"
    return table


def _row(part: xarray.Dataset, motion: str, returns: int | None) -> list[Any]:
    maxima, errors = part["maxima"].values, part["error_extremes"].values
    first, last = (_apart(row[np.isfinite(row)]) for row in (maxima[0], maxima[-1]))
    shown = "" if not len(first) or motion == "failed" else _values(first) if np.array_equal(first, last) else (
        f"{_values(first)} → {_values(last)}"
    )  # fmt: skip
    failed = (part["certificate"].values.astype(str) == "failed").any()
    worst = "" if np.isnan(errors).all() else f"{np.nanmax(errors):.1g}"
    return [
        Text(motion, "bold red") if motion == "failed" else motion,
        "" if returns is None else str(returns),
        _ends(part["period"].values),
        _ends(part["amplitude"].values),
        shown,
        Text(f"{worst} failed", "bold red") if failed else worst,
    ]


def _apart(values: np.ndarray) -> np.ndarray:
    """Means of values that lie together, to a hundredth of all their range or to what four digits show."""
    ordered = np.sort(values)
    near = max(_TOGETHER * float(np.ptp(ordered)), _DIGITS * float(abs(ordered).max())) if len(ordered) else 0.0
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > near) + 1)
    return np.array([group.mean() for group in groups if len(group)])


def _values(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in values) if len(values) <= 4 else f"{len(values)} values"


def _ends(values: np.ndarray) -> str:
    kept = values[np.isfinite(values)]
    if not len(kept):
        return ""
    first, last = f"{kept[0]:.4g}", f"{kept[-1]:.4g}"
    return first if first == last else f"{first} to {last}"


def print_study(dataset: xarray.Dataset, *, limit: float | None = None) -> None:
    """Print the table of a study's errors; parameters and exceptions are those of `study_table`.

    A terminal that is too narrow shows no intervals; a file gets lines as long as they have to be.
    """
    console = Console()
    table = study_table(dataset, limit=limit)
    needed = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    if needed > console.width and console.is_terminal:
        table = study_table(dataset, limit=limit, intervals=False)
    elif needed > console.width:
        console = Console(width=needed)
    console.print(table)


def _quantile(row: xarray.Dataset, quantile: float, *, intervals: bool) -> str:
    value, low, high = (float(row[f"value{end}"].sel(quantile=quantile)) for end in ("", "_low", "_high"))
    # Where nothing failed, an end without bound says that the samples are too few for an interval.
    unbounded = "failed" if int(row["failed"]) else "∞"
    ends = ", ".join(_number(end, unbounded) for end in (low, high))
    return f"{_number(value)} [{ends}]" if intervals else _number(value)


def _number(value: float, unbounded: str = "failed") -> str:
    return unbounded if np.isinf(value) else f"{value:.2g}"


def _level(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)
