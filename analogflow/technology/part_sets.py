"""Parts by name: reads sets of parts from ``parts.toml`` beside this file, or from files of the user's own.

Of a user's SPICE file of device models only names and numbers are read, and become records of ours; whatever else it says is
refused. A model file is executable text to a simulator, so nothing of it is passed on.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from analogflow.checks import is_finite, near_names
from analogflow.circuit.build import AnalogSwitch, Multiplier, OpAmp, PartSet, Tolerances, VoltageReference, thermal_voltage
from analogflow.circuit.elements import Model
from analogflow.contents import read_bytes, read_keys
from analogflow.errors import BadInput

__all__ = [
    "DEFAULT_PARTS",
    "PARAMETERS",
    "PART_SETS",
    "bias_error",
    "catalogue",
    "junction_error",
    "part_set",
    "products_error",
    "quantity",
    "read_models",
]

PART_SETS: tuple[str, ...] = ("precision", "general", "fast")
"""Sets of parts known by name, the default first."""

DEFAULT_PARTS = PART_SETS[0]
"""Parts of a circuit of parts unless others are named."""

_MAY_BE_ZERO = frozenset(
    "offset bias_current bias_spread bias_doubling offset_drift gain_error nonlinearity noise headroom noise_corner "
    "current_noise differential_capacitance common_capacitance input_low input_high leakage charge off_time "
    "tolerance drift".split()
)
_SIGNED = frozenset(("bias_current",))
_BETWEEN = {"supply": (1.0, 100.0), "phase_margin": (10.0, 90.0)}
"""What a value of a key must lie between where that is narrower than for all others."""

_KEYS = {"op_amp", "multiplier", "divider", "switch", "reference", "supply", "series", "tolerances", "transistors"}
_TRANSISTORS = {"file", "npn", "pnp"}
_SERIES = ("", "E12", "E24", "E96", "E192")


@functools.cache
def catalogue() -> dict[str, Any]:
    """Content of ``parts.toml``: parts by kind and name, and the sets made of them."""
    return tomllib.loads(resources.files("analogflow.technology").joinpath("parts.toml").read_text(encoding="utf-8"))


@functools.cache
def part_set(name: str | PartSet = DEFAULT_PARTS) -> PartSet:
    """Set of parts by name or from a TOML file.

    Parameters
    ----------
    name : str or PartSet
        "precision", "general", "fast", or the path of a TOML file with the keys ``op_amp``, ``multiplier``, ``divider``,
        ``switch``, ``reference`` (names of known parts, or tables that describe one), ``supply``, ``series``, ``tolerances``
        and ``transistors`` (a ``file`` of .model lines, and the names in it of ``npn`` and ``pnp``); what is left out is
        that of the set "precision", or of the set named by ``like``.

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
    like = given.pop("like", DEFAULT_PARTS)
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
    op_amp = _part(where, OpAmp, "op_amp", given["op_amp"])
    supply = _numbers(where, None, {"supply": given["supply"]})["supply"]
    if supply > op_amp.largest_supply:
        raise BadInput(
            f"{where}: supply = {supply:g} is more than {op_amp.name} stands; give at most {op_amp.largest_supply:g} V, or "
            "another op_amp."
        )
    transistors = {kind: tuple(values.items()) for kind, values in catalogue()["transistor"].items()}
    return PartSet(
        name=name,
        op_amp=op_amp,
        multiplier=_part(where, Multiplier, "multiplier", given["multiplier"]),
        divider=_part(where, Multiplier, "multiplier", given["divider"]),
        switch=_part(where, AnalogSwitch, "switch", given["switch"]),
        reference=_part(where, VoltageReference, "reference", given["reference"]),
        tolerances=Tolerances(**_numbers(where, Tolerances, given["tolerances"])),
        supply=supply,
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
        zero = kind is Tolerances or key in _MAY_BE_ZERO
        if not is_finite(value) or (value < 0 and key not in _SIGNED) or not (value or zero):
            raise BadInput(
                f"{where}: {key} = {value!r} is not allowed; give a {'non-negative' if zero else 'positive'} number."
            )
        least, most = (0.0, 0.5) if kind is Tolerances else _BETWEEN.get(key, (1e-18, 1e12))
        if value and not least <= abs(value) <= most:
            raise BadInput(f"{where}: {key} = {value!r} is not a part's; give a number from {least:g} to {most:g}.")
    return {key: float(value) for key, value in table.items()}


PARAMETERS: dict[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "bipolar": "is bf nf vaf ikf ise ne br nr var ikr isc nc rb irb rbm re rc cje vje mje tf xtf vtf itf ptf cjc vjc "
        "mjc xcjc tr cjs vjs mjs xtb eg xti kf af fc tnom",
        "diode": "is n rs tt cjo cj0 vj m eg xti kf af fc bv ibv tnom",
    }.items()
}
"""Parameters of the Gummel-Poon transistor and of the diode that ngspice documents, by kind."""

