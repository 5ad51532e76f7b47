"""How fast studies run, what storing costs, and what kills do to them.

Run from the project's root; ``--write`` puts the tables into docs/studies.md. ``--only kills`` ends a study a hundred times.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tables import Section, Table, machine, report, table

import analogflow as af
from analogflow.families.files import read_problem
from analogflow.solution import versions
from analogflow.studies import local_workers, repeat_sample, write_experiment
from analogflow.studies.design import Chunk
from analogflow.studies.sampling import compute
from analogflow.studies.statistics import compare_engines
from analogflow.studies.store import opened

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/studies.md"
CHANNEL = read_problem("capacity", ROOT / "examples/data/paper_channel.csv")
FORMS = ("logdomain", "replicator", "normalised")
NOISE = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)


def timed(study: Any, workers: int) -> tuple[float, float, Any]:
    """Seconds of a study from nothing, samples per second once workers run, and the dataset."""
    stamps: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        dataset = af.run_study(
            study,
            Path(folder) / "study",
            workers=workers,
            on_progress=lambda progress: stamps.append((time.perf_counter(), progress.done)),
        )
        seconds = time.perf_counter() - started
    first = stamps[min(2 * workers, len(stamps) - 2)]
    return seconds, (stamps[-1][1] - first[1]) / (stamps[-1][0] - first[0]), dataset


def worked() -> float:
    """Processor seconds of all workers that have ended, which do not depend on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def size() -> Section:
    """10,000 samples of three forms of the capacity flow at six noise levels, with the block engine."""
    study = af.Study(CHANNEL, forms=FORMS, noise=NOISE, samples=10_000, verify=False)
    before = worked()
    seconds, rate, dataset = timed(study, 2)
    rows = []
    for form in FORMS:
        errors = dataset["error"].sel(form=form).squeeze().median("sample")
        failed = (dataset["outcome"].sel(form=form).squeeze() == "BLEW_UP").sum("sample")
        rows.append(
            (form, *(f"{e:.1e}" + (f" ({int(f)} ran away)" if f else "") for e, f in zip(errors, failed, strict=True)))
        )
    head = ("median error, nats, at noise", *(f"{sigma:g}" for sigma in NOISE))
    alone = worked() - before
    whole = f"{study.samples * len(study.conditions):,} samples without restarts: {seconds:.0f} s, {rate:.0f} a second, "
    again, _, _ = timed(af.Study(CHANNEL, forms=FORMS, noise=NOISE, samples=10_000), 2)
    return (
        f"{whole}{alone:.0f} s of processor time in two workers. With a restart of each, the default: {again:.0f} s, "
        f"{worked() - before - alone:.0f} s of processor time."
    ), table(head, rows)


def workers() -> Table:
    """One worker and two, with ngspice."""
    study = af.Study(CHANNEL, noise=(1e-2,), samples=640, engine="ngspice")
    rows, one = [], 0.0
    for count in (1, 2):
        seconds, rate, _ = timed(study, count)
        one = one or seconds
        rows.append((str(count), f"{seconds:.1f}", f"{rate:.1f}", f"{one / seconds:.2f}"))
    return table(("workers", "seconds for 640 samples", "samples a second, once started", "times as fast"), rows)


def passed_on(rows: Any) -> Any:
    """What a chunk without any work would return."""
    return rows


def overhead() -> Table:
    """What a chunk costs besides its computation: there and back through a process, packing, and writing to disk."""
    rows = []
    for engine in ("block", "ngspice"):
        study = af.Study(CHANNEL, noise=(1e-2,), samples=1000, engine=engine)
        chunk: Chunk = study.chunks[0]
        compute(study.text, chunk)
        started = time.perf_counter()
        arrays = compute(study.text, chunk)
        work = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as folder, local_workers(1) as pool:
            pool.submit(passed_on, arrays).result()
            started = time.perf_counter()
            for _ in range(20):
                pool.submit(passed_on, arrays).result()
            passing = (time.perf_counter() - started) / 20
            with opened(Path(folder) / "a", study, versions(), resume=False) as store:
                started = time.perf_counter()
                for number in range(20):
                    store.write(number, arrays)
                writing = (time.perf_counter() - started) / 20
        share = (passing + writing) / work
        count = str(chunk.last - chunk.first)
        rows.append(
            (engine, count, f"{1e3 * work:.0f}", f"{1e3 * passing:.1f}", f"{1e3 * writing:.1f}", f"{100 * share:.1f} %")
        )
    return table(("engine", "samples a chunk", "computing (ms)", "passing on (ms)", "writing (ms)", "overhead"), rows)


MEMORY = """
import re, sys
from pathlib import Path
import analogflow as af
from analogflow.simulators.ngspice.session import default_session
from analogflow.studies.design import Chunk
from analogflow.studies.sampling import compute

def resident(process):
    return int(re.search(r"VmRSS:\\s*(\\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1024

study = af.Study(af.Channel(%r), noise=(0.01,), samples=10000, engine="ngspice", time_constants=2.0, verify=False)
for chunk in study.chunks:
    compute(study.text, chunk)
    if chunk.last in (16, 1008, 2000, 4000, 6000, 8000, 10000):
        print(chunk.last, resident("self"), resident(default_session().process_id), flush=True)
"""


