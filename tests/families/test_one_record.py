"""What a family is stands in its record: no other module names a family, or asks for the type of a problem."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import analogflow
from analogflow import families
from analogflow.families import FAMILIES
from analogflow.technology import TECHNOLOGIES

PACKAGE = Path(analogflow.__file__).parent

PROBLEMS = {family.problem.__name__ for family in FAMILIES.values()}

OF_A_FAMILY = ("families", "problems", "flows", "reference", "digital", "comparison/solvers", "technology/translinear",
                "report/runs.py", "papers")  # fmt: skip
"""What a family is made of, what is attached to one by its name (contenders, arrays of transistors that carry one flow each,
and figures), and the papers' figures."""

STILL = {
    "__init__.pyi": "the public names",
}
"""Modules that still name one, and why. The list may only shrink."""


def named(source: str) -> set[str]:
    """Families that a module names in a text of its own, and problems that it imports or asks for."""
    tree = ast.parse(source)
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            documented |= {id(name) for name in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documented and node.value in set(FAMILIES):
            found.add(str(node.value))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("analogflow"):
            found |= {alias.name for alias in node.names} & PROBLEMS
        elif isinstance(node, ast.Attribute) and node.attr in PROBLEMS:
            found.add(node.attr)
    return found


def modules() -> dict[str, Path]:
    files = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")])
    relative = {path.relative_to(PACKAGE).as_posix(): path for path in files}
    return {
        name: path for name, path in relative.items() if not f"{name}/".startswith(tuple(f"{one}/" for one in OF_A_FAMILY))
    }


@pytest.mark.slow
def test_only_a_family_s_own_modules_name_it():
    found = {name: sorted(named(path.read_text(encoding="utf-8"))) for name, path in modules().items()}
    assert {name: what for name, what in found.items() if what and name not in STILL} == {}


def test_the_list_of_exceptions_shrinks():
    gone = [name for name in STILL if name in modules() and not named(modules()[name].read_text(encoding="utf-8"))]
    gone += [name for name in STILL if name not in modules()]
    assert gone == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('if flow.family == "capacity":\n    pass', {"capacity"}),
        ("from analogflow.problems import Channel", {"Channel"}),
        ("isinstance(problem, af.Hopfield)", {"Hopfield"}),
        ('"""capacity"""\nx = "the capacity of a channel"', set()),
    ],
)
def test_a_name_is_noticed(source, what):
    assert named(source) == what


def test_our_families_stand_under_their_own_names():
    ours = {name: family for name, family in FAMILIES.items() if name not in FAMILIES.brought}
    assert {name: family.name for name, family in ours.items()} == {name: name for name in ours}
    found = {path.stem.replace("_", "-") for path in (PACKAGE / "families/plugins").glob("[a-z]*.py")}
    assert {name: family.problem.__name__ for name, family in ours.items() if name not in found} == families._OURS
    assert {name for name in ours if name not in families._OURS} == found
    assert {name: technology.name for name, technology in TECHNOLOGIES.items()} == {name: name for name in TECHNOLOGIES}
