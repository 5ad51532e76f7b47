"""Sweeps of constants: what is seen at each value is what others find, and a wrong circuit is found out."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from study_zoo import AtOnce

import analogflow as af
from analogflow.errors import BadInput
from analogflow.families.oscillation import extremes_in, repeats
from analogflow.reference.cycles import turns_of
from analogflow.reference.equations import equations_reference
from analogflow.studies import read_experiment, write_experiment
from analogflow.studies.observed import in_turns
from analogflow.studies.store import read_manifest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/studies/roessler.toml"


@pytest.fixture(scope="module")
def bench():
    """The benchmark, whose witness is SciPy's DOP853 with events, on rates that are written anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        spec = importlib.util.spec_from_file_location("bifurcations", ROOT / "benchmarks/bifurcations.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def run(folder, problem, **options):
    return af.run_study(af.Study(problem, **options), folder, AtOnce()).squeeze("sample").squeeze()


def finite(values):
    return values.values[np.isfinite(values.values)]


@pytest.mark.slow
def test_maxima_of_roesslers_band_are_those_of_scipy(bench, tmp_path):
    whole = read_experiment(EXAMPLE)
    assert (len(whole.sweep["c"]), whole.sweep["c"][0], whole.sweep["c"][-1], whole.certify) == (400, 2.0, 6.0, 12)
    (problem,) = whole.problems.values()
    found = run(tmp_path, problem, sweep={"c": (2.5, 3.2, 5.3, 5.7)}, certify=1)
    for c, returns in ((2.5, 1), (3.2, 2), (5.3, 3)):
        part = found.sel(c=c)
        assert part["motion"] == "periodic"
        assert part["returns"] == returns
        assert bench.apart(finite(part["maxima"]), bench.turns(c, problem.time)) < 2e-5
    chaos = found.sel(c=5.7)
    assert chaos["motion"] == "irregular"
    assert np.isnan(chaos["period"])
    assert len(np.unique(finite(chaos["maxima"]).round(3))) > 20
    assert found["certificate"].values.tolist() == ["passed", "not asked", "not asked", "not asked"]
    assert found["error_extremes"].values[0] < 1e-6
    assert np.isnan(found["error"].values[1:]).all()


@pytest.mark.slow
def test_a_hopf_bifurcation_has_the_amplitude_of_its_normal_form(bench, tmp_path):
    found = run(tmp_path, bench.HOPF, sweep={"mu": "-0.5:1:4"})
    assert found["mu"].values.tolist() == [-0.5, 0.0, 0.5, 1.0]
    assert found["motion"].values.tolist() == ["rest", "transient", "periodic", "periodic"]
    assert found["amplitude"].values[2:] == pytest.approx(np.sqrt([0.5, 1.0]), abs=1e-5)
    assert found["period"].values[2:] == pytest.approx([2 * np.pi] * 2, rel=1e-5)
    assert abs(found["amplitude"].values[0]) < 1e-4
    assert set(found["certificate"].values) == {"passed"}


def test_a_pitchfork_has_two_rests_one_from_each_side(bench, tmp_path):
    found = run(tmp_path, bench.FORK, sweep={"r": [-1.0, 0.25, 1.0], "x": [-0.1, 0.1]})
    assert set(found["motion"].values.ravel()) == {"rest"}
    assert set(found["certificate"].values.ravel()) == {"passed"}
    rests = found["maxima"].isel(maxima_component=0)
    assert rests.sel(x=0.1).values == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)
    assert rests.sel(x=-0.1).values == pytest.approx([0.0, -0.5, -1.0], abs=1e-6)


@pytest.mark.slow
def test_a_wrong_circuit_fails_at_the_points_that_are_held(bench, tmp_path):
    found = run(tmp_path, bench.HOPF, sweep={"mu": (0.5, 0.75, 1.0)}, certify=2, mismatch=[0.2])
    assert found["certificate"].values.tolist() == ["failed", "not asked", "failed"]
    assert found["error_extremes"].values[[0, 2]].min() > 1e-2


