"""The studies of examples/studies, in small: they run, and their scripts say of them what the documentation shows."""

import dataclasses
import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import analogflow as af
from analogflow.studies import read_experiment

FOLDER = Path(__file__).parents[2] / "examples/studies"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(FOLDER)])


def run(study: af.Study, folder: Path):
    return af.run_study(study, folder / "results", ThreadPoolExecutor(1))


@pytest.mark.slow
def test_forms_of_the_capacity_flow(tmp_path: Path) -> None:
    script = importlib.import_module("capacity_forms")
    whole = read_experiment(script.EXPERIMENT)
    interior = {"interior": whole.problems["interior"]}
    small = dataclasses.replace(
        whole, problems=interior, samples=8, noise=(0.001, 0.00316, 0.01, 0.1, 0.5), time_constants=60.0
    )
    dataset = run(small, tmp_path)
    rows = script.tolerated(small, dataset)
    assert [row[1] for row in rows] == ["logdomain", "replicator", "normalised"]
    assert float(rows[0][2]) > 2 * float(rows[1][2])  # the log-domain form tolerates more, in flow units
    ratios = [float(cell.split(" ")[0]) for cell in script.advantage(dataset)[0][2:]]
    assert 3 < ratios[0] < 30  # the square of three inputs


@pytest.mark.slow
def test_schedules_that_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = importlib.import_module("transport_pause")
    monkeypatch.setattr(script, "PROBLEMS", 1)
    some = {name: script.SCHEDULES[name] for name in ("exponential, rate 3", "rate 3, pauses at k_safe 0.2")}
    monkeypatch.setattr(script, "SCHEDULES", some)
    small = dataclasses.replace(script.the_study(), forms=("potential",), samples=1, noise=(0.0,))
    rows = {row[0]: float(row[3]) for row in script.success(run(small, tmp_path))}
    assert rows["rate 3, pauses at k_safe 0.2"] < rows["exponential, rate 3"]


def test_laws_of_a_hopfield_circuit(tmp_path: Path) -> None:
    script = importlib.import_module("hopfield_temperature")
    small = dataclasses.replace(read_experiment(script.EXPERIMENT), samples=4, mismatch=(0.0, 0.03))
    rows = script.laws(small, run(small, tmp_path))
    assert len(rows) == 6
    still, moved = ([float(row[3].split(" ")[0]) for row in rows if row[1] == delta] for delta in ("0", "0.03"))
    assert max(still) < 1e-12
    assert moved == pytest.approx([moved[0]] * 3, rel=1e-2)  # as the covariance is, its error is proportional to T
    assert moved[0] > 1e-2
    assert max(float(row[4]) for row in rows) < 1e-12
