"""A study's directory as one labelled dataset, and that dataset as a file. It computes nothing."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analogflow.contents import whole_file
from analogflow.errors import BadInput, MissingProgram, StudyStopped
from analogflow.families import FAMILIES, flow_of
from analogflow.run import SETTLING_BAND
from analogflow.studies.design import Chunk, Condition, Study, missing_chunks
from analogflow.studies.sampling import ended_badly
from analogflow.studies.store import RESUME, Corrupt, Store, read_manifest

if TYPE_CHECKING:
    import xarray

__all__ = ["check_export", "export_study", "failed_samples", "list_failures", "open_study", "repeating"]

_UNITS = {
    "noise": "1/√τ",
    "mismatch": "relative",
    "temperature": "°C",
    "end": "τ",
    "settling_time": "τ",
    "period": "τ",
}
_MEANING = {
    "noise": "standard deviation of white noise at every integrator's input, flow units per root of a time constant",
    "mismatch": "standard deviation of every coefficient, or part, relative to its value",
    "outcome": "how the run ended, a name of analogflow.Outcome; empty where it has not been computed",
    "reason": "why a run failed; empty where it did not, as where it still creeps and its answer is proved as it stands",
    "error": "error of the state at the end of the run",
    "error_time_average": "error of the answer's mean over the last quarter of a run with noise",
    "settling_time": f"time from which all that must rest stays within {SETTLING_BAND:g} of its end; of runs without noise",
    "verdict": "class of a perturbed restart; empty where none was asked for",
    "method": "how the law of the circuit was found: solved for, or averaged beside the circuit without flaws",
    "sampling_error": "bound on what the error may be off by for how it was found; of chains, its standard error",
    "sampling_error_covariance": "the same of the error of the covariance",
    "motion": "of a point of a sweep: what the run does at its end",
    "certificate": "of a point of a sweep: what it was found to be against its reference, or that nobody asked",
    "returns": "crossings of a section in one period",
    "amplitude": "half of the range of the answer's first element in the later half of the run, flow units",
    "maxima": "local maxima of the answer's first element in the later half of the run, the last ones, flow units",
    "minima": "local minima of the answer's first element in the later half of the run, the last ones, flow units",
    "error_extremes": "largest distance of extremes from those of the reference, over the largest magnitude",
    "condition": "number of the condition, by which a sample is repeated",
}
_TEXTS = ("outcome", "reason", "verdict")


def open_study(folder: str | Path) -> xarray.Dataset:
    """All results of the study in a directory.

    Returns
    -------
    xarray.Dataset
        Dimensions ``problem``, ``form``, ``technology``, ``noise``, ``mismatch``, ``temperature``, one for each further
        imperfection, and ``sample``. Variables: ``outcome``, ``reason`` and ``verdict`` (texts), ``error``, ``error_…``,
        ``end``, ``settling_time``, and the answer with a dimension ``…_component`` of its own. Units are in the attributes
        of each; the dataset's own are the fingerprint, the seed, versions and parameters. Samples that have not been
        computed have an empty outcome.

    Raises
    ------
    BadInput
        The directory holds no study, or a file in it is damaged.
    """
    import xarray

    study, manifest = read_manifest(folder)
    chunks, complete = _chunks(Store(Path(folder), study.fingerprint), study)
    conditions, shape = study.conditions, tuple(map(len, study.dimensions.values()))
    arrays = {name: np.full((len(conditions), study.samples), np.nan) for name in ("error", "end", "settling_time")}
    texts = {name: np.full((len(conditions), study.samples), "", dtype=object) for name in _TEXTS}
    answers: dict[str, NDArray[np.float64]] = {}
    for (number, first, last), rows in chunks.items():
        for name, values in rows.items():
            where = (number, slice(first, last))
            if values.dtype.kind == "U":
                texts.setdefault(name, np.full((len(conditions), study.samples), "", dtype=object))[where] = values
            elif values.ndim == 2:
                signal = _signal(study, conditions[number]) if name == "answer" else name
                _room(answers, signal, (len(conditions), study.samples, values.shape[1]))
                answers[signal][(*where, slice(0, values.shape[1]))] = values
            else:
                arrays.setdefault(name, np.full((len(conditions), study.samples), np.nan))[where] = values
    dims = (*study.dimensions, "sample")
    variables = {name: _variable(study, name, dims, values.reshape(*shape, -1)) for name, values in (texts | arrays).items()}
    for name, values in answers.items():
        label = name if name not in variables and name not in dims else f"answer_{name}"
        dimensions = (*dims, f"{label}_component")
        variables[label] = _variable(study, name, dimensions, values.reshape(*shape, study.samples, -1))
    coordinates = {name: _variable(study, name, (name,), np.array(values)) for name, values in study.dimensions.items()}
    coordinates["sample"] = _variable(study, "sample", ("sample",), np.arange(study.samples))
    coordinates["condition"] = _variable(study, "condition", dims[:-1], np.arange(len(conditions)).reshape(shape))
    attributes = {
        "fingerprint": study.fingerprint,
        "seed": str(study.seed),
        "engine": study.engine,
        "flow": study.flow,
        "complete": int(complete),
        "versions": json.dumps(manifest["versions"]),
        "parameters": study.text,
    }
    return xarray.Dataset(variables, coords=coordinates, attrs=attributes)


def export_study(dataset: xarray.Dataset, path: str | Path, *, force: bool = False) -> Path:
    """Write a study's dataset as netCDF (.nc), or as a table with a row for each sample (.csv, .parquet).

    Raises
    ------
    BadInput
        The name ends in something else, or the file exists and `force` is false.
    MissingProgram
        Parquet needs pyarrow.
    StudyStopped
        The file can not be written.
    """
    path = check_export(path, force=force)
    with whole_file(path, StudyStopped) as part:
        _WRITERS[path.suffix.lower()](dataset, part)
    return path


def check_export(path: str | Path, *, force: bool = False) -> Path:
    """The path that `export_study` would write to; refuses it, and raises, as that does."""
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise BadInput(f"{str(path)!r}: a study is written as {', '.join(_WRITERS)}; choose one of these endings.")
    if os.path.lexists(path) and not force:
        raise BadInput(f"{str(path)!r} exists already; take another name, or give force=True to replace it.")
    if not os.path.isdir(path.parent):
        raise BadInput(f"{str(path)!r}: there is no directory {str(path.parent)!r}; make it, or name another.")
    if path.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise MissingProgram(f"{str(path)!r}: Parquet needs pyarrow; install it with: pip install 'analogflow[parquet]'")
    return path


def failed_samples(dataset: xarray.Dataset) -> NDArray[np.bool_]:
    """Which samples failed, in the shape of the outcomes: they did not end as asked, and none that was not run.

    Whether an answer is right is not asked here: that is its errors and its verdict.
    """
    return ended_badly(dataset["outcome"].values, dataset["reason"].values)


def repeating(folder: str | Path, condition: int, sample: int) -> str:
    """The call that repeats one sample of the study in `folder` alone."""
    return f"analogflow.studies.repeat_sample({str(folder)!r}, {condition}, {sample})"


def list_failures(
    dataset: xarray.Dataset, folder: str | Path, command: Callable[[str | Path, int, int], str] = repeating
) -> Path | None:
    """Write ``failures.csv`` into a study's directory: each sample that failed, why, and the command that repeats it alone.

    Returns
    -------
    Path or None
        The file; None where nothing failed, and then there is none.

    Raises
    ------
    StudyStopped
        The file can not be written.
    """
    path = Path(folder) / "failures.csv"
    outcomes, failed = dataset["outcome"].values, np.argwhere(failed_samples(dataset))
    conditions = [str(dim) for dim in dataset["outcome"].dims[:-1]]
    if not len(failed):
        try:
            path.unlink(missing_ok=True)
        except OSError as fault:
            raise StudyStopped(f"{str(path)!r} can not be removed ({fault.strerror or fault}).") from None
        return None
    with whole_file(path, StudyStopped) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["condition", "sample", *conditions, "outcome", "reason", "command"])
        for where in map(tuple, failed):
            number, sample = int(dataset["condition"].values[where[:-1]]), int(dataset["sample"].values[where[-1]])
            point = [dataset[name].values[k] for name, k in zip(conditions, where, strict=False)]
            again = command(folder, number, sample)
            table.writerow([number, sample, *point, outcomes[where], dataset["reason"].values[where], again])
    return path


_WRITERS = {
    ".nc": lambda dataset, path: dataset.to_netcdf(path, engine="scipy"),
    ".csv": lambda dataset, path: _table(dataset).to_csv(path, index=False, lineterminator="\n"),
    ".parquet": lambda dataset, path: _table(dataset).to_parquet(path, index=False),
}


def _table(dataset: xarray.Dataset) -> Any:
    """Data frame with a row for each sample, the answer's components in columns of their own."""
    columns = {}
    for name, variable in dataset.data_vars.items():
        last = str(variable.dims[-1])
        if last.endswith("_component"):
            columns |= {f"{name}_{k}": variable.isel({last: k}) for k in range(dataset.sizes[last])}
        else:
            columns[name] = variable
    flat = dataset.drop_dims([str(dim) for dim in dataset.dims if str(dim).endswith("_component")])
    return flat.assign(columns).to_dataframe().reset_index()


