"""A matrix is taken from whatever holds one, with its names, and from nothing that does not say which way it lies."""

from fractions import Fraction

import dit
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.families import as_problem
from analogflow.reference import capacity_reference

PAPER = np.array(PAPER_ROWS)


class GivesArray:
    def __array__(self, dtype=None, copy=None):
        return PAPER


class GivesCapsule:
    """As tensors are handed over that know nothing of NumPy."""

    def __dlpack__(self, **options):
        return PAPER.__dlpack__(**options)

    def __dlpack_device__(self):
        return PAPER.__dlpack_device__()


class Elsewhere:
    """As tensors of a graph or of another device refuse."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


OBJECTS = {
    "lists": PAPER_ROWS,
    "tuples": tuple(map(tuple, PAPER_ROWS)),
    "fractions": [[Fraction(str(value)) for value in row] for row in PAPER_ROWS],
    "a matrix of NumPy": np.asmatrix(PAPER),
    "a frame": pd.DataFrame(PAPER),
    "a frame of objects": pd.DataFrame(PAPER, dtype=object),
    "a labelled array": xarray.DataArray(PAPER),
    "a sparse matrix": scipy.sparse.csr_matrix(PAPER),
    "a sparse array": scipy.sparse.coo_array(PAPER),
    "what gives an array": GivesArray(),
    "what gives a capsule": GivesCapsule(),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_every_kind_is_the_same_channel(kind):
    channel = as_problem(OBJECTS[kind])
    assert isinstance(channel, af.Channel)
    np.testing.assert_array_equal(channel.transition, PAPER)
    assert (channel.input_names, channel.output_names) == ((), ())


@pytest.mark.parametrize(("kind", "error"), [("float32", 1e-7), ("float16", 1e-3)])
def test_rows_may_be_off_by_the_rounding_of_their_numbers_and_no_more(kind, error):
    rounded = PAPER.astype(kind)
    assert abs(rounded.astype(float).sum(axis=1) - 1).max() > 1e-9
    for given in (rounded, pd.DataFrame(rounded), [list(row) for row in rounded]):
        np.testing.assert_allclose(af.Channel(given).transition, PAPER, atol=error)
    with pytest.raises(BadInput, match=r"row 1 sums to 1\.0.*; rows must sum to 1 within"):
        af.Channel(rounded + np.asarray([[5 * error, 0, 0], [0, 0, 0], [0, 0, 0]], kind))
    with pytest.raises(BadInput, match="within 1e-09"):
        af.Channel(rounded.astype(float))


def test_whole_numbers_are_a_channel_where_they_are_one():
    assert af.Channel(np.eye(3, dtype=int)).transition.tolist() == np.eye(3).tolist()
    assert capacity_reference(af.Channel(np.eye(3, dtype=int))).capacity_nats == pytest.approx(np.log(3), abs=1e-12)


def test_names_of_frames_and_labelled_arrays_are_kept():
    named = pd.DataFrame(PAPER, index=["a", "b", "c"], columns=["x", "y", "z"])
    labelled = xarray.DataArray(PAPER, {"sent": ["a", "b", "c"], "seen": ["x", "y", "z"]}, ("sent", "seen"))
    for given in (named, labelled):
        channel = af.Channel(given)
        assert (channel.input_names, channel.output_names) == (("a", "b", "c"), ("x", "y", "z"))
    assert af.Channel(named, input_names=["d", "e", "f"]).input_names == ("d", "e", "f")


@pytest.mark.parametrize("first", ["in", "Unnamed: 0"])
def test_a_first_column_of_words_or_of_a_saved_index_names_the_inputs(first):
    frame = pd.DataFrame({first: ["a", "b", "c"] if first == "in" else [0, 1, 2], **dict(zip("xyz", PAPER.T, strict=True))})
    with pytest.warns(AssumptionWarning, match=r"the first column \(.*\) is taken as names of the inputs"):
        channel = af.Channel(frame)
    np.testing.assert_array_equal(channel.transition, PAPER)
    assert channel.output_names == ("x", "y", "z")


@pytest.mark.parametrize("base", ["linear", 2])
def test_of_a_joint_law_of_dit_the_conditional_one_is_taken(base):
    """dit's own capacity of the same channel is the witness."""
    outcomes = [f"{i}{j}" for i in range(3) for j in range(3)]
    law = dit.Distribution(outcomes, (PAPER * [[0.5], [0.3], [0.2]]).ravel()).copy(base=base)
    with pytest.warns(AssumptionWarning, match=r"of a joint law p\(x, y\), the rows are p\(y\|x\)"):
        channel = af.Channel(law)
    np.testing.assert_allclose(channel.transition, PAPER, rtol=1e-14)
    bits = dit.algorithms.channelcapacity.channel_capacity_joint(law.copy(base="linear"), [0], [1])
    assert capacity_reference(channel).capacity_nats / np.log(2) == pytest.approx(bits, abs=1e-5)
    with pytest.raises(BadInput, match="a law of 3 variables; give a joint law of two, x and y"):
        af.Channel(dit.Distribution(["000", "111"], [0.5, 0.5]))


