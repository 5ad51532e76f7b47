"""Comparisons: every solver earns its certificate, a wrong answer gets none, and nobody wins at another accuracy."""

import dataclasses
import json
import math

import numpy as np
import pytest

import analogflow as af
from analogflow.cli import main
from analogflow.comparison import contenders_of, judge_of, prices
from analogflow.comparison.solvers import SOLVERS
from analogflow.errors import BadInput
from analogflow.problems import Attention, Hopfield, Langevin, RateDistortion, Transport
from analogflow.report import alt_text, plot_comparison

PAPER = af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
PROBLEMS = {
    "capacity": PAPER,
    "rate-distortion": RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=2.0),
    "transport": Transport(cost=1 - np.eye(3), row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B=np.eye(3), V=np.eye(3), beta=1.0, time=4.0),
    "hopfield": Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], activation="tanh", temperature=0.0),
    "langevin": Langevin(energy="x**2/2", variables=["x"], temperature=0.5),
}
EXACT = {  # solvers of each family that must reach a certified 1e-9
    "capacity": ("blahut-arimoto", "over-relaxed", "interior-point"),
    "rate-distortion": ("blahut", "interior-point"),
    "transport": ("sinkhorn", "newton"),
    "attention": ("dop853",),
    "hopfield": ("newton",),
    "langevin": ("ornstein-uhlenbeck",),
}


def digital(family):
    return [solver.name for solver in SOLVERS[family]]


@pytest.mark.parametrize("family", PROBLEMS)
def test_digital_solvers_reach_what_they_are_certified_for(family):
    found = af.compare(PROBLEMS[family], only=digital(family), seconds=1.0)
    assert [c.name for c in found.contenders] == digital(family)
    assert any(c.reached for c in found.contenders)
    fine = {c.name for c in found.contenders if c.delivered <= 1e-9}
    known = set(digital(family))
    assert {name for name in EXACT[family] if name in known} <= fine, [
        (c.name, c.delivered, c.note) for c in found.contenders
    ]
    for contender in found.contenders:
        assert contender.delivered == min((p.error for p in contender.points), default=math.inf)
        if contender.at is not None:
            assert contender.at.error <= found.accuracy


def test_wrong_answers_get_no_certificate():
    judge = judge_of(PAPER)
    exact = af.solve(PAPER, engine="block").certificate.reference["input_distribution"]
    assert judge.error(np.array(exact)) < 1e-9
    assert judge.error(np.ones(3) / 3) > 1e-2
    assert judge.error(np.array([1.0, 0.0, 0.0])) > 0.1
    transport = judge_of(PROBLEMS["transport"])
    assert transport.error((np.zeros((3, 3)), None)) > 0.5  # a plan that moves nothing
    assert judge_of(PROBLEMS["langevin"]).error((np.array([0.0]), np.array([[5.0]]))) > 1


@pytest.mark.ngspice
def test_circuits_and_solvers_are_compared_at_one_accuracy():
    found = af.compare(PAPER, only=["opamp:logdomain", "translinear:logdomain", "blahut-arimoto"], seconds=0.5)
    board, transistors, cpu = found.contenders
    assert board.at.joules == pytest.approx(board.watts * board.at.seconds)
    assert board.at.seconds == pytest.approx(board.time_constant * board.at.time_constants)
    assert transistors.at.time_constants == pytest.approx(18.2, rel=0.03)  # that of the flow itself
    assert found.winner("energy").name == cpu.name  # at three symbols a processor beats a board
    assert found.winner("time").name == cpu.name
    finer = dataclasses.replace(
        found, accuracy=1e-6, contenders=tuple(dataclasses.replace(c, at=None) for c in (board, cpu))
    )
    with pytest.raises(BadInput, match=r"came nearest with .*not comparable"):
        finer.winner("energy")
    rows = {row.circuit: row for row in found.break_even}
    level = rows["translinear:logdomain"]
    assert level.time_constant_for_time == pytest.approx(cpu.at.seconds / level.settling)
    assert level.chip_joules == pytest.approx(level.chip_watts * level.chip_time_constant * level.settling)
    figure = plot_comparison(found)
    assert "translinear:logdomain" in alt_text(figure)


def test_a_throughput_is_no_time():
    found = af.compare(PAPER, only=["interior-point", "interior-point-batch"], seconds=0.5)
    one, many = found.contenders
    assert many.at.seconds < one.at.seconds
    assert many.value("time") is None
    assert one.value("time") == one.at.seconds


def test_the_command_line_prints_one_object_and_repeats_a_row(tmp_path, capsys):
    (tmp_path / "p.csv").write_text("0.7,0.2,0.1\n0.1,0.8,0.1\n0.25,0.25,0.5\n")
    arguments = ["compare", "capacity", str(tmp_path / "p.csv"), "--seconds", "0.3", "--only", "over-relaxed"]
    assert main([*arguments, "--only", "ideal:logdomain", "--json", "--figure", str(tmp_path / "c.svg")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"flow", "accuracy", "effective_bits", "contenders", "winner", "refused", "break_even", "assumptions"} <= set(
        said
    )
    assert said["contenders"][1]["command"].startswith("analogflow compare capacity")
    assert said["winner"]["energy"] is None
    assert (tmp_path / "c.svg").exists()
    assert main([*arguments, "--accuracy", "1e-4"]) == 0
    assert "Assumed:" in capsys.readouterr().out
    words = said["contenders"][1]["command"].split()[1:]
    assert main([*words, "--json"]) == 0


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--only", "abacus"], "is no contender"),
        (["--accuracy", "0"], "positive"),
        (["--energy", "nowhere.toml"], "nowhere.toml"),
        (["--seed", "-1"], "whole number"),
        (["--figure", "a.txt"], "must end in"),
    ],
)
def test_bad_input_is_a_sentence(more, sentence, tmp_path, capsys):
    (tmp_path / "p.csv").write_text("0.7,0.3\n0.1,0.9\n")
    assert main(["compare", "capacity", str(tmp_path / "p.csv"), *more]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_prices_are_read_and_refused(tmp_path):
    assert prices(None)["multiply_add"] > 0
    path = tmp_path / "energy.toml"
    path.write_text('[multiply_ad]\nvalue = 1.0\nunit = "J"\nsource = "a guess"\n')
    with pytest.raises(BadInput, match="multiply_ad"):
        prices(path)


def test_every_contender_has_a_name_of_its_own():
    for family in PROBLEMS:
        names = contenders_of(family)
        assert len(names) == len(set(names))
