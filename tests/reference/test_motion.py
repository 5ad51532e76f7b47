"""How paths beside a path of a person's equations part from it, and until when two integrations agree on one."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogflow.errors import SimulationFailed
from analogflow.hardware.course import growth_of
from analogflow.reference.equations import path_to


def lorenz(at):
    x, y, z = (at[name] for name in "xyz")
    return {"x": 10 * (y - x), "y": x * (28 - z) - y, "z": x * y - 8 / 3 * z}


def rossler(at):
    x, y, z = (at[name] for name in "xyz")
    return {"x": -y - z, "y": x + 0.2 * y, "z": 0.2 + z * (x - 5.7)}


def path_of(rates, start, time, **options):
    return path_to(rates, {name: np.array([value]) for name, value in start.items()}, time, **options)


ON_ATTRACTOR = {"x": -7.3, "y": -11.4, "z": 19.9}
"""Near Lorenz's attractor, so that little of the path leads there."""


@pytest.fixture(scope="module")
def butterfly():
    return path_of(lorenz, ON_ATTRACTOR, 30.0)


@pytest.mark.slow
def test_the_exponent_of_lorenz_is_the_known_one(butterfly):
    # Sprott (2003), table of exponents: 0.9056; over 30 τ the mean of the local rates scatters by some 5 %.
    assert butterfly.growth.exponent == pytest.approx(0.9056, rel=0.1)
    assert butterfly.growth.chaotic


@pytest.mark.slow
def test_the_exponent_of_rossler_is_the_known_one():
    path = path_of(rossler, {"x": 1.0, "y": 1.0, "z": 1.0}, 300.0)
    assert path.growth.exponent == pytest.approx(0.0714, rel=0.2)
    assert path.growth.chaotic


@pytest.mark.slow
def test_the_exponent_is_that_of_two_neighbours_who_are_brought_together_again():
    """Benettin's own procedure: two paths, 1e-7 apart, brought back to that distance every half τ."""
    path = path_of(lorenz, ON_ATTRACTOR, 20.0)

    def field(t, y):
        return np.concatenate([np.ravel(rate) for rate in lorenz(dict(zip("xyz", y, strict=True))).values()])

    here = np.array(list(ON_ATTRACTOR.values()))
    there, logs = here + 1e-7 * np.array([0.6, 0.0, 0.8]), [0.0]
    for _ in range(40):
        here, there = (
            solve_ivp(field, (0, 0.5), at, method="LSODA", rtol=1e-11, atol=1e-13).y[:, -1] for at in (here, there)
        )
        apart = np.linalg.norm(there - here)
        logs.append(logs[-1] + np.log(apart / 1e-7))
        there = here + 1e-7 * (there - here) / apart
    slope = np.polyfit(0.5 * np.arange(4, 41), logs[4:], 1)[0]
    assert path.growth.exponent == pytest.approx(slope, rel=0.1)


@pytest.mark.slow
def test_the_exponent_is_that_of_the_layouts_of_boards():
    times = np.linspace(0.0, 20.0, 1025)
    peaks = np.array([20.0, 27.0, 48.0])

    def field(y):
        return np.stack(list(lorenz({name: y[..., k] for k, name in enumerate("xyz")}).values()), axis=-1)

    theirs = growth_of(field, np.array(list(ON_ATTRACTOR.values())), peaks, times)
    assert path_of(lorenz, ON_ATTRACTOR, 20.0).growth.exponent == pytest.approx(theirs.exponent, rel=0.05)


def test_two_integrations_agree_as_long_as_rounding_takes_to_grow(butterfly):
    """At a relative tolerance of 1e-12 the horizon is ln(4e-8/1e-12)/λ, give or take a factor e³ in the error's size."""
    expected = np.log(4e-8 / 1e-12) / 0.9056
    assert abs(butterfly.known - expected) < 3 / 0.9056 + 4
    assert butterfly.gap > 1e-3


@pytest.mark.parametrize(
    ("rates", "start", "exponent"),
    [
        (lambda at: {"x": -2.0 * at["x"]}, {"x": 1.0}, -2.0),
        (lambda at: {"x": at["y"], "y": -at["x"]}, {"x": 1.0, "y": 0.0}, 0.0),
        # It grows as its own perturbations do: relative to what it has reached, nothing parts.
        (lambda at: {"x": 0.5 * at["x"]}, {"x": 1.0}, 0.0),
    ],
    ids=["decay", "rotation", "growth"],
)
def test_linear_flows_have_their_eigenvalue_and_are_not_chaotic(rates, start, exponent):
    growth = path_of(rates, start, 20.0).growth
    assert growth.exponent == pytest.approx(exponent, abs=1e-2)
    assert not growth.chaotic


@pytest.mark.slow
def test_a_limit_cycle_is_not_chaotic_however_long():
    def oscillator(at):
        return {"x": at["v"], "v": 2 * (1 - at["x"] ** 2) * at["v"] - at["x"]}

    path = path_of(oscillator, {"x": 0.1, "v": 0.0}, 100.0)
    assert not path.growth.chaotic
    assert path.known == 100.0


def test_a_path_is_at_each_time_what_it_is_at_the_end_of_a_shorter_one(butterfly):
    at = butterfly.states_at(np.array([0.0, 3.0]))
    assert at[0] == pytest.approx(list(ON_ATTRACTOR.values()), abs=1e-12)
    shorter = path_of(lorenz, ON_ATTRACTOR, 3.0)
    assert at[1] == pytest.approx(np.concatenate(list(shorter.end.values())), rel=1e-8)


def test_a_stretch_leads_where_the_path_does(butterfly):
    at = butterfly.states_at(np.array([2.0, 4.0]))
    assert butterfly.stretch(at[0], 2.0, 4.0) == pytest.approx(at[1], rel=1e-7)


def test_corners_are_stopped_at_by_every_method():
    """Driven by |t − 1|: its corner is a knot, and after it all is as the formula says."""
    path = path_to(lambda at, t: {"x": abs(t - 1) - at["x"]}, {"x": np.zeros(1)}, 3.0, [1.0])
    at = path.states_at(np.array([1.0, 3.0]))[:, 0]
    first = 2 - 1.0 - 2 * np.exp(-1.0)  # ẋ = 1 − t − x from 0: 2 − t − 2 e⁻ᵗ
    assert at[0] == pytest.approx(first, abs=1e-10)
    assert at[1] == pytest.approx(1.0 + (first + 1.0) * np.exp(-2.0), abs=1e-10)
    assert path.stretch(at[:1], 1.0, 3.0) == pytest.approx(at[1:], abs=1e-9)


def test_what_runs_away_is_refused_before_anything_is_said_of_growth():
    with pytest.raises(SimulationFailed, match="runs away"):
        path_of(lambda at: {"x": at["x"] ** 2}, {"x": 1.0}, 2.0)
