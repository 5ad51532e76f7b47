"""Schematics: every part of a circuit is drawn exactly once, whatever the family, and alike blocks once beyond a size."""

import numpy as np
import pytest

import analogflow as af
from analogflow.errors import BadInput
from analogflow.problems import Attention, Channel, Hopfield, RateDistortion, Transport
from analogflow.report.schematic.sheet import _frames
from analogflow.report.schematic.stages import Amplifier, Array, is_ammeter, stages_of

PAPER = Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
PROBLEMS = {
    "capacity": PAPER,
    "rate_distortion": RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=2.0),
    "transport": Transport(cost=1 - np.eye(3), row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0], [0, 1], [0.6, 0.8]], B=np.eye(2), V=np.eye(2), beta=1.0, time=1.0),
    "hopfield": Hopfield(
        U=[[0.3, 0.0], [0.1, 0.2]], I=[0.5, -0.5], gain_v=np.eye(2), gain_h=np.eye(2), activation="tanh", temperature=0.0
    ),
}
FORMS = {"rate_distortion": "logarithmic", "transport": "scaling"}
CASES = [("opamp", family) for family in PROBLEMS] + [
    ("translinear", family) for family in ("capacity", "rate_distortion", "transport")
]


def compiled(technology, family, problem=None):
    form = {"form": FORMS[family]} if technology == "translinear" and family in FORMS else {}
    flow = getattr(af.flows, family)(problem or PROBLEMS[family], **form)
    return af.compile(flow, technology=technology)


@pytest.mark.parametrize("technology, family", CASES)
def test_every_part_is_drawn_exactly_once(technology, family):
    circuit = compiled(technology, family)
    drawn = [e for _, stages in stages_of(circuit) for stage in stages for e in stage.elements]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {e for e in circuit.elements if not is_ammeter(e)}
    if sum(len(stages) for _, stages in stages_of(circuit)) <= 60:
        assert all(times == 1 for _, times, _ in _frames(circuit))


@pytest.mark.parametrize("technology, family", CASES)
def test_it_is_drawn(technology, family, tmp_path):
    figure = af.draw_circuit(compiled(technology, family))
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "Ω" in texts
    assert "opa2277" in texts
    assert technology in figure.axes[0].get_title(loc="left")
    one, other = (af.save_figure(figure, tmp_path / name) for name in ("one.svg", "other.svg"))
    assert one.read_bytes() == other.read_bytes()


def test_stages_are_what_an_engineer_would_call_them():
    stages = {group.block: found for group, found in stages_of(compiled("translinear", "capacity"))}
    (array,) = [s for s in stages["z0"] if isinstance(s, Array) and len(s.transistors) == 3 and s.nets[0][1][1] == "u0"]
    assert [base for _, (_, base, _) in array.nets[:3]] == ["u0", "u1", "u2"]
    (log,) = stages["log0"]
    assert isinstance(log, Amplifier)
    assert log.drive is not None
    assert {type(chain[0]).__name__ for chain in log.feedback} == {"BipolarTransistor", "Capacitor"}
    (row,) = stages["u0"]
    assert {net for _, net in row.inverting} == {"v0", "v1", "v2", "va", "vb"}
    assert {type(chain[0]).__name__ for chain in row.feedback} == {"Capacitor", "Switch"}


@pytest.mark.parametrize("technology, size", [("opamp", 8), ("translinear", 16)])
def test_alike_blocks_are_drawn_once_in_a_large_circuit(technology, size):
    channel = Channel(0.5 * np.eye(size) + 0.5 * np.random.default_rng(0).dirichlet(np.ones(size), size))
    circuit = compiled(technology, "capacity", channel)
    frames = _frames(circuit)
    drawn = sum(len(stages) for _, _, stages in frames)
    assert drawn < 0.5 * sum(len(stages) for _, stages in stages_of(circuit))
    assert af.draw_circuit(circuit).axes


def test_ideal_elements_have_no_schematic():
    with pytest.raises(BadInput, match=r"'ideal' has no schematic; take 'opamp' or 'translinear'"):
        af.draw_circuit(af.compile(af.flows.capacity(PAPER)))
