"""The march in C against the one in NumPy: the same noise, paths, ends and outcomes, whatever runs beside a sample."""

import ctypes
import dataclasses

import numpy as np
import pytest
from problem_zoo import PROBLEMS as SMALLEST
from problem_zoo import forms
from scipy.special import ndtri
from zoo import PAPER

import analogflow as af
from analogflow.block_engine import Drive, ErrorLimits, VectorField, compiled, compiled_program, march
from analogflow.block_engine.methods import EXPLICIT, IMPLICIT
from analogflow.block_engine.native import library
from analogflow.blocks import Crossbar, MatrixProduct, Multiplier, Softmax, Tanh
from analogflow.errors import AnalogflowError
from analogflow.families import FAMILIES, flow_of
from analogflow.families.files import problem_of_keys
from analogflow.flows import Flow
from analogflow.graph import GraphBuilder, log, white_noise
from analogflow.noise import standard_normal
from analogflow.passes.degrade import graph_under
from analogflow.run import Outcome

pytestmark = pytest.mark.skipif(library() is None, reason="needs a C compiler")

ALL_NINE = af.Imperfections(
    gain_error=0.01, offset=1e-3, bandwidth=3e5, noise_density=1e-6, saturation=6.0, dc_gain=1e4, resolution=10,
    mismatch=0.01, temperature_kelvin=310.0,
)  # fmt: skip
PLAN = af.Transport([[0.0, 1.0, 0.4], [1.0, 0.0, 0.7]], [0.6, 0.4], [0.3, 0.3, 0.4], epsilon=0.5)
TOKENS = af.Attention([[1, 0], [0.6, 0.8]], np.eye(2), np.eye(2), beta=1.0, time=0.5)
NETWORK = af.Hopfield([[0.3, -0.2], [-0.2, 0.1]], [0.5, -0.4], activation="tanh")
PROBLEMS = {
    **{f"capacity {form}": (PAPER, form) for form in ("logdomain", "replicator", "normalised")},
    "rate-distortion": (af.RateDistortion([0.6, 0.4], [[0.0, 1.0], [1.0, 0.0]], beta=2.0), None),
    **{f"transport {form}": (PLAN, form) for form in ("scaling", "potential")},
    "attention": (TOKENS, None),
    "hopfield": (NETWORK, None),
}


def others(x, y, z):
    """Blocks that no family has: quotient, root, sine, arctan, switch, comparator, positive part, square."""
    return (
        np.sin(3 * y) / (z + 2.0) - x,
        np.sqrt(x + 1.5) * 0.5 - y + 0.1 * np.maximum(z, 0.0),
        np.exp(-y) * np.tanh(x + y) - z + 0.1 * np.arctan(2 * x),
    )


OTHERS = Flow(others, {"x": np.array([0.3, -0.2]), "y": np.array([0.1, 0.4]), "z": np.array([0.5, -0.5])})


@pytest.fixture
def in_numpy(monkeypatch):
    """Calls a function with the march in NumPy."""

    def run(function, *given, **options):
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "library", lambda: None)
            return function(*given, **options)

    return run


def circuit_of(name):
    if name == "others":
        return af.compile(OTHERS)
    problem, form = PROBLEMS[name]
    return af.compile(flow_of(problem, form))


def same(ours, theirs, limit):
    assert ours.record["evaluator"] == "compiled"
    assert theirs.record["evaluator"] == "numpy"
    assert ours.outcomes == theirs.outcomes
    for name in theirs.final:
        np.testing.assert_allclose(ours.final[name], theirs.final[name], rtol=limit, atol=limit, err_msg=name)
    for name in theirs.values:
        np.testing.assert_allclose(ours.values[name], theirs.values[name], rtol=limit, atol=limit, err_msg=name)


def test_its_records_are_those_of_the_kernel():
    ours = (ctypes.sizeof(compiled._Task), compiled._OP.itemsize, compiled._PART.itemsize)
    assert tuple(library().analogflow_record_size(number) for number in range(3)) == ours


def test_no_samples_march_to_no_ends(in_numpy):
    field, none = VectorField(circuit_of("capacity logdomain").graph), np.zeros((0, 3))
    for run in (lambda f, *a: f(*a), in_numpy):
        walked = run(march, field, none, np.array([0.5]), 1.0, EXPLICIT)
        assert walked.states.shape == (0, 1, 3)
        assert walked.final.shape == (0, 3)
        assert walked.steps == 0


@pytest.mark.parametrize("seed", [0, 7, 2**62 + 1])
def test_noise_has_the_same_bits(seed):
    """A million numbers of each seed, 270,000 of them in the tails, which take logarithms."""
    numbers = np.empty(1 << 18)
    for sample, stream in ((0, 0), (5, 3), (2**39 - 1, 1 << 22), (123456, 2)):
        library().analogflow_normals(seed, sample << 24 | stream, len(numbers), numbers.ctypes.data)
        assert (numbers == standard_normal(seed, [sample], stream, len(numbers))[0]).all()


