"""What breaks around a command: it ends with one sentence, a known exit code, nothing half-written, and no process left."""

import contextlib
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from raw_reader import read_raw
from zoo import PAPER_CSV

import analogflow as af
from analogflow.cli import main
from analogflow.simulators.ngspice.session import default_session

COMMAND = [sys.executable, "-m", "analogflow"]
SOLVE = ["solve", "capacity", "p.csv", "--engine", "block", "--json"]
# Long enough to be interrupted on any machine, and hopeless to be finished by a test.
LONG = {
    "solve": ["solve", "capacity", "p.csv", "--engine", "block", "--noise", "0.01", "--time", "1e7"],
    "verify": ["verify", "capacity", "p.csv", "--engine", "block", "--noise", "0.01", "--time", "1e7"],
    "compare": ["compare", "capacity", "p.csv", "--seconds", "1000"],
    "study": ["study", "capacity", "p.csv", "-o", "runs", "--noise", "0.01", "--samples", "100000000", "--workers", "1"],
    "reproduce": ["reproduce", "all", "-o", "figures"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    return tmp_path


def done(arguments, **keywords):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=240, **keywords)


def children(session):
    """Processes of a session that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(entry.parent.name)
    return found


def ended(session):
    for _ in range(200):
        if not children(session):
            return True
        time.sleep(0.05)
    return False


def interrupted(arguments, ready):
    """Exit code and words of a command that gets Ctrl-C, with all it started, once `ready` says so."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        ready(running)
        os.killpg(running.pid, signal.SIGINT)
        _, words = running.communicate(timeout=120)
        assert ended(running.pid)
    return running.returncode, words


def computing(running):
    """Wait until a process has loaded its libraries and computes: it takes time, and loads nothing more."""
    loaded, since = -1, 0.0
    for _ in range(4000):
        maps = Path(f"/proc/{running.pid}/maps").read_bytes()
        times = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()
        taken = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        if maps.count(b".so") != loaded:
            loaded, since = maps.count(b".so"), taken
        elif taken - since > 0.7 and b"libscipy_openblas" in maps:
            return
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    raise AssertionError("it does not compute")


def loading(running):
    """Wait until a process is in the middle of its imports."""
    for _ in range(2000):
        if b"libscipy_openblas" in Path(f"/proc/{running.pid}/maps").read_bytes():
            return
        time.sleep(0.005)
    raise AssertionError("it does not load NumPy")


def test_an_interruption_while_it_is_being_loaded_is_one_sentence(folder):
    assert interrupted(SOLVE, loading) == (130, "analogflow: interrupted.\n")


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["solve", "study"])
def test_an_interruption_of_a_command_that_computes_is_one_sentence_and_leaves_no_process(verb, folder):
    code, words = interrupted(LONG[verb], computing)
    assert code == 130
    assert words.count("\n") == 1
    assert words.startswith("analogflow: interrupted." if verb == "solve" else "analogflow: stopped with")


@pytest.mark.parametrize("unheard", [0, 2])
def test_an_interruption_inside_a_finaliser_is_not_lost(folder, unheard):
    """Nor if those that ask again come just before a call waits, which then hears of them when it has waited."""
    # Python prints what a finaliser raises and goes on: the command would run to its end and say that all is well.
    code = (
        f"unheard = {unheard}"
        + """
import signal, sys, threading, time
from analogflow import cli
kill, asked = signal.pthread_kill, []
def hard_of_hearing(*given):
    asked.append(given)
    if len(asked) > unheard:
        kill(*given)
signal.pthread_kill = hard_of_hearing
start = threading.Thread.start
def start_on_a_busy_machine(thread):
    start(thread)
    time.sleep(0.3)
threading.Thread.start = start_on_a_busy_machine
class Finalised:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have had ignored
def run_solve(options):
    Finalised()
    time.sleep(60)
    return 0
cli.load(["solve"])["solve"].run_solve = run_solve
sys.exit(cli.main(["solve", "capacity", "p.csv"]))
"""
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=50)
    assert (found.returncode, found.stderr) == (130, "analogflow: interrupted.\n")


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["verify", "compare", "reproduce"])
def test_an_interruption_of_other_long_commands(verb, folder):
    assert interrupted(LONG[verb], computing) == (130, "analogflow: interrupted.\n")


