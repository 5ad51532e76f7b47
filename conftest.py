"""What holds for a whole test session: how ngspice and slow tests are treated, and documents that run as tests.

It lies here and not in tests/ because it also rules the documents: a conftest's hooks reach only the folders below it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from analogflow.cli import main as analogflow
from analogflow.errors import MissingProgram
from analogflow.simulators.ngspice.library import find_program, require_library
from analogflow.simulators.vacask.program import find_programs

ROOT = Path(__file__).parent

os.environ.setdefault("MPLBACKEND", "Agg")

# Tests share few cores, so a deadline would measure the machine; in CI a red run must be red again.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--ngspice`` and ``--slow``."""
    group = parser.getgroup("analogflow")
    group.addoption(
        "--ngspice",
        choices=("required", "if-available", "off"),
        default="if-available",
        help="tests of the real simulator: fail without it, skip without it, or skip always",
    )
    group.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_configure(config: pytest.Config) -> None:
    """Stop at once, with one sentence, where ngspice is required and missing."""
    missing = _missing_ngspice()
    if missing and config.getoption("--ngspice") == "required":
        raise pytest.UsageError(f"--ngspice=required, but: {missing}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what the options exclude, and say why."""
    reason, without_vacask = _why_no_ngspice(config), _missing_vacask()
    _leave_few(items)
    for item in items:
        if reason and item.get_closest_marker("ngspice"):
            item.add_marker(pytest.mark.skip(reason=reason))
        if without_vacask and (item.get_closest_marker("vacask") or _engine_of(item) == "vacask"):
            item.add_marker(pytest.mark.skip(reason=without_vacask))
        if item.get_closest_marker("slow"):
            if not config.getoption("--slow"):
                item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
            # A test that is only slow on a busy machine has not failed.
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(1800))


def _leave_few(items: list[pytest.Item]) -> None:
    """Mark as slow what ``few(n)`` leaves of the cases of a test: n stay quick, from all along its list."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("few") and not item.get_closest_marker("slow"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for each in cases.values():
        (number,) = next(each[0].iter_markers("few")).args
        stride = max(len(each) // number, 1)
        # Another place within each stride, so that parameters which alternate do not all drop out together.
        quick = {k * stride + k % stride for k in range(number)}
        for place, item in enumerate(each):
            if place not in quick:
                item.add_marker(pytest.mark.slow)


@functools.cache
def _missing_ngspice() -> str:
    """What is missing of ngspice, as a sentence; empty if nothing is."""
    try:
        require_library()
        find_program()
    except MissingProgram as missing:
        return str(missing)
    return ""


@functools.cache
def _missing_vacask() -> str:
    """What is missing of VACASK, as a sentence; empty if nothing is."""
    try:
        find_programs()
    except MissingProgram as missing:
        return str(missing)
    return "" if shutil.which("ld") else "OpenVAF, which tests run alone too, finds no linker: apt-get install binutils"


def _engine_of(item: pytest.Item) -> object:
    """The engine a test is run for, where that is a parameter of it."""
    called = getattr(item, "callspec", None)
    return called.params.get("engine") if called is not None else None


def _why_no_ngspice(config: pytest.Config) -> str:
    return "--ngspice=off" if config.getoption("--ngspice") == "off" else _missing_ngspice()


@pytest.fixture(scope="session")
def no_vacask() -> str:
    """Why VACASK is not to be run in this session; empty if it is."""
    return _missing_vacask()


@pytest.fixture(scope="session")
def no_ngspice(request: pytest.FixtureRequest) -> str:
    """Why ngspice is not to be run in this session; empty if it is.

    A document writes, in an HTML comment before the fence,
    ``skip: next if(no_ngspice, reason=no_ngspice)``.
    """
    return _why_no_ngspice(request.config)


class _Stage:
    """Where a document's examples run: a fresh folder with the example data in it and nothing else."""

    def __init__(self) -> None:
        self._home = ""
        self._folder = ""

    def enter(self, namespace: dict[str, Any]) -> None:
        self._home, self._folder = os.getcwd(), tempfile.mkdtemp(prefix="analogflow-document-")
        for folder in ("data", "flows"):
            shutil.copytree(ROOT / "examples" / folder, Path(self._folder, "examples", folder))
        os.chdir(self._folder)

    def leave(self, namespace: dict[str, Any]) -> None:
        os.chdir(self._home)
        shutil.rmtree(self._folder, ignore_errors=True)


PRINTED = re.compile(r"\s*```text\n(.*?)```", flags=re.S)
"""What a document says a fence prints: the fence of text right after it."""


def _run(example: Example) -> None:
    """Run a fence and hold what it prints against the text that follows it, if any.

    Chained causes are cut off: sybil stops the whole session when it is to show one.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            PythonEvaluator()(example)
    except Exception as fault:
        raise fault from None
    said = PRINTED.match(example.document.text, example.region.end)
    if said and said[1] != printed.getvalue():
        raise AssertionError(f"it prints\n{printed.getvalue()}\nwhere the document says\n{said[1]}")


def _command(example: Example) -> None:
    """Run each line that starts with a prompt; `analogflow` in this process, which is quicker."""
    for line in re.findall(r"^\$ (.*)", example.parsed, flags=re.M):
        program, *arguments = shlex.split(line, comments=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if program == "analogflow":
                code = analogflow(arguments)
            else:
                code = subprocess.run([program, *arguments], stdout=subprocess.DEVNULL, check=False).returncode
        if code:
            raise AssertionError(f"{line!r} ended with exit code {code}:\n{printed.getvalue()}")


_stage = _Stage()

# Fences of a document share one namespace. With --dist=loadfile, which pyproject.toml sets, xdist keeps a file together.
pytest_collect_file = Sybil(
    parsers=[CodeBlockParser("python", _run), CodeBlockParser("console", _command), SkipParser()],
    patterns=["README.md", "CONTRIBUTING.md", "ngspice_setup.md", "docs/*.md", "docs/*/*.md"],
    setup=_stage.enter,
    teardown=_stage.leave,
    fixtures=["no_ngspice", "no_vacask"],
).pytest()
