"""Op-amp circuits: every family lands where its flow does, from parts, with values that are sold."""

import dataclasses
import math
import re
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import fsolve
from zoo import PAPER

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.blocks import Block, Constant, Crossbar, Diagonal, Gain, Sum
from analogflow.circuit import Circuit, Instance, Resistor, VoltageSource, direct
from analogflow.circuit.circuit import Group
from analogflow.circuit.values import nearest
from analogflow.compiler import rebuilt
from analogflow.errors import BadInput, NoCell
from analogflow.families.files import read_problem
from analogflow.passes import sample_parts
from analogflow.problems import Attention, Hopfield, Langevin, RateDistortion, Transport
from analogflow.reference import capacity_reference
from analogflow.technology import DELAY_FRACTION, part_set
from analogflow.technology.macros import op_amp_macro
from analogflow.technology.opamp import bench_of
from analogflow.technology.opamp.bench import Bench, scales
from analogflow.technology.opamp.speed import delays
from analogflow.technology.opamp.wiring import wiring_of

PROBLEMS = {
    "capacity": PAPER,
    "rate-distortion": RateDistortion(source=[0.6, 0.4], distortion=[[0, 1], [1, 0]], beta=2.0),
    "transport": Transport(cost=[[0, 1, 2], [1, 0, 1], [2, 1, 0]], row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0], [0, 1], [0.6, 0.8]], B=np.eye(2), V=np.eye(2), beta=1.0, time=1.0),
    "hopfield": Hopfield(
        U=[[0.3, 0.0], [0.1, 0.2]], I=[0.5, -0.5], gain_v=np.eye(2), gain_h=np.eye(2), activation="tanh", temperature=0.0
    ),
}


@pytest.mark.ngspice
@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised"])
def test_capacity_within_a_thousandth_of_a_nat_with_exact_values(form):
    circuit = af.compile(af.flows.capacity(PAPER, form=form), technology="opamp")
    run = af.simulate(af.netlist(circuit, time_constants=50))
    reference = capacity_reference(PAPER)
    assert abs(run.final["capacity_nats"][0] - reference.capacity_nats) < 1e-3
    assert abs(run.final["z"] - reference.input_distribution).max() < 1e-3


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=pytest.mark.slow) if name == "attention" else name for name in PROBLEMS]
)
def test_every_family_within_a_hundredth_with_preferred_values(family):
    solution = af.solve(
        PROBLEMS[family], technology="opamp", accuracy=1e-2, time_constants=None if family == "attention" else 60
    )
    assert {e.resistance for e in solution.circuit.elements if isinstance(e, Resistor)} <= {
        float(nearest(e.resistance, "E96")) for e in solution.circuit.elements if isinstance(e, Resistor)
    }
    flow = solution.flow
    exact = af.simulate(
        af.netlist(af.compile(flow), time_constants=flow.end_time or 60, largest_step=0.01 if flow.end_time else None),
        engine="block",
    )
    assert abs(solution.run.final[flow.answer] - exact.final[flow.answer]).max() < 1e-2


@pytest.mark.ngspice
def test_capacity_of_the_paper_with_precision_parts_and_e96_values():
    solution = af.solve(PAPER, technology="opamp", time_constants=60)
    assert solution.certificate.errors["capacity_nats"] < 1e-3
    assert solution.certificate.errors["input_distribution"] < 1e-2
    assert solution.passed


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_pause_is_a_comparator_with_hysteresis():
    plan = Transport(
        cost=[[0, 1, 2], [1, 0, 1], [2, 1, 0]], row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.3,
        schedule={"kind": "adaptive", "start": 1.0, "rate": 0.2},
    )  # fmt: skip
    circuit = af.compile(af.flows.transport(plan), technology="opamp")
    assert any(name.name.endswith("_cmp") for name in circuit.elements)
    run = af.simulate(af.netlist(circuit, time_constants=40), time_limit=120)
    exact = af.simulate(af.netlist(af.compile(af.flows.transport(plan)), time_constants=40), engine="block")
    assert abs(run.final["plan"] - exact.final["plan"]).max() < 2e-2
    assert ((run.values["brake"] > -0.1) & (run.values["brake"] < 1.1)).all()


