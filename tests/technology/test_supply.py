"""A supply that is too low for the range of a node is refused, with the node."""

import pytest

import analogflow as af
from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.technology import part_set

PAPER = Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])


def supplied(folder, volts):
    path = folder / f"supply_{volts}.toml"
    path.write_text(f"supply = {volts}\n", encoding="utf-8")
    return part_set(str(path))


@pytest.mark.parametrize("volts", [0.5, 5, 9])
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
