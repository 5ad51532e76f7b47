"""The transport flow in its forms: equations, rows, rates near the plan, cooling, and the brake."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from analogflow.block_engine import ErrorLimits, VectorField, integrate
from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.flows import WeightedMean, transport
from analogflow.flows.transport import BRAKE_RATE, FORMS
from analogflow.passes import nominal_orbit, return_rates
from analogflow.problems import Transport
from analogflow.reference import transport_reference
from analogflow.reference.transport_theory import sinkhorn_spectrum

SCHEDULES = {
    "fixed": None,
    "exponential": {"kind": "exponential", "start": 1.0, "rate": 0.3},
    "quadratic": {"kind": "quadratic", "start": 1.0, "rate": 1.5},
    "adaptive": {"kind": "adaptive", "start": 1.0, "rate": 0.5, "k_safe": 0.1},
}

forms = pytest.mark.parametrize("form", FORMS)
schedules = pytest.mark.parametrize("schedule", SCHEDULES)


def random_problem(seed, n=4, m=3, epsilon=0.2, schedule="fixed"):
    rng = np.random.default_rng(seed)
    row, column = rng.dirichlet(np.full(n, 3.0)) + 0.05, rng.dirichlet(np.full(m, 3.0)) + 0.05
    return Transport(rng.random((n, m)), row / row.sum(), column / column.sum(), epsilon, SCHEDULES[schedule])


def plan_of(problem, form, x, epsilon):
    u = x / epsilon if form == "potential" else x
    exponents = u - problem.cost / epsilon
    weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    return weights * (problem.row / weights.sum(axis=1))[:, None]


def by_hand(problem, form, x, epsilon, brake):
    """Rates written out anew, with loops where the flow has arrays."""
    P = plan_of(problem, form, x, epsilon)
    share = 1 - P.sum(axis=0) / problem.column
    x_rate = epsilon * share if form == "potential" else share
    s = problem.schedule
    if s is None:
        return [x_rate]
    fall = s.rate * (epsilon - problem.epsilon) * (epsilon if s.kind == "quadratic" else 1)
    if s.kind != "adaptive":
        return [x_rate, [-fall]]
    cooling = -fall * (1 - brake)
    moved = np.zeros(P.shape)
    h = 1e-6
    for i, j in np.ndindex(P.shape):
        after = plan_of(problem, form, x + h * x_rate, epsilon + h * cooling)
        before = plan_of(problem, form, x - h * x_rate, epsilon - h * cooling)
        moved[i, j] = (after[i, j] - before[i, j]) / (2 * h)
    excess = (moved**2).sum() / (s.k_safe * epsilon) ** 2
    return [x_rate, [cooling], [BRAKE_RATE * (0.5 * (1 + np.tanh((excess - 1) / 0.1)) - brake)]]


@forms
@schedules
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_function_and_graph_are_the_equations(form, schedule, seed):
    problem = random_problem(seed, schedule=schedule)
    flow = transport(problem, form=form)
    rng = np.random.default_rng(seed)
    states = {"g" if form == "potential" else "u": rng.normal(size=problem.columns)}
    if schedule != "fixed":
        states["epsilon"] = rng.uniform(0.2, 1, size=1)
    if schedule == "adaptive":
        states["brake"] = rng.uniform(0, 1, size=1)
    direct = flow.rates(**states)
    field = VectorField(flow.graph())
    traced = field.unpack(field(0.0, field.pack(states)))
    values = list(states.values())
    epsilon = values[1][0] if len(values) > 1 else problem.epsilon
    exact = by_hand(problem, form, values[0], epsilon, values[2][0] if len(values) > 2 else 0.0)
    for name, rate in zip(states, exact, strict=True):
        np.testing.assert_allclose(traced[name], direct[name], atol=1e-12 * max(1, abs(np.asarray(rate)).max()))
        np.testing.assert_allclose(direct[name], rate, rtol=1e-5, atol=1e-7)
    shown = field.observables(field.pack(states))
    P = plan_of(problem, form, values[0], epsilon)
    np.testing.assert_allclose(shown["plan"].reshape(P.shape), P, atol=1e-14)
    assert shown["cost"][0] == pytest.approx((P * problem.cost).sum(), rel=1e-12)


@pytest.mark.few(4)
@forms
@schedules
def test_settles_at_the_certified_plan_with_right_rows_all_the_way(form, schedule):
    for seed in range(3):
        problem = random_problem(seed, schedule=schedule)
        circuit = compile(transport(problem, form=form))
        run = integrate(circuit.graph, 5000, rests=["scaled"], tolerances=ErrorLimits(1e-9, 1e-12, settled=1e-9))
        path = run.values["plan"].reshape(-1, *problem.cost.shape)
        assert run.outcome.ok
        np.testing.assert_allclose(path[-1], transport_reference(problem).plan, atol=1e-7)
        assert abs(path.sum(axis=2) - problem.row).max() < 1e-14


@forms
def test_rates_near_the_plan_are_those_of_sinkhorn_s_spectrum(form):
    problem = random_problem(3, 5, 4)
    reference = transport_reference(problem)
    flow = transport(problem, form=form)
    x = reference.potential if form == "potential" else reference.potential / problem.epsilon
    rates = np.sort(-np.linalg.eigvals(VectorField(flow.graph()).jacobian(x)).real)
    sigma = sinkhorn_spectrum(reference.plan).correlations
    np.testing.assert_allclose(rates, np.sort(1 - sigma**2), atol=1e-11)


def test_path_ascends_the_semi_dual():
    problem = random_problem(5, 6, 5, 0.1)
    run = integrate(compile(transport(problem)).graph, 60)

    def dual(g):
        exponents = (g - problem.cost) / problem.epsilon
        top = exponents.max(axis=1)
        spread = top + np.log(np.exp(exponents - top[:, None]).sum(axis=1))
        return problem.column @ g - problem.epsilon * (problem.row @ spread)

    values = np.array([dual(g) for g in run.values["g"]])
    assert (np.diff(values) > -1e-13).all()
    assert values[-1] > values[0] + 1e-3


def test_both_forms_share_their_path_at_a_fixed_temperature():
    problem = random_problem(6)
    circuits = {form: compile(transport(problem, form=form)) for form in FORMS}
    ends = {form: integrate(circuit.graph, 7.0).final["plan"] for form, circuit in circuits.items()}
    np.testing.assert_allclose(ends["potential"], ends["scaling"], atol=1e-9)


def test_potentials_keep_up_with_cooling_where_scalings_lag():
    # A jump of ε by δ moves exponents of carried potentials along −s δ/ε, and those of carried scalings by C δ/ε² more.
    lag = {}
    for form in FORMS:
        problem = Transport(
            100 + random_problem(7).cost * 3,
            [0.25] * 4,
            [1 / 3] * 3,
            0.1,
            {"kind": "exponential", "start": 3.0, "rate": 1.0},
        )
        run = integrate(compile(transport(problem, form=form)).graph, 8.0)
        off = abs(run.values["plan"].reshape(-1, 4, 3).sum(axis=1) - problem.column).sum(axis=1)
        lag[form] = off[run.time > 2].max()
    assert lag["potential"] < lag["scaling"]


@forms
def test_common_mode_is_neutral_and_restored(form):
    problem = random_problem(8)
    flow = transport(problem, form=form)
    graph = flow.graph()
    (found,) = return_rates(graph, flow.keeps, nominal_orbit(graph, flow.keeps))
    assert abs(found.slowest) < 1e-12
    assert abs(found.fastest) < 1e-12
    circuit = compile(flow)
    assert "−Σ w·x" in circuit.history[2].note
    (mended,) = return_rates(circuit.graph, flow.keeps, nominal_orbit(circuit.graph, flow.keeps))
    assert mended.slowest == pytest.approx(1)
    name = next(iter(flow.states))
    pushed = dataclasses.replace(flow, states={name: flow.states[name] + 5.0})
    run = integrate(compile(pushed).graph, 40)
    assert abs(flow.keeps[0].defect(run.final[name])) < 1e-9
    np.testing.assert_allclose(run.final["plan"], integrate(circuit.graph, 40).final["plan"], atol=1e-9)


def test_weighted_mean_projects_measures_and_restores():
    kept = WeightedMean("g", (1.0, 2.0, 5.0))
    x = np.array([[1.0, -1.0, 3.0], [2.0, 0.0, 0.0]])
    np.testing.assert_allclose(kept.defect(x), [(1 - 2 + 15) / 8, 2 / 8])
    assert kept.defect(kept.project(x[0])) == pytest.approx(0, abs=1e-15)
    assert kept.restore(x[0]) == pytest.approx(-kept.defect(x[0]))
    assert kept.normal(x[0]) @ kept.transverse(x[0]) == pytest.approx(1)


def test_temperatures_follow_their_schedules():
    end, start = 0.2, 1.0
    for kind, rate in (("exponential", 0.3), ("quadratic", 1.5), ("adaptive", 0.5)):
        problem = random_problem(9, schedule=kind)
        run = integrate(compile(transport(problem)).graph, 20)
        t, epsilon = run.time, run.values["epsilon"][:, 0]
        assert epsilon[0] == start
        if kind == "exponential":
            np.testing.assert_allclose(epsilon, end + (start - end) * np.exp(-rate * t), atol=1e-8)
        elif kind == "quadratic":
            # ε̇ = −r ε(ε − ε∞) is the logistic equation.
            np.testing.assert_allclose(epsilon, end / (1 - (1 - end / start) * np.exp(-rate * end * t)), atol=1e-8)
        else:
            assert (np.diff(epsilon) <= 0).all()
            assert (epsilon[1:-1] > end + (start - end) * np.exp(-rate * t[1:-1])).all()


@pytest.mark.slow
@forms
def test_brake_holds_the_plan_at_the_speed_it_allows(form):
    for k_safe in (0.02, 0.05):
        rng = np.random.default_rng(2)
        schedule = {"kind": "adaptive", "start": 2.0, "rate": 3.0, "k_safe": k_safe}
        problem = Transport(rng.random((4, 4)), [0.25] * 4, [0.25] * 4, 0.05, schedule)
        flow = transport(problem, form=form)
        solved = solve_ivp(
            VectorField(flow.graph()), (0, 40), flow.graph().initial(), t_eval=np.linspace(0, 40, 4001), method="LSODA",
            rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        epsilon, brake = solved.y[-2], solved.y[-1]
        plans = np.array([plan_of(problem, form, y[:-2], y[-2]) for y in solved.y.T])
        speed = np.linalg.norm(np.gradient(plans, solved.t, axis=0), axis=(1, 2))
        ratio = speed / (k_safe * epsilon)
        braking = (brake > 0.3) & (brake < 0.95) & (solved.t > 1)
        assert braking.sum() > 200
        # At rest the brake is what its comparator says of the squares, whose transition is 0.1 wide.
        at_rest = np.sqrt(1 + 0.1 * np.arctanh(2 * brake[braking] - 1))
        assert np.median(ratio[braking] / at_rest) == pytest.approx(1, abs=0.01)
        # Where the plan moves faster, because potentials still settle, all cooling has stopped.
        fast = np.array([ratio[max(0, k - 50) : k + 1].min() > 1.2 for k in range(len(ratio))]) & (solved.t > 1)
        assert (brake[fast] > 0.9).all()


@pytest.mark.slow
def test_pausing_never_lasts_for_ever():
    # Cooling stops while the plan moves fast; the plan then comes to rest, which releases the brake.
    problem = random_problem(11, 4, 4, 0.1, "adaptive")
    tight = Transport(problem.cost, problem.row, problem.column, 0.1, {"kind": "adaptive", "rate": 1.0, "k_safe": 0.05})
    run = integrate(
        compile(transport(tight)).graph, 5000, rests=["scaled"], tolerances=ErrorLimits(1e-9, 1e-12, settled=1e-9)
    )
    assert run.outcome.ok
    assert run.final["epsilon"][0] == pytest.approx(0.1, abs=1e-7)


def test_circuit_has_the_comparator_and_the_switch():
    graph = compile(transport(random_problem(0, schedule="adaptive"))).graph
    kinds = [graph.block(node).kind() for node in graph]
    assert kinds.count("comparator") == 1
    assert kinds.count("switch") == 1
    plain = compile(transport(random_problem(0, schedule="exponential"))).graph
    assert "comparator" not in [plain.block(node).kind() for node in plain]


def test_each_row_is_one_array_with_its_mass_as_tail():
    problem = random_problem(1)
    graph = transport(problem).graph()
    blocks = [graph.block(node) for node in graph if graph.block(node).kind() == "softmax"]
    (array,) = blocks
    assert array.rows == problem.rows
    np.testing.assert_allclose(array.tail, problem.row)


def test_unknown_form_is_refused():
    with pytest.raises(
        BadInput, match=r"form 'logdomain' of the transport flow is not known; known are: potential, scaling"
    ):
        transport(random_problem(0), form="logdomain")
