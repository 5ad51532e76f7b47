"""The command line: what goes to which stream, with which exit code, and what a person can do wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from zoo import PAPER_CSV

import analogflow
from analogflow.cli import main
from analogflow.passes import run_passes
from analogflow.simulators.ngspice.session import default_session


@pytest.fixture
def channel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    return "p.csv"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_what_no_verb_is_needed_for_loads_none(arguments):
    code = "import sys; from analogflow.__main__ import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "analogflow" in run.stdout
    assert not {"numpy", "analogflow.cli.solving"} & {*run.stderr.split()}


def test_solve_prints_one_json_object_and_nothing_else(channel, capsys):
    assert main(["solve", "capacity", channel, "--engine", "block", "--seed", "3", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["flow"] == "capacity"
    assert out["form"] == "logdomain"
    assert out["engine"] == "block"
    assert out["evaluator"] in ("compiled", "numpy")
    assert out["seed"] == 3
    assert out["settled"] is True
    assert out["answer"]["capacity_nats"] == pytest.approx(0.252343625741, abs=1e-9)
    assert len(out["answer"]["input_distribution"]) == 3
    assert out["reference"]["gap"] <= 1e-12
    assert out["errors"]["simplex"] < 1e-9
    assert {"name", "passed", "detail", "verdict"} == set(out["checks"][0])
    assert set(out["state"]) == {"u"}
    assert {"analogflow", "numpy", "python"} <= set(out["versions"])


def test_solve_prints_a_table(channel, capsys):
    assert main(["solve", "capacity", channel, "--engine", "block", "--figure", "z.svg"]) == 0
    out = capsys.readouterr().out
    assert "0.252343625" in out
    assert "settling time" in out
    assert os.path.exists("z.svg")


def test_printed_form_is_not_settled(channel, capsys):
    assert main(["solve", "capacity", channel, "--engine", "block", "--form", "printed", "--json"]) == 1
    out = json.loads(capsys.readouterr().out)
    assert out["settled"] is False
    assert out["settling_time"] is None
    failed = [check for check in out["checks"] if not check["passed"]]
    assert any("manifold" in check["detail"] for check in failed)


def test_netlist_is_written_and_never_overwritten(channel, capsys):
    assert main(["netlist", "capacity", channel, "-o", "a.cir"]) == 0
    first = Path("a.cir").read_text()
    assert main(["netlist", "capacity", channel, "-o", "a.cir", "--form", "replicator"]) == 2
    assert "exists already; give --force" in capsys.readouterr().err
    assert Path("a.cir").read_text() == first
    assert main(["netlist", "capacity", channel, "-o", "a.cir", "--force"]) == 0
    assert Path("a.cir").read_text() == first


@pytest.mark.ngspice
@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised"])
def test_netlist_runs_alone_and_prints_its_answer(channel, form):
    assert main(["netlist", "capacity", channel, "-o", "a.cir", "--form", form, "--time", "120"]) == 0
    done = subprocess.run(["ngspice", "-b", "-n", "a.cir"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    found = re.search(r"answer_capacity_nats = ([0-9.e+-]+)", done.stdout)
    assert float(found[1]) == pytest.approx(0.252343625741, abs=1e-9)


@pytest.mark.ngspice
def test_netlist_of_the_printed_form_says_that_it_stopped_early(channel):
    assert main(["netlist", "capacity", channel, "-o", "a.cir", "--form", "printed", "--time", "120"]) == 0
    done = subprocess.run(["ngspice", "-b", "-n", "a.cir"], capture_output=True, text=True, timeout=60)
    assert "the simulation stopped before its end" in done.stdout or "0.4734" in done.stdout or "4.734" in done.stdout


def test_explain_and_draw(channel, capsys):
    assert main(["explain", "capacity", channel]) == 0
    out = capsys.readouterr().out
    assert "stabilise" in out
    assert "q = P.T @ z" in out
    assert main(["draw", "capacity", channel, "-o", "a.svg"]) == 0
    assert "<svg" in Path("a.svg").read_text()


BAD = {
    "is not known; did you mean capacity": ["solve", "capasity", "p.csv"],
    "form 'polar' of the capacity flow is not known": ["solve", "capacity", "p.csv", "--form", "polar"],
    "technology 'vacuum' is not known": ["solve", "capacity", "p.csv", "--technology", "vacuum"],
    "engine 'spectre' is not known": ["solve", "capacity", "p.csv", "--engine", "spectre"],
    "'none.csv' does not exist": ["solve", "capacity", "none.csv"],
    "is not a positive number": ["solve", "capacity", "p.csv", "--time", "-1"],
    "--seed: 'x' is not a whole number": ["solve", "capacity", "p.csv", "--seed", "x"],
    "--temperature: 'x' is not a number": ["solve", "capacity", "p.csv", "--temperature", "x"],
    "--mismatch: 'x' is not a number": ["study", "capacity", "p.csv", "--mismatch", "0.1,x"],
    "'nowhere' is not a directory": [
        "netlist",
        "capacity",
        "p.csv",
        "--technology",
        "opamp",
        "-o",
        "a.cir",
        "--parts-list",
        "nowhere/b.csv",
    ],
    "unrecognized arguments: --report": ["verify", "capacity", "p.csv", "--report", "a.html"],
    "unrecognized arguments: --technology": ["map", "capacity", "p.csv", "--technology", "opamp"],
    "leave out --figure, or --engines": ["verify", "capacity", "p.csv", "--engines", "block,ngspice", "--figure", "a.svg"],
    "leave out --seconds": ["compare", "capacity", "--scaling", "--seconds", "1"],
    "required: VERB": [],
    "invalid choice: 'slove'": ["slove"],
    "can not be written": ["netlist", "capacity", "p.csv", "-o", "nowhere/a.cir"],
    "a figure must end in": ["draw", "capacity", "p.csv", "-o", "a.bmp"],
    "not a directory": ["solve", "capacity", "p.csv", "--figure", "nowhere/a.svg"],
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_input_is_one_sentence_exit_2_and_nothing_written(channel, capsys, reason):
    before = sorted(os.listdir())
    assert main(BAD[reason]) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(os.listdir()) == before


def test_missing_library_is_exit_3_with_the_remedy(channel, capsys, monkeypatch):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", os.path.abspath(channel))
    default_session().close()  # one that an earlier test left has its library already
    for arguments in (["solve", "capacity", channel, "--engine", "ngspice"], ["doctor"]):
        assert main(arguments) == 3
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert "NGSPICE_LIBRARY_PATH" in " ".join((said.out + said.err).split())
    assert "mend or unset NGSPICE_LIBRARY_PATH" in " ".join(said.out.replace("│", " ").split())


@pytest.mark.ngspice
def test_doctor_finds_everything(capsys):
    assert main(["doctor"]) == 0
    assert "default engine" in capsys.readouterr().out


def test_version_and_help_are_there():
    for argument in ("--version", "--help"):
        done = subprocess.run([sys.executable, "-m", "analogflow", argument], capture_output=True, text=True)
        assert done.returncode == 0
        assert done.stdout.strip()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(channel, capsys):
    answers = []
    for seed in ("5", "5", "6"):
        arguments = [
            "solve",
            "capacity",
            channel,
            "--engine",
            "block",
            "--noise",
            "0.01",
            "--mismatch",
            "0.01",
            "--time",
            "3",
        ]
        main([*arguments, "--seed", seed, "--json"])
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
    assert answers[0]["answer"] != answers[2]["answer"]
    assert answers[0]["noise"] == 0.01
    assert answers[0]["imperfections"] == {"mismatch": 0.01}


@pytest.mark.ngspice
def test_noise_and_imperfections_reach_ngspice_as_they_reach_the_block_engine(channel, capsys):
    answers = []
    for engine in ("ngspice", "block"):
        arguments = ["solve", "capacity", channel, "--noise", "40dB", "--imperfect", "offset=1e-3", "--time", "20", "--json"]
        assert main([*arguments, "--engine", engine]) == 0
        answers.append(json.loads(capsys.readouterr().out)["answer"]["input_distribution"])
    assert answers[0] == pytest.approx(answers[1], abs=1e-3)
    assert answers[0] != pytest.approx([0.3645015452, 0.4168658487, 0.2186326061], abs=1e-4)


def test_solve_prints_an_error_budget(channel, capsys):
    arguments = ["solve", "capacity", channel, "--engine", "block", "--imperfect", "offset=1e-3", "--noise", "1e-3"]
    assert main([*arguments, "--budget", "--samples", "8"]) == 0
    out = capsys.readouterr().out
    assert "each effect alone" in out
    assert "all effects, each block alone" in out
    assert main([*arguments, "--budget", "--samples", "4", "--json"]) == 0
    budget = json.loads(capsys.readouterr().out)["budget"]
    assert [line["cause"] for line in budget["effects"]] == ["offset", "noise", "all"]
    assert set(budget["effects"][0]["measured"]) == {"loss", "reading", "answer", "bits"}


@pytest.mark.parametrize(
    "line",
    [
        "solve capacity p.csv --engine block --mismatch 0.01 --noise 1e-3 --budget --samples 2 --report run.html",
        "solve capacity p.csv --engine block --noise 5e-9V/rtHz",
        "netlist capacity p.csv --technology opamp --noise 1e-3 --mismatch 0.01 -o p.cir --parts-list parts.csv",
        "explain capacity p.csv --technology opamp",
        "draw capacity p.csv -o p.svg",
    ],
)
def test_a_verb_compiles_once(channel, monkeypatch, line):
    compiled = []

    def counted(passes, brief):
        compiled.extend([] if brief.circuit else [brief.build])  # with a circuit, conditions are brought in and no more
        return run_passes(passes, brief)

    monkeypatch.setattr("analogflow.compiler.run_passes", counted)
    assert main(line.split()) == 0
    assert len(compiled) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--noise", "-1"], "sigma is -1.0; give a number"),
        (["--noise", "loud"], "'loud' is none of 0.01"),
        (["--seed", "nan"], "--seed: 'nan' is not a whole number"),
        (["--seed", "-3"], "--seed: '-3' is not a whole number"),
        (["--mismatch", "2"], "mismatch is 2.0, but must be a relative σ from 0 to 0.3"),
        (["--imperfect", "colour=1"], "'colour' is not known; known are: gain_error"),
        (["--imperfect", "offset"], "give NAME=NUMBER, such as offset=1e-3"),
        (["--imperfect", "offset=-1"], "offset is -1.0"),
        (["--noise", "-10dB"], "(one that begins with - is given as --noise=VALUE)"),
        (["--noise=-1000000dB"], "an SNR of -1000000.0 dB"),
        (["--mismatch", "0.1", "--imperfect", "mismatch=0.2"], "mismatch is given twice"),
        (["--budget"], "nothing is imperfect, so nothing costs anything"),
        (["--budget", "--samples", "0", "--mismatch", "0.01"], "'0' is not a whole number from 1"),
        (["--accuracy", "0"], "'0' is not a positive number"),
        (["--samples", "5"], "--samples is of the budget's circuits; give --budget too"),
        (["--temperature", "50"], "--temperature has no effect in the technology 'ideal', which has no parts"),
        (["--parts", "fast"], "--parts has no effect in the technology 'ideal', which has no parts"),
        (["--delay-fraction", "0.05"], "--delay-fraction has no effect in the technology 'ideal', which chooses its time"),
        (["--delay-fraction", "much"], "--delay-fraction: 'much' is not a number"),
        (["--form", ""], "--form: '' is no name"),
    ],
)
def test_conditions_out_of_range_are_one_sentence(channel, capsys, options, message):
    assert main(["solve", "capacity", channel, "--engine", "block", *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert captured.err.count("\n") == 1


@pytest.mark.ngspice
def test_a_noisy_netlist_runs_alone_from_any_folder(channel, tmp_path):
    assert main(["netlist", "capacity", channel, "-o", "deck.cir", "--noise", "0.02", "--seed", "3", "--time", "20"]) == 0
    tables = sorted(path.name for path in tmp_path.glob("noise-*.txt"))
    assert len(tables) == 1
    done = subprocess.run(
        ["ngspice", "-b", "-n", str(tmp_path / "deck.cir")], cwd="/", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    alone = [float(x) for x in re.findall(r"answer_z_\d = (\S+)", done.stdout)]
    solution = analogflow.solve(
        analogflow.Channel.from_csv(channel), noise=0.02, seed=3, time_constants=20, engine="block", accuracy=1.0
    )
    assert alone == pytest.approx(solution.certificate.answer["input_distribution"], abs=1e-3)
    assert max(alone) != pytest.approx(0.4168658487, abs=1e-4)


def test_netlists_with_different_noise_keep_it_apart(channel, tmp_path):
    for seed in ("3", "4", "3"):
        assert main(["netlist", "capacity", channel, "-o", f"{seed}.cir", "--noise", "0.02", "--seed", seed, "--force"]) == 0
    assert len(list(tmp_path.glob("noise-*.txt"))) == 2


def test_a_run_too_short_to_judge_is_not_settled(channel, capsys):
    assert main(["solve", "capacity", channel, "--engine", "block", "--noise", "0.01", "--time", "0.1"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_two_seeds_are_one_too_many():
    with pytest.raises(analogflow.BadInput, match=r"seed: 7 is not the seed of the noise, 5"):
        analogflow.solve(analogflow.Channel([[0.9, 0.1], [0.2, 0.8]]), noise=analogflow.Noise(0.1, seed=5), seed=7)
