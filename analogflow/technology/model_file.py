"""Reads device models from a user's SPICE file: names and numbers only, whatever else the file says is refused.

A model file is executable text to a simulator, so nothing of it is passed on: its numbers become records of ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from analogflow.checks import near_names
from analogflow.circuit.elements import Model
from analogflow.errors import BadInput
from analogflow.problems.contents import read_bytes

__all__ = ["PARAMETERS", "quantity", "read_models"]

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
