"""Capacities of ready channels: closed forms, the literature, and quadratures that are written otherwise."""

import math

import numpy as np
import pytest
from scipy import integrate, optimize, stats

import analogflow as af
from analogflow.problems import Channel
from analogflow.reference import capacity_reference, ready_interval


def entropy(*p: float) -> float:
    return -sum(x * math.log(x) for x in p if x > 0)


def capacity_of(text: str) -> float:
    return capacity_reference(Channel.from_name(text)).capacity_nats


def interval_of(text: str):
    return ready_interval(Channel.from_name(text).model)


def z_capacity(p: float) -> float:
    """Of a channel that loses a 1 with probability p (Golomb 1980): ln(1 + (1 − p) p^{p/(1−p)})."""
    return math.log(1 + (1 - p) * p ** (p / (1 - p)))


@pytest.mark.parametrize("p", [0.0, 0.01, 0.11, 0.3, 0.5, 1.0])
def test_binary_channels_have_their_closed_forms(p: float) -> None:
    assert capacity_of(f"bsc:{p}") == pytest.approx(math.log(2) - entropy(p, 1 - p), abs=1e-12)
    if p < 1:
        assert capacity_of(f"bec:{p}") == pytest.approx((1 - p) * math.log(2), abs=1e-12)
        assert capacity_of(f"z:{p}") == pytest.approx(z_capacity(p), abs=1e-12)
    assert interval_of(f"bsc:{p}") is None


def gauss_hermite(points, z, fading=1.0):
    """I(X; X·fading + N) by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite.hermgauss(120)
    noise, weights = math.sqrt(2) * nodes, weights / math.sqrt(math.pi)
    total = 0.0
    for x, share in zip(points, z, strict=True):
        differences = (x - np.asarray(points)[:, None]) * fading
        ratios = np.asarray(z)[:, None] * np.exp(-noise * differences - differences**2 / 2)
        total -= share * float(weights @ np.log(ratios.sum(axis=0)))
    return total


@pytest.mark.parametrize("A", [0.5, 1.0, 1.6])
def test_small_amplitudes_carry_what_two_points_do(A: float) -> None:
    """Smith 1971: up to an amplitude of about 1.665 the points ±A achieve the capacity."""
    exact = gauss_hermite([-A, A], [0.5, 0.5])
    found = interval_of(f"awgn:{A}")
    assert found.low <= exact <= found.high
    assert found.high - found.low < 1e-5


@pytest.mark.parametrize(("A", "points"), [(1.6, 2), (1.74, 3), (2.6, 3), (3.2, 4)])
def test_points_are_as_many_as_the_literature_says(A: float, points: int) -> None:
    """Two up to 1.665, three up to 2.786 (Sharma and Shamai 2010), then four, of which each may lie between two of ours."""
    found = capacity_reference(Channel.from_name(f"awgn:A={A},n=201,m=600"))
    used = np.flatnonzero(found.input_distribution > 1e-6)
    clusters = 1 + int((np.diff(used) > 1).sum())
    assert clusters == points


def test_three_points_of_a_larger_amplitude() -> None:
    """By hand: ±A and 0, of which one weight is free, by Gauss-Hermite quadrature."""
    A = 2.5
    best = optimize.minimize_scalar(
        lambda w: -gauss_hermite([-A, 0, A], [w, 1 - 2 * w, w]),
        bounds=(0.1, 0.49),
        method="bounded",
        options={"xatol": 1e-10},
    )
    found = interval_of(f"awgn:{A}")
    assert found.low - 1e-9 <= -best.fun <= found.high + 1e-9


@pytest.mark.parametrize("limit", ["power", "none"])
@pytest.mark.parametrize("decibels", [0, 7, 12])
def test_amplitudes_in_noise_by_gauss_hermite(decibels: int, limit: str) -> None:
    """The inner two of four points have one weight by symmetry; with a limit of the power, at most what it leaves."""
    snr = 10 ** (decibels / 10)
    points = np.array([-3, -1, 1, 3]) * math.sqrt(snr / 5)

    def lost(w: float) -> float:
        return -gauss_hermite(points, [0.5 - w, w, w, 0.5 - w])

    least = 0.25 if limit == "power" else 0.0
    best = optimize.minimize_scalar(lost, bounds=(least, 0.5 - 1e-9), method="bounded", options={"xatol": 1e-10})
    exact = max(-best.fun, -lost(least))
    found = interval_of(f"pam:4,snr={decibels}dB,limit={limit}")
    assert found.low - 1e-8 <= exact <= found.high + 1e-8
    assert found.high - found.low < 1e-4
    square = interval_of(f"qam:16,snr={decibels}dB,limit={limit}")
    assert square.low - 2e-8 <= 2 * exact <= square.high + 2e-8


def test_little_light_without_dark_counts_is_a_z_channel() -> None:
    """Up to 3.3679 photons darkness and the peak are optimal (Shamai 1990): no count, or some."""
    for peak in (0.5, 1.0, 3.0):
        exact = z_capacity(math.exp(-peak))
        found = interval_of(f"poisson:peak={peak}")
        assert found.low <= exact <= found.high
        assert found.high - found.low < 1e-5
    assert interval_of("poisson:peak=4").low > z_capacity(math.exp(-4.0))


def test_light_with_dark_counts_and_a_mean() -> None:
    """Two levels by hand are worth less, and a finer channel's own certificate lies within."""
    found = interval_of("poisson:peak=10,dark=1,mean=2")
    k = np.arange(80)
    low, high = stats.poisson(1).pmf(k), stats.poisson(11).pmf(k)
    q = 0.8 * low + 0.2 * high
    two = 0.8 * (low * np.log(low / q)).sum() + 0.2 * (high * np.log(high / q)).sum()
    assert two < found.low
    finer = capacity_of("poisson:peak=10,dark=1,mean=2,n=161")
    assert found.low - 1e-6 <= finer <= found.high
    assert found.high - found.low < 1e-4