def test_the_same_quantile_is_independent_of_both():
    """A twin: the distribution of what is played is the standard normal one, by its own inverse."""
    numbers = np.empty(1 << 18)
    library().analogflow_normals(3, 0, len(numbers), numbers.ctypes.data)
    shares = (np.arange(1, 10) / 10).tolist()
    np.testing.assert_allclose(np.quantile(numbers, shares), ndtri(shares), atol=0.01)  # 5 standard errors
    assert abs(numbers.std() - 1) < 0.01


@pytest.mark.few(12)
@pytest.mark.parametrize("name", [*PROBLEMS, "others"])
@pytest.mark.parametrize("flaws", ["noise alone", "eight imperfections", "all nine"])
def test_noisy_paths_are_the_same(name, flaws, in_numpy):
    """Where both take the same steps, as knots make them, they differ by rounding."""
    circuit = circuit_of(name)
    imperfections = {
        "noise alone": af.Imperfections(),
        "eight imperfections": ALL_NINE.without("bandwidth"),
        "all nine": ALL_NINE,
    }[flaws]
    end = 0.5 if flaws == "all nine" else 4.0
    given = {
        "noise": af.Noise(0.02, seed=5), "imperfections": imperfections, "time_constants": end, "step_accuracy": 1e-5,
        "save": np.linspace(0.0, end, 14),
    }  # fmt: skip
    samples = [0, 3, 17] if flaws == "all nine" else range(9)
    limit = 1e-9 if flaws == "all nine" else 1e-12
    same(af.ensemble(circuit, samples, **given), in_numpy(af.ensemble, circuit, samples, **given), limit)


@pytest.mark.parametrize("name", [*PROBLEMS, "others"])
def test_paths_without_noise_are_the_same(name, in_numpy):
    circuit = circuit_of(name)
    given = {
        "imperfections": af.Imperfections(mismatch=0.02, offset=1e-3), "time_constants": 5.0, "save": np.linspace(0, 5, 23),
        "step_accuracy": 1e-10,
    }  # fmt: skip
    same(af.ensemble(circuit, 6, **given), in_numpy(af.ensemble, circuit, 6, **given), 1e-9)


def test_samples_come_to_rest_at_the_same_place(in_numpy):
    circuit = circuit_of("capacity logdomain")
    given = {"imperfections": af.Imperfections(mismatch=0.02), "time_constants": 300.0, "resting_speed": 1e-9}
    ours, theirs = af.ensemble(circuit, 40, **given), in_numpy(af.ensemble, circuit, 40, **given)
    same(ours, theirs, 1e-9)
    assert set(ours.outcomes) == {Outcome.SETTLED}
    np.testing.assert_allclose(ours.end, theirs.end, rtol=1e-3)


def test_a_sample_has_the_same_bits_alone_and_in_company():
    """Neither who runs beside it nor in which lane, nor when it took the place of one that had ended."""
    circuit = circuit_of("capacity logdomain")
    noisy = {"noise": af.Noise(0.02, seed=1), "time_constants": 10.0, "step_accuracy": 1e-5, "save": [3.3, 9.0]}
    still = {"imperfections": af.Imperfections(mismatch=0.05), "time_constants": 300.0, "resting_speed": 1e-9}
    for given in (noisy, still):
        together = af.ensemble(circuit, 300, **given)
        for sample in (0, 127, 128, 299):
            alone = af.ensemble(circuit, [sample], **given)
            assert alone.end[0] == together.end[sample]
            for name in circuit.flow.states:  # observables are computed of them in NumPy
                assert (alone.final[name][0] == together.final[name][sample]).all()
                if len(alone.time):
                    assert (alone.values[name][0] == together.values[name][sample]).all()


@pytest.mark.parametrize("lanes", [8, 16, 24])
def test_the_number_of_lanes_changes_no_bit(lanes, monkeypatch):
    circuit = circuit_of("transport scaling")
    given = {"noise": af.Noise(0.02, seed=1), "imperfections": ALL_NINE.without("bandwidth"), "time_constants": 3.0}
    usual = af.ensemble(circuit, 33, **given)
    monkeypatch.setattr(compiled, "_LANES", lanes)
    other = af.ensemble(circuit, 33, **given)
    for name in circuit.flow.states:
        assert (other.final[name] == usual.final[name]).all()


