"""Transistor circuits: where they settle, the path they take, what cancels in them and what does not."""
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false, reportAttributeAccessIssue=false

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from zoo import PAPER

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.circuit import BipolarTransistor, Instance, Resistor, Switch
from analogflow.circuit.build import Tolerances
from analogflow.cli import main
from analogflow.compiler import circuit_of
from analogflow.errors import BadInput, NoCell
from analogflow.families.files import read_problem
from analogflow.passes import sample_parts
from analogflow.problems import Channel, RateDistortion, Transport
from analogflow.reference import capacity_reference
from analogflow.technology import part_set
from analogflow.technology.translinear.strings import gauged

DATA = Path(__file__).parents[2] / "examples/data"
TRANSPORT = read_problem("transport", str(DATA / "transport_three.json"))
V_T = 8.617333262e-5 * 300.15


def compiled(problem, **options):
    form = {Channel: "logdomain", RateDistortion: "logarithmic", Transport: "scaling"}[type(problem)]
    family = {Channel: "capacity", RateDistortion: "rate_distortion", Transport: "transport"}[type(problem)]
    return af.compile(getattr(af.flows, family)(problem, form=form), technology="translinear", **options)


def run(circuit, time_constants=100.0):
    return af.simulate(af.netlist(circuit, time_constants=time_constants))


def exact_path(circuit, trajectory, name):
    field = VectorField(circuit.derived_from)
    end = trajectory.time[-1]
    path = solve_ivp(field, (0, end), field.graph.initial(), "DOP853", trajectory.time, rtol=1e-11, atol=1e-13)
    return field.observables(path.y.T)[name]


@pytest.mark.ngspice
@pytest.mark.parametrize("temperature", [-40.0, 0.0, 27.0, 85.0, 125.0])
def test_capacity_settles_at_the_optimum_along_the_exact_path_at_every_temperature(temperature):
    circuit = compiled(PAPER, temperature_celsius=temperature)
    trajectory = run(circuit)
    reference = capacity_reference(PAPER)
    assert abs(trajectory.final["z"] - reference.input_distribution).max() < 2e-4
    assert abs(trajectory.final["capacity_nats"][0] - reference.capacity_nats) < 1e-7
    assert abs(trajectory.values["z"] - exact_path(circuit, trajectory, "z")).max() < 5e-4
    assert abs(trajectory.final["capacity_readout"][0] - reference.capacity_nats) < 2e-3


@pytest.mark.ngspice
@pytest.mark.parametrize("size", [2, *(pytest.param(size, marks=pytest.mark.slow) for size in (5, 8))])
def test_random_channels_settle_at_the_optimum(size):
    channel = Channel(np.random.default_rng(size).dirichlet(np.ones(size), size))
    trajectory = run(compiled(channel), 1500.0)
    reference = capacity_reference(channel)
    assert abs(trajectory.final["z"] - reference.input_distribution).max() < 1e-3
    assert abs(trajectory.final["capacity_nats"][0] - reference.capacity_nats) < 2e-6
    assert abs(trajectory.final["capacity_readout"][0] - reference.capacity_nats) < 5e-3


@pytest.mark.ngspice
def test_a_start_and_a_zero_and_an_unavailable_input_are_kept():
    channel = Channel([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.2, 0.3, 0.5]], initial=[0.7, 0.3, 0.0], unavailable=[2])
    trajectory = run(compiled(channel), 200.0)
    np.testing.assert_allclose(trajectory.values["z"][0], [0.7, 0.3], atol=2e-3)
    reference = capacity_reference(channel)
    np.testing.assert_allclose(trajectory.final["z"], reference.input_distribution[:2], atol=5e-4)


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("temperature", [-40.0, 27.0, 85.0])
def test_rate_distortion_and_transport_follow_their_flows(temperature):
    rng = np.random.default_rng(5)
    source = RateDistortion(source=[0.5, 0.3, 0.2], distortion=rng.random((3, 4)), beta=3.0)
    circuit = compiled(source, temperature_celsius=temperature)
    trajectory = run(circuit, 300.0)
    assert abs(trajectory.values["q"] - exact_path(circuit, trajectory, "q")).max() < 5e-3
    assert af.certify(source, trajectory, limit=2e-3).passed
    plan = Transport(
        cost=rng.random((4, 5)), row=rng.dirichlet(np.ones(4) * 3), column=[0.3, 0.25, 0.2, 0.15, 0.1], epsilon=0.2
    )
    circuit = compiled(plan, temperature_celsius=temperature)
    trajectory = run(circuit)
    exact = exact_path(circuit, trajectory, "plan")
    assert abs(trajectory.values["plan"] - exact).max() < 5e-3
    assert abs(trajectory.final["plan"] - exact[-1]).max() < 2e-4


