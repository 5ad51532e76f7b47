"""A technology's passes run as its record says; the runner refuses what is not the flow, and composes the way back."""

import dataclasses

import numpy as np
import pytest

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.blocks import Constant, Crossbar
from analogflow.circuit import Build
from analogflow.compiler import rebuilt
from analogflow.errors import AnalogflowError
from analogflow.graph import rewritten
from analogflow.passes import (
    CHECK,
    FUSE,
    NOISE,
    REALISE,
    SCALE,
    STABILISE,
    TRACE,
    Brief,
    Pass,
    Passed,
    rescaled,
    run_passes,
    sample_parts,
    unfolded,
)
from analogflow.technology import TECHNOLOGIES
from analogflow.technology.technology import USUAL

FLOW = af.flows.capacity(af.Channel([[0.7, 0.3], [0.1, 0.9]]))


def brief():
    return Brief(FLOW, Build("ideal"))


def halved(given):
    """The same flow in units of two."""
    graph = given.graph
    named = {**graph.states, **graph.observables}
    scales = {name: np.full(graph.block(node).size, 0.5) for name, node in named.items()}
    return Passed(unfolded(rescaled(graph, dict.fromkeys(graph, 0.5), {})), "halved", scales)


def with_weights(factor):
    def visit(graph, builder, node, inputs):
        block = graph.block(node)
        if isinstance(block, Crossbar):
            block = dataclasses.replace(block, weight=block.weight * factor)
        return builder.adopt(graph, node, inputs, block)

    return lambda given: Passed(rewritten(given.graph, lambda *where: visit(given.graph, *where)), "weights changed")


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_the_history_of_a_circuit_is_the_pipeline_of_its_technology(technology):
    record, circuit = TECHNOLOGIES[technology], af.compile(FLOW, technology=technology)
    # A flow that is carried and whose functions all have cells is neither refused nor lifted.
    idle = (
        {"carry", "lift"}
        | {p.name for p in record.passes if p.heeds}
        | (set() if record.scaled or record.parts else {"scale"})
    )
    ran = [p.name for p in record.passes if p.name not in idle]
    assert ran[-1] == "realise"
    assert [step.name for step in circuit.history] == [*ran[:-1], technology]
    scaled = [p.name for p in TECHNOLOGIES["ideal"].passes if not p.heeds]
    assert [step.name for step in af.compile(FLOW, scaled=True).history] == [*scaled[:-1], "ideal"]


UNASKED = {"carry", "lift", "trim", "device noise", "start-up"}
"""Passes that do nothing here: the flow is carried, functions have cells, nobody trims it or asks for noise of parts."""


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_conditions_go_through_the_same_passes(technology):
    """With all of them at once the history is the whole pipeline, in its order."""
    record, flaws = TECHNOLOGIES[technology], af.Imperfections(mismatch=0.01)
    circuit = af.compile(FLOW, technology=technology, **({} if record.parts else {"scaled": True}))
    real = af.degrade(circuit, flaws, noise=af.Noise(0.01, seed=3), sample=2, values=af.choose_values)
    names = [technology if p.name == "realise" else p.name for p in record.passes if p.name not in UNASKED]
    assert [step.name for step in real.history] == names
    assert [step.name for step in circuit.history] == [p for p in names if p not in {"noise", "degrade", "values", "spread"}]


def recorded(ran, record):
    """The technology, each pass of which notes that it was asked."""

    def noting(each):
        def apply(given):
            ran.append(each.name)
            return each.apply(given)

        return dataclasses.replace(each, apply=apply)

    return dataclasses.replace(record, passes=tuple(noting(each) for each in record.passes))


@pytest.mark.parametrize(
    ("technology", "noise", "again"),
    [
        ("ideal", 0.0, ["degrade", "realise"]),
        ("opamp", 0.0, ["noise", "values", "spread", "trim", "device noise", "start-up"]),
        ("translinear", 0.0, ["noise", "values", "spread", "trim", "device noise", "start-up"]),
        ("opamp", 0.01, ["noise", "lift", "scale", "realise", "values", "spread", "trim", "device noise", "start-up"]),
        ("translinear", 0.01, ["noise", "realise", "values", "spread", "trim", "device noise", "start-up"]),
    ],
)
def test_a_sample_costs_what_its_conditions_cost(monkeypatch, technology, noise, again):
    """Thousands of samples of one circuit are drawn from it: what conditions do not change is not made again."""
    ran = []
    circuit = af.compile(FLOW, technology=technology)
    changed = {technology: recorded(ran, TECHNOLOGIES[technology])}
    monkeypatch.setattr("analogflow.compiler.TECHNOLOGIES", changed)
    af.degrade(circuit, af.Imperfections(mismatch=0.01), noise=af.Noise(noise, seed=3), sample=2)
    assert ran == again


def test_a_technology_that_names_no_passes_builds_parts_and_ideal_elements(monkeypatch):
    """Of the usual passes each technology leaves out by itself what is for the other kind."""
    real = {"imperfections": af.Imperfections(mismatch=0.01), "noise": af.Noise(0.01, seed=3), "sample": 2}
    for technology in ("ideal", "translinear"):
        usual = dataclasses.replace(TECHNOLOGIES[technology], passes=USUAL)
        own = af.netlist(af.degrade(af.compile(FLOW, technology=technology), **real)).text
        with monkeypatch.context() as patched:
            patched.setattr("analogflow.compiler.TECHNOLOGIES", {technology: usual})
            assert af.netlist(af.degrade(af.compile(FLOW, technology=technology), **real)).text == own


