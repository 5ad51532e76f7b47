from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from zoo import PAPER

from analogflow.circuit.rounding import (
    Rounding,
    biases,
    round_codes,
    round_codes_independently,
    round_independently,
    round_jointly,
)
from analogflow.circuit.values import neighbours
from analogflow.errors import BadInput
from analogflow.problems.channel import Channel
from analogflow.reference.capacity import capacity_reference
from analogflow.technology.translinear.crossbar import ResistiveCrossbar, capacity_crossbar, optimum_sensitivity

Array = np.ndarray

R = 1e4
P1 = PAPER.transition


class Case(NamedTuple):
    transition: Array
    optimum: Array
    crossbar: ResistiveCrossbar


def case(transition: Array) -> Case:
    optimum = capacity_reference(Channel(transition), gap=1e-13).input_distribution
    return Case(transition, optimum, capacity_crossbar(transition, optimum))


@functools.cache
def random_cases() -> list[Case]:
    """Fifty channels of 3 to 5 inputs and as many outputs, rows uniform on the simplex; about 40 do not use all inputs."""
    generator = np.random.default_rng(1)
    return [case(generator.dirichlet(np.ones(n), size=n)) for n in itertools.islice(itertools.cycle((3, 4, 5)), 50)]


def settle(weights: Array, transition: Array, guess: Array, references: Array) -> Array:
    """Where the circuit with these weights comes to rest.

    Rows of inputs in use carry no net current, Σ_k G_ik (V_k − v) = 0 for one v, with V_j = ln (Pᵀz)_j; rows of the others
    carry one that pulls their input down. Newton steps for one set of inputs after another, those near the guess's first.
    """
    n = len(transition)
    sets = [list(used) for size in range(1, n + 1) for used in itertools.combinations(range(n), size)]
    for used in sorted(sets, key=lambda used: len(set(used) ^ set(np.flatnonzero(guess)))):
        starts = [np.full(len(used), 1 / len(used))]
        if np.all(guess[used] > 0):
            starts.insert(0, guess[used] / guess[used].sum())
        for start in starts:
            found = newton(weights[used], transition[used], start, references)
            if found is None:
                continue
            z = np.zeros(n)
            z[used], v = found
            V = np.append(np.log(z @ transition), references)
            idle = np.delete(weights @ V - v * weights.sum(axis=1), used)
            if np.all(idle > -1e-10):
                return z
    raise AssertionError("no set of inputs comes to rest")


def newton(G: Array, P: Array, z: Array, references: Array) -> tuple[Array, float] | None:
    total, m = G.sum(axis=1), P.shape[1]
    v = float(np.mean(G @ np.append(np.log(z @ P), references) / total))
    for _ in range(100):
        q = z @ P
        residual = np.append(G @ np.append(np.log(q), references) - v * total, z.sum() - 1)
        if abs(residual).max() < 1e-12:
            return z, v
        jacobian = np.block([[(G[:, :m] / q) @ P.T, -total[:, None]], [np.ones((1, len(z))), np.zeros((1, 1))]])
        step = -np.linalg.solve(jacobian, residual)
        shrinking = step[:-1] < 0
        damping = min(1.0, 0.9 * np.min(-z[shrinking] / step[:-1][shrinking], initial=np.inf))
        z, v = z + damping * step[:-1], v + step[-1]
        if z.min() < 1e-14:
            return None
    return None


def shift(rounding: Rounding, given: Case) -> Array:
    return settle(rounding.weights, given.transition, given.optimum, given.crossbar.voltages[-2:]) - given.optimum


def independently(series: str, given: Case) -> Rounding:
    w, v, s = given.crossbar.weights, given.crossbar.voltages, given.crossbar.sensitivity
    return round_independently(w, R, series, v, s)


def jointly(series: str, given: Case) -> Rounding:
    w, v, s = given.crossbar.weights, given.crossbar.voltages, given.crossbar.sensitivity
    return round_jointly(w, R, series, v, s)


def codes_independently(bits: int, given: Case) -> Rounding:
    return round_codes_independently(given.crossbar.weights, bits, 1.0, given.crossbar.voltages, given.crossbar.sensitivity)


def codes_jointly(bits: int, given: Case) -> Rounding:
    return round_codes(given.crossbar.weights, bits, 1.0, given.crossbar.voltages, given.crossbar.sensitivity)


