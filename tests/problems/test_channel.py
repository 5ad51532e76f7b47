"""Channels and their files: what is read is what was meant, and every fault is one sentence with its place."""

import contextlib
import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from zoo import PAPER_ROWS

from analogflow.errors import AnalogflowError, AssumptionWarning, BadInput
from analogflow.families.files import read_problem
from analogflow.problems import Channel


def test_rows_are_inputs_in_every_format(tmp_path):
    asymmetric = [[0.5, 0.25, 0.25], [0.0, 0.125, 0.875]]
    (tmp_path / "a.csv").write_text("# two inputs, three outputs\n0.5,0.25,0.25\n\n0, 0.125 ,0.875\n")
    (tmp_path / "a.json").write_text(json.dumps({"transition": asymmetric}))
    (tmp_path / "a.toml").write_text("transition = [[0.5, 0.25, 0.25], [0.0, 0.125, 0.875]]\n")
    np.save(tmp_path / "a.npy", np.array(asymmetric))
    for name in ("a.csv", "a.json", "a.toml", "a.npy"):
        channel = read_problem("capacity", tmp_path / name)
        assert (channel.inputs, channel.outputs) == (2, 3)
        np.testing.assert_array_equal(channel.transition, asymmetric)
    assert Channel.from_csv(tmp_path / "a.csv").fingerprint == Channel(asymmetric).fingerprint


BAD_MATRICES = {
    "row 2 sums to 0.93; rows must sum to 1 within 1e-09": [[0.5, 0.5], [0.5, 0.43]],
    "row 1, column 2 is -0.1; probabilities can not be negative": [[1.1, -0.1], [0.5, 0.5]],
    "row 2, column 1 is nan; probabilities must be finite": [[0.5, 0.5], [float("nan"), 0.5]],
    "row 2 has 1 entries and row 1 has 2": [[0.5, 0.5], [1.0]],
    "output symbol 3 is never produced": [[0.5, 0.5, 0], [0.1, 0.9, 0]],
    "only one input symbol": [[0.5, 0.5]],
    "the matrix is empty": np.empty((0, 3)),
    "1-dimensional, must be a matrix": [0.5, 0.5],
    "does not consist of numbers": [["a", "b"], ["c", "d"]],
}


@pytest.mark.parametrize("reason", BAD_MATRICES)
def test_bad_matrix_is_refused(reason):
    with pytest.raises(BadInput, match=reason):
        Channel(BAD_MATRICES[reason])


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([[7, 3, 10], [2, 8, 10]], "column 3 holds the sums of the others, as totals do: delete it, then divide each row"),
        ([[7, 3], [2, 8], [9, 11]], "row 3 holds the sums of the others"),
        ([[7, 3, 10], [2, 8, 10], [9, 11, 20]], "column 3 and row 3 hold the sums of the others, .*: delete them, then"),
        ([[7, 3, 5], [2, 8, 5]], "row 1 sums to 15, row 2 to 15; rows must sum to 1 within 1e-09: divide each by its sum"),
    ],
)
def test_totals_of_a_cross_table_are_to_be_deleted(counts, said):
    with pytest.raises(BadInput, match=said):
        Channel(counts)


