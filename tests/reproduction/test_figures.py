"""Figures of the papers: our curves against independent integrations, and the claims that hold and those that do not."""

import csv

import numpy as np
import pytest

from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.report import alt_text, plot_reproduction
from analogflow.reproduction import FIGURES, reproduce


def verdicts(name):
    return {finding.claim: finding.verdict for finding in reproduce(name).findings}


@pytest.mark.parametrize("name", ["capacity-figure-3", "capacity-figure-4", "capacity-figure-5"])
def test_the_paper_on_the_capacity_flow_is_reproduced(name):
    assert set(verdicts(name).values()) == {"agrees"}


def test_slopes_and_rates_of_figure_5():
    found = {finding.claim: finding for finding in reproduce("capacity-figure-5").findings}
    for channel, rate in (("P(1)", -0.1778), ("P(2)", -1.0)):
        assert float(found[f"λ_max of {channel}"].found) == pytest.approx(rate, abs=1e-4)
        assert float(found[f"slope of the distance of {channel}, fitted"].found) == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("rate-distortion")])
def test_printed_formulas_differ_and_corrected_ones_agree(name):
    found = verdicts(name)
    corrected = [verdict for claim, verdict in found.items() if "corrected" in claim]
    printed = [verdict for claim, verdict in found.items() if "as printed" in claim or "printed ≈" in claim]
    assert set(corrected) <= {"agrees"}
    assert set(printed) <= {"differs"}
    assert "differs" in found.values()


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
    assert "agrees" in alt_text(plot_reproduction(reproduce("rate-distortion-figure-8")))