def worst_and_median(choose: Callable[[Case], Rounding]) -> tuple[float, float]:
    shifts = [abs(shift(choose(given), given)).max() for given in random_cases()]
    return float(np.max(shifts)), float(np.median(shifts))


def test_the_exact_crossbar_settles_at_the_optimum() -> None:
    for given in random_cases():
        G = given.crossbar.weights
        assert abs(settle(G, given.transition, given.optimum, given.crossbar.voltages[-2:]) - given.optimum).max() < 1e-9
        # A row may have any scale of its own.
        G = G * np.linspace(0.5, 3, len(G))[:, None]
        assert abs(settle(G, given.transition, given.optimum, given.crossbar.voltages[-2:]) - given.optimum).max() < 1e-9


@pytest.mark.parametrize("series", ["E12", "E24", "E96", "E192"])
def test_joint_rounding_leaves_half_the_worst_shift_at_most(series: str) -> None:
    apart, apart_median = worst_and_median(functools.partial(independently, series))
    together, together_median = worst_and_median(functools.partial(jointly, series))
    assert together <= 0.5 * apart
    assert together_median <= 0.05 * apart_median


@pytest.mark.slow
@pytest.mark.parametrize("bits", [12, 16])
def test_joint_codes_leave_half_the_worst_shift_at_most(bits: int) -> None:
    apart, apart_median = worst_and_median(functools.partial(codes_independently, bits))
    together, together_median = worst_and_median(functools.partial(codes_jointly, bits))
    assert together <= 0.5 * apart
    assert together_median <= 0.05 * apart_median


@pytest.mark.parametrize("series", ["E24", "E96"])
def test_the_predicted_worst_shift_is_halved_too(series: str) -> None:
    apart = max(abs(independently(series, given).shift).max() for given in random_cases())
    together = max(abs(jointly(series, given).shift).max() for given in random_cases())
    assert together <= 0.5 * apart


@pytest.mark.parametrize("series", ["E24", "E96"])
def test_no_row_gets_worse(series: str) -> None:
    """Seen from each row: what is minimised never exceeds what independent rounding leaves."""
    for given in random_cases():
        assert np.all(abs(jointly(series, given).biases) <= 1.1 * abs(independently(series, given).biases) + 1e-6)


@pytest.mark.parametrize("choose", [independently, jointly])
def test_the_prediction_is_the_shift_to_first_order(choose: Callable[[str, Case], Rounding]) -> None:
    given = case(P1)
    rounding = choose("E96", given)
    predicted, found = rounding.shift, shift(rounding, given)
    assert abs(found - predicted).max() <= 0.1 * abs(found).max() + 1e-9
    # The twin: a wrong sign is far off.
    assert abs(found + predicted).max() > abs(found).max()


def test_one_wrong_leg_shifts_the_optimum_as_the_sensitivity_says() -> None:
    given = case(P1)
    weights = given.crossbar.weights
    for row, leg in zip(*np.nonzero(weights), strict=True):
        wrong = weights.copy()
        wrong[row, leg] *= 1 + 1e-5
        predicted = given.crossbar.sensitivity @ biases(weights, wrong, given.crossbar.voltages)
        found = settle(wrong, P1, given.optimum, given.crossbar.voltages[-2:]) - given.optimum
        assert np.count_nonzero(abs(biases(weights, wrong, given.crossbar.voltages)) > 1e-12) == 1
        np.testing.assert_allclose(found, predicted, atol=1e-3 * abs(predicted).max())


def test_a_common_scale_or_origin_is_no_bias() -> None:
    given = case(P1)
    weights, voltages = given.crossbar.weights, given.crossbar.voltages
    scaled = weights * np.array([[0.5], [1.0], [3.0]])
    assert abs(biases(weights, scaled, voltages)).max() < 1e-14
    other = round_independently(weights, R, "E24", voltages + 25, given.crossbar.sensitivity)
    np.testing.assert_allclose(other.shift, independently("E24", given).shift, atol=1e-13)


