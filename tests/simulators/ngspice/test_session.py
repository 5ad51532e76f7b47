"""The real simulator behind its process: results, endings, limits, crashes, and what must not happen around it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import analogflow
from analogflow.errors import BadInput, MissingProgram, SimulationFailed
from analogflow.simulators.ngspice.protocol import Request, Settle
from analogflow.simulators.ngspice.session import NgspiceSession, default_session

pytestmark = pytest.mark.ngspice

OPTIONS = ".options reltol=1e-6 vntol=1e-9 chgtol=1e-18"


def deck(*elements: str, save: str = ".save v(x)", step: float = 0.01, end: float = 10.0, start: str = " uic") -> list[str]:
    return ["* test", *elements, OPTIONS, save, f".tran {step!r} {end!r} 0 {step!r}{start}", ".end"]


def request(*elements: str, **fields: object) -> Request:
    return Request(**({"deck": deck(*elements), "vectors": ("x",), "end_time": 10.0} | fields))  # pyright: ignore[reportArgumentType]


DECAY = ("c1 x 0 1 ic=1", "r1 x 0 1")
EXPLOSION = ("c1 x 0 1 ic=1", "b1 0 x i=v(x)*v(x)")
LOGARITHM = ("c1 x 0 1 ic=1", "b1 0 x i=-1-0*ln(v(x))")
LONG = Request(deck(*DECAY, step=1e-6), ("x",), 10.0)


@pytest.fixture(scope="module")
def session() -> Iterator[NgspiceSession]:
    with NgspiceSession(time_limit=60) as session:
        yield session


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def resident(process: int | None) -> int:
    """Resident memory in kB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


# --- results ---


def test_a_decay_is_an_exponential(session: NgspiceSession) -> None:
    reply = session.run(request(*DECAY))
    assert (reply.status, reply.last_time, reply.messages) == ("done", 10.0, ())
    assert np.abs(reply.vectors["x"] - np.exp(-reply.time)).max() < 3e-6
    assert 0 < reply.time[0] < 0.01
    assert (np.diff(reply.time) > 0).all()
    assert int(reply.versions["ngspice"]) >= 39
    assert repr(reply).startswith("Reply('done', ")


def test_names_are_those_of_the_request_and_currents_can_be_asked_for(session: NgspiceSession) -> None:
    question = Request(deck("V1 A 0 2", "R1 A 0 4", save=".save v(A) i(V1)", end=1.0), ("v(A)", "I(V1)"), 1.0)
    reply = session.run(question)
    assert list(reply.vectors) == ["v(A)", "I(V1)"]
    assert reply.vectors["I(V1)"][-1] == pytest.approx(-0.5)


def test_looking_on_does_not_change_a_bit(session: NgspiceSession) -> None:
    blind, watched = (session.run(request(*DECAY, window=window)) for window in (None, 0.1))
    assert blind.time.tobytes() == watched.time.tobytes()
    assert blind.vectors["x"].tobytes() == watched.vectors["x"].tobytes()


def test_a_run_does_not_depend_on_those_before_it(session: NgspiceSession) -> None:
    with NgspiceSession() as fresh:
        first = fresh.run(request(*DECAY))
    loose = Request(
        ["* loose", *DECAY, ".options method=gear reltol=0.1", ".save v(x)", ".tran 1 10 0 1 uic", ".end"], ("x",), 10.0
    )
    for before in (loose, request(*EXPLOSION), request(*DECAY, window=0.5, settle=Settle(("x",), (0.1,)))):
        assert session.run(before).time.tobytes() != first.time.tobytes()
        again = session.run(request(*DECAY))
        assert again.time.tobytes() == first.time.tobytes()
        assert again.vectors["x"].tobytes() == first.vectors["x"].tobytes()


