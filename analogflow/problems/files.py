"""From a file (CSV, NPY, JSON, TOML) to the problem a flow solves; every fault is a sentence."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analogflow.errors import BadInput
from analogflow.problems.attention import Attention
from analogflow.problems.channel import Channel
from analogflow.problems.contents import read_keys
from analogflow.problems.equations import Equations, Expression
from analogflow.problems.hopfield import Hopfield
from analogflow.problems.langevin import Langevin
from analogflow.problems.rate_distortion import RateDistortion
from analogflow.problems.tables import read_npy_matrix
from analogflow.problems.transport import Transport

__all__ = ["keys_of", "problem_of_keys", "read_problem"]


@dataclasses.dataclass(frozen=True)
class ProblemKind:
    """How a problem of one kind is read: its keys, those it can not do without, and whether a bare matrix is one."""

    make: Any
    noun: str
    keys: tuple[str, ...]
    needed: Mapping[str, str]
    bare_matrix: bool = False


_KINDS = {
    "capacity": ProblemKind(
        Channel,
        "a channel",
        ("transition", "initial", "unavailable", "cost", "cost_limit"),
        {"transition": "the matrix of p(output|input)"},
        bare_matrix=True,
    ),
    "attention": ProblemKind(
        Attention,
        "an attention problem",
        ("tokens", "B", "V", "beta", "time"),
        {
            "tokens": "the tokens' starting positions, one row for each",
            "B": "the matrix B of the scores",
            "V": "the value matrix",
            "beta": "the inverse temperature",
            "time": "the end of the run in time constants",
        },
    ),
    "langevin": ProblemKind(
        Langevin,
        "a Langevin problem",
        ("energy", "variables", "temperature", "mobility", "start"),
        {
            "energy": "the energy as an expression of the variables",
            "variables": "the names of the variables",
            "temperature": "the temperature in units of the energy",
        },
    ),
    "rate-distortion": ProblemKind(
        RateDistortion,
        "a rate-distortion problem",
        ("source", "distortion", "beta"),
        {
            "source": "the probabilities of the source symbols",
            "distortion": "the matrix of distortions, a row for each source symbol",
            "beta": "minus the slope of the curve, nats per unit of distortion",
        },
    ),
    "transport": ProblemKind(
        Transport,
        "a transport problem",
        ("cost", "row", "column", "epsilon", "schedule"),
        {
            "cost": "the matrix of costs, a row for each source",
            "row": "the mass of each row",
            "column": "the mass of each column",
            "epsilon": "the temperature in units of the cost",
        },
    ),
    "hopfield": ProblemKind(
        Hopfield,
        "a Hopfield network",
        ("U", "I", "gain_v", "gain_h", "activation", "temperature", "start"),
        {"U": "the matrix of couplings, a row for each visible state"},
    ),
}

_EQUATIONS = ProblemKind(
    Equations,
    "a flow of one's own",
    (
        "name", "time", "answer", "states", "constants", "definitions", "equations", "observables", "conserved", "manifolds",
        "noise",
    ),
    {"states": "the initial value of every state", "equations": "the rate of every state"},
)  # fmt: skip


def read_problem(flow: str, path: str | Path | None = None) -> Any:
    """Read the problem of the flow named `flow` from `path` (CSV and NPY: a bare matrix; JSON, TOML: its keys).

    Where `flow` is itself the path of a JSON or TOML file, it holds equations; `path` may then be left out, and gives
    constants and initial values by name.

    Raises
    ------
    BadInput
        The file can not be read or parsed, has an unknown or missing key, or its content is not a valid problem.
    """
    if flow not in _KINDS and Path(flow).suffix.lower() in (".json", ".toml"):
        return _equations(Path(flow), None if path is None else Path(path))
    if flow in _KINDS and path is None:
        raise BadInput(f"the flow {flow!r} needs a file with {_KINDS[flow].noun}.")
    path = Path(path or "")
    if flow not in _KINDS:
        near = difflib.get_close_matches(flow, _KINDS, n=1)
        raise BadInput(
            f"flow {flow!r} is not known; "
            + (
                f"did you mean {near[0]}?"
                if near
                else f"known are: {', '.join(_KINDS)}, and files of equations that end in .toml or .json."
            )
        )
    kind, suffix = _KINDS[flow], path.suffix.lower()
    if suffix in (".json", ".toml"):
        return _from_keys(kind, read_keys(path), repr(str(path)))
    if kind.bare_matrix and suffix in (".csv", ".npy"):
        return kind.make.from_csv(path) if suffix == ".csv" else kind.make(read_npy_matrix(path))
    allowed = ".csv, .npy, .json or .toml" if kind.bare_matrix else ".json or .toml"
    raise BadInput(f"{str(path)!r}: a file with {kind.noun} must end in {allowed}.")


def problem_of_keys(flow: str, keys: Mapping[str, Any], where: str) -> Any:
    """Problem of the flow named `flow` ("custom" for equations) from the keys that its file would hold.

    Raises
    ------
    BadInput
        The flow is not known, a key is unknown or missing, or the keys are no valid problem; `where` begins the sentence.
    """
    kind = _KINDS.get(flow, _EQUATIONS if flow == "custom" else None)
    if kind is None:
        raise BadInput(f"{where}: the flow {flow!r} is not known; known are: {', '.join(_KINDS)}, custom.")
    return _from_keys(kind, dict(keys), where)


def keys_of(problem: Any) -> dict[str, Any]:
    """Keys of a file that holds `problem`, in plain lists, numbers and texts; `problem_of_keys` reads them back.

    Raises
    ------
    BadInput
        It is no problem that a file can hold.
    """
    for kind in (*_KINDS.values(), _EQUATIONS):
        if kind.make is type(problem):
            values = {key: _plain(getattr(problem, key)) for key in kind.keys}
            return {key: value for key, value in values.items() if value is not None}
    raise BadInput(
        f"{type(problem).__name__} is not a problem that a file can hold; write a flow of your own as a file of equations."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: item for key, item in dataclasses.asdict(value).items() if item is not None}
    return value


def _equations(path: Path, values: Path | None) -> Equations:
    keys = read_keys(path)
    equations = _from_keys(_EQUATIONS, {"name": path.stem, **keys}, repr(str(path)))
    if values is None:
        return equations
    if values.suffix.lower() not in (".json", ".toml"):
        raise BadInput(f"{str(values)!r}: a file with values for {str(path)!r} must end in .json or .toml.")
    return equations.replaced(**{str(key): value for key, value in read_keys(values).items()})


def _from_keys(kind: ProblemKind, keys: dict[str, Any], where: str) -> Any:
    unknown = [key for key in keys if key not in kind.keys]
    if unknown:
        raise BadInput(f"{where}: unknown key {unknown[0]!r}; {kind.noun} has the keys {', '.join(kind.keys)}.")
    for key, meaning in kind.needed.items():
        if key not in keys:
            raise BadInput(f"{where}: the key {key!r} is missing; it holds {meaning}.")
    return kind.make(**keys)
