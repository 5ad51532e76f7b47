"""Chunks: the same samples as single runs, in either engine, for every family; samples that break down are data."""

import dataclasses
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from zoo import PAPER

import analogflow as af
from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.report.study_tables import study_table
from analogflow.run import SETTLING_BAND, settling_times
from analogflow.simulators import engines
from analogflow.studies import sampling
from analogflow.studies.design import Chunk
from analogflow.studies.sampling import compute, ended_badly, sample_alone
from analogflow.studies.statistics import summarise

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples/data"


def rows_of(study: af.Study) -> dict[str, np.ndarray]:
    assert len(study.conditions) == 1
    return compute(study.text, Chunk(0, 0, 0, study.samples))


def printed(results) -> str:
    text = io.StringIO()
    Console(width=200, file=text).print(study_table(results))
    return " ".join(text.getvalue().split())


@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised"])
def test_a_sample_is_the_run_that_solve_makes(form: str) -> None:
    study = af.Study(PAPER, forms=(form,), mismatch=(0.01,), samples=3, seed=4)
    rows = rows_of(study)
    solution = af.solve(PAPER, form=form, engine="block", imperfections=af.Imperfections(mismatch=0.01), seed=4)
    assert rows["outcome"].tolist() == ["SETTLED"] * 3
    assert rows["error_reading"][0] == pytest.approx(solution.certificate.errors["capacity_nats"], abs=1e-8)
    assert rows["error_input_distribution"][0] == pytest.approx(solution.certificate.errors["input_distribution"], abs=1e-6)
    assert rows["settling_time"][0] == pytest.approx(solution.settling_time, rel=0.03)
    assert rows["answer"][0] == pytest.approx(solution.run.final["z"], abs=1e-6)
    assert len(set(rows["error"])) == 3


def test_a_sample_alone_is_the_sample_of_its_chunk() -> None:
    study = af.Study(PAPER, noise=(0.03,), samples=5, seed=9)
    chunk, alone = rows_of(study), sample_alone(study, study.conditions[0], 3)
    for name, values in alone.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values[0], chunk[name][3], rtol=1e-6, atol=1e-12)
        else:
            assert values[0] == chunk[name][3]


def test_a_noisy_sample_is_followed_as_closely_alone_as_in_a_study() -> None:
    study = af.Study(PAPER, forms=("accelerated",), noise=(0.3,), seed=9, samples=1, verify=False)
    alone = af.solve(PAPER, form="accelerated", engine="block", noise=0.3, seed=9)
    np.testing.assert_allclose(alone.run.final["z"], rows_of(study)["answer"][0], rtol=0, atol=1e-9)


@pytest.mark.slow
def test_a_run_may_be_given_any_time() -> None:
    rows = rows_of(af.Study(PAPER, samples=1, time_constants=1e308, verify=False))
    assert rows["outcome"].tolist() == ["SETTLED"]
    assert rows["error"][0] < 1e-9


def test_noise_is_the_same_in_every_form() -> None:
    noise = (0.001,)
    ends = [
        rows_of(af.Study(PAPER, forms=(form,), noise=noise, samples=2))["answer"] for form in ("logdomain", "accelerated")
    ]
    # Two forms of one state at one noise: their answers go astray together.
    away = [end - ends[0].mean(axis=0) for end in ends]
    assert np.corrcoef(away[0].ravel(), away[1].ravel())[0, 1] > 0.5


def test_a_condition_without_chance_is_computed_once() -> None:
    rows = rows_of(af.Study(PAPER, samples=4))
    assert rows["error"].tolist() == [rows["error"][0]] * 4
    assert rows["error"][0] < 1e-12


def test_a_mean_over_the_last_quarter_is_better_than_the_last_value() -> None:
    rows = rows_of(af.Study(PAPER, noise=(0.05,), samples=100))
    assert rows["error_time_average"].mean() < 0.6 * rows["error"].mean()
    assert np.isnan(rows["settling_time"]).all()
    assert set(rows["outcome"]) == {"COMPLETED"}


