"""Raw files: ngspice's own, and those made to mislead."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from raw_reader import parse_raw, read_raw

from analogflow.errors import AnalogflowError, BadInput, SimulationFailed
from analogflow.simulators.ngspice.library import find_program

TABLE = np.array([[0.0, 1.0], [0.5, 0.25], [1.0, -3.5]])


def header(points: str = "3", variables: str = "2", flags: str = "real") -> bytes:
    return (
        f"Title: * rc\nDate: today\nPlotname: Transient Analysis\nFlags: {flags}\nNo. Variables: {variables}\n"
        f"No. Points: {points}       \nVariables:\n\t0\ttime\ttime\n\t1\tv(a)\tvoltage\n"
    ).encode()


BINARY = header() + b"Binary:\n" + TABLE.astype("<f8").tobytes()
TEXT = header() + b"Values:\n" + b"".join(f" {k}\t{t!r}\n\t{v!r}\n\n".encode() for k, (t, v) in enumerate(TABLE.tolist()))
WAVES = TABLE[:, ::-1] + 1j * TABLE
COMPLEX = header(flags="complex") + b"Binary:\n" + WAVES.astype("<c16").tobytes()


@pytest.mark.parametrize("data", [BINARY, TEXT])
def test_both_formats(data: bytes) -> None:
    (plot,) = parse_raw(data)
    assert (plot.title, plot.name, list(plot.vectors)) == ("* rc", "Transient Analysis", ["time", "v(a)"])
    assert np.array_equal(np.stack(list(plot.vectors.values()), axis=1), TABLE)
    assert repr(plot) == "Plot('Transient Analysis', 2 vectors, 3 points)"


def test_plots_follow_each_other() -> None:
    plots = parse_raw(BINARY + TEXT + COMPLEX + b"\n")
    assert [len(plot.vectors["v(a)"]) for plot in plots] == [3, 3, 3]
    assert np.array_equal(plots[2].vectors["v(a)"], WAVES[:, 1])


def test_vectors_can_not_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        parse_raw(BINARY)[0].vectors["time"][0] = 1


def test_a_run_that_broke_off_is_told_from_a_bad_file() -> None:
    broken = header(points="0") + b"Binary:\n" + TABLE.tobytes()
    with pytest.raises(SimulationFailed, match="says that it has no points, so the run that wrote it broke off"):
        parse_raw(broken)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "is empty"),
        (b"\x7fELF" + bytes(300), "endless line|not a raw file"),
        (b"hello\n", "'hello' has no colon"),
        (b"a: b\n" * 200, "100 header lines and no list of variables"),
        (b"x" * 10000, "endless line"),
        (header(points="99999999999") + b"Binary:\n" + bytes(100), "announces 99999999999 points"),
        (header(variables="99999999999") + b"Binary:\n" + bytes(100), "announces 99999999999 variables"),
        (header(points="-3") + b"Binary:\n", "'-3' for 'no. points'"),
        (header(points="3e9") + b"Binary:\n", "which is not a count"),
        (header(variables="1") + b"Binary:\n" + bytes(100), "stands where 'Binary:' or 'Values:' should"),
        (header(variables="0") + b"Binary:\n", "has no variables"),
        (header().replace(b"v(a)", b"time"), "two of the same name"),
        (header().replace(b"\tv(a)\tvoltage", b""), "does not hold number, name and kind"),
        (header(), "inside its header"),
        (BINARY[:-1], "damaged or cut short"),
        (BINARY + BINARY[:40], "plot 2: ends"),
        (TEXT[:-30], "ends at point|too short"),
        (header(points="999999999") + b"Values:\n 0\t1.0\n", "too short"),
        (TEXT.replace(b"0.25", b"what"), "b'what' at point 1 is not a number"),
        (TEXT.replace(b"0.25", b"1,2"), "b'1,2' at point 1 is not a number"),
    ],
)
def test_what_is_not_a_whole_raw_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_raw(data)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_raw(tmp_path / "none.raw")


@given(st.data())
@example(None)
def test_damage_is_never_anything_but_a_sentence(data: st.DataObject | None) -> None:
    content = bytearray(BINARY + TEXT + COMPLEX)
    if data is not None:
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(0, len(content)))
            content[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    try:
        parse_raw(bytes(content))
    except AnalogflowError as fault:
        assert str(fault)  # noqa: PT017 (either way is right; only another exception is wrong)


@given(st.binary(max_size=200), st.sampled_from([b"", header(), header(flags="complex") + b"Values:\n"]))
def test_noise_is_never_anything_but_a_sentence(noise: bytes, start: bytes) -> None:
    try:
        parse_raw(start + noise)
    except AnalogflowError as fault:
        assert str(fault)  # noqa: PT017


@pytest.mark.ngspice
def test_the_program_s_own_files(tmp_path: Path) -> None:
    deck = "* rc\nr1 a 0 1\nc1 a 0 1 ic=1\n.save v(a)\n.tran 0.01 5 0 0.01 uic\n.ac dec 5 1 100\n.end\n"
    (tmp_path / "rc.cir").write_text(deck)
    for mode in ("binary", "ascii"):
        environment = {"SPICE_ASCIIRAWFILE": str(int(mode == "ascii")), "HOME": str(tmp_path)}
        command = [find_program().path, "-b", "-n", "-r", f"{mode}.raw", "rc.cir"]
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=60)
        plots = {plot.name: plot for plot in read_raw(tmp_path / f"{mode}.raw")}
        decay = plots["Transient Analysis"].vectors
        assert np.abs(decay["v(a)"] - np.exp(-decay["time"])).max() < 1e-4
        assert plots["AC Analysis"].vectors["v(a)"].dtype == np.complex128
