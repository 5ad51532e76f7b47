"""Experiment files: a study as one TOML file that can be read, committed and run again.

    flow = "capacity"
    problems = ["paper_channel.csv"]        # beside this file, or a channel such as "bsc:0.11"; or a table of names, each
                                            # a file, such a channel, or the problem's own keys
    forms = ["logdomain", "replicator"]
    noise = [0.001, 0.01, "40dB"]
    samples = 10000

Further keys are `key`, `transpose`, `normalise` and `counts`, which say how tables are read (of one problem: in a table with
its `file`), `technologies`, `mismatch`, `temperature`, `[imperfections]`, `[sweep]`, `certify`, `seed`, `engine`,
`time_constants`, `parts`, `time_limit`, `verify`, `trim` and `[stop]`, all with the meaning they have in `Study`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analogflow.checks import proposal
from analogflow.contents import read_keys, write_text
from analogflow.errors import BadInput
from analogflow.families.files import problem_of_keys, read_problem
from analogflow.problems.ready_channels import stands_for_channel
from analogflow.studies.design import LISTS, Study, field_of

__all__ = ["KEYS", "experiment_text", "read_experiment", "study_from", "write_experiment"]

_TABLE = {"key": str, "transpose": bool, "normalise": bool, "counts": bool}
"""How a table is read in a file with a problem: what `read_problem` takes, and of which kind that is."""

KEYS = (
    "flow", "problems", *_TABLE, "forms", "technologies", "noise", "mismatch", "temperature", "imperfections", "sweep",
    "certify", "samples", "seed", "engine", "time_constants", "parts", "time_limit", "verify", "stop", "trim",
)  # fmt: skip
"""Keys of an experiment file. ``flow``, ``samples`` and ``problems`` are needed; the last not where the flow is a file."""


def read_experiment(path: str | Path) -> Study:
    """The study in an experiment file; files that it names lie beside it.

    Raises
    ------
    BadInput
        The file can not be read, a key is unknown or contradicts another, or its values are no study.
    """
    path = Path(path)
    keys = read_keys(path, what="an experiment file")
    return study_from(keys, folder=path.parent, where=repr(str(path)))


def study_from(keys: Mapping[str, Any], *, folder: Path, where: str) -> Study:
    """The study that the keys of an experiment file ask for.

    Parameters
    ----------
    keys : mapping
        Out of `KEYS`; a list of one value may be that value.
    folder : Path
        Where files lie that the keys name.
    where : str
        Begins the sentence of a fault.

    Raises
    ------
    BadInput
        A key is unknown or contradicts another, or the values are no study.
    """
    for key in keys:
        if key not in KEYS:
            raise BadInput(f"{where}: unknown key {key!r}; {proposal(key, KEYS)}")
    if "samples" not in keys and "sweep" not in keys:
        raise BadInput(f"{where}: samples is missing; say how many samples each condition has.")
    values = {key: value for key, value in keys.items() if key not in ("flow", "problems", *_TABLE)}
    for key in LISTS:
        if key in values and not isinstance(values[key], list | tuple):
            values[key] = [values[key]]
    further = values.get("imperfections", {})
    if not isinstance(further, Mapping):
        raise BadInput(f"{where}: imperfections is {further!r}; give a table of names, each with its values.")
    values["imperfections"] = {name: given if isinstance(given, list) else [given] for name, given in further.items()}
    if not isinstance(values.get("sweep", {}), Mapping):
        raise BadInput(f"{where}: sweep is {values['sweep']!r}; give a table of constants, each with its values.")
    try:
        study = Study(_problems(keys, folder, where), **{field_of(key): value for key, value in values.items()})
        if "parts" in values and "parts" in study.without_effect:  # the set that is taken without being named, too
            raise BadInput("parts has no effect, because the ideal technology has no parts; leave it out.")
    except BadInput as fault:
        raise BadInput(f"{where}: {str(fault).removeprefix('study: ').removeprefix(f'{where}: ')}") from None
    return study


def experiment_text(study: Study) -> str:
    """The experiment file of `study`, with its problems inside; `read_experiment` gives an equal study."""
    keys = {key: value for key, value in study.to_dict().items() if key in KEYS}
    tables = {key: keys.pop(key, {}) for key in ("imperfections", "sweep", "stop", "problems")}
    keys = {key: value for key, value in keys.items() if key not in study.without_effect}
    lines = [f"{key} = {_toml(value)}" for key, value in keys.items()]
    for name in ("imperfections", "sweep", "stop"):
        given = {key: value for key, value in tables[name].items() if value is not None}
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in given.items())] if given else []
    for name, problem in tables["problems"].items():
        lines += ["", f"[problems.{_toml(name)}]", *(f"{_key(key)} = {_toml(value)}" for key, value in problem.items())]
    return "\n".join(lines) + "\n"


def write_experiment(study: Study, path: str | Path, *, force: bool = False) -> Path:
    """Write the experiment file of `study`; an existing file is replaced only with `force`."""
    return write_text(path, experiment_text(study), force=force, encoding="utf-8")


def _problems(keys: Mapping[str, Any], folder: Path, where: str) -> dict[str, Any]:
    flow, given = keys.get("flow"), keys.get("problems")
    if not isinstance(flow, str):
        raise BadInput(f"{where}: flow is {flow!r}; name the flow, such as 'capacity', or a file of equations.")
    if (folder / flow).suffix in (".toml", ".json"):
        flow = str(folder / flow)
    elif given is None:
        raise BadInput(f"{where}: the key 'problems' is missing; it names the files of the problems.")
    table = _table(keys, where)
    if given is None:
        return {Path(flow).stem: read_problem(flow, **table)}  # type: ignore[arg-type]
    if isinstance(given, Mapping):
        named = dict(given)
    else:
        paths = list(given) if isinstance(given, list | tuple) else [given]
        named = {str(path) if _is_channel(path, folder) else Path(str(path)).stem: path for path in paths}
        if len(named) < len(paths):
            raise BadInput("two problems have one name; give a table of names, each with its file.")
    return {name: _problem(flow, problem, table, folder, f"{where}, problem {name!r}") for name, problem in named.items()}


def _table(keys: Mapping[str, Any], where: str) -> dict[str, Any]:
    """How tables are read, out of `keys` that may hold more."""
    table = {name: value for name, value in keys.items() if name in _TABLE}
    for name, value in table.items():
        if not isinstance(value, _TABLE[name]):
            wanted = "a name" if _TABLE[name] is str else "true or false"
            raise BadInput(f"{where}: {name} is {value!r}; give {wanted}.")
    return table


def _problem(flow: str, given: Any, table: Mapping[str, Any], folder: Path, where: str) -> Any:
    if isinstance(given, Mapping) and "file" in given:
        for name in given:
            if name != "file" and name not in _TABLE:
                raise BadInput(f"{where}: unknown key {name!r} beside 'file'; {proposal(name, _TABLE)}")
        return _problem(flow, given["file"], {**table, **_table(given, where)}, folder, where)
    if isinstance(given, Mapping):
        return problem_of_keys(flow, given, where)
    if not isinstance(given, str | Path):
        raise BadInput(f"{where}: {given!r} is neither a file nor a table of the problem's keys.")
    return read_problem(flow, given if _is_channel(given, folder) else folder / given, **table)


def _is_channel(given: Any, folder: Path) -> bool:
    return isinstance(given, str) and stands_for_channel(given, folder / given)


def _key(key: str) -> str:
    return key if key.isidentifier() and key.isascii() else _toml(key)


def _toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return json.dumps(value)