@pytest.mark.parametrize("series", ["E12", "E96"])
def test_parts_are_preferred_and_next_to_their_exact_values(series: str) -> None:
    """For some scale of its row within the range, each leg is one of the two neighbours of its exact value."""
    scales = np.geomspace(1 / 1.1, 1.1, 4001)
    for given in random_cases()[:12]:
        rounding = jointly(series, given)
        assert np.array_equal(np.isinf(rounding.parts), given.crossbar.weights == 0)
        assert np.array_equal(rounding.weights, R / rounding.parts)
        for parts, weights in zip(rounding.parts, given.crossbar.weights, strict=True):
            legs = weights > 0
            below, above = neighbours(R / (scales[:, None] * weights[legs]), series)
            assert np.any(np.all((parts[legs] == below) | (parts[legs] == above), axis=1))


@pytest.mark.slow
def test_codes_are_next_to_their_exact_values() -> None:
    for given in random_cases()[:12]:
        rounding = codes_jointly(12, given)
        weights = given.crossbar.weights
        assert rounding.parts.dtype == np.int64
        assert np.array_equal(rounding.weights, rounding.parts / 4096)
        assert rounding.parts.max() <= 4095
        assert np.array_equal(rounding.parts == 0, weights == 0)
        # To within a code at each end, one scale fits all legs of a row.
        lowest = np.max(np.where(weights > 0, (rounding.parts - 1) / np.where(weights > 0, weights, 1), 0), axis=1)
        highest = np.min(
            np.where(weights > 0, (rounding.parts + 1) / np.where(weights > 0, weights, np.inf), np.inf), axis=1
        )
        assert np.all(lowest <= highest + 1e-9)


def test_up_to_sixteen_legs_the_search_is_exhaustive() -> None:
    """At one scale: no combination of neighbours has a smaller bias than the one that was found."""
    generator = np.random.default_rng(3)
    weights, voltages = generator.uniform(0.05, 1, (1, 9)), generator.normal(size=9)
    found = round_jointly(weights, R, "E12", voltages, scale_range=1e-9, tolerance=1e-15)
    below, above = neighbours(R / weights, "E12")
    all_parts = np.array(list(itertools.product(*zip(below[0], above[0], strict=True))))
    lever = voltages - weights[0] @ voltages / weights.sum()
    smallest = abs((R / all_parts) @ lever).min()
    assert abs(found.weights[0] @ lever) == pytest.approx(smallest, rel=1e-6)


def test_a_crossbar_of_preferred_values_stays_as_it_is() -> None:
    weights = R / np.array([[1e4, 2.2e4, 4.7e4], [3.3e4, 1e4, 1.5e4]])
    rounding = round_jointly(weights, R, "E24", [0.3, -0.4, 0.9])
    np.testing.assert_allclose(R / weights, rounding.parts, rtol=1e-12)
    assert rounding.scales == pytest.approx(1)
    assert abs(rounding.biases).max() < 1e-12
    assert np.isnan(rounding.shift).all()


def test_scales_stay_within_their_range_and_a_step() -> None:
    for given in random_cases():
        scales = jointly("E96", given).scales
        assert np.all((scales > 1 / 1.1 / 1.031) & (scales < 1.1 * 1.031))


@pytest.mark.slow
def test_a_wider_range_of_scales_finds_smaller_biases() -> None:
    def mean_bias(scale_range: float) -> float:
        bars = [given.crossbar for given in random_cases()]
        chosen = [round_jointly(bar.weights, R, "E12", bar.voltages, scale_range=scale_range) for bar in bars]
        return float(np.mean([abs(rounding.biases).max() for rounding in chosen]))

    assert mean_bias(9) < 0.25 * mean_bias(0.1) < 0.25 * mean_bias(0.01)


def test_many_legs_are_no_obstacle() -> None:
    generator = np.random.default_rng(0)
    weights, voltages = generator.dirichlet(np.full(40, 5), size=6), generator.normal(size=40)
    apart = round_independently(weights, R, "E24", voltages)
    together = round_jointly(weights, R, "E24", voltages)
    assert abs(together.biases).max() < 1e-5 < 1e-3 < abs(apart.biases).max()


def test_the_choice_is_repeatable_and_frozen() -> None:
    given = case(P1)
    one, other = jointly("E24", given), jointly("E24", given)
    assert np.array_equal(one.parts, other.parts)
    with pytest.raises(ValueError, match="read-only"):
        one.parts[0, 0] = 1


