from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogflow.circuit.values import SERIES, check_series, code, largest_error, nearest, neighbours
from analogflow.digits import SAME
from analogflow.errors import BadInput

E12 = "100 120 150 180 220 270 330 390 470 560 680 820"
E24 = "100 110 120 130 150 160 180 200 220 240 270 300 330 360 390 430 470 510 560 620 680 750 820 910"
E96 = """100 102 105 107 110 113 115 118 121 124 127 130 133 137 140 143 147 150 154 158 162 165 169 174 178 182 187 191 196
200 205 210 215 221 226 232 237 243 249 255 261 267 274 280 287 294 301 309 316 324 332 340 348 357 365 374 383 392 402 412
422 432 442 453 464 475 487 499 511 523 536 549 562 576 590 604 619 634 649 665 681 698 715 732 750 768 787 806 825 845 866
887 909 931 953 976"""
# The values that E192 has between those of E96.
E192_ONLY = """
101 104 106 109 111 114 117 120 123 126 129 132 135 138 142 145 149 152 156 160 164 167 172 176 180 184 189 193
198 203 208 213 218 223 229 234 240 246 252 258 264 271 277 284 291 298 305 312 320 328 336 344 352 361 370 379 388 397 407
417 427 437 448 459 470 481 493 505 517 530 542 556 569 583 597 612 626 642 657 673 690 706 723 741 759 777 796 816 835 856
876 898 920 942 965 988"""

positive = st.floats(-12, 12).map(lambda exponent: 10**exponent)
series_names = st.sampled_from(sorted(SERIES))


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def test_the_tables_are_those_of_the_standard() -> None:
    assert list(SERIES["E12"]) == numbers(E12)
    assert list(SERIES["E24"]) == numbers(E24)
    assert list(SERIES["E96"]) == numbers(E96)
    assert list(SERIES["E192"]) == sorted(numbers(E96) + numbers(E192_ONLY))


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("decade", [-12, -2, 0, 1, 2, 6, 15])
def test_a_preferred_value_is_the_float_its_literal_is(series: str, decade: int) -> None:
    literals = np.array([float(f"{number}e{decade - 2}") for number in SERIES[series]])
    assert np.array_equal(nearest(literals, series), literals)
    for side in neighbours(literals, series):
        assert np.array_equal(side, literals)


@given(positive, series_names)
def test_nearest_is_a_neighbour_and_stays_where_it_is(value: float, series: str) -> None:
    below, above = neighbours(value, series)
    chosen = nearest(value, series)
    assert below * (1 - SAME) <= value <= above * (1 + SAME)
    assert chosen in (below, above)
    assert nearest(chosen, series) == chosen


@given(positive, series_names)
def test_neighbours_are_next_to_each_other(value: float, series: str) -> None:
    below, above = neighbours(value, series)
    if below < above:
        middle = np.sqrt(below * above)
        assert neighbours(middle, series) == (below, above)
        assert above / below <= (1 + largest_error(series)) ** 2 * (1 + 1e-12)


@given(positive, series_names)
def test_nearest_is_within_the_series_error(value: float, series: str) -> None:
    ratio = nearest(value, series) / value
    assert max(ratio, 1 / ratio) <= (1 + largest_error(series)) * (1 + 1e-12)


@given(positive, positive, series_names)
def test_nearest_is_monotone(one: float, other: float, series: str) -> None:
    low, high = sorted((one, other))
    assert nearest(low, series) <= nearest(high, series)


@given(positive, st.integers(-5, 5))
def test_decades_are_alike(value: float, decades: int) -> None:
    shifted = nearest(value * 10.0**decades, "E24") / 10.0**decades
    ratio = shifted / nearest(value, "E24")
    # A value within rounding of the border between two may fall to either side.
    assert abs(ratio - 1) < 1e-12 or abs(value**2 / (shifted * nearest(value, "E24")) - 1) < 1e-12


def test_the_border_between_two_values_is_their_geometric_mean() -> None:
    border = np.sqrt(4.7e3 * 5.6e3)
    assert nearest([border * 0.9999, border * 1.0001], "E12").tolist() == [4.7e3, 5.6e3]