def memory() -> Table:
    """Memory of a worker, and of its ngspice, over 10,000 runs of 2 τ."""
    program = [sys.executable, "-c", MEMORY % (CHANNEL.transition.tolist(),)]
    lines = subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [(runs, f"{float(own):.0f}", f"{float(spice):.0f}") for runs, own, spice in map(str.split, lines)]
    return table(("runs", "worker (MB)", "its ngspice (MB)"), rows)


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file of a study."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def kills(wanted: int = 100) -> str:
    """Studies killed at random moments and resumed, until they finish; their files against those of one that was let be."""
    rng, killed, rounds, equal = random.Random(1), 0, 0, 0
    study = af.Study(CHANNEL, forms=FORMS, noise=NOISE[:4], samples=100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_experiment(study, folder / "e.toml")
        # All are called alike and started from folders of their own, as failures.csv names the directory as it was given.
        command = [sys.executable, "-m", "analogflow", "study", str(folder / "e.toml"), "--workers", "2", "--resume"]
        command += ["-o", "study"]
        (folder / "whole").mkdir()
        started = time.monotonic()
        subprocess.run(command, check=False, capture_output=True, cwd=folder / "whole")
        alone = time.monotonic() - started
        whole = digests(folder / "whole")
        while killed < wanted:
            target, rounds = folder / f"killed-{rounds}", rounds + 1
            target.mkdir()
            while True:
                running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=target)
                try:
                    running.wait(timeout=rng.uniform(0.0, alone))
                    break
                except subprocess.TimeoutExpired:
                    os.kill(running.pid, signal.SIGKILL)
                    running.wait()
                    killed += 1
            assert running.stderr is not None
            said = re.findall("computed again", running.stderr.read().decode())
            equal += digests(target) == whole and not said
    return f"{killed} kills in {rounds} studies: {equal} of {rounds} ended with the same bytes as one that was not killed."


def agreement() -> Table:
    """200 samples of three forms at six noise levels in both engines: their laws, and sample by sample."""
    datasets = {}
    with tempfile.TemporaryDirectory() as folder:
        for engine in ("block", "ngspice"):
            study = af.Study(CHANNEL, forms=FORMS, noise=NOISE, samples=200, engine=engine, verify=False)
            datasets[engine] = af.run_study(study, Path(folder) / engine, workers=2).squeeze()
    rows = []
    for form in FORMS:
        for sigma in NOISE:
            one, other = (datasets[engine].sel(form=form, noise=sigma) for engine in ("block", "ngspice"))
            left = [int(part["error"].notnull().sum()) for part in (one, other)]
            few = min(left) < 2  # nothing to compare but that both fail
            law = "" if few else f"{compare_engines(one['error'].values, other['error'].values).p_value:.2f}"
            apart = abs(one["z"] - other["z"]).max("z_component").values
            both = np.isfinite(apart)
            far = f"{np.median(apart[both]):.1e}, {apart[both].max():.1e}" if both.any() else "none ended"
            failed = f"{int(one['error'].isnull().sum())}, {int(other['error'].isnull().sum())}"
            rows.append((form, f"{sigma:g}", failed, law, far))
    return table(("form", "noise", "failed (block, ngspice)", "p of equal laws", "z apart: median, largest"), rows)


def simulators(parent: int) -> list[int]:
    """Processes of ngspice below a process."""
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("libngspice" in mapped.path for mapped in child.memory_maps()):
                found.append(child.pid)
    return found


def faults(samples: int = 1000, each: int = 3) -> Section:
    """A study of ngspice whose simulators are killed, stopped and starved of memory while it runs."""
    rng = random.Random(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "study"
        study = af.Study(CHANNEL, noise=(1e-2,), samples=samples, engine="ngspice", time_limit=10.0, verify=False)
        write_experiment(study, Path(name) / "e.toml")
        command = [
            sys.executable,
            "-m",
            "analogflow",
            "study",
            str(Path(name) / "e.toml"),
            "--workers",
            "2",
            "-o",
            str(folder),
        ]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert running.stderr is not None
        todo = ["killed", "stopped", "starved"] * each
        while todo and running.poll() is None:
            time.sleep(rng.uniform(1.0, 3.0))
            victims = simulators(running.pid)
            if victims:
                how = todo.pop()
                do_harm(rng.choice(victims), how)
                time.sleep(12.0 if how == "stopped" else 0.0)  # until its time limit has ended it
        said = running.stderr.read().decode()
        running.wait()
        dataset = af.open_study(folder).squeeze()
        failed = [int(k) for k in np.flatnonzero(dataset["outcome"].values == "FAILED")]
        reasons = Counter(re.sub(r"[0-9][0-9.e+-]*[0-9]", "…", str(dataset["reason"].values[k])) for k in failed)
        listed = (folder / "failures.csv").read_text(encoding="utf-8").count("--repeat")
        again = [str(repeat_sample(folder, 0, k)[1]["outcome"][0]) for k in failed]
    lines = "\n".join(f"* {count} × {reason}" for reason, count in reasons.items())
    return (
        f"{3 * each - len(todo)} faults in {samples} samples: {len(failed)} samples failed, exit code {running.returncode}, "
        f"{said.count('Repeat it alone')} shown and {listed} listed with their reason and the command that repeats them; "
        "repeated alone: "
        f"{', '.join(f'{count} {name.lower()}' for name, count in Counter(again).items())}."
    ), lines


def do_harm(process: int, how: str) -> None:
    """Kill a process, stop it for ever, or leave it no more memory than it has."""
    with contextlib.suppress(ProcessLookupError, psutil.Error):
        if how == "starved":
            held = psutil.Process(process).memory_info().vms
            psutil.Process(process).rlimit(psutil.RLIMIT_AS, (held, held))
        else:
            os.kill(process, signal.SIGKILL if how == "killed" else signal.SIGSTOP)


if __name__ == "__main__":
    sections = {
        "machine": lambda: machine("numpy", "scipy"),
        "size": size,
        "workers": workers,
        "overhead": overhead,
        "memory": memory,
        "agreement": agreement,
        "faults": faults,
        "kills": kills,
    }
    report(__doc__, DOCUMENT, sections)
