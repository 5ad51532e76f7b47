"""A circuit that is built again is built as it was: every option survives noise, deviations, values, restarts and levels."""

import dataclasses
import functools

import numpy as np
import pytest

import analogflow as af
from analogflow.circuit import Capacitor, Conditions
from analogflow.compiler import circuit_of, rebuilt
from analogflow.judgement import levels
from analogflow.judgement.restart import pushed
from analogflow.passes import sample_parts
from analogflow.run import Run
from analogflow.technology import DEFAULT_PARTS, TECHNOLOGIES, part_set

PAPER = af.Channel([[0.7, 0.3], [0.1, 0.9]])
FLOW = af.flows.capacity(PAPER)
OTHER = {
    "ideal": {"scaled": True, "stabilise": False},
    "opamp": {"parts": "general", "temperature_celsius": 60.0, "delay_fraction": 0.05, "stabilise": False},
    "translinear": {"parts": "general", "temperature_celsius": 60.0},
}
"""Options that each technology heeds, with a value that is not the usual one."""


@functools.cache
def compiled(technology, **options):
    return af.compile(FLOW, technology=technology, **options)


CASES = [(technology, name, value) for technology, options in OTHER.items() for name, value in options.items()]
NOISE = af.Noise(0.01, seed=3)
PARTS = part_set(DEFAULT_PARTS)


def restarted(circuit):
    ends = {name: np.stack([value.ravel()] * 2) for name, value in circuit.flow.states.items()}
    return pushed(circuit, Run(np.array([0.0, 1.0]), ends, af.Outcome.SETTLED), delta=0.05)


def noisy(circuit):
    return af.degrade(circuit, noise=NOISE)


def deviating(circuit):
    return af.degrade(circuit, af.Imperfections(mismatch=0.01), noise=af.Noise(0.0, seed=3), sample=2)


def both(circuit):
    return af.degrade(circuit, af.Imperfections(mismatch=0.01), noise=NOISE, sample=2)


def restarted_with_both(circuit):
    return restarted(both(circuit))


@functools.cache
def usual_again(technology, again):
    return again(compiled(technology))


@pytest.mark.parametrize("again", [noisy, deviating, both, restarted_with_both])
@pytest.mark.parametrize(("technology", "name", "value"), CASES)
def test_an_option_of_compile_survives(technology, name, value, again):
    usual, other = compiled(technology), compiled(technology, **{name: value})
    one, two = usual_again(technology, again), again(other)
    assert (one.build, two.build) == (usual.build, other.build)
    assert af.netlist(one, time_constants=5).body != af.netlist(two, time_constants=5).body
    assert (two.units.time_constant, two.accuracy) == (other.units.time_constant, other.accuracy)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_circuit_built_again_is_the_same_circuit(technology):
    """Byte by byte, with all that was asked of it at once."""
    real = both(af.compile(FLOW, technology=technology, **OTHER[technology]))
    assert af.netlist(rebuilt(real)).text == af.netlist(real).text


@pytest.mark.slow
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_values_that_were_chosen_are_chosen_again(technology):
    exact = compiled(technology)
    chosen = af.choose_values(exact, "E12")
    assert af.netlist(restarted(chosen)).body != af.netlist(restarted(exact)).body
    for again in (noisy, both, restarted):
        by_hand = af.choose_values(again(exact), "E12") if again is noisy else again(chosen)
        assert {g.block: g.elements for g in again(chosen).groups} == {g.block: g.elements for g in by_hand.groups}
        assert again(chosen).accuracy == chosen.accuracy


def mixing(x):
    """A flow whose ranges hang on its start: what moves between three places."""
    return x @ np.array([[-1.5, 1.0, 0.5], [0.3, -1.0, 0.7], [0.2, 0.4, -0.6]])


MIXING = af.Flow(mixing, {"x": np.full(3, 1 / 3)}, keeps=(af.Simplex("x"),))


