"""Elements, scales, lanes and cables: each step of a layout computes what the one before does, within the board's limits."""

from typing import Any

import numpy as np
import pytest
from board_zoo import FLOWS
from hypothesis import given, settings
from hypothesis import strategies as st

from analogflow.block_engine import VectorField
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.hardware import load_board, lucidac, map_flow, that
from analogflow.hardware.couplings import ComputingElement, Couplings
from analogflow.hardware.course import nominal_run
from analogflow.hardware.decomposition import flatten, take_apart
from analogflow.hardware.lucidac import CONSTANT_OUTPUTS, MULTIPLIER_OUTPUT, route
from analogflow.hardware.scaling import MARGIN, polarity, scale, unscaled

LUCIDAC = load_board("lucidac")


@pytest.mark.parametrize("functions", [True, False])
@pytest.mark.parametrize("name", FLOWS)
def test_elements_move_as_the_graph_does(name, functions):
    taken = take_apart(FLOWS[name].graph(), FLOWS[name].answer, functions)
    whole = flatten(taken.graph, functions=functions)
    graph = taken.graph
    points = graph.initial() * np.linspace(0.7, 1.1, 4)[:, None]
    assert np.allclose(whole.rates(points), VectorField(graph)(0.0, points), atol=1e-12)


def test_a_state_that_lifting_leaves_unread_is_left_out():
    flow = FLOWS["capacity"]
    taken = take_apart(flow.graph(), flow.answer, False)
    held = {state for state, _ in taken.couplings.places}
    assert "u" not in held
    assert any(state.startswith("softmax_of") for state in held)
    alone = Flow(lambda x, y: (-x, -y), {"x": np.array([1.0]), "y": np.array([1.0])})
    assert {state for state, _ in take_apart(alone.graph(), "x", False).couplings.places} >= {"x"}


def test_equal_products_are_one_multiplier_and_constants_come_out_of_them():
    def rates(x, y):
        return x * (2 - 3 * y), (y - 1) * (4 * x) + x * y

    couplings = flatten(Flow(rates, {"x": np.array([0.5]), "y": np.array([0.2])}).graph())
    assert len(couplings.of("multiplier")) == 1
    assert [dict(couplings.elements[k].ports[0]) for k in couplings.of("integrator")] == [
        {1: 2.0, 3: -3.0},
        {3: 5.0, 1: -4.0},
    ]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", ["oja", "lorenz", "van der pol", "tanh", "hopfield", "rate-distortion"])
def test_scaled_signals_stay_within_a_machine_unit(name, whole):
    flow = FLOWS[name]
    taken = take_apart(flow.graph(), flow.answer, False)
    states = nominal_run(taken.graph, flow.end_time).states[:, taken.columns()]
    scaled = scale(taken.couplings, states, 10.0, whole=whole)
    assert (scaled.largest[1:] <= MARGIN * (1 + 1e-9)).all()
    assert (abs(scaled.coefficients()) <= 10 * (1 + 1e-12)).all()
    assert (abs(scaled.initial) <= 1).all()
    # In machine units the rates are those of the flow: w Y S/(λ S) = c y.
    values = taken.couplings.values(states)
    for k in taken.couplings.of("integrator"):
        rate = sum(w * values[s] / scaled.scales[s] for s, w in scaled.weights[k][0].items())
        assert np.allclose(rate * scaled.scales[k + 1] / scaled.slowing, taken.couplings.rates(states)[:, k], atol=1e-9)


@st.composite
def systems(draw):
    """Random couplings of integrators and products of them."""
    integrators, products = draw(st.integers(1, 8)), draw(st.integers(0, 4))
    weight = st.floats(-10, 10).filter(lambda w: abs(w) > 1e-3)

    def form(sources):
        return {s: draw(weight) for s in draw(st.lists(st.sampled_from(sources), min_size=1, max_size=4, unique=True))}

    count = integrators + products
    states = list(range(count + 1))
    elements = [ComputingElement("integrator", f"x{k}", (form(states),), draw(st.floats(-1, 1))) for k in range(integrators)]
    for k in range(products):
        before = list(range(integrators + k + 1))
        elements.append(ComputingElement("multiplier", f"p{k}", (form(before), form(before))))
    return Couplings(tuple(elements), {(f"x{k}", 0): k for k in range(integrators)})