def test_a_run_that_ends_where_it_would_have_paused_does_not_stop_the_next(session: NgspiceSession) -> None:
    # ngspice keeps the unanswered request to pause: at 16 points the first look comes at the last point.
    first = session.run(request(*DECAY))
    for steps in range(5, 20):
        coarse = Request(deck(*DECAY, step=1.0, end=float(steps)), ("x",), float(steps))
        assert session.run(coarse).status == "done"
        again = session.run(request(*DECAY))
        assert (again.status, len(again.time)) == ("done", len(first.time))
        assert again.vectors["x"].tobytes() == first.vectors["x"].tobytes()


def test_only_what_the_deck_saves_can_be_had(session: NgspiceSession) -> None:
    with pytest.raises(SimulationFailed, match=r"there is no vector y: .*its \.save does not name it"):
        session.run(request("r2 x y 1", "c2 y 0 1", *DECAY, vectors=("x", "y"), window=0.1))


def test_progress_is_reported(session: NgspiceSession) -> None:
    reached: list[float] = []
    session.run(Request(deck(*DECAY, step=1e-4), ("x",), 10.0), on_progress=reached.append)
    assert reached
    assert reached == sorted(reached)
    assert 0 < reached[0] < reached[-1] <= 10.0


# --- endings ---


def test_a_settled_run_stops_early_and_is_a_piece_of_the_whole(session: NgspiceSession) -> None:
    whole = session.run(request(*DECAY))
    reply = session.run(request(*DECAY, window=1.0, settle=Settle(("x",), (1e-2,))))
    assert reply.status == "settled"
    assert reply.vectors["x"].tobytes() == whole.vectors["x"][: len(reply.time)].tobytes()
    # Over a window of 1 s ending at t, exp(-t) moves (e - 1) exp(-t): 0.01 at t = 5.15, plus a look of a quarter window.
    assert 5.14 < reply.last_time < 5.15 + 0.3


def test_an_oscillation_does_not_settle(session: NgspiceSession) -> None:
    oscillator = ("c1 x 0 1 ic=1", "c2 y 0 1 ic=0", "b1 0 x i=6.283185307*v(y)", "b2 0 y i=-6.283185307*v(x)")
    reply = session.run(request(*oscillator, window=1.0, settle=Settle(("x",), (0.1,))))
    assert reply.status == "done"


def test_a_run_whose_steps_become_too_short_to_end_is_given_up(session: NgspiceSession) -> None:
    """Its period is a thousand millionth of the run."""
    reply = session.run(request("c1 x 0 1 ic=1", "c2 y 0 1 ic=0", "b1 0 x i=6.28e8*v(y)", "b2 0 y i=-6.28e8*v(x)"))
    assert (reply.status, reply.detail) == ("failed", "its steps became so short that the run would not end")
    assert 0 < reply.last_time < 1e-3


def test_rest_at_the_very_end_counts(session: NgspiceSession) -> None:
    reply = session.run(request("c1 x 0 1 ic=1", "r1 x 0 1e6", window=10.0, settle=Settle(("x",), (1.0,))))
    assert (reply.status, reply.last_time) == ("settled", 10.0)


def test_a_blow_up_in_finite_time_keeps_the_path_up_to_there(session: NgspiceSession) -> None:
    reply = session.run(request(*EXPLOSION, blow_up=1e6))
    assert reply.status == "blew up"
    assert reply.detail.startswith("x ran away at 0.99")
    assert 1e6 < reply.vectors["x"][-1] < 1e8
    early = reply.time < 0.8
    assert early.sum() > 50
    assert np.abs(reply.vectors["x"] * (1 - reply.time) - 1)[early].max() < 1e-3


def test_what_leaves_the_numbers_blows_up_too(session: NgspiceSession) -> None:
    reply = session.run(request("c1 x 0 1 ic=1", "b1 0 x i=1e3*v(x)"))
    assert reply.status in ("blew up", "failed")
    assert np.isfinite(reply.vectors["x"]).all()


def test_a_step_that_is_too_small_names_time_and_node(session: NgspiceSession) -> None:
    reply = session.run(request(*EXPLOSION))
    assert (reply.status, reply.node) == ("failed", "x")
    assert reply.detail.startswith("Timestep too small; time = 0.99")
    assert 0.99 < reply.last_time < 1.0
    assert len(reply.vectors["x"]) == len(reply.time) > 100


