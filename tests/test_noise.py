"""Noise: the same bits everywhere, independent streams, and the variance that straight lines between knots lose."""

import hashlib
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.signal import periodogram, welch

from analogflow.errors import BadInput
from analogflow.noise import Noise, check_sample, standard_normal


def test_the_same_bits_as_ever():
    knots = Noise(0.1, seed=7).knots([0, 5], [0, 3], 10)
    assert knots.shape == (2, 101, 2)
    # Written down once: a change of these digits breaks the repeatability of every study ever made.
    assert hashlib.sha256(knots.tobytes()).hexdigest()[:16] == "f73f0412050d0ae8"


def test_chains_are_independent_and_the_first_two_keep_their_bits():
    """Correlations of 20,001 numbers beyond 0.04 are 5.6 standard errors."""
    played = [Noise(0.1, seed=7, chain=chain).knots([0, 5], [0, 3], 10) for chain in (0, 1)]
    assert [hashlib.sha256(knots.tobytes()).hexdigest()[:16] for knots in played] == ["f73f0412050d0ae8", "2936db97fce909e9"]
    chains = [Noise(0.1, 7, chain=chain).knots([5], [0, 1], 2000)[0].T for chain in (0, 1, 2, 3, 4, 2**24 - 1)]
    apart = np.corrcoef(np.concatenate(chains)) - np.eye(12)
    assert abs(apart).max() < 0.04
    for chain in (-1, 2**24, 0.5):
        with pytest.raises(BadInput, match="there is no chain"):
            Noise(0.1, chain=chain)


def test_the_same_bits_in_another_process():
    code = (
        "import sys; from analogflow.noise import Noise; sys.stdout.buffer.write(Noise(1.0, 3).knots([2], [1], 5).tobytes())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert other == Noise(1.0, 3).knots([2], [1], 5).tobytes()


def test_any_sample_and_source_can_be_drawn_alone():
    together = Noise(1.0, 11).knots(range(4), range(3), 7)
    assert (Noise(1.0, 11).knots([2], [1], 7)[0, :, 0] == together[2, :, 1]).all()
    longer = Noise(1.0, 11).knots([2], [1], 14)[0, :, 0]
    assert (longer[: together.shape[1]] == together[2, :, 1]).all()


def test_streams_are_standard_normal_and_independent():
    drawn = standard_normal(5, range(40), 0, 5000)
    # Fixed seed; the chance of a false alarm is 1e-4 for each.
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-4
    other = standard_normal(5, range(40), 1, 5000)
    assert stats.pearsonr(drawn.ravel(), other.ravel()).pvalue > 1e-4
    assert stats.pearsonr(drawn[0], drawn[1]).pvalue > 1e-4
    assert stats.pearsonr(drawn[0], standard_normal(6, [0], 0, 5000)[0]).pvalue > 1e-4


@pytest.mark.parametrize("ratio", [0.005, 0.05, 0.1, 0.5, 2.0])
def test_the_share_of_the_variance_is_that_of_the_spectrum(ratio):
    def density(f):
        return np.sinc(f * ratio) ** 4 / (1 + (2 * np.pi * f) ** 2)

    edges = np.arange(0, 400) / ratio
    total = 4 * sum(quad(density, a, b, limit=200)[0] for a, b in itertools.pairwise(edges))
    assert Noise(1.0, step=ratio).variance_share() == pytest.approx(total, abs=2e-6)
    assert Noise(1.0, step=3 * ratio).variance_share(3.0) == pytest.approx(total, abs=2e-6)


def test_the_loss_of_variance_begins_with_seven_fifteenths_of_the_step():
    for step in (0.1, 0.05, 0.025):
        loss = 1 - Noise(1.0, step=step).variance_share()
        assert abs(loss - 7 / 15 * step) < 0.2 * step**2
    near = [Noise(1.0, step=x).variance_share() for x in (0.00999, 0.01001)]
    assert near[0] - near[1] == pytest.approx(7 / 15 * 2e-5, rel=0.1)  # both formulas meet


def test_the_three_ways_to_give_it_agree():
    # A one-sided density of n gives an integrator of time constant τ a variance of n²/2 per second.
    noise = Noise.from_density(5e-9, unit=1e-3, time_constant=1e-4)
    assert noise.sigma**2 * 1e-3**2 * 1e-4 == pytest.approx(5e-9**2 / 2)
    # σ/√2 is the rms of an integrator with unit feedback.
    noise = Noise.from_snr(40.0, full_scale=2.0)
    assert noise.sigma / math.sqrt(2) == pytest.approx(2.0 / 100)
    assert Noise.from_text("40dB").sigma == Noise.from_snr(40.0).sigma
    assert Noise.from_text(" 40 db").sigma == Noise.from_snr(40.0).sigma
    assert Noise.from_text("5e-9V/rtHz", unit=1e-3, time_constant=1e-4).sigma == pytest.approx(5e-9 / 1e-3 / math.sqrt(2e-4))
    assert Noise.from_text("1e-3", seed=4) == Noise(1e-3, seed=4)


@pytest.mark.parametrize("text", ["", "x", "nan", "1 mV", "1e", "--1", "1dB dB", "inf"])
def test_a_text_that_is_no_noise_is_refused(text):
    with pytest.raises(BadInput, match=r"noise: .* is none of"):
        Noise.from_text(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sigma": -1.0}, r"sigma is -1.0; give a number of flow units per √τ, from 0 to 1e\+100"),
        ({"sigma": 1e308}, r"sigma is 1e\+308; give a number of flow units per √τ, from 0 to 1e\+100"),
        ({"sigma": math.nan}, r"sigma is nan"),
        ({"sigma": "1"}, r"sigma is '1'"),
        ({"seed": math.nan}, r"the seed nan is not a whole number"),
        ({"seed": -1}, r"the seed -1 is not a whole number"),
        ({"seed": True}, r"the seed True"),
        ({"step": 0.0}, r"the step 0.0 is not a positive number"),
        ({"step": math.inf}, r"the step inf"),
    ],
)
def test_noise_that_is_none_is_refused(fields, message):
    with pytest.raises(BadInput, match=message):
        Noise(**({"sigma": 1.0} | fields))