@pytest.mark.slow
@pytest.mark.ngspice
def test_langevin_keeps_its_law_in_op_amps():
    problem = Langevin(energy="x**2/2", variables=["x"], temperature=0.5)
    solution = af.solve(problem, technology="opamp", seed=3, time_constants=75.0, chains=4, step=0.1)
    # The same noise in the block engine: four times 75 τ are too few to tell the law itself within a tenth.
    same = af.solve(problem, engine="block", seed=3, time_constants=75.0, chains=4, step=0.1)
    assert solution.certificate.answer["covariance"][0][0] == pytest.approx(
        same.certificate.answer["covariance"][0][0], rel=0.02
    )


@pytest.mark.slow
@pytest.mark.ngspice
def test_noise_moves_the_op_amp_circuit_as_it_moves_the_graph():
    circuit = af.degrade(af.compile(af.flows.capacity(PAPER), technology="opamp"), noise=af.Noise(0.02, seed=2))
    deck = af.netlist(circuit, time_constants=20)
    spice, block = af.simulate(deck), af.simulate(deck, engine="block")
    theirs = np.stack([np.interp(spice.time, block.time, z) for z in block.values["z"].T], axis=1)
    assert abs(spice.values["z"] - theirs).max() < 5e-3
    assert np.ptp(spice.values["z"][spice.time > 10], axis=0).max() > 0.01


def bench(name="precision"):
    return Bench(part_set(name), 0.02585, 1e-3)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "terms", [[(2.5, "a"), (-0.5, "b")], [(0.1, "a"), (0.2, "b")], [(-3.0, "a"), (-4.0, "b")], [(11.0, "a")], [(1.0, "b")]]
)
def test_an_adder_adds(terms):
    volts = {"a": 0.7, "b": -0.4}
    parts = part_set("precision")
    elements = (
        *(VoltageSource(name, (name, "0"), value) for name, value in volts.items()),
        *bench().adder("y", terms),
    )
    base = af.compile(af.flows.capacity(PAPER), technology="opamp")
    circuit = dataclasses.replace(
        base,
        groups=(Group("all", "", elements),),
        readings={"z": direct(("y",)), "u": direct(("y",))},
        macros=(op_amp_macro(parts.op_amp, parts.supply),),
        release=0.0,
        derived_from=None,
    )
    deck = af.netlist(circuit, time_constants=0.1)
    from analogflow.simulators.ngspice.protocol import Request
    from analogflow.simulators.ngspice.session import default_session

    reply = default_session().run(Request(deck=deck.embedded, vectors=("y",), end_time=deck.end_time), time_limit=20)
    assert reply.vectors["y"][-1] == pytest.approx(sum(g * volts[n] for g, n in terms), abs=1e-4)


def test_delays_set_the_time_constant():
    flow = af.flows.capacity(PAPER)
    precise, fast = (af.compile(flow, technology="opamp", parts=name) for name in ("precision", "fast"))
    assert fast.units.time_constant < precise.units.time_constant
    assert precise.parts is not None
    longest = max(delays(wiring_of(precise.graph), precise.parts).values())
    rate = abs(np.linalg.eigvals(VectorField(precise.graph).jacobian(precise.graph.initial()))).max()
    assert longest * rate / precise.units.time_constant <= 1.1 * DELAY_FRACTION
    hurried = af.compile(flow, technology="opamp", delay_fraction=10 * DELAY_FRACTION)
    assert hurried.units.time_constant == pytest.approx(precise.units.time_constant / 10)
    for wrong in (0.0, 0.5, True):
        with pytest.raises(BadInput, match="delay_fraction"):
            af.compile(flow, technology="opamp", delay_fraction=wrong)


