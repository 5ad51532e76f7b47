"""Channels by name: their rows against formulas written otherwise, and what is refused in one sentence."""

import itertools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

import analogflow as af
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.problems.ready_channels import READY, name_of, parameters_of, ready_table

EXAMPLES = {
    "bsc": "bsc:0.11",
    "bec": "bec:0.3",
    "z": "z:0.2",
    "awgn": "awgn:A=2.5,n=9,power=1.5",
    "poisson": "poisson:peak=10,dark=1,mean=2",
    "pam": "pam:4,snr=10dB",
    "qam": "qam:16,snr=7dB,m=6",
    "rayleigh": "rayleigh:4,snr=8,state=known,m=10,k=4",
}


@pytest.mark.parametrize("name", READY)
def test_every_name_makes_a_channel_and_writes_itself(name: str) -> None:
    channel = Channel.from_name(EXAMPLES[name])
    again = Channel.from_name(channel.model)
    assert again.model == channel.model
    assert again.fingerprint == channel.fingerprint
    assert channel.summary.startswith(channel.model)
    np.testing.assert_allclose(channel.transition.sum(axis=1), 1, atol=1e-12)
    found, values = parameters_of(channel.model)
    assert name_of(found, values) == channel.model


def test_gaussian_intervals_are_integrals_of_the_density() -> None:
    _, table = ready_table("awgn:A=2.5,n=5,m=12")
    edges = np.concatenate([[-math.inf], np.linspace(-5.5, 5.5, 11), [math.inf]])
    for x, row in zip(np.linspace(-2.5, 2.5, 5), table.transition, strict=True):
        exact = [integrate.quad(stats.norm(x, 1).pdf, a, b, epsabs=1e-14)[0] for a, b in itertools.pairwise(edges)]
        np.testing.assert_allclose(row, exact, atol=1e-12)
        assert (row > 0).all()


def test_counts_are_poisson() -> None:
    channel = Channel.from_name("poisson:peak=10,dark=1,n=5")
    light = 10 * np.array([0, 1, 4, 9, 16]) / 16
    for rate, row in zip(light + 1, channel.transition, strict=True):
        np.testing.assert_allclose(row[:-1], stats.poisson(rate).pmf(np.arange(len(row) - 1)), rtol=1e-9, atol=1e-15)
        assert row[-1] == pytest.approx(stats.poisson(rate).sf(len(row) - 2), rel=1e-6)


@pytest.mark.parametrize(("state", "low", "high"), [("unknown", 0.0, math.inf), ("known", 1.0, 2.0)])
def test_faded_intervals_are_integrals_over_amplitude_and_noise(state: str, low: float, high: float) -> None:
    text = f"rayleigh:4,snr=5,state={state},m=8" + (",k=4" if state == "known" else "")
    channel = Channel.from_name(text)
    points = np.arange(-3, 4, 2) * math.sqrt(15 / 15)
    edges = np.linspace(-6, 6, 7)
    block = channel.transition if state == "unknown" else channel.transition[:, 8:16]  # of h from 1 to 2
    for x, row in zip(points, block, strict=True):
        for k in (0, 2, 3, 5):
            a, b = edges[k], edges[k + 1]
            exact = integrate.quad(
                lambda h, a=a, b=b, x=x: 2 * h * math.exp(-h * h) * (stats.norm.cdf(b - h * x) - stats.norm.cdf(a - h * x)),
                low, min(high, 7.0), epsabs=1e-13,
            )[0]  # fmt: skip
            assert row[k + 1] == pytest.approx(exact, abs=1e-11)


def test_what_the_receiver_does_not_know_is_what_it_knows_summed_over_the_fading() -> None:
    known = Channel.from_name("rayleigh:4,snr=5,state=known,m=8,k=4").transition
    unknown = Channel.from_name("rayleigh:4,snr=5,state=unknown,m=8").transition
    np.testing.assert_allclose(known.reshape(4, 4, 8).sum(axis=1), unknown, atol=1e-14)


def test_a_square_of_points_is_two_axes_at_half_the_power() -> None:
    square, line = Channel.from_name("qam:16,snr=9,m=6"), Channel.from_name("pam:4,snr=9,m=6")
    np.testing.assert_allclose(square.transition.sum(axis=1), 1, atol=1e-12)
    first = square.transition.reshape(4, 4, 6, 6).sum(axis=3)
    for k in range(4):
        np.testing.assert_allclose(first[:, k], line.transition, atol=1e-12)
    assert square.cost_limit == pytest.approx(2 * line.cost_limit)


