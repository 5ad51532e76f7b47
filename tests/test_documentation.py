"""What the site's builder does not check of the documentation: that the reference is complete, and links on GitHub hold."""

import re
import runpy
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
def tables():
    return runpy.run_path(str(ROOT / "benchmarks/tables.py"))


SHOWN = sorted({"measured.md", *(f"{path.stem}.md" for path in (ROOT / "benchmarks/numbers").glob("*.json"))})


@pytest.mark.parametrize("page", SHOWN)
def test_tables_of_a_page_are_made_from_numbers(tables, page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert text == tables["filled"](page, text), "run: python benchmarks/tables.py --write"


def test_every_page_with_a_place_for_numbers_has_some():
    """A table between markers without data would be one that somebody typed."""
    marked = {page.name for page in ROOT.glob("docs/*.md") if "\n<!-- end -->\n" in page.read_text(encoding="utf-8")}
    assert marked == set(SHOWN)


PLACE = "<!-- from accuracy.md, rates: channel | λ_max where channel is identity 3×3 -->\n"


def test_a_number_that_differs_from_its_source_is_put_right(tables):
    right = tables["filled"](
        "measured.md", f"{PLACE}| channel | λ_max |\n| --- | --- |\n| identity 3×3 | -7 |\n<!-- end -->"
    )
    assert "| identity 3×3 | -1.000000 |" in right
    assert "-7" not in right


@pytest.mark.parametrize(
    ("page", "text", "fault"),
    [
        ("measured.md", "<!-- from accuracy.md, rates: speed -->\n<!-- end -->", "has no column"),
        ("measured.md", "<!-- from accuracy.md, rates: all where channel is BSC(0.7) -->\n<!-- end -->", "has no row"),
        ("measured.md", "<!-- from accuracy.md, rated: all -->\n<!-- end -->", "no table among its numbers"),
        ("measured.md", PLACE, "has no <!-- end -->"),
        ("attention.md", "<!-- circles -->\n<!-- end -->", "no numbers for the place <!-- circles -->"),
        ("attention.md", "Nothing.", "attention.md has no place <!-- circuits -->"),
    ],
)
def test_a_place_or_a_source_that_is_gone_is_refused(tables, page, text, fault):
    with pytest.raises(SystemExit, match=fault):
        tables["filled"](page, text)


def test_numbers_are_kept_as_they_were_found(tables, tmp_path):
    """A cell may hold the mark between cells, and a row that is computed again replaces the old one."""
    made, page = tables["table"](("a", "b"), [("x | y", "1")]), tmp_path / "docs/page.md"
    (tmp_path / "numbers").mkdir()
    page.parent.mkdir()
    (page.parent / "measured.md").write_text("", encoding="utf-8")
    page.write_text("<!-- found -->\n<!-- end -->\n", encoding="utf-8")
    store = tables["store"]
    store.__globals__.update(NUMBERS=tmp_path / "numbers", DOCS=page.parent)
    store(page, {"found": (made, "Said.")})
    assert page.read_text(encoding="utf-8") == (
        "<!-- found -->\n| a | b |\n| --- | --- |\n| x \\| y | 1 |\n\nSaid.\n<!-- end -->\n"
    )
    assert tables["numbers"]("page.md") == {"found": (made, "Said.")}
    assert tables["kept"](page, "found") == {"x | y": ("x | y", "1")}


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
