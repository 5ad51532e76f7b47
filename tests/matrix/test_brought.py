"""What people brought in public questions, from their file to the answer that independent tools computed of it."""

import json

import numpy as np
import pytest

from analogflow.cli import main

COUNTS = """\
87,0,0,0,1,0,0,0,0,0
0,88,1,0,0,0,0,0,1,1
0,0,85,1,0,0,0,0,0,0
0,0,0,79,0,3,0,4,5,0
0,0,0,0,88,0,0,0,0,4
0,0,0,0,0,88,1,0,0,2
0,1,0,0,0,0,90,0,0,0
0,0,0,0,0,1,0,88,0,0
0,0,0,0,0,0,0,0,88,0
0,0,0,1,0,1,0,0,0,90
"""
COLUMNS = "0.8,0.1,0.2\n0.1,0.7,0.3\n0.1,0.2,0.5\n"
ERASED = {"source": [0.5, 0.5], "distortion": [[0, np.inf, 1], [np.inf, 0, 1]], "beta": 1.0}
EMPTY = {"cost": [[0, 1, 4], [1, 0, 1], [4, 1, 0]], "row": [0.5, 0.5, 0], "column": [0, 0.4, 0.6], "epsilon": 0.1}
SHARP = {"cost": [[0, 1], [1, 0]], "row": [0.3, 0.7], "column": [0.7, 0.3], "epsilon": 0.01}
HEAPS = {"cost": [[1, 3, 2], [4, 1, 5]], "row": [120, 80], "column": [70, 90, 40], "epsilon": 0.3}

RIGHT = {
    "a header of pandas is gone": ("capacity", "a.csv", "0.9,0.1\n0.2,0.8\n", [], "capacity_nats", 0.275702),
    "columns are inputs": ("capacity", "a.csv", COLUMNS, ["--transpose"], "capacity_nats", 0.292179589),
    "a confusion matrix": ("capacity", "a.csv", COUNTS, ["--counts"], "capacity_nats", 2.165458416),
    "an erasure that costs": ("rate-distortion", "a.json", ERASED, [], "rate_nats", np.log(2)),
    "a row of no mass": ("transport", "a.json", EMPTY, [], "cost", 1.3),
    "nearly no entropy": ("transport", "a.json", SHARP, [], "plan", [[0.3, 0.0], [0.4, 0.3]]),
    "masses that are no shares": ("transport", "a.json", HEAPS, [], "cost", 260.00025),
}

REFUSED = {
    "a header of pandas": ("0,1\n0.9,0.1\n0.2,0.8\n", "may name the columns, or be an input that always gives output 2"),
    "columns are inputs": (COLUMNS, "each column seems to be an input"),
    "a confusion matrix": (COUNTS, "use --normalise, or --counts for counts"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_answer_is_that_of_independent_tools(case, tmp_path, monkeypatch, capsys):
    family, name, content, options, key, right = RIGHT[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    assert main(["solve", family, name, "--engine", "block", "--json", *options]) == 0
    np.testing.assert_allclose(json.loads(capsys.readouterr().out)["answer"][key], right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_channel_yet_is_refused_with_what_to_write(case, tmp_path, monkeypatch, capsys):
    content, said = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(content)
    assert main(["solve", "capacity", "a.csv", "--engine", "block"]) == 2
    assert said in capsys.readouterr().err
