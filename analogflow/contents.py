"""What a file holds, as bytes, text, named keys or an array: bounded in size and time, and every fault is a sentence.

Only a regular file is read: a pipe or a device could keep its reader waiting for ever. What is inside is checked for form
alone; it does not know what the keys and numbers mean. What is written is there as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import re
import stat
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import AnalogflowError, BadInput

__all__ = [
    "FORCE",
    "line_of",
    "parse_keys",
    "parse_npy",
    "plain",
    "read_bytes",
    "read_keys",
    "read_text",
    "read_values",
    "refuse_existing",
    "refuse_placeless",
    "whole_file",
    "write_text",
]

FORCE = "force=True"
"""What replaces a file that exists."""

_MEBIBYTE = 2**20
_LARGEST = {"": 256 * _MEBIBYTE, ".toml": 16 * _MEBIBYTE, ".json": 64 * _MEBIBYTE, ".csv": 64 * _MEBIBYTE}
"""Bytes of a file by its ending: TOML is read at about 1 MB/s, and JSON takes up to twenty times its size in memory."""

_DEEPEST = 100
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'"
# No possessive quantifier, as Python before 3.11.5 matches groups under one wrongly; no two branches begin alike.
# The standard library's reader takes a time that grows with the square of a key's parts: a minute for 60 kB of them.
_LINE = re.compile(r"at line (\d+)")
"""Where a fault of TOML is."""

_RATE, _PRIMED = re.compile(r"\s*d(\w+)\s*/\s*dt\b"), re.compile(r"\s*(\w+'+)\s*=")
"""Keys as people write them: a derivative, and a name with primes."""

_KEY = re.compile(rf"(?<![^\s.,=\[\]{{}}])(?:(?:{_QUOTED}|[^\s.,=\[\]{{}}#\"']+)[ \t]*\.[ \t]*)+")


def read_bytes(path: str | Path, *, what: str = "a problem file", most: int | None = None) -> bytes:
    """Content of a regular file; `most` is its largest size in bytes, if not that of its ending.

    Raises
    ------
    BadInput
        It does not exist, is no regular file, is too large, or can not be read; the sentence ends with `what` is needed.
    """
    path = Path(path)
    most = most or _LARGEST.get(path.suffix.lower(), _LARGEST[""])
    try:
        # Looked at before it is opened, as opening alone may wait for ever, and after, as it may have been exchanged.
        _refuse_irregular(path, os.stat(path).st_mode, what)
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            _refuse_irregular(path, os.fstat(file.fileno()).st_mode, what)
            content = file.read(most + 1)
    except FileNotFoundError:
        raise BadInput(f"{str(path)!r} does not exist; give the path of {what}.") from None
    except BadInput:
        raise
    except (OSError, ValueError) as fault:
        raise BadInput(
            f"{str(path)!r} can not be read ({getattr(fault, 'strerror', None) or fault}); give the path of {what}."
        ) from None
    if len(content) > most:
        raise BadInput(
            f"{str(path)!r} is larger than {most / _MEBIBYTE:g} MiB, which is the most that {what} of its kind may have."
        )
    return content


def read_text(path: str | Path, *, what: str = "a problem file") -> str:
    """Content of a file in UTF-8, with or without a byte-order mark; raises as `read_bytes` does."""
    content = read_bytes(path, what=what)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        kind = ", but looks like UTF-16; save it as UTF-8" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise BadInput(f"{str(path)!r} is not a text file in UTF-8{kind}.") from None


def read_keys(path: str | Path, *, what: str = "a problem file") -> dict[str, Any]:
    """Keys of a file that ends in ``.json`` or holds TOML.

    Raises
    ------
    BadInput
        As `read_values` does, and where it holds something else than keys.
    """
    return _keys_alone(read_values(path, what=what), str(path))


def read_values(path: str | Path, *, what: str = "a problem file") -> dict[str, Any] | list[Any]:
    """Keys of a file that ends in ``.json`` or holds TOML, or the list that one in JSON is.

    Raises
    ------
    BadInput
        As `read_bytes` does, or as `parse_keys` does of what is neither keys nor a list.
    """
    return _parsed(read_text(path, what=what), str(path), json_text=Path(path).suffix.lower() == ".json")


def parse_keys(text: str, name: str, *, json_text: bool) -> dict[str, Any]:
    """Keys of a text in JSON or TOML; `name` begins the sentence of a fault.

    Raises
    ------
    BadInput
        It can not be parsed, has a key twice, is nested too deeply, or holds something else than keys.
    """
    return _keys_alone(_parsed(text, name, json_text=json_text), name)


def _quoting(text: str, fault: str) -> str:
    """What to write for a key that people write as on paper, in the line of TOML that a fault names."""
    at, lines = _LINE.search(fault), text.splitlines()
    line = lines[int(at[1]) - 1] if at and int(at[1]) <= len(lines) else ""
    if rate := _RATE.match(line):
        return f'; write {rate[1]} = "…", whose right side is the rate of {rate[1]}'
    primed = _PRIMED.match(line)
    return f'; write the key between quotation marks, as in "{primed[1]}" = …' if primed else ""


def _keys_alone(values: dict[str, Any] | list[Any], name: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise BadInput(f"{name!r} must hold named keys, not a bare {type(values).__name__}.")
    return values


def _parsed(text: str, name: str, *, json_text: bool) -> dict[str, Any] | list[Any]:
    try:
        if json_text:
            keys = json.loads(text, object_pairs_hook=_once)
        elif long := next((key[0] for key in _KEY.finditer(text) if key[0].count(".") > _DEEPEST), ""):
            raise BadInput(f"{name!r}: the key {long[:20] + '…'!r} has too many parts.")
        else:
            keys = tomllib.loads(text)
    except BadInput:
        raise
    except RecursionError:
        raise BadInput(f"{name!r} is nested too deeply.") from None
    except ValueError as fault:
        hint = "" if json_text else _quoting(text, str(fault))
        raise BadInput(f"{name!r} can not be parsed: {str(fault)[:200].rstrip('.')}{hint}.") from None
    if not isinstance(keys, dict | list):
        raise BadInput(f"{name!r} must hold named keys, not a bare {type(keys).__name__}.")
    for fault in _strange(keys):
        raise BadInput(f"{name!r} {fault}.")
    return keys


def line_of(text: str, table: str, key: str) -> int:
    """Number of the line of a text in JSON or TOML on which a key of a table stands, or the table itself; 0 if none is seen.

    It is for messages: it looks for how people lay such files out, and does not parse them.
    """
    own, inside, whole = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=:]"""), False, 0
    heads = re.compile(rf"""\s*(?:\[\s*{re.escape(table)}\s*\]|["']?{re.escape(table)}["']?\s*[=:])""")
    for number, line in enumerate(text.splitlines(), start=1):
        if heads.match(line):
            inside, whole = True, number
        elif re.match(r"\s*\[[^=]*\]\s*(?:#.*)?$", line):
            inside = False
        elif inside and own.match(line):
            return number
    return whole


