"""The process that ngspice runs in: limits, crashes, and what must not happen around it."""

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
from deck_zoo import DECAY, LOGARITHM, LONG, deck, request

import analogflow
from analogflow.errors import BadInput, MissingProgram, SimulationFailed
from analogflow.simulators.ngspice.protocol import Request, Settle
from analogflow.simulators.ngspice.session import NgspiceSession, default_session

pytestmark = pytest.mark.ngspice


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


@pytest.mark.parametrize("limit", ["time_limit", "memory_limit", "runs_per_worker"])
def test_limits_are_positive(limit: str) -> None:
    with pytest.raises(BadInput, match=f"{limit}: 0 must be positive"):
        NgspiceSession(**{limit: 0})


def test_a_library_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libngspice.so.0").write_text("no")
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(tmp_path / "libngspice.so.0"))
    with NgspiceSession() as session, pytest.raises(MissingProgram, match="can not be loaded"):
        session.run(request(*DECAY))


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


@pytest.mark.slow
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


def test_a_run_that_ends_a_hair_before_its_end_is_done(session):
    """A breakpoint within 5e-5 of the largest step of the end, where ngspice takes no further step."""
    lines = (
        "* knots",
        "v1 in 0 pwl(0 0 0.5 1 0.99999998 0)",
        "r1 in 0 1k",
        ".save v(in)",
        ".tran 1e-3 1 0 1e-3 uic",
        ".end",
    )
    reply = session.run(Request(lines, ("in",), 1.0))
    assert reply.status == "done"
    assert 1 - 5e-8 <= reply.last_time <= 1
