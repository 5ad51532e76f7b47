"""The directory of a study: whole files or none, damage that is found, and directories that are not for it."""

import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import analogflow as af
from analogflow.errors import StudyStopped
from analogflow.studies import study_of
from analogflow.studies.store import Corrupt, opened, read_manifest

STUDY = af.Study(af.Channel([[0.9, 0.1], [0.1, 0.9]]), noise=(0.01, 0.1), samples=3)
OTHER = af.Study(af.Channel([[0.9, 0.1], [0.1, 0.9]]), noise=(0.01, 0.1), samples=4)
VERSIONS = {"analogflow": "1", "numpy": "2", "scipy": "3"}
ROWS = {"outcome": np.array(["SETTLED", "BLEW_UP"]), "error": np.array([1e-9, np.nan]), "answer": np.eye(2)}


def test_a_chunk_comes_back_as_it_was_written_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=False) as store:
        assert store.read(0) is None
        store.write(0, ROWS)
        found = store.read(0)
    assert found is not None
    for name, values in ROWS.items():
        np.testing.assert_array_equal(found[name], values)
    with opened(tmp_path / "b", STUDY, VERSIONS, resume=False) as again:
        again.write(0, dict(reversed(ROWS.items())))
        assert again.path(0).read_bytes() == store.path(0).read_bytes()
        assert np.load(again.path(0))["error"][0] == 1e-9


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "swap", "foreign", "folder"])
def test_a_damaged_chunk_is_noticed(damage: str, tmp_path: Path) -> None:
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=False) as store:
        store.write(0, ROWS)
        store.write(1, {**ROWS, "error": np.zeros(2)})
        path = store.path(0)
        content = path.read_bytes()
        if damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "flip":
            at = content.index(np.eye(2).tobytes())
            path.write_bytes(content[:at] + b"\1" + content[at + 1 :])
        elif damage == "empty":
            path.write_bytes(b"")
        elif damage == "swap":
            path.write_bytes(store.path(1).read_bytes())
        elif damage == "foreign":
            np.savez(path, **ROWS)
        else:
            path.unlink()
            path.mkdir()
        with pytest.raises(Corrupt, match=r"changed|cut short|can not be read"):
            store.read(0)


def test_every_byte_of_a_chunk_counts(tmp_path: Path) -> None:
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=False) as store:
        store.write(0, ROWS)
        content = store.path(0).read_bytes()
        for at in range(0, len(content), 7):
            store.path(0).write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
            try:
                found = store.read(0)
            except Corrupt:
                continue
            # A byte of the archive's own bookkeeping may change without the arrays doing so.
            assert found is not None
            assert {name: values.tobytes() for name, values in found.items()} == {
                name: values.tobytes() for name, values in ROWS.items()
            }


def test_directories_that_are_not_for_the_study_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("dear")
    (tmp_path / "file").write_text("x")
    with opened(tmp_path / "other", OTHER, VERSIONS, resume=False):
        pass
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    cases = [("full", "holds no study .there is 'letter.txt'."), ("file", "is a file"), ("other", "holds another study")]
    for name, sentence in cases:
        with pytest.raises(af.BadInput, match=sentence), opened(tmp_path / name, STUDY, VERSIONS, resume=True):
            pass
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_a_study_is_resumed_only_when_asked_and_with_the_versions_it_began_with(tmp_path: Path) -> None:
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=False) as store:
        store.write(0, ROWS)
    with pytest.raises(af.BadInput, match="holds this study already"), opened(tmp_path / "a", STUDY, VERSIONS, resume=False):
        pass
    newer = {**VERSIONS, "numpy": "4"}
    with pytest.raises(af.BadInput, match="with numpy 2 and this is 4"), opened(tmp_path / "a", STUDY, newer, resume=True):
        pass
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=True) as store:
        assert store.read(0) is not None


def test_a_study_of_the_block_engine_goes_on_with_the_evaluator_that_it_began_with(tmp_path: Path) -> None:
    block = af.Study(af.Channel([[0.9, 0.1], [0.1, 0.9]]), noise=(0.01, 0.1), samples=3, engine="block")
    compiled = {**VERSIONS, "evaluator": "compiled"}
    for name, began, other, remedy in (
        ("a", compiled, {**VERSIONS, "evaluator": "numpy"}, "install a C compiler"),
        ("b", VERSIONS, compiled, "set ANALOGFLOW_EVALUATOR=numpy"),  # one that says nothing was made in NumPy
    ):
        with opened(tmp_path / name, block, began, resume=False) as store:
            store.write(0, ROWS)
        with pytest.raises(af.BadInput, match=remedy), opened(tmp_path / name, block, other, resume=True):
            pass
        with opened(tmp_path / name, block, began, resume=True) as store:
            assert store.read(0) is not None


