"""The verbs that show what a circuit is made of: parts, levels, boards, and netlists of parts that run alone."""

import csv
import json
import re
import signal
import subprocess

import numpy as np
import pytest
from zoo import PAPER_CSV

from analogflow.cli import circuits, main
from analogflow.errors import SimulationFailed

OPTIMUM = [0.36450155, 0.41686585, 0.21863261]


@pytest.fixture
def channel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "channel.csv").write_text(PAPER_CSV)
    return "channel.csv"


def test_explain_lists_the_parts(channel, capsys):
    assert main(["explain", "capacity", channel, "--technology", "translinear"]) == 0
    shown = capsys.readouterr().out
    assert "parts, set precision" in shown
    assert "NPN transistor" in shown
    assert re.search(r"static power of amplifiers and multipliers: 0\.\d+ W", shown)


def test_explain_says_what_a_network_with_patterns_rests_in(tmp_path, capsys):
    """A mixture from a cue between two patterns, as solve notes it; of a law, which rests nowhere, nothing is said."""
    signs = [[-1, 1, -1, 1, -1, 1, -1, 1, -1, 1], [1, 1, 1, 1, 1, -1, -1, -1, -1, -1]]
    said = {}
    for name, more in {
        "mixture": {"gain_v": 4.0, "gain_h": 4.0, "start": [0.1 * (a + b) for a, b in zip(*signs, strict=True)]},
        "pattern": {"start": signs[1]},
        "law": {"temperature": 0.1},
    }.items():
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"patterns": signs} | more))
        assert main(["explain", "hopfield", str(file)]) == 0
        said[name] = capsys.readouterr().out
    assert "The network rests at a mixture of pattern 1 and pattern 2" in said["mixture"]
    assert "The network rests at pattern 2 (overlap" in said["pattern"]
    assert "rests at" not in said["law"]


@pytest.mark.ngspice
def test_explain_says_how_long_a_law_takes_or_why_no_time_will_do(tmp_path, capsys):
    """(x² − 1)²: Kramers' time of both crossings together is π/√32 e^(1/T)."""
    file = tmp_path / "well.json"
    for temperature, told in ((0.5, "chains of"), (0.025, "no length of a run will do")):
        file.write_text(json.dumps({"energy": "(x**2 - 1)**2", "variables": ["x"], "temperature": temperature}))
        assert main(["explain", "langevin", str(file)]) == 0
        shown = capsys.readouterr().out
        assert "On the engine ngspice" in shown
        assert told in shown
        slowest = float(re.search(r"changes of wells included, takes about (\S+) τ", shown)[1])
        assert slowest == pytest.approx(np.pi / 32**0.5 * np.exp(1 / temperature), rel=0.2)


@pytest.mark.slow
def test_explain_shows_the_error_of_every_level(channel, capsys):
    assert main(["explain", "capacity", channel, "--levels"]) == 0
    shown = capsys.readouterr().out
    for level in ("exact flow", "graph", "scaled graph", "ideal netlist", "op-amp netlist", "translinear netlist"):
        assert level in shown


