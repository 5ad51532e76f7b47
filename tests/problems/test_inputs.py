"""Inputs from points and files: what is read is what was written, and what is not clear is refused with what to write."""

import numpy as np
import pytest
from scipy.io import wavfile

from analogflow.errors import AssumptionWarning, BadInput
from analogflow.families.files import keys_of, problem_of_keys, read_problem
from analogflow.problems import Equations
from analogflow.problems.inputs import read_points

LEAK = {"states": {"x": 0.0}, "equations": {"x": "-x + u"}, "time": 5.0}


def leak(given):
    return Equations(**LEAK, inputs={"u": given})


@pytest.mark.parametrize("text", ["t,u\n0,0\n1,2\n3,-1\n", "0,0\n1,2\n3,-1\n", "# points\n0.0,0.0\n1.0,2.0\n3.0,-1.0\n"])
def test_a_table_has_times_and_values(tmp_path, text):
    (tmp_path / "drive.csv").write_text(text)
    found = read_points({"file": str(tmp_path / "drive.csv"), "seconds": 2.0}, "here")
    assert (found.times.tolist(), found.values.tolist()) == ([0.0, 0.5, 1.5], [0.0, 2.0, -1.0])


def test_a_first_column_that_counts_is_time_all_the_same(tmp_path):
    (tmp_path / "ones.csv").write_text("0,1.0\n1,1.0\n2,1.0\n")
    assert read_points({"file": str(tmp_path / "ones.csv")}, "here").times.tolist() == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*cells are separated by")
@pytest.mark.parametrize("text", ["t;u\n0;0,5\n1;1,5\n", "0\t0.5\n1\t1.5\n", "\ufefft,u\n0,0.5\n1,1.5\n"])
def test_a_table_is_read_as_other_tables_are(tmp_path, text):
    (tmp_path / "drive.csv").write_text(text)
    assert read_points({"file": str(tmp_path / "drive.csv")}, "here").values.tolist() == [0.5, 1.5]


@pytest.mark.parametrize("text", ["t,u\n0,x\n1,2\n", "0,1\n1\n", "0\n1\n", "t,u\n", ""])
def test_a_table_without_times_and_values_is_refused(tmp_path, text):
    (tmp_path / "drive.csv").write_text(text)
    with pytest.raises(BadInput, match=r"as many numbers in each row, two at least|holds no numbers|is empty"):
        read_points({"file": str(tmp_path / "drive.csv")}, "here")


def test_a_column_is_chosen_by_name_or_number(tmp_path):
    (tmp_path / "two.csv").write_text("t,left,right\n0,1,5\n1,2,6\n")
    for column, values in (("right", [5, 6]), ("left", [1, 2]), (3, [5, 6])):
        assert read_points({"file": str(tmp_path / "two.csv"), "column": column}, "here").values.tolist() == values
    with pytest.warns(AssumptionWarning, match="of 2 columns of values the first is taken; column = 'right' names another"):
        assert read_points({"file": str(tmp_path / "two.csv")}, "here").values.tolist() == [1, 2]
    with pytest.raises(BadInput, match=r"the column 'wrong' is not known"):
        read_points({"file": str(tmp_path / "two.csv"), "column": "wrong"}, "here")
    with pytest.raises(BadInput, match=r"column is 4; there are columns 1 to 3"):
        read_points({"file": str(tmp_path / "two.csv"), "column": 4}, "here")


@pytest.mark.parametrize(
    ("kind", "samples", "values"),
    [
        (np.int16, [0, 16384, -32768], [0.0, 0.5, -1.0]),
        (np.uint8, [128, 192, 0], [0.0, 0.5, -1.0]),
        (np.int32, [0, 2**30, -(2**31)], [0.0, 0.5, -1.0]),
        (np.float32, [0.0, 0.5, -1.5], [0.0, 0.5, -1.5]),
    ],
)
def test_full_scale_of_a_sound_is_1(tmp_path, kind, samples, values):
    wavfile.write(tmp_path / "s.wav", 100, np.array(samples, dtype=kind))
    found = read_points({"file": str(tmp_path / "s.wav"), "seconds": 0.01}, "here")
    assert (found.times.tolist(), found.values.tolist()) == ([0.0, 1.0, 2.0], values)