def test_solve_compare_and_study_take_a_matrix_as_a_channel():
    solution = af.solve(PAPER_ROWS, engine="block")
    assert solution.passed
    assert solution.flow.problem.fingerprint == af.Channel(PAPER).fingerprint
    assert af.verify(PAPER, engine="block").passed
    assert af.Study(PAPER, samples=2).problems["problem"].fingerprint == af.Channel(PAPER).fingerprint
    assert af.compare(PAPER_ROWS, only=["blahut-arimoto"]).family == "capacity"


WRONG = {
    "does not give its numbers .*detach.* hand over an array of NumPy": Elsewhere(),
    "given as 3-dimensional, must be a matrix": np.ones((2, 2, 2)),
    "given as 1-dimensional": pd.Series([0.5, 0.5]),
    "the matrix is empty": pd.DataFrame(),
    "row 2, column 1 is nan": pd.DataFrame({"a": [0.5, None], "b": [0.5, 0.5]}),
    "has .* entries with its zeros, more than": scipy.sparse.csr_array((10**6, 10**6)),
    "its dimensions are 'output' and 'input', and the first one must hold the inputs; transpose it": xarray.DataArray(
        PAPER, dims=("output", "input")
    ),
    "is complex": PAPER * 1j,
    "its rows have different keys": [{"x": 0.5, "y": 0.5}, {"y": 0.5, "z": 0.5}],
    "its parts have different keys": {"a": {"x": 0.5, "y": 0.5}, "b": {"z": 1.0}},
    "are no rows of numbers": {"a": 0.5, "b": 0.5},
}


@pytest.mark.parametrize("reason", WRONG)
def test_what_holds_no_matrix_is_refused(reason):
    with pytest.raises(BadInput, match=reason):
        af.solve(WRONG[reason], engine="block")


def test_what_is_done_to_a_table_is_asked_for_and_said():
    counted = np.array([[87.0, 13, 0], [12, 85, 0]])
    with pytest.raises(
        BadInput, match=r"row 1 sums to 100, row 2 to 97; .* or use Channel\.from_table\(…, normalise=True\)"
    ):
        af.Channel(counted)
    with pytest.warns(
        AssumptionWarning, match="each row is divided by its sum, which is 97 to 100; output 3 is never produced"
    ):
        channel = af.Channel.from_table(counted, normalise=True)
    np.testing.assert_allclose(channel.transition, [[0.87, 0.13], [12 / 97, 85 / 97]])
    joint = PAPER / 3
    with pytest.raises(BadInput, match=r"all entries together sum to 1, as a joint law p\(x, y\) does, of which rows"):
        af.Channel(joint)
    with pytest.warns(AssumptionWarning, match="each row is divided by its sum, which is 0.333333"):
        np.testing.assert_allclose(af.Channel.from_table(joint, normalise=True).transition, PAPER)
    turned = pd.DataFrame(PAPER.T, columns=["a", "b", "c"])
    assert af.Channel.from_table(turned, transpose=True).input_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (PAPER.T, "the columns sum to 1 and the rows do not"),
        ([[7, 3, 10], [2, 8, 10]], "column 3 holds the sums of the others"),
        ([[0, 45, 5], [1, 10, 40]], r"the first column \(0, 1\) may hold names"),
        ([[1, 2], [0, 0]], "row 2 sums to 0, and can not be divided by that"),
    ],
)
def test_rows_are_not_divided_by_sums_that_tell_of_something_else(table, said):
    with pytest.raises(BadInput, match=said):
        af.Channel.from_table(table, normalise=True)