def test_densities_and_ratios_out_of_range_are_refused():
    with pytest.raises(BadInput, match=r"unit is 0"):
        Noise.from_density(1.0, unit=0, time_constant=1)
    with pytest.raises(BadInput, match=r"time_constant is 'x'"):
        Noise.from_density(1.0, unit=1.0, time_constant="x")
    with pytest.raises(BadInput, match=r"a density of '1' V/√Hz is no number"):
        Noise.from_density("1", unit=1.0, time_constant=1.0)
    for decibels in (math.inf, -1e6, "40"):
        with pytest.raises(BadInput, match=r"an SNR of .* dB"):
            Noise.from_snr(decibels)
    with pytest.raises(BadInput, match=r"on a full scale of 0"):
        Noise.from_snr(40.0, full_scale=0)


@pytest.mark.parametrize("sample", [-1, 2**39, 1.0, True, "1", math.nan])
def test_a_sample_is_a_whole_number(sample):
    with pytest.raises(BadInput, match=r"sample: .* is not a whole number from 0 to 2\*\*39"):
        check_sample(sample)


def test_knots_that_no_memory_holds_are_refused():
    with pytest.raises(BadInput, match=r"a step of 1e-09 τ over 10 τ is 1e\+10 knots, more than 134217728"):
        Noise(0.1, step=1e-9).knots([0], [0], 10.0)


@pytest.mark.parametrize("time", [1e-300, 1e-12, 0.1, 0.1000001])
def test_any_run_lies_between_two_knots(time):
    knots = Noise(0.1, step=0.1).knot_times(time)
    assert len(knots) >= 2
    assert knots[-1] >= time * (1 - 1e-8)


