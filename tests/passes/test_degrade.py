"""Imperfections as blocks: each effect does what its name says, alone, seeded, and the same for one sample or for many."""

import math

import numpy as np
import pytest
from zoo import PAPER

from analogflow.block_engine import VectorField
from analogflow.blocks import Imperfections, Integrator, OutputStage
from analogflow.blocks.imperfections import EFFECTS, NOMINAL_KELVIN
from analogflow.compiler import compile, degrade
from analogflow.errors import BadInput
from analogflow.flows import Flow, capacity
from analogflow.graph import softmax
from analogflow.noise import Noise
from analogflow.passes import degrade_graph
from analogflow.problems import Channel
from analogflow.simulators import ensemble
from analogflow.studies import Study
from analogflow.studies.design import study_of

VALUES = {
    "gain_error": 0.02,
    "offset": 1e-3,
    "bandwidth": 20.0,
    "noise_density": 1e-3,
    "saturation": 1.5,
    "dc_gain": 200.0,
    "resolution": 5.0,
    "mismatch": 0.02,
    "temperature_kelvin": 330.0,
}
FORMS = ("logdomain", "replicator", "normalised")


@pytest.mark.parametrize("effect", EFFECTS)
def test_samples_differ_exactly_where_an_effect_is_said_to_be_random(effect):
    circuit, flaws = compile(capacity(PAPER)), Imperfections(**{effect: VALUES[effect]})
    runs = ensemble(circuit, 2, imperfections=flaws, time_constants=0.5, step_accuracy=1e-4)
    assert flaws.random == (np.ptp(runs.final["z"], axis=0).max() > 1e-12)


def graph_of(function, **states):
    return Flow(function, {name: np.array(value, dtype=float) for name, value in states.items()}).graph()


def rate(graph, y, noise=None):
    return VectorField(graph)(0.0, np.array(y, dtype=float), noise)


def test_every_effect_has_a_value_here():
    assert tuple(VALUES) == EFFECTS


@pytest.mark.parametrize("form", FORMS)
def test_an_ideal_circuit_is_left_as_it_is(form):
    graph = compile(capacity(PAPER, form=form)).graph
    assert degrade_graph(graph, Imperfections()).fingerprint() == graph.fingerprint()