@pytest.mark.ngspice
def test_masses_that_do_not_sum_to_1_make_the_same_circuit_and_their_own_plan():
    cost, row, column = [[1, 2, 3], [2, 1, 2]], np.array([0.5, 0.5]), np.array([0.2, 0.3, 0.5])
    one, ten = (compiled(Transport(cost=cost, row=m * row, column=m * column, epsilon=0.5)) for m in (1.0, 10.0))
    path, larger = run(one, 30.0), run(ten, 30.0)
    for name, factor in (("u", 1.0), ("scaled", 10.0), ("plan", 10.0)):
        np.testing.assert_allclose(larger.values[name][-1], factor * path.values[name][-1], rtol=1e-6, atol=1e-6)
    assert abs(larger.values["plan"] - exact_path(ten, larger, "plan")).max() < 5e-2
    # Sinkhorn's own iteration, at the masses as they are given.
    kernel, v = np.exp(-np.array(cost) / 0.5), np.ones(3)
    for _ in range(1000):
        u = 10 * row / (kernel @ v)
        v = 10 * column / (kernel.T @ u)
    assert float(larger.final["cost"][0]) == pytest.approx(np.sum(u[:, None] * kernel * v * cost), rel=1e-3)


def sensitivity():
    z = capacity_reference(PAPER).input_distribution
    P = PAPER.transition
    M = P @ np.diag(1 / (P.T @ z)) @ P.T
    return np.linalg.inv(np.block([[M, np.ones((3, 1))], [np.ones((1, 3)), np.zeros((1, 1))]]))[:3, :3]


def altered(circuit, change):
    """The circuit with every element passed through `change`."""
    groups = tuple(dataclasses.replace(g, elements=tuple(map(change, g.elements))) for g in circuit.groups)
    return dataclasses.replace(circuit, groups=groups)


@pytest.mark.ngspice
def test_small_biases_move_the_optimum_as_the_sensitivity_matrix_says():
    circuit, S = compiled(PAPER), sensitivity()
    settled = run(circuit, 200.0).final["z"]
    entropy = PAPER.entropies if hasattr(PAPER, "entropies") else -(PAPER.transition * np.log(PAPER.transition)).sum(axis=1)
    legs = (entropy.max() - entropy.min()) / np.log(10)
    volts = 2e-4

    def offset(element):
        return dataclasses.replace(element, parameters=(("vos", volts),)) if element.name == "u0_amp" else element

    def junction(element):
        wide = isinstance(element, BipolarTransistor) and element.name == "v0_log"
        return dataclasses.replace(element, area=float(np.exp(volts / V_T))) if wide else element

    # An offset raises the virtual ground of its row, a larger junction lowers the logarithm of its output.
    moved = run(altered(circuit, offset), 200.0).final["z"] - settled
    np.testing.assert_allclose(moved, S @ [(1 + legs) * volts / V_T, 0, 0], atol=0.1 * abs(moved).max())
    moved = run(altered(circuit, junction), 200.0).final["z"] - settled
    np.testing.assert_allclose(moved, S @ (PAPER.transition[:, 0] * volts / V_T), atol=0.1 * abs(moved).max())