def test_a_logarithm_of_a_negative_number_names_its_element(session: NgspiceSession) -> None:
    reply = session.run(request(*LOGARITHM))
    assert (reply.status, reply.element) == ("failed", "b1")
    assert any("out of range for ln" in line for line in reply.messages)
    assert np.abs(reply.vectors["x"] - (1 - reply.time)).max() < 1e-6


def test_a_run_that_can_not_start_has_no_points(session: NgspiceSession) -> None:
    reply = session.run(request("c1 x 0 1 ic=1", "v1 x 0 1", "v2 x 0 2"))
    assert (reply.status, len(reply.time), reply.last_time) == ("failed", 0, 0.0)
    assert "Timestep too small" in reply.detail


def test_notes_and_warnings_are_no_failure(session: NgspiceSession) -> None:
    floating = deck("v1 a 0 1", "c1 a x 1", "c2 x 0 1", end=1.0, start="")
    reply = session.run(Request(floating, ("x",), 1.0))
    assert reply.status == "done"
    assert any("singular matrix" in line for line in reply.messages)
    assert reply.vectors["x"][-1] == pytest.approx(0.5)


# --- refusals ---


@pytest.mark.parametrize(
    "elements, message",
    [
        (("b1 0 x i=nosuch(v(x))", *DECAY), "did not take the deck: Error: no such function 'nosuch'"),
        (("b1 0 x i=1+*v(x)", *DECAY), "did not take the deck: .*syntax error"),
        (("r1 x 0 2", *DECAY), "did not take the deck: .*device already exists"),
        (("d1 x 0 nosuch", *DECAY), "did not take the deck: .*can't find model 'nosuch'"),
        (("x1 x 0 nosuch", *DECAY), "did not take the deck: Error: unknown subckt"),
        (("r1 y 0 1",), "did not take the deck: .*no data saved"),
    ],
)
def test_a_deck_that_ngspice_does_not_take(session: NgspiceSession, elements: tuple[str, ...], message: str) -> None:
    process = session.process_id
    with pytest.raises(SimulationFailed, match=message):
        session.run(request(*elements))
    assert session.run(request(*DECAY)).status == "done"
    # From 44 on ngspice can not go on after a formula that it can not read: the session takes another process.
    assert process in (None, session.process_id) or int(session.versions["ngspice"].split(".")[0]) >= 44


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Error: no such function 'nosuch' at line 2 / from file / circbyline", "did not take the deck: Error: no such"),
        ("YYparse error, syntax error, in expression: parsing stopped at line 2", "did not take the deck: .*syntax error"),
        ("Error: out of memory", "gave up"),
    ],
)
def test_the_last_words_of_an_ngspice_that_ends_say_what_was_wrong(said: str, message: str) -> None:
    """ngspice 44 ends after what 39 refuses; these are its words."""
    header = {"kind": "rejected", "detail": said, "exiting": True}
    with NgspiceSession() as idle, pytest.raises(SimulationFailed, match=message):
        idle._judged(header, {}, {})


def test_a_vector_that_does_not_exist(session: NgspiceSession) -> None:
    with pytest.raises(SimulationFailed, match=r"there is no vector y: the deck has no such node, or its \.save"):
        session.run(request(*DECAY, vectors=("x", "y")))


def test_the_worker_checks_requests_again(session: NgspiceSession, tmp_path: Path) -> None:
    crafted = request(*DECAY)
    object.__setattr__(
        crafted, "deck", (*crafted.deck[:1], ".control", f"shell touch {tmp_path}/x", ".endc", *crafted.deck[1:])
    )
    with pytest.raises(SimulationFailed, match=r"refused the request: deck: line 2, '\.control', is refused"):
        session.run(crafted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", ["time_limit", "memory_limit", "runs_per_worker"])
def test_limits_are_positive(limit: str) -> None:
    with pytest.raises(BadInput, match=f"{limit}: 0 must be positive"):
        NgspiceSession(**{limit: 0})


def test_a_library_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libngspice.so.0").write_text("no")
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(tmp_path / "libngspice.so.0"))
    with NgspiceSession() as session, pytest.raises(MissingProgram, match="can not be loaded"):
        session.run(request(*DECAY))


