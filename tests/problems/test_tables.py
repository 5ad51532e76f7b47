"""Names of rows and columns are told from probabilities, or the file is refused: never is one read as the other silently."""

import contextlib
import json

import numpy as np
import pytest
from zoo import PAPER_CSV, PAPER_ROWS

from analogflow.cli import main
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems import Channel

P2 = "0.9,0.1\n0.2,0.8\n0.5,0.5\n"


def _indexed(text, names, corner=None):
    rows = [f"{name},{row}" for name, row in zip(names, text.splitlines(), strict=True)]
    return "\n".join(rows if corner is None else [corner, *rows]) + "\n"


NAMED = {
    "none": (PAPER_CSV, (), ()),
    "header": ("y0,y1,y2\n" + PAPER_CSV, (), ("y0", "y1", "y2")),
    "header with a space": ("low , mid,high \n" + PAPER_CSV, (), ("low", "mid", "high")),
    "header and index": (_indexed(PAPER_CSV, "abc", ",y0,y1,y2"), ("a", "b", "c"), ("y0", "y1", "y2")),
    "header, index and a name in the corner": (
        _indexed(PAPER_CSV, "abc", "in,y0,y1,y2"),
        ("a", "b", "c"),
        ("y0", "y1", "y2"),
    ),
    "index": (_indexed(PAPER_CSV, ["x0", "x1", "x2"]), ("x0", "x1", "x2"), ()),
    "what pandas writes": (_indexed(PAPER_CSV, "012", ",0,1,2"), ("0", "1", "2"), ("0", "1", "2")),
    "what pandas writes of an index with a name": (_indexed(PAPER_CSV, "012", "in,0,1,2"), ("0", "1", "2"), ("0", "1", "2")),
    "what R writes": (_indexed(PAPER_CSV, "123", "0,1,2"), ("1", "2", "3"), ("0", "1", "2")),
}

COUNTED = {
    "header of whole numbers": ("0,1,2\n" + PAPER_CSV, (), ("0", "1", "2")),
    "header from 1": ("1,2,3\n" + PAPER_CSV, (), ("1", "2", "3")),
    "header of levels": ("10,20,30\n" + PAPER_CSV, (), ("10", "20", "30")),
    "index of whole numbers": (_indexed(PAPER_CSV, "012"), ("0", "1", "2"), ()),
    "index from 1": (_indexed(PAPER_CSV, "123"), ("1", "2", "3"), ()),
    "whole numbers above an index of words": (_indexed(PAPER_CSV, "abc", "in,0,1,2"), ("a", "b", "c"), ("0", "1", "2")),
    "levels above an index of words": (_indexed(PAPER_CSV, "abc", "in,10,20,30"), ("a", "b", "c"), ("10", "20", "30")),
    "words above an index of whole numbers": (_indexed(PAPER_CSV, "012", "in,a,b,c"), ("0", "1", "2"), ("a", "b", "c")),
}


@pytest.mark.parametrize("case", [*NAMED, *COUNTED])
def test_names_are_told_from_probabilities(case, tmp_path):
    text, rows, columns = (NAMED | COUNTED)[case]
    (tmp_path / "channel.csv").write_text(text)
    with pytest.warns(AssumptionWarning, match="names of the") if case in COUNTED else contextlib.nullcontext():
        channel = Channel.from_csv(tmp_path / "channel.csv")
    assert channel.transition.tolist() == PAPER_ROWS
    assert (channel.input_names, channel.output_names) == (rows, columns)