def test_known_fading_is_the_mean_over_it() -> None:
    snr = 10.0
    x = math.sqrt(snr)
    exact = integrate.quad(lambda h: 2 * h * math.exp(-h * h) * gauss_hermite([-x, x], [0.5, 0.5], h), 0, 6, epsabs=1e-10)[0]
    found = interval_of("rayleigh:2,snr=10,state=known")
    assert found.low - 1e-7 <= exact <= found.high + 1e-7


def test_unknown_fading_by_its_density() -> None:
    """p(y|x) from the derivative of the closed form of P(h x + n ≤ y)."""
    x, a = math.sqrt(10.0), 1 + 10.0 / 2

    def density(y: float, s: float) -> float:
        root = math.sqrt(2 * a)
        rest = s * y / a * stats.norm.cdf(s * y / root) - s * s / root * stats.norm.pdf(s * y / root)
        return stats.norm.pdf(y) + math.exp(-y * y / (2 * a)) / root * rest

    def information(y: float) -> float:
        p, other = density(y, x), density(y, -x)
        return p * math.log(2 * p / (p + other)) if p > 0 else 0.0

    exact = integrate.quad(information, -8, 20, epsabs=1e-10, limit=200)[0]
    found = interval_of("rayleigh:2,snr=10,state=unknown")
    assert found.low - 1e-7 <= exact <= found.high + 1e-7
    assert found.high < interval_of("rayleigh:2,snr=10,state=known").low


@pytest.mark.parametrize(
    ("text", "finer"),
    [
        ("awgn:2.5,n=9,m=12", "awgn:2.5,n=17,m=45"),
        ("pam:4,snr=10,m=10", "pam:4,snr=10,m=28"),
        ("rayleigh:4,snr=5,state=known,m=8,k=4", "rayleigh:4,snr=5,state=known,m=15,k=7"),
        ("poisson:peak=20,dark=0.5,n=5", "poisson:peak=20,dark=0.5,n=17"),
    ],
)
def test_a_finer_channel_carries_more_and_never_what_the_interval_forbids(text: str, finer: str) -> None:
    """The edges of the finer one hold those of the coarser one, so that it knows all that the coarser one does."""
    assert capacity_of(text) <= capacity_of(finer) + 1e-12 <= interval_of(finer).high
    assert interval_of(text).low >= capacity_of(text) - 1e-9


def test_what_discretising_costs_falls_with_the_square_of_the_width() -> None:
    itself = interval_of("pam:4,snr=10")
    middle = (itself.low + itself.high) / 2
    costs = [middle - capacity_of(f"pam:4,snr=10,m={m}") for m in (26, 50, 98)]
    assert math.log2(costs[0] / costs[1]) == pytest.approx(2, abs=0.25)
    assert math.log2(costs[1] / costs[2]) == pytest.approx(2, abs=0.25)


def test_solve_says_what_discretising_costs() -> None:
    solution = af.solve(Channel.from_name("pam:4,snr=5,m=12"), engine="block")
    found = ready_interval(solution.flow.problem.model)
    assert solution.certificate.answer["before_discretisation_nats"] == list(found)
    assert solution.certificate.notes[0].startswith(
        "Before it is made discrete, pam:M=4,snr=5,limit=power,m=12 has a capacity"
    )
    assert "before_discretisation_nats" not in af.solve(Channel.from_name("bsc:0.2"), engine="block").certificate.answer