def test_samples_that_run_away_are_data() -> None:
    rows = rows_of(af.Study(PAPER, forms=("replicator",), noise=(0.1,), samples=20))
    gone = rows["outcome"] == "BLEW_UP"
    assert 0 < gone.sum() < 20
    assert np.isnan(rows["error"][gone]).all()
    assert np.isfinite(rows["error"][~gone]).all()
    assert set(rows["reason"][gone]) == {af.Outcome.BLEW_UP.value}
    assert set(rows["reason"][~gone]) == {""}


@pytest.mark.parametrize(
    ("flow", "file", "measure", "largest"),
    [
        ("rate-distortion", "rate_distortion_hamming.json", "error_reproduction", 1e-6),
        ("transport", "transport_three.json", "error_cost", 1e-6),
        ("attention", "attention_three_tokens.json", "error_sphere", 1e-6),
        ("hopfield", "hopfield_rest.json", "error_energy", 1e-6),
        pytest.param("langevin", "langevin_coupled.json", "error_covariance", 0.5, marks=pytest.mark.slow),
        ("hopfield", "hopfield_law.json", "error_covariance", 0.5),
    ],
)
def test_every_family_has_its_measures(flow: str, file: str, measure: str, largest: float) -> None:
    problem = read_problem(flow, DATA / file)
    law = measure == "error_covariance"
    rows = rows_of(af.Study(problem, samples=2, time_constants=300.0 if law else None, verify=not law))
    assert (rows["error"] < largest).all()
    assert (rows[measure] < largest).all()
    assert rows["outcome"].tolist() == (["COMPLETED"] * 2 if law or flow == "attention" else ["SETTLED"] * 2)


def test_equations_of_ones_own() -> None:
    problem = read_problem(str(ROOT / "examples/flows/lotka_volterra.toml"))
    rows = rows_of(af.Study(problem, mismatch=(0.0,), samples=1))
    assert rows["error"][0] < 1e-5
    spoilt = rows_of(af.Study(problem, mismatch=(0.01,), samples=3))
    assert (spoilt["error"] > 1e-4).all()


