"""Every shipped example in every technology, by default: it passes, or is refused in one sentence before anything runs."""

from pathlib import Path

import pytest

from analogflow.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
FAMILY = {
    "attention_heads.json": "attention",
    "attention_three_tokens.json": "attention",
    "compound_channel_two.json": "compound-channel",
    "drifting_channel_z.json": "drifting-channel",
    "drifting_transport_two.json": "drifting-transport",
    "eigenvectors_two.json": "eigenvectors",
    "hopfield_law.json": "hopfield",
    "hopfield_patterns.json": "hopfield",
    "hopfield_rest.json": "hopfield",
    "hopfield_softmax.json": "hopfield",
    "information_bottleneck_three.json": "information-bottleneck",
    "ising_programme_four.json": "ising-programme",
    "langevin_coupled.json": "langevin",
    "langevin_double_well.json": "langevin",
    "linear_system_least_squares.json": "linear-system",
    "multiple_access_adder.json": "multiple-access",
    "paper_channel.csv": "capacity",
    "quadratic_programme_bounds.json": "quadratic-programme",
    "rate_distortion_hamming.json": "rate-distortion",
    "transport_cooling.json": "transport",
    "transport_three.json": "transport",
    "wyner_ziv_symmetric.json": "wyner-ziv",
}
FEW = {"langevin_double_well.json"}
"""Laws whose document says that a default run has too few samples to tell."""

LAWS = {"hopfield_law.json", "langevin_coupled.json", "langevin_double_well.json"}
CASES = [
    (given, technology)
    for given in (*sorted(path.name for path in (EXAMPLES / "data").iterdir()),
                  *sorted(path.name for path in (EXAMPLES / "flows").glob("*.toml")))
    for technology in ("ideal", "opamp", "translinear")
]  # fmt: skip


def solved(given, technology, engine, capsys):
    words = [FAMILY[given], str(EXAMPLES / "data" / given)] if given in FAMILY else [str(EXAMPLES / "flows" / given)]
    code = main(["solve", *words, "--technology", technology, "--engine", engine])
    said = capsys.readouterr()
    if code == 2:
        assert not said.out
        assert said.err.startswith("analogflow: ")
        assert said.err.strip().endswith(".")
        assert len(said.err.strip().splitlines()) == 1
    elif code == 1 and (given in FEW or (given in LAWS and technology == "opamp")):
        assert "too few" in said.out
        assert "failed" not in said.out
    else:
        assert code == 0, said.out + said.err
    return code


def test_every_example_is_tried():
    assert set(FAMILY) <= {given for given, _ in CASES}
    assert all(given in FAMILY or given.endswith(".toml") for given, _ in CASES)


@pytest.mark.parametrize(("given", "technology"), [case for case in CASES if case[0] not in LAWS])
def test_an_example_works_on_the_block_engine_or_is_refused(given, technology, capsys):
    assert solved(given, technology, "block", capsys) == 0 or technology != "ideal"


@pytest.mark.slow
@pytest.mark.parametrize(("given", "technology"), [case for case in CASES if case[0] in LAWS])
def test_the_law_of_an_example_is_told_on_the_block_engine_or_refused(given, technology, capsys):
    assert solved(given, technology, "block", capsys) in ({0, 1} if technology == "ideal" else {0, 1, 2})


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize(("given", "technology"), CASES)
def test_an_example_works_in_ngspice_or_is_refused(given, technology, capsys):
    solved(given, technology, "ngspice", capsys)