# --- limits and crashes ---


def test_the_time_limit_holds_and_the_next_run_works() -> None:
    with NgspiceSession(time_limit=60) as session:
        assert session.versions["PySpice"] == "1.5"
        begin = time.monotonic()
        with pytest.raises(SimulationFailed, match=r"within the time limit of 0\.5 s .*raise time_limit"):
            session.run(LONG, time_limit=0.5)
        assert time.monotonic() - begin < 3
        assert session.run(request(*DECAY)).status == "done"
        with pytest.raises(BadInput, match="time_limit: -1 must be positive"):
            session.run(LONG, time_limit=-1)


def test_the_memory_limit_holds_and_the_next_run_works() -> None:
    ladder = [f"r{k} n{k} n{k + 1} 1" for k in range(60)]
    save = ".save " + " ".join(f"v(n{k})" for k in range(60))
    large = Request(deck(*ladder, "r99 n60 0 1", "c1 n0 0 1 ic=1", save=save, step=1e-5), ("n0",), 10.0)
    with NgspiceSession(memory_limit=600 * 2**20, time_limit=60) as session:
        with pytest.raises(SimulationFailed, match=r"gave up .*memory limit is 0\.586 GiB"):
            session.run(large)
        assert session.run(request(*DECAY)).status == "done"


def test_a_crash_names_its_signal_and_the_next_run_works() -> None:
    with NgspiceSession() as session:
        assert session.run(request(*DECAY)).status == "done"
        killer = threading.Timer(0.3, lambda: os.kill(session.process_id or -1, signal.SIGKILL))
        killer.start()
        with pytest.raises(SimulationFailed, match=r"ngspice crashed \(SIGKILL\); the next run starts a new process"):
            session.run(LONG)
        killer.join()
        assert session.run(request(*DECAY)).status == "done"
        assert session.process_id is not None
        os.kill(session.process_id, signal.SIGKILL)
        assert eventually(lambda: session.process_id is None)
        assert session.run(request(*DECAY)).status == "done"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_ends_the_worker(fault: type[BaseException]) -> None:
    def interrupt(reached: float) -> None:
        raise fault("enough")

    with NgspiceSession() as session:
        process = session.versions and session.process_id
        with pytest.raises(fault, match="enough"):
            session.run(LONG, on_progress=interrupt)
        assert not runs(process or 0)
        assert session.run(request(*DECAY)).status == "done"


def test_closing_ends_a_run_in_another_thread() -> None:
    session = NgspiceSession()
    faults: list[BaseException] = []

    def work() -> None:
        try:
            session.run(LONG)
        except SimulationFailed as fault:
            faults.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    assert eventually(lambda: session.process_id is not None)
    time.sleep(0.2)
    session.close()
    thread.join(20)
    assert not thread.is_alive()
    assert "SimulationFailed" in repr(faults)


