"""Faults of the machine, done to real commands: one, or all with ``--slow``."""

import os
import re
import sys

import pytest
from stress.faults import ROOT, ROWS

QUICK = "a folder that can not be written"
END = re.compile(r"exit code (-9|0|1|2|3|130)\b|no process left")
WRONG = re.compile(r"TRACEBACK|DIFFERENT|[1-9]\d* processes left")


@pytest.mark.skipif(sys.platform != "linux", reason="faults are done by means of Linux")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == QUICK else (pytest.mark.slow, pytest.mark.sweep, pytest.mark.ngspice))
        for name in ROWS
    ],
)
def test_a_command_ends_in_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    said = ROWS[name]()
    assert END.search(said), said
    assert not WRONG.search(said), said


@pytest.mark.parametrize("said", ["exit code 1: TRACEBACK: ...", "exit code 0; output DIFFERENT", "2 processes left"])
def test_what_went_wrong_is_noticed(said):
    assert WRONG.search(said)