def _chunks(store: Store, study: Study) -> tuple[dict[tuple[int, int, int], Mapping[str, NDArray[Any]]], bool]:
    """Arrays of the chunks that are there, by condition, first and last sample; and whether all are."""
    found: dict[tuple[int, int, int], Mapping[str, NDArray[Any]]] = {}
    chunks = study.chunks
    for chunk in chunks:
        try:
            rows = store.read(chunk.number)
        except Corrupt as fault:
            raise BadInput(
                f"{str(store.path(chunk.number))!r} {fault}; run the study again with {RESUME}, which computes it anew.",
                words=[RESUME],
            ) from None
        if rows is not None:
            found[_place(chunk)] = rows
    missing, _ = missing_chunks(
        study, {chunk.number: found[_place(chunk)]["error"] for chunk in chunks if _place(chunk) in found}
    )
    return found, not missing


def _place(chunk: Chunk) -> tuple[int, int, int]:
    return chunk.condition, chunk.first, chunk.last


def _signal(study: Study, condition: Condition) -> str:
    return flow_of(study.problems[condition.problem], condition.form).shows


def _room(answers: dict[str, NDArray[np.float64]], name: str, shape: tuple[int, int, int]) -> None:
    """Make room for answers of `shape`; shorter ones are followed by NaN."""
    old = answers.get(name)
    if old is None or old.shape[2] < shape[2]:
        answers[name] = np.full(shape, np.nan)
        if old is not None:
            answers[name][:, :, : old.shape[2]] = old


def _variable(study: Study, name: str, dims: tuple[str, ...], values: NDArray[Any]) -> Any:
    units = FAMILIES[study.flow].units.get(name, _UNITS.get(name))
    meaning = _MEANING.get(name)
    attributes = {**({"units": units} if units else {}), **({"long_name": meaning} if meaning else {})}
    return dims, values, attributes
