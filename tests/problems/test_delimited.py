"""Text with numbers is taken apart as it was meant, whatever separates and marks them, or refused with both readings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import PAPER_CSV, PAPER_ROWS

from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems import Channel
from analogflow.problems.delimited import cells_of

GERMAN = PAPER_CSV.replace(",", ";").replace(".", ",")
QUOTED = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in PAPER_CSV.splitlines()) + "\n"

SAID = {
    "semicolons": (PAPER_CSV.replace(",", ";"), "cells are separated by semicolons"),
    "tabs": (PAPER_CSV.replace(",", "\t"), "cells are separated by tabs"),
    "spaces": (PAPER_CSV.replace(",", " "), "cells are separated by spaces"),
    "columns in line": (PAPER_CSV.replace(",", "    ").replace("0.25 ", "0.25"), "cells are separated by spaces"),
    "decimal commas": (GERMAN, "cells are separated by semicolons; commas mark the decimals"),
    "decimal commas and tabs": (GERMAN.replace(";", "\t"), "cells are separated by tabs; commas mark the decimals"),
    "decimal commas and spaces": (GERMAN.replace(";", "  "), "cells are separated by spaces; commas mark the decimals"),
    "decimal commas in quotes": (QUOTED.replace(".", ","), "commas mark the decimals"),
    "what Excel writes": ("sep=;\n" + GERMAN, "cells are separated by semicolons; commas mark the decimals"),
    "per cent": ("70%,20 %,10%\n10%,80%,10%\n25%,25%,50%\n", "a share in per cent is its part of 1"),
    "per cent, decimal commas": ("70,0 %;20 %;10 %\n10 %;80 %;10 %\n25 %;25 %;50 %\n", "a share in per cent"),
    "fractions": ("7/10,2/10,1/10\n1/10,8/10,1/10\n1/4,1/4,1/2\n", "a fraction is its quotient"),
    "comments": (PAPER_CSV.replace("\n", " # input\n", 1), "what follows # is a comment"),
    "commas at the ends": (PAPER_CSV.replace("\n", ",\n"), "the last column is empty and left out"),
    "percentages": ("70,20,10\n10,80,10\n25,25,50\n", "every row sums to 100, so the numbers are taken as percentages"),
}

PLAIN = {
    "spaces about commas": PAPER_CSV.replace(",", " , "),
    "quotes": QUOTED,
    "ends of lines": PAPER_CSV.replace("\n", "\r\n"),
    "no end": PAPER_CSV.strip(),
    "comment lines": "# ours\n" + PAPER_CSV + "# the end\n",
    "a mark of UTF-8": "\ufeff" + PAPER_CSV,
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_not_plain_is_read_and_said(case, tmp_path):
    (tmp_path / "channel").write_text(SAID[case][0], encoding="utf-8")
    with pytest.warns(AssumptionWarning, match=SAID[case][1]):
        channel = Channel.from_file(tmp_path / "channel")
    np.testing.assert_allclose(channel.transition, PAPER_ROWS, rtol=1e-15)
    assert (channel.input_names, channel.output_names) == ((), ())


@pytest.mark.parametrize("case", PLAIN)
def test_what_is_plain_is_read_without_a_word(case, tmp_path):
    (tmp_path / "channel.txt").write_bytes(PLAIN[case].encode())
    assert Channel.from_file(tmp_path / "channel.txt").transition.tolist() == PAPER_ROWS


@pytest.mark.parametrize("order", ["utf-16", "utf-16-be", "utf-16-le"])
def test_utf_16_is_read_where_it_is_marked(order, tmp_path):
    mark = "" if order == "utf-16" else "\ufeff"
    (tmp_path / "channel.csv").write_bytes((mark + PAPER_CSV).encode(order))
    with pytest.warns(AssumptionWarning, match="the text is in UTF-16"):
        assert Channel.from_file(tmp_path / "channel.csv").transition.tolist() == PAPER_ROWS


TWO_WAYS = {
    r"1,234 may be 1.234, with a mark of decimals, or 1234, with one of thousands; write 1.2340 or 1234": (
        "1,234;5,678\n2,345;6,789\n"
    ),
    r"1.234 may be 1.234, with a mark of decimals, or 1234": "1.234;12\n5.678;34\n",
    r"0,9,0,1 may be 4 whole numbers in a row, or half as many numbers with decimal commas, 0.9 and 0.1": (
        "0,9,0,1\n0,2,0,8\n"
    ),
    r"row 2: 1.500 has a point and other numbers decimal commas": "0,5;0,5\n1.500;0,2\n0,3;0,7\n",
    r"is not a text file in UTF-8": PAPER_CSV.encode("utf-16-le"),
}


@pytest.mark.parametrize("said", TWO_WAYS)
def test_what_may_be_read_in_two_ways_is_refused_with_both(said, tmp_path):
    content = TWO_WAYS[said]
    (tmp_path / "channel.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=said):
        Channel.from_file(tmp_path / "channel.csv")


def test_decimals_of_three_digits_are_no_thousands_where_one_number_tells():
    for text in ("0,125;0,875\n1,000;0,000\n", "0,5 1,234\n2,5 3\n"):
        assert "," not in str(cells_of(text.encode(), "it").cells).replace("', '", "").replace("], [", "")
    assert cells_of(b"1.234,5.678\n2.345,6.789\n", "it").said == []


def test_names_in_german_are_told_from_numbers_however_many_there_are(tmp_path):
    (tmp_path / "channel.csv").write_text(";low;high\nsent first;0,9;0,1\nsent second;0,2;0,8\n")
    with pytest.warns(AssumptionWarning, match="commas mark the decimals"):
        channel = Channel.from_file(tmp_path / "channel.csv")
    assert channel.transition.tolist() == [[0.9, 0.1], [0.2, 0.8]]
    assert (channel.input_names, channel.output_names) == (("sent first", "sent second"), ("low", "high"))


def test_a_sharp_inside_a_word_or_in_quotes_begins_no_comment(tmp_path):
    (tmp_path / "channel.csv").write_text('y#1,"# 2",y3\n' + PAPER_CSV)
    assert Channel.from_file(tmp_path / "channel.csv").output_names == ("y#1", "# 2", "y3")


NUMBERS = st.lists(st.lists(st.integers(1, 9999), min_size=3, max_size=3), min_size=2, max_size=6)


@given(NUMBERS, st.sampled_from([";", "\t", " ", ","]), st.sampled_from([".", ","]), st.integers(1, 6))
def test_numbers_come_back_as_they_were_written_or_not_at_all(rows, separator, mark, digits):
    """Whatever the writer's separator and mark; a refusal is right, other numbers never are."""
    written = [[f"{value / 1e3:.{digits}f}".replace(".", mark) for value in row] for row in rows]
    if separator == mark:
        written = [[f'"{cell}"' for cell in row] for row in written]
    text = "\n".join(separator.join(row) for row in written) + "\n"
    try:
        found = cells_of(text.encode(), "it")
    except BadInput as refusal:
        assert "may be" in str(refusal)  # noqa: PT017
        return
    assert [[float(cell) for cell in row] for row in found.cells] == [
        [float(cell.strip('"').replace(",", ".")) for cell in row] for row in written
    ]