@pytest.mark.parametrize("together", [True, False])
def test_what_another_package_brings_runs_the_samples_of_its_studies(
    monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    """Both of the samples and of their restarts: neither is handed to the block engine behind its back."""
    ours, ran = engines.ENGINES["block"], []

    def many(circuit, samples, **options):
        ran.append("together")
        return ours.together(circuit, samples, **options)

    def one(deck, **options):
        ran.append("alone")
        return ours.run(deck, **options)

    theirs = engines.Engine("mine", one, netlists=False, together=many if together else None)
    monkeypatch.setitem(engines.ENGINES._entries, "mine", theirs)
    rows = rows_of(af.Study(PAPER, mismatch=(0.01,), samples=2, engine="mine"))
    assert ran == (["together"] * 2 if together else ["alone"] * 4)
    assert rows["outcome"].tolist() == ["SETTLED"] * 2
    assert rows["verdict"].tolist() == ["confirmed"] * 2


def test_samples_that_no_engine_took_together_are_not_restarted_together() -> None:
    circuit = af.compile(af.flows.capacity(PAPER))
    with pytest.raises(BadInput, match="the engine 'vacask' runs one sample after another"):
        af.restart_classes(circuit, af.ensemble(circuit, 2), engine="vacask")


@pytest.mark.slow
@pytest.mark.ngspice
def test_engines_agree_sample_by_sample() -> None:
    studies = [
        af.Study(PAPER, noise=(0.01,), mismatch=(0.01,), imperfections={"offset": [1e-3]}, samples=2, engine=engine)
        for engine in ("block", "ngspice")
    ]
    block, spice = map(rows_of, studies)
    assert spice["answer"] == pytest.approx(block["answer"], abs=1e-4)
    assert spice["error"] == pytest.approx(block["error"], abs=1e-6)
    assert block.keys() == spice.keys()


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_circuit_of_parts_deviates_with_its_temperature() -> None:
    colder, warmer = (
        rows_of(
            af.Study(PAPER, technologies=("opamp",), mismatch=(0.001,), temperature_celsius=(degrees,), engine="ngspice")
        )
        for degrees in (27.0, 60.0)
    )
    assert colder["outcome"][0] == warmer["outcome"][0] == "SETTLED"
    assert not np.allclose(colder["answer"], warmer["answer"], atol=1e-6)


def test_a_simulator_that_breaks_down_costs_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    real = engines.ENGINES["block"]

    def breaks(deck: af.Deck, **keywords: object) -> af.Run:
        if deck.circuit.sample == 1:
            raise af.SimulationFailed("ngspice crashed (SIGSEGV); the next run starts a new process.")
        return real.run(deck, **keywords)

    broken = dataclasses.replace(real, name="ngspice", run=breaks)
    monkeypatch.setattr(engines, "ENGINES", {**engines.ENGINES, "ngspice": broken})
    study = af.Study(PAPER, mismatch=(0.01,), samples=3, engine="ngspice")
    rows = sampling.compute(study.text, Chunk(0, 0, 0, 3))
    assert rows["outcome"].tolist() == ["SETTLED", "FAILED", "SETTLED"]
    assert rows["reason"][1].startswith("ngspice crashed (SIGSEGV)")
    assert np.isnan(rows["error"]).tolist() == [False, True, False]
    assert np.isnan(rows["answer"][1]).all()


def test_planted_support_losses_are_seen_in_a_study() -> None:
    # An input that starts at 0 stays there in the replicator form: the others' optimum is all it finds.
    lost = af.Channel(PAPER.transition, initial=[1e-300, 0.5, 0.5])
    verdicts = {
        form: rows_of(af.Study(lost, forms=(form,), mismatch=(0.001,), samples=4))["verdict"]
        for form in ("replicator", "logdomain")
    }
    assert verdicts["replicator"].tolist() == ["support lost"] * 4
    assert "" not in verdicts["logdomain"]


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_engines_restart_samples_alike(engine: str) -> None:
    study = af.Study(PAPER, mismatch=(0.02,), noise=(0.01,), samples=2, engine=engine, time_constants=60.0)
    assert rows_of(study)["verdict"].tolist() == ["confirmed"] * 2


def test_paths_that_end_have_no_verdict_and_a_study_may_do_without() -> None:
    assert rows_of(af.Study(PAPER, noise=(0.01,), samples=2, verify=False))["verdict"].tolist() == ["", ""]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("apart", "passes", "engine"),
    [
        pytest.param(1e-6, True, "ngspice", marks=pytest.mark.ngspice),
        (1e-4, False, "block"),
        pytest.param(1e-6, True, "block", marks=pytest.mark.slow),
        pytest.param(1e-4, False, "ngspice", marks=[pytest.mark.ngspice, pytest.mark.slow]),
    ],
)
def test_a_sample_that_creeps_fails_where_solve_fails_it(engine: str, apart: float, passes: bool) -> None:
    """Two inputs so alike that their shares creep on and on: the capacity is right long before, or is not yet."""
    channel = af.Channel([[0.8, 0.15, 0.05], [0.8 - apart, 0.15 + apart, 0.05], [0.1, 0.2, 0.7]])
    study = af.Study(channel, samples=1, engine=engine)
    rows, solution = rows_of(study), af.solve(channel, engine=engine)
    assert solution.passed is passes
    assert rows["outcome"][0] == solution.run.outcome.name == "NOT_SETTLED"
    assert ended_badly(rows["outcome"], rows["reason"]).tolist() == [not passes]
    assert rows["reason"][0] == ("" if passes else af.Outcome.NOT_SETTLED.value)
    assert rows["verdict"][0] == ("other optimum" if passes else "not settled")
    assert af.verify(channel, engine=engine).verdict.name == rows["verdict"][0]


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_a_sample_that_stops_far_from_where_it_goes_fails_where_solve_fails_it(engine: str) -> None:
    """It moves by 2e-10 per τ towards a rest that is 1 % away: its energy is right to 2.5e-12 there."""
    slow, weak = 1 - 1e-8, 1 - (1 - 1e-8) ** 2
    problem = af.Hopfield([[slow]], [weak], activation="linear", temperature=0.0, start=[0.99, 0.99 * slow])
    rows = rows_of(af.Study(problem, samples=2, engine=engine, imperfections={"offset": (1e-12,)}))
    verified = af.verify(problem, engine=engine, imperfections=af.Imperfections(offset=1e-12))
    assert verified.solution.run.outcome.name == rows["outcome"][0] == "NOT_SETTLED"
    assert not verified.solution.passed
    assert ended_badly(rows["outcome"], rows["reason"]).all()
    assert rows["verdict"].tolist() == [verified.verdict.name] * 2 == ["not settled"] * 2


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["translinear", "opamp"])
def test_a_sample_of_parts_has_the_verdict_of_verify(technology: str) -> None:
    study = af.Study(PAPER, technologies=(technology,), mismatch=(1e-3,), samples=1, seed=3)
    found = af.verify(PAPER, technology=technology, imperfections=af.Imperfections(mismatch=1e-3), seed=3)
    assert rows_of(study)["verdict"].tolist() == [found.verdict.name] == ["confirmed"]


