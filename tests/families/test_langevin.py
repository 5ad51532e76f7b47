"""A law without a fourth moment: its covariance has no standard error, and nothing is concluded of it."""

import numpy as np
import pytest

from analogflow import Langevin
from analogflow.families.langevin import _heavy  # pyright: ignore[reportPrivateUsage]
from analogflow.judgement import certify
from analogflow.run import Outcome, Run


def student(power: float) -> Run:
    """Independent values of the law (1 + x²)^(−power/2), which is Student's of power − 1 degrees, in units of their root."""
    values = np.random.default_rng(3).standard_t(power - 1, size=20_000) / np.sqrt(power - 1)
    return Run(np.arange(20_000.0), {"x": values[:, None]}, Outcome.COMPLETED)


@pytest.mark.parametrize(("power", "tells"), [(4.0, False), (5.0, False), (12.0, True)])
def test_squares_without_a_variance_are_not_judged(power, tells):
    problem = Langevin(f"{power / 2!r}*log(1 + x**2)", ["x"], 1.0)
    mean, covariance = certify(problem, student(power), limit=1e-3).checks[1:]
    assert mean.passed
    assert covariance.passed is tells
    if not tells:
        assert covariance.verdict == "too few samples to tell"
        assert f"falls like r^-{power:g} only" in covariance.detail


@pytest.mark.parametrize(
    ("energy", "heavy"),
    [("2.75*log(1 + x**2) + y**2", False), ("2*log(1 + x**2) + y**2", True), ("2.9*log(1 + x**2 + y**2)", True)],
)
def test_one_heavy_direction_is_told_from_all(energy, heavy):
    assert bool(_heavy(Langevin(energy, ["x", "y"], 1.0))) is heavy