@pytest.mark.parametrize("effect", [*EFFECTS, "all"])
@pytest.mark.parametrize("form", FORMS)
def test_many_samples_are_single_samples_side_by_side(form, effect):
    flaws = Imperfections(**(VALUES if effect == "all" else {effect: VALUES[effect]}))
    graph = compile(capacity(PAPER, form=form)).graph
    together = VectorField(degrade_graph(graph, flaws, sigma=0.01, seed=1, samples=range(3, 7)))
    rng = np.random.default_rng(0)
    y = np.tile(together.graph.initial(), (4, 1)) + rng.normal(scale=0.05, size=(4, together.size))
    noise = rng.normal(size=(4, len(together.streams)))
    rates, jacobians = together(0.0, y, noise), together.jacobian(y, noise)
    for k in range(4):
        alone = VectorField(degrade_graph(graph, flaws, sigma=0.01, seed=1, samples=3 + k))
        assert (alone.streams == together.streams).all()
        np.testing.assert_allclose(alone(0.0, y[k], noise[k]), rates[k], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(alone.jacobian(y[k], noise[k]), jacobians[k], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_jacobians_with_everything_on_agree_with_differences(form):
    graph = degrade_graph(compile(capacity(PAPER, form=form)).graph, Imperfections(**VALUES), sigma=0.01, seed=4)
    field, rng = VectorField(graph), np.random.default_rng(1)
    y, noise, e = graph.initial(), rng.normal(scale=0.01, size=len(field.streams)), 1e-6
    slopes = np.array([(field(0, y + e * v, noise) - field(0, y - e * v, noise)) / (2 * e) for v in np.eye(field.size)]).T
    np.testing.assert_allclose(field.jacobian(y, noise), slopes, atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(field.directional(y, np.ones(field.size)), field.jacobian(y).sum(axis=1), rtol=1e-10)
    pushes = np.eye(len(noise))
    slopes = np.array([(field(0, y, noise + e * v) - field(0, y, noise - e * v)) / (2 * e) for v in pushes]).T
    np.testing.assert_allclose(field.noise_jacobian(y, noise), slopes, atol=1e-6, rtol=1e-6)


def test_deviations_do_not_depend_on_what_else_is_on():
    """Paired designs: switching an effect off leaves the deviations of the others as they were."""
    graph = compile(capacity(PAPER)).graph

    def deviations(flaws):
        degraded = degrade_graph(graph, flaws, seed=9)
        return [degraded.block(node).offset for node in degraded if isinstance(degraded.block(node), OutputStage)]

    alone, among = (
        deviations(Imperfections(offset=1e-3)),
        deviations(Imperfections(offset=1e-3, gain_error=0.1, mismatch=0.1)),
    )
    for a, b in zip(alone, among, strict=True):
        np.testing.assert_array_equal(a, b)


def test_gain_error_scales_outputs():
    def product(x):
        return x * x

    gains = [
        rate(degrade_graph(graph_of(product, x=[2.0]), Imperfections(gain_error=0.1), samples=k), [2.0])[0] / 4
        for k in range(400)
    ]
    # Output stage and integrator each have a gain of their own. The standard error of σ is 3.5 %.
    assert np.mean(gains) == pytest.approx(1.0, abs=4 * 0.14 / 20)
    assert np.std(gains) == pytest.approx(0.1 * math.sqrt(2), rel=0.15)


def test_offset_adds_to_outputs_and_to_the_inputs_of_integrators():
    def product(x):
        return x * x

    offsets = [
        rate(degrade_graph(graph_of(product, x=[2.0]), Imperfections(offset=0.1), samples=k), [2.0])[0] - 4
        for k in range(400)
    ]
    assert np.std(offsets) == pytest.approx(0.1 * math.sqrt(2), rel=0.15)
    half = (
        rate(degrade_graph(graph_of(product, x=[2.0]), Imperfections(offset=0.1), samples=3, full_scale=0.5), [2.0])[0] - 4
    )
    assert half == pytest.approx(0.5 * offsets[3])


def test_bandwidth_is_a_single_pole():
    def product(x):
        return x * x

    graph = degrade_graph(graph_of(product, x=[2.0]), Imperfections(bandwidth=20.0), time_constant=0.5)
    field = VectorField(graph)
    assert list(field.visible_states) == ["x"]
    (pole,) = (graph.block(node) for label, node in graph.states.items() if label != "x")
    assert isinstance(pole, Integrator)
    assert pole.gain == pole.leak == pytest.approx(2 * np.pi * 20.0 * 0.5)
    assert pole.initial == 4.0
    assert rate(graph, [2.0, 3.0])[0] == 3.0


def test_noise_density_enters_at_outputs_and_integrators():
    def product(x):
        return x * x

    field = VectorField(degrade_graph(graph_of(product, x=[2.0]), Imperfections(noise_density=0.3), time_constant=0.1))
    np.testing.assert_allclose(field.density, 0.3 / math.sqrt(0.2))
    assert sorted(field.streams) == [0, 1]
    np.testing.assert_allclose(field.noise_jacobian(np.array([2.0])), [[1.0, 1.0]])


def test_saturation_limits_outputs_and_clamps_integrators():
    def product(x):
        return x * x

    graph = degrade_graph(graph_of(product, x=[1.0]), Imperfections(saturation=1.5))
    assert rate(graph, [1.1])[0] == pytest.approx(1.21)
    assert rate(graph, [1.4])[0] == 1.5
    assert rate(graph, [2.0])[0] == pytest.approx(1.5 - 20 * 0.5)
    assert rate(degrade_graph(graph_of(product, x=[1.0]), Imperfections(saturation=1.5), full_scale=2.0), [1.6])[
        0
    ] == pytest.approx(2.56)


def test_leak_is_one_over_the_gain_at_zero_frequency():
    def constant(x):
        return 0 * x + 0.5

    assert rate(degrade_graph(graph_of(constant, x=[2.0]), Imperfections(dc_gain=100.0)), [2.0])[0] == pytest.approx(
        0.5 - 0.02
    )


def test_resolution_rounds_to_a_grid_of_the_largest_coefficient():
    def crossbar(x):
        return np.array([[1.0, 0.4, 0.0], [-0.7, 0.2, 0.1], [0.0, 0.0, 0.0]]) @ x

    graph = graph_of(crossbar, x=[1.0, 1.0, 1.0])
    rounded = degrade_graph(graph, Imperfections(resolution=2.0))
    # Two bits: thirds of the largest coefficient.
    np.testing.assert_allclose(VectorField(rounded).jacobian(np.ones(3)), [[1, 1 / 3, 0], [-2 / 3, 1 / 3, 0], [0, 0, 0]])


def test_mismatch_spreads_every_coefficient_by_its_own_draw():
    def crossbar(x):
        return np.array([[1.0, 2.0], [3.0, 4.0]]) @ x

    graph = graph_of(crossbar, x=[1.0, 1.0])
    found = np.array(
        [VectorField(degrade_graph(graph, Imperfections(mismatch=0.05), samples=k)).jacobian(np.ones(2)) for k in range(400)]
    )
    relative = (found / [[1, 2], [3, 4]] - 1).reshape(400, 4)
    # A weight and an integrating capacitor each: √2 · 5 %; weights of one row share the capacitor.
    np.testing.assert_allclose(relative.std(axis=0), 0.05 * math.sqrt(2), rtol=0.15)
    correlation = np.corrcoef(relative.T)
    assert correlation[0, 1] == pytest.approx(0.5, abs=0.15)
    assert correlation[0, 2] == pytest.approx(0.0, abs=0.2)


def test_temperature_scales_junctions():
    warm, hot = NOMINAL_KELVIN, 1.1 * NOMINAL_KELVIN
    x = np.array([0.3, 1.2])
    for function, expected in (
        (np.log, 1.1 * np.log(x)),
        (np.exp, np.exp(x / 1.1)),
        (np.tanh, np.tanh(x / 1.1)),
        (softmax, np.exp(x / 1.1) / np.exp(x / 1.1).sum()),
        (lambda y: softmax(y, offsets=[0.0, 0.5]), np.exp((x - [0, 0.5]) / 1.1) / np.exp((x - [0, 0.5]) / 1.1).sum()),
    ):
        graph = graph_of(function, x=x)
        np.testing.assert_allclose(
            rate(degrade_graph(graph, Imperfections(temperature_kelvin=hot)), x), expected, rtol=1e-13
        )
        np.testing.assert_allclose(
            rate(degrade_graph(graph, Imperfections(temperature_kelvin=warm)), x), rate(graph, x), rtol=1e-15
        )


def test_unequal_emitter_areas_shift_the_shares_alike_at_every_temperature():
    graph = graph_of(softmax, x=[0.3, 1.2])
    ratios = []
    for temperature in (250.0, 350.0):
        flaws = Imperfections(mismatch=0.05, temperature_kelvin=temperature)
        varied = VectorField(degrade_graph(graph, flaws, samples=2))
        values = varied.signals(np.zeros(2))
        (node,) = (node for node in varied.graph if node.startswith("softmax"))
        ratios.append(values[node][0] / values[node][1])
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-12)
    assert ratios[0] != pytest.approx(1.0, rel=1e-3)


def test_only_the_blocks_named_are_imperfect():
    graph = compile(capacity(PAPER)).graph
    crossbar = next(node for node in graph.order() if node.startswith("crossbar"))
    one = degrade_graph(graph, Imperfections(offset=1e-2), only=[crossbar])
    assert len(one) == len(graph) + 2  # its stage and the constant 0 at the stage's noise port
    y = graph.initial()
    assert 0 < abs(rate(one, y) - rate(graph, y)).max() < 0.1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gain_error": -0.1}, r"gain_error is -0.1, but must be a relative σ from 0 to 0.3"),
        ({"mismatch": 0.5}, r"mismatch is 0.5"),
        ({"offset": math.nan}, r"offset is nan, but must be a σ of 0 machine units or more"),
        ({"bandwidth": 0.0}, r"bandwidth is 0.0, but must be a positive number of Hz"),
        ({"noise_density": -1.0}, r"noise_density is -1.0"),
        (
            {"saturation": 0.0, "dc_gain": 1.0},
            r"saturation is 0.0.*; dc_gain is 1.0, but must be a gain at zero frequency above 1",
        ),
        ({"resolution": 0.5}, r"resolution is 0.5, but must be from 1 to 52 bits"),
        ({"temperature_kelvin": 0.0}, r"temperature_kelvin is 0.0, but must be from 100 to 1000 kelvin"),
        ({"dc_gain": "1000"}, r"dc_gain is '1000'"),
    ],
)
def test_imperfections_out_of_range_are_refused_together(fields, message):
    with pytest.raises(BadInput, match=message):
        Imperfections(**fields)