@pytest.mark.slow
@pytest.mark.ngspice
def test_what_is_common_to_a_lot_cancels():
    circuit = compiled(PAPER)
    lots = Tolerances(
        resistor=0,
        capacitor=0,
        area=0,
        junction=0,
        resistor_lot=0.05,
        capacitor_lot=0.1,
        junction_lot=0.005,
        resistor_drift=1e-3,
    )
    parts = dataclasses.replace(circuit.parts, tolerances=lots, op_amp=circuit.parts.op_amp.alike())
    settled = run(circuit, 200.0).final["z"]
    for sample in range(3):
        assert abs(run(sample_parts(circuit, parts, seed=1, sample=sample), 200.0).final["z"] - settled).max() < 1.5e-4


def test_a_circuit_of_a_lot_is_the_same_for_the_same_seed_and_sample():
    circuit = compiled(PAPER)
    one, same, other = (af.netlist(sample_parts(circuit, seed=3, sample=k)).text for k in (1, 1, 2))
    assert one == same
    assert one != other
    offsets = [e.parameter("vos") for e in sample_parts(circuit, seed=3).elements if isinstance(e, Instance)]
    assert 0.3e-5 < np.std(offsets) < 3e-5


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize(
    "limits, offset, expected",
    [
        (Tolerances(resistor=1e-3, capacitor=0, area=0, junction=50e-6), 10e-6, 1.3e-3),
        (Tolerances(resistor=1e-2, capacitor=0, area=0, junction=250e-6), 25e-6, 5.7e-3),
    ],
)
def test_monte_carlo_spread_of_the_settled_distribution(limits, offset, expected):
    circuit = compiled(PAPER)
    parts = dataclasses.replace(circuit.parts, tolerances=limits, op_amp=circuit.parts.op_amp.alike(offset))
    ends = np.array([run(sample_parts(circuit, parts, seed=11, sample=k), 60.0).final["z"] for k in range(100)])
    assert ends.std(axis=0).mean() == pytest.approx(expected, rel=0.25)


@pytest.mark.ngspice
def test_noise_at_the_integrators_moves_it_as_it_moves_the_graph():
    noise, flow = af.Noise(0.02, seed=4), af.flows.capacity(PAPER)
    from analogflow.compiler import degrade

    circuit = degrade(af.compile(flow, technology="translinear"), noise=noise)
    spice = af.simulate(af.netlist(circuit, time_constants=40))
    block = af.simulate(af.netlist(circuit, time_constants=40), engine="block")
    theirs = np.stack([np.interp(spice.time, block.time, column) for column in block.values["z"].T], axis=1)
    assert abs(spice.values["z"] - theirs).max() < 1e-3
    assert np.ptp(spice.values["z"][spice.time > 20], axis=0).max() > 0.02


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "problem",
    [
        PAPER,
        RateDistortion(source=[0.5, 0.3, 0.2], distortion=1.0 - np.eye(3), beta=2.0),
        Transport(cost=[[0.0, 1.0], [1.0, 0.2]], row=[0.4, 0.6], column=[0.5, 0.5], epsilon=0.5),
    ],
    ids=["capacity", "rate-distortion", "transport"],
)
def test_a_noise_that_is_next_to_nothing_leaves_a_circuit_of_values_that_are_sold_where_it_was(problem):
    ends = []
    for sigma in (0.0, 1e-7):
        circuit = circuit_of(problem, technology="translinear", noise=af.Noise(sigma))
        found = af.simulate(af.netlist(circuit, time_constants=60.0)).final
        ends.append(np.concatenate([found[name] for name in circuit.flow.rests]))
    assert abs(ends[1] - ends[0]).max() < 2e-5


