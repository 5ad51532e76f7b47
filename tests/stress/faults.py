"""What happens when the machine fails a command: each fault is done to a real one, in the current folder.

It needs Linux and ngspice; a small file system of its own (for the disk that fills up) is mounted where this process may do
so, and a limit on the size of files stands in for it elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "analogflow"]
CHANNEL = str(ROOT / "examples/data/paper_channel.csv")
SOLVE = ["solve", "capacity", CHANNEL, "--json"]
STUDY = ["study", "capacity", CHANNEL, "-o", "runs", "--noise", "0.01", "--samples", "8000", "--time", "30"]
STUDY += ["--workers", "2"]
ENDLESS = {
    "solve": ["solve", "capacity", CHANNEL, "--engine", "block", "--noise", "0.01", "--time", "1e7"],
    "solve in ngspice": ["solve", "circle.toml", "--engine", "ngspice"],
    "verify": ["verify", "capacity", CHANNEL, "--engine", "block", "--noise", "0.01", "--time", "1e7"],
    "compare": ["compare", "capacity", CHANNEL, "--seconds", "1000"],
    "reproduce": ["reproduce", "all", "-o", "figures"],
    "study": [*STUDY[:-4], "--samples", "10000000", "--workers", "2"],
    "report": ["report", "runs"],
}  # fmt: skip
CIRCLE = 'time = 1e6\n[states]\na = 1.0\nb = 0.0\n[equations]\na = "b"\nb = "-a"\n'
"""Never at rest, so that ngspice runs on."""
LOADED = 4.0
"""Seconds of processor time after which a command computes: its imports need less."""


def run(arguments: list[str], **keywords: object) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=300, **keywords)  # type: ignore[call-overload]


def end(done: subprocess.CompletedProcess[str]) -> str:
    """Exit code and last words, the folder cut out."""
    words = " ".join(done.stderr.split()).replace(os.getcwd() + "/", "").replace(str(ROOT) + "/", "")
    traced = "TRACEBACK: " if "Traceback" in done.stderr else ""
    return f"exit code {done.returncode}: {traced}{words[-300:] or 'nothing said'}"


def session(leader: int) -> list[int]:
    """Processes of a session that run, their leader left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] not in "ZX" and int(entry.parent.name) != leader:
                found.append(int(entry.parent.name))
    return found