def test_a_settling_time_does_not_depend_on_the_other_samples() -> None:
    """The band is a millionth of each sample's own size: the largest of a chunk decided for all."""
    times = np.linspace(0.0, 20.0, 401)
    path = np.exp(-times)[None, :, None] * np.array([1.0, 1e6])[:, None, None]
    together = settling_times(times, path[..., 0], SETTLING_BAND * np.array([1.0, 1e6]))
    alone = [float(settling_times(times, path[k, :, 0], SETTLING_BAND * size)) for k, size in enumerate((1.0, 1e6))]
    assert together.tolist() == alone == pytest.approx([np.log(1e6)] * 2, abs=1e-3)


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_a_sample_settles_when_solve_says_that_it_does(engine: str) -> None:
    """To the digits that are printed; solve named the first point of its path within the band, up to 4 % later."""
    rows = rows_of(af.Study(PAPER, engine=engine, verify=False))
    assert rows["settling_time"][0] == pytest.approx(af.solve(PAPER, engine=engine).settling_time, rel=5e-4)


def test_a_sample_settles_alone_as_it_does_beside_larger_ones() -> None:
    """Answers of about 100: from there on the size is the answer's own, and 1 below."""
    problem = af.Equations({"x": 0.0}, {"x": "100 - x"})
    study = af.Study(problem, mismatch=(0.1,), samples=6, time_constants=60.0)
    together = rows_of(study)
    assert together["answer"].min() < 100 < together["answer"].max()
    alone = [sampling.sample_alone(study, study.conditions[0], k)["settling_time"][0] for k in range(6)]
    assert np.isfinite(alone).any()
    assert together["settling_time"] == pytest.approx(alone, rel=1e-6, nan_ok=True)


def test_every_problem_has_a_reference_before_a_study_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def require(problem: object, **_: object) -> None:
        asked.append(problem)
        if len(asked) == 2:
            raise BadInput("the reference knows its law to 0.3 only.")

    monkeypatch.setattr(sampling, "require_reference", require)
    problems = {"first": PAPER, "second": af.Channel([[0.9, 0.1], [0.2, 0.8]])}
    with pytest.raises(BadInput, match=r"problem 'second': the reference knows its law to 0.3 only"):
        sampling.prepare(af.Study(problems))
    assert asked == list(problems.values())


def test_each_sample_is_judged_by_where_its_own_circuit_goes():
    # Samples whose parts deviate rest a percent apart: beside another's place of rest, each would be far from its own.
    lag = af.Equations({"x": 0.0, "y": 1.0}, {"x": "0.5-x", "y": "-y+0.01*x"})
    study = af.Study(lag, mismatch=(0.01,), samples=12, engine="block")
    rows = sampling.compute(study.text, Chunk(0, 0, 0, 12))
    assert np.ptp(rows["answer"]) > 1e-2
    assert set(rows["outcome"]) == {"SETTLED"}


def test_paths_go_as_far_as_the_samples_whose_paths_they_are() -> None:
    study = af.Study(af.Equations({"x": 1.0}, {"x": "-0.05*x"}), samples=1, engine="block")
    end = float(sampling.sample_alone(study, study.conditions[0], 0)["end"][0])
    assert sampling.paths(study, study.conditions[0]).time[-1] == end == 200.0
    quick = af.Study(af.Equations({"x": 1.0}, {"x": "-x"}), samples=1, engine="block")
    assert sampling.paths(quick, quick.conditions[0]).time[-1] == 60.0


