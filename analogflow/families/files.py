"""From a file (a table, JSON, TOML) to the problem a flow solves; every fault is a sentence."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from analogflow.checks import proposal, refuse_unknown
from analogflow.contents import line_of, parse_keys, read_keys, read_text, read_values
from analogflow.errors import AnalogflowError, BadInput
from analogflow.families import FAMILIES, Family, named_families
from analogflow.problems import Equations
from analogflow.problems.expression import Expression
from analogflow.problems.inputs import beside
from analogflow.problems.memory import Event
from analogflow.problems.orders import primed
from analogflow.problems.tables import TableOptions, named_table

__all__ = ["keys_of", "problem_of_keys", "read_problem"]


def read_problem(flow: str, path: str | Path | None = None, **table: Unpack[TableOptions]) -> Any:
    """Read the problem of the flow named `flow` from `path` (JSON, TOML: its keys, or a matrix; anything else: a matrix).

    A matrix that has a name, such as ``"bsc:0.11"``, may be given by that, as a text.

    Where `flow` is itself the path of a JSON or TOML file, it holds equations; `path` may then be left out, and gives
    constants and initial values by name.

    Parameters
    ----------
    flow : str
    path : path, optional
    table
        How the matrix is read, as the problem's ``from_file`` takes it: `key`, `transpose`, `normalise`, `counts`.

    Raises
    ------
    BadInput
        The file can not be read or parsed, has an unknown or missing key, or its content is not a valid problem; or an
        option is of a table, and there is none.
    """
    table = {name: value for name, value in table.items() if value}  # type: ignore[assignment]
    named = named_families()
    if flow not in named and Path(flow).suffix.lower() in (".json", ".toml"):
        _refuse_options(table, FAMILIES["custom"], flow)
        return _equations(Path(flow), None if path is None else Path(path))
    if flow not in FAMILIES or flow not in named:
        every = f"{', '.join(named)}, and files of equations that end in .toml or .json"
        raise BadInput(f"flow {flow!r} is not known; {proposal(flow, named, else_known=every)}")
    family = FAMILIES[flow]
    if path is None:
        raise BadInput(f"the flow {flow!r} needs a file with {family.noun}.")
    given, path = path, Path(path)
    where, make = repr(str(given)), family.problem
    if path.suffix.lower() not in (".json", ".toml"):
        if not family.bare_matrix:
            raise BadInput(f"{where}: a file with {family.noun} must end in .json or .toml.")
        return _made(family, lambda: make.from_file(given, **table), where, "the matrix is")
    if not family.bare_matrix:
        _refuse_options({name: value for name, value in table.items() if name not in family.options}, family, flow)
        return _from_keys(family, read_keys(path), where, functools.partial(family.read or family.problem, **table))
    values = read_values(path)
    options = {name: value for name, value in table.items() if name != "key"}
    if (found := named_table(values, family.keys, table.get("key"), where)) is not None:
        return _made(family, lambda: make.from_table(found, where=where, **options), where, "the matrix is")
    if not isinstance(values, dict):
        raise BadInput(f"{where} must hold named keys or rows of numbers, not a bare list.")
    if not options:
        return _from_keys(family, values, where)
    matrix = next(iter(family.needed))
    return _from_keys(
        family, values, where, lambda **keys: make.from_table(keys.pop(matrix), where=where, **options, **keys)
    )


def _refuse_options(table: Mapping[str, Any], family: Family, flow: str) -> None:
    if table:
        raise BadInput(
            f"{flow!r}: {next(iter(table))} says how a table is read, and {family.noun} is a file of keys; leave it out."
        )


def problem_of_keys(flow: str, keys: Mapping[str, Any], where: str) -> Any:
    """Problem of the flow named `flow` ("custom" for equations) from the keys that its file would hold.

    Raises
    ------
    BadInput
        The flow is not known, a key is unknown or missing, or the keys are no valid problem; `where` begins the sentence.
    """
    refuse_unknown(flow, FAMILIES, f"{where}: the flow")
    return _from_keys(FAMILIES[flow], dict(keys), where)


def keys_of(problem: Any) -> dict[str, Any]:
    """Keys of a file that holds `problem`, in plain lists, numbers and texts; `problem_of_keys` reads them back.

    Raises
    ------
    BadInput
        It is no problem that a file can hold.
    """
    for family in FAMILIES.values():
        if family.problem is type(problem):
            missing = [key for key in family.keys if not hasattr(problem, key)]
            if missing:
                raise BadInput(
                    f"the family {family.name}: its {type(problem).__name__} has no attribute {missing[0]!r}, a key of "
                    "its files; keep every key as an attribute."
                )
            values = {key: _plain(getattr(problem, key)) for key in family.keys}
            return {key: value for key, value in values.items() if value is not None}
    raise BadInput(
        f"{type(problem).__name__} is not a problem that a file can hold; write a flow of your own as a file of equations."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, Event):
        return value.keys
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(item) for key, item in dataclasses.asdict(value).items() if item is not None}
    return value


def _equations(path: Path, values: Path | None) -> Equations:
    text, family = read_text(path), FAMILIES["custom"]
    keys = parse_keys(text, str(path), json_text=path.suffix.lower() == ".json")
    if "inputs" in keys:
        keys["inputs"] = beside(keys["inputs"], path.parent)
    try:
        equations = _from_keys(family, {"name": path.stem, **keys}, repr(str(path)))
    except BadInput as fault:
        raise BadInput(_with_lines(str(fault), text, family.keys), words=fault.words) from fault
    if values is None:
        return equations
    if values.suffix.lower() not in (".json", ".toml"):
        raise BadInput(f"{str(values)!r}: a file with values for {str(path)!r} must end in .json or .toml.")
    return equations.replaced(**{str(key): value for key, value in read_keys(values).items()})


def _with_lines(said: str, text: str, tables: Sequence[str]) -> str:
    """What was said, with the line of each key of the file that it names as ``equations.x``."""

    def placed(found: re.Match[str]) -> str:
        table, key = found.groups()
        line = line_of(text, table, key) or line_of(text, table, primed(key))
        return f"{found[0]} (line {line})" if line else found[0]

    return re.sub(rf"\b({'|'.join(tables)})\.(\w+)", placed, said)


def _from_keys(family: Family, keys: dict[str, Any], where: str, make: Callable[..., Any] | None = None) -> Any:
    known = (*family.keys, *family.also)
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise BadInput(f"{where}: unknown key {unknown[0]!r}; {family.noun} has the keys {', '.join(known)}.")
    for key, meaning in family.needed.items():
        if key not in keys:
            raise BadInput(f"{where}: the key {key!r} is missing; it holds {meaning}.")
    return _made(family, lambda: (make or family.read or family.problem)(**keys), where, "the keys are")


def _made(family: Family, make: Callable[[], Any], where: str, given: str) -> Any:
    """What `make` makes; every fault is a sentence that begins with `where`."""
    try:
        return make()
    except BadInput as fault:
        if where in str(fault):
            raise
        raise BadInput(f"{where}: {fault}", words=fault.words) from fault
    except (AnalogflowError, MemoryError):
        raise
    except Exception as fault:  # of another package, whose problem may do anything with what it is given
        raise BadInput(f"{where}: {given} not {family.noun} ({type(fault).__name__}: {fault}).") from fault
