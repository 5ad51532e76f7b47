"""Running a study: the same bytes from any workers, after any kill, and what a person is told when it stops."""

import contextlib
import hashlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # pyright: ignore
import pytest
import xarray  # pyright: ignore
from study_zoo import AtOnce
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.cli import main
from analogflow.problems import Equations
from analogflow.studies import Progress, dask_workers, export_study, read_experiment, run_study, write_experiment
from analogflow.studies.runner import repeat_sample

STUDY = af.Study(
    af.Channel(PAPER_ROWS),  # pyright: ignore
    forms=("logdomain", "replicator"),
    noise=(0.01, 0.1),
    samples=12,
    seed=3,
    time_constants=20.0,  # pyright: ignore
)


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "results"
    run_study(STUDY, folder, AtOnce())
    return folder


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_study_of_several_states_keeps_the_declared_answer(noise, tmp_path):
    """The answer is what the file says, whatever an observable is called, and every state and observable counts."""
    problem = Equations(
        states={"x": 1.0, "y": 0.5}, equations={"x": "y - x", "y": "0.25 - y"},
        observables={"plan": "x*x", "double": "2*x"}, answer="double",
    )  # fmt: skip
    study = af.Study({"chain": problem}, noise=(noise,), samples=3, verify=False, time_constants=40.0)
    data = af.run_study(study, tmp_path / "study", AtOnce())
    assert data["double"].dims[-1] == "double_component"
    assert "plan" not in data
    np.testing.assert_allclose(data["double"].values.ravel(), 0.5, atol=1e-6 if noise == 0 else 0.3)
    assert np.isfinite(data["error"]).all()
    if noise:
        # The mean of ten τ of a state with σ² / 2 of variance and a rate of 1 per τ.
        assert 0 < float(data["error_time_average"].max()) < 0.3
        assert float(data["error_time_average"].mean()) < float(data["error"].mean())


@pytest.mark.slow
def test_one_process_two_processes_and_threads_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    run_study(STUDY, tmp_path / "one", workers=1)
    run_study(STUDY, tmp_path / "two", workers=2)
    with ThreadPoolExecutor(2) as threads:
        run_study(STUDY, tmp_path / "threads", threads)
    for name in ("one", "two", "threads"):
        assert hashes(tmp_path / name) == hashes(finished)


@contextlib.contextmanager
def running_loop() -> Iterator[Any]:
    """A loop for Dask in a thread of its own, running: Dask gives up after ten seconds, which a busy machine may exceed."""
    import asyncio

    from tornado.ioloop import IOLoop  # pyright: ignore

    made: queue.Queue[Any] = queue.Queue()

    async def run() -> None:
        ended = asyncio.Event()
        made.put((IOLoop.current(), ended))
        await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="loop for Dask", daemon=True)
    thread.start()
    loop, ended = made.get()
    try:
        yield loop
    finally:
        loop.add_callback(ended.set)
        thread.join()


@contextlib.contextmanager
def local_cluster(workers: int) -> Iterator[Any]:
    """A Dask cluster on a loop that runs already."""
    distributed = pytest.importorskip("distributed")
    with running_loop() as loop:
        settings = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None, "loop": loop}
        with distributed.LocalCluster(n_workers=workers, **settings) as cluster:
            yield cluster


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with (
        local_cluster(2) as cluster,
        dask_workers(cluster.scheduler_address) as executor,
    ):
        run_study(STUDY, tmp_path / "dask", executor)
    assert hashes(tmp_path / "dask") == hashes(finished)


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("analogflow.studies.workers._PATIENCE", 1.0)
    with pytest.raises(af.BadInput, match=r"no scheduler answers at 'tcp://127.0.0.1:9'"), dask_workers("tcp://127.0.0.1:9"):
        pass
    with pytest.raises(af.BadInput, match="no scheduler answers at 'nonsense"), dask_workers("nonsense://1:2"):
        pass


@pytest.mark.filterwarnings("ignore")
def test_a_server_that_is_no_scheduler_is_a_sentence() -> None:
    pytest.importorskip("distributed")

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(af.BadInput, match="no scheduler answers at"), dask_workers(address):
            pass


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_without_workers_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("analogflow.studies.workers._ARRIVAL", 1.0)
    with local_cluster(0) as cluster:
        with pytest.raises(af.BadInput, match="has no workers"), dask_workers(cluster.scheduler_address):
            pass


