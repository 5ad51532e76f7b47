"""The nominal orbit is what costs most of a compilation: it is integrated once, and each graph is worked out once."""

import collections

import pytest

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.compiler import rebuilt
from analogflow.passes import ranges, soundness
from analogflow.technology import TECHNOLOGIES

CHANNEL = af.Channel([[0.7, 0.3], [0.1, 0.9]])

FIELDS = {"ideal": 4, "opamp": 6, "translinear": 4}
"""Traced, mended twice (for its rates of return, and to be compared), fused; scaled, and the one whose ranges are found."""


@pytest.fixture
def counted(monkeypatch):
    """How many τ of the orbit are followed, how many runs look for ranges, and how many fields are worked out."""
    count = collections.Counter()
    carried, march, made = soundness._carried, ranges.march, VectorField.__init__

    def counted_carried(field, y, length):
        count["orbit"] += length
        return carried(field, y, length)

    def counted_march(*given, **options):
        count["ranges"] += 1
        return march(*given, **options)

    def counted_field(self, graph):
        count["fields"] += 1
        made(self, graph)

    monkeypatch.setattr(soundness, "_carried", counted_carried)
    monkeypatch.setattr(ranges, "march", counted_march)
    monkeypatch.setattr(VectorField, "__init__", counted_field)
    return count


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_compilation_integrates_the_orbit_once(counted, technology):
    """Ranges need two runs besides: the flow's own path to its end, beyond the orbit's 20 τ, and the ensemble's."""
    af.compile(af.flows.capacity(CHANNEL), technology=technology)
    assert counted["orbit"] == pytest.approx(20.0)
    assert counted["ranges"] == (2 if TECHNOLOGIES[technology].scaled else 0)
    assert counted["fields"] == FIELDS[technology]


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_noise_does_not_follow_the_orbit_again(counted, technology):
    circuit = af.compile(af.flows.capacity(CHANNEL), technology=technology)
    counted.clear()
    af.degrade(circuit, noise=af.Noise(0.01))
    assert counted["orbit"] == 0
    assert counted["fields"] == {"ideal": 1, "opamp": 3, "translinear": 0}[technology]


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_circuit_that_is_built_again_has_the_orbit_that_it_had(counted, technology):
    circuit = af.compile(af.flows.capacity(CHANNEL), technology=technology)
    counted.clear()
    again = rebuilt(circuit, stabilise=False)
    assert counted["orbit"] == 0
    plain = af.compile(circuit.flow, technology=technology, stabilise=False)
    assert (again.orbit == plain.orbit).all()
    assert [str(step) for step in again.history] == [str(step) for step in plain.history]


def test_a_restart_is_of_the_same_circuit_and_follows_no_orbit_of_its_own(counted):
    af.verify(CHANNEL, engine="block")
    assert counted["orbit"] == pytest.approx(20.0)
    assert counted["fields"] == 12


@pytest.mark.slow
def test_all_boards_share_the_orbit(counted):
    fit = af.map_flow(af.flows.capacity(CHANNEL), "that")
    assert not fit.fits
    assert fit.suggestions
    assert counted["orbit"] == pytest.approx(20.0)