def test_a_start_that_was_killed_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a/chunks").mkdir(parents=True)
    (tmp_path / "a/lock").touch()
    (tmp_path / "a/.manifest.json.123.part").write_text("{")
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=False):
        pass
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["chunks", "lock", "manifest.json"]


def test_the_manifest_says_everything_and_no_change_of_it_passes(tmp_path: Path) -> None:
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=False):
        pass
    path = tmp_path / "a/manifest.json"
    study, manifest = read_manifest(tmp_path / "a")
    assert (study.fingerprint, manifest["versions"]) == (STUDY.fingerprint, VERSIONS)
    assert study_of(manifest["study"]).fingerprint == STUDY.fingerprint
    manifest["study"]["seed"] = 7
    path.write_text(json.dumps(manifest))
    with pytest.raises(af.BadInput, match="was changed: its study has the fingerprint"):
        read_manifest(tmp_path / "a")
    path.write_text("{")
    with pytest.raises(af.BadInput, match="no manifest"):
        read_manifest(tmp_path / "a")
    with pytest.raises(af.BadInput, match="holds no study"):
        read_manifest(tmp_path)


HOLD = """
import sys
import analogflow as af
from analogflow.studies.store import opened
study = af.Study(af.Channel([[0.9, 0.1], [0.1, 0.9]]), noise=(0.01, 0.1), samples=3)
with opened(sys.argv[1], study, {"analogflow": "1", "numpy": "2", "scipy": "3"}, resume=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "a")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(af.BadInput, match="another process"), opened(tmp_path / "a", STUDY, VERSIONS, resume=True):
            pass
        first.kill()
    with opened(tmp_path / "a", STUDY, VERSIONS, resume=True) as store:
        store.write(0, ROWS)


def test_a_full_disk_is_a_sentence_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(tmp_path / "a", STUDY, VERSIONS, resume=False) as store:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(af.AnalogflowError, match="the disk is full; free some space"):
                store.write(0, ROWS)
        assert list((tmp_path / "a/chunks").iterdir()) == []
        store.write(0, ROWS)


FULL = """
import resource, sys
import analogflow as af
study = af.Study(af.Channel([[0.9, 0.1], [0.1, 0.9]]), noise=(0.01, 0.1), samples=300, verify=False, time_constants=1.0)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
from concurrent.futures import ThreadPoolExecutor
try:
    af.run_study(study, sys.argv[1], ThreadPoolExecutor(1))
except af.AnalogflowError as fault:
    sys.exit(f"{type(fault).__name__}: {fault}")
"""


@pytest.mark.slow
def test_a_file_system_that_takes_no_more_is_a_sentence_and_the_study_goes_on_later(tmp_path: Path) -> None:
    """A limit of the kernel on the size of files, which a manifest keeps within and a chunk does not."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "a")]
    stopped = subprocess.run([*command, "4000"], capture_output=True, text=True, check=False)
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("StudyStopped: ")
    assert "000000.npz' can not be written (File too large); mend that and go on with resume=True." in stopped.stderr
    assert stopped.stderr.count("\n") == 1
    assert list((tmp_path / "a/chunks").iterdir()) == []
    subprocess.run([*command, "4000000"], check=True)
    assert len(list((tmp_path / "a/chunks").iterdir())) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, which takes a manifest and a chunk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass


def test_a_disk_that_is_full_is_a_sentence_and_the_study_goes_on_later(small_disk: Path, tmp_path: Path) -> None:
    channel = af.Channel([[0.9, 0.1], [0.1, 0.9]])
    study = af.Study(channel, noise=(0.01, 0.1), samples=300, verify=False, time_constants=1.0)
    filling = small_disk / "filling"
    with ThreadPoolExecutor(1) as pool:
        whole = af.run_study(study, tmp_path / "whole", pool)
        fill(filling)
        with pytest.raises(StudyStopped, match="the disk is full; free some space and go on with resume=True"):
            af.run_study(study, small_disk / "study", pool)
        os.truncate(filling, 20_000)
        with pytest.raises(StudyStopped, match=r"chunks/00000.\.npz' can not be written: the disk is full"):
            af.run_study(study, small_disk / "study", pool)
        assert not list(small_disk.rglob("*.part"))
        filling.unlink()
        subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
        assert af.run_study(study, small_disk / "study", pool).identical(whole)
    for path in (tmp_path / "whole/chunks").iterdir():
        assert path.read_bytes() == (small_disk / "study/chunks" / path.name).read_bytes()


def test_a_directory_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(af.BadInput, match=r"can not be written .Not a directory.; name another directory"),
        opened(tmp_path / "file/a", STUDY, VERSIONS, resume=False),
    ):
        pass
