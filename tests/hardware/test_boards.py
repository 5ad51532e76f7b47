"""Boards are read with where their numbers come from, and what is wrong in a file is said by name."""

import pytest

from analogflow.errors import BadInput
from analogflow.hardware import BOARDS, load_board
from analogflow.hardware.boards import KINDS

OWN = """
title = "two LUCIDACs' worth of nothing"
kind = "crossbar"
units = { integrators = 2, multipliers = 1, lanes = 5 }
largest_coefficient = { value = 10, source = "a label", verified = true }
coefficient_bits = 12
rate_per_second = 100
machine_unit_volts = 1
broken_lanes = [0, 3]
"""


@pytest.mark.parametrize("name", BOARDS)
def test_every_number_of_a_board_has_a_source(name):
    board = load_board(name)
    assert set(board.units) == set(KINDS[board.kind])
    for figure in board.figures().values():
        assert figure.value > 0
        assert len(figure.source) > 10
        assert not (figure.verified and figure.source.startswith("general knowledge"))
    assert board.title


def test_known_counts():
    assert load_board("lucidac").has == {"integrators": 8, "multipliers": 4, "lanes": 32}
    that = load_board("that").has
    assert that["comparators"] == 2
    assert (that["integrators"], that["multipliers"], that["summers"], that["potentiometers"]) == (5, 2, 4, 8)


def test_a_board_of_your_own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    board = load_board(path)
    assert (board.name, board.has["lanes"], board.broken_lanes) == ("own", 3, (0, 3))
    assert board.units["integrators"].source == "given by the user"
    assert board.largest_coefficient.verified


@pytest.mark.parametrize(
    "before, after, message",
    [
        (
            '"crossbar"',
            '"crosbar"',
            r"kind is 'crosbar', did you mean 'crossbar'\?; it must be one of: crossbar, patch, chip",
        ),
        ("lanes = 5", "lane = 5", r"units\.lane is not known, did you mean 'lanes'\?.*; units\.lanes is missing"),
        ("rate_per_second", "rate_per_secnod", r"rate_per_secnod is not known, did you mean 'rate_per_second'\?"),
        ("lanes = 5", "lanes = 5.5", r"units\.lanes is 5\.5, but must be a whole number"),
        ("lanes = 5", "lanes = -5", r"units\.lanes is -5, but must be a number of 0 or more"),
        ("lanes = 5", "lanes = 64", r"units\.lanes is 64, but the configuration of a crossbar has room for 32"),
        ("value = 10,", "value = 100,", r"largest_coefficient is 100, but the configuration of a crossbar has room for 10"),
        ("coefficient_bits = 12", "coefficient_bits = 99", r"coefficient_bits is 99, but must be from 1 to 52"),
        ("machine_unit_volts = 1", "machine_unit_volts = 0", r"machine_unit_volts is 0, but must be positive"),
        ("[0, 3]", "[0, 9]", r"broken_lanes is \[0, 9\], but must list lanes from 0 to 4 once each"),
        ('source = "a label", ', "", r"largest_coefficient needs a source \(text\) and verified"),
        ("source =", "sorce =", r"sorce is not known, did you mean 'source'\?"),
        ("kind", "kind kind", r"can not be parsed"),
        ("units = {", "units = 3 #", r"units is 3; give a table with integrators, multipliers, lanes"),
    ],
)
def test_a_file_that_is_no_board_is_refused(tmp_path, before, after, message):
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        load_board(path)


def test_a_patch_panel_may_say_nothing_of_comparators(tmp_path):
    path = tmp_path / "panel.toml"
    units = (
        "integrators",
        "multipliers",
        "summers",
        "inverters",
        "potentiometers",
        "inputs_of_integrator",
        "inputs_of_summer",
    )
    text = OWN.replace('"crossbar"', '"patch"').replace("broken_lanes = [0, 3]", "")
    text = text.replace("integrators = 2, multipliers = 1, lanes = 5", ", ".join(f"{unit} = 4" for unit in units))
    path.write_text(text, encoding="utf-8")
    assert load_board(path).has["comparators"] == 0
    assert not load_board(path).comparators
    path.write_text(text.replace("inputs_of_summer = 4", "inputs_of_summer = 9"), encoding="utf-8")
    with pytest.raises(
        BadInput, match=r"units.inputs_of_summer is 9, but the configuration of a patch panel has room for 7"
    ):
        load_board(path)
    path.write_text(text.replace("multipliers = 4, summers", "multipliers = 4, comparators = 1, summers"), encoding="utf-8")
    assert load_board(path).comparators


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(BadInput, match=r"'lucidak' is not known, did you mean 'lucidac'\?; known are: lucidac, that"):
        load_board("lucidak")
    with pytest.raises(BadInput, match=r"'nowhere.toml' does not exist; give the path of a TOML file of a board"):
        load_board("nowhere.toml")
