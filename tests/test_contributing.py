"""What CONTRIBUTING says of the way through the house is the way that runs take, and the names it gives are there."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from study_zoo import AtOnce

import analogflow
from analogflow import cli
from analogflow.cli import studying

ROOT = Path(__file__).parents[1]
_, _, AFTER = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The house")
HOUSE = AFTER.partition("\n## ")[0]


@dataclasses.dataclass(frozen=True)
class Call:
    """A line of a walk: what is called, and the line that it is indented below, if any."""

    name: str
    below: Call | None


def walk(first: str) -> list[Call]:
    """The walk that begins with the function `first`."""
    (lines,) = [part for part in re.findall(r"(?:^    .*\n)+", HOUSE, re.MULTILINE) if part.split()[0] == first]
    calls, above = [], {}
    for line in lines.splitlines():
        depth = len(line) - len(line.lstrip())
        above[depth] = Call(line.split()[0], above.get(depth - 2))
        calls.append(above[depth])
    return calls


def found(name: str) -> Any:
    """What a name of CONTRIBUTING stands for: of a module, of a record's field, or of a public class."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        with contextlib.suppress(ModuleNotFoundError):
            return functools.reduce(attribute, parts[k:], importlib.import_module(f"analogflow.{'.'.join(parts[:k])}"))
    public = analogflow if hasattr(analogflow, parts[0]) else importlib.import_module("analogflow.technology")
    return functools.reduce(attribute, parts, public)


def attribute(value: Any, name: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else {}
    return fields[name] if name in fields else getattr(value, name)


@contextlib.contextmanager
def watched(calls: list[Call]) -> Iterator[set[Call]]:
    """Calls that are made while that below which they stand is under way."""
    code = {call: inspect.unwrap(found(call.name)).__code__ for call in calls}
    listed, seen = {*code.values()}, set[Call]()

    def note(frame: Any, event: str, _: Any) -> None:
        if event != "call" or frame.f_code not in listed:
            return
        under_way, above = set(), frame
        while above is not None:
            under_way.add(above.f_code)
            above = above.f_back
        for call in calls:
            if code[call] is frame.f_code and (call.below is None or code[call.below] in under_way):
                seen.add(call)

    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)


def missed(first: str, *lines: str) -> list[str]:
    """Calls of a walk that none of some command lines makes."""
    calls, made = walk(first), set[Call]()
    for line in lines:
        with watched(calls) as seen:
            assert cli.main(line.split()) == 0
        made |= seen
    return [call.name for call in calls if call not in made]


CHANNEL = f"capacity {ROOT / 'examples' / 'data' / 'paper_channel.csv'}"


@pytest.mark.ngspice
def test_one_run_goes_the_way_that_is_told(capsys):
    assert missed("cli.main", f"solve {CHANNEL}") == []
    assert "simulators.ngspice.run" in missed("cli.main", f"solve {CHANNEL} --engine block")


@pytest.mark.slow
@pytest.mark.ngspice
def test_so_does_a_sample_of_a_study(tmp_path, monkeypatch, capsys):
    at_once: Callable[..., Any] = lambda address, engine: contextlib.nullcontext(AtOnce())  # noqa: E731
    monkeypatch.setattr(studying, "_executor", at_once)
    line = f"study {CHANNEL} --samples 1 --mismatch 0.01 -o {tmp_path}"
    assert missed("cli.studying.run_study", f"{line}/a", f"{line}/b --engine ngspice") == []


def test_every_name_that_is_given_is_there():
    told = HOUSE.partition("| what | where |")[2]
    names = {name for name in re.findall(r"`([A-Za-z_]+(?:\.[A-Za-z_]+)+)`", told) if name not in {"pyproject.toml"}}
    assert len(names) > 20
    for name in sorted(names):
        if name.endswith(".py"):
            assert list((ROOT / "analogflow").rglob(name)), name
        else:
            assert found(name) is not None, name
    for name in re.findall(r"`((?:\w+/)+\w+\.\w+)`", told):
        assert (ROOT / "analogflow" / name).is_file() or (ROOT / name).is_file(), name
