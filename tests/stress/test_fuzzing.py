"""Readers under Atheris, where it is installed: one for two seconds, or all for seven each with ``--slow``."""

import pytest
from hostile_zoo import READERS
from stress.fuzzing import row

pytest.importorskip("atheris")


def test_a_reader_withstands_mutated_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert row("a noise", 2)[-1] == "nothing"


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("name", READERS)
def test_every_reader_withstands_mutated_inputs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert row(name, 7)[-1] == "nothing"
