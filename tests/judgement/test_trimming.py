"""Trimmers: what they do is what a formula says, a drawn board comes back, and what can not be trimmed is refused."""

import dataclasses
import json

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import BipolarTransistor, Resistor
from analogflow.circuit.trimmers import LARGEST, STEP, summing_nodes, with_trimmers
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.hardware.parts_list import parts_list
from analogflow.judgement.trimming import best_trimmers, bits_of, exact_answer, trim, trim_slopes
from analogflow.reference import capacity_reference

V_T = 8.617333262e-5 * 300.15
EXAMPLE = "examples/data/paper_channel.csv"


@pytest.fixture(scope="module")
def circuit():
    return af.choose_values(af.compile(af.flows.capacity(PAPER), technology="translinear"))


def sensitivity():
    P, z = PAPER.transition, capacity_reference(PAPER).input_distribution
    M = P @ np.diag(1 / (P.T @ z)) @ P.T
    return np.linalg.inv(np.block([[M, np.ones((3, 1))], [np.ones((1, 3)), np.zeros((1, 1))]]))[:3, :3]


@pytest.mark.ngspice
def test_a_wiper_moves_the_answer_by_the_sensitivity_times_its_share_of_a_leg(circuit):
    """A rate falls with the current into an inverting integrator; 1/W of a row that was scaled as it was rounded."""
    exact = af.compile(af.flows.capacity(PAPER), technology="translinear")
    expected = -sensitivity() * 10e3 / 4.99e6 / V_T
    np.testing.assert_allclose(trim_slopes(exact), expected, rtol=0, atol=0.03 * abs(expected).max())
    scaled = trim_slopes(circuit)
    np.testing.assert_allclose(scaled, expected, rtol=0, atol=0.15 * abs(expected).max())


def test_the_answer_that_is_trimmed_to_is_the_references(circuit):
    np.testing.assert_allclose(exact_answer(circuit), capacity_reference(PAPER).input_distribution, atol=1e-7)


@pytest.mark.ngspice
def test_a_board_comes_back_and_stays_near_when_it_is_warmer(circuit):
    found = trim(circuit, seed=3, temperatures_celsius=(70.0,))
    assert list(found.before) == list(found.after) == [pytest.approx(27.0), 70.0]
    before, after = (abs(np.array(list(each.values()))).max(axis=1) for each in (found.before, found.after))
    assert before.min() > 1e-2
    assert after[0] < 1e-3
    assert after[0] == pytest.approx(found.left)
    assert 1e-3 > after[1] / 5 > 0
    again = af.simulate(af.netlist(found.circuit, time_constants=100.0)).final["z"]
    np.testing.assert_allclose(again - exact_answer(circuit), next(iter(found.after.values())), atol=1e-9)
    steps = np.array(list(found.volts.values())) / STEP
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    assert not found.limited


@pytest.mark.ngspice
def test_the_board_that_is_warmed_is_the_board_that_was_trimmed(circuit):
    """Each junction and resistor: its own values, but for what the set says of a kelvin."""
    parts = dataclasses.replace(circuit.parts, tolerances=dataclasses.replace(circuit.parts.tolerances, gradient=0.0))
    cold = dataclasses.replace(circuit, build=dataclasses.replace(circuit.build, parts=parts))
    from analogflow.judgement.trimming import _drawn

    boards = [_drawn(cold, kelvin, 3, 0, {}) for kelvin in (300.15, 343.15)]
    first, second = ({e.name: e for e in board.elements if isinstance(e, BipolarTransistor)} for board in boards)
    assert all(first[name].area == pytest.approx(second[name].area, rel=1e-12) for name in first)
    first, second = ({e.name: e for e in board.elements if isinstance(e, Resistor)} for board in boards)
    drift = 1 + parts.tolerances.resistor_drift * 43
    assert all(second[name].resistance == pytest.approx(first[name].resistance * drift, rel=1e-9) for name in first)


def test_trimmers_are_chosen_that_leave_least_variance():
    rng = np.random.default_rng(4)
    slopes, root = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    covariance = root @ root.T
    draws = rng.multivariate_normal(np.zeros(4), covariance, size=4000)
    for count in (1, 2, 3):
        import itertools

        def left(used):
            fitted, *_ = np.linalg.lstsq(slopes[:, used], draws.T, rcond=None)
            return float(np.square(slopes[:, used] @ fitted - draws.T).sum())

        tried = {used: left(used) for used in itertools.combinations(range(4), count)}
        assert tried[best_trimmers(slopes, covariance, count)] < 1.05 * min(tried.values())


def test_trimmers_are_parts_of_the_list(circuit):
    listed = parts_list(with_trimmers(circuit, dict.fromkeys(summing_nodes(circuit), 0.1)))
    assert listed.count("trimmer") == 3
    assert listed.count("resistor") == parts_list(circuit).count("resistor") + 3


def test_bits_are_those_of_a_converter():
    assert bits_of(np.full(3, 2.0**-8 / np.sqrt(12))) == pytest.approx(8.0)


@pytest.mark.ngspice
def test_the_command_line_tells_what_is_left(capsys):
    words = ["solve", "capacity", EXAMPLE, "--technology", "translinear", "--trim", "2", "--seed", "3", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["volts"]) == 2
    assert [row["celsius"] for row in told["after"]] == [pytest.approx(27.0), 0.0, 70.0]
    assert told["after"][0]["largest_error"] < 1e-3 < told["before"][0]["largest_error"]
    assert told["after"][0]["bits"] > told["before"][0]["bits"] + 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--technology", "translinear", "--trim", "4"], "trim: 4 trimmers can not be set; the circuit has 3 integrators"),
        (["--technology", "translinear", "--trim", "--mismatch", "0.1"], "leave out --mismatch"),
        (["--technology", "translinear", "--trim", "--report", "x.html"], "leave out --report"),
        (["--trim"], "has no parts"),
    ],
)
def test_what_can_not_be_trimmed_is_one_sentence(words, said, capsys):
    assert main(["solve", "capacity", EXAMPLE, *words]) == 2
    assert said in capsys.readouterr().err


def test_a_board_that_deviates_already_is_refused(circuit):
    with pytest.raises(BadInput, match="give one without flaws"):
        trim(af.sample_parts(circuit, seed=1))
    assert LARGEST / STEP == pytest.approx(500)
