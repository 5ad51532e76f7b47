"""Inputs given as points, on boards: where a generator is patched, and what it has to play."""

import re

import pytest

from analogflow import Equations
from analogflow.cli import main
from analogflow.families.files import read_problem
from analogflow.flows import custom
from analogflow.hardware import map_flow

RESONATOR = "examples/flows/driven_resonator.toml"


@pytest.mark.parametrize(("board", "volts", "second"), [("lucidac", 2.0, 1e-4), ("that", 10.0, 1e-3)])
def test_a_board_says_what_a_generator_has_to_play(board, volts, second):
    found = map_flow(custom(read_problem(RESONATOR)), board)
    assert not found.fits
    (said,) = found.binding
    assert "push(t) to where the rate of y_dot is summed" in said
    assert "it plays -1 to 1" in said
    found_numbers = re.search(r"which (\S+) V .* 1 τ is (\S+) s.* lasts (\S+) s and all of it (\S+) s$", said)
    assert found_numbers is not None
    numbers = [float(number) for number in found_numbers.groups()]
    assert numbers == pytest.approx([volts, second, 0.5 * second, 6 * second])
    assert "constant in a generator's place" in found.note


def test_what_is_left_is_counted_as_with_a_constant():
    points = {"times": [0.0, 1.0, 2.0], "values": [0.0, -0.5, 0.25]}
    states, equations = {"x": 0.0, "y": 0.1}, {"x": "u - x * y", "y": "x - 2 * u"}
    played = map_flow(custom(Equations(states, equations, inputs={"u": points}, time=3.0)), "lucidac")
    constant = map_flow(custom(Equations(states, equations, definitions={"u": "-0.5"}, time=3.0)), "lucidac", limit=1.0)
    assert "rate of x and y" in played.binding[0]
    assert "4 V for 1 of it" in played.binding[0]
    assert played.needs == constant.needs


def test_command_line_answers_instead_of_refusing(capsys):
    assert main(["map", RESONATOR]) == 1
    assert "generator" in capsys.readouterr().out
