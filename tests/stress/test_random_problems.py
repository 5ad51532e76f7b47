"""Random problems of every family, circuit against reference: a few, or many with ``--slow``."""

import pytest
from stress.random_problems import FAMILIES, solved

QUICK = ("capacity", "rate-distortion", "transport", "attention", "hopfield, rest")


@pytest.mark.few(3)
@pytest.mark.parametrize("family", QUICK)
def test_circuits_agree_with_references(family):
    found = [solved(family, "block", number, stream=1) for number in range(6)]
    assert [one for one in found if one["end"] == "disagrees"] == []
    assert sum(one["end"] == "agrees" for one in found) >= 5


@pytest.mark.ngspice
@pytest.mark.parametrize("family", QUICK)
def test_ngspice_agrees_with_references(family):
    found = [solved(family, "ngspice", number, stream=2) for number in range(2)]
    assert [one for one in found if one["end"] == "disagrees"] == []


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("family", FAMILIES)
def test_many_circuits_agree_with_references(family):
    """Nine in ten agree; of laws whose samples are too few to tell, none is wrong."""
    count = FAMILIES[family].block // 10
    found = [solved(family, "block", number) for number in range(count)]
    assert [one for one in found if one["end"] == "disagrees"] == []
    assert sum(one["end"].startswith("agrees") for one in found) >= 0.9 * count


@pytest.mark.ngspice
@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("family", FAMILIES)
def test_ngspice_agrees_with_references_in_many(family):
    count = FAMILIES[family].ngspice // 5
    found = [solved(family, "ngspice", number) for number in range(count)]
    assert [one for one in found if one["end"] == "disagrees"] == []