def test_even_points_have_the_power_that_is_asked_for() -> None:
    for text in ("pam:8,snr=10dB", "qam:64,snr=20"):
        channel = Channel.from_name(text)
        assert channel.cost.mean() == pytest.approx(channel.cost_limit, rel=1e-12)
    assert Channel.from_name("pam:4,snr=10dB").cost_limit == pytest.approx(10)
    assert Channel.from_name("pam:4,snr=10dB,limit=none").cost is None
    assert Channel.from_name("pam:2,snr=3").cost is None  # both points cost the same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bcs:0.1", r"no ready channel is called 'bcs'"),
        ("bsc", r"bsc: p must be given, as in bsc:p"),
        ("bsc:", r"bsc: p must be given"),
        ("bsc:2", r"p is '2', and must be a number from 0 to 1"),
        ("bsc:nan", r"p is 'nan', and must be a number from 0 to 1"),
        ("bsc:inf", r"p is 'inf'"),
        ("bsc:1_0", r"p is '1_0'"),
        ("bsc:q=0.1", r"the parameter 'q' is not known. bsc has the parameters p \(a number from 0 to 1\)"),
        ("bsc:0.1,p=0.2", r"the parameter 'p' is given twice"),
        ("bsc:0.1,0.2", r"'0.2' has no name; only the first value goes without one"),
        ("bsc:0.1,", r"'' has no name"),
        ("awgn:n=5", r"awgn: A must be given"),
        ("awgn:2,n=2.5", r"n is '2.5', and must be a whole number from 2 to 1025"),
        ("awgn:2,power=0", r"power is 0, and every input costs 0 or more"),
        ("pam:4,snr=1e4000", r"snr is '1e4000', and must be a ratio, or dB"),
        ("pam:4,snr=5000dB", r"snr is '5000dB'"),
        ("qam:5,snr=1", r"M is 5, and must be a square"),
        ("rayleigh:4,snr=3,state=maybe", r"state is 'maybe', and must be known or unknown"),
        ("rayleigh:4,snr=3,state=unknown,k=3", r"k is of a fading amplitude that is known; leave it out"),
        ("bsc:0.1\n.control\nshell x", r"p is '0.1\\n.control\\nshell x'"),
        ("bsc:" + "9" * 10000, r"p is '9{60}…', and must be"),
        ("", r"no ready channel is called ''"),
    ],
)
def test_a_wrong_name_is_one_sentence_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as found:
        Channel.from_name(text)
    assert "\n" not in str(found.value)


@pytest.mark.slow
def test_the_command_line_takes_names_wherever_it_takes_files(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["solve", "capacity", "bsc:0.11", "--engine", "block", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answer"]["capacity_nats"] == pytest.approx(math.log(2) + 0.11 * math.log(0.11) + 0.89 * math.log(0.89))
    assert main(["netlist", "capacity", "z:0.2", "-o", "z.cir"]) == 0
    assert "z:0.2" not in Path("z.cir").read_text()
    assert main(["explain", "capacity", "pam:2,snr=3"]) == 0
    assert "Before it is made discrete, pam:M=2,snr=3" in " ".join(capsys.readouterr().out.split())
    study = ["study", "capacity", "bsc:0.11", "-o", "runs", "--noise", "0.01", "--samples", "2", "--engine", "block"]
    assert main(study) == 0
    capsys.readouterr()
    assert main(["solve", "capacity", "bsc:9"]) == 2
    assert main(["solve", "capacity", "bsc:0.1", "--transpose"]) == 2
    assert "'bsc:0.1' is a ready channel; leave transpose out" in capsys.readouterr().err
    assert main(["solve", "capacity", "nothing:0.1"]) == 2
    assert "'nothing:0.1' is no file, and no ready channel is called 'nothing'" in capsys.readouterr().err


def test_an_experiment_file_names_channels_and_keeps_them(tmp_path) -> None:
    (tmp_path / "e.toml").write_text('flow = "capacity"\nproblems = ["bsc:0.11", "z:0.2"]\nnoise = [0.01]\nsamples = 2\n')
    from analogflow.studies.experiment import experiment_text, read_experiment

    study = read_experiment(tmp_path / "e.toml")
    (tmp_path / "again.toml").write_text(experiment_text(study))
    assert "bsc:p=0.11" in experiment_text(study)
    assert read_experiment(tmp_path / "again.toml").fingerprint == study.fingerprint


def test_a_file_of_that_name_is_refused_as_ambiguous_and_read_by_its_path(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bsc:0.11").write_text("0.6,0.4\n0.4,0.6\n")
    assert main(["solve", "capacity", "bsc:0.11"]) == 2
    assert "may be the file of that name or a ready channel; write './bsc:0.11' for the file" in capsys.readouterr().err
    assert Channel.from_file(tmp_path / "bsc:0.11").transition[0, 0] == 0.6
    assert main(["solve", "capacity", "./bsc:0.11", "--engine", "block", "--json"]) == 0
    assert Channel.from_file("bsc:p=0.11").transition[0, 0] == 0.89
    Path("awgn").write_text("0.6,0.4\n0.4,0.6\n")  # no channel without its parameters
    assert Channel.from_file("awgn").transition[0, 0] == 0.6


def test_a_model_that_is_not_the_matrix_is_refused() -> None:
    with pytest.raises(BadInput, match=r"bsc:p=0.2 has other probabilities or costs than these; leave model out"):
        Channel([[0.9, 0.1], [0.1, 0.9]], model="bsc:0.2")
    limited = Channel.from_name("pam:4,snr=5")
    with pytest.raises(BadInput, match=r"has other probabilities or costs than these"):
        Channel(limited.transition, cost=limited.cost, cost_limit=2.0, model=limited.model)


@pytest.mark.parametrize("technology", ["ideal", "opamp"])
def test_no_text_of_a_name_reaches_a_netlist(technology: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        deck = af.netlist(
            af.compile(af.flows.capacity(Channel.from_name("pam:4,snr=4,limit=none,m=6")), technology=technology)
        )
    assert "pam:" not in deck.text
    assert "snr" not in deck.text