@pytest.mark.ngspice
def test_a_slower_circuit_follows_its_path_more_closely():
    circuit = af.compile(af.flows.capacity(PAPER), technology="opamp")
    run = af.simulate(af.netlist(circuit, time_constants=15))
    exact = af.simulate(
        af.netlist(af.compile(af.flows.capacity(PAPER)), time_constants=15, largest_step=0.01), engine="block"
    )
    theirs = np.stack([np.interp(run.time, exact.time, z) for z in exact.values["z"].T], axis=1)
    assert abs(run.values["z"] - theirs).max() < 1e-2


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Strange(Block):
    """y = x^5, which no technology knows."""

    ports: ClassVar = ("x",)

    def relation(self, *inputs):
        return inputs[0] ** 5

    def derivative(self, *inputs):
        return (Diagonal(5 * inputs[0] ** 4),)

    @classmethod
    def of(cls, x):
        return x**5 if isinstance(x, np.ndarray) else x.builder.place(cls(size=x.size), (x,), x.shape)


def test_a_block_without_an_op_amp_circuit_is_refused_with_its_line():
    flow = af.Flow(lambda x: Strange.of(x) - x, {"x": np.array([0.3])})
    with pytest.raises(
        NoCell, match=r"^the technology 'opamp' has no cell for the block 'strange', placed by .*take the technology 'ideal'"
    ):
        af.compile(flow, technology="opamp")


SINE = af.Equations(name="swing", states={"x": 1.0, "v": 0.0}, equations={"x": "v", "v": "0.4 - sin(x) - 0.8*v"})
ARCTAN = af.Equations(
    name="arc", states={"x": 2.0, "y": 0.1}, equations={"x": "0.2*y - arctan(3*x)", "y": "0.5 - y + 0.3*sin(x)"}
)


@pytest.mark.parametrize("problem", [SINE, ARCTAN], ids=["sine", "arctan"])
def test_functions_without_a_cell_become_states_and_the_history_says_so(problem):
    circuit = af.compile(af.flows.custom(problem), technology="opamp")
    (step,) = [step for step in circuit.history if step.name == "lift"]
    assert re.match(r"(sine|sine and arctan) has no cell and becomes (2|4) integrators; the rates agree within", step.note)
    assert set(circuit.readings) == {"x", "v"} if problem is SINE else {"x", "y"}
    for function in ("sine", "arctan"):
        assert function not in circuit.graph.counts()


@pytest.mark.ngspice
@pytest.mark.parametrize("problem", [SINE, pytest.param(ARCTAN, marks=pytest.mark.slow)], ids=["sine", "arctan"])
def test_they_rest_where_the_functions_would(problem):
    solution = af.solve(problem, technology="opamp", time_constants=40.0)
    assert solution.passed
    # scipy's own root of the right-hand side, written out here.
    if problem is SINE:
        expected = {"x": np.arcsin(0.4), "v": 0.0}
    else:
        root = fsolve(lambda s: [0.2 * s[1] - np.arctan(3 * s[0]), 0.5 - s[1] + 0.3 * np.sin(s[0])], [0.0, 0.5])
        expected = {"x": root[0], "y": root[1]}
    for name, value in expected.items():
        assert solution.run.final[name][0] == pytest.approx(value, abs=6e-3)


@pytest.mark.slow
@pytest.mark.ngspice
def test_the_shipped_ring_of_oscillators_locks_as_its_sines_do():
    ring = read_problem(str(Path(__file__).parents[2] / "examples/flows/kuramoto_ring.toml"))
    solution = af.solve(ring, technology="opamp", time_constants=20.0)
    assert solution.passed
    constants = ring.constants
    ahead, frequency = np.array(constants["ahead"]), np.array(constants["frequency"])

    def rate(_, phase):
        pull = 1.5 * np.sin(ahead @ phase - phase)
        return frequency + pull - ahead.T @ pull - phase.mean()

    path = solve_ivp(rate, (0, solution.run.time[-1]), ring.states["phase"], "DOP853", rtol=1e-10, atol=1e-12)
    assert abs(solution.run.final["phase"] - path.y[:, -1]).max() < 5e-3


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_lifted_circuit_started_elsewhere_is_the_one_with_those_functions():
    circuit = af.compile(af.flows.custom(SINE), technology="opamp")
    other = rebuilt(circuit, starts={"x": np.array([0.8]), "v": np.array([-0.1])})
    hidden = {label: other.graph.integrator(node) for label, node in other.graph.states.items()}
    ratio = [float(block.initial[0]) for label, block in hidden.items() if label not in SINE.states]
    first = [circuit.graph.integrator(node).initial[0] for label, node in circuit.graph.states.items()][2:]
    scales = np.array(first) / [np.sin(1.0), np.cos(1.0)]
    np.testing.assert_allclose(sorted(np.array(ratio) / scales), sorted([np.sin(0.8), np.cos(0.8)]), rtol=1e-6)
    run = af.simulate(af.netlist(other, time_constants=40.0))
    assert run.final["x"][0] == pytest.approx(np.arcsin(0.4), abs=6e-3)


