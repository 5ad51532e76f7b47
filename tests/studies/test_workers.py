"""Local processes: whatever happens to one of them, nobody waits for ever."""

import contextlib
import os
import signal
import struct
import time
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from multiprocessing.connection import Connection
from types import SimpleNamespace

import pytest

from analogflow.errors import BadInput, MissingProgram
from analogflow.studies import local_workers, workers


def process() -> int:
    time.sleep(0.05)
    return os.getpid()


def fail() -> None:
    raise LookupError("there is none")


def end(number: int) -> None:
    os.kill(os.getpid(), number)


def end_while_handing_over() -> str:
    """Die with the length and ten bytes of a result in the pipe, as a process out of memory may."""

    def half(pipe: Connection, content: bytes) -> None:
        os.write(pipe.fileno(), struct.pack("!i", len(content)) + bytes(content[:10]))
        os.kill(os.getpid(), signal.SIGKILL)

    Connection._send_bytes = half  # type: ignore[attr-defined, method-assign]
    return "a result of more than ten bytes"


@pytest.mark.slow
def test_tasks_are_shared_and_their_faults_are_theirs_alone() -> None:
    with local_workers(2) as pool:
        numbers = [pool.submit(process) for _ in range(8)]
        fault, lambda_ = pool.submit(fail), pool.submit(lambda: 1)
        assert len({number.result(60) for number in numbers}) == 2
        assert os.getpid() not in {number.result() for number in numbers}
        with pytest.raises(LookupError, match="there is none"):
            fault.result(60)
        with pytest.raises(Exception, match=r"pickle|local object"):
            lambda_.result(60)
        assert pool.submit(process).result(60) in {number.result() for number in numbers}
    with pytest.raises(RuntimeError, match="told to end"):
        pool.submit(process)


@pytest.mark.parametrize(
    "death", [lambda pool: pool.submit(end, signal.SIGKILL), lambda pool: pool.submit(end_while_handing_over)]
)
def test_a_dead_process_breaks_the_pool_whenever_it_dies(death) -> None:
    with local_workers(2) as pool:
        dead = death(pool)
        later = [pool.submit(time.sleep, 0.01) for _ in range(200)]
        with pytest.raises(BrokenExecutor, match="ended abruptly"):
            dead.result(60)
        ends = [future.exception(60) for future in later]
        assert {type(fault) for fault in ends} <= {type(None), BrokenExecutor}
        with pytest.raises(BrokenExecutor, match="ended abruptly"):
            pool.submit(process)


def leave(pool: Executor, under_way: list[Future]) -> None:
    pool.submit(process).result(60)
    under_way += [pool.submit(time.sleep, 600), pool.submit(process)]
    while not under_way[0].running():
        time.sleep(0.01)
    raise KeyError("enough")


def test_leaving_by_an_exception_ends_what_is_under_way() -> None:
    under_way: list[Future] = []
    with pytest.raises(KeyError, match="enough"), local_workers(1) as pool:
        leave(pool, under_way)
    slow, never = under_way
    assert isinstance(slow.exception(0), BrokenExecutor)
    with pytest.raises((CancelledError, BrokenExecutor)):
        never.result(0)


@pytest.mark.parametrize(
    ("theirs", "remedy"),
    [
        ({"evaluator": "other"}, "give all a C compiler, or all ANALOGFLOW_EVALUATOR=numpy"),
        ({"numpy": "1.0"}, "has numpy 1.0 .* install one version"),
        ({}, ""),
        ({"evaluator": None}, "has evaluator numpy and this process compiled"),
        ({"python": "3"}, ""),
    ],
)
def test_workers_of_a_cluster_must_compute_alike(
    theirs: dict[str, str | None], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {"analogflow": "1.0", "numpy": "2.0", "scipy": "1.0", "evaluator": "compiled"}
    worker = {name: value for name, value in (ours | theirs).items() if value is not None}
    with pytest.raises(BadInput, match=remedy) if remedy else contextlib.nullcontext():
        check_workers(monkeypatch, ours, worker)


def check_workers(monkeypatch: pytest.MonkeyPatch, ours: dict[str, str], theirs: dict[str, str] | str) -> None:
    monkeypatch.setattr(workers, "versions", lambda: {name: ours[name] for name in ("analogflow", "numpy", "scipy")})
    monkeypatch.setattr(workers, "engine_versions", lambda engine: ours)
    client = SimpleNamespace(wait_for_workers=lambda count, timeout: None, run=lambda asked, engine: {"tcp://a:1": theirs})
    workers._check_workers(client, "tcp://a:0", "any")


def test_workers_are_asked_for_what_the_engine_of_the_study_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """How the block engine marches is none of it where ngspice runs, whose version is."""
    ours = {"analogflow": "1.0", "numpy": "2.0", "scipy": "1.0", "ngspice": "39"}
    check_workers(monkeypatch, ours, dict(ours))
    with pytest.raises(BadInput, match="has ngspice 26 and this process 39"):
        check_workers(monkeypatch, ours, ours | {"ngspice": "26"})
    with pytest.raises(BadInput, match="the worker tcp://a:1 can not run the engine 'any': ngspice is not installed"):
        check_workers(monkeypatch, ours, "ngspice is not installed")


def test_a_worker_says_how_it_marches_only_to_studies_of_the_block_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "evaluator" in workers._decisive("block")
    monkeypatch.setattr(workers, "engine_versions", missing)
    assert workers._decisive("ngspice") == "there is no ngspice"


def missing(engine: str) -> dict[str, str]:
    raise MissingProgram(f"there is no {engine}")
