"""Figures of the papers: our curves against independent integrations, and the claims that hold and those that do not."""

import csv

import numpy as np
import pytest
from figure_zoo import curve, found, line

from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.papers import FIGURES, reproduce
from analogflow.papers.drawing import plot_reproduction
from analogflow.papers.result import AGREES, ERRATUM
from analogflow.report import alt_text


@pytest.mark.parametrize("name", ["capacity-figure-3", "capacity-figure-4", "capacity-figure-5"])
def test_the_paper_on_the_capacity_flow_is_reproduced(name):
    assert {one.verdict for one in found(name).lines} == {AGREES}


def test_the_optimum_of_figure_3_is_not_the_end_of_a_run():
    best = line("capacity-figure-3", "optimal input of P(1)")
    np.testing.assert_allclose(best.found, [0.3645015452, 0.4168658487, 0.2186326061], atol=1e-10)
    assert best.tolerance == 5e-5


@pytest.mark.parametrize(("channel", "rate"), [("P(1)", -0.1778), ("P(2)", -1.0)])
def test_slopes_and_rates_of_figure_5(channel, rate):
    assert line("capacity-figure-5", f"λ_max of {channel}").found == pytest.approx(rate, abs=5e-5)
    assert line("capacity-figure-5", f"distance on {channel}, fitted").found == pytest.approx(rate, rel=0.002)


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("rate-distortion")])
def test_what_is_wrong_in_the_paper_on_the_blahut_arimoto_flow_is_found(name):
    assert ERRATUM in {one.verdict for one in found(name).lines}


def test_the_printed_flow_with_side_information_is_drawn_as_such():
    right = curve("rate-distortion-figure-8", "variance equation, β = 2", "ρ = 0.8")
    printed = curve("rate-distortion-figure-8", "variance equation, β = 2", "ρ = 0.8, printed (no −I(Y; U))")
    assert right.x[np.flatnonzero(np.diff(np.sign(right.y)))[-1]] == pytest.approx(0.55, abs=0.02)
    assert (printed.y[1:] < 0).all()  # no code at all
    assert printed.style != right.style


def test_the_printed_gap_of_two_points_stands_beside_the_right_one():
    right = curve("rate-distortion-figure-5", "over the source", "βd = 2")
    printed = curve("rate-distortion-figure-5", "over the source", "βd = 2, printed")
    middle = abs(printed.x - 0.5).argmin()
    assert printed.y[middle] == pytest.approx(0.5 * np.tanh(1) ** 2)
    assert right.y[abs(right.x - 0.5).argmin()] == pytest.approx(np.tanh(1) ** 2)


def test_the_command_writes_figure_data_and_findings(tmp_path, capsys):
    command = ["reproduce", "rate-distortion-figure-8", "-o", str(tmp_path / "out")]
    assert main(command) == 0
    text = (tmp_path / "out/rate-distortion-figure-8.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["panel", "curve", "x", "y"]
    assert np.isfinite([float(row[3]) for row in rows[1:]]).all()
    assert "paper says" in (tmp_path / "out/rate-distortion-figure-8.md").read_text(encoding="utf-8")
    assert main(command) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    capsys.readouterr()
    assert main(["reproduce", "--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(FIGURES)
    assert all(line.endswith(".") and len(line.split()) > 2 for line in listed)  # each says what it shows


def test_bad_input_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["reproduce", "capacity-figure-33", "-o", str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()
    capsys.readouterr()
    file = str(tmp_path / "file")
    for arguments in (["capacity-figure-33", "-o", "x"], ["capacity-figure-3"], ["capacity-figure-3", "-o", file]):
        assert main(["reproduce", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(BadInput, match=r"did you mean capacity-figure-3"):
        reproduce("capacity-figure-33")


def test_every_figure_has_a_text():
    assert AGREES in alt_text(plot_reproduction(reproduce("rate-distortion-figure-8")))
