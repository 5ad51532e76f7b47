"""Whoever thinks in bits reads them beside every number of nats."""

import io
import math

import pytest
from rich.console import Console

import analogflow as af
from analogflow.report import solution_table
from analogflow.report.bits import beside_nats, said_in_nats
from analogflow.report.comparison import comparison_tables

CROSSOVER = 0.11


def text_of(table) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


@pytest.fixture(scope="module")
def channel():
    return af.Channel([[1 - CROSSOVER, CROSSOVER], [CROSSOVER, 1 - CROSSOVER]])


def test_a_solution_shows_its_answer_and_errors_in_bits_too(channel):
    """The capacity of a symmetric channel in bits is 1 − H₂ by definition."""
    bits = 1 + sum(p * math.log2(p) for p in (CROSSOVER, 1 - CROSSOVER))
    shown = text_of(solution_table(af.solve(channel, engine="block")))
    assert shown.count(f"nat = {bits:.9f} bit") == 2
    gap = next(line for line in shown.splitlines() if "certified gap of the reference" in line)
    assert "bit" in gap


def test_a_comparison_says_what_its_accuracy_is_in_bits(channel):
    found = af.compare(channel, accuracy=1e-3, only=["blahut-arimoto"])
    assert "at 0.001 nat (1 nat = 1.4427 bit)" in " ".join(str(comparison_tables(found)[0].title).split())


def test_what_is_no_nat_is_left_alone():
    assert said_in_nats("V") == "V"
    assert beside_nats(math.log(2), ".3f") == "nat = 1.000 bit"