@pytest.mark.ngspice
def test_an_interruption_ends_the_simulator_too(folder):
    arguments = ["solve", "capacity", "p.csv", "--engine", "ngspice", "--time", "1e7"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        worker = None
        for _ in range(4000):
            worker = next(iter(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()), None)
            if worker and b"ngspice.worker" in Path(f"/proc/{worker}/cmdline").read_bytes():
                break
            time.sleep(0.01)
        assert worker
        running.send_signal(signal.SIGINT)
        _, words = running.communicate(timeout=60)
    assert (running.returncode, words) == (130, "analogflow: interrupted.\n")
    assert ended(int(worker))  # a worker is the leader of a session of its own


def test_too_little_memory_is_one_sentence(folder):
    # Python code that needs more than there is, once everything is loaded and the limit is what it has taken so far.
    code = """
import resource, sys
from analogflow.cli import load, main
import numpy
load(["solve"])
numpy.save("wide.npy", numpy.full((400, 20000), 1 / 20000))
taken = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**24, taken + 2**24))
sys.exit(main(["solve", "capacity", "wide.npy", "--engine", "block"]))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr == (
        "analogflow: there is not enough memory for this; take a smaller problem, fewer samples, or fewer workers.\n"
    )


@contextlib.contextmanager
def files_of_at_most(size):
    """No file may grow beyond `size` bytes: this process too gets an error instead of a signal, as every Python does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_grows_too_large_is_one_sentence_and_is_not_left_behind(folder, capsys):
    with files_of_at_most(2000):
        code = main(["netlist", "capacity", "p.csv", "-o", "a.cir"])
    assert (code, capsys.readouterr().err) == (2, "analogflow: 'a.cir' can not be written (File too large).\n")
    assert sorted(os.listdir()) == ["p.csv"]


def test_a_full_standard_output_is_one_sentence(folder, capsys, monkeypatch):
    full = open("/dev/full", "w")
    monkeypatch.setattr(sys, "stdout", full)
    assert main(["explain", "capacity", "p.csv"]) == 1
    with contextlib.suppress(OSError):
        full.close()
    assert capsys.readouterr().err == "analogflow: the system refused to go on: No space left on device.\n"


@pytest.mark.ngspice
def test_without_a_folder_for_temporary_files_ngspice_is_refused_in_one_sentence(folder, capsys, monkeypatch):
    # TMPDIR is tried first, then /tmp and others; a limit of zero bytes on files makes all of them useless.
    monkeypatch.setattr(tempfile, "tempdir", None)
    default_session().close()  # one that an earlier test left has its folder already
    with files_of_at_most(0):
        code = main(["solve", "capacity", "p.csv", "--engine", "ngspice"])
    words = capsys.readouterr().err
    assert code == 1
    assert words.count("\n") == 1
    assert "No usable temporary directory" in words


def test_a_folder_that_can_not_be_written_is_one_sentence(folder, capsys):
    assert main(["netlist", "capacity", "p.csv", "-o", "/proc/a.cir"]) == 2
    words = capsys.readouterr().err
    assert words.startswith("analogflow: '/proc/a.cir' can not be written (")
    assert words.count("\n") == 1


def test_a_library_that_is_no_ngspice_is_refused_with_exit_code_3(folder, capsys, monkeypatch):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "libm.so.6")
    default_session().close()  # one that an earlier test left has its library already
    assert main(["solve", "capacity", "p.csv", "--engine", "ngspice"]) == 3
    words = capsys.readouterr().err
    assert "NGSPICE_LIBRARY_PATH is 'libm.so.6', but it is not an ngspice library (it has no ngSpice_Init)" in words
    assert words.count("\n") == 1


@pytest.mark.ngspice
def test_without_code_models_noise_is_refused_in_one_sentence(folder):
    (folder / "scripts").mkdir()
    (folder / "scripts/spinit").write_text("* no code models\n")
    found = done(
        ["solve", "capacity", "p.csv", "--engine", "ngspice", "--noise", "0.01"],
        env=os.environ | {"SPICE_SCRIPTS": str(folder / "scripts")},
    )
    assert found.returncode == 3
    assert found.stderr.count("\n") == 1
    assert "its XSPICE code models (analog.cm), which play the noise, are not loaded" in found.stderr


@pytest.mark.ngspice
def test_a_spiceinit_here_or_at_home_is_not_executed(folder):
    home = folder / "home"
    home.mkdir()
    for place in (folder, home):
        for name in (".spiceinit", "spice.rc"):
            (place / name).write_text(f"shell touch {folder}/executed\n")
    found = done([*SOLVE[:4], "ngspice", "--json"], env=os.environ | {"HOME": str(home)})
    assert found.returncode == 0, found.stderr
    assert not (folder / "executed").exists()


def test_a_raw_file_cut_anywhere_is_refused(folder):
    header = (
        "Title: t\nDate: now\nPlotname: Transient Analysis\nFlags: real\nNo. Variables: 2\nNo. Points: 8\n"
        "Variables:\n\t0\ttime\ttime\n\t1\tv(a)\tvoltage\nBinary:\n"
    )
    whole = header.encode() + np.arange(16.0).tobytes()
    path = folder / "a.raw"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(af.BadInput, match=r"cut short|ends|empty|not a whole|too short|no list|room"):
            read_raw(path)
    path.write_bytes(whole)
    assert read_raw(path)[0].vectors["v(a)"][-1] == 15.0


def test_a_clock_that_jumps_changes_no_result(folder, capsys, monkeypatch):
    # One process alone, as workers would have the clock of the machine again.
    assert main(SOLVE) == 0
    first = capsys.readouterr()
    jumps, real = itertools.cycle([0.0, -1e9, 1e9, -3e7, 4e9]), time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: real() + next(jumps))
        assert main(SOLVE) == 0
    second = capsys.readouterr()
    assert second.err == first.err
    assert json.loads(second.out) == json.loads(first.out)