AMBIGUOUS = {
    "pandas, index=False, two outputs": "0,1\n" + P2,
    "counting up, among whole numbers": "0,1\n1,0\n0.5,0.5\n",
    "one hot, above fractions only": "1,0,0\n" + PAPER_CSV,
    "one hot, above whole numbers written otherwise": "1,0\n0.0,1\n1.0,0\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_may_be_both_is_refused_with_both_readings(case, tmp_path, capsys):
    path = tmp_path / "channel.csv"
    path.write_text(AMBIGUOUS[case])
    assert main(["solve", "capacity", str(path), "--engine", "block"]) == 2
    said = capsys.readouterr().err
    assert "may name the columns, or be an input that always gives output" in said
    assert "delete it if it holds names, and write" in said
    # Either way out leads to the reading that it promises.
    first, rest = AMBIGUOUS[case].split("\n", 1)
    path.write_text(rest)
    without = Channel.from_csv(path)
    path.write_text(",".join(f"{float(x)}" for x in first.split(",")) + "\n" + rest)
    counts = first == "0,1"
    with pytest.warns(AssumptionWarning, match="is taken as an input") if counts else contextlib.nullcontext():
        assert Channel.from_csv(path).inputs == without.inputs + 1


def test_names_that_are_written_as_fractions_are_told(tmp_path):
    path = tmp_path / "channel.csv"
    path.write_text("0.0,1.0\n" + P2)
    said = r"the first row \(0.0, 1.0\) is taken as an input that always gives output 2, .* delete it if it holds names"
    with pytest.warns(AssumptionWarning, match=said):
        assert Channel.from_csv(path).inputs == 4


HIDDEN = {
    "first column (10, 11, 12)": _indexed(PAPER_CSV, ["10", "11", "12"]),
    "first column (2, 0, 1)": _indexed(PAPER_CSV, "201"),
    "first column (0, 1, 2)": _indexed(PAPER_CSV, ["0.0", "1.0", "2.0"]),
    "first row (0, 1, 2)": "0.0,1.0,2.0\n" + PAPER_CSV,
    "first row (0, 0.5, 1)": "0.0,0.5,1.0\n" + PAPER_CSV,
    "first row (5, 2, 9)": "5,2,9\n" + PAPER_CSV,
    "first row and the first column (7, 10, 20, 30)": "7,10,20,30\n" + _indexed(PAPER_CSV, "567"),
}


@pytest.mark.parametrize("where", HIDDEN)
def test_nobody_is_told_to_divide_rows_with_names_in_them(where, tmp_path):
    path = tmp_path / "channel.csv"
    path.write_text(HIDDEN[where])
    with pytest.raises(BadInput, match="may hold names, since all else sums to 1 in each row") as refusal:
        Channel.from_csv(path)
    assert f"the {where} may" in str(refusal.value)
    assert "divide" not in str(refusal.value)


@pytest.mark.parametrize(("text", "where"), [("0,45,5\n1,10,40\n", "column (0, 1)"), ("0,1\n45,5\n10,40\n", "row (0, 1)")])
def test_what_counts_above_or_beside_counts_is_named_before_dividing(text, where, tmp_path):
    (tmp_path / "channel.csv").write_text(text)
    with pytest.raises(BadInput, match=r"may hold names, since it counts: delete names first, .*; row \d sums") as refusal:
        Channel.from_csv(tmp_path / "channel.csv")
    assert f"the first {where} may" in str(refusal.value)


def test_a_header_does_not_make_counts_of_names_below_it(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("id,a,b\n0,45,5\n1,10,40\n")
    with pytest.raises(BadInput, match=r"the first column \(0, 1\) .* if there are none give the rows words for names"):
        Channel.from_file(path, counts=True)
    path.write_text("in,id,a,b\nx,0,45,5\ny,1,10,40\n")
    with pytest.warns(AssumptionWarning, match="counts of 101 observations"):
        assert Channel.from_file(path, counts=True).output_names == ("id", "a", "b")


PAIRS = {
    "counts": "0,0,45\n0,1,5\n1,0,10\n1,1,40\n",
    "with a header": "x,y,count\n0,0,45\n0,1,5\n1,0,10\n1,1,40\n",
    "none of a pair": "1,1,45\n1,2,5\n2,2,40\n",
    "probabilities": "0,0,0.9\n0,1,0.1\n1,0,0.2\n1,1,0.8\n",
    "words": "sent,received,count\na,a,45\na,b,5\nb,a,10\nb,b,40\n",
}


@pytest.mark.parametrize("case", PAIRS)
@pytest.mark.parametrize("option", [{}, {"normalise": True}, {"counts": True}])
def test_a_list_of_pairs_is_no_table(case, option, tmp_path):
    (tmp_path / "list.csv").write_text(PAIRS[case])
    said = r"the first two columns .* pairs of an input and an output.* as the pivot of pandas does"
    if option.get("counts") and case == "probabilities":
        said = "row 1, column 3 is 0.9, and counts are whole numbers"
    with pytest.raises(BadInput, match=said):
        Channel.from_file(tmp_path / "list.csv", **option)


def test_three_outputs_that_look_like_a_list_are_read_where_rows_have_words_for_names(tmp_path):
    (tmp_path / "counts.csv").write_text("a,0,0,45\nb,0,1,5\nc,1,0,10\nd,1,1,40\n")
    with pytest.warns(AssumptionWarning, match="counts of"):
        assert Channel.from_file(tmp_path / "counts.csv", counts=True).inputs == 4


@pytest.mark.parametrize("text", ["1,0\n0.2,0.8\n", "0,1\n0.2,0.8\n", "1,0,0\n0.1,0.9,0\n0,0,1\n", "0,1,0\n1,0,0\n0,0,1\n"])
def test_a_noiseless_input_that_can_be_no_name_is_one(text, tmp_path):
    (tmp_path / "channel.csv").write_text(text)
    wanted = np.array([[float(x) for x in row.split(",")] for row in text.split()])
    np.testing.assert_array_equal(Channel.from_csv(tmp_path / "channel.csv").transition, wanted)


FAULTY = {
    "the first row names 2 columns, and the rows below hold 3": "a,b\n" + PAPER_CSV,
    "row 1, column 2: 'b' is not a number": "0.7,b,0.1\n" + PAPER_CSV,
    "row 3, column 2: 'x' is not a number": "a,b,c\n0.5,0.25,0.25\n0.5,x,0.5\n",
    "row 1, column 2: '0,1' is not a number; write it with a point: 0.1": '0.9,"0,1"\n0.2,0.8\n0.3,0.7\n',
    "row 1, column 3: '' is not a number; .* delete a comma at the end of the row": "0.7,0.3,\n0.2,0.7,0.1\n",
    "row 1, column 1: '1/0' is not a number": "1/0,0.5\n0.2,0.8\n",
    "row 3, column 3: 'x' is not a number": "in,b,c\nu,0.5,0.5\nv,0.5,x\n",
    "the columns sum to 1 and the rows do not, so each column seems to be an input": "0.8,0.5\n0.2,0.5\n",
    "row 1 sums to 1.1; rows must sum to 1": "0.7,0.2,0.2\n0.1,0.8,0.1\n0.25,0.25,0.5\n",
}


@pytest.mark.parametrize("reason", FAULTY)
def test_what_is_neither_is_refused(reason, tmp_path):
    (tmp_path / "channel.csv").write_text(FAULTY[reason])
    with pytest.raises(BadInput, match=reason):
        Channel.from_csv(tmp_path / "channel.csv")


def test_solve_says_what_it_read(tmp_path, capsys):
    path = tmp_path / "channel.csv"
    path.write_text("0,1,2\n" + PAPER_CSV)
    assert main(["solve", "capacity", str(path), "--engine", "block"]) == 0
    out, err = capsys.readouterr()
    assert "3 inputs × 3 outputs; outputs 0, 1, 2" in " ".join(out.split())
    assert "the first row (0, 1, 2) is taken as the names of the outputs, not as probabilities." in err
    assert main(["solve", "capacity", str(path), "--engine", "block", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problem"] == "3 inputs × 3 outputs; outputs 0, 1, 2"


def test_a_matrix_that_is_stochastic_both_ways_says_how_it_was_read():
    circulant = [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]]
    assert Channel(circulant).summary == "3 inputs × 3 outputs; the columns sum to 1, too: rows were taken as inputs"
    assert Channel([[0.9, 0.1], [0.1, 0.9]]).summary == "2 inputs × 2 outputs"
    assert Channel([[1.0], [1.0]]).summary == "2 inputs × 1 output"


def test_names_follow_their_rows_and_columns():
    P = [[0.5, 0.5, 0], [0, 0, 1], [0.2, 0.8, 0]]
    channel = Channel(P, unavailable=[1], input_names=list("abc"), output_names=list("xyz"))
    assert (channel.reduced().input_names, channel.reduced().output_names) == (("a", "c"), ("x", "y"))
    with pytest.raises(BadInput, match=r"Channel.input_names: .* are no names; give one text for each of the 2 inputs"):
        Channel([[1, 0], [0, 1]], input_names=["a"])
