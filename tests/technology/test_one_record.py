"""What a technology is stands in its record: no other module names one, or branches on the name of one."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

import analogflow as af
from analogflow.compiler import rebuilt
from analogflow.passes import CHECK, REALISE, TRACE
from analogflow.technology import DEFAULT_TECHNOLOGY, TECHNOLOGIES, heeded, known_technology

PACKAGE = Path(af.__file__).parent

STILL = {
    "blocks/imperfections.py": "blocks without imperfections are ideal, which is no technology",
    "hardware/board_fit.py": "exact coefficients of a board are ideal, which is no technology",
    "judgement/levels.py": "the levels go from the equations through ideal elements and op-amps to transistors",
    "cli/circuits.py": "the last of these levels is of another form",
    "comparison/scaling.py": "growth with the size is measured for one circuit in transistors",
}
"""Modules in which such a name stands, and why. The list may only shrink."""


def named(source: str) -> set[str]:
    """Technologies that a module names in a text of its own, alone or as the beginning of a circuit's name."""
    tree = ast.parse(source)
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said]
    names = {str(node.value).removesuffix(":") for node in texts}
    return names & set(TECHNOLOGIES)


def modules() -> dict[str, Path]:
    files = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
    return {name: path for name, path in files.items() if not name.startswith("technology/")}


@pytest.mark.slow
def test_only_a_technology_s_own_modules_name_it():
    found = {name: sorted(named(path.read_text(encoding="utf-8"))) for name, path in modules().items()}
    assert {name: what for name, what in found.items() if what and name not in STILL} == {}


def test_the_list_of_exceptions_shrinks():
    found = modules()
    assert [name for name in STILL if name not in found or not named(found[name].read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('if circuit.technology == "opamp":\n    pass', {"opamp"}),
        ('if name.startswith(("opamp:", "translinear:")):\n    pass', {"opamp", "translinear"}),
        ('name = f"ideal:{form}"', {"ideal"}),
        ('"""ideal"""\nx = "take the technology \'ideal\'"', set()),
    ],
)
def test_a_name_is_noticed(source, what):
    assert named(source) == what


def test_a_record_says_what_it_heeds():
    assert TECHNOLOGIES["ideal"].heeded == ("stabilise", "scaled")
    assert TECHNOLOGIES["opamp"].heeded == ("stabilise", "parts", "temperature_celsius", "delay_fraction")
    assert heeded("translinear", {"parts": "fast", "delay_fraction": 0.1}) == {"parts": "fast"}
    bare = dataclasses.replace(TECHNOLOGIES["opamp"], parts="", heeds=())
    assert bare.heeded == ("stabilise",)
    assert dataclasses.replace(bare, passes=(TRACE, CHECK)).heeded == ()


def compiled(name, **options):
    return af.compile(af.flows.capacity(af.Channel([[0.9, 0.1], [0.2, 0.8]])), technology=name, **options)


def test_what_no_pass_would_mend_is_not_told_to_be_left(monkeypatch):
    plain = dataclasses.replace(TECHNOLOGIES["ideal"], name="plain", passes=(TRACE, CHECK, REALISE), heeds=())
    monkeypatch.setitem(TECHNOLOGIES._entries, "plain", plain)
    message = "^stabilise has no effect in the technology 'plain', which mends no manifold; leave it out, or take 'ideal' or"
    with pytest.raises(af.BadInput, match=message):
        compiled("plain", stabilise=False)
    with pytest.raises(af.BadInput, match=message):
        rebuilt(compiled("plain", stabilise=True), stabilise=False)
    assert not compiled("ideal", stabilise=False).build.stabilise


@pytest.mark.parametrize("verb", [compiled, known_technology, lambda name: heeded(name, {})])
def test_a_technology_that_is_not_known_is_refused(verb):
    with pytest.raises(af.BadInput, match=r"^technology 'opam' is not known; known are: ideal, opamp, translinear\.$"):
        verb("opam")


def test_the_default_is_one():
    assert DEFAULT_TECHNOLOGY in TECHNOLOGIES
