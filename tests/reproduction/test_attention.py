"""Figures of the paper on tokens on a sphere: circuits are right, corrected formulas hold, wrong ones differ."""

import pytest

from analogflow.reproduction import FIGURES, reproduce

ATTENTION = [name for name in FIGURES if name.startswith("attention")]


@pytest.mark.parametrize("name", ATTENTION)
def test_circuits_agree_and_corrections_hold(name):
    found = {finding.claim: finding.verdict for finding in reproduce(name).findings}
    circuits = [verdict for claim, verdict in found.items() if claim.startswith("circuit of")]
    assert circuits
    assert set(circuits) == {"agrees"}
    assert {verdict for claim, verdict in found.items() if "corrected" in claim} <= {"agrees"}
    assert found["the very curves of the figure"] == "cannot be reproduced"


def test_printed_bound_and_printed_algorithm_differ():
    found = {finding.claim: finding for finding in reproduce("attention-figure-1").findings}
    printed = next(finding for claim, finding in found.items() if "as printed" in claim)
    assert printed.verdict == "differs"
    assert float(printed.difference) == pytest.approx(0.09996 - 0.01007, abs=0.001)