def test_where_a_flow_blows_up_the_rest_of_the_diagram_is_there(tmp_path):
    problem = af.Equations({"x": 1.0}, {"x": "a * x ** 2 - 1"}, constants={"a": 0.5}, time=5.0)
    found = run(tmp_path / "block", problem, sweep={"a": [-0.5, 0.5, 2.0]})
    assert found["outcome"].values.tolist() == ["BLEW_UP", "COMPLETED", "BLEW_UP"]
    assert found["certificate"].values.tolist() == ["", "passed", ""]
    assert np.isfinite(found["answer_x" if "answer_x" in found else "x"].values[1])


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_sweep_of_circuits_of_parts_is_held_to_their_accuracy(bench, tmp_path):
    problem = af.Equations({"x": 1.0}, {"x": "a * x ** 2 - 1"}, constants={"a": 0.5}, time=5.0)
    found = run(tmp_path / "away", problem, sweep={"a": [0.5, 2.0]}, technologies=["opamp"])
    assert found["outcome"].values.tolist() == ["COMPLETED", "FAILED"]
    assert "runs away at t = 0.62" in str(found["reason"].values[1])
    found = run(tmp_path / "cycle", bench.HOPF, sweep={"mu": [0.5, 1.0]}, technologies=["opamp"])
    assert found["amplitude"].values == pytest.approx(np.sqrt([0.5, 1.0]), rel=1e-2)
    assert set(found["certificate"].values) == {"passed"}


@pytest.mark.slow
def test_a_point_alone_is_what_it_was_in_the_sweep(bench, tmp_path):
    found = run(tmp_path, bench.HOPF, sweep={"mu": [0.5, 1.0]})
    condition, rows = af.studies.repeat_sample(tmp_path, 1, 0)
    assert condition.sweep == {"mu": 1.0}
    assert "mu 1" in str(condition)
    assert rows["amplitude"][0] == found["amplitude"].values[1]
    assert rows["certificate"][0] == "passed"


def test_an_experiment_with_a_sweep_is_written_and_read_back(bench, tmp_path):
    study = af.Study(bench.FORK, sweep={"r": "-1:1:5"}, certify=2)
    again = read_experiment(write_experiment(study, tmp_path / "experiment.toml"))
    assert again.fingerprint == study.fingerprint
    assert again.sweep == {"r": (-1.0, -0.5, 0.0, 0.5, 1.0)}
    af.run_study(study, tmp_path / "out", AtOnce())
    assert read_manifest(tmp_path / "out")[0].fingerprint == study.fingerprint


def test_a_study_without_a_sweep_is_the_study_it_was(bench):
    keys = af.Study(bench.FORK).to_dict()
    assert not {"sweep", "certify"} & keys.keys()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweep": {"q": "0:1:3"}}, r"sweep, q = 0: .*'q' is neither a constant nor a state; there are r, x"),
        ({"sweep": {"r": "1:1:5"}}, r"the range '1:1:5' is empty"),
        ({"sweep": {"r": "0:1:1"}}, r"the range '0:1:1' is empty"),
        ({"sweep": {"r": "0:1"}}, r"'0:1' is no range; give first:last:count"),
        ({"sweep": {"r": ""}}, r"sweep of r: .* no finite number"),
        ({"sweep": {"r": []}}, r"sweep of r: it has no value"),
        (
            {"sweep": {"r": "2"}},
            r"sweep of r: 2 is one value, and may be a count or an end; give first:last:count",
        ),
        ({"sweep": {"r": 0.5}}, r"sweep of r: 0.5 is one value, .* A constant that stays is no axis: write it into"),
        ({"sweep": {"r": [1.0, 1.0]}}, r"1 is there twice"),
        ({"sweep": {"r": [np.inf]}}, r"no finite number"),
        ({"sweep": {"r": "0:1:5000"}}, r"5000 points, more than 4096"),
        ({"sweep": {"r": "0:1:3"}, "certify": 0}, r"certify is 0; give a whole number from 1"),
        ({"certify": 3}, r"certify has no effect without a sweep"),
    ],
)
def test_what_can_not_be_swept_is_said(bench, options, message):
    with pytest.raises(BadInput, match=message):
        af.Study(bench.FORK, **options)


