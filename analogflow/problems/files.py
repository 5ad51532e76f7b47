"""From a file (CSV, NPY, JSON, TOML) to the problem a flow solves; every fault is a sentence."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analogflow.errors import BadInput
from analogflow.problems.channel import Channel
from analogflow.problems.tables import read_bytes, read_csv_matrix, read_npy_matrix

__all__ = ["read_problem"]

_CHANNEL_KEYS = ("transition", "initial", "unavailable")


def read_problem(flow: str, path: str | Path) -> Channel:
    """Read the problem of the flow named `flow` from `path` (CSV and NPY: a bare transition matrix; JSON, TOML: its keys).

    Raises
    ------
    BadInput
        The file can not be read or parsed, has an unknown or missing key, or its content is not a valid problem.
    """
    path = Path(path)
    if flow not in _READERS:
        near = difflib.get_close_matches(flow, _READERS, n=1)
        raise BadInput(
            f"flow {flow!r} is not known; " + (f"did you mean {near[0]}?" if near else f"known are: {', '.join(_READERS)}.")
        )
    return _READERS[flow](path)


def _read_channel(path: Path) -> Channel:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return Channel(read_csv_matrix(path))
    if suffix == ".npy":
        return Channel(read_npy_matrix(path))
    if suffix in (".json", ".toml"):
        return _channel_from_keys(_read_keys(path), path)
    raise BadInput(f"{str(path)!r}: a problem file must end in .csv, .npy, .json or .toml.")


def _read_keys(path: Path) -> dict[str, Any]:
    try:
        text = read_bytes(path).decode("utf-8")
        keys = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except UnicodeDecodeError:
        raise BadInput(f"{str(path)!r} is not a text file.") from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as fault:
        raise BadInput(f"{str(path)!r} can not be parsed: {fault}.") from None
    except RecursionError:
        raise BadInput(f"{str(path)!r} is nested too deeply.") from None
    if not isinstance(keys, dict):
        raise BadInput(f"{str(path)!r} must hold named keys ({', '.join(_CHANNEL_KEYS)}), not a bare {type(keys).__name__}.")
    return keys


def _channel_from_keys(keys: dict[str, Any], path: Path) -> Channel:
    unknown = [key for key in keys if key not in _CHANNEL_KEYS]
    if unknown:
        raise BadInput(f"{str(path)!r}: unknown key {unknown[0]!r}; a channel has the keys {', '.join(_CHANNEL_KEYS)}.")
    if "transition" not in keys:
        raise BadInput(f"{str(path)!r}: the key 'transition' is missing; it holds the matrix of p(output|input).")
    return Channel(**keys)


_READERS: dict[str, Callable[[Path], Channel]] = {"capacity": _read_channel}
