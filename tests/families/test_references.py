"""What a reference refuses is refused before anything is simulated."""

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from analogflow import Channel, Hopfield, Langevin, Study, families, solution, solve
from analogflow.errors import AnalogflowError, BadInput
from analogflow.families import family_of, reference_of, require_reference
from analogflow.families.stationary import known_to
from analogflow.judgement import averaging
from analogflow.report.tables import solution_table
from analogflow.studies import run_study

QUARTIC = Langevin("x**4", ["x"], 1.0)


@pytest.fixture
def nothing_runs(monkeypatch):
    def simulate(*_, **__):
        raise AssertionError("something was simulated")

    monkeypatch.setattr(solution, "simulate", simulate)
    monkeypatch.setattr(averaging, "simulate_chains", simulate)


def answer_with(monkeypatch, problem, reference):
    changed = dataclasses.replace(family_of(problem), reference=reference)
    monkeypatch.setattr(families, "judging_family", lambda _: changed)
    reference_of.cache_clear()


@pytest.mark.usefixtures("nothing_runs")
def test_a_rest_at_the_edge_is_refused(monkeypatch):
    monkeypatch.setattr("analogflow.reference.hopfield._LONGEST", 100.0)
    with pytest.raises(BadInput, match=r"no rest is reached"):
        solve(Hopfield([[1.0]], activation="tanh", start=[1.0, 1.0]), engine="block")


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("problem", [Channel(np.eye(2)), QUARTIC], ids=lambda problem: type(problem).__name__)
def test_whatever_a_reference_says_is_said_before_a_run(problem, monkeypatch):
    def refuse(*_):
        raise AnalogflowError("not known")

    answer_with(monkeypatch, problem, refuse)
    with pytest.raises(AnalogflowError, match="not known"):
        solve(problem, engine="block")


@pytest.mark.usefixtures("nothing_runs")
def test_a_law_that_is_known_too_roughly_is_refused(monkeypatch):
    problem = QUARTIC
    rough = dataclasses.replace(reference_of(problem), mean_gap=np.array([0.1]))
    assert known_to(rough) == pytest.approx(0.1 / 0.33798912**0.5, rel=1e-6)
    answer_with(monkeypatch, problem, lambda *_: rough)
    with pytest.raises(
        BadInput, match=r"the reference knows the law of .* to 0\.17 of its standard deviation only, and 0\.25"
    ):
        solve(problem, engine="block")
    require_reference(problem, accuracy=0.5)


@pytest.mark.usefixtures("nothing_runs")
def test_a_study_without_a_reference_is_refused_before_a_sample(tmp_path, monkeypatch):
    def refuse(*_):
        raise BadInput("no law is known")

    answer_with(monkeypatch, QUARTIC, refuse)
    with pytest.raises(BadInput, match="no law is known"):
        run_study(Study({"quartic": QUARTIC}, samples=2), tmp_path / "study", workers=1)
    assert not (tmp_path / "study").exists()


def test_a_law_without_exact_reference_says_so_where_people_read(monkeypatch):
    """An interval of chains is not called certified; what was sampled is stood for by what is known."""
    sampled = dataclasses.replace(reference_of(QUARTIC), method="chains")
    answer_with(monkeypatch, QUARTIC, lambda *_: sampled)
    found = solve(QUARTIC, engine="block", time_constants=20.0, chains=8, accuracy=1.0)
    assert any(note.startswith("Without exact reference") for note in found.certificate.notes)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(solution_table(found))
    said = console.export_text()
    assert "interval of the reference, which is not exact" in said
    assert "certified" not in said