@pytest.mark.parametrize(
    ("technology", "flow"),
    [("opamp", MIXING), ("opamp", FLOW), ("translinear", FLOW)],
    ids=["opamp, custom", "opamp", "translinear"],
)
@pytest.mark.parametrize("conditions", [deviating, both])
def test_a_restart_changes_initial_conditions_and_no_part(technology, flow, conditions):
    # Scales and a common gauge that follow the new start would make another circuit of the same parts list.
    first = conditions(af.choose_values(af.compile(flow, technology=technology)))
    name = "x" if flow is MIXING else "u"
    again = rebuilt(first, starts={name: flow.states[name] + np.linspace(-0.2, 0.2, flow.states[name].size)})
    assert [e.name for e in first.elements] == [e.name for e in again.elements]
    changed = [(one, two) for one, two in zip(first.elements, again.elements, strict=True) if one != two]
    assert changed
    for one, two in changed:
        if one.name == "hold":  # until the least current of the start has charged its logarithm
            held = {"time": 0.0}
        else:
            held = {"initial": 0.0} if isinstance(one, Capacitor) else {"voltage": 0.0}
            assert isinstance(one, Capacitor) or one.name.endswith("_set")
        assert dataclasses.replace(one, **held) == dataclasses.replace(two, **held)
    assert (again.units.time_constant, again.accuracy) == (first.units.time_constant, first.accuracy)


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        (5, "starts: 5 is no mapping; give an array for the name of each state"),
        ({"v": [0.0, 0.0]}, "state 'v' of the flow is not known; known are: u"),
        ({"u": [0.0, 0.0, 0.0]}, r"starts: 'u' has the shape \(3,\); give one of shape \(2,\), as the flow has it"),
        ({"u": "ab"}, "starts: 'u' does not consist of numbers"),
        ({"u": [0.0, np.nan]}, "the initial value of 'u' must be an array of finite numbers"),
    ],
)
def test_starts_that_are_none_are_refused(starts, message):
    with pytest.raises(af.BadInput, match=message):
        rebuilt(compiled("ideal"), starts=starts)


def test_a_lot_that_was_drawn_is_drawn_again():
    drawn = sample_parts(compiled("opamp"), seed=5, sample=2)
    assert af.netlist(rebuilt(drawn)).text == af.netlist(drawn).text
    with pytest.raises(af.BadInput, match="imperfect already \\(its parts deviate\\)"):
        af.degrade(drawn, noise=NOISE)
    with pytest.raises(af.BadInput, match="seed: 4 is not that of the circuit's noise, 3"):
        sample_parts(noisy(compiled("opamp")), seed=4)


def test_one_thing_is_changed_and_nothing_else():
    circuit = both(compiled("opamp", delay_fraction=0.05))
    warm = rebuilt(circuit, temperature_kelvin=330.0)
    assert warm.build == dataclasses.replace(circuit.build, temperature_kelvin=330.0)
    assert warm.conditions == circuit.conditions
    assert rebuilt(circuit, conditions=Conditions()).nominal


@pytest.mark.parametrize(
    ("technology", "changes", "message"),
    [
        ("ideal", {"technology": "nope"}, r"technology 'nope' is not known; known are: ideal, opamp, translinear\."),
        ("ideal", {"technology": "opamp"}, r"parts is None, and the technology 'opamp' is made of parts; give a PartSet\."),
        ("ideal", {"technology": "translinear"}, "parts is None, and the technology 'translinear' is made of parts"),
        (
            "ideal",
            {"technology": "opamp", "parts": PARTS},
            "scaled is False, and the technology 'opamp' is built in",
        ),
        ("ideal", {"parts": PARTS}, "parts has no effect in the technology 'ideal', which has no parts;"),
        ("ideal", {"delay_fraction": 0.1}, "delay_fraction has no effect in the technology 'ideal', which chooses"),
        ("ideal", {"temperature_kelvin": 330.0}, "temperature_kelvin has no effect in the technology 'ideal', which has"),
        ("ideal", {"sclaed": True}, r"field 'sclaed' of a build is not known; known are: technology, .*, values\."),
        ("opamp", {"technology": "ideal"}, "parts has no effect in the technology 'ideal', which has no parts;"),
        ("opamp", {"parts": "fast"}, "parts is 'fast', and the technology 'opamp' is made of parts; give a PartSet"),
        ("opamp", {"scaled": False}, r"scaled is False, and the technology 'opamp' .*; give scaled=True\."),
        ("opamp", {"delay_fraction": 0.5}, r"delay_fraction is 0\.5; give a number from 0\.0001 to 0\.25\."),
        ("opamp", {"delay_fraction": "0.1"}, r"delay_fraction is '0\.1'; give a number"),
        ("opamp", {"temperature_kelvin": 60.0}, r"temperature_kelvin is 60\.0; give a number from 173\.15 to 473\.15\."),
        ("translinear", {"temperature_kelvin": np.nan}, "temperature_kelvin is nan; give a number"),
        (
            "translinear",
            {"scaled": True},
            "scaled has no effect in the technology 'translinear', which has scales of its own",
        ),
    ],
)
def test_a_circuit_is_not_built_again_as_compile_would_not_build_it(technology, changes, message):
    with pytest.raises(af.BadInput, match=f"^{message}"):
        rebuilt(compiled(technology), **changes)


