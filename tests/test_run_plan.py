"""How long a circuit is run and in what steps: the same whoever asks, so that netlists are the same from everywhere."""

import re
from pathlib import Path

import pytest
from scipy.integrate import solve_ivp

import analogflow as af
from analogflow.cli import main
from analogflow.families import FAMILIES, expected_answer, flow_of
from analogflow.families.files import read_problem
from analogflow.run import COMPARED, own_time, run_plan
from analogflow.solution import carried_form

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
HENON_HEILES = af.Equations(
    # Reduced Hénon–Heiles system, lucipy's example rhh.py: its orbit leaves the well, so that errors of a step grow.
    name="henon-heiles",
    states={"x": 0.1, "y": 0.1, "u": 0.0, "w": 0.0},
    equations={"x": "u", "y": "w", "u": "x * y", "w": "-x ** 2 + 0.57 * y ** 2"},
    time=30.0,
)


def test_every_family_is_here():
    assert {name.split(",")[0].split(" ")[0] for name in SHIPPED} == set(FAMILIES)


@pytest.mark.parametrize(
    ("name", "technology"),
    [
        pytest.param(name, technology, marks=pytest.mark.slow if (name, technology) == ("langevin", "opamp") else ())
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
    assert (float(end), float(step)) == pytest.approx((30.0, 30.0 / 20_000))


@pytest.mark.ngspice
def test_a_path_from_python_is_that_of_an_independent_integrator():
    run = af.simulate(af.netlist(af.compile(af.flows.custom(HENON_HEILES))))

    def rate(_, s):
        return [s[2], s[3], s[0] * s[1], -(s[0] ** 2) + 0.57 * s[1] ** 2]

    right = solve_ivp(rate, (0, 30.0), [0.1, 0.1, 0, 0], "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    assert [float(run.final[name][0]) for name in "xyuw"] == pytest.approx(right, abs=1e-5)


def test_solve_and_a_netlist_that_runs_alone_differ_in_when_they_stop_only():
    rests, ends = (af.compile(af.flows.custom(read_problem(*SHIPPED[name]))) for name in list(SHIPPED)[-1:-3:-1])
    assert run_plan(ends) == run_plan(ends, stops=False)
    alone, stopped = run_plan(rests, stops=False), run_plan(rests)
    assert alone.largest_step == stopped.largest_step
    assert alone.end < stopped.end


def test_a_run_may_end_early_where_it_settles_only():
    rests, ends = (af.compile(af.flows.custom(read_problem(*SHIPPED[name]))) for name in list(SHIPPED)[-1:-3:-1])
    law = af.compile(af.flows.langevin(af.Langevin(energy="x**2/2", variables=["x"], temperature=0.5)))
    plans = [run_plan(circuit) for circuit in (rests, ends, law, af.degrade(rests, noise=af.Noise(1e-3)))]
    assert [plan.settles for plan in plans] == [True, False, False, False]
    assert [plan.stopping_speed for plan in plans] == [1e-9, 0.0, 0.0, 0.0]
    assert plans[3].resting_speed == 1e-9  # with noise it is asked whether the mean still moves


def test_how_long_a_run_is_and_when_it_rests_is_asked_of_the_plan():
    package = Path(af.__file__).parent
    known = re.compile(r"\b(RESTING_SPEED|LONGEST|ALONE|_PATH_TIME|_NOISY_TIME)\b")
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if known.search(path.read_text("utf-8"))}
    # Collector currents that parts are chosen for are those of the ideal circuit; the other is a limit of problems.
    assert found == {"run.py", "hardware/preferred.py", "problems/attention.py"}


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
    ends, rests = (flow_of(read_problem(*SHIPPED[name])) for name in list(SHIPPED)[-2:])
    law = af.flows.langevin(af.Langevin(energy="x**2/2", variables=["x"], temperature=0.5))
    assert [own_time(flow) for flow in (ends, rests, law)] == [20.0, None, law.averaging.end]
    assert [own_time(flow, 3.0) for flow in (ends, rests, law)] == [3.0, None, 3.0]


def test_the_time_that_a_problem_takes_is_asked_in_one_place():
    package = Path(af.__file__).parent
    asked = re.compile(r"time_constants or \w+(\(\w+\))?\.end_time|\)\.end_time|averaging\.end if")
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if asked.search(path.read_text("utf-8"))}
    # Ranges of circuits of parts are chosen for the longest time that they may be run.
    assert found == {"run.py", "passes/ranges.py"}
