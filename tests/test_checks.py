"""What is not real is refused wherever numbers are handed over; never is an imaginary part or a mask lost."""

import decimal
import fractions
import math

import numpy as np
import pytest

import analogflow as af
from analogflow.checks import (
    is_finite,
    is_number,
    is_positive,
    is_whole,
    positive,
    proposal,
    real_array,
    refuse_no_length,
    refuse_not_positive,
    refuse_unknown,
)
from analogflow.errors import BadInput
from analogflow.problems import Attention, Hopfield, Langevin, RateDistortion, Transport
from analogflow.problems.equations import Equations
from analogflow.reference import capacity_batch, capacity_certificate, rate_distortion_certificate, transport_certificate

P = np.array([[0.7, 0.3], [0.2, 0.8]])
HALF = np.array([0.5, 0.5])
D = 1 - np.eye(2)
TRANSPORT = Transport(D, HALF, HALF, 0.5)
SOURCE = RateDistortion(HALF, D, 2.0)

TAKERS = {
    "transition": (af.Channel, P),
    "initial": (lambda x: af.Channel(P, initial=x), HALF),
    "cost": (lambda x: af.Channel(P, cost=x, cost_limit=0.7), np.array([0.0, 1.0])),
    "source": (lambda x: RateDistortion(x, D, 1.0), HALF),
    "distortion": (lambda x: RateDistortion(HALF, x, 1.0), D),
    "transport cost": (lambda x: Transport(x, HALF, HALF, 0.5), D),
    "row": (lambda x: Transport(D, x, HALF, 0.5), HALF),
    "column": (lambda x: Transport(D, HALF, x, 0.5), HALF),
    "tokens": (lambda x: Attention(x, np.eye(2), np.eye(2), 1.0), np.eye(2)),
    "B": (lambda x: Attention(np.eye(2), x, np.eye(2), 1.0), np.eye(2)),
    "V": (lambda x: Attention(np.eye(2), np.eye(2), x, 1.0), np.eye(2)),
    "U": (Hopfield, 0.3 * np.eye(2)),
    "I": (lambda x: Hopfield(0.3 * np.eye(2), I=x), HALF),
    "gain": (lambda x: Hopfield(0.3 * np.eye(2), gain_v=x), np.eye(2)),
    "mobility": (lambda x: Langevin("x**2 + y**2", ["x", "y"], 1.0, mobility=x), np.eye(2)),
    "langevin start": (lambda x: Langevin("x**2 + y**2", ["x", "y"], 1.0, start=x), HALF),
    "states of equations": (lambda x: Equations(states={"x": x}, equations={"x": "-x"}), HALF),
    "constants of equations": (lambda x: Equations(states={"x": [1, 1]}, constants={"k": x}, equations={"x": "-k*x"}), HALF),
    "states of a flow": (lambda x: af.Flow(lambda y: -y, states={"y": x}), HALF),
    "constants of a flow": (lambda x: af.Flow(lambda y, k: -k * y, states={"y": HALF}, constants={"k": x}), HALF),
    "factor in a flow": (lambda x: af.Flow(lambda y: -x * y, states={"y": HALF}).graph(), HALF),
    "crossbar in a flow": (lambda x: af.Flow(lambda y: x @ y, states={"y": HALF}).graph(), P),
    "crossbar of rows in a flow": (lambda x: af.Flow(lambda y: x @ y, states={"y": P}).graph(), P),
    "divisor in a flow": (lambda x: af.Flow(lambda y: -y / x, states={"y": HALF}).graph(), HALF),
    "constant in a flow": (lambda x: af.Flow(lambda y: x - y, states={"y": HALF}).graph(), np.array([0.1, 0.2])),
    "distribution to certify": (lambda x: capacity_certificate(P, x), HALF),
    "channel to certify": (lambda x: capacity_certificate(x, HALF), P),
    "channels": (capacity_batch, P[None]),
    "reproduction to certify": (lambda x: rate_distortion_certificate(SOURCE, x), HALF),
    "plan to certify": (lambda x: transport_certificate(TRANSPORT, x), np.full((2, 2), 0.25)),
}  # fmt: skip


@pytest.mark.parametrize("taker", TAKERS)
def test_complex_and_masked_numbers_are_refused(taker):
    take, values = TAKERS[taker]
    take(values)
    with pytest.raises(BadInput, match="is complex; give"):
        take(values + 0.25j)
    with pytest.raises(BadInput, match="is complex; give"):
        take(values + 0j)
    # Where a masked array meets a signal, NumPy's masked arithmetic asks for numbers, and tracing refuses.
    with pytest.raises(BadInput, match=r"has masked entries; give|can not become a circuit: this function needs numbers"):
        take(np.ma.masked_array(values, mask=np.arange(values.size).reshape(values.shape) == 1))


