"""The nominal orbit is what costs most of a compilation: it is integrated once."""

import pytest

import analogflow as af
from analogflow.passes import manifold
from analogflow.technology import TECHNOLOGIES


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_compilation_integrates_the_orbit_once(monkeypatch, technology):
    stretches, carried = [], manifold._carried

    def counted(field, y, length):
        stretches.append(length)
        return carried(field, y, length)

    monkeypatch.setattr(manifold, "_carried", counted)
    af.compile(af.flows.capacity(af.Channel([[0.7, 0.3], [0.1, 0.9]])), technology=technology)
    assert sum(stretches) == pytest.approx(20.0)
