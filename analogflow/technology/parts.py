"""Parts by name: reads sets of parts from ``parts.toml`` beside this file, or from a file of the user's own."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from analogflow.checks import is_finite, near_names
from analogflow.circuit.build import Multiplier, OpAmp, PartSet, Tolerances
from analogflow.circuit.elements import Model
from analogflow.errors import BadInput
from analogflow.problems.contents import read_keys
from analogflow.technology.model_file import read_models

__all__ = ["DEFAULT_PARTS", "PART_SETS", "catalogue", "part_set"]

PART_SETS: tuple[str, ...] = ("precision", "general", "fast")
"""Sets of parts known by name, the default first."""

DEFAULT_PARTS = PART_SETS[0]
"""Parts of a circuit of parts unless others are named."""

_KEYS = {"op_amp", "multiplier", "divider", "supply", "series", "tolerances", "transistors"}
_TRANSISTORS = {"file", "npn", "pnp"}
_SERIES = ("", "E12", "E24", "E96", "E192")


@functools.cache
def catalogue() -> dict[str, Any]:
    """Content of ``parts.toml``: parts by kind and name, and the sets made of them."""
    return tomllib.loads(resources.files("analogflow.technology").joinpath("parts.toml").read_text(encoding="utf-8"))


@functools.cache
def part_set(name: str | PartSet = "precision") -> PartSet:
    """Set of parts by name or from a TOML file.

    Parameters
    ----------
    name : str or PartSet
        "precision", "general", "fast", or the path of a TOML file with the keys ``op_amp``, ``multiplier``, ``divider``
        (names of known parts, or tables that describe one), ``supply``, ``series``, ``tolerances`` and ``transistors`` (a
        ``file`` of .model lines, and the names in it of ``npn`` and ``pnp``); what is left out is that of the set
        "precision", or of the set named by ``like``.

    Raises
    ------
    BadInput
        The name is not known, or the file says something that is not allowed.
    """
    if isinstance(name, PartSet):
        return name
    known = catalogue()["set"]
    if name in known:
        return _built(name, known[name])
    path = Path(name)
    if path.suffix != ".toml":
        raise BadInput(
            f"parts {str(name)!r} are not known; the nearest is {near_names(name, known)[0]!r}, "
            f"known are: {', '.join(known)}, or the path of a .toml file."
        )
    given = read_keys(path, what="a TOML file of parts")
    like = given.pop("like", "precision")
    if like not in known:
        raise BadInput(f"parts {str(path)!r}: like = {like!r} is no set; known are: {', '.join(known)}.")
    unknown = sorted(set(given) - _KEYS)
    if unknown:
        near = near_names(unknown[0], _KEYS)[0]
        raise BadInput(f"parts {str(path)!r}: the key {unknown[0]!r} is not known; did you mean {near!r}?")
    tolerances = {**known[like]["tolerances"], **_table(path, "tolerances", given.pop("tolerances", {}))}
    transistors = _transistors(path, _table(path, "transistors", given.pop("transistors", {})))
    built = _built(path.stem, {**known[like], **given, "tolerances": tolerances}, str(path))
    return dataclasses.replace(built, **transistors)


def _transistors(path: Path, given: Mapping[str, Any]) -> dict[str, Model]:
    """Models named by ``[transistors]``, which stand in the file beside this one, under our own names."""
    if not given:
        return {}
    where = f"parts {str(path)!r}: transistors"
    if unknown := sorted(set(given) - _TRANSISTORS):
        raise BadInput(f"{where}: the key {unknown[0]!r} is not known; known are: {', '.join(sorted(_TRANSISTORS))}.")
    if not all(isinstance(value, str) and value for value in given.values()) or "file" not in given or len(given) < 2:
        raise BadInput(f'{where}: give file = "models.lib" and the name in it of npn, of pnp or of both.')
    models, chosen = read_models(path.parent / given["file"]), {}
    for kind in ("npn", "pnp"):
        if kind not in given:
            continue
        model = models.get(given[kind].lower())
        if model is None:
            near = near_names(given[kind].lower(), models, 3)
            raise BadInput(
                f"{where}: {kind} = {given[kind]!r} is not in {given['file']!r}; the nearest are: {', '.join(near)}."
            )
        if model.kind != kind:
            raise BadInput(f"{where}: {kind} = {given[kind]!r} is a {model.kind} model.")
        chosen[kind] = dataclasses.replace(model, name={"npn": "qn", "pnp": "qp"}[kind], note=given[kind])
    return chosen


def _table(path: Path, key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadInput(f"parts {str(path)!r}: {key} must be a table, not {value!r}.")
    return value


def _built(name: str, given: Mapping[str, Any], place: str = "") -> PartSet:
    where = f"parts {place or name!r}"
    if given["series"] not in _SERIES:
        raise BadInput(f"{where}: series {given['series']!r} is not known; known are: {', '.join(_SERIES[1:])}, or ''.")
    transistors = {kind: tuple(values.items()) for kind, values in catalogue()["transistor"].items()}
    return PartSet(
        name=name,
        op_amp=_part(where, OpAmp, "op_amp", given["op_amp"]),
        multiplier=_part(where, Multiplier, "multiplier", given["multiplier"]),
        divider=_part(where, Multiplier, "multiplier", given["divider"]),
        tolerances=Tolerances(**_numbers(where, Tolerances, given["tolerances"])),
        supply=_numbers(where, None, {"supply": given["supply"]})["supply"],
        series=given["series"],
        npn=Model("qn", "npn", transistors["npn"], "generic"),
        pnp=Model("qp", "pnp", transistors["pnp"], "generic"),
    )


def _part(where: str, kind: type, section: str, given: object) -> Any:
    """Part by its name in the catalogue, or from a table that may name a part it is ``like``."""
    parts = catalogue()[section]
    table = dict(given) if isinstance(given, Mapping) else {}
    name = table.pop("like", None) if table else given
    if not isinstance(name, str) or name not in parts:
        near = near_names(name, parts, 3)
        raise BadInput(f"{where}: {section} {name!r} is not known; the nearest are: {', '.join(near)}.")
    label = str(name) if not table else f"{name}_own"
    return kind(name=label, **_numbers(where, kind, {**parts[name], **table}))


def _numbers(where: str, kind: type | None, table: Mapping[str, Any]) -> dict[str, float]:
    names = {field.name for field in dataclasses.fields(kind)} - {"name"} if kind else set(table)
    for key, value in table.items():
        if key not in names:
            raise BadInput(f"{where}: the key {key!r} is not known; did you mean {near_names(key, names)[0]!r}?")
        zero = kind is Tolerances or key in ("offset", "bias_current", "gain_error", "nonlinearity", "noise", "headroom")
        if not is_finite(value) or value < 0 or not (value or zero):
            raise BadInput(
                f"{where}: {key} = {value!r} is not allowed; give a {'non-negative' if zero else 'positive'} number."
            )
        least, most = (0.0, 0.5) if kind is Tolerances else (1.0, 100.0) if key == "supply" else (1e-18, 1e12)
        if value and not least <= value <= most:
            raise BadInput(f"{where}: {key} = {value!r} is not a part's; give a number from {least:g} to {most:g}.")
    return {key: float(value) for key, value in table.items()}