def test_noisy_samples_complete_and_a_single_run_is_asked_whether_it_drifts() -> None:
    study = af.Study(PAPER, noise=(0.001,), samples=3, time_constants=3.0, engine="block")
    rows = rows_of(study)
    assert set(rows["outcome"]) == {"COMPLETED"}
    assert set(rows["reason"]) == {""}
    alone = af.solve(PAPER, noise=0.001, time_constants=3.0, engine="block")
    assert alone.run.outcome is af.Outcome.NOT_SETTLED
    page = (ROOT / "docs/studies.md").read_text("utf-8")
    assert '.isin(["SETTLED", "COMPLETED"])' in page


def test_a_sample_that_ends_earlier_is_held_against_where_its_own_run_ended() -> None:
    """`x` rests, sooner or later as its mismatch has it, while `y` goes on: each sample's row is the one it has alone."""
    problem = af.Equations({"x": 0.0, "y": 0.0}, {"x": "1 - x", "y": "0.1"})
    study = af.Study(problem, mismatch=(0.01,), samples=4, seed=2)
    together = rows_of(study)
    assert np.ptp(together["end"]) > 0.1
    assert (together["error"] < 0.1).all()
    for k in range(4):
        alone = sample_alone(study, study.conditions[0], k)
        assert set(alone) == set(together)
        for name, values in alone.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values[0], together[name][k], rtol=1e-6, atol=1e-9)
            else:
                assert values[0] == together[name][k], name


@pytest.mark.parametrize(("flow", "file"), [("langevin", "langevin_double_well.json"), ("hopfield", "hopfield_law.json")])
def test_a_study_of_a_law_sees_the_circuit_and_not_the_dice(flow: str, file: str, tmp_path: Path) -> None:
    """The median rises with the mismatch, is nothing without it, and 1 % is far more than the solver may be off by."""
    study = af.Study(read_problem(flow, DATA / file), mismatch=(0.0, 0.01, 0.1), samples=6)
    results = af.run_study(study, tmp_path / "results", ThreadPoolExecutor(1))
    for name in ("error", "error_covariance"):
        medians = results[name].median("sample").values.ravel()
        off = results[f"sampling_{name}"].median("sample").values.ravel()
        assert medians[0] < 1e-9
        assert 1e-3 < medians[1] < 0.3 * medians[2]
        assert medians[1] > 1e3 * off[1]
    assert set(results["outcome"].values.ravel()) == {"STATIONARY"}
    assert set(results["verdict"].values.ravel()) == {"not applicable"}
    assert np.isnan(results["end"].values).all()
    shown = printed(results)
    assert "laws by" in shown
    assert "too few samples" not in shown


@pytest.mark.slow
def test_a_study_that_is_given_a_time_averages_chains_and_says_what_it_can_not_see(tmp_path: Path) -> None:
    """The mean of this law can not move, for it is symmetric: what is found of it is sampling error."""
    study = af.Study(
        read_problem("langevin", DATA / "langevin_coupled.json"), mismatch=(0.03,), samples=3, time_constants=80.0
    )
    results = af.run_study(study, tmp_path / "results", ThreadPoolExecutor(1))
    assert set(results["method"].values.ravel()) == {"paired chains"}
    assert (results["end"].values == 80.0).all()
    exact = rows_of(af.Study(study.problems["problem"], mismatch=(0.03,), samples=3))
    spread, off = (results[name].values.ravel() for name in ("error_covariance", "sampling_error_covariance"))
    assert (abs(spread - exact["error_covariance"]) < 4.5 * off + 0.1 * exact["error_covariance"]).all()
    summary = summarise(results)
    assert float(summary["longer"].squeeze()) > 1
    shown = printed(results)
    assert "too few samples to see the error" in shown
    assert "times as much" in shown


def test_samples_of_a_law_are_the_same_alone_and_among_others() -> None:
    study = af.Study(read_problem("langevin", DATA / "langevin_double_well.json"), mismatch=(0.02,), samples=4)
    together = rows_of(study)
    alone = sample_alone(study, study.conditions[0], 2, certified=True)
    assert alone["error"][0] == together["error"][2]
    assert alone["passed"].dtype == bool


def test_a_law_that_noise_alone_moves_is_solved_once() -> None:
    rows = rows_of(af.Study(read_problem("hopfield", DATA / "hopfield_law.json"), noise=(0.1,), samples=5))
    assert len(set(rows["error_covariance"])) == 1
    assert rows["error_covariance"][0] > 1e-3
