"""Figures of the paper on tokens on a sphere: circuits are right, corrected formulas hold, wrong ones differ."""

import functools

import pytest

from analogflow.reproduction import FIGURES, reproduce


@functools.cache
def findings(number):
    return {finding.claim: finding for finding in reproduce(f"attention-figure-{number}").findings}


def one(number, words):
    (finding,) = (finding for claim, finding in findings(number).items() if words in claim)
    return finding


@pytest.mark.parametrize("number", range(1, 11))
def test_circuits_agree_and_corrections_hold(number):
    assert f"attention-figure-{number}" in FIGURES
    found = {claim: finding.verdict for claim, finding in findings(number).items()}
    circuits = [verdict for claim, verdict in found.items() if claim.startswith("circuit of")]
    assert circuits
    assert set(circuits) == {"agrees"}
    assert {verdict for claim, verdict in found.items() if "corrected" in claim} <= {"agrees"}
    assert found["the very curves of the figure"] == "cannot be reproduced"


def test_the_printed_bound_fails_at_the_start():
    printed = one(1, "as printed")
    assert printed.verdict == "differs"
    assert float(printed.difference) == pytest.approx(0.09996 - 0.01007, abs=0.001)


def test_the_printed_algorithm_is_not_the_euler_method():
    assert one(3, "Algorithm 1").verdict == "differs"


@pytest.mark.parametrize("number", [8, 9])
def test_the_printed_energy_does_not_fall(number):
    assert one(number, "as the paper prints it").verdict == "differs"


def test_not_every_pair_of_matrices_ends_at_its_value_space():
    assert one(4, "other random pairs").verdict == "differs"