def test_a_technology_has_to_make_a_circuit(monkeypatch):
    without = dataclasses.replace(TECHNOLOGIES["ideal"], passes=(TRACE, CHECK))
    monkeypatch.setattr("analogflow.compiler.TECHNOLOGIES", {"ideal": without})
    with pytest.raises(AnalogflowError, match="no pass of the technology 'ideal' makes a circuit; name REALISE among them"):
        af.compile(FLOW)


def test_a_pass_may_not_change_the_flow_unless_it_says_so():
    change = with_weights(1 + 1e-6)
    with pytest.raises(
        AnalogflowError, match=r"the pass 'louder' changed the flow by .* on its manifold: a fault of analogflow"
    ):
        run_passes((TRACE, STABILISE, Pass("louder", change)), brief())
    kept, history = run_passes((TRACE, STABILISE, Pass("same", with_weights(1.0))), brief())
    assert history[-1].note == "weights changed; on the manifold the rates agree within 0"
    changed, history = run_passes((TRACE, STABILISE, Pass("louder", change, keeps_flow=False)), brief())
    assert history[-1].note == "weights changed"
    assert abs(changed.field(0.0, kept.orbit) - kept.field(0.0, kept.orbit)).max() > 1e-9


def test_a_pass_may_not_make_what_is_no_circuit():
    def broken(given):
        def visit(builder, node, inputs):
            block = given.graph.block(node)
            block = dataclasses.replace(block, values=block.values * np.nan) if isinstance(block, Constant) else block
            return builder.adopt(given.graph, node, inputs, block)

        return Passed(rewritten(given.graph, visit), "broken")

    with pytest.raises(af.BadInput, match="holds a number that is not finite"):
        run_passes((TRACE, Pass("broken", broken, keeps_flow=False)), brief())


def test_a_pass_with_nothing_to_do_leaves_no_trace():
    before, history = run_passes((TRACE, CHECK), brief())
    after, more = run_passes((NOISE, Pass("idle", lambda given: None)), before)
    assert after is before
    assert [step.name for step in history] == ["trace", "check"]
    assert more == ()


def test_the_way_back_is_composed():
    """Values of a graph that was scaled twice go back by both scales, and to the graph before the first."""
    plain, _ = run_passes((TRACE, STABILISE, FUSE), brief())
    scaled, history = run_passes((Pass("halve", halved), Pass("halve again", halved)), plain)
    assert scaled.source is plain.graph
    assert set(scaled.scales) == {*plain.graph.states, *plain.graph.observables}
    assert all((scale == 0.25).all() for scale in scaled.scales.values())
    assert VectorField(scaled.graph)(0.0, plain.orbit / 4) * 4 == pytest.approx(plain.field(0.0, plain.orbit), abs=1e-12)
    assert [step.note for step in history] == ["halved; the rates agree within 0"] * 2
    lying = Pass("halve", lambda given: dataclasses.replace(halved(given), scales={}))
    with pytest.raises(AnalogflowError, match="the pass 'halve' changed the flow"):
        run_passes((lying,), plain)


def test_noise_comes_in_before_units_change():
    """A circuit keeps the graph in flow units, from which it is built again with noise."""
    for record in TECHNOLOGIES.values():
        names = [each.name for each in record.passes]
        assert "noise" in names or not record.parts
        assert "scale" not in names or names.index("scale") > names.index("noise" if record.parts else "fuse")


def test_what_no_pass_brings_in_is_refused_of_many_samples_too(monkeypatch):
    circuit = af.compile(FLOW)
    without = dataclasses.replace(TECHNOLOGIES["ideal"], passes=(TRACE, CHECK, STABILISE, FUSE, REALISE))
    monkeypatch.setattr("analogflow.compiler.TECHNOLOGIES", {"ideal": without})
    flaws, refused = af.Imperfections(mismatch=0.01), "the technology 'ideal' has no pass that adds them"
    with pytest.raises(af.BadInput, match=refused):
        af.degrade(circuit, flaws)
    with pytest.raises(af.BadInput, match=refused):
        af.ensemble(circuit, 2, imperfections=flaws)
    with pytest.raises(af.BadInput, match=refused):
        af.error_budget(circuit, flaws, samples=2)
    assert af.ensemble(circuit, 2).ok.all()


def test_noise_needs_a_pass_that_adds_it(monkeypatch):
    circuit = af.compile(FLOW, technology="opamp")
    without = dataclasses.replace(TECHNOLOGIES["opamp"], passes=(TRACE, CHECK, STABILISE, FUSE, SCALE, REALISE))
    monkeypatch.setattr("analogflow.compiler.TECHNOLOGIES", {"opamp": without})
    with pytest.raises(af.BadInput, match="noise: the technology 'opamp' has no pass that adds it"):
        af.degrade(circuit, noise=af.Noise(0.01))
    with pytest.raises(af.BadInput, match="imperfections: the technology 'opamp' has no pass that adds them"):
        af.degrade(circuit, af.Imperfections(mismatch=0.01))
    with pytest.raises(af.BadInput, match="lot: the technology 'opamp' has no pass that adds it"):
        rebuilt(sample_parts(circuit))