@pytest.mark.parametrize(
    ("equation", "said"),
    [
        (
            "-sin(abs(x))",
            r"no cell for sine, placed by dx/dt = -sin\(abs\(x\)\), and it can not become a state: .*not smooth",
        ),
        ("-arctan(maximum(x, 0))", r"no cell for arctan, placed by .*, and it can not become a state: .*not smooth"),
    ],
)
def test_what_can_not_become_a_state_is_refused_in_one_sentence(equation, said):
    problem = af.Equations(name="k", states={"x": 1.0}, equations={"x": equation})
    with pytest.raises(NoCell, match=said):
        af.compile(af.flows.custom(problem), technology="opamp")


def test_noise_that_a_lifted_function_would_multiply_is_refused():
    with pytest.raises(NoCell, match=r"no cell for sine.*moved by noise and a function of it is to be lifted"):
        af.solve(SINE, technology="opamp", noise=0.01)


def test_deviations_of_multipliers_and_amplifiers_reach_the_netlist():
    circuit = sample_parts(af.compile(af.flows.capacity(PAPER), technology="opamp"), seed=5)
    assert isinstance(circuit, Circuit)
    gains = [e.parameter("gain", 1.0) for e in circuit.elements if isinstance(e, Instance) and e.macro == "ad734"]
    assert 1e-4 < np.std(gains) < 2e-3
    text = af.netlist(circuit).text
    assert " gain=1.00" in text or " gain=0.99" in text
    assert math.isfinite(sum(gains))


def amplifiers(circuit):
    return sum(isinstance(e, Instance) and e.macro == circuit.parts.op_amp.name for e in circuit.elements)


def one_by_one(circuit):
    """Amplifiers of the same graph if every block had its own: counted by hand from what the cells are."""
    found = 0
    for node in circuit.graph:
        block, output, inputs = scales(circuit.graph.block(node))
        count = {"integrator": 1, "sum": 1, "gain": 1, "crossbar": 1, "log": 2, "softmax": 2}.get(block.kind(), 0)
        if block.kind() == "multiplier":
            count = int(not math.isclose(output, inputs[0] * inputs[1]))
        found += count * block.size + (1 if block.kind() == "log" else block.rows if block.kind() == "softmax" else 0)
    return found


def test_a_capacity_circuit_of_three_symbols_takes_24_amplifiers():
    """Sums are taken by what reads them, signs by products, gains and offsets by sums: 40 with each block for itself."""
    circuit = af.compile(af.flows.capacity(PAPER), technology="opamp")
    assert amplifiers(circuit) == 24
    assert one_by_one(circuit) - amplifiers(circuit) >= 13
    built = {group.block for group in circuit.groups}
    assert {"crossbar1", "crossbar3", "sum2"} & built == set()
    assert {"sum0", "crossbar2", "multiplier0", "multiplier1"} <= built


