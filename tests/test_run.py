"""What a run says, of one sample and of many; how long a circuit is run and in what steps, the same whoever asks."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import analogflow as af
from analogflow.cli import main
from analogflow.compiler import carried_form
from analogflow.families import FAMILIES, expected_answer, flow_of
from analogflow.families.files import read_problem
from analogflow.run import COMPARED, comes_to_rest, joined, own_time, run_plan, settling_times

TIMES = np.array([0.0, 1.0, 2.0, 3.0])


def many(first: int = 0) -> af.Run:
    """Three samples of x and y; the second settled at 1.5 τ, the third ran away."""
    x = np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2)
    x[1, 2:] = [50.0, 51.0]
    ended = (af.Outcome.COMPLETED, af.Outcome.SETTLED, af.Outcome.BLEW_UP)
    final = {"x": x[:, -1].copy(), "y": np.array([[1.0], [2.0], [3.0]])}
    each = af.Samples(np.arange(first, first + 3), ended, np.array([3.0, 1.5, 3.0]), final)
    return af.Run.of(each, TIMES.copy(), {"x": x, "y": np.ones((3, 4, 1))}, {"seed": 7})


def test_one_run_has_its_last_row_as_its_end():
    run = af.Run(TIMES.copy(), {"x": np.arange(8.0).reshape(4, 2)}, af.Outcome.COMPLETED)
    assert (run.ok, run.end, run.samples, run.outcomes) == (True, 3.0, None, (af.Outcome.COMPLETED,))
    np.testing.assert_array_equal(run.final["x"], [6.0, 7.0])
    assert run["x"].dims == ("time", "component")


def test_many_samples_have_ends_of_their_own():
    run = many()
    np.testing.assert_array_equal(run.ok, [True, True, False])
    np.testing.assert_array_equal(run.end, [3.0, 1.5, 3.0])
    assert run.outcome is af.Outcome.BLEW_UP
    assert run["x"].dims == ("sample", "time", "component")
    assert run["y"].dims == ("sample", "time")
    assert repr(run) == "Run(3 samples of x, y: 1 completed, 1 settled, 1 blew_up)"


def test_a_sample_taken_out_ends_where_it_ended():
    one = many(5).sample(1)
    np.testing.assert_array_equal(one.time, [0.0, 1.0, 1.5])
    np.testing.assert_array_equal(one.values["x"], [[8.0, 9.0], [10.0, 11.0], [50.0, 51.0]])
    assert (one.outcome, one.each, one.record) == (af.Outcome.SETTLED, None, {"seed": 7, "sample": 6})
    with pytest.raises(af.BadInput, match="one run already"):
        one.sample(0)


def test_a_sample_of_a_run_without_saved_times_is_its_end():
    circuit = af.compile(af.Flow(lambda x: -x, {"x": np.ones(2)}))
    run = af.ensemble(circuit, 3, time_constants=2.0)
    one = run.sample(2)
    assert one.time.tolist() == [2.0]
    np.testing.assert_array_equal(one.values["x"], run.final["x"][2:])


def test_joined_runs_keep_their_order():
    run = joined([many(), many(3)])
    assert run.samples is not None
    assert run.samples.tolist() == [0, 1, 2, 3, 4, 5]
    assert run.values["x"].shape == (6, 4, 2)
    assert run.outcomes == 2 * many().outcomes


@pytest.mark.parametrize("run", [many(), many().sample(0)], ids=["many", "one"])
def test_a_signal_that_is_none_is_refused_with_those_that_are(run):
    for values in (run, run.values, run.final):
        with pytest.raises(af.BadInput, match="'z' is not a signal of this run; there are: x, y"):
            values["z"]


def test_a_settling_time_is_asked_of_one_run():
    with pytest.raises(af.BadInput, match="ask each of them"):
        many().settling_time("x", 0.1)
    assert many().sample(1).settling_time("x", 40.0) == 1.0
    assert many().sample(1).settling_time("x", 41.0) == pytest.approx(np.log(42 / 41) / np.log(42 / 40))


def test_a_settling_time_lies_between_saved_times_by_the_logarithm_of_the_distance():
    times = np.linspace(0.0, 20.0, 5)  # 5 τ apart
    rates = np.array([[1.0], [0.5], [2.0]])
    found = settling_times(times, np.exp(-rates * times), np.array([1e-3, 1e-4, 1e-6]))
    np.testing.assert_allclose(found, np.log([1e3, 1e4, 1e6]) / rates.ravel(), rtol=1e-12)


@pytest.mark.parametrize(
    ("distances", "settled"),
    [
        ([0.0, 0.0, 0.0, 0.0], 0.0),
        ([1.0, 0.05, 1.0, 0.1], 3.0),
        ([np.inf, 0.05, 0.05, 0.0], 1.0),
        ([1.0, np.nan, 0.0, 0.0], 2.0),
        ([1.0, 0.0, 0.0, 0.0], 0.25),
        ([0.0, 0.0, 0.0, 0.2], np.nan),
        ([1.0, 0.0, 0.0, np.nan], np.nan),
    ],
)
def test_a_distance_leaves_its_band_for_the_last_time(distances, settled):
    assert float(settling_times(TIMES, np.array(distances), 0.1)) == pytest.approx(settled, rel=1e-12, nan_ok=True)


def test_without_a_band_a_signal_settles_where_it_stands_still():
    run = af.Run(TIMES.copy(), {"x": np.array([[3.0], [2.0], [1.0], [1.0]])}, af.Outcome.SETTLED)
    assert run.settling_time("x", 0.0) == 2.0


def test_arrays_are_read_only_and_survive_a_journey():
    run = pickle.loads(pickle.dumps(many()))
    np.testing.assert_array_equal(run.final["x"], many().final["x"])
    with pytest.raises(ValueError, match="read-only"):
        many().values["x"][0] = 0
    with pytest.raises(ValueError, match="read-only"):
        many().final["y"][0] = 0


EXAMPLES = Path(__file__).parents[1] / "examples"
DATA = EXAMPLES / "data"
SHIPPED = {
    "capacity": ("capacity", DATA / "paper_channel.csv"),
    "rate-distortion": ("rate-distortion", DATA / "rate_distortion_hamming.json"),
    "transport": ("transport", DATA / "transport_three.json"),
    "attention": ("attention", DATA / "attention_three_tokens.json"),
    "hopfield": ("hopfield", DATA / "hopfield_rest.json"),
    "hopfield law": ("hopfield", DATA / "hopfield_law.json"),
    "langevin": ("langevin", DATA / "langevin_double_well.json"),
    "custom, with an end": (str(EXAMPLES / "flows/lotka_volterra.toml"), None),
    "custom, to its rest": (str(EXAMPLES / "flows/water_filling.toml"), None),
}
SHIPPED |= {
    name: (name, next(DATA.glob(f"{name.replace('-', '_')}_*"))) for name, family in FAMILIES.items() if family.example
}
HENON_HEILES = af.Equations(
    # Reduced Hénon–Heiles system, lucipy's example rhh.py: its orbit leaves the well, so that errors of a step grow.
    name="henon-heiles",
    states={"x": 0.1, "y": 0.1, "u": 0.0, "w": 0.0},
    equations={"x": "u", "y": "w", "u": "x * y", "w": "-x ** 2 + 0.57 * y ** 2"},
    time=30.0,
)


def test_every_family_is_here():
    assert {name.split(",")[0].split(" ")[0] for name in SHIPPED} == set(FAMILIES)


LATER = {"langevin", *(name for name, family in FAMILIES.items() if family.example)}
"""Of families of one file, and of one whose run is long, the circuits of op amps wait for ``--slow``."""


@pytest.mark.few(12)
@pytest.mark.parametrize(
    ("name", "technology"),
    [
        pytest.param(name, technology, marks=pytest.mark.slow if technology == "opamp" and name in LATER else ())
        for name in SHIPPED
        for technology in ("ideal", "opamp")
    ],
)
def test_python_and_the_command_line_write_the_same_bytes(name, technology, tmp_path):
    words = [str(word) for word in SHIPPED[name] if word is not None]
    problem = read_problem(*SHIPPED[name])
    assert main(["netlist", *words, "-o", str(tmp_path / "a.cir"), "--technology", technology]) == 0
    form = carried_form(problem, technology)
    flow = flow_of(problem, form)
    circuit = af.degrade(af.compile(flow, technology=technology))
    deck = af.netlist(af.choose_values(circuit) if circuit.parts else circuit, expected=expected_answer(flow.problem))
    assert deck.text == (tmp_path / "a.cir").read_text()


def test_a_netlist_of_a_path_has_steps_that_follow_it():
    deck = af.netlist(af.compile(af.flows.custom(HENON_HEILES)))
    ((step, end),) = re.findall(r"^\.tran (\S+) (\S+)", deck.text, re.MULTILINE)
    assert float(end) == 30.0
    assert 30.0 / 60_000 < float(step) < 30.0 / 20_000


@pytest.mark.ngspice
def test_a_path_from_python_is_that_of_an_independent_integrator():
    run = af.simulate(af.netlist(af.compile(af.flows.custom(HENON_HEILES))))

    def rate(_, s):
        return [s[2], s[3], s[0] * s[1], -(s[0] ** 2) + 0.57 * s[1] ** 2]

    right = solve_ivp(rate, (0, 30.0), [0.1, 0.1, 0, 0], "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    assert [float(run.final[name][0]) for name in "xyuw"] == pytest.approx(right, abs=1e-5)


def test_solve_and_a_netlist_that_runs_alone_differ_in_when_they_stop_only():
    rests, ends = (
        af.compile(af.flows.custom(read_problem(*SHIPPED[name]))) for name in ("custom, to its rest", "custom, with an end")
    )
    assert run_plan(ends) == run_plan(ends, stops=False)
    alone, stopped = run_plan(rests, stops=False), run_plan(rests)
    assert alone.largest_step == stopped.largest_step
    assert alone.end < stopped.end


def test_a_run_may_end_early_where_it_settles_only():
    rests, ends = (
        af.compile(af.flows.custom(read_problem(*SHIPPED[name]))) for name in ("custom, to its rest", "custom, with an end")
    )
    law = af.compile(af.flows.langevin(af.Langevin(energy="x**2/2", variables=["x"], temperature=0.5)))
    circuits = (rests, ends, law, af.degrade(rests, noise=af.Noise(1e-3)))
    plans = [run_plan(circuit) for circuit in circuits]
    assert [plan.settles for plan in plans] == [True, False, False, False]
    assert list(map(comes_to_rest, circuits)) == [True, False, False, False]
    assert [plan.stopping_speed for plan in plans] == [1e-9, 0.0, 0.0, 0.0]
    assert plans[3].resting_speed == 1e-9  # with noise it is asked whether the mean still moves


def test_how_long_a_run_is_and_when_it_rests_is_asked_of_the_plan():
    package = Path(af.__file__).parent
    known = re.compile(r"\b(RESTING_SPEED|LONGEST|ALONE|_PATH_TIME|_NOISY_TIME)\b")
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if known.search(path.read_text("utf-8"))}
    # Collector currents that parts are chosen for are those of the ideal circuit; the other is a limit of problems.
    assert found == {"run.py", "passes/preferred.py", "problems/attention.py"}


def test_an_ensemble_ends_where_a_run_and_a_netlist_do():
    for name, time in (("attention", 1.0), ("custom, with an end", 20.0), ("custom, to its rest", 60.0)):
        circuit = af.compile(flow_of(read_problem(*SHIPPED[name])))
        assert af.ensemble(circuit, 2).end.tolist() == [time, time]
        assert (af.simulate(circuit, engine="block").end, af.netlist(circuit).end_time) == pytest.approx((time, time))


def test_paths_are_compared_to_the_end_of_the_flow_that_has_one(monkeypatch):
    asked = []

    class Stopped(Exception):
        pass

    def stop(circuit, *, time_constants, **_):
        asked.append(time_constants)
        raise Stopped

    monkeypatch.setattr("analogflow.judgement.agreement.netlist", stop)
    for name in ("attention", "custom, to its rest"):
        words = [str(word) for word in SHIPPED[name] if word is not None]
        circuit = af.compile(flow_of(read_problem(*SHIPPED[name])))
        with pytest.raises(Stopped):
            main(["verify", *words, "--engines", "block,ngspice"])
        with pytest.raises(Stopped):
            af.parity(circuit)
    assert asked == [1.0, 1.0, COMPARED, COMPARED]


def test_a_length_is_known_before_a_run_of_flows_with_one_of_their_own_only():
    ends, rests = (flow_of(read_problem(*SHIPPED[name])) for name in ("custom, with an end", "custom, to its rest"))
    law = af.flows.langevin(af.Langevin(energy="x**2/2", variables=["x"], temperature=0.5))
    assert [own_time(flow) for flow in (ends, rests, law)] == [20.0, None, law.averaging.end]
    assert [own_time(flow, 3.0) for flow in (ends, rests, law)] == [3.0, None, 3.0]


def test_the_time_that_a_problem_takes_is_asked_in_one_place():
    package = Path(af.__file__).parent
    asked = re.compile(r"time_constants or \w+(\(\w+\))?\.end_time|\)\.end_time|averaging\.end if")
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if asked.search(path.read_text("utf-8"))}
    # Ranges of circuits of parts are chosen for the longest time that they may be run.
    assert found == {"run.py", "passes/ranges.py"}
