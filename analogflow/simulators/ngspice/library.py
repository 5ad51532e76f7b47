"""Finds ngspice: its shared library, its program, its code models. It starts no simulator in this process."""

from __future__ import annotations

import ctypes.util
import dataclasses
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from analogflow.errors import MissingProgram

__all__ = ["Library", "Program", "find_code_models", "find_library", "find_program", "require_library"]

_INSTALL = (
    "Install the packages ngspice and libngspice0 (Debian, Ubuntu: apt-get install ngspice libngspice0) "
    "or set NGSPICE_LIBRARY_PATH to the library's file; see ngspice_setup.md."
)
_INSTEAD = "Without root, pip install 'analogflow[vacask]' brings another circuit simulator, VACASK, for Linux on x86-64."
_TRIAL_SECONDS = 30

# Run in another process, because a file that is no ngspice may do anything when it is loaded.
_TRIAL = """
import ctypes, sys
try:
    library = ctypes.CDLL(sys.argv[1])
except OSError as fault:
    sys.exit(f"it can not be loaded ({fault})")
if not hasattr(library, "ngSpice_Init"):
    sys.exit("it is not an ngspice library (it has no ngSpice_Init)")
try:
    with open("/proc/self/maps") as lines:
        paths = [line.split(maxsplit=5)[-1].strip() for line in lines if "/" in line]
except OSError:
    paths = []
name = sys.argv[1].rsplit("/", 1)[-1]
print(next((path for path in paths if path.rsplit("/", 1)[-1].startswith(name)), sys.argv[1]))
"""


@dataclasses.dataclass(frozen=True)
class Library:
    """The shared library: `path` as the loader takes it, `source` says how it was found."""

    path: str
    source: str


@dataclasses.dataclass(frozen=True)
class Program:
    """The command-line program: its `path` and the `version` it names."""

    path: str
    version: str


def find_library() -> Library | None:
    """The ngspice shared library: ``NGSPICE_LIBRARY_PATH`` if set, else one in the usual places; None if there is none.

    Raises
    ------
    MissingProgram
        What ``NGSPICE_LIBRARY_PATH`` names is not an ngspice library.
    """
    return _find_library(os.environ.get("NGSPICE_LIBRARY_PATH", ""))


def require_library() -> Library:
    """The ngspice shared library.

    Raises
    ------
    MissingProgram
        There is none, or what ``NGSPICE_LIBRARY_PATH`` names is not an ngspice library.
    """
    library = find_library()
    if library is None:
        raise MissingProgram(f"The ngspice shared library was not found. {_INSTALL} {_INSTEAD}")
    return library


def find_program() -> Program:
    """The ngspice program: ``NGSPICE`` if set, else the one on the ``PATH``.

    Raises
    ------
    MissingProgram
        There is none, or it does not name its version.
    """
    asked = os.environ.get("NGSPICE", "")
    path = shutil.which(asked or "ngspice")
    if path is None:
        raise MissingProgram(
            f"NGSPICE={asked!r} is not a program; set it to the ngspice program or unset it."
            if asked
            else "The program ngspice is not on the PATH. Install it (Debian: apt-get install ngspice) or set NGSPICE."
        )
    with tempfile.TemporaryDirectory(prefix="analogflow-") as empty:
        quiet = os.environ | {"HOME": empty, "SPICE_USERINIT_DIR": empty}
        try:
            output = subprocess.run(
                [path, "--version"],
                cwd=empty,
                env=quiet,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRIAL_SECONDS,
                check=False,
            ).stdout
        except (OSError, subprocess.TimeoutExpired) as fault:
            raise MissingProgram(f"{path!r} does not run ({fault}). Set NGSPICE to a working ngspice program.") from None
    found = re.search(rb"ngspice-([0-9][0-9.]*)", output)
    if found is None:
        raise MissingProgram(f"{path!r} does not say that it is ngspice. Set NGSPICE to the ngspice program.")
    return Program(path, found[1].decode("ascii"))


def find_code_models(library: Library | None = None) -> Path | None:
    """Folder of the XSPICE code models (``analog.cm``), None if not found; Debian's are in the package ngspice."""
    roots = [Path(folder) for folder in (os.environ.get("SPICE_LIB_DIR"), os.environ.get("CONDA_PREFIX")) if folder]
    if library is not None and os.path.isabs(library.path):
        roots += [Path(library.path).parent, Path(library.path).parent.parent]
    roots += [Path("/usr/lib"), Path("/usr/local/lib"), Path("/opt/homebrew/lib")]
    for root in roots:
        for folder in (root / "ngspice", root / "lib" / "ngspice", *sorted(root.glob("*-linux-gnu*/ngspice"))):
            if (folder / "analog.cm").is_file():
                return folder
    return None


@functools.cache
def _find_library(asked: str) -> Library | None:
    if asked:
        # With a folder in it, it is a file, and a worker runs in another folder.
        path = os.path.abspath(asked) if os.path.basename(asked) != asked else asked
        loaded, fault = _try(path)
        if fault:
            raise MissingProgram(f"NGSPICE_LIBRARY_PATH is {asked!r}, but {fault}. {_INSTALL}")
        return Library(loaded, "NGSPICE_LIBRARY_PATH")
    for path in dict.fromkeys(_usual_places()):
        loaded, fault = _try(path)
        if not fault:
            return Library(loaded, "found")
    return None


def _usual_places() -> Iterator[str]:
    name = ctypes.util.find_library("ngspice")
    if name:
        yield name
    if sys.platform == "win32":
        names = ["ngspice.dll"]
    elif sys.platform == "darwin":
        names = ["libngspice.dylib", "libngspice.0.dylib"]
    else:
        names = ["libngspice.so.0", "libngspice.so"]
    folders = [os.path.join(sys.prefix, "lib"), "/opt/homebrew/lib", "/usr/local/lib"]
    conda = os.environ.get("CONDA_PREFIX")
    if conda:
        folders[:0] = [os.path.join(conda, "lib"), os.path.join(conda, "Library", "bin")]
    yield from (
        path for folder in folders for path in (os.path.join(folder, name) for name in names) if os.path.exists(path)
    )
    yield from names


def _try(path: str) -> tuple[str, str]:
    """Where the library was loaded from, or what is wrong with it."""
    try:
        trial = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TRIAL, path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return "", f"loading it took more than {_TRIAL_SECONDS} s"
    if trial.returncode != 0:
        last = trial.stderr.strip().splitlines()[-1:]
        return "", last[0] if last else f"loading it ended the process ({trial.returncode})"
    lines = trial.stdout.strip().splitlines()
    return (lines[-1], "") if lines else ("", "loading it said nothing")