NUMBERS = [[1, 0], [True, False], [0.5, np.float32(0.5)], [fractions.Fraction(1, 2), decimal.Decimal("0.5")]]


@pytest.mark.parametrize("values", NUMBERS)
def test_what_has_a_value_is_taken(values):
    assert real_array(values, "x").tolist() == [float(value) for value in values]
    assert real_array(np.ma.masked_array(values, mask=False), "x").tolist() == [float(value) for value in values]


NO_NUMBERS = [["0.5", "0.5"], [None, "x"], [[1, 2], [3]], np.array(["2020-01-01"], dtype="datetime64[D]"), {"a": 1}, [1j]]


@pytest.mark.parametrize("values", NO_NUMBERS)
def test_what_has_none_is_refused(values):
    with pytest.raises(BadInput, match=r"x is complex|x does not consist of numbers in rows of one length"):
        real_array(values, "x")


@pytest.mark.parametrize("number", [np.complex128(0.9 + 1j), np.array(0.9 + 1j), 0.9 + 0j])
def test_complex_numbers_among_objects_are_refused(number):
    values = np.empty(2, dtype=object)
    values[:] = [0.1, 0.1]
    values[0] = number
    with pytest.raises(BadInput, match="x is complex"):
        real_array(values, "x")


def test_one_number_is_real():
    assert all(map(is_number, [1, 0.5, np.float32(1), np.int8(1)]))
    assert not any(map(is_number, [True, np.True_, 1j, np.complex128(1), "1", None, np.array([1.0])]))


def test_a_list_of_masked_rows_keeps_its_mask():
    rows = [np.ma.masked_array([0.5, 0.5], mask=[False, True]), np.ma.masked_array([0.5, 0.5])]
    with pytest.raises(BadInput, match="has masked entries"):
        af.Channel(rows)


HUGE = 10**400
"""A whole number that no float holds."""


@pytest.mark.parametrize("value", [True, "1", 1j, None, [1.0], math.nan, HUGE])
def test_what_is_no_number_of_a_float_is_neither_finite_nor_positive(value: object) -> None:
    assert not is_finite(value)
    assert not is_positive(value)
    assert not is_positive(value, finite=False)


def test_infinity_is_positive_only_where_it_may_be() -> None:
    assert is_positive(math.inf, finite=False)
    assert not is_positive(math.inf)
    assert not is_finite(math.inf)
    assert is_finite(-2.0)
    assert not is_positive(0.0)


def test_a_whole_number_is_one_of_python_or_numpy_within_its_ends() -> None:
    assert is_whole(np.int32(3), 1, 3)
    assert is_whole(HUGE)
    assert not any(is_whole(value, 1, 3) for value in (True, 2.0, 0, 4, "2"))


def test_a_name_that_is_not_known_is_answered_with_the_near_ones_or_all() -> None:
    assert proposal("opam", ("opamp", "ideal")) == "did you mean opamp?"
    assert proposal("xyz", ("opamp", "ideal")) == "known are: opamp, ideal."
    assert proposal(None, ()) == "known are: none."
    with pytest.raises(BadInput, match=r"^form \[\] of a flow is not known; known are: field\.$"):
        refuse_unknown([], ("field",), "form", "a flow")
    refuse_unknown("field", ("field",), "form")


def test_limits_are_refused_by_name() -> None:
    refuse_not_positive(most=math.inf, step=0.1)
    with pytest.raises(BadInput, match=r"^most is inf; give a number above 0\.$"):
        refuse_not_positive(finite=True, step=0.1, most=math.inf)


def test_a_positive_number_is_a_float_and_what_is_none_is_told_or_kept_for_later():
    assert positive(np.int64(3), "") == 3.0
    assert positive(math.inf, "", finite=False) == math.inf
    for wrong in (0, -1.0, math.nan, math.inf, True, "1", None, [1.0]):
        with pytest.raises(BadInput, match=r"^it is none\.$"):
            positive(wrong, "it is none")
        assert math.isnan(positive(wrong, "it is none", faults := ["before"]))
        assert faults == ["before", "it is none"]


@pytest.mark.parametrize("length", [0, -1.0, math.inf, math.nan, True, "1"])
def test_what_is_no_length_is_refused_by_its_name(length):
    refuse_no_length(time_constants=None, largest_step=1e-3)
    with pytest.raises(BadInput, match=r"^largest_step: .+ is not a positive number of time constants\.$"):
        refuse_no_length(time_constants=2.0, largest_step=length)