@contextlib.contextmanager
def running(arguments: list[str], ready: Callable[[int], bool] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own, in the middle of what it computes.

    Raises
    ------
    RuntimeError
        It came to its end before it was `ready`: the fault would be done to nothing.
    """
    Path("circle.toml").write_text(CIRCLE)
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for _ in range(6000):
            if process.poll() is not None:
                raise RuntimeError(f"it ended before it was ready: {process.communicate()[1][-150:]!r}")
            if ready(process.pid) if ready else taken(process.pid) > LOADED:
                break
            time.sleep(0.02)
        else:
            os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError("it was not ready in two minutes")
        yield process


def taken(*processes: int) -> float:
    """Processor time of processes and of what they started, in seconds."""
    total = 0
    for one in {child for process in processes for child in (process, *session(process), *descendants(process))}:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def simulating(process: int) -> bool:
    """Whether ngspice works for a command: its process has taken a second, which its start does not."""
    return taken(*simulators(process)) > 1.0


def simulators(process: int) -> list[int]:
    """Processes of ngspice among those a command started."""
    found = []
    for child in descendants(process):
        with contextlib.suppress(OSError):
            found += [child] if b"ngspice.worker" in Path(f"/proc/{child}/cmdline").read_bytes() else []
    return found


def chunks(folder: str) -> list[bytes]:
    """What a study has on disk."""
    return [path.read_bytes() for path in sorted(Path(folder, "chunks").glob("[0-9]*.npz"))]


def orphans(leader: int, children: list[int]) -> str:
    """What is left of a session and of other processes it had, some seconds later."""
    for _ in range(100):
        left = [*session(leader), *(pid for pid in children if alive(pid))]
        if not left:
            return "no process left"
        time.sleep(0.1)
    return f"{len(left)} processes left"


def alive(process: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def descendants(process: int) -> list[int]:
    """Children of a process, and theirs."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def interrupted(name: str) -> str:
    """Ctrl-C to a command and all it started."""
    if name == "report":
        run(STUDY)
    with running(ENDLESS[name], None if name != "solve in ngspice" else simulating) as process:
        children = descendants(process.pid)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        _, words = process.communicate(timeout=120)
    said = end(subprocess.CompletedProcess([], process.returncode, "", words))
    return f"{said}; {orphans(process.pid, children)}"


def interrupted_early() -> str:
    """Ctrl-C at 20 moments of the first seconds."""
    ends: dict[str, int] = {}
    for k in range(20):
        with subprocess.Popen(
            [*COMMAND, *SOLVE, "--engine", "block"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        ) as process:  # fmt: skip
            time.sleep(0.1 + 0.1 * k)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            _, words = process.communicate(timeout=60)
        said = end(subprocess.CompletedProcess([], process.returncode, "", words))
        said = "finished before" if process.returncode == 0 else said
        ends[said] = ends.get(said, 0) + 1
    return "; ".join(f"{count} × {said}" for said, count in ends.items())


def resumed(how: signal.Signals) -> str:
    """A study that is ended or stopped midway by a signal, and gone on with."""
    whole = run([*STUDY[:4], "whole", *STUDY[5:]])
    with running(STUDY, lambda _: len(chunks("runs")) >= 2) as process:
        children = descendants(process.pid)
        os.killpg(process.pid, how)
        done = len(chunks("runs"))
        if how == signal.SIGSTOP:
            time.sleep(3)
            done = len(chunks("runs"))
            os.killpg(process.pid, signal.SIGCONT)
        process.communicate(timeout=300)
    left = orphans(process.pid, children)
    again = run([*STUDY, "--resume"])
    ours, theirs = chunks("runs"), chunks("whole")
    assert whole.returncode == again.returncode
    if not 0 < done < len(theirs):
        raise RuntimeError(f"it was not midway, but had {done} of {len(theirs)} files")
    return (
        f"after {done} of {len(theirs)} files; exit code {process.returncode}, {left}; --resume: exit code "
        f"{again.returncode}, files {'equal, byte for byte, to' if ours == theirs else 'DIFFERENT from'} those of an "
        "undisturbed run"
    )


def killed_simulator() -> str:
    """The process of ngspice killed during a run."""
    with running(ENDLESS["solve in ngspice"], simulating) as process:
        for child in simulators(process.pid):
            os.kill(child, signal.SIGKILL)
        _, words = process.communicate(timeout=120)
    return end(subprocess.CompletedProcess([], process.returncode, "", words))


def orphaned_simulator() -> str:
    """The command killed while ngspice runs for it."""
    with running(ENDLESS["solve in ngspice"], simulating) as process:
        children = simulators(process.pid)
        process.kill()
        process.communicate()
    return f"{len(children)} process of ngspice ran; {orphans(process.pid, children)}"


@contextlib.contextmanager
def small_disk(kilobytes: int) -> Iterator[Path | None]:
    """A file system of some kilobytes; None where this process may mount none."""
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield folder if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run([shutil.which("umount") or "umount", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def small_files(most: int) -> Callable[[], None]:
    """For a child process: no file beyond `most` bytes."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return limit


def full_disk(arguments: list[str]) -> str:
    """A command that writes where there is no room."""
    with small_disk(12) as folder:
        if folder is None:
            return f"{end(run(arguments, preexec_fn=small_files(2000)))} (by a limit on the size of files)"
        done = run(arguments, cwd=folder)
        left = sorted(path.name for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
        return f"{end(done)}; left there: {', '.join(left) or 'nothing'}"


def full_tmp() -> str:
    """No room for temporary files."""
    return end(run([*SOLVE, "--engine", "ngspice"], preexec_fn=small_files(0)))


def read_only() -> str:
    """A folder that can not be written, even by root."""
    return end(run(["netlist", "capacity", CHANNEL, "-o", "/proc/a.cir"]))


def little_memory() -> str:
    """Half a gigabyte of address space for a large problem."""
    code = (
        "import resource, sys; from analogflow.cli import load, main; import numpy; load(['solve'])\n"
        "numpy.save('wide.npy', numpy.full((400, 20000), 1 / 20000))\n"
        "taken = int(open('/proc/self/statm').read().split()[0]) * 4096 + 2**24\n"
        "resource.setrlimit(resource.RLIMIT_AS, (taken, taken))\n"
        "sys.exit(main(['solve', 'capacity', 'wide.npy', '--engine', 'block']))"
    )
    return end(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False))


def clock() -> str:
    """A clock that jumps by decades between any two looks at it, in both directions."""
    code = (
        "import itertools, sys, time; jumps = itertools.cycle([0.0, -1e9, 1e9, -3e7, 4e9]); real = time.time\n"
        "time.time = lambda: real() + next(jumps)\n"
        "from analogflow.__main__ import main; sys.exit(main())"
    )
    arguments = [*SOLVE, "--engine", "ngspice", "--noise", "0.001", "--seed", "3"]
    first = run(arguments)
    second = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return f"exit code {second.returncode}; output {'the same' if first.stdout == second.stdout else 'DIFFERENT'}"


def library(path: str) -> str:
    """A file that is no ngspice, or another one."""
    return end(run([*SOLVE, "--engine", "ngspice"], env=os.environ | {"NGSPICE_LIBRARY_PATH": path}))


def other_version() -> str:
    """A study gone on with under another version of ngspice."""
    import json

    study = ["study", "capacity", CHANNEL, "-o", "runs", "--samples", "2", "--engine", "ngspice", "--workers", "1"]
    run(study)
    manifest = Path("runs/manifest.json")
    text = json.loads(manifest.read_text())
    text["versions"]["ngspice"] = "26"
    manifest.write_text(json.dumps(text))
    return end(run([*study, "--resume"]))


def no_models() -> str:
    """The simulator without its code models."""
    Path("scripts").mkdir()
    Path("scripts/spinit").write_text("* none\n")
    arguments = [*SOLVE, "--engine", "ngspice", "--noise", "0.01"]
    return end(run(arguments, env=os.environ | {"SPICE_SCRIPTS": str(Path("scripts").resolve())}))


ROWS: dict[str, Callable[[], str]] = {
    **{f"Ctrl-C during {name}": lambda name=name: interrupted(name) for name in ENDLESS},
    "Ctrl-C in the first two seconds of solve": interrupted_early,
    "kill −9 of a study and its workers": lambda: resumed(signal.SIGKILL),
    "a study stopped (SIGSTOP) for 3 s": lambda: resumed(signal.SIGSTOP),
    "kill −9 of ngspice's process": killed_simulator,
    "kill −9 of a command while ngspice runs": orphaned_simulator,
    "disk full: netlist": lambda: full_disk(["netlist", "capacity", CHANNEL, "-o", "a.cir", "--noise", "0.01"]),
    "disk full: figure": lambda: full_disk(["draw", "capacity", CHANNEL, "-o", "a.svg"]),
    "disk full: study": lambda: full_disk(STUDY),
    "no room for temporary files": full_tmp,
    "a folder that can not be written": read_only,
    "too little memory": little_memory,
    "a clock that jumps by decades": clock,
    "`NGSPICE_LIBRARY_PATH` is the mathematics library": lambda: library("libm.so.6"),
    "`NGSPICE_LIBRARY_PATH` is a text file": lambda: library("/etc/hostname"),
    "--resume under another version of ngspice": other_version,
    "ngspice without its code models": no_models,
}  # fmt: skip