def test_the_dataset_has_the_agreed_layout(finished: Path, tmp_path: Path) -> None:
    dataset = af.open_study(finished)
    dims = ("problem", "form", "technology", "noise", "mismatch", "temperature", "sample")
    assert dataset["error"].dims == dims
    assert (
        dataset["outcome"].dims == dataset["reason"].dims == dataset["verdict"].dims == dataset["settling_time"].dims == dims
    )
    assert dataset["z"].dims == (*dims, "z_component")
    assert dict(dataset.sizes) == {
        "problem": 1, "form": 2, "technology": 1, "noise": 2, "mismatch": 1, "temperature": 1, "sample": 12, "z_component": 3
    }  # fmt: skip
    assert {"error_input_distribution", "error_reading", "error_time_average"} <= set(dataset.data_vars)
    assert dataset["error"].attrs["units"] == "nats"
    assert dataset["settling_time"].attrs["units"] == "τ"
    assert dataset.attrs["fingerprint"] == STUDY.fingerprint
    assert json.loads(dataset.attrs["parameters"])["samples"] == 12
    assert json.loads(dataset.attrs["versions"])["numpy"] == np.__version__
    quiet = dataset.sel(form="logdomain", noise=0.01)
    assert float(quiet["error"].max()) < 1e-3
    assert dataset["condition"].sel(form="replicator", noise=0.1).item() == 3


def test_the_dataset_is_exported(finished: Path, tmp_path: Path) -> None:
    dataset = af.open_study(finished)
    for name in ("a.nc", "b.nc", "a.csv", "a.parquet"):
        export_study(dataset, tmp_path / name)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    with xarray.open_dataset(tmp_path / "a.nc", engine="scipy") as again:
        np.testing.assert_array_equal(again["error"], dataset["error"])
        assert again.attrs["fingerprint"] == STUDY.fingerprint
    table = pandas.read_csv(tmp_path / "a.csv")
    assert len(table) == 48
    assert {"form", "noise", "sample", "outcome", "error", "z_0", "z_2", "condition"} <= set(table.columns)
    same = pandas.read_parquet(tmp_path / "a.parquet")
    assert list(same.columns) == list(table.columns)
    np.testing.assert_array_equal(same["error"], table["error"])
    with pytest.raises(af.BadInput, match="exists already"):
        export_study(dataset, tmp_path / "a.csv")
    with pytest.raises(af.BadInput, match="choose one of these endings"):
        export_study(dataset, tmp_path / "a.xlsx")


def test_problems_of_different_sizes_share_a_dataset(tmp_path: Path) -> None:
    study = af.Study({"two": af.Channel([[0.9, 0.1], [0.2, 0.8]]), "three": af.Channel(PAPER_ROWS)}, samples=2)
    dataset = run_study(study, tmp_path / "a", AtOnce())
    assert dataset["z"].shape[-1] == 3
    assert bool(dataset["z"].sel(problem="two", z_component=2).isnull().all())
    assert float(dataset["error"].max()) < 1e-12


def test_damage_is_named_and_mended(finished: Path, tmp_path: Path) -> None:
    run_study(STUDY, tmp_path / "a", AtOnce())
    files = sorted((tmp_path / "a/chunks").iterdir())
    files[1].write_bytes(files[1].read_bytes()[:200])
    files[2].unlink()
    with pytest.raises(af.BadInput, match=r"000001.npz' is cut short"):
        af.open_study(tmp_path / "a")
    notes: list[str] = []
    seen: list[Progress] = []
    run_study(STUDY, tmp_path / "a", AtOnce(), on_note=notes.append, on_progress=seen.append)
    assert len(notes) == 1
    assert "000001.npz' is cut short" in notes[0]
    assert (seen[0].done, seen[0].kept, seen[-1].done, seen[-1].kept) == (24, 24, 48, 24)
    assert hashes(tmp_path / "a") == hashes(finished)


def test_damage_is_named_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_study(STUDY, tmp_path / "a", AtOnce())
    (tmp_path / "a/chunks/000000.npz").write_bytes(b"")
    run_study(STUDY, tmp_path / "a", AtOnce())
    assert "000000.npz' is cut short" in capsys.readouterr().err


def test_a_study_under_way_can_be_looked_at(finished: Path, tmp_path: Path) -> None:
    run_study(STUDY, tmp_path / "a", AtOnce())
    (tmp_path / "a/chunks/000000.npz").unlink()
    dataset = af.open_study(tmp_path / "a")
    assert (dataset.attrs["complete"], af.open_study(finished).attrs["complete"]) == (0, 1)
    assert (dataset["outcome"].values == "").sum() == 12


def test_a_worker_that_is_killed_is_a_sentence(tmp_path: Path) -> None:
    class Doomed(AtOnce):
        def submit(self, function, /, *arguments, **keywords):
            if arguments[1].number < 2:
                return super().submit(function, *arguments, **keywords)
            future: Future = Future()
            future.set_exception(af_broken())
            return future

    def af_broken() -> Exception:
        from concurrent.futures.process import BrokenProcessPool

        return BrokenProcessPool("a child process terminated abruptly")

    with pytest.raises(
        af.AnalogflowError, match="a worker process was killed or could not go on, perhaps for want of memory"
    ):
        run_study(STUDY, tmp_path / "a", Doomed())
    assert len(list((tmp_path / "a/chunks").iterdir())) in (0, 1, 2)


