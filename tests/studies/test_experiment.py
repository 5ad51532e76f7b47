"""Experiment files: read, written, and what in them is refused."""

from pathlib import Path

import numpy as np
import pytest

import analogflow as af
from analogflow.cli import main
from analogflow.families.files import read_problem
from analogflow.studies import read_experiment, write_experiment

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples/data"


def written(folder: Path, text: str) -> Path:
    (folder / "paper_channel.csv").write_bytes((DATA / "paper_channel.csv").read_bytes())
    path = folder / "experiment.toml"
    path.write_text(text)
    return path


def test_an_experiment_names_files_beside_it(tmp_path: Path) -> None:
    text = """
flow = "capacity"
problems = "paper_channel.csv"
forms = ["logdomain", "replicator"]
noise = [0.001, "40dB"]
samples = 7
[imperfections]
offset = [0.001, 0.01]
bandwidth = 1e5
"""
    study = read_experiment(written(tmp_path, text))
    assert list(study.problems) == ["paper_channel"]
    assert study.forms == ("logdomain", "replicator")
    assert study.imperfections == {"offset": (0.001, 0.01), "bandwidth": (1e5,)}
    assert len(study.conditions) == 8


@pytest.mark.parametrize(
    ("flow", "file"),
    [
        ("capacity", DATA / "paper_channel.csv"),
        ("rate-distortion", DATA / "rate_distortion_hamming.json"),
        ("transport", DATA / "transport_cooling.json"),
        ("attention", DATA / "attention_three_tokens.json"),
        ("hopfield", DATA / "hopfield_law.json"),
        ("langevin", DATA / "langevin_coupled.json"),
        (str(ROOT / "examples/flows/lotka_volterra.toml"), None),
        (str(ROOT / "examples/flows/kuramoto_ring.toml"), None),
    ],
)
def test_a_study_that_is_written_is_read_back_equal(flow: str, file: Path | None, tmp_path: Path) -> None:
    study = af.Study(
        {"a problem": read_problem(flow, file)}, noise=(0.0, 0.01), samples=3, imperfections={"dc_gain": [1e3]}, seed=5
    )
    path = write_experiment(study, tmp_path / "e.toml")
    assert read_experiment(path).fingerprint == study.fingerprint
    with pytest.raises(af.BadInput, match="exists already"):
        write_experiment(study, path)


def test_a_rate_distortion_source_of_thirds_keeps_its_digits(tmp_path: Path) -> None:
    problem = af.RateDistortion([1 / 3, 1 / 3, 1 / 3], [[0, 1], [1, 0], [1, 1]], 2.0)
    study = af.Study(problem)
    assert read_experiment(write_experiment(study, tmp_path / "e.toml")).fingerprint == study.fingerprint


def test_equations_are_named_by_their_file(tmp_path: Path) -> None:
    (tmp_path / "lotka.toml").write_bytes((ROOT / "examples/flows/lotka_volterra.toml").read_bytes())
    study = read_experiment(written(tmp_path, 'flow = "lotka.toml"\nsamples = 2\n'))
    assert list(study.problems) == ["lotka"]