def test_1_over_f_noise_has_its_density_over_three_decades_and_the_same_bits_as_ever():
    """S (1 + f_c/f) of a corner at a tenth of the knots' rate, in bands of half a decade, within three standard errors."""
    spacing, corner, samples, time_constants = 1e-4, 1e3, 48, 3276.7
    noise = Noise(0.0, seed=5)
    white = noise.knots(range(samples), [1 << 21], time_constants)
    added = noise.flickering(range(samples), [1 << 21], [corner], spacing, time_constants)
    frequency, power = periodogram((white + added)[..., 0], fs=1 / spacing, window="hann")
    edges = np.geomspace(1.0, 1e3, 7)
    for low, high in itertools.pairwise(edges):
        band = (frequency >= low) & (frequency < high)
        seen = power.mean(axis=0)[band] / (2 * spacing) / (1 + corner / frequency[band])
        # Bins of a Hann window are worth two thirds of independent ones.
        error = np.sqrt(1.5 / (samples * band.sum()))
        assert seen.mean() == pytest.approx(1.0, abs=min(3 * error, 0.05))
    assert hashlib.sha256(added[:2, :50].tobytes()).hexdigest()[:16] == "f9bc64a6c843c436"
    shorter = noise.flickering([0], [1 << 21], [corner], spacing, 10.0)
    np.testing.assert_array_equal(shorter[0], added[0, :101])
    assert not noise.flickering([0], [1 << 21], [0.0], spacing, 10.0).any()
    with pytest.raises(BadInput, match="a corner of 1/f at 1e\\+16 Hz is none that parts have"):
        noise.flickering([0], [1 << 21], [1e16], spacing, 10.0)


def test_1_over_f_noise_has_the_slope_that_welch_finds():
    """SciPy's estimate, of bands of half a decade below a tenth of the knots' rate: S f_c/f, and a slope of −1."""
    spacing, corner, samples = 1e-4, 1e3, 32
    added = Noise(0.0, seed=9).flickering(range(samples), [1 << 21], [corner], spacing, 6553.5)[..., 0]
    frequency, power = welch(added, fs=1 / spacing, nperseg=8192)
    power = power.mean(axis=0)
    for low, high in itertools.pairwise(np.geomspace(10.0, 1e3, 5)):
        band = (frequency >= low) & (frequency < high)
        # Half of the segments' overlap is worth nothing, and bins of a Hann window two thirds of independent ones.
        error = np.sqrt(1.5 / (samples * 8 * band.sum()))
        seen = (power * frequency)[band].mean() / (2 * spacing * corner)
        assert seen == pytest.approx(1.0, abs=min(3 * error + 0.01, 0.05))
    inside = (frequency >= 10.0) & (frequency < 1e3)
    slope = np.polyfit(np.log(frequency[inside]), np.log(power[inside]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.02)


def test_poles_of_1_over_f_above_the_knots_are_white_noise_of_their_density():
    """Knots 10 ms apart, which reach to 50 Hz, and poles up to 10 kHz: at 1 Hz the density is that of the law."""
    spacing, corner, noise = 0.01, 100.0, Noise(0.0, seed=6)
    added = noise.flickering(range(64), [1 << 21], [corner], spacing, 819.1)
    frequency, power = periodogram(added[..., 0], fs=1 / spacing, window="hann")
    band = (frequency >= 1.0) & (frequency < 4.0)
    seen = power.mean(axis=0)[band] / (2 * spacing) * frequency[band] / corner
    assert seen.mean() == pytest.approx(1.0, abs=min(3 * np.sqrt(1.5 / (64 * band.sum())), 0.05))


def test_noise_of_parts_is_said_alone_or_beside_sigma():
    assert Noise.from_text("parts", seed=3) == Noise(0.0, seed=3, parts=True)
    assert Noise.from_text(" 0.01 + PARTS ") == Noise(0.01, parts=True)
    assert Noise.from_text("40dB+parts").sigma == Noise.from_snr(40).sigma
    assert str(Noise(0.01, parts=True)) == "noise 0.01 per √τ at the integrators, and that of the parts"
    for text in ("parts+parts", "parts+0.01", "+parts", "0.01parts"):
        with pytest.raises(BadInput, match=r"is none of 0\.01"):
            Noise.from_text(text)