@pytest.mark.parametrize("make", [
    lambda: Imperfections.from_texts(["leak=100"]),
    lambda: Imperfections.from_mapping({"leak": 100.0}),
    lambda: Study(PAPER, imperfections={"leak": [100.0]}),
    lambda: study_of({**Study(PAPER).to_dict(), "imperfections": {"leak": [100.0]}}),
])  # fmt: skip
def test_the_name_that_a_gain_had_is_refused_with_its_own(make):
    with pytest.raises(BadInput, match="'leak' is called 'dc_gain' now; write that"):
        make()


def test_switches():
    flaws = Imperfections(**VALUES)
    assert flaws.effects == EFFECTS
    assert flaws.only("offset").effects == ("offset",)
    assert flaws.without("offset", "dc_gain").effects == tuple(name for name in EFFECTS if name not in ("offset", "dc_gain"))
    assert str(Imperfections()) == "ideal"
    with pytest.raises(BadInput, match=r"'colour' is not known; known are: gain_error"):
        Imperfections.from_mapping({"colour": 1.0})


def test_a_circuit_is_degraded_once_and_says_how():
    circuit = degrade(compile(capacity(PAPER)), Imperfections(offset=1e-3), noise=Noise(0.01, seed=5), sample=2)
    assert "offset 0.001; noise 0.01 per √τ at the integrators, seed 5, sample 2" in str(circuit.history[-2])
    assert not circuit.nominal
    with pytest.raises(BadInput, match=r"imperfect already \(offset 0.001\)"):
        degrade(circuit, Imperfections(dc_gain=100.0))
    with pytest.raises(BadInput, match=r"sample: -1 is not a whole number"):
        degrade(compile(capacity(Channel(np.eye(2)))), sample=-1)


@pytest.mark.parametrize("bandwidth", [1e9, 1e15, 1e300])
def test_a_bandwidth_beyond_all_rates_changes_nothing(bandwidth):
    graph = compile(capacity(PAPER)).graph
    assert degrade_graph(graph, Imperfections(bandwidth=bandwidth)).fingerprint() == graph.fingerprint()


def test_a_noise_that_is_no_number_is_refused():
    with pytest.raises(BadInput, match="from 0 to 1e100 machine units"):
        Imperfections(noise_density=1e308)