@pytest.mark.parametrize("technology", ["ideal", "opamp"])
@pytest.mark.parametrize("verb", [af.degrade, rebuilt])
@pytest.mark.parametrize("values", [42, "E12"])
def test_what_can_not_choose_values_is_refused(verb, technology, values):
    with pytest.raises(af.BadInput, match=f"^values is {values!r}; give a function from a circuit to a circuit, such as"):
        verb(compiled(technology), values=values)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_a_circuit_of_a_problem_is_that_of_its_flow_under_the_same_conditions(technology):
    said = {"noise": "5e-9V/rtHz", "imperfections": af.Imperfections(mismatch=0.01), "seed": 3, "sample": 2}
    whole = circuit_of(PAPER, technology=technology, **said)
    text, flow = af.netlist(whole).text, whole.flow
    exact = af.compile(flow, technology=technology)
    values = af.choose_values if exact.parts else None
    by_hand = af.degrade(exact, said["imperfections"], noise=whole.noise, sample=2, values=values)
    for other in (circuit_of(flow, technology=technology, **said), circuit_of(exact, **said), by_hand):
        assert af.netlist(other).text == text
    assert af.netlist(circuit_of(exact)).text != text


def test_a_circuit_that_is_built_is_solved_as_its_problem_is_and_not_built_otherwise():
    said = {"engine": "block", "noise": 1e-3, "imperfections": af.Imperfections(mismatch=0.01), "seed": 3}
    problem, built = (af.solve(given, **said) for given in (PAPER, af.compile(af.flows.capacity(PAPER))))
    assert built.deck.text == problem.deck.text
    assert built.to_dict() == problem.to_dict()
    for name, value in {"form": "logdomain", "technology": "ideal", "scaled": False}.items():
        with pytest.raises(af.BadInput, match=f"^{name}: the circuit is built already; leave it out, or give the problem"):
            af.solve(compiled("ideal"), engine="block", **{name: value})
    with pytest.raises(af.BadInput, match="the circuit is imperfect already"):
        af.verify(noisy(compiled("ideal")), engine="block")


def test_an_ideal_circuit_is_built_again_of_parts():
    again = rebuilt(compiled("ideal"), technology="opamp", parts=PARTS, scaled=True)
    assert af.netlist(again).text == af.netlist(compiled("opamp")).text


@pytest.mark.parametrize("imperfections", [None, af.Imperfections(mismatch=0.02)])
def test_ensembles_and_budgets_of_a_circuit_in_machine_units_are_in_flow_units(imperfections):
    """σ is in flow units and a mismatch relative, so what they do is the same at every scale."""
    plain, scaled = af.compile(FLOW), af.compile(FLOW, scaled=True)
    assert max(abs(scale - 1).max() for scale in scaled.units.scales.values()) > 0.1
    noise = af.Noise(0.02 if imperfections is None else 0.0, seed=1)
    if imperfections is None:
        given = {"noise": noise, "time_constants": 20.0, "save": [5.0], "start": {"u": np.array([0.3, -0.3])}}
        one, two = (af.ensemble(circuit, 4, **given) for circuit in (plain, scaled))
        assert set(one.final) == set(two.final)
        for name in one.final:
            assert one.final[name] == pytest.approx(two.final[name], abs=2e-5)
            assert one.values[name] == pytest.approx(two.values[name], abs=2e-5)
    budgets = [af.error_budget(c, imperfections or af.Imperfections(), noise=noise, samples=8) for c in (plain, scaled)]
    costs = [budget.effects[0] for budget in budgets]
    assert budgets[0].value == budgets[1].value
    for kind in ("measured", "predicted"):
        a, b = (getattr(cost, kind) for cost in costs)
        assert (b.answer, b.loss) == pytest.approx((a.answer, a.loss), rel=0.01 if imperfections is None else 1.0)


@pytest.mark.ngspice
def test_levels_are_of_the_circuit_that_was_asked_for(monkeypatch):
    ran = []

    def recorded(deck, **options):
        ran.append(deck.circuit.build)
        return af.simulate(deck, **options)

    monkeypatch.setattr(levels, "simulate", recorded)
    decay = af.Flow(lambda x: -x, {"x": np.array([1.0, 0.5])})
    options = OTHER["opamp"]
    af.verification_levels(decay, time_constants=3.0, **options)
    assert {build.technology for build in ran} == {"ideal", "opamp"}
    asked = af.compile(decay, technology="opamp", **options).build
    assert [dataclasses.replace(build, values=None) for build in ran if build.technology == "opamp"] == [asked]
    assert not any(build.stabilise for build in ran)
