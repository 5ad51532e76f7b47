"""Builds the march's C source for this machine once, keeps it in the user's cache folder, and loads it.

Where there is no compiler, or nothing can be kept, there is none, and the march runs in NumPy.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

__all__ = ["EVALUATOR", "cache_folder", "evaluator", "library", "why_not"]

EVALUATOR = "ANALOGFLOW_EVALUATOR"
"""Environment variable: ``numpy`` runs the march in NumPy although a compiler is there."""

_SOURCE = Path(__file__).with_name("kernel.c")
_WIDE, _NATIVE = "-mprefer-vector-width=512", "-march=native"
_FLAGS = (
    "-O3", _NATIVE, _WIDE, "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC",
)  # fmt: skip
_TIME_LIMIT = 120.0
"""Seconds after which a compiler is given up."""

_BUILDING = "march-build-"
"""How the folder begins that a library is built in."""

_SEAL = 32
"""Bytes of digest after a library's own: one that was cut short or changed is built again, not loaded."""


def evaluator() -> str:
    """Which evaluator runs ensembles and noise on this machine: ``compiled`` or ``numpy``."""
    return "numpy" if library() is None else "compiled"


def why_not() -> str:
    """Why there is no compiled march, in one clause; empty where there is one."""
    return _found()[1]


def library() -> ctypes.CDLL | None:
    """The compiled march; None where there is none. Built at the first call on a machine, which takes some seconds."""
    return _found()[0]


def cache_folder() -> Path:
    """Where what is built is kept: ``analogflow`` in ``$XDG_CACHE_HOME``, or in ``~/.cache``."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "analogflow"


@functools.cache
def _found() -> tuple[ctypes.CDLL | None, str]:
    if os.environ.get(EVALUATOR, "").lower() == "numpy":
        return None, f"{EVALUATOR} asks for NumPy"
    compiler = _compiler()
    if compiler is None:
        return None, "no C compiler was found (cc, gcc or clang, or the variable CC)"
    try:
        folder = cache_folder()
        kept = folder / f"march-{_fingerprint(compiler)}.so"
        if not _is_whole(kept):
            folder.mkdir(parents=True, exist_ok=True)
            if fault := _build(compiler, kept):
                return None, fault
        return _load(kept), ""
    # No home, a folder that can not be written, another processor's library, one that hides its functions, …
    except (OSError, RuntimeError, AttributeError, subprocess.SubprocessError) as fault:
        return None, f"what the compiler made could not be kept or loaded ({fault})"


def _compiler() -> str | None:
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and (found := shutil.which(name)):
            return found
    return None


def _fingerprint(compiler: str) -> str:
    """Digest of the source, the compiler, its flags and the processor, so that none of them is mistaken for another."""
    asked = subprocess.run([compiler, "-v"], capture_output=True, timeout=_TIME_LIMIT, check=False)
    parts = (
        _SOURCE.read_bytes(),
        os.fsencode(compiler),
        asked.stdout + asked.stderr,
        " ".join(_FLAGS).encode(),
        _processor(),
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]


def _processor() -> bytes:
    """What tells a processor from one with other instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    known = sorted({line for line in lines if line.startswith(("flags", "Features", "model name", "CPU part"))})
    return "\n".join([platform.machine(), platform.processor(), *known]).encode()


def _build(compiler: str, kept: Path) -> str:
    """Compile into `kept`, which appears whole or not at all; why that failed, empty where it did not."""
    _sweep(kept.parent)
    with tempfile.TemporaryDirectory(prefix=_BUILDING, dir=kept.parent) as folder:
        made = Path(folder) / "march.so"
        # Not every processor has vectors of that width, and not every compiler knows the processor that it runs on.
        for less in ((), (_WIDE,), (_WIDE, _NATIVE)):
            command = [compiler, *(flag for flag in _FLAGS if flag not in less), "-o", str(made), str(_SOURCE), "-lm"]
            done = subprocess.run(command, capture_output=True, timeout=_TIME_LIMIT, check=False)
            if done.returncode == 0 and made.is_file():
                break
        else:
            return f"the compiler {compiler} failed: {_gist(done.stderr.decode(errors='replace'))}"
        content = made.read_bytes()
        made.write_bytes(content + hashlib.sha256(content).digest())
        made.replace(kept)
    return ""


def _sweep(folder: Path) -> None:
    """Remove what builds left that were killed: no build is as old as three attempts may take."""
    for left in folder.glob(f"{_BUILDING}*"):
        with contextlib.suppress(OSError):
            if left.is_dir() and time.time() - left.stat().st_mtime > 3 * _TIME_LIMIT:
                shutil.rmtree(left, ignore_errors=True)


def _gist(said: str) -> str:
    """The line of what a compiler said that tells what failed: others say where, or warn."""
    lines = said.strip().splitlines() or ["it said nothing"]
    return next((line for line in lines if re.search("error|failed|cannot|can't|denied", line)), lines[0])


def _is_whole(kept: Path) -> bool:
    try:
        content = kept.read_bytes()
    except OSError:
        return False
    return len(content) > _SEAL and hashlib.sha256(content[:-_SEAL]).digest() == content[-_SEAL:]


def _load(kept: Path) -> ctypes.CDLL:
    found = ctypes.CDLL(str(kept))
    found.analogflow_open.restype, found.analogflow_open.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    found.analogflow_close.restype, found.analogflow_close.argtypes = None, [ctypes.c_void_p]
    found.analogflow_advance.restype = ctypes.c_int64
    found.analogflow_advance.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_double)]
    found.analogflow_normals.restype = None
    found.analogflow_normals.argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int64, ctypes.c_void_p]
    found.analogflow_record_size.restype, found.analogflow_record_size.argtypes = ctypes.c_int64, [ctypes.c_int64]
    return found
