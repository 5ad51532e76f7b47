"""The verb study: its tables, exit codes, and what is said to a person."""

import contextlib
import csv
from pathlib import Path

import pytest
from study_zoo import AtOnce
from zoo import PAPER_CSV

import analogflow as af
from analogflow.cli import main
from analogflow.studies import Stop, failed_samples
from analogflow.studies.statistics import stop_for_yield
from analogflow.studies.statistics.stopping import Looks
from analogflow.studies.store import read_manifest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a channel; samples are computed in this process, for others are tested in `studies/test_runner.py`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("analogflow.studies.runner.local_workers", lambda count: contextlib.nullcontext(AtOnce()))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    return tmp_path


def test_a_study_is_run_refused_and_resumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "study",
        "capacity",
        "p.csv",
        "-o",
        "out",
        "--noise",
        "0.01,40dB",
        "--samples",
        "5",
        "--seed",
        "3",
        "--workers",
        "1",
    ]
    assert main([*command, "--time", "10", "--export", "out.csv"]) == 0
    said = capsys.readouterr()
    assert "2 conditions × 5 samples, block engine, seed 3" in said.out
    assert "verdicts" in said.out
    assert said.err == ""
    assert (folder / "out.csv").read_text().count("\n") == 11
    assert main([*command, "--time", "10"]) == 2
    assert "holds this study already; give --resume" in capsys.readouterr().err
    assert main([*command, "--time", "10", "--resume"]) == 0
    assert main([*command, "--time", "11", "--resume"]) == 2
    assert "holds another study" in capsys.readouterr().err