BAD_FILES = {
    ("a.csv", "row 2, column 3: 'maybe' is not a number"): "0.5,0.25,0.25\n0.5,0.25,maybe\n",
    ("a.csv", "row 3: 2 entries where the first row has 3"): "0.5,0.25,0.25\n0.5,0.25,0.25\n1,0\n",
    ("a.csv", "is empty"): "\n\n",
    ("a.csv", "row 1, column 2: '' is not a number"): "0.5,,0.5\n",
    ("a.csv", "row 1, column 1: '1_0' is not a number"): "1_0,0\n",
    ("a.json", "can not be parsed"): "{",
    ("a.json", "unknown key 'colour'; a channel has the keys transition"): '{"transition": [[1]], "colour": "blue"}',
    ("a.json", "the key 'transition' is missing"): "{}",
    ("a.json", "must hold named keys or rows of numbers"): "[]",
    ("a.json", "nested too deeply"): "[" * 100_000 + "]" * 100_000,
    ("a.json", "'two' is not one of the inputs"): json.dumps({"transition": PAPER_ROWS, "unavailable": ["two"]}),
    ("a.json", "3 is not one of the inputs; give indices from 0 to 2"): json.dumps(
        {"transition": PAPER_ROWS, "unavailable": [3]}
    ),
    ("a.json", "at least two must remain"): json.dumps({"transition": PAPER_ROWS, "unavailable": [0, 1]}),
    ("a.json", "input 1 starts at 0"): json.dumps({"transition": PAPER_ROWS, "initial": [0.5, 0, 0.5]}),
    ("a.json", "must be non-negative and sum to 1"): json.dumps({"transition": PAPER_ROWS, "initial": [0.5, 0.1, 0.5]}),
    ("a.json", "one entry for each of the 3 inputs"): json.dumps({"transition": PAPER_ROWS, "initial": [1.0]}),
    ("a.toml", "can not be parsed"): "transition = [[",
    ("a.npy", "is not a NumPy array"): "not an array",
    ("a.txt", "only one input symbol"): "0.5 0.5",
}


@pytest.mark.parametrize(("name", "reason"), BAD_FILES)
def test_bad_file_is_refused(tmp_path, name, reason):
    path = tmp_path / name
    path.write_text(BAD_FILES[name, reason])
    with pytest.raises(BadInput, match=reason):
        read_problem("capacity", path)


def test_missing_unreadable_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        read_problem("capacity", tmp_path / "none.csv")
    with pytest.raises(BadInput, match="is a directory"):
        read_problem("capacity", tmp_path)
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(BadInput, match="is a directory"):
        read_problem("capacity", tmp_path / "d.csv")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match="holds object entries; they must be real numbers"):
        read_problem("capacity", tmp_path / "objects.npy")
    np.save(tmp_path / "complex.npy", np.ones((2, 2)) * 0.5j)
    with pytest.raises(BadInput, match="must be real numbers"):
        read_problem("capacity", tmp_path / "complex.npy")
    (tmp_path / "latin.csv").write_bytes(b"0.5,0.5\xff\n")
    with pytest.raises(BadInput, match="is not a text file"):
        read_problem("capacity", tmp_path / "latin.csv")


@given(st.binary(max_size=200), st.sampled_from([".csv", ".json", ".toml", ".npy", ".npz", ".mat", ".xlsx", ""]))
def test_no_bytes_in_a_file_cause_anything_but_a_sentence(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(AnalogflowError), warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        read_problem("capacity", path)


@given(hnp.arrays(float, st.tuples(st.integers(2, 5), st.integers(1, 5)), elements=st.floats(0.01, 1)))
def test_a_stochastic_matrix_is_accepted_and_brought_to_the_simplex(matrix):
    channel = Channel(matrix / matrix.sum(1, keepdims=True))
    np.testing.assert_allclose(channel.transition.sum(1), 1, atol=1e-15)
    assert not channel.transition.flags.writeable


def test_numbers_that_are_right_stay_as_they_were_written():
    assert Channel(PAPER_ROWS).transition.tolist() == PAPER_ROWS


def test_reduced_channel_drops_rows_and_what_only_they_produce():
    channel = Channel([[0.5, 0.5, 0], [0.2, 0.8, 0], [0, 0, 1]], unavailable=[2])
    assert channel.reduced().transition.tolist() == [[0.5, 0.5], [0.2, 0.8]]
    assert channel.start().tolist() == [0.5, 0.5, 0]
    assert channel.fingerprint != channel.reduced().fingerprint


def test_a_limit_of_cost_that_no_float_holds_is_refused():
    with pytest.raises(BadInput, match=r"cost_limit: 10* is not a finite number"):
        Channel([[0.9, 0.1], [0.1, 0.9]], cost=[0.0, 1.0], cost_limit=10**400)