def test_the_last_value_of_a_decade_meets_the_first_of_the_next() -> None:
    below, above = neighbours([[9.9, 0.99], [95.0, 990.0]], "E24")
    assert below.tolist() == [[9.1, 0.91], [91.0, 910.0]]
    assert above.tolist() == [[10.0, 1.0], [100.0, 1000.0]]
    assert nearest(9.9e-9, "E24") == 1e-8


@pytest.mark.parametrize(("series", "error"), [("E12", 0.1181), ("E24", 0.0742), ("E96", 0.0150), ("E192", 0.0098)])
def test_the_largest_error_is_reached_and_not_exceeded(series: str, error: float) -> None:
    values = np.geomspace(1, 10, 20001)
    ratio = nearest(values, series) / values
    worst = np.max(np.maximum(ratio, 1 / ratio)) - 1
    assert worst == pytest.approx(largest_error(series), rel=1e-2)
    assert error - 1e-4 <= largest_error(series) <= error


@pytest.mark.parametrize(
    ("name", "advice"), [("E97", "did you mean 'E96'"), ("e24", "did you mean 'E24'"), ("xyz", "give one"), (24, "give one")]
)
def test_an_unknown_series_is_refused_with_the_known_ones(name: str, advice: str) -> None:
    with pytest.raises(BadInput, match=rf"no series {name!r} of .* are E12, E24, E96, E192; {advice}"):
        check_series(name)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, 1e-21])
def test_a_value_without_a_neighbour_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match=r"no preferred value near .*; give positive numbers between 1e-20 and 1e\+20"):
        nearest([1.0, value], "E24")


def test_the_ends_of_the_range_are_allowed() -> None:
    assert nearest([1e-20, 1e20], "E192").tolist() == [1e-20, 1e20]


@given(st.floats(0, 1), st.integers(1, 24), st.floats(0.01, 100))
def test_a_code_is_half_a_step_away(fraction: float, bits: int, full_scale: float) -> None:
    value = fraction * full_scale
    step = full_scale / 2**bits
    found = code(value, bits, full_scale)
    assert 0 <= found.codes < 2**bits
    allowed = step if value > full_scale - step / 2 else step / 2
    assert abs(found.values - value) <= allowed * (1 + 1e-9) + np.spacing(full_scale)  # the difference itself is rounded


@given(st.integers(1, 16), st.data())
def test_a_realised_value_has_its_own_code(bits: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 2**bits - 1))
    found = code(2.5 * number / 2**bits, bits, 2.5)
    assert found.codes == number
    assert code(found.values, bits, 2.5).codes == number


def test_codes_are_vectorised() -> None:
    found = code([[0, 0.25], [0.5, 1]], 8)
    assert found.codes.tolist() == [[0, 64], [128, 255]]
    assert found.values.tolist() == [[0, 0.25], [0.5, 255 / 256]]


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_a_value_without_a_code_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match=r"full scale 1 has no code for .*; give values from 0 to 1, or raise the full scale"):
        code([0.5, value], 8)


@pytest.mark.parametrize("bits", [0, 25, 8.0, True])
def test_a_number_of_bits_is_checked(bits: int) -> None:
    with pytest.raises(BadInput, match=rf"whole number of bits from 1 to 24, not {bits!r}"):
        code(0.5, bits)


def test_a_full_scale_is_checked() -> None:
    with pytest.raises(BadInput, match=r"the full scale -1 .* must be a positive number"):
        code(0.5, 8, -1)


def test_the_steps_of_the_rounded_series_are_what_their_rule_allows() -> None:
    """Each value of E96 and E192 is within half a hundredth of its geometric one, but 9.20."""
    for name, size in (("E96", 96), ("E192", 192)):
        rule = 100 * 10 ** (np.arange(size) / size)
        wrong = [value for value, exact in zip(SERIES[name], rule, strict=True) if abs(value - exact) > 0.5]
        assert wrong == ([920] if name == "E192" else [])
    assert all(a < b for series in SERIES.values() for a, b in itertools.pairwise(series))