def parse_npy(content: bytes, name: str, kinds: str = "fiu") -> NDArray[Any]:
    """Array in the bytes of a file of ``numpy.save``, of one of the NumPy kinds of number in `kinds`; read-only.

    Nothing that its header announces is believed: not its size, and no pickled object is ever loaded.

    Raises
    ------
    BadInput
        It is no such file, or another kind of array.
    """
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"its format {version[0]}.{version[1]} is not that of an array of numbers")
        shape, by_columns, kind = readers[version](stream)
        if kind.hasobject or kind.kind not in kinds:
            raise BadInput(f"{name!r} holds {str(kind)[:60]} entries; they must be real numbers.")
        count = math.prod(shape)
        if min(shape, default=0) < 0 or kind.itemsize * count > len(content) - stream.tell():
            raise ValueError(f"it announces {'×'.join(map(str, shape))[:60]} entries and is too short for them")
        array = np.frombuffer(content, kind, count, stream.tell()) if count * kind.itemsize else np.empty(0, kind)
        return array.reshape(shape, order="F" if by_columns else "C")
    except BadInput:
        raise
    except Exception as fault:  # noqa: BLE001 - a forged header makes its parser fail in a dozen ways
        raise BadInput(f"{name!r} is not a NumPy array of numbers ({str(fault).splitlines()[0][:120]}).") from None