def test_a_fault_of_the_design_names_its_condition_before_anything_is_written(tmp_path: Path) -> None:
    study = af.Study(af.Channel(PAPER_ROWS), forms=("accelerated",), technologies=("translinear",), engine="ngspice")  # pyright: ignore
    with pytest.raises(af.AnalogflowError, match="accelerated"):
        run_study(study, tmp_path / "a", AtOnce())
    assert not (tmp_path / "a").exists()


@pytest.mark.vacask
def test_a_study_names_the_versions_of_its_simulator_and_goes_on_with_no_other(tmp_path: Path) -> None:
    study = af.Study(af.Channel(PAPER_ROWS), engine="vacask", time_constants=5.0, time_limit=60.0, verify=False)  # pyright: ignore
    run_study(study, tmp_path / "a", AtOnce())
    manifest = tmp_path / "a" / "manifest.json"
    written = json.loads(manifest.read_text())
    assert written["versions"]["vacask"]
    assert written["versions"]["OpenVAF"]
    written["versions"]["vacask"] = "0.0.1"
    manifest.write_text(json.dumps(written))
    with pytest.raises(af.BadInput, match=r"was computed with vacask 0\.0\.1 and this is"):
        run_study(study, tmp_path / "a", AtOnce())


def test_arguments_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(af.BadInput, match="not both"):
        run_study(STUDY, tmp_path / "a", AtOnce(), workers=2)
    with pytest.raises(af.BadInput, match="from 1"):
        run_study(STUDY, tmp_path / "a", workers=0)


OTHERS = {
    "evaluator": ("other", "was computed by the other march"),
    "scipy": ("0.1", "was computed with scipy 0.1 .* to repeat it to the last, install scipy 0.1"),
}


@pytest.mark.parametrize("program", OTHERS)
def test_a_repeated_sample_says_what_else_made_the_stored_one(program: str, finished: Path, tmp_path: Path) -> None:
    folder, (other, said) = tmp_path / "results", OTHERS[program]
    shutil.copytree(finished, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    other = {"compiled": "numpy", "numpy": "compiled"}[manifest["versions"][program]] if program == "evaluator" else other
    said = said.replace("the other march", f"the {other} march")
    manifest["versions"][program] = other
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.warns(af.AssumptionWarning, match=said):
        repeat_sample(folder, 1, 7)


def test_a_sample_is_repeated_from_the_directory(finished: Path) -> None:
    condition, rows = repeat_sample(finished, 1, 7)
    stored = af.open_study(finished).sel(form="logdomain", noise=0.1, sample=7).squeeze()
    assert condition.noise == 0.1
    assert rows["error"][0] == pytest.approx(float(stored["error"]), rel=1e-6)
    with pytest.raises(af.BadInput, match="no condition 4 with a sample 0; conditions are numbered from 0 to 3"):
        repeat_sample(finished, 4, 0)


def children_of(process: int) -> list[int]:
    """Processes whose parent, or parent's parent, is `process`."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(status.parent.name)] = int(fields[1])
    found, reached = [], [process]
    while reached:
        mother = reached.pop()
        children = [child for child, parent in parents.items() if parent == mother]
        found += children
        reached += children
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


LONG = af.Study(af.Channel(PAPER_ROWS), noise=tuple(k / 1000 for k in range(1, 9)), samples=400, seed=3, time_constants=20.0)  # pyright: ignore


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_study_that_is_stopped_leaves_no_process_and_is_resumed_to_the_same_bytes(
    end: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_experiment(LONG, tmp_path / "e.toml")
    assert read_experiment(tmp_path / "e.toml").fingerprint == LONG.fingerprint
    command = ["study", str(tmp_path / "e.toml"), "-o", str(tmp_path / "a"), "--workers"]
    started = [sys.executable, "-m", "analogflow", *command, "2"]
    with subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "a").glob("chunks/*.npz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        family = children_of(running.pid)
        os.kill(running.pid, end)
        _, said = running.communicate(timeout=60)
    assert len(family) >= 2
    assert running.returncode == (130 if end == signal.SIGINT else -9)
    if end == signal.SIGINT:
        assert "of 3200 samples done; they are kept" in said
        assert "--resume" in said
        assert "Traceback" not in said
    deadline = time.monotonic() + 30
    while any(map(alive, family)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, family))
    partial = len(list((tmp_path / "a/chunks").glob("*.npz")))
    assert 0 < partial < 8
    assert main([*command, "1", "--resume"]) == 0
    assert capsys.readouterr().err == ""
    run_study(LONG, tmp_path / "b", AtOnce())
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


SCRIPT = """
import analogflow as af
study = af.Study(af.Channel([[0.9, 0.1], [0.2, 0.8]]), samples=2)
print(af.run_study(study, "out", workers=1)["error"].max().item() < 1e-9)
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_about_it(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(SCRIPT)
    run = subprocess.run([sys.executable, "s.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert 'put the call under if __name__ == "__main__"' in run.stderr
    (tmp_path / "s.py").write_text(SCRIPT.replace("print", 'if __name__ == "__main__": print'))
    run = subprocess.run([sys.executable, "s.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"