def test_map_says_what_binds_and_exits_with_1(channel, capsys):
    assert main(["map", "capacity", channel, "--board", "lucidac", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["fits"] is False
    assert any("multipliers" in binding for binding in found["binding"])
    assert found["needs"]["multipliers"] > found["has"]["multipliers"]


@pytest.mark.slow
def test_map_refuses_what_comes_out_too_coarse_unless_more_is_allowed(channel, tmp_path, capsys):
    (tmp_path / "spikes.toml").write_text(
        'name = "spikes"\ntime = 100.0\n[states]\nv = -1.0\nw = 1.0\n[equations]\n'
        'v = "v - v ** 3 / 3 - w + 0.5"\nw = "0.08 * (v + 0.7 - 0.8 * w)"\n'
    )
    assert main(["map", "spikes.toml", "--board", "that", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["binding"][0].startswith("resolution: with coefficients of 10 bits v is ")
    assert found["followed"]["rounded"]["relative"] > found["limit"] == 0.01
    assert main(["map", "spikes.toml", "--board", "that", "--limit", "0.5"]) == 0
    assert "fits" in capsys.readouterr().out


def test_map_writes_the_configuration_where_it_fits(channel, tmp_path, capsys):
    (tmp_path / "rest.json").write_text(
        json.dumps({"U": [[0.3, 0.1], [0.1, 0.2]], "I": [0.5, -0.5], "gain_v": [[1, 0], [0, 1]], "gain_h": [[1, 0], [0, 1]],
                    "activation": "linear", "temperature": 0.0})
    )  # fmt: skip
    arguments = ["map", "hopfield", "rest.json", "--board", "lucidac", "-o", "board.json"]
    assert main(arguments) == 0
    assert "fits" in capsys.readouterr().out
    assert json.loads((tmp_path / "board.json").read_text())
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_board_that_nobody_lists_is_one_sentence(channel, capsys):
    assert main(["map", "capacity", channel, "--board", "lucidak"]) == 2
    fault = capsys.readouterr().err
    assert "'lucidak'" in fault
    assert "lucidac" in fault
    assert fault.count("\n") == 1


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("technology, within", [("opamp", 1e-2), ("translinear", 4e-4)])
def test_a_netlist_of_parts_runs_alone_and_its_parts_list_fits_it(channel, tmp_path, technology, within):
    arguments = ["netlist", "capacity", channel, "--technology", technology, "-o", "deck.cir", "--time", "100"]
    assert main([*arguments, "--parts-list", "parts.csv"]) == 0
    done = subprocess.run(
        ["ngspice", "-b", "-n", str(tmp_path / "deck.cir")], cwd="/", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = [float(x) for x in re.findall(r"answer_z_\d = (\S+)", done.stdout)]
    assert abs(np.array(answer) - OPTIMUM).max() < within
    text = (tmp_path / "deck.cir").read_text()
    rows = list(csv.DictReader((tmp_path / "parts.csv").read_text(encoding="utf-8").splitlines()))
    listed = sum(int(row["count"]) for row in rows if row["part"].endswith("transistor"))
    assert listed == len(re.findall(r"(?m)^Q", text))
    assert main([*arguments, "--force", "--parts-list", "parts.csv"]) == 0
    assert main([*arguments, "--parts-list", "./deck.cir", "--force"]) == 2
    assert main([*arguments, "--parts-list", "other.csv"]) == 2
    assert not (tmp_path / "other.csv").exists()


def test_ideal_elements_have_no_parts_list(channel, tmp_path, capsys):
    assert main(["netlist", "capacity", channel, "-o", "deck.cir", "--parts-list", "parts.csv"]) == 2
    assert "no parts to list" in capsys.readouterr().err
    assert not (tmp_path / "deck.cir").exists()


def test_delays_that_are_allowed_decide_the_time_constant(channel, tmp_path, capsys):
    scales = {}
    for fraction in ("0.0005", "0.005", "0.05"):
        deck = tmp_path / f"{fraction}.cir"
        words = ["netlist", "capacity", channel, "--technology", "opamp", "-o", str(deck), "--delay-fraction", fraction]
        assert main(words) == 0
        scales[fraction] = float(re.search(r"1 time constant is (\S+) s", deck.read_text())[1])
    assert scales["0.0005"] == pytest.approx(10 * scales["0.005"])
    assert scales["0.005"] == pytest.approx(10 * scales["0.05"])
    capsys.readouterr()
    assert main(["solve", "capacity", channel, "--technology", "opamp", "--delay-fraction", "0.5"]) == 2
    assert "delay_fraction is 0.5; give a number from 0.0001 to 0.25" in capsys.readouterr().err
    assert main(["explain", "capacity", channel, "--technology", "translinear", "--delay-fraction", "0.05"]) == 2
    assert "--delay-fraction has no effect in the technology 'translinear'" in capsys.readouterr().err


def test_a_supply_or_temperature_that_nothing_survives_is_refused(channel, capsys):
    assert main(["solve", "capacity", channel, "--technology", "opamp", "--temperature", "5000"]) == 2
    assert "is not a temperature from -100 to 200 °C" in capsys.readouterr().err


def test_a_netlist_is_there_before_its_answer_is_known(channel, monkeypatch, tmp_path):
    assert main(["netlist", "capacity", channel, "-o", "whole.cir"]) == 0
    whole = (tmp_path / "whole.cir").read_text().splitlines()

    def impatient(problem):
        assert (tmp_path / "a.cir").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(circuits, "expected_answer", impatient)
    handler = signal.getsignal(signal.SIGINT)
    assert main(["netlist", "capacity", channel, "-o", "a.cir"]) == 130
    signal.signal(signal.SIGINT, handler)
    assert (tmp_path / "a.cir").read_text().splitlines() == [line for line in whole if not line.startswith("* expected:")]
    assert len([line for line in whole if line.startswith("* expected:")]) == 2


def test_a_netlist_without_a_known_answer_says_so(channel, capsys, monkeypatch, tmp_path):
    def unknown(problem):
        raise SimulationFailed("the solution runs away.")

    monkeypatch.setattr(circuits, "expected_answer", unknown)
    assert main(["netlist", "capacity", channel, "-o", "a.cir"]) == 0
    assert "expected" not in (tmp_path / "a.cir").read_text()
    assert (
        capsys.readouterr().err == "analogflow: the netlist does not say what answer is expected: the solution runs away.\n"
    )
