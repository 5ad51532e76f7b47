"""Random problems of every family, circuit against reference: a few of the many of the benchmark."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAMILIES = ("capacity", "rate-distortion", "transport", "attention", "hopfield, rest")


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield runpy.run_path(str(ROOT / "benchmarks/random_problems.py"))
    sys.modules.pop("tables", None)


@pytest.mark.parametrize("family", FAMILIES)
def test_circuits_agree_with_references(benchmark, family):
    found = [benchmark["solved"](family, "block", number, stream=1) for number in range(6)]
    assert [one for one in found if one["end"] == "disagrees"] == []
    assert sum(one["end"] == "agrees" for one in found) >= 5


@pytest.mark.ngspice
@pytest.mark.parametrize("family", FAMILIES)
def test_ngspice_agrees_with_references(benchmark, family):
    found = [benchmark["solved"](family, "ngspice", number, stream=2) for number in range(2)]
    assert [one for one in found if one["end"] == "disagrees"] == []