def test_samples_that_fail_are_said_with_how_to_repeat_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["study", "capacity", "p.csv", "-o", "out", "--form", "replicator", "--noise", "0.3", "--samples", "5"]
    assert main([*command, "--workers", "1"]) == 1
    said = capsys.readouterr()
    assert "condition 0, sample 0: A state ran away" in said.err
    assert "Repeat it alone: analogflow study --repeat out 0 0" in said.err
    assert "2 further samples failed; 'out/failures.csv' lists all, with their reasons and commands" in said.err
    with (folder / "out/failures.csv").open(encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    assert [(row["condition"], row["sample"], row["noise"]) for row in listed] == [("0", str(k), "0.3") for k in range(5)]
    assert listed[4]["command"] == "analogflow study --repeat out 0 4"
    assert all(row["reason"].startswith("A state ran away") for row in listed)
    assert main(["study", "--repeat", "out", "0", "0"]) == 1
    assert "BLEW_UP" in capsys.readouterr().out


def test_a_repeated_sample_fails_where_solve_of_its_circuit_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = ["study", "capacity", "p.csv", "-o", "out", "--mismatch", "0.001,0.3", "--samples", "1", "--workers", "1"]
    assert main([*study, "--noise", "0", "--no-verify"]) == 0  # a sample that ran to its end is a result, right or wrong
    solve = ["solve", "capacity", "p.csv", "--engine", "block", "--mismatch"]
    found = [(main(["study", "--repeat", "out", str(k), "0"]), main([*solve, m])) for k, m in enumerate(["0.001", "0.3"])]
    assert found == [(0, 0), (1, 1)]
    capsys.readouterr()


def test_samples_that_creep_by_a_right_answer_are_no_failures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "alike.csv").write_text("0.8,0.15,0.05\n0.799999,0.150001,0.05\n0.1,0.2,0.7\n")
    command = ["study", "capacity", "alike.csv", "-o", "out", "--samples", "2", "--workers", "1", "--no-verify"]
    assert main([*command, "--limit", "1e-6"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert not (folder / "out/failures.csv").exists()
    dataset = af.open_study("out")
    assert set(dataset["outcome"].values.ravel()) == {"NOT_SETTLED"}
    assert not failed_samples(dataset).any()
    assert main(["study", "--repeat", "out", "0", "1"]) == 0
    seen = []
    af.run_study(read_manifest("out")[0], "out", AtOnce(), on_progress=seen.append)
    assert (seen[-1].done, seen[-1].failed) == (2, 0)


@pytest.mark.ngspice
def test_a_run_that_takes_too_long_costs_its_sample(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "study capacity p.csv -o out --engine ngspice --samples 2 --mismatch 0.01 --time 20000".split()
    assert main([*command, "--time-limit", "0.001", "--workers", "1"]) == 1
    assert "did not finish within the time limit of 0.001 s" in capsys.readouterr().err
    dataset = af.open_study("out")
    assert set(dataset["outcome"].values.ravel()) == {"FAILED"}
    assert bool(dataset["z"].isnull().all())


def test_a_study_stops_where_its_yield_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["study", "capacity", "p.csv", "-o", "out", "--noise", "0.01,0.1", "--mismatch", "0.05", "--time", "30"]
    command += ["--samples", "2000", "--limit", "0.01", "--stop-width", "0.05", "--workers", "1", "--no-verify"]
    assert main(command) == 0
    assert "yield % at 0.01" in capsys.readouterr().out
    dataset = af.open_study("out")
    run = (dataset["outcome"] != "").sum("sample").values.ravel()
    assert (run < 2000).all()
    assert dataset.attrs["complete"] == 1
    looks = Stop(limit=0.01, half_width=0.05).plan(2000).sizes
    assert set(run.tolist()) <= set(looks)
    for count, errors in zip(run, dataset["error"].values.reshape(2, -1), strict=True):
        found = stop_for_yield(errors[:count], Looks(looks), limit=0.01, half_width=0.05)
        assert found.met
        assert found.samples == count  # the first look that was narrow enough


@pytest.mark.slow
def test_figures_are_drawn_into_the_study(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["study", "capacity", "p.csv", "-o", "out", "--form", "replicator,logdomain", "--noise", "0.01,0.1"]
    command += ["--mismatch", "0,0.1", "--samples", "20", "--limit", "0.01", "--figures", "--workers", "1"]
    assert main(command) == 1
    drawn = {path.stem for path in (folder / "out" / "figures").glob("*.svg")}
    assert {"quantiles", "yields", "tolerance", "histogram", "paths", "phases-not-settled-replicator"} <= drawn
    assert main([*command, "--resume"]) == 1  # drawn anew
    assert "out/figures/paths.svg" in capsys.readouterr().out


def test_an_experiment_file_is_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "e.toml").write_text(
        'flow = "capacity"\nproblems = "p.csv"\nnoise = [0.01]\nsamples = 3\ntime_constants = 5\n'
    )
    assert main(["study", "e.toml", "-o", "out", "--workers", "1"]) == 0
    assert af.open_study("out").sizes["sample"] == 3
    assert main(["study", "e.toml", "-o", "out", "--samples", "4"]) == 2
    assert "--samples contradicts the experiment file" in capsys.readouterr().err
    assert main(["study", "missing.toml", "--samples", "5", "-o", "out"]) == 2
    assert "'missing.toml' does not exist" in capsys.readouterr().err


REFUSED = {
    "samples in another notation": (["capacity", "p.csv", "-o", "out", "--samples", "1e3"], "not a whole number from 1"),
    "a seed that is none": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--seed", "1.5"], "number from 0"),
    "a scheduler without address": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--dask="], "no scheduler"),
    "more than any memory holds": (["capacity", "p.csv", "-o", "out", "--samples", "100000000000"], "more than 100000000"),
    "parts of ideal elements": (
        ["capacity", "p.csv", "-o", "out", "--samples", "3", "--parts", "precision"],
        "parts has no effect",
    ),
    "no flow": ([], "there is no flow"),
    "no directory": (["capacity", "p.csv", "--samples", "3"], "-o is missing"),
    "no samples": (["capacity", "p.csv", "-o", "out"], "samples is missing"),
    "two places": (
        ["capacity", "p.csv", "-o", "out", "--samples", "3", "--workers", "2", "--dask", "tcp://a:1"],
        "one of them",
    ),
    "no number": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--mismatch", "a"], "argument --mismatch"),
    "noise in words": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--noise", "loud"], "'loud' is none of"),
    "an effect without value": (
        ["capacity", "p.csv", "-o", "out", "--samples", "3", "--imperfect", "offset"],
        "NAME=NUMBER",
    ),
    "an effect twice": (
        ["capacity", "p.csv", "-o", "out", "--samples", "3", "--imperfect", "dc_gain=9", "--imperfect", "dc_gain=8"],
        "given twice",
    ),
    "an existing export": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--export", "p.csv"], "exists already"),
    "an export of another kind": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--export", "a.xls"], "endings"),
    "an export elsewhere": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--export", "no/a.nc"], "no directory"),
    "a stop without a limit": (
        ["capacity", "p.csv", "-o", "out", "--samples", "3", "--stop-width", "0.1"],
        "say within which error",
    ),
    "two stops": (
        ["capacity", "p.csv", "-o", "out", "--samples", "3", "--limit", "1", "--stop-width", "0.1", "--stop-ratio", "2"],
        "one of them",
    ),
    "a stop at no factor": (["capacity", "p.csv", "-o", "out", "--samples", "3", "--stop-ratio", "0.5"], "above 1"),
    "a missing experiment": (["e.toml", "-o", "out"], "e.toml"),
    "a repeat with more": (["--repeat", "out", "0", "0", "--samples", "3"], "leave --samples out"),
    "a repeat of words": (["--repeat", "out", "a", "0"], "whole numbers"),
    "a repeat of nothing": (["--repeat", "out", "0", "0"], "holds no study"),
    "a file as directory": (["capacity", "p.csv", "-o", "p.csv", "--samples", "3"], "is a file"),
    "a directory of other things": (["capacity", "p.csv", "-o", ".", "--samples", "3"], "holds no study"),
}


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_sentence(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, sentence = REFUSED[name]
    before = contents(folder)
    try:
        code = main(["study", *arguments])
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert contents(folder) == before
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert said.err.count("\n") == 1


HOPF = """
time = 60.0
[states]
x = 0.3
y = 0.0
[constants]
mu = 0.5
[equations]
x = "mu * x - y - x * (x ** 2 + y ** 2)"
y = "x + mu * y - y * (x ** 2 + y ** 2)"
"""


@pytest.mark.slow
def test_a_constant_is_swept_and_its_diagram_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hopf.toml").write_text(HOPF)
    command = ["study", "hopf.toml", "-o", "out", "--sweep", "mu=-0.5:1:4", "--certify", "2", "--workers", "1"]
    assert main([*command, "--figures", "--export", "out.csv"]) == 0
    said = capsys.readouterr()
    assert "against the reference: 2 passed, 2 not asked" in said.out
    assert "figures: out/figures/bifurcation-mu.svg" in said.out
    lines = [line for line in said.out.splitlines() if "periodic" in line]
    assert len(lines) == 1
    assert "0.5 to 1" in lines[0]
    assert "6.283" in lines[0]
    drawn = (folder / "out/figures/bifurcation-mu.svg").read_text(encoding="utf-8")
    assert "Bifurcation diagram: maxima of x against mu from -0.5 to 1, 4 runs: 1 rest, 1 transient, 2 periodic" in drawn
    with (folder / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mu"]) for row in rows] == [-0.5, 0.0, 0.5, 1.0]
    assert float(rows[2]["maxima_0"]) == pytest.approx(0.5**0.5, abs=1e-5)
    assert main(["report", "out"]) == 0
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "2 passed, 2 not asked" in page
    assert "Bifurcation diagram" in page
    capsys.readouterr()
    assert main(["study", "--repeat", "out", "3", "0"]) == 0
    assert "periodic" in capsys.readouterr().out


@pytest.mark.slow
def test_a_sweep_that_is_wrong_somewhere_ends_with_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hopf.toml").write_text(HOPF)
    command = ["study", "hopf.toml", "-o", "out", "--sweep", "mu=0.5,1", "--mismatch", "0.2", "--workers", "1"]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "2 failed" in said.out
    assert "2 points of the sweep differ from the reference" in said.err
    assert main(["report", "out"]) == 0
    assert "2 differ from the reference" in (folder / "out/report.html").read_text(encoding="utf-8")


def test_a_sweep_over_values_where_the_flow_blows_up_says_which(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "away.toml").write_text(
        'time = 5.0\n[states]\nx = 1.0\n[constants]\na = 0.5\n[equations]\nx = "a * x ** 2 - 1"\n'
    )
    assert main(["study", "away.toml", "-o", "out", "--sweep", "a=0.5,2", "--workers", "1", "--figures"]) == 1
    said = capsys.readouterr()
    assert "condition 1, sample 0: A state ran away" in said.err
    assert "1 passed" in said.out
    assert "failed" in said.out


@pytest.mark.slow
def test_a_swept_flow_that_swings_without_a_time_has_not_settled(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hopf.toml").write_text(HOPF.replace("time = 60.0", ""))
    assert main(["study", "hopf.toml", "-o", "out", "--sweep", "mu=-0.5,0.5", "--workers", "1", "--no-verify"]) == 1
    said = capsys.readouterr()
    assert "condition 1, sample 0: The state still moves at the end of the run: give it more time" in said.err
    assert "condition 0" not in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sweep", "q=0:1:3"], "'q' is neither a constant nor a state; there are mu, x, y"),
        (["--sweep", "mu=1:1:5"], "the range '1:1:5' is empty; give two different ends"),
        (["--sweep", "mu=0:1:0"], "the range '0:1:0' is empty"),
        (["--sweep", "mu"], "sweep 'mu': give NAME=FIRST:LAST:COUNT"),
        (["--sweep", "mu=a:b:c"], "'a:b:c' is no range"),
        (["--sweep", "mu=1,2", "--sweep", "mu=3"], "mu is given twice"),
        (["--certify", "3", "--samples", "1"], "certify has no effect without a sweep"),
    ],
)
def test_what_can_not_be_swept_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    (folder / "hopf.toml").write_text(HOPF)
    assert main(["study", "hopf.toml", "-o", "out", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()
