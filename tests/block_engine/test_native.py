"""What is built for a machine: kept once, whole or not at all, and done without where it can not be."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analogflow import doctor
from analogflow.block_engine import native
from analogflow.doctor import examine

needs_compiler = pytest.mark.skipif(native._compiler() is None, reason="needs a C compiler")

RUN = """
import json, analogflow as af
from analogflow.block_engine.native import evaluator, why_not
from analogflow.families import flow_of
circuit = af.compile(flow_of(af.Channel([[0.9, 0.1], [0.2, 0.8]])))
run = af.ensemble(circuit, 3, noise=af.Noise(0.01), time_constants=2.0)
print(json.dumps([evaluator(), why_not(), run.record["evaluator"], run.final["z"].tolist()]))
"""


def ran(**environment: str) -> list:
    """Evaluator, why there is no other, what the run recorded, and its answers, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ran_here(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list:
    """The same in this process, which is as new to `native` as another once it has forgotten what it found."""
    printed = io.StringIO()
    with monkeypatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.delenv(native.EVALUATOR, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        native._found.cache_clear()
        try:
            exec(RUN, {})
        finally:
            native._found.cache_clear()
    return json.loads(printed.getvalue())


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """A compiler that optimises little: what the ordinary flags make is run by the tests beside this file."""
    return str(script(tmp_path_factory.mktemp("compiler") / "cc", f'exec {native._compiler()} "$@" -O1'))


@pytest.fixture(scope="module")
def usual(tmp_path_factory, brief):
    """What runs with a cache of its own, and that cache."""
    cache = tmp_path_factory.mktemp("cache")
    return ran(XDG_CACHE_HOME=str(cache), CC=brief), cache


def only_file(cache: Path) -> Path:
    (kept,) = (cache / "analogflow").iterdir()
    return kept


@pytest.mark.slow
@needs_compiler
def test_it_is_built_once(usual, brief):
    found, cache = usual
    assert found[:3] == ["compiled", "", "compiled"]
    before = only_file(cache).stat()
    assert ran(XDG_CACHE_HOME=str(cache), CC=brief) == found
    assert only_file(cache).stat().st_mtime_ns == before.st_mtime_ns


@needs_compiler
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: content[:-100], marks=pytest.mark.slow),
        pytest.param(lambda content: b"\0" * len(content), marks=pytest.mark.slow),
        pytest.param(lambda content: b"", marks=pytest.mark.slow),
    ],
)
def test_what_is_not_whole_is_built_anew(usual, brief, spoil):
    found, cache = usual
    kept = only_file(cache)
    kept.write_bytes(spoil(kept.read_bytes()))
    assert ran(XDG_CACHE_HOME=str(cache), CC=brief) == found
    assert native._is_whole(kept)


@pytest.mark.slow
@needs_compiler
def test_what_a_killed_build_left_is_removed_once_it_is_old(tmp_path, monkeypatch, brief):
    folder = tmp_path / "analogflow"
    old, young = folder / f"{native._BUILDING}old", folder / f"{native._BUILDING}young"
    for left in (old, young):
        left.mkdir(parents=True)
        (left / "march.so").touch()
    os.utime(old, (0, 0))
    assert ran_here(monkeypatch, XDG_CACHE_HOME=str(tmp_path), CC=brief)[0] == "compiled"
    assert not old.exists()
    assert young.exists()  # another process may be building there


@pytest.mark.slow
@needs_compiler
def test_processes_that_build_at_once_all_get_it(tmp_path, brief):
    command = [sys.executable, "-c", RUN]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "CC": brief}
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    found = [json.loads(each.communicate(timeout=300)[0]) for each in running]
    assert [each[0] for each in found] == ["compiled"] * 3
    assert found[1:] == found[:-1]
    assert native._is_whole(only_file(tmp_path))


def test_numpy_does_what_it_does(usual, tmp_path, monkeypatch):
    """With the variable set, without a compiler, with one that fails or hangs, and without a place to keep what it makes."""
    found, _ = usual
    file = tmp_path / "file"
    file.touch()
    failing = script(tmp_path / "cc", r"printf 'In function mads:\nerror: out of registers \377\n' >&2; exit 1")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    ways = {
        f"{native.EVALUATOR} asks for NumPy": {native.EVALUATOR: "numpy"},
        "no C compiler was found": {"PATH": str(tmp_path / "nowhere"), "CC": "", **cache},
        "failed: error: out of registers": {"CC": str(failing), **cache},
        "could not be kept or loaded": {"CC": str(failing), "XDG_CACHE_HOME": str(file)},
    }
    for reason, environment in ways.items():
        evaluator, why, recorded, answers = ran_here(monkeypatch, **environment)
        assert (evaluator, recorded) == ("numpy", "numpy")
        assert reason in why
        for answer, theirs in zip(answers, found[3], strict=True):
            assert answer == pytest.approx(theirs, rel=1e-11)
    assert not list(tmp_path.glob("cache/analogflow/*"))


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        (r'exec gcc -fvisibility=hidden "$@" -O1', "undefined symbol"),
        (r'exec gcc -c "$@" -O1', "could not be kept or loaded"),
        (
            r'[ "$1" = -v ] || { while [ "$1" != -o ]; do shift; done; printf "\177ELF\002\001\001" > "$2"; }',
            "could not be kept",
        ),
    ],
    ids=["hides its functions", "links nothing", "another processor"],
)
def test_a_library_that_can_not_be_used_is_done_without(usual, tmp_path, monkeypatch, compiler, reason):
    environment = {"CC": str(script(tmp_path / "cc", compiler)), "XDG_CACHE_HOME": str(tmp_path)}
    evaluator, why, recorded, answers = ran_here(monkeypatch, **environment)
    assert (evaluator, recorded) == ("numpy", "numpy")
    assert reason in why
    for answer, theirs in zip(answers, usual[0][3], strict=True):
        assert answer == pytest.approx(theirs, rel=1e-11)


@needs_compiler
def test_a_compiler_that_hangs_is_given_up(tmp_path, monkeypatch):
    hanging = tmp_path / "cc"
    hanging.write_text('#!/bin/sh\n[ "$1" = -v ] || exec sleep 60\n')
    hanging.chmod(0o755)
    monkeypatch.setenv("CC", str(hanging))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(native.EVALUATOR, raising=False)
    monkeypatch.setattr(native, "_TIME_LIMIT", 0.5)
    native._found.cache_clear()
    try:
        began = time.monotonic()
        assert native.library() is None
        assert "could not be kept or loaded" in native.why_not()
        assert time.monotonic() - began < 30  # half of what it would hang for
    finally:
        native._found.cache_clear()


def test_the_doctor_has_a_line_for_it(monkeypatch):
    (line,) = [finding for finding in examine() if finding.name.startswith("compiled march")]
    assert line.found == (native.evaluator() == "compiled")
    for fault, remedy in (
        ("no C compiler was found", "apt-get install gcc"),
        (f"{native.EVALUATOR} asks for NumPy", f"unset {native.EVALUATOR}"),
        ("what the compiler made could not be kept or loaded (Permission denied)", "set XDG_CACHE_HOME"),
        ("the compiler cc failed: ld: final link failed: No space left on device", "set CC to a C compiler that works"),
    ):
        monkeypatch.setattr(native, "_found", lambda fault=fault: (None, fault))
        line = doctor._march()
        assert not line.found
        assert not line.needed
        assert line.detail == fault
        assert line.remedy.startswith(remedy)


def test_the_cache_is_where_the_user_wants_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native.cache_folder() == tmp_path / "analogflow"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert native.cache_folder() == Path.home() / ".cache" / "analogflow"
