"""What users notice is told in one fragment for each change, of a known kind, until a release gathers them."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "changes"
NAME = re.compile(r"[a-z0-9][a-z0-9-]*\.(added|changed|deprecated|removed|fixed)\.md")
MOST_SENTENCES = 2


def fault_of(name: str, text: str) -> str:
    if not NAME.fullmatch(name):
        return "its name is not NAME.KIND.md, with added, changed, deprecated, removed or fixed"
    if not re.fullmatch(r"[^\s#*-](.+\n)*.*[.)`]\n", text):
        return "it is not one paragraph that ends with its sentence"
    if len(re.findall(r"[.?!]\)?(?=\s+[A-Z`*]|\n$)", text)) > MOST_SENTENCES:
        return f"it has more than {MOST_SENTENCES} sentences"
    return ""


def test_every_fragment_is_one_paragraph_of_a_known_kind():
    assert {path.name: fault_of(path.name, path.read_text("utf-8")) for path in FOLDER.iterdir() if path.name != "README.md"
            and fault_of(path.name, path.read_text("utf-8"))} == {}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("board.md", "A board.\n"),
        ("board.new.md", "A board.\n"),
        ("Board.added.md", "A board.\n"),
        ("board.added.md", "- A board.\n"),
        ("board.added.md", "A board.\n\nAnd another.\n"),
        ("board.added.md", "A board. It is new. It is\nlarge.\n"),
        ("board.added.md", "A board"),
        ("board.added.md", ""),
    ],
)
def test_a_fragment_that_is_none_is_noticed(name, text):
    assert fault_of(name, text)


def test_a_fragment_is_taken():
    assert fault_of("board.added.md", "`map` knows another board, which\nholds four integrators.\n") == ""
