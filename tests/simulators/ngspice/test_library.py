"""Finding ngspice, and saying so when what is found is not ngspice."""

from __future__ import annotations

import ctypes.util
import os
import re
import sys
from pathlib import Path

import pytest

from analogflow.errors import MissingProgram
from analogflow.simulators.ngspice import library
from analogflow.simulators.ngspice.library import Library, find_code_models, find_library, find_program, require_library

MATHS = ctypes.util.find_library("m")


def test_another_library_is_not_taken_for_ngspice(monkeypatch: pytest.MonkeyPatch) -> None:
    if MATHS is None:
        pytest.skip("no shared library of mathematics to be mistaken for ngspice")
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", MATHS)
    with pytest.raises(
        MissingProgram, match=r"NGSPICE_LIBRARY_PATH is 'libm.*it is not an ngspice library.*apt-get install"
    ):
        require_library()


def test_a_text_file_is_not_taken_for_ngspice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "libngspice.so"
    path.write_text("not a library")
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(path))
    with pytest.raises(MissingProgram, match=r"it can not be loaded .*see ngspice_setup\.md"):
        find_library()


def test_a_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(tmp_path / "none {} .so"))
    with pytest.raises(MissingProgram, match=r"it can not be loaded"):
        find_library()


def test_no_library_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(library, "_usual_places", lambda: iter(["libnosuch.so.0"]))
    library._find_library.cache_clear()
    try:
        assert find_library() is None
        with pytest.raises(MissingProgram, match=r"was not found. Install the packages ngspice and libngspice0"):
            require_library()
    finally:
        library._find_library.cache_clear()


def test_a_library_that_kills_its_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_TRIAL", "import os; os.abort()")
    assert library._try("x") == ("", "loading it ended the process (-6)")
    monkeypatch.setattr(library, "_TRIAL", "import time; time.sleep(60)")
    monkeypatch.setattr(library, "_TRIAL_SECONDS", 0.2)
    assert library._try("x") == ("", "loading it took more than 0.2 s")


def test_no_program_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NGSPICE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match=r"ngspice is not on the PATH"):
        find_program()


def test_a_program_that_is_something_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NGSPICE", sys.executable)
    with pytest.raises(MissingProgram, match=re.escape(f"{sys.executable!r} does not say that it is ngspice")):
        find_program()
    monkeypatch.setenv("NGSPICE", str(tmp_path / "none"))
    with pytest.raises(MissingProgram, match=r"NGSPICE='.*none' is not a program"):
        find_program()
    broken = tmp_path / "broken"
    broken.write_text("\x00")
    broken.chmod(0o755)
    monkeypatch.setenv("NGSPICE", str(broken))
    with pytest.raises(MissingProgram, match=r"does not run"):
        find_program()


def test_code_models_are_looked_for_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lib" / "ngspice").mkdir(parents=True)
    (tmp_path / "lib" / "ngspice" / "analog.cm").touch()
    monkeypatch.setenv("SPICE_LIB_DIR", str(tmp_path))
    assert find_code_models() == tmp_path / "lib" / "ngspice"


@pytest.mark.ngspice
def test_what_is_installed_is_found() -> None:
    found = require_library()
    assert "ngspice" in os.path.basename(found.path)
    assert found == find_library()
    program = find_program()
    assert os.path.isabs(program.path)
    assert int(program.version.split(".")[0]) >= 39
    models = find_code_models(found)
    assert models is None or (models / "analog.cm").is_file()


@pytest.mark.ngspice
def test_a_relative_path_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = require_library().path
    if not os.path.isabs(path):
        pytest.skip("the loader does not say where it found the library")
    (tmp_path / "lib{}.so").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "./lib{}.so")
    found = require_library()
    assert found == Library(found.path, "NGSPICE_LIBRARY_PATH")
    assert os.path.isabs(found.path)