def test_the_crossbar_of_a_known_channel() -> None:
    given = case(P1)
    weights, S = given.crossbar.weights, given.crossbar.sensitivity
    np.testing.assert_allclose(weights.sum(axis=1), 1.19269, atol=1e-5)
    np.testing.assert_allclose(weights[:, 3], [0.07828, 0, 0.19269], atol=1e-5)
    np.testing.assert_allclose(S, [[0.830, -0.317, -0.513], [-0.317, 0.757, -0.439], [-0.513, -0.439, 0.952]], atol=1e-3)
    assert abs(S.sum(axis=0)).max() < 1e-12


def test_an_input_that_is_not_used_has_no_sensitivity() -> None:
    given = case(np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.35, 0.25]]))
    assert given.optimum[2] == 0
    assert not given.crossbar.sensitivity[2].any()
    assert not given.crossbar.sensitivity[:, 2].any()
    assert abs(shift(jointly("E96", given), given)).max() < 1e-4


def test_a_row_that_spans_too_much_is_named() -> None:
    weights = [[0.5, 0.5], [0.99999, 0.00001]]
    with pytest.raises(BadInput, match=r"row 1 needs parts in a ratio of 1e\+05, and 1e\+04 is allowed"):
        round_independently(weights, R, "E24")
    with pytest.raises(BadInput, match=r"row 1 needs parts in a ratio of 1e\+05, and 1000 is allowed"):
        round_jointly(weights, R, "E24", [0.0, 1.0], largest_ratio=1e3)
    with pytest.raises(BadInput, match=r"row 1 needs parts in a ratio of 1e\+05, and 4096 is allowed"):
        round_codes(weights, 12, 1.0, [0.0, 1.0])


@pytest.mark.parametrize(
    "weights", [[1.0, 2.0], [[1.0, -1.0]], [[1.0, np.nan]], [[1.0, 1.0], [0.0, 0.0]], np.empty((0, 2))], ids=str
)
def test_weights_that_are_none_are_refused(weights: list) -> None:
    with pytest.raises(BadInput, match=r"are no crossbar; give an \(n, k\) array of finite numbers"):
        round_independently(weights, R, "E24")


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadInput, match=r"voltages of shape \(3,\) .* do not fit weights of shape \(1, 2\); give \(2,\)"):
        round_jointly([[1.0, 2.0]], R, "E24", [0.0, 1.0, 2.0])
    with pytest.raises(BadInput, match=r"the voltages of a crossbar must be finite; leave out outputs"):
        round_jointly([[1.0, 2.0]], R, "E24", [0.0, -np.inf])
    with pytest.raises(BadInput, match=r"a channel \(3, 3\) and a distribution \(2,\) do not fit"):
        optimum_sensitivity(P1, [0.5, 0.5])


def test_numbers_that_are_not_allowed_are_refused() -> None:
    with pytest.raises(BadInput, match=r"the resistance of the weight 1 must be a positive number, not 0"):
        round_independently([[1.0, 2.0]], 0, "E24")
    with pytest.raises(BadInput, match=r"scale_range must be a positive number, not -0\.1"):
        round_jointly([[1.0, 2.0]], R, "E24", [0.0, 1.0], scale_range=-0.1)
    with pytest.raises(BadInput, match=r"no series 'E23' .* did you mean 'E24'"):
        round_jointly([[1.0, 2.0]], R, "E23", [0.0, 1.0])
    with pytest.raises(BadInput, match=r"full scale 1 has no code for 2"):
        round_codes([[1.0, 2.0]], 8, 1.0, [0.0, 1.0])


def test_channels_without_a_sensitivity_are_refused() -> None:
    twice = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    with pytest.raises(BadInput, match=r"dependent .* more than one distribution is optimal"):
        capacity_crossbar(twice, [0.25, 0.25, 0.5])
    with pytest.raises(BadInput, match=r"no input in use reaches output 1"):
        capacity_crossbar(np.eye(2), [1.0, 0.0])
    with pytest.raises(BadInput, match=r"non-negative numbers that sum to 1"):
        capacity_crossbar(np.eye(2), [1.0, 1.0])
    with pytest.raises(BadInput, match=r"ratio of the entropy currents must be above 1, not 1"):
        capacity_crossbar(np.eye(2), [0.5, 0.5], entropy_ratio=1)