def test_threads_share_a_session(session: NgspiceSession) -> None:
    ends: list[float] = []

    def work(rate: float) -> None:
        for _ in range(5):
            reply = session.run(request("c1 x 0 1 ic=1", f"r1 x 0 {1 / rate!r}"))
            ends.append(-np.log(reply.vectors["x"][-1]) / 10 / rate)

    threads = [threading.Thread(target=work, args=(rate,)) for rate in (0.25, 0.5, 1.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == pytest.approx([1.0] * 15, rel=1e-4)


# --- long use ---


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_flat_over_300_runs() -> None:
    questions = [
        request(*DECAY),
        request(*LOGARITHM),
        request(*DECAY, window=1.0, settle=Settle(("x",), (0.1,))),
        Request(deck(*(f"c{k} n{k} 0 1 ic=1" for k in range(50)), *(f"b{k} 0 n{k} i=-v(n{k})" for k in range(50)),
                     save=".save v(n0)", step=0.5), ("n0",), 10.0),
    ]  # fmt: skip
    with NgspiceSession(runs_per_worker=1000) as session:
        for run in range(300):
            if run == 80:
                process, before = session.process_id, resident(session.process_id)
            session.run(questions[run % 4])
        assert session.process_id == process
        # Circuits that are not removed cost some 0.2 MB each, 13 MB here.
        assert resident(session.process_id) - before < 4000


def test_a_worker_is_replaced_after_so_many_runs() -> None:
    with NgspiceSession(runs_per_worker=2) as session:
        processes = []
        for _ in range(3):
            session.run(request(*DECAY))
            processes.append(session.process_id)
    assert processes[0] == processes[1] != processes[2]
    assert not any(runs(process or 0) for process in processes)


def test_the_default_session_is_one() -> None:
    assert default_session() is default_session()
    assert default_session().run(request(*DECAY)).status == "done"


# --- what must not happen ---


def test_a_planted_init_file_is_not_executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("home", "here", "user"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ".spiceinit").write_text(f"shell touch {tmp_path}/{folder}.executed\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPICE_USERINIT_DIR", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path / "here")
    with NgspiceSession() as session:
        assert session.run(request(*DECAY)).status == "done"
    assert list(tmp_path.glob("*.executed")) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads the environment of another process")
def test_modules_of_the_package_hide_none_of_pythons_own(session: NgspiceSession) -> None:
    assert session.versions
    environment = Path(f"/proc/{session.process_id}/environ").read_text().split("\0")
    folders = next(entry for entry in environment if entry.startswith("PYTHONPATH=")).partition("=")[2].split(os.pathsep)
    package = Path(analogflow.__file__).parent
    assert str(package.parent) in folders
    assert str(package) not in folders


CHILD = """
import os, sys, time
import numpy as np
from analogflow.simulators.ngspice.protocol import Request
from analogflow.simulators.ngspice.session import NgspiceSession, default_session
session = default_session()
session.versions
print(session.process_id, flush=True)
{then}
"""


@contextlib.contextmanager
def child(then: str, scratch: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A Python process with a session, and the process of that session's worker."""
    scratch.mkdir(exist_ok=True)
    script = CHILD.format(then=textwrap.dedent(then))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(scratch)}
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


RUN_LONG = f"session.run(Request({LONG.deck!r}, ('x',), 10.0))"
RUN_TABLES = RUN_LONG[:-2] + ", tables={'noise.txt': np.eye(2)}))"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("then", ["time.sleep(60)", RUN_LONG, RUN_TABLES], ids=["idle", "running", "tables"])
def test_no_orphan_after_its_parent_is_killed(then: str, tmp_path: Path) -> None:
    with child(then, tmp_path / "scratch") as (process, worker):
        assert runs(worker)
        time.sleep(0.2)
        process.kill()
        assert eventually(lambda: not runs(worker))
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_orphan_while_a_fork_of_its_dead_parent_lives(tmp_path: Path) -> None:
    fork = """
    if os.fork() == 0:
        os.close(1)
        time.sleep(8)
        os._exit(0)
    time.sleep(60)
    """
    with child(fork, tmp_path) as (process, worker):
        process.kill()
        assert eventually(lambda: not runs(worker), 6)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_orphan_and_no_warning_after_a_normal_end(tmp_path: Path) -> None:
    with child("", tmp_path / "scratch") as (process, worker):
        assert process.wait(20) == 0
        assert eventually(lambda: not runs(worker))
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_starts_its_own_worker_and_leaves_the_parent_s_alone(tmp_path: Path) -> None:
    fork = """
    mine = session.process_id
    child = os.fork()
    if child == 0:
        session.versions
        default_session().versions
        good = mine not in (session.process_id, default_session().process_id)
        sys.exit(0 if good else 5)
    status = os.waitpid(child, 0)[1]
    session.versions
    sys.exit(os.waitstatus_to_exitcode(status) or (0 if session.process_id == mine else 6))
    """
    with child(fork, tmp_path / "scratch") as (process, _):
        assert process.wait(30) == 0
    assert list((tmp_path / "scratch").iterdir()) == []
