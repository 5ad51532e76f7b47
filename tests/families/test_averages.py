"""Averages over chains: standard errors that hold, and R-hat and effective sample sizes as another program has them."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from analogflow.families.averages import average, halves, mixing_of, r_hat


def autoregressive(seed, correlation, shape):
    """Chains, shape (chains, points), that begin at 0."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(lfilter([math.sqrt(1 - correlation**2)], [1.0, -correlation], noise, axis=-1))


@pytest.mark.parametrize(
    ("chains", "points", "correlation", "apart", "effective", "error", "bulk", "ratio"),
    [
        (4, 1000, 0.9, 0.0, 171.7317373, 0.07971057497, 171.5696199, 1.015634782),
        (4, 1001, 0.5, 0.0, 1213.308121, 0.02914673243, 1217.422819, 1.001659103),
        (8, 400, 0.7, 1.5, 44.47452312, 0.1687324481, 44.14526066, 1.138528031),
        (4, 1000, 0.9, 3.0, 8.211393361, 0.5000934942, 8.229397213, 1.435665921),
    ],
)
def test_numbers_are_those_of_arviz(chains, points, correlation, apart, effective, error, bulk, ratio):
    """ArviZ 0.23.4: ess(method="mean"), mcse(method="mean"), ess(method="bulk") and rhat(method="rank") of the same chains.

    Its mcse takes the plain variance of all values, ours the one that R-hat has, which is larger where chains are apart. Of
    chains so far apart that correlations last to their end it leaves out the last pairs of them.
    """
    values = autoregressive(20, correlation, (chains, points)) + apart * np.arange(chains)[:, None] / chains
    found, mixing = average(halves(values)[:, :, None]), mixing_of(values[:, :, None], rarity=1e-3)
    assert found.effective[0] == pytest.approx(effective, rel=0.02)
    assert found.error[0] == pytest.approx(error, rel=0.05)
    assert found.error[0] >= error * (1 - 1e-3)
    assert mixing.effective == pytest.approx(bulk, rel=0.02)
    assert mixing.r_hat == pytest.approx(ratio, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("chains", "points"), [(4, 3000), (64, 1500)])
def test_errors_of_means_over_chains_hold(chains, points):
    """Beyond 2.58 standard errors lies one mean in 100; of 400, more than 12 by chance in one set of 1000."""
    off = 0
    for seed in range(400):
        found = average(halves(autoregressive(seed, 0.9, (chains, points + 100))[:, 100:])[:, :, None])
        exact = math.sqrt(1.9 / 0.1 / (chains * points))
        assert found.error[0] == pytest.approx(exact, rel=0.5)
        off += abs(found.mean[0]) > 2.576 * found.error[0]
    assert off <= 12


@pytest.mark.slow
def test_chains_of_one_law_seldom_contradict_each_other_and_others_do():
    """Of 300 sets of four right chains 3 may be called apart; 10 or more are, by chance, in one of 500."""
    apart = 0
    for seed in range(300):
        mixing = mixing_of(autoregressive(seed, 0.9, (4, 4100))[:, 100:, None], rarity=0.01)
        apart += mixing.spread > mixing.allowed
    assert apart < 10
    for seed in range(20):
        wells = autoregressive(seed, 0.9, (4, 1000)) + 5.0 * np.array([1, -1, 1, -1])[:, None]
        mixing = mixing_of(wells[:, :, None], rarity=0.001)
        assert mixing.r_hat > 1.5
        assert mixing.spread > mixing.allowed


def test_chains_of_equal_means_and_different_widths_are_told_apart():
    values = autoregressive(3, 0.5, (4, 2000)) * np.array([1.0, 1.0, 1.0, 3.0])[:, None]
    assert r_hat(values) > 1.05


def test_a_series_that_does_not_move_has_no_error():
    assert average(np.ones((200, 1))).error == 0
    assert average(np.ones((4, 200, 1))).error == 0


def test_chains_that_stand_still_in_different_places_know_nothing():
    mixing = mixing_of(np.repeat(np.arange(4.0), 200).reshape(4, 200, 1), rarity=0.01)
    assert mixing.spread > 1e20
    assert average(np.repeat(np.arange(4.0), 200).reshape(4, 200, 1)).effective[0] == pytest.approx(4, rel=0.5)