@settings(max_examples=60)
@given(couplings=systems(), broken=st.lists(st.integers(0, 31), max_size=8, unique=True))
def test_routing_uses_each_lane_once_and_never_more_than_there_are(couplings, broken):
    import dataclasses

    board = dataclasses.replace(LUCIDAC, broken_lanes=tuple(broken))
    scaled = unscaled(couplings)
    if couplings.count() > board.has["lanes"]:
        with pytest.raises(BadInput, match=rf"can not hold {couplings.count()} couplings for {board.has['lanes']} lanes"):
            route(scaled, board)
        return
    routes = route(scaled, board)
    lanes = [r.lane for r in routes]
    assert len(routes) == couplings.count() == len(set(lanes))
    assert not set(lanes) & set(broken)
    assert max(lanes) < len(lanes) + len(broken)
    # The configuration computes the same rates, up to the sign that integrators add and lanes take away.
    machine = lucidac.machine(lucidac.configuration(scaled, board))
    count = len(couplings.of("integrator"))
    point = np.linspace(-0.9, 0.8, 8)
    assert np.allclose(machine.rates(point)[:count], couplings.rates(point[:count]), rtol=1e-9, atol=1e-9)
    assert np.allclose(machine.rates(point)[count:], 0)
    assert np.allclose(machine.initial[:count], [element.initial for element in couplings.elements[:count]])


@settings(max_examples=40)
@given(couplings=systems())
def test_patch_plans_compute_the_same_with_one_cable_in_each_jack(couplings):
    scaled = unscaled(couplings)
    plan = that.patch(scaled)
    assert plan.needs["integrators"] == len(couplings.of("integrator"))
    assert len(polarity(scaled).inverted) == plan.needs["inverters"]
    if any("none left" in target for _, target in plan.cables):
        return
    targets = [target for _, target in plan.cables]
    assert len(targets) == len(set(targets))
    assert all(0 < value <= 1 + 1e-9 for source, value in plan.potentiometers.items() if _fed_once(plan, source))
    machine = that.machine(plan.to_dict())
    count = len(couplings.of("integrator"))
    point = np.linspace(-0.9, 0.8, count)
    signs = np.array(plan.signs)
    assert np.allclose(machine.rates(signs * point) * signs, couplings.rates(point), rtol=1e-9, atol=1e-9)
    assert np.allclose(machine.initial * signs, [element.initial for element in couplings.elements[:count]])


def _fed_once(plan, name):
    """Whether a potentiometer feeds a sum; a port's own coefficient is above 1 where nothing was scaled."""
    return all(":X" not in target and ":Y" not in target for source, target in plan.cables if source == name)


def test_the_configuration_is_in_the_vendors_conventions():
    carrier: Any = map_flow(FLOWS["tanh"], "lucidac").configuration
    cluster = carrier["/0"]
    assert set(cluster) == {"/U", "/C", "/I", "/M0", "/M1"}
    assert (len(cluster["/U"]["outputs"]), len(cluster["/C"]["elements"])) == (32, 32)
    assert (len(cluster["/I"]["outputs"]), len(cluster["/I"]["upscaling"])) == (16, 32)
    assert cluster["/U"]["constant"] is True
    assert [setting["k"] for setting in cluster["/M0"]["elements"]] == [10000] * 8
    used = {lane: sink for sink, lanes in enumerate(cluster["/I"]["outputs"]) for lane in lanes}
    constants = {lane for lane in used if cluster["/U"]["outputs"][lane] == CONSTANT_OUTPUTS[lane >= 16]}
    assert constants
    assert all(cluster["/U"]["outputs"][lane] < MULTIPLIER_OUTPUT + 4 for lane in set(used) - constants)
    assert carrier["adc_channels"][:2] == [0, 1]