def test_names_of_results_and_matrices_are_not_swept(bench):
    taken = af.Equations({"x": 1.0}, {"x": "noise - x"}, constants={"noise": 1.0})
    with pytest.raises(BadInput, match="have a 'noise' of their own; name it otherwise in the equations"):
        af.Study(taken, sweep={"noise": "0:1:3"})
    matrix = af.Equations({"x": [1.0, 2.0]}, {"x": "-(A @ x)"}, constants={"A": [[1.0, 0.0], [0.0, 2.0]]})
    with pytest.raises(BadInput, match=r"it has the shape \(2, 2\); only single numbers"):
        af.Study(matrix, sweep={"A": "0:1:3"})
    with pytest.raises(BadInput, match="Channel has no constants"):
        af.Study(af.Channel([[0.9, 0.1], [0.2, 0.8]]), sweep={"p": "0:1:3"})


def test_extremes_are_those_of_a_known_signal_and_ripples_are_none():
    times = np.linspace(0.0, 40.0, 4001)
    signal = np.sin(times) + 1e-6 * np.sin(50 * times)
    maxima, minima = extremes_in(times, signal)
    assert maxima == pytest.approx([1.0] * 4, abs=2e-6)  # at (2 n + ½) π between 20 and 40
    assert minima == pytest.approx([-1.0] * 3, abs=2e-6)
    assert extremes_in(np.linspace(0.0, 40.0, 60), np.sin(5 * np.linspace(0.0, 40.0, 60))) is None
    assert repeats(np.tile([1.0, 2.0, 1.5], 8), 1e-3) == 3
    assert repeats(np.linspace(0.0, 1.0, 24), 1e-3) == 0


@pytest.mark.parametrize(
    ("multiplier", "gap", "periods"),
    [
        (-1.0, 0.0, 2),  # a pair that is closer than what is called closed
        (-0.99, 0.0, 0),  # still comes nearer to one, or to a pair
        (-1.01, 0.0, 0),  # still leaves one
        (0.99, 0.0, 1),
        (-0.2, 0.0, 1),
        (-1.0, 0.3, 2),  # four, of which two and two are close
    ],
)
def test_just_beyond_a_doubling_two_periods_in_turns_are_one(multiplier, gap, periods):
    turns = np.arange(64)
    returns = 2 if gap else 1
    small = 1e-4 * multiplier ** (turns // returns - 32.0)
    points = 1 + gap * (turns % returns) + np.where(abs(small) < 1.0, small, 0.0)
    blurred = points + 1e-6 * np.random.default_rng(7).standard_normal(64)
    assert in_turns(np.column_stack([blurred, np.ones(64)]), returns, 1e-5) == periods


def test_turns_of_a_reference_are_those_of_the_closed_form():
    spring = af.Equations({"y": 1.0, "v": 0.0}, {"y": "v", "v": "-4 * y"}, observables={"e": "y ** 2"}, time=30.0)
    path = equations_reference(spring, 30.0).path
    for name, most, least in (("y", 1.0, -1.0), ("e", 1.0, 0.0)):
        turns = turns_of(path, name)
        assert turns.repeats
        assert turns.maxima == pytest.approx(np.full(len(turns.maxima), most), abs=1e-9)
        assert turns.minima == pytest.approx(np.full(len(turns.minima), least), abs=1e-9)
    damped = af.Equations({"y": 1.0}, {"y": "-y"}, time=30.0)
    assert turns_of(equations_reference(damped, 30.0).path, "y").maxima == pytest.approx([np.exp(-30.0)], abs=1e-12)
