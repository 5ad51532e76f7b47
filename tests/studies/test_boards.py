"""Studies of boards that are trimmed: their samples are the boards of `trim`, and are resumed to the same bytes."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_zoo import AtOnce
from zoo import PAPER

import analogflow as af
from analogflow.cli import main
from analogflow.compiler import circuit_of
from analogflow.judgement.trimming import trim
from analogflow.report.study_tables import study_table
from analogflow.studies import Progress, Study, run_study, sampling
from analogflow.studies.experiment import experiment_text, read_experiment

EXAMPLE = "examples/data/paper_channel.csv"
TRIMMED = {"technologies": ("translinear",), "samples": 2, "seed": 3, "trim": 2, "verify": False}


def errors(dataset: Any) -> Any:
    return dataset["error_input_distribution"].squeeze().values


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("chunks/*.npz")}


@pytest.mark.ngspice
def test_samples_are_the_boards_that_are_trimmed_and_then_warmed(tmp_path):
    """Answers of `trim` itself, at both temperatures; untrimmed boards of the same draw lie where it found them before."""
    study = Study(PAPER, **TRIMMED, temperature_celsius=(27.0, 70.0))
    found = errors(run_study(study, tmp_path / "a", AtOnce()))
    untouched = Study(PAPER, **(TRIMMED | {"trim": 0}))
    before = errors(run_study(untouched, tmp_path / "b", AtOnce()))
    circuit = circuit_of(PAPER, technology="translinear", seed=3)
    for sample in range(2):
        told = trim(circuit, count=2, seed=3, sample=sample, temperatures_celsius=(70.0,))
        expected = [abs(error).max() for error in told.after.values()]
        np.testing.assert_allclose(found[:, sample], expected, rtol=0, atol=2e-6)
        np.testing.assert_allclose(before[sample], abs(next(iter(told.before.values()))).max(), rtol=0, atol=2e-6)
    assert found[0].max() < 1e-3 < 1e-2 < before.min()


@pytest.mark.ngspice
def test_a_study_of_boards_that_is_stopped_is_resumed_to_the_same_bytes(tmp_path):
    """Whoever goes on has set no trimmer yet: what was remembered is forgotten in between."""
    from analogflow.studies import boards

    study = Study(PAPER, **(TRIMMED | {"samples": 5}), temperature_celsius=(27.0, 0.0))

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path / "a", AtOnce(), on_progress=stop)
    done = hashes(tmp_path / "a")
    assert 0 < len(done) < len(study.chunks)
    boards._trimmers.cache_clear()
    run_study(study, tmp_path / "a", AtOnce(), resume=True)
    boards._trimmers.cache_clear()
    run_study(study, tmp_path / "b", AtOnce())
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b") != done


@pytest.mark.ngspice
def test_one_sample_alone_is_that_of_its_study(tmp_path, capsys):
    study = Study(PAPER, **(TRIMMED | {"samples": 1}), temperature_celsius=(70.0,))
    found = errors(run_study(study, tmp_path / "a", AtOnce()))
    alone = sampling.sample_alone(study, study.conditions[0], 0, certified=True)
    assert alone["error_input_distribution"][0] == found
    assert alone["passed"][0]
    shown = str(study_table(af.open_study(tmp_path / "a")).caption)
    assert "drawn boards, trimmers: 2, set at 27 °C" in shown
    assert main(["study", "--repeat", str(tmp_path / "a"), "0", "0"]) == 0
    assert "passed" in capsys.readouterr().out


def test_a_run_that_breaks_down_while_a_board_is_trimmed_is_data(monkeypatch):
    def broken(*args: object, **named: object) -> None:
        raise af.SimulationFailed("no solution was found")

    monkeypatch.setattr("analogflow.studies.boards.trim", broken)
    monkeypatch.setattr("analogflow.studies.boards.aim_of", lambda *args, **named: None)
    study = Study(PAPER, **TRIMMED)
    rows = sampling.sample_alone(study, study.conditions[0], 1)
    assert rows["outcome"].tolist() == ["FAILED"]
    assert rows["reason"].tolist() == ["no solution was found"]
    assert np.isnan(rows["answer"]).all()


@pytest.mark.parametrize("asked", [2, 0, "all"])
def test_an_experiment_file_says_how_boards_are_trimmed(tmp_path, asked):
    study = Study(PAPER, **(TRIMMED | {"trim": asked}))
    (tmp_path / "e.toml").write_text(experiment_text(study), encoding="utf-8")
    again = read_experiment(tmp_path / "e.toml")
    assert again.trim == asked
    assert again.fingerprint == study.fingerprint
    assert Study(PAPER, **(TRIMMED | {"trim": None})).fingerprint != study.fingerprint


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"trim": -1}, "trim is -1; give a whole number of trimmers from 0, or 'all'"),
        ({"trim": "some"}, "trim is 'some'"),
        ({"trim": True}, "trim is True"),
        ({"technologies": ("ideal",)}, "'ideal' has no parts to trim"),
        ({"noise": (0.0, 0.01)}, "leave noise out"),
        ({"mismatch": (0.01,)}, "leave mismatch out"),
    ],
)
def test_what_no_board_is_trimmed_for_is_refused_when_the_study_is_made(changed, said):
    with pytest.raises(af.BadInput, match=said):
        Study(PAPER, **(TRIMMED | changed))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["capacity", EXAMPLE, "--technology", "translinear", "--trim", "4"], "the circuit has 3 integrators to trim"),
        (["attention", "examples/data/attention_three_tokens.json", "--technology", "opamp", "--trim"], "circuit rests"),
    ],
)
def test_what_can_not_be_trimmed_is_refused_before_a_sample_runs(words, said, tmp_path, capsys):
    assert main(["study", *words, "--samples", "1", "-o", str(tmp_path / "a")]) == 2
    assert said in capsys.readouterr().err