def plain(value: Any) -> Any:
    """The same in plain lists, names and numbers for JSON; what is not finite becomes None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.ndarray | np.integer):
        return plain(value.tolist())
    return value


@contextlib.contextmanager
def whole_file(path: Path, fault: type[AnalogflowError] = BadInput) -> Iterator[Path]:
    """A file beside `path` to write to: it takes that place in the end, and is gone where anything fails.

    Raises
    ------
    BadInput, or what `fault` is
        `path` can not name a file, or the system does not let it be written.
    """
    if path.name in ("", "..") or "\0" in str(path):
        raise fault(f"{str(path)!r} can not name a file; give the name of a file.")
    _refuse_special(path, fault)
    digest = zlib.crc32(path.name.encode("utf-8", "surrogatepass"))  # short, however long the name is
    part = path.with_name(f".{digest:08x}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as refusal:
        raise fault(f"{str(path)!r} can not be written ({refusal.strerror or refusal}).") from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            part.unlink(missing_ok=True)


def refuse_existing(*paths: str | Path | None, force: bool) -> None:
    """Raise if any of `paths` exists, unless `force`, or is no file: before any of several files is written."""
    for path in paths:
        if path is not None and os.path.lexists(path) and not force:
            raise BadInput(f"{str(path)!r} exists already; give {FORCE} to replace it, or another name.", words=[FORCE])
        if path is not None:
            _refuse_special(path, BadInput)


def refuse_placeless(*paths: str | Path | None) -> None:
    """Raise if the folder of any of `paths` is none: before any of several files is written."""
    for path in paths:
        if path is not None and not os.path.isdir(folder := Path(path).parent):
            raise BadInput(
                f"{str(path)!r} can not be written: {str(folder)!r} is not a directory; make it, or name another."
            )


def write_text(path: str | Path, text: str | Iterable[str], *, force: bool, encoding: str = "ascii") -> Path:
    """Write `text`, or texts one after another, to `path`, all or nothing; an existing file is replaced only with `force`.

    Raises
    ------
    BadInput
        The file exists and `force` is false, or it can not be written.
    """
    path = Path(path)
    refuse_existing(path, force=force)
    with whole_file(path) as part:
        try:
            with part.open("w", encoding=encoding, newline="\n") as file:
                file.writelines((text,) if isinstance(text, str) else text)
        except ValueError as fault:  # a character that the encoding lacks, or a name that no file can have
            raise BadInput(f"{str(path)!r} can not be written ({fault}).") from None
    return path


def _refuse_special(path: str | Path, fault: type[AnalogflowError]) -> None:
    """Refuse to put a file in the place of a device, which a privileged user could: /dev/null would be one no more."""
    if os.path.exists(path) and not os.path.isfile(path):
        kind = _kind_of(os.stat(path).st_mode)
        raise fault(f"{str(path)!r} can not be written: it is {kind}, not a regular file; give the name of a file.")


def _refuse_irregular(path: Path, mode: int, what: str) -> None:
    if not stat.S_ISREG(mode):
        raise BadInput(f"{str(path)!r} is {_kind_of(mode)}, not a regular file; give the path of {what}.")


def _kind_of(mode: int) -> str:
    return "a directory" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return keys


def _strange(value: Any, depth: int = 0) -> Iterable[str]:
    """What no key or value may be, although a parser lets it pass."""
    if depth > _DEEPEST:
        yield "is nested too deeply"
    elif isinstance(value, str):
        if not value.isascii() and re.search("[\ud800-\udfff]", value):
            yield f"holds half a character: {value[:40]!r}"
    elif isinstance(value, dict | list):
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            if isinstance(item, str | dict | list):
                yield from _strange(item, depth + 1)
    elif isinstance(value, int) and abs(value) > 2**1000:
        yield "holds a whole number that is too large"
