"""What rests, beside its size: one rule for a number and for many samples."""

import numpy as np
import pytest

from analogflow.rest import rest_size, rested, size_of, usual

SIZES = [0.0, 1e-9, 9.9e-3, 1e-2, 0.5, 1.0, 50.0, 100.0, 101.0, 1e9, np.inf, np.nan]


def test_sizes_within_two_decades_of_one_count_as_one():
    assert [usual(size) for size in SIZES] == [1.0, 1e-9, 9.9e-3, 1.0, 1.0, 1.0, 1.0, 1.0, 101.0, 1e9, 1.0, 1.0]
    assert [size_of(size) for size in SIZES] == [1.0, 1e-9, 9.9e-3, 1.0, 1.0, 1.0, 50.0, 100.0, 101.0, 1e9, 1.0, 1.0]
    for rule in (usual, size_of):
        assert rule(np.array(SIZES)).tolist() == [rule(size) for size in SIZES]
        assert type(rule(0.5)) is float


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_what_rests_moves_little_beside_its_size(unit):
    largest = np.array([1e-4, 1.0, 50.0, 1e4]) * unit
    sizes = np.array([1e-4, 1.0, 1.0, 1e4]) * unit
    slow, fast = (rested(share * sizes * 2.0, 2.0, largest, 1e-6, unit=unit) for share in (0.9e-6, 1.1e-6))
    assert slow.all()
    assert not fast.any()
    assert not rested(np.nan, 2.0, 1.0, 1e-6)
    assert rest_size(50.0, 3.0) == 3.0
    assert rested(1e-6, 1.0, 50.0, 1e-6, size=3.0)
    assert not rested(1e-5, 1.0, 50.0, 1e-6, size=3.0)