@pytest.mark.parametrize("name", PROBLEMS)
def test_voltages_of_blocks_are_what_the_graph_says(name):
    """At t = 0 the operating point of the netlist is solved here as a linear network, block by block of what it reads."""
    circuit = af.compile(af.families.flow_of(PROBLEMS[name]), technology="opamp")
    bench, graph = bench_of(circuit), circuit.graph
    values = VectorField(graph).signals(graph.initial())
    for node in graph:
        if node in bench.wiring.absorbed or not isinstance(graph.block(node), Sum | Gain | Crossbar) or node in graph.timed:
            continue
        for index in range(graph.block(node).size):
            total = sum(gain * values[origin][k] for (origin, k), gain in bench.wiring.leads(node, index).items())
            assert total == pytest.approx(values[node][index], abs=1e-9)
            # The adder's resistors, read from the netlist: Σ g V of the volts that its neighbours then have.
            output = f"{node}_{index}"
            legs = [e for e in circuit.elements if isinstance(e, Resistor) and e.name.startswith(f"{output}_")]
            if len(legs) < 2:
                continue
            said = network(
                legs, output, {f"{o}_{k}": volts(values, bench, o, k) for o in graph for k in range(graph.block(o).size)}
            )
            assert said == pytest.approx(volts(values, bench, node, index), abs=1e-6)


def volts(values, bench, node, index):
    if isinstance(bench.wiring.graph.block(node), Constant):
        return math.nan
    return 10 * (values[node][index] - bench.offsets.get(node, 0.0)) / bench.factor(node)


def network(legs, output, node_volts):
    """Output of an ideal amplifier with these resistors, whose inputs are the nodes that end in _n and _p."""
    node_volts = {**node_volts, "0": 0.0, "vref": 10.0, "vrefn": -10.0}
    plus, minus = f"{output}_p", f"{output}_n"
    at = {end: [(e, next(n for n in e.nodes if n != end)) for e in legs if end in e.nodes] for end in (plus, minus)}
    raised = 0.0
    if at[plus]:
        raised = sum(node_volts[n] / e.resistance for e, n in at[plus]) / sum(1 / e.resistance for e, _ in at[plus])
    (feedback,) = [e for e, n in at[minus] if n == output]
    return raised + sum((raised - node_volts[n]) * feedback.resistance / e.resistance for e, n in at[minus] if n != output)


def problem(epsilon):
    """Two sources and two sinks whose cheap plan is the only one at low ε."""
    return af.Transport(cost=[[0, 1], [1, 0]], row=[0.3, 0.7], column=[0.7, 0.3], epsilon=epsilon)


@pytest.mark.ngspice
@pytest.mark.parametrize("epsilon", [0.5, 0.1])
@pytest.mark.parametrize("form", ["potential", "scaling"])
def test_ten_nats_of_cost_are_right(form, epsilon):
    circuit = af.compile(af.flows.transport(problem(epsilon), form=form), technology="opamp")
    plan = af.simulate(af.netlist(circuit)).final["plan"]
    # Row sums and column sums fix a plan of 2 × 2 but for one number, whose odds ratio is exp(−2/ε).
    ratio = np.exp(-2 / epsilon)
    roots = np.roots([1 - ratio, 0.4 + ratio, -0.3 * ratio])
    (x,) = [root for root in roots.real if 0 <= root <= 0.3]
    assert plan == pytest.approx([0.3 - x, x, 0.4 + x, 0.3 - x], abs=1e-2)


@pytest.mark.parametrize("epsilon", [0.03, 0.01, 1e-3, 1e-5])
@pytest.mark.parametrize("form", ["potential", "scaling"])
def test_what_would_saturate_is_refused_with_what_to_do(form, epsilon):
    flow = af.flows.transport(problem(epsilon), form=form)
    with pytest.raises(BadInput, match=r"transistors saturate beyond 16.*take a larger temperature"):
        af.compile(flow, technology="opamp")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e2, 1e4])
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_whatever_the_exponents_a_netlist_has_finite_numbers_or_is_refused(technology, scale):
    source = af.RateDistortion(source=[0.6, 0.4], distortion=[[0, scale], [scale, 0]], beta=1.0)
    matrix = af.Transport(cost=[[0, scale], [scale, 0]], row=[0.5, 0.5], column=[0.5, 0.5], epsilon=1.0)
    for make, given, form in ((af.flows.rate_distortion, source, "logarithmic"), (af.flows.transport, matrix, "scaling")):
        try:
            deck = af.netlist(af.compile(make(given, form=form), technology=technology))
        except af.AnalogflowError:
            continue
        words = " ".join(deck.body).replace("=", " ").replace("*", " ").split()
        assert not {"nan", "inf", "-inf"} & set(words)