REFUSED = {
    "a list for a name": ('technologies = [["ideal"]]', r"technologies has \['ideal'\], which is not a name"),
    "a list for an engine": ('engine = ["block"]', r"engine \['block'\] is not known"),
    "a text for a number": ('stop = {ratio = "x"}', "ratio is 'x'; give a number"),
    "an unknown key": ("noize = 0.1", "unknown key 'noize'; did you mean noise?"),
    "a key far from any": ("zebra = 1", "unknown key 'zebra'; known are: flow"),
    "no TOML": ("noise = [", "can not be parsed"),
    "parts without parts": ('parts = "fast"', "the ideal technology has no parts"),
    "a limit for the block engine": ("time_limit = 5", "it stops circuit simulators alone"),
    "a list of imperfections": ("imperfections = [1]", "give a table of names"),
    "a bad value": ("noise = [-1]", "sigma is -1"),
    "an imperfection that is a dimension": ("imperfections = {mismatch = 0.1}", "dimension of its own"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_contradicts_itself_is_refused(name: str, tmp_path: Path) -> None:
    line, sentence = REFUSED[name]
    path = written(tmp_path, f'flow = "capacity"\nproblems = "paper_channel.csv"\nsamples = 3\n{line}\n')
    with pytest.raises(af.BadInput, match=sentence) as caught:
        read_experiment(path)
    assert "experiment.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('problems = "paper_channel.csv"\nsamples = 1', "flow is None"),
        ('flow = "capacity"\nsamples = 1', "'problems' is missing"),
        ('flow = "capacity"\nproblems = "paper_channel.csv"', "samples is missing"),
        ('flow = "capacity"\nsamples = 1\nproblems = ["paper_channel.csv", "./paper_channel.csv"]', "one name"),
        ('flow = "capacity"\nsamples = 1\nproblems = {a = 3}', "neither a file nor a table"),
        ('flow = "capacity"\nsamples = 1\nproblems = 5', "5 is neither a file nor a table"),
        ('flow = "capacity"\nsamples = 1\nproblems = {a = {transition = [[1]], x = 1}}', "unknown key 'x'"),
        ('flow = "capacity"\nsamples = 1\nproblems = "missing.csv"', "missing.csv"),
    ],
)
def test_what_is_needed_is_asked_for(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(af.BadInput, match=sentence):
        read_experiment(written(tmp_path, text))


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(af.BadInput, match="none"):
        read_experiment(tmp_path / "none.toml")


def test_tables_are_read_as_the_file_says(tmp_path: Path) -> None:
    channel = np.array([[0.9, 0.1], [0.2, 0.8]])
    np.savez(tmp_path / "two.npz", P=10 * channel.T, Q=np.eye(2))
    every = 'flow = "capacity"\nproblems = "two.npz"\nkey = "P"\ntranspose = true\nnormalise = true\nsamples = 1'
    alone = (
        'flow = "capacity"\nsamples = 1\nkey = "Q"\nproblems.plain = "two.npz"\n'
        'problems.turned = {file = "two.npz", key = "P", transpose = true, normalise = true}'
    )
    with pytest.warns(af.AssumptionWarning, match="divided"):
        study = read_experiment(written(tmp_path, every))
    np.testing.assert_allclose(study.problems["two"].transition, channel)
    with pytest.warns(af.AssumptionWarning):
        study = read_experiment(written(tmp_path, alone))
    np.testing.assert_allclose(study.problems["turned"].transition, channel)
    np.testing.assert_allclose(study.problems["plain"].transition, np.eye(2))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('problems = "two.npz"\nkey = 1', "key is 1; give a name"),
        ('problems = "two.npz"\ntranspose = "yes"', "transpose is 'yes'; give true or false"),
        ('problems.a = {file = "two.npz", keys = "P"}', "unknown key 'keys' beside 'file'; did you mean key"),
        ('problems = "two.npz"\nkey = "R"', "'R'"),
        ("problems.a = {file = 3}", "3 is neither a file nor a table"),
    ],
)
def test_how_a_table_is_read_is_checked(line: str, sentence: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", P=np.eye(2), Q=np.eye(2))
    with pytest.raises(af.BadInput, match=sentence):
        read_experiment(written(tmp_path, f'flow = "capacity"\nsamples = 1\n{line}'))


def test_the_command_line_says_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "two.npz", P=np.array([[0.9, 0.2], [0.1, 0.8]]), Q=np.eye(2))
    words = ["study", "capacity", str(tmp_path / "two.npz"), "--samples", "1", "--workers", "1", "-o", str(tmp_path / "out")]
    assert main([*words, "--key", "P", "--transpose"]) == 0
    experiment = written(tmp_path, 'flow = "capacity"\nsamples = 1\nproblems = "two.npz"\nkey = "P"')
    assert main(["study", str(experiment), "--transpose", "-o", str(tmp_path / "other")]) == 2
    assert "--transpose contradicts the experiment file" in capsys.readouterr().err
