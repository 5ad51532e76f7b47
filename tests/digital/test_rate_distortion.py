"""Blahut's iteration stops at a gap that an independent certificate confirms."""

import numpy as np
import pytest

from analogflow.digital import blahut_iteration
from analogflow.errors import BadInput
from analogflow.problems import RateDistortion
from analogflow.reference import rate_distortion_certificate, rate_distortion_reference

HAMMING = RateDistortion([0.4, 0.3, 0.2, 0.1], 1 - np.eye(4), 3.0)


@pytest.mark.parametrize("gap", [1e-3, 1e-9])
def test_the_gap_is_what_the_certificate_says(gap):
    run = blahut_iteration(HAMMING, gap=gap)
    assert run.converged
    assert rate_distortion_certificate(HAMMING, run.reproduction).gap == pytest.approx(run.gap, abs=1e-14)
    assert run.gap <= gap
    wrong = np.roll(run.reproduction, 1)
    assert rate_distortion_certificate(HAMMING, wrong).gap > 1e-2


def test_a_limit_is_no_error():
    run = blahut_iteration(HAMMING, gap=1e-12, most=3)
    assert (run.iterations, run.converged) == (3, False)


def test_the_reference_stops_where_it_is_told_to():
    rough, sharp = rate_distortion_reference(HAMMING, gap=1e-3), rate_distortion_reference(HAMMING)
    assert sharp.gap < 1e-12 < rough.gap <= 1e-3
    assert rough.sweeps + rough.steps < sharp.sweeps + sharp.steps
    with pytest.raises(BadInput, match="gap is 0; give a positive number of nats"):
        rate_distortion_reference(HAMMING, gap=0)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(BadInput, match="gap is 0; give a number above 0"):
        blahut_iteration(HAMMING, gap=0)