def test_what_fails_fails_alike(in_numpy):
    """Of ẋ = x² some samples run away, ẋ = −1/x presses on its zero from both sides, and each says so."""
    runs_away = af.compile(Flow(lambda x: x * x - 1e-3, {"x": np.array([0.02])}))
    start = {"x": np.array([[0.02], [1.0], [-0.5], [3.0]])}
    given = {"time_constants": 30.0, "start": start, "save": [0.2, 10.0, 30.0]}
    ours, theirs = af.ensemble(runs_away, 4, **given), in_numpy(af.ensemble, runs_away, 4, **given)
    assert [outcome.name for outcome in ours.outcomes] == ["COMPLETED", "BLEW_UP", "COMPLETED", "BLEW_UP"]
    assert ours.outcomes == theirs.outcomes
    np.testing.assert_allclose(ours.end, theirs.end, rtol=1e-6)
    presses = af.compile(Flow(lambda x: -1.0 / x, {"x": np.array([0.2])}))
    ours, theirs = (
        run(presses, 2, time_constants=1.0) for run in (af.ensemble, lambda *a, **b: in_numpy(af.ensemble, *a, **b))
    )
    assert ours.outcomes == theirs.outcomes
    assert set(ours.outcomes) == {Outcome.STUCK}


def test_what_has_ended_is_held_with_the_noise_of_its_end(in_numpy):
    """As an observable shows that noise goes into."""
    flow = Flow(
        lambda x: x * x - x, {"x": np.array([0.5])}, observables={"o": lambda x: x + white_noise(x, 0.5)}, end_time=6.0
    )
    given = {"start": {"x": np.array([[0.5], [2.0]])}, "save": [0.1, 0.3, 1.0, 2.0, 6.0], "time_constants": 6.0}
    given |= {"step_accuracy": 1e-10}
    circuit = af.compile(flow, technology="ideal")
    ours, theirs = af.ensemble(circuit, 2, **given), in_numpy(af.ensemble, circuit, 2, **given)
    for run in (ours, theirs):
        assert run.outcomes[1] is Outcome.BLEW_UP
        assert (run.values["o"][1, 2:] == run.final["o"][1]).all()
        np.testing.assert_allclose(run.values["o"][0], ours.values["o"][0], rtol=1e-9, atol=1e-9)


