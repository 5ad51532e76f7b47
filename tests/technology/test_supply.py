"""A supply that is too low for the range of a node is refused, with the node."""

import pytest
from zoo import PAPER

import analogflow as af
from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.technology import part_set


def supplied(folder, volts):
    path = folder / f"supply_{volts}.toml"
    path.write_text(f"supply = {volts}\n", encoding="utf-8")
    return part_set(str(path))


@pytest.mark.parametrize("volts", [1.5, 5, 9])
def test_op_amps_name_the_node_that_goes_furthest(tmp_path, volts):
    flow = af.flows.capacity(PAPER)
    with pytest.raises(BadInput, match=r"node '\w+' \(.*\) goes to 8 V, but opa2277 reaches .* at least 10 V"):
        af.compile(flow, technology="opamp", parts=supplied(tmp_path, volts))
    assert af.compile(flow, technology="opamp", parts=supplied(tmp_path, 10.1)).parts.supply == 10.1


def test_transistors_name_the_rail_of_their_tails(tmp_path):
    flow = af.flows.capacity(PAPER)
    with pytest.raises(BadInput, match=r"node 'vlow'.* is at -5 V, .* at least 5 V"):
        af.compile(flow, technology="translinear", parts=supplied(tmp_path, 4))
    assert af.compile(flow, technology="translinear", parts=supplied(tmp_path, 5)).parts.supply == 5


@pytest.mark.parametrize(
    "lines, message",
    [
        ("supply = 1e308", r"supply = 1e\+308 is not a part's; give a number from 1 to 100"),
        ("[tolerances]\nresistor = 1e30", r"resistor = 1e\+30 is not a part's; give a number from 0 to 0.5"),
        ('[op_amp]\nlike = "opa2277"\nslew = 1e-30', r"slew = 1e-30 is not a part's"),
        ('op_amp = ["opa2277"]', r"op_amp \['opa2277'\] is not known"),
        ('[op_amp]\nlike = ["opa2277"]', r"op_amp \['opa2277'\] is not known"),
        ('op_amp = "x\\n.control"', r"is not known; the nearest are"),
    ],
)
def test_numbers_that_no_part_has_are_refused(tmp_path, lines, message):
    path = tmp_path / "own.toml"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        part_set(str(path))


@pytest.mark.ngspice
def test_a_channel_of_no_capacity_rests_at_zero():
    flow = af.flows.capacity(Channel([[0.5, 0.5], [0.5, 0.5]]))
    run = af.simulate(af.netlist(af.compile(flow, technology="opamp"), time_constants=20))
    assert abs(run.final["capacity_nats"][0]) < 1e-3
