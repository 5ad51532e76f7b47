"""A run as a raw file is what ngspice and other readers take it for."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from raw_reader import read_raw
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.cli import main
from analogflow.report import write_raw


@pytest.fixture(scope="module")
def solution():
    return af.solve(af.Channel(PAPER_ROWS), engine="block")


def test_a_reader_of_raw_files_finds_every_signal_bit_by_bit(solution, tmp_path):
    (plot,) = read_raw(write_raw(solution, tmp_path / "run.raw"))
    assert plot.name == "Transient Analysis"
    assert next(iter(plot.vectors)) == "time"
    np.testing.assert_array_equal(plot.vectors["time"], solution.run.time * solution.circuit.units.time_constant)
    for name, values in solution.run.values.items():
        for k, column in enumerate(values.T):
            np.testing.assert_array_equal(plot.vectors[name if values.shape[-1] == 1 else f"{name}_{k}"], column)
    assert (tmp_path / "run.raw").read_bytes() == write_raw(solution, tmp_path / "again.raw").read_bytes()


@pytest.mark.ngspice
def test_time_is_in_seconds_of_the_circuit(tmp_path):
    bought = af.solve(af.Channel(PAPER_ROWS), technology="translinear", time_constants=20)
    (plot,) = read_raw(write_raw(bought, tmp_path / "run.raw"))
    assert plot.vectors["time"][-1] == pytest.approx(20 * 1e-4, rel=1e-6)


@pytest.mark.ngspice
def test_ngspice_loads_it_and_prints_the_last_values(solution, tmp_path):
    write_raw(solution, tmp_path / "run.raw")
    script = [".control", "set noaskquit", "set numdgt=12", "load run.raw", "let last = length(time) - 1"]
    for name in ("time", "capacity_nats", "z_0", "z_2"):
        script += [f"let end_{name} = {name}[last]", f"print end_{name}"]
    (tmp_path / "load.cir").write_text("\n".join(["* loads", *script, "quit", ".endc", ".end", ""]), encoding="ascii")
    done = subprocess.run(["ngspice", "-b", "load.cir"], cwd=tmp_path, capture_output=True, text=True, check=False)
    found = {name: float(value) for name, value in re.findall(r"^end_(\w+) = (\S+)", done.stdout, re.M)}
    final = solution.run.final
    wanted = {
        "time": solution.run.end,
        "capacity_nats": final["capacity_nats"][0],
        "z_0": final["z"][0],
        "z_2": final["z"][2],
    }
    assert found == pytest.approx(wanted, rel=1e-11)


def test_spicelib_reads_it(solution, tmp_path):
    spicelib = pytest.importorskip("spicelib")
    raw = spicelib.RawRead(str(write_raw(solution, tmp_path / "run.raw")), dialect="ngspice")
    assert set(raw.get_trace_names()) == set(read_raw(tmp_path / "run.raw")[0].vectors)
    np.testing.assert_array_equal(raw.get_trace("z_1").get_wave(), solution.run.values["z"][:, 1])
    np.testing.assert_array_equal(raw.get_axis(), solution.run.time)


def test_the_command_line_writes_one_and_replaces_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savetxt("channel.csv", PAPER_ROWS, delimiter=",")
    wanted = ["solve", "capacity", "channel.csv", "--engine", "block", "--raw"]
    assert main([*wanted, "run.raw"]) == 0
    (plot,) = read_raw("run.raw")
    assert plot.vectors["capacity_nats"][-1] == pytest.approx(0.252343625741, abs=1e-8)
    for file, said in (("run.raw", "exists already"), ("nowhere/run.raw", "nowhere")):
        assert main([*wanted, file]) == 2
        assert said in capsys.readouterr().err
    assert not Path("nowhere").exists()