@pytest.mark.few(8)
@pytest.mark.parametrize("method", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("name", [*PROBLEMS, "others"])
def test_both_methods_follow_both_evaluators(name, method, in_numpy):
    """Derivatives of every block, those towards noise too: the implicit method takes them all."""
    circuit = circuit_of(name)
    graph = af.degrade(circuit, ALL_NINE.without("bandwidth"), noise=af.Noise(0.05, seed=2), sample=4).graph
    field = VectorField(graph)
    given = dataclasses.asdict(ErrorLimits(1e-7, 1e-9))
    drive = Drive(field, af.Noise(0.05, seed=2), [4] * 5, 2.0, chains=[0, 1, 2, 5, 2**24 - 1])

    def walked():
        return march(
            field,
            np.tile(graph.initial(), (5, 1)),
            np.linspace(0, 2, 5),
            2.0,
            method,
            drive=drive,
            tolerances=ErrorLimits(**given),
        )

    ours, theirs = walked(), in_numpy(walked)
    assert (ours.evaluator, theirs.evaluator) == ("compiled", "numpy")
    assert abs(ours.steps - theirs.steps) <= 0.05 * theirs.steps  # a wrong derivative costs steps before it costs digits
    np.testing.assert_allclose(ours.states, theirs.states, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(ours.final_noise, theirs.final_noise, rtol=1e-12, atol=1e-12)


def test_sources_that_play_nothing_are_silent():
    """As those of a field whose path without noise is asked for."""
    field = VectorField(af.compile(Flow(lambda x: white_noise(x) - x, {"x": np.zeros(40)}, end_time=3.0)).graph)
    for _ in range(4):
        walked = march(field, np.zeros((3, 40)), np.array([1.0, 3.0]), 3.0, EXPLICIT)
        assert walked.evaluator == "compiled"
        assert not walked.states.any()
        assert not walked.final.any()


def test_whether_to_go_on_is_asked_after_the_first_step():
    """Of a thousand stiff states a step takes a second, which is how long an interruption may have to wait."""
    field, asked = VectorField(af.compile(Flow(lambda x: -x, {"x": np.ones(2)})).graph), []
    march(field, np.ones((1, 2)), np.array([]), 3.0, EXPLICIT, on_progress=asked.append)
    assert asked[0] <= 0.1  # no first step is longer
    assert asked[-1] == 3.0


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Stranger(Tanh):
    """A block of somebody else's."""


def strange(x):
    return x.builder.place(Stranger(size=x.size), (x,), x.shape) if hasattr(x, "builder") else np.tanh(x)


def test_a_block_that_it_does_not_know_is_left_to_numpy():
    known, other = (af.compile(Flow(lambda x, f=f: f(x) - 2 * x, {"x": np.ones(2)})) for f in (np.tanh, strange))
    assert compiled_program(VectorField(known.graph)) is not None
    assert compiled_program(VectorField(other.graph)) is None
    given = {"noise": af.Noise(0.1, seed=3), "time_constants": 3.0}
    ours, theirs = af.ensemble(known, 4, **given), af.ensemble(other, 4, **given)
    same(ours, theirs, 1e-12)


@pytest.mark.parametrize(
    ("block", "sizes"),
    [
        (Crossbar(size=2, weight=np.ones((2, 300))), (3,)),
        (Multiplier(size=300), (3, 1)),
        (Softmax(size=300), (3,)),
        (MatrixProduct(size=1, rows=1, inner=300, columns=1), (3, 3)),
    ],
    ids=lambda value: value.kind() if hasattr(value, "kind") else "",
)
def test_a_graph_built_with_operands_of_the_wrong_size_is_refused(block, sizes):
    builder = GraphBuilder()
    states = [builder.state(f"x{k}", np.ones(size)) for k, size in enumerate(sizes)]
    placed = builder.place(block, tuple(states), (block.size,))
    with pytest.raises(ValueError, match="can not take an operand of size 3"):
        compiled_program(VectorField(builder.finish({f"x{k}": state for k, state in enumerate(states)}, {"o": placed})))


def test_values_of_one_sample_serve_all_and_those_of_another_number_none(in_numpy):
    circuit = circuit_of("capacity logdomain")
    one, three = (
        VectorField(graph_under(circuit, ALL_NINE.without("bandwidth", "noise_density"), af.Noise(0.0), samples))
        for samples in ([5], [5, 6, 7])
    )
    start = np.tile(one.graph.initial(), (4, 1))
    ours, theirs = (run(march, one, start, np.array([]), 2.0, EXPLICIT) for run in (lambda f, *a: f(*a), in_numpy))
    assert (ours.evaluator, theirs.evaluator) == ("compiled", "numpy")
    assert (ours.final == ours.final[0]).all()
    np.testing.assert_allclose(ours.final, theirs.final, rtol=1e-10)
    for run in (lambda f, *a: f(*a), in_numpy):
        with pytest.raises(ValueError, match=r"samples|broadcast"):
            run(march, three, start, np.array([]), 2.0, EXPLICIT)


@pytest.mark.parametrize("floor", [0.0, -1.0, 1e-310])
def test_logarithms_below_normal_numbers_are_left_to_numpy(floor):
    """Where their argument comes to 0 they have no value, and the run says that it is stuck."""
    flow = Flow(lambda x, y: (0 * x, log(x, floor=floor)), {"x": np.zeros(2), "y": np.zeros(2)})
    walked = march(VectorField(flow.graph()), np.zeros((1, 4)), np.array([]), 1.0, EXPLICIT)
    assert walked.stuck[0] == (floor <= 0)
    assert walked.final[0, 2] == pytest.approx(0.0 if floor <= 0 else np.log(floor), rel=1e-12)


def test_a_wide_circuit_is_left_to_numpy(monkeypatch):
    field = VectorField(circuit_of("transport scaling").graph)
    monkeypatch.setattr(compiled, "WIDEST", field.width)
    assert compiled_program(field) is not None
    monkeypatch.setattr(compiled, "WIDEST", field.width - 1)
    assert compiled_program(field) is None


def test_elementary_functions_keep_their_digits_at_the_extremes(in_numpy):
    """exp from underflow to its ceiling, ln from its floor up, tanh from 1e-9 to saturation: rates of the first instant."""
    points = np.concatenate([-np.geomspace(1e-9, 700, 60), np.geomspace(1e-9, 79, 60)])
    for function in (np.exp, np.tanh, lambda x: np.log(np.exp(x)), lambda x: np.sqrt(np.exp(x)), np.sin):
        flow = Flow(lambda x, y, f=function: (0 * x, f(x)), {"x": points, "y": np.zeros(120)})
        circuit = af.compile(flow, stabilise=False)
        given = {"time_constants": 1.0, "start": {"x": points}, "step_accuracy": 0.1}
        with np.errstate(all="ignore"):
            ours, theirs = af.ensemble(circuit, 1, **given), in_numpy(af.ensemble, circuit, 1, **given)
        np.testing.assert_allclose(ours.final["y"], theirs.final["y"], rtol=4e-15, atol=3e-16)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), [(family, name) for family, named in SMALLEST.items() for name in named])
def test_a_circuit_of_parts_is_the_same_whichever_evaluator_follows_its_flow(family, name, in_numpy):
    problem = problem_of_keys(family, SMALLEST[family][name], name)
    for form in forms(family, problem):
        for technology in ("opamp", "translinear"):

            def text(form=form, technology=technology):
                try:
                    return af.netlist(af.compile(FAMILIES[family].flow(problem, form=form), technology=technology)).text
                except AnalogflowError as fault:
                    return str(fault)

            assert text() == in_numpy(text)