_KINDS = {"npn": "bipolar", "pnp": "bipolar", "d": "diode"}
_SAME = {
    "va": "vaf",
    "vb": "var",
    "jbf": "ikf",
    "ik": "ikf",
    "c2": "ise",
    "pe": "vje",
    "me": "mje",
    "pc": "vjc",
    "mc": "mjc",
}
_IGNORED = frozenset({"mfg", "vceo", "icrating", "vpk", "iave", "type", "level"})
"""What vendors write beside the parameters and simulators pass over; a level other than 1 is another model."""

_SUFFIXES = {"t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "m": 1e-3, "mil": 25.4e-6, "u": 1e-6, "µ": 1e-6, "n": 1e-9,
             "p": 1e-12, "f": 1e-15}  # fmt: skip
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(meg|mil|[tgkmunpfµ])?[a-z]*")
_MODEL = re.compile(r"\.model\s+([^\s()]+)\s+(\w+)\s*\(?(.*?)\)?\s*", re.S)
_ASSIGNMENT = re.compile(r"([a-z]\w*)\s*=\s*([^\s=,()]+)[\s,]*")
_NAME = re.compile(r"[a-z0-9_][a-z0-9_.+-]{0,60}")
_LARGEST = 2**20


def quantity(text: str) -> float:
    """Number with a SPICE suffix: ``1M`` and ``1m`` are 1e-3, ``1MEG`` is 1e6; letters after it are its unit.

    Raises
    ------
    ValueError
        It is none, or not finite.
    """
    match = _NUMBER.fullmatch(text.lower())
    value = float(match[1]) * _SUFFIXES.get(match[2] or "", 1.0) if match else math.nan
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def read_models(path: str | Path) -> dict[str, Model]:
    """Models of a file by their names in lower case.

    Parameters
    ----------
    path : str or Path
        Lines ``.model NAME npn|pnp|d (PARAMETER=VALUE …)`` with continuations (``+``), comments (``*``, ``;``, ``$``) and
        sections (``.lib NAME`` to ``.endl``).

    Raises
    ------
    BadInput
        The file can not be read, or has a line that is none of these: its number, what was found and what is allowed.
    """
    path = Path(path)
    models: dict[str, Model] = {}
    for number, line in _lines(path):
        where = f"model file {str(path)!r}, line {number}"
        word = line.split()[0]
        if word in (".endl", ".end") or (word == ".lib" and len(line.split()) == 2 and _NAME.fullmatch(line.split()[1])):
            continue
        if word != ".model":
            raise BadInput(
                f"{where}: {line[:40]!r} is not read; a file may hold .model lines for npn, pnp and d, nothing else."
            )
        model = _model(where, line)
        if model.name in models:
            raise BadInput(f"{where}: the model {model.name!r} is there twice; rename one of them.")
        models[model.name] = model
    if not models:
        raise BadInput(f"model file {str(path)!r} holds no .model line.")
    return models


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Logical lines in lower case with the number of their first line, without comments."""
    where = f"model file {str(path)!r}"
    data = read_bytes(path, what="a file of the models you use", most=_LARGEST)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    bad = re.search(r"[^\t\n\r\x20-\x7e\xa0-\U0010ffff]|`", text)
    if bad:
        raise BadInput(f"{where} holds the character {bad[0]!r}, which no model needs; it must be plain text.")
    first, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        line = re.split(r"[;$]", line, maxsplit=1)[0].strip().lower()
        if not line or line.startswith("*"):
            continue
        if line.startswith("+"):
            if not held:
                raise BadInput(f"{where}, line {number}: '+' continues a line, but there is none before it.")
            held += " " + line[1:]
            continue
        if held:
            yield first, held
        first, held = number, line
    if held:
        yield first, held


def _model(where: str, line: str) -> Model:
    match = _MODEL.fullmatch(line)
    if match is None or not _NAME.fullmatch(match[1]):
        raise BadInput(f"{where}: {line[:40]!r} is not .model NAME npn|pnp|d (PARAMETER=VALUE …).")
    name, kind, rest = match.groups()
    if kind not in _KINDS:
        raise BadInput(f"{where}: {name!r} is a model of the kind {kind!r}; known are: {', '.join(_KINDS)}.")
    allowed, found, position = PARAMETERS[_KINDS[kind]], {}, 0
    rest = rest.strip()
    while position < len(rest):
        given = _ASSIGNMENT.match(rest, position)
        if given is None:
            raise BadInput(f"{where}: {rest[position : position + 30]!r} is not PARAMETER=NUMBER.")
        position = given.end()
        key, text = _SAME.get(given[1], given[1]), given[2]
        if key in _IGNORED and not (key == "level" and text not in ("1", "1.0")):
            continue
        if key not in allowed:
            near = near_names(key, allowed)[0]
            raise BadInput(f"{where}: {given[1]!r} is not a parameter of {kind}; the nearest is {near!r}.")
        try:
            found[key] = quantity(text)
        except (ValueError, OverflowError):
            raise BadInput(f"{where}: {given[1]} = {text[:30]!r} is not a number.") from None
        if found[key] < 0 or (key in ("is", "bf", "nf", "n") and found[key] == 0):
            raise BadInput(f"{where}: {given[1]} = {found[key]:g} is not allowed; give a positive number.")
    if "is" not in found:
        raise BadInput(f"{where}: {name!r} has no saturation current; give IS=….")
    return Model(name, kind, tuple(found.items()))


def junction_error(parts: PartSet, current: float, temperature_kelvin: float) -> float:
    """Nats that a junction is off its logarithm where `current` is the largest: what its resistances add, over kT/q.

    Currents go from 0 to there, and what is common to all junctions cancels, so that half of it counts; of the two
    polarities the larger. The resistance of the base is divided by the current gain.
    """
    models = [dict(model.parameters) for model in (parts.npn, parts.pnp)]
    ohms = max(model.get("re", 0.0) + model.get("rb", 0.0) / model.get("bf", 100.0) for model in models)
    return current / 2 * ohms / thermal_voltage(temperature_kelvin)


def bias_error(parts: PartSet, current: float, temperature_kelvin: float) -> float:
    """Part of a signal that is a current of `current` amperes which the mean bias current of an amplifier's input takes.

    It counts once, although every amplifier takes it, since what is common to alike inputs cancels; what differs between
    parts is drawn with the other tolerances.
    """
    return abs(parts.op_amp.bias_current) * parts.op_amp.warmed(temperature_kelvin) / current


def products_error(parts: PartSet, count: int) -> float:
    """Machine units that `count` multipliers are off together: their nonlinearity, with signs of their own."""
    return parts.multiplier.nonlinearity * math.sqrt(count)
