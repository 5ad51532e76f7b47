"""Verification levels: nothing is lost before the parts, and what parts lose is named."""

import dataclasses

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import Resistor
from analogflow.errors import BadInput
from analogflow.judgement.levels import _worst_block
from analogflow.problems import Langevin, RateDistortion


@pytest.mark.slow
@pytest.mark.ngspice
def test_levels_of_the_paper_channel():
    flow = af.flows.capacity(PAPER)
    levels = {level.name: level for level in af.verification_levels(flow, carried=flow)}
    assert list(levels) == [
        "exact flow", "graph", "scaled graph", "ideal netlist", "op-amp netlist", "translinear netlist",
    ]  # fmt: skip
    assert levels["graph"].error < 1e-10
    assert levels["scaled graph"].error < 1e-10
    assert levels["ideal netlist"].error < 1e-8
    assert 1e-8 < levels["op-amp netlist"].error < 1e-2
    assert 1e-8 < levels["translinear netlist"].error < 4e-4
    assert "machine units off" in levels["op-amp netlist"].culprit
    assert levels["translinear netlist"].culprit


@pytest.mark.ngspice
def test_the_block_that_adds_most_is_found():
    """A part that is spoiled on purpose is the one that is named."""

    problem = RateDistortion(source=[0.6, 0.4], distortion=[[0, 1], [1, 0]], beta=2.0)
    circuit = af.compile(af.flows.rate_distortion(problem), technology="opamp")
    target = next(g.block for g in circuit.groups if g.block.startswith("crossbar"))
    spoiled = []
    for group in circuit.groups:
        elements = group.elements
        if group.block == target:
            k = next(i for i, e in enumerate(elements) if isinstance(e, Resistor))
            worse = dataclasses.replace(elements[k], resistance=1.03 * elements[k].resistance)
            elements = (*elements[:k], worse, *elements[k + 1 :])
        spoiled.append(dataclasses.replace(group, elements=elements))
    answer, culprit = _worst_block(dataclasses.replace(circuit, groups=tuple(spoiled)), 20.0)
    assert culprit.startswith(target)
    assert np.isfinite(answer).all()


def test_a_flow_with_noise_of_its_own_is_refused():
    flow = af.flows.langevin(Langevin(energy="x**2/2", variables=["x"], temperature=0.5))
    with pytest.raises(BadInput, match=r"no answer to compare level by level"):
        af.verification_levels(flow)


@pytest.mark.parametrize("options", [{"technology": "opamp"}, {"technology": "nonsense"}, {"scaled": True}])
def test_levels_refuse_what_they_differ_in(options):
    with pytest.raises(BadInput, match=f"{next(iter(options))}: the levels are circuits of their own"):
        af.verification_levels(af.flows.capacity(PAPER), **options)
