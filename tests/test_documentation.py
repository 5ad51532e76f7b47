"""What the site's builder does not check of the documentation: that the reference is complete, and links on GitHub hold."""

import re
import runpy
import sys
from collections import Counter
from pathlib import Path

import pytest

import analogflow

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)")


def documented(text: str) -> Counter[str]:
    """How often each name is documented under `analogflow` in a page of the reference."""
    found: Counter[str] = Counter()
    for module, body in re.findall(r"currentmodule:: (\S+)\n(.*?)```", text, flags=re.S):
        if module == "analogflow":
            found.update(re.findall(r"^\.\. auto(?:class|function|exception):: (\w+)", body, flags=re.M))
    return found


def test_the_reference_has_every_public_name_once():
    found = documented("".join(page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/reference/*.md"))))
    assert found == Counter(name for name in analogflow.__all__ if name != "flows")  # a module: its functions have a section


def test_a_name_that_is_documented_twice_is_noticed():
    section = ".. currentmodule:: analogflow\n\n.. autofunction:: solve\n```\n"
    assert documented(section + section)["solve"] == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_hold_where_the_page_lies(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_the_gallery_is_fresh_and_shows_every_picture():
    gallery = runpy.run_path(str(ROOT / "scripts/gallery.py"))
    assert gallery["PAGE"].read_text(encoding="utf-8") == gallery["page"](), "run: python scripts/gallery.py --page"
    listed = [picture.file for section in gallery["PICTURES"].values() for picture in section]
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs/images").iterdir())


@pytest.fixture
def measured(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield runpy.run_path(str(ROOT / "benchmarks/measured.py"))
    sys.modules.pop("tables", None)


def test_the_page_of_numbers_is_fresh(measured):
    assert measured["PAGE"].read_text(encoding="utf-8") == measured["refreshed"](), (
        "run: python benchmarks/measured.py --write"
    )


def test_a_number_that_differs_from_its_source_is_put_right(measured):
    place = "<!-- from accuracy.md, rates: channel | λ_max where channel is identity 3×3 -->\n"
    wrong = f"{place}| channel | λ_max |\n| --- | --- |\n| identity 3×3 | -7 |\n<!-- end -->"
    right = measured["PLACE"].sub(lambda found: f"{found[1]}{measured['copied'](found)}\n", wrong)
    assert "| identity 3×3 | -1.000000 |" in right
    assert "-7" not in right


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("accuracy.md, rates: speed", "has no column"),
        ("accuracy.md, rates: all where channel is BSC(0.7)", "has no row"),
        ("accuracy.md, rated: all", "no table between these markers"),
    ],
)
def test_a_place_whose_source_is_gone_is_refused(measured, place, fault):
    found = measured["PLACE"].search(f"<!-- from {place} -->\n<!-- end -->")
    with pytest.raises(SystemExit, match=fault):
        measured["copied"](found)


def without_lines(text: str) -> str:
    """A netlist without the line numbers of equations, which move when another line of a source does."""
    return re.sub(r"\.py:\d+\)", ".py)", text)


def test_the_netlists_are_fresh():
    """To the byte, on every machine; `tests/processors` shows it under other kernels."""
    generated = runpy.run_path(str(ROOT / "scripts/generate.py"))
    names = set()
    for name, deck in generated["decks"]():
        written = (ROOT / "netlists" / name).read_text(encoding="ascii")
        assert without_lines(deck.text) == without_lines(written), "run: python scripts/generate.py"
        names |= {name, *deck.tables}
    assert names == {path.name for path in (ROOT / "netlists").iterdir()}