def test_a_sound_has_channels_and_says_its_time(tmp_path):
    wavfile.write(tmp_path / "s.wav", 100, np.array([[0, 16384], [16384, 0]], dtype=np.int16))
    given = {"file": str(tmp_path / "s.wav"), "seconds": 1.0}
    assert read_points(given, "here").values.tolist() == [0.0, 0.5]
    assert read_points({**given, "column": 2}, "here").values.tolist() == [0.5, 0.0]
    with pytest.raises(BadInput, match=r"say how many of them are one τ, as in seconds = 1e-3"):
        read_points({"file": str(tmp_path / "s.wav")}, "here")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], r"is no input; write an expression of t between quotation marks"),
        ({"times": [0, 1]}, r"the key 'values' is missing"),
        ({"times": [0, 1], "values": [0, 1], "gain": 2}, r"the key 'gain' is not known"),
        ({"times": [0, 1], "values": [0, 1, 2]}, r"2 times and 3 values; give as many of each"),
        ({"times": [0], "values": [0]}, r"two at least"),
        ({"times": [0, 1, 1], "values": [0, 1, 0]}, r"after the time 1 comes 1; times must rise.*from 1 to 1.001"),
        ({"times": [0, np.inf], "values": [0, 1]}, r"no finite number"),
        ({"file": "drive.xyz"}, r"must end in .csv, of two columns time and value, or in .wav"),
        ({"file": "drive.csv", "seconds": -1}, r"seconds is -1; give a positive number"),
        ({"file": "missing.csv"}, r"inputs.u: 'missing.csv' does not exist"),
        ("sin(x)", r"unknown name 'x'"),
        ("sin(t", r"can not be read"),
    ],
)
def test_what_is_no_input_is_refused_with_what_to_write(given, message):
    with pytest.raises(BadInput, match=message):
        leak(given)


def test_bytes_that_are_no_sound_are_refused(tmp_path):
    wavfile.write(tmp_path / "s.wav", 100, np.zeros(50, dtype=np.int16))
    whole = (tmp_path / "s.wav").read_bytes()
    for k, content in enumerate([b"", b"RIFF", whole[:20], whole[:36], b"RIFF" + bytes(60), whole[::-1]]):
        path = tmp_path / f"{k}.wav"
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"can not be read as a WAV file|two at least"):
            read_points({"file": str(path), "seconds": 1.0}, "here")


def test_equations_of_time_need_an_end_and_leave_t_alone():
    with pytest.raises(BadInput, match=r"equations of time t need an end: write time = 20.0"):
        Equations({"x": 0.0}, {"x": "sin(t)"})
    with pytest.raises(BadInput, match=r"'t' is time where there are inputs"):
        Equations({"x": 0.0, "t": 1.0}, {"x": "u", "t": "1"}, inputs={"u": "1"}, time=1.0)
    own = Equations({"x": 0.0}, {"x": "-t * x"}, constants={"t": 2.0})
    assert not own.timed
    assert own.rates({"x": np.array([1.0])})["x"] == -2.0


def test_points_beyond_the_end_are_left_out():
    kept = leak({"times": np.arange(100.0), "values": np.arange(100.0)}).inputs["u"]
    assert kept.times.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_file_names_other_files_from_where_it_stands_and_is_carried_whole(tmp_path):
    (tmp_path / "drive.csv").write_text("t,u\n0,0\n1,2\n")
    (tmp_path / "flow.toml").write_text(
        'time = 5.0\n[states]\nx = 0.0\n[inputs]\nu = { file = "drive.csv" }\nw = "2 * t"\n[equations]\nx = "-x + u + w"\n'
    )
    problem = read_problem(str(tmp_path / "flow.toml"))
    assert problem.inputs["u"].values.tolist() == [0.0, 2.0]
    again = problem_of_keys("custom", keys_of(problem), "here")
    assert again.fingerprint == problem.fingerprint == problem.replaced().fingerprint
    assert problem.replaced(x=1.0).inputs["u"].times.tolist() == [0.0, 1.0]
    assert leak({"times": [0, 1], "values": [0, 1]}).fingerprint != leak({"times": [0, 1], "values": [0, 2]}).fingerprint
    assert leak("t").fingerprint != leak("2 * t").fingerprint


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_faults_name_the_line_of_the_file(tmp_path, ending):
    text = {
        "toml": 'time = 5.0\n[states]\nx = 0.0\n\n[inputs]\nu = "sin(y)"\n[equations]\n# the rate\nx = "-x + tan(x)"\n',
        "json": '{"time": 5.0,\n"states":\n{"x": 0.0},\n\n"inputs": {\n"u": "sin(y)"},\n'
        '"equations": {\n\n"x": "-x + tan(x)"}}',
    }[ending]
    path = tmp_path / f"flow.{ending}"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"inputs.u \(line 6\), .*; equations.x \(line 9\), .*write sin\(x\) / cos\(x\)"):
        read_problem(str(path))
