"""The page of errata: every row names a test that exists, or says why there is none; every test here is on the page."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/errata.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| where", "| ---"))]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def defined_in(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_row_names_a_test_or_says_why_none():
    assert len(ROWS) > 60
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4, row
        assert re.fullmatch(r"(`tests/[\w/]+\.py::\w+`(, )?)+|no test: .{8,}", cells[3]), row


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_tests_on_the_page_exist(path):
    missing = {name for where, name in NAMED if where == path} - defined_in(ROOT / path)
    assert not missing


def test_every_test_of_errata_is_on_the_page():
    here = {
        (module.relative_to(ROOT).as_posix(), name)
        for module in Path(__file__).parent.glob("test_*.py")
        if module.name != Path(__file__).name
        for name in defined_in(module)
    }
    assert here - set(NAMED) == set()
