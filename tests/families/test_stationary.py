"""Averages over one run: standard errors that hold, laws of large numbers, and what is refused."""

import math
import re

import numpy as np
import pytest
from scipy.signal import lfilter

from analogflow import Averaging, Flow, Hopfield, Langevin, Noise, Outcome, Run, compile, degrade, netlist, simulate, solve
from analogflow.errors import BadInput
from analogflow.families.averages import average
from analogflow.families.stationary import joint_limit, law_checks, law_of
from analogflow.graph import white_noise

RATES = np.array([1.0, 0.5])
STEP = 0.02


def relaxation(x, rates, density):
    return -rates * x + white_noise(x, density)


def autoregressive(seed, correlation, shape):
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(lfilter([math.sqrt(1 - correlation**2)], [1.0, -correlation], noise, axis=0))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, -0.5])
def test_standard_error_is_that_of_an_autoregressive_series(correlation):
    """Var of the mean of N values of an AR(1) is (1 + r)/(1 − r)/N."""
    series = autoregressive(1, correlation, (20_000, 200))
    found = average(series[200:])
    exact = math.sqrt((1 + correlation) / (1 - correlation) / 19_800)
    assert found.error.mean() == pytest.approx(exact, rel=0.12)
    assert (found.error > 0.8 * exact).mean() > 0.95
    assert found.mean.std() == pytest.approx(exact, rel=4 / math.sqrt(2 * 200))
    assert (abs(found.mean) > 3 * found.error).mean() <= 0.03


def test_joint_limit():
    # P(|z| > 3.26) = 0.01/9: nine tests of a verdict, and each number of ten has a tenth of its test's share.
    assert joint_limit(1) == pytest.approx(3.2608, abs=1e-3)
    assert math.erfc(joint_limit(10) / math.sqrt(2)) == pytest.approx(math.erfc(joint_limit(1) / math.sqrt(2)) / 10)


def test_joint_limit_of_errors_from_few_values():
    """Of a mean's deviation over its own error from 12 values, P(beyond the limit) is that for a normal number."""
    values = np.random.default_rng(0).normal(size=(400_000, 12))
    off = abs(values.mean(axis=1)) / (values.std(axis=1, ddof=1) / np.sqrt(12))
    expected = math.erfc(joint_limit(1) / math.sqrt(2))
    found = (off > joint_limit(1, samples=12)).mean()
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected / len(off)))
    assert (off > joint_limit(1)).mean() > 3 * expected


def run_of(flow, engine, seed=0):
    averaging = flow.averaging
    circuit = degrade(compile(flow), noise=Noise(0.0, seed, averaging.noise_step))
    return simulate(netlist(circuit, time_constants=averaging.end), engine=engine, resting_speed=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_law_of_a_run_is_that_of_the_process(engine):
    flow = Flow(
        relaxation, {"x": np.ones(2)}, constants={"rates": RATES, "density": 0.4}, averaging=Averaging(400.0, 10.0, STEP)
    )
    run = run_of(flow, engine)
    assert run.outcome is Outcome.STATIONARY
    law = law_of(run, ["x"], skipped=10.0)
    covariance = np.diag(0.4**2 / (2 * RATES))
    # To first order the knots take (7/30) NT B Bᵀ whatever the rates.
    lost = 7 / 30 * STEP * 0.4**2 * np.eye(2)
    for rate, variance in zip(RATES, np.diag(covariance - lost), strict=True):
        exact = 0.4**2 / (2 * rate) * Noise(1.0, 0, STEP).variance_share(1 / rate)
        assert exact == pytest.approx(variance, rel=1e-3)
    assert all(check.passed for check in law_checks(law, [0.0, 0.0], covariance - lost, accuracy=0.4))
    # A squared Ornstein-Uhlenbeck process forgets at twice its rate.
    assert law.covariance_effective == pytest.approx(400 * 0.5, rel=0.5)
    assert not all(check.passed for check in law_checks(law, [0.0, 0.0], 2 * covariance))
    assert not all(check.passed for check in law_checks(law, [0.0, 0.2], covariance))
    off = 0.2 / math.sqrt(covariance[1, 1])
    assert all(check.passed for check in law_checks(law, [0.0, 0.2], covariance, accuracy=0.4, allowed=off))


def test_too_short_a_run_is_refused():
    run = Run(np.linspace(0, 5, 50), {"x": np.zeros((50, 1))}, Outcome.COMPLETED)
    with pytest.raises(BadInput, match=r"averaging: the run ends at 5 τ with 0 points after 6 τ, and needs 100"):
        law_of(run, ["x"], skipped=6.0)


@pytest.mark.parametrize("fields", [(0.0, 1.0), (1.0, -1.0), (math.inf, 1.0), (1.0, 1.0, 0.0)])
def test_averaging_over_nothing_is_refused(fields):
    with pytest.raises(BadInput, match=r"must have a positive time and noise_step, and skip no less than 0"):
        Averaging(*fields)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_standard_errors_go_with_the_unit(unit):
    series = autoregressive(5, 0.5, (2000, 1))
    one, other = average(series), average(unit * series)
    assert other.error / unit == pytest.approx(one.error)
    assert other.effective == pytest.approx(one.effective)


def test_a_run_that_does_not_fluctuate_is_said_not_to():
    still = Run(np.linspace(0, 10, 500), {"x": np.ones((500, 1))}, Outcome.COMPLETED, "")
    (check,) = law_checks(law_of(still, ["x"], skipped=0.0), [1.0], [[1e-300]])
    assert not check.passed
    assert "state 1 of 1 does not fluctuate" in check.detail


@pytest.mark.parametrize("time", [40.0, 200.0])
@pytest.mark.parametrize(
    "problem",
    [
        Langevin("x**2 / 2", ["x"], 0.5),
        Hopfield([[0.3]], [0.5], activation="linear", temperature=0.2),
        Hopfield([[0.3]], [0.5], activation="tanh", temperature=0.2),
    ],
)
def test_a_netlist_averages_what_its_certificate_does(problem, time):
    solution = solve(problem, engine="block", time_constants=time)
    law, windows = solution.certificate.law, set(re.findall(r"from=(\S+) to=(\S+)", solution.deck.text))
    assert law is not None
    assert [float(to) - float(start) for start, to in windows] == [pytest.approx(law.length, rel=1e-9)]