def test_what_the_structure_does_not_carry_is_refused_by_a_sentence():
    with pytest.raises(
        NoCell, match=r"^the technology 'translinear' does not carry the capacity flow in the form 'replicator'; it"
    ):
        af.compile(af.flows.capacity(PAPER, form="replicator"), technology="translinear")
    costly = Channel(PAPER.transition, cost=[1, 2, 3], cost_limit=1.5)
    with pytest.raises(NoCell, match=r"in the form 'logdomain' with a cost, since its price multiplies signals; it carries"):
        af.compile(af.flows.capacity(costly), technology="translinear")
    cooled = Transport(
        cost=[[0, 1], [1, 0]], row=[0.5, 0.5], column=[0.5, 0.5], epsilon=0.1, schedule={"kind": "exponential"}
    )
    with pytest.raises(
        NoCell, match=r"with a schedule, since ε is in its strings of resistors, which do not move; it carries"
    ):
        compiled(cooled)
    cold = Transport(cost=[[0, 1], [1, 0]], row=[0.5, 0.5], column=[0.5, 0.5], epsilon=0.02)
    with pytest.raises(
        BadInput, match=r"the arrays need bases 50 nats of the cost over epsilon apart, and 14 are the most; take a smaller"
    ):
        compiled(cold)
    steep = Transport(cost=[[0, 1], [1, 0]], row=[0.5, 0.5], column=[0.9999, 0.0001], epsilon=0.5)
    with pytest.raises(BadInput, match=r"the column marginals are in a ratio of 1e\+04 to 1"):
        compiled(steep)


def test_the_gauge_of_a_kernel_is_the_best_of_all_that_a_grid_tries():
    kernel = -np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [2.0, 1.0, 0.5]]) / 0.2
    exponents, columns = gauged(kernel, "the cost")
    rows = (exponents - kernel - columns)[:, 0]
    np.testing.assert_allclose(exponents, kernel + rows[:, None] + columns, atol=1e-9)
    np.testing.assert_allclose(exponents.max(axis=0), 0.0, atol=1e-12)
    steps = np.linspace(-15, 15, 241)
    tried = kernel[None] + np.stack([np.zeros((241, 241)), *np.meshgrid(steps, steps)], axis=-1).reshape(-1, 3, 1)
    widest = np.ptp(tried, axis=1).max(axis=1).min()
    assert -exponents.min() == pytest.approx(widest, abs=1e-4)
    assert widest < np.ptp(kernel, axis=0).max() - 1
    # Where no gauge does better there is none; a pair that is forbidden has no say.
    for still in (np.zeros((2, 2)), np.array([[0.0, -3.0], [-3.0, 0.0]])):
        np.testing.assert_allclose(gauged(still, "the cost")[0], still)
    free, _ = gauged(np.array([[0.0, -np.inf], [-3.0, 0.0]]), "the cost")
    np.testing.assert_allclose(free, [[0.0, -np.inf], [0.0, 0.0]], atol=1e-5)


def test_every_transistor_of_an_array_is_one_that_is_sold():
    for problem in (TRANSPORT, RateDistortion(source=[0.6, 0.4], distortion=[[0, 1], [1, 0]], beta=2.0)):
        circuit = compiled(problem)
        bases = [e for e in circuit.elements if isinstance(e, BipolarTransistor) and not e.name.startswith("sink")]
        assert {e.area for e in bases} == {1.0}


@pytest.mark.parametrize("series", ["E24", "E96"])
def test_taps_of_a_string_of_preferred_values_are_where_they_should_be(series):
    exact = compiled(TRANSPORT)
    values: dict[str, float] = {}
    for e in af.choose_values(exact, series).elements:
        if isinstance(e, Resistor):  # one in parallel is called after the other
            name = e.name.removesuffix("_t") if e.name.endswith("_r_t") else e.name
            values[name] = 1 / (1 / e.resistance + (1 / values[name] if name in values else 0))
    strings = [[e for e in exact.elements if e.name.startswith(f"u{j}_t") and e.name.endswith("_r")] for j in range(3)]
    limit = {"E24": 1e-2, "E96": 1e-3}[series]
    for string in strings:
        wanted, got = (np.cumsum(v) / np.sum(v) for v in ([e.resistance for e in string], [values[e.name] for e in string]))
        assert abs(got - wanted).max() < limit