def harmonic() -> Any:
    """x' = y, y' = −x as one would write it by hand: integrators negate, so that the lanes are −1 and +1."""
    outputs: list[Any] = [None] * 32
    sinks: list[list[int]] = [[] for _ in range(16)]
    outputs[0], outputs[1] = 1, 0
    sinks[0], sinks[1] = [0], [1]
    elements = [-1.0, 1.0, *[0.0] * 30]
    return {
        "/0": {
            "/U": {"outputs": outputs, "constant": False},
            "/C": {"elements": elements},
            "/I": {"outputs": sinks, "upscaling": [False] * 32},
            "/M0": {"elements": [{"k": 10000, "ic": 0.5}, *[{"k": 10000, "ic": 0.0}] * 7]},
        }
    }


def test_a_configuration_written_by_hand_is_read():
    carrier = harmonic()
    machine = lucidac.machine(carrier)
    assert np.allclose(machine.rates(np.array([0.3, 0.2, 0, 0, 0, 0, 0, 0]))[:2], [0.2, -0.3])
    assert machine.initial[0] == -0.5
    carrier["/0"]["/I"]["upscaling"][0] = True
    assert np.allclose(lucidac.machine(carrier).rates(np.eye(8)[1])[0], 10)
    # The integrator of a k of 100 is a hundred times slower than k0, whatever the others are.
    carrier["/0"]["/M0"]["elements"][0]["k"] = 100
    assert np.allclose(lucidac.machine(carrier).rates(np.eye(8)[1])[0], 0.1)
    assert np.allclose(lucidac.machine(carrier, rate_per_second=100.0).rates(np.eye(8)[1])[0], 10)
    carrier["/0"]["/M0"]["elements"][0]["k"] = 10000
    carrier["/0"]["/C"]["elements"][0] = -0.3
    # −3 lies on the grid of ±8 in steps of 1, and not on that of ±10 in steps of 1.25.
    assert np.allclose(lucidac.machine(carrier, bits=4).rates(np.eye(8)[1])[0], 3)
    assert np.allclose(lucidac.machine(carrier, bits=4, range_step=10.0).rates(np.eye(8)[1])[0], 2.5)
    with pytest.raises(BadInput, match=r"carrier: '/I' is missing"):
        lucidac.machine({"/0": {"/U": {"outputs": []}, "/C": {"elements": []}}})
    carrier["/0"]["/C"]["elements"] = [1.0]
    with pytest.raises(BadInput, match=r"U, C and I must have 32 lanes and 16 inputs"):
        lucidac.machine(carrier)


def test_an_identity_repeats_its_input_and_a_front_panel_is_refused():
    # x drives the input of identity 1, which is that of the first multiplier too; its output drives y: y' = −0.5 x.
    carrier = harmonic()
    cluster = carrier["/0"]
    cluster["/U"]["outputs"][:3] = [0, 13, None]
    cluster["/I"]["outputs"] = [[], [1], *[[]] * 7, [0], *[[]] * 6]
    cluster["/C"]["elements"][:2] = [1.0, 0.5]
    assert lucidac.machine(carrier).rates(np.eye(8)[0])[:2].tolist() == [0.0, -0.5]
    with pytest.raises(BadInput, match=r"a lane is driven from the front panel, whose signal is not in the configuration"):
        lucidac.machine({**carrier, "acl_select": ["internal", "external"]})


def test_a_patch_plan_written_by_hand_is_read():
    # y' = −y/2 + 1/4: a potentiometer from the output to an input of weight 1, another from −1.
    cables = [["INT1", "COEFF1"], ["COEFF1", "INT1:1a"], ["-1", "COEFF2"], ["COEFF2", "INT1:1b"], ["-1", "INT1:IC"]]
    plan = {"cables": cables, "potentiometers": {"COEFF1": 0.5, "COEFF2": 0.25}}
    machine = that.machine(plan)
    assert machine.initial.tolist() == [1.0]
    assert machine.rates(np.array([0.4])).tolist() == pytest.approx([0.05])
    with pytest.raises(BadInput, match=r"two cables, from COEFF1 and \+1, end in INT1:1a; an input takes one"):
        that.machine({**plan, "cables": [*cables, ["+1", "INT1:1a"]]})
    with pytest.raises(BadInput, match=r"COEFF2 is wired but has no setting"):
        that.machine({**plan, "potentiometers": {"COEFF1": 0.5}})
