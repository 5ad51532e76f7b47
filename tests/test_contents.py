"""Files that are written at once or not at all."""

import os
import stat

import pytest

from analogflow.contents import refuse_existing, whole_file, write_text
from analogflow.errors import BadInput, StudyStopped


def test_a_file_takes_its_place_at_the_end_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError])
def test_what_fails_half_way_leaves_the_old_file_and_no_other(tmp_path, fault):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def broken(part):
        part.write_text("half")
        raise fault("stopped")

    with pytest.raises(fault, match="stopped"), whole_file(path) as part:
        broken(part)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_a_sentence(tmp_path):
    for folder, kind in (("nowhere", BadInput), ("file", StudyStopped)):
        (tmp_path / "file").write_text("")
        path = tmp_path / folder / "a.csv"
        with pytest.raises(kind, match=r"a\.csv' can not be written \(.+\)\."), whole_file(path, kind) as part:
            part.write_text("new")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_no_file_takes_the_place_of_a_pipe_or_a_device_whatever_is_forced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path, said in ((pipe, "a pipe"), (tmp_path / "link", "a pipe"), (tmp_path, "a directory")):
        with pytest.raises(BadInput, match=f"can not be written: it is {said}, not a regular file"):
            write_text(path, "x", force=True)
        with pytest.raises(StudyStopped, match="not a regular file"), whole_file(path, StudyStopped):
            pass
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    for name in ("/dev/null", "/dev/full"):
        if os.path.exists(name):
            with pytest.raises(BadInput, match="it is a device or socket"):
                refuse_existing(name, force=True)