@pytest.mark.ngspice
@pytest.mark.parametrize("temperature", [0.0, 27.0, 70.0])
def test_the_shipped_transport_problem_ends_at_its_plan(temperature):
    circuit = compiled(TRANSPORT, temperature_celsius=temperature)
    exact, bought = run(circuit), run(af.choose_values(circuit))
    # Sinkhorn's own iteration.
    kernel, v = np.exp(-np.array(TRANSPORT.cost) / TRANSPORT.epsilon), np.ones(3)
    for _ in range(5000):
        u = TRANSPORT.row / (kernel @ v)
        v = TRANSPORT.column / (kernel.T @ u)
    plan = (u[:, None] * kernel * v).ravel()
    assert abs(exact.final["plan"] - plan).max() < 1e-4
    assert abs(bought.final["plan"] - plan).max() < 2e-3
    for found in (exact, bought):  # the loop of the common mode does not ring on
        late = found.values["plan"][found.time > 50]
        assert np.ptp(late, axis=0).max() < 1e-6


@pytest.mark.ngspice
@pytest.mark.vacask
@pytest.mark.parametrize(
    "name", [pytest.param("transport_three.json", marks=pytest.mark.slow), "rate_distortion_hamming.json"]
)
def test_two_simulators_agree_on_the_shipped_problems(name):
    problem = read_problem(name.partition("_")[0] if "transport" in name else "rate-distortion", str(DATA / name))
    one, other = (af.solve(problem, technology="translinear", engine=engine) for engine in ("ngspice", "vacask"))
    assert one.certificate.passed
    assert other.certificate.passed
    shown = one.circuit.flow.shows or one.circuit.flow.answer
    assert abs(one.run.final[shown] - other.run.final[shown]).max() < 1e-5


@pytest.mark.parametrize(
    ("family", "file", "reason"),
    [
        ("attention", "attention_three_tokens.json", "its scores are products of signals of either sign"),
        ("hopfield", "hopfield_rest.json", "its sums have weights of either sign, and its states are no shares"),
        ("langevin", "langevin_double_well.json", "its states have either sign and no upper end"),
        ("transport", "transport_cooling.json", "with a schedule, since ε is in its strings of resistors"),
    ],
)
def test_families_that_are_not_carried_are_refused_beforehand_with_the_reason(family, file, reason, capsys, monkeypatch):
    def computed(*arguments):
        raise AssertionError("the flow was followed before it was refused")

    monkeypatch.setattr("analogflow.passes.pipeline.nominal_orbit", computed)
    assert main(["solve", family, str(DATA / file), "--technology", "translinear"]) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert "Take the technology 'opamp'." in said
    assert said.count("\n") == 1


def test_parts_that_nobody_lists_are_refused_with_the_nearest(tmp_path):
    with pytest.raises(
        BadInput, match=r"^parts 'precise' are not known; the nearest is 'precision', known are: precision, general,"
    ):
        part_set("precise")
    file = tmp_path / "mine.toml"
    file.write_text('op_amp = "opa2278"\n')
    with pytest.raises(BadInput, match=r"op_amp 'opa2278' is not known; the nearest are: opa2277"):
        part_set(str(file))
    file.write_text('op_amp = { like = "tl072", bandwith = 1e6 }\n')
    with pytest.raises(BadInput, match=r"the key 'bandwith' is not known; did you mean 'bandwidth'\?"):
        part_set(str(file))
    file.write_text('op_amp = { like = "tl072", bandwidth = -1 }\n')
    with pytest.raises(BadInput, match=r"bandwidth = -1 is not allowed; give a positive number"):
        part_set(str(file))


def test_parts_of_ones_own_reach_the_netlist(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('like = "general"\nsupply = 12\nop_amp = { like = "tl072", bandwidth = 8e6 }\n')
    circuit = compiled(PAPER, parts=str(file))
    assert circuit.parts.supply == 12
    assert ".subckt tl072_own p n o params: vos=0.0" in af.netlist(circuit).text


@pytest.mark.ngspice
@pytest.mark.parametrize("start", [None, [0.05, 0.15, 0.8]])
def test_resistors_of_a_series_change_the_path_little(start):
    # An uncharged common mode would drive rows of different scale apart by volts before the loop has charged it.
    problem = PAPER if start is None else Channel(PAPER.transition, initial=start)
    solution = af.solve(problem, technology="translinear", time_constants=60)
    path = exact_path(solution.circuit, solution.run, "z")
    assert abs(solution.run.values["z"] - path).max() < (5e-3 if start is None else 2e-2)
    readout = solution.run.values["capacity_readout"][:, 0] if "capacity_readout" in solution.run.values else np.zeros(1)
    assert abs(readout[0]) < 1.0  # nats: it is right from the start, not after the loop has settled


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["translinear", "opamp"])
def test_currents_into_the_inputs_move_the_answer_as_current_sources_there_do(technology):
    """Of one board drawn from a lot, whose inputs take currents, beside the same board with sources in their stead."""
    circuit = af.compile(af.flows.capacity(PAPER), technology=technology)
    assert circuit.parts is not None
    op_amp = dataclasses.replace(circuit.parts.op_amp.alike(), bias_spread=1e-9)
    exact = dataclasses.replace(
        circuit.parts,
        op_amp=op_amp,
        switch=dataclasses.replace(circuit.parts.switch, leakage=1e-9),
        reference=dataclasses.replace(circuit.parts.reference, tolerance=0.0),
        tolerances=Tolerances(resistor=0, capacitor=0, area=0, junction=0),
    )
    if technology == "opamp":
        quiet = {"offset": 0.0, "gain_error": 0.0}
        exact = dataclasses.replace(
            exact,
            multiplier=dataclasses.replace(exact.multiplier, **quiet),
            divider=dataclasses.replace(exact.divider, **quiet),
        )
    drawn = sample_parts(circuit, exact, seed=4)
    deck = af.netlist(circuit, time_constants=60.0)
    sources = [
        f"Ibias_{e.name}_{pin} {e.nodes[pin]} 0 {e.parameter(name)!r}"
        for e in drawn.elements
        if isinstance(e, Instance) and e.macro == op_amp.name
        for pin, name in enumerate(("ibp", "ibn"))
        if e.nodes[pin] != "0"
    ]
    sources += [f"Ileak_{e.name} {e.nodes[0]} 0 {e.leak!r}" for e in drawn.elements if isinstance(e, Switch)]
    place = next(k for k, line in enumerate(deck.body) if line.startswith(".options"))
    beside = dataclasses.replace(deck, body=(*deck.body[:place], *sources, *deck.body[place:]))
    nominal, ours, theirs = (af.simulate(d).final["z"] for d in (deck, af.netlist(drawn, time_constants=60.0), beside))
    assert abs(ours - nominal).max() > 1e-5
    assert abs(ours - theirs).max() < 1e-3 * abs(ours - nominal).max()


def test_inputs_of_a_lot_have_currents_and_common_mode_errors_of_their_own():
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear")
    assert circuit.parts is not None
    lots = [sample_parts(circuit, seed=3, sample=k) for k in range(40)]
    found = {
        name: np.array([e.parameter(name) for lot in lots for e in lot.elements if isinstance(e, Instance)])
        for name in ("ibp", "ibn", "cm")
    }
    op_amp = circuit.parts.op_amp
    # 400 numbers each: five standard errors of a σ are 18 %, of a mean a quarter of it, of a correlation 0.25.
    for name, sigma in (("ibp", op_amp.bias_spread), ("ibn", op_amp.bias_spread), ("cm", 1 / op_amp.cmrr)):
        assert found[name].std() == pytest.approx(sigma, rel=0.18)
        assert abs(found[name].mean() - (op_amp.bias_current if name != "cm" else 0.0)) < 0.25 * sigma
    assert abs(np.corrcoef([*found.values()]) - np.eye(3)).max() < 0.25


def test_offsets_drift_and_currents_of_junction_gates_double_with_temperature():
    cool, warm = (
        sample_parts(af.compile(af.flows.capacity(PAPER), technology="translinear", parts="general", temperature_celsius=t))
        for t in (27.0, 47.0)
    )
    for one, other in zip(cool.elements, warm.elements, strict=True):
        if isinstance(one, Instance):
            assert other.parameter("ibn") == pytest.approx(4 * one.parameter("ibn"), rel=1e-6)
    drifts = [
        (other.parameter("vos") - one.parameter("vos")) / 20.0
        for one, other in zip(cool.elements, warm.elements, strict=True)
        if isinstance(one, Instance)
    ]
    assert 0.3e-5 < np.std(drifts) < 2e-5
