"""What another package brings, a file and its entry points for each, is taken by every verb; none of our files knows of it.

The package is installed beside us: a family, a technology, another one with parts, an engine and a board.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analogflow import cli

TOYS = sorted(Path(__file__).parent.glob("toy_*.py"))

ENTRY_POINTS = """[analogflow.families]
lock = toy_family:LOCK
riddle = toy_family:UNKNOWN

[analogflow.technologies]
quotients = toy_technology:QUOTIENTS
miller = toy_parts:MILLER

[analogflow.engines]
lsoda = toy_engine:LSODA

[analogflow.boards]
breadboard = toy_board:BREADBOARD
"""

RUN = "--engine block"
VERBS = {
    "solve": f"solve lock toy.json {RUN} --json --figure run.svg --report run.html --certificate toy_c.json",
    "solve with a budget": f"solve lock toy.json {RUN} --json --budget --samples 2 --mismatch 0.01",
    "table": f"solve lock toy.json {RUN}",
    "check": "check toy_c.json --json",
    "verify": f"verify lock toy.json {RUN} --json",
    "compare": "compare lock toy.json --seconds 0.02 --only ideal:tanh --json",
    "list": "compare lock toy.json --list --json",
    "netlist": "netlist lock toy.json -o toy.cir",
    "explain": "explain lock toy.json",
    "draw": "draw lock toy.json -o toy.svg",
    "board": "board lock toy.json --technology opamp -o toy_board",
    "map": "map lock toy.json --board generic --json",
    "curve": f"curve lock toy.json {RUN} --points 2 --json",
    "curve shown": "curve lock toy.json --points 3 --csv toy.csv --figure toy_curve.svg",
    "study": f"study lock toy.json {RUN} -o study --samples 2 --noise 0,0.01 --workers 1 --figures",
    "report": "report study",
    "riddle": f"solve riddle toy.json {RUN} --json",
    "riddle verified": f"verify riddle toy.json {RUN} --json",
    "riddle studied": f"study riddle toy.json {RUN} -o riddles --samples 2 --no-verify",
    "riddle compared": "compare riddle toy.json --json",
    "riddle's netlist": "netlist riddle toy.json -o riddle.cir",
    "unknown": "solve lok toy.json",
}
OF_TECHNOLOGY = {
    "doctor": "doctor",
    "solve": f"solve lock toy.json {RUN} --technology quotients --noise 0.001 --json",
    "verify": f"verify lock toy.json {RUN} --technology quotients --json",
    "compare": "compare lock toy.json --seconds 0.02 --only quotients:tanh --json",
    "netlist": "netlist lock toy.json --technology quotients -o quotients.cir",
    "explain": "explain lock toy.json --technology quotients",
    "draw": "draw lock toy.json --technology quotients -o quotients.svg",
    "study": f"study lock toy.json {RUN} --technology quotients -o quotients --samples 2 --mismatch 0,0.01",
    "report": "report quotients",
}
MILLER = "lock toy.json --technology miller"
DRAWN_OF_PARTS = {
    "explain": f"explain {MILLER}",
    "draw": f"draw {MILLER} -o miller.svg",
    "netlist": f"netlist {MILLER} -o miller.cir --parts-list miller.csv",
}
RUN_OF_PARTS = {
    "solve": f"solve {MILLER} --json --report miller.html",
    "fast": f"solve {MILLER} --parts fast --temperature 60 --mismatch 0.01 --noise 0.001 --json",
    "budget": f"solve {MILLER} --budget --mismatch 0.01 --json",
    "verify": f"verify {MILLER} --json",
    "compare": "compare lock toy.json --seconds 0.02 --only miller:tanh --json",
    "study": f"study {MILLER} -o miller --samples 2 --mismatch 0.01",
    "report": "report miller",
}
OF_ENGINE = {
    "solve": "solve lock toy.json --engine lsoda --json",
    "verify": "verify lock toy.json --engine lsoda --json",
    "agree": "verify lock toy.json --engines block,lsoda --json",
    "study": "study lock toy.json --engine lsoda -o lsoda --samples 2 --mismatch 0,0.01",
    "report": "report lsoda",
}
OF_BOARD = {"map": "map lock toy.json --board breadboard --json", "full": "map lock toy.json --board that --json"}
REFUSED = {
    "an engine without parts": "solve lock toy.json --technology opamp --engine lsoda",
    "a board of ideal elements": f"board {MILLER} -o miller_board",
    "a technology without parts": "solve lock toy.json --technology quotients --parts fast",
    "parts without a simulator": f"solve {MILLER} {RUN}",
    "a budget of parts": f"solve {MILLER} --budget --samples 2 --mismatch 0.01 --noise 0.001",
}
ALL = {
    f"{kind} {verb}": line
    for kind, lines in (
        ("family", VERBS), ("technology", OF_TECHNOLOGY), ("parts", {**DRAWN_OF_PARTS, **RUN_OF_PARTS}),
        ("engine", OF_ENGINE), ("board", OF_BOARD), ("refused", REFUSED),
    )
    for verb, line in lines.items()
}  # fmt: skip

SCRIPT = """
import contextlib, io, json, sys, traceback
from study_zoo import AtOnce
from analogflow.cli import main, studying
found, started = {}, studying._executor
for name, line in json.load(sys.stdin).items():
    # One study has a process of its own, which has to find what is installed too; the others need not wait for one.
    studying._executor = started if "--workers" in line else lambda *_: contextlib.nullcontext(AtOnce())
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(line.split())
        except BaseException:
            code, _ = None, traceback.print_exc()
    found[name] = code, out.getvalue(), err.getvalue()
print(json.dumps(found))
"""


def public():
    """Names that CONTRIBUTING says plug-ins import, by package."""
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, table = text.partition("Names that plug-ins import")
    rows = re.findall(r"^\| `(analogflow\.\w+)` \| (.*) \|$", table.partition("\n## ")[0], re.MULTILINE)
    named = {package: {*re.findall(r"`(\w+)`", names)} for package, names in rows}
    return {
        p: named[p] | ({*importlib.import_module(p).__all__} if names.startswith("all ") else set()) for p, names in rows
    }


def test_no_verb_is_left_out():
    """But for figures of papers, which take no problem."""
    assert {line.split()[0] for line in (*VERBS.values(), OF_TECHNOLOGY["doctor"])} == {*cli.VERBS} - {"reproduce"}


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.stem)
def test_it_imports_what_is_said_to_be_public(toy):
    allowed, found = public(), []
    for node in ast.walk(ast.parse(toy.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("analogflow."):
            package = ".".join(str(node.module).split(".")[:2])
            found += [f"{node.module}.{a.name}" for a in node.names if a.name not in allowed.get(package, ())]
    assert found == []


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    site, place = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("place")
    for toy in TOYS:
        shutil.copy(toy, site)
    info = site / "toys-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (place / "toy.json").write_text(json.dumps({"targets": [0.5, -0.3]}))
    paths = os.pathsep.join(path for path in (str(site), *sys.path) if path)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(ALL), cwd=place, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(run.stdout.splitlines()[-1]), place


@pytest.mark.parametrize("verb", [name for name in VERBS if "riddle" not in name and name != "unknown"])
def test_every_verb_takes_it(said, verb):
    code, out, err = said[0][f"family {verb}"]
    assert code == 0, err
    assert out.strip()
    if "--json" in VERBS[verb]:
        assert json.loads(out)


def test_it_is_certified_by_its_reference(said):
    found = json.loads(said[0]["family solve"][1])
    assert found["answer"]["phase"] == pytest.approx([0.5, -0.3], abs=1e-6)
    names = [check["name"] for check in found["checks"]]
    assert names[-2:] == ["the reference is certain enough", "states agree with the reference"]
    assert json.loads(said[0]["family verify"][1])["restart"]["name"] == "confirmed"
    assert "0.5" in (said[1] / "toy.cir").read_text()


def test_its_curve_is_drawn_and_its_circuits_lie_on_it(said):
    points = json.loads(said[0]["family curve"][1])["points"]
    assert [point["reach"] for point in points] == [0.25, 0.5]
    for point in points:
        assert point["circuit_worth_nats"] == pytest.approx(point["worth_nats"], abs=1e-6)
        assert point["circuit_passed"]
    assert (said[1] / "toy.csv").read_text().startswith("reach,worth_nats,worth_bits,slope_nats,gap_nats\n")


def test_its_errors_are_called_as_it_says(said):
    words = "largest distance of a phase from its target"
    assert words in said[0]["family table"][1]
    drawn = (said[1] / "run.svg").read_text()
    assert all(f"<!-- {line} -->" in drawn for line in ("largest distance of a phase", "from its target"))
    assert words in (said[1] / "study" / "figures" / "yields.svg").read_text()


def test_its_passes_are_explained_in_their_order(said):
    lines = said[0]["technology explain"][1].splitlines()
    names = ["trace", "check", "stabilise", "fuse", "measure", "quotients"]
    rows = [line for line in lines if line.startswith("│") and line.split("│")[1].strip()]
    assert [row.split("│")[1].strip() for row in rows] == names
    assert any("rates of 0.462 per τ at most" in row for row in rows)


def test_without_digital_contenders_its_circuits_are_compared(said):
    names = json.loads(said[0]["family list"][1])["contenders"]
    assert names == ["ideal:tanh", "opamp:tanh", "quotients:tanh", "miller:tanh"]


def test_a_family_without_a_reference_is_solved_and_not_certified(said):
    code, out, _ = said[0]["family riddle"]
    found = json.loads(out)
    assert code == 1
    assert found["answer"]["phase"] == pytest.approx([0.5, -0.3], abs=1e-6)
    assert [(c["name"], c["verdict"]) for c in found["checks"]][-1] == ("the answer is known", "not certified")
    assert said[0]["family riddle verified"][0] == 1
    assert said[0]["family riddle studied"][0] == 0, said[0]["family riddle studied"]
    code, _, err = said[0]["family riddle compared"]
    assert code == 2, (code, err)
    assert "has no reference" in err
    assert said[0]["family riddle's netlist"][0] == 0


def test_its_name_is_known_to_the_command_line(said):
    assert "did you mean lock?" in said[0]["family unknown"][2]


@pytest.mark.parametrize(
    "verb", [name for name in ALL if name.split()[0] in ("technology", "engine") or name == "board map"]
)
def test_every_verb_takes_a_technology_an_engine_and_a_board(said, verb):
    code, out, err = said[0][verb]
    assert code == 0, err
    assert json.loads(out) if "--json" in ALL[verb] else out.strip()


def test_it_is_built_by_the_cells_of_the_technology(said):
    built = (said[1] / "quotients.cir").read_text()
    assert "exp(2*" in built
    assert "= tanh(" not in built
    (row,) = [row for row in json.loads(said[0]["technology compare"][1])["contenders"] if row["name"] == "quotients:tanh"]
    assert row["method"] == "ideal elements without a tanh"


@pytest.mark.parametrize(
    "verb", [*DRAWN_OF_PARTS, *(pytest.param(verb, marks=pytest.mark.ngspice) for verb in RUN_OF_PARTS)]
)
def test_every_verb_takes_a_technology_with_parts(said, verb):
    code, out, err = said[0][f"parts {verb}"]
    assert code == 0, err
    assert json.loads(out) if "--json" in ALL[f"parts {verb}"] else out.strip()


def test_its_parts_are_drawn_and_listed(said):
    assert ".subckt opa2277" in (said[1] / "miller.cir").read_text()
    listed = [line.split(",")[:3] for line in (said[1] / "miller.csv").read_text().splitlines()]
    for entry in (["opa2277", "", "2"], ["capacitor", "10nF", "2"], ["controlled source", "", "6"]):
        assert entry in listed
    drawn = (said[1] / "miller.svg").read_text()
    assert [drawn.count(f'.{kind}"') for kind in ("amplifier", "capacitor", "controlled", "current")] == [2, 2, 6, 2]


@pytest.mark.ngspice
def test_its_parts_are_run_with_what_is_wrong_with_them(said):
    found = json.loads(said[0]["parts solve"][1])
    assert found["answer"]["phase"] == pytest.approx([0.5, -0.3], abs=1e-5)
    fast = json.loads(said[0]["parts fast"][1])
    assert fast["answer"]["phase"] == pytest.approx([0.5, -0.3], abs=0.02)
    assert fast["answer"]["phase"] != pytest.approx([0.5, -0.3], abs=1e-5)
    assert json.loads(said[0]["parts verify"][1])["restart"]["name"] == "confirmed"


def test_it_is_run_by_the_engine(said):
    found = json.loads(said[0]["engine solve"][1])
    assert found["answer"]["phase"] == pytest.approx([0.5, -0.3], abs=1e-6)
    assert found["engine"] == "lsoda"
    assert "scipy" in found["versions"]


def test_the_board_is_one_of_those_that_a_flow_may_fit(said):
    assert json.loads(said[0]["board map"][1])["fits"]
    full = json.loads(said[0]["board full"][1])
    assert not full["fits"]
    assert any("breadboard" in text for text in full["suggestions"])


def test_the_doctor_names_what_another_package_brings(said):
    out = said[0]["technology doctor"][1]
    for line in ("family lock", "technology quotients", "technology miller", "engine lsoda", "board breadboard"):
        assert line in out
    assert "toys 1" in out


def test_what_does_not_go_together_is_refused(said):
    code, _, err = said[0]["refused an engine without parts"]
    assert code == 2
    assert "the lsoda engine integrates equations and knows no parts" in err
    code, _, err = said[0]["refused a technology without parts"]
    assert code == 2
    assert "--parts has no effect in the technology 'quotients'" in err
    code, _, err = said[0]["refused parts without a simulator"]
    assert code == 2
    assert "would ignore what 'miller' is built of" in err
    code, _, err = said[0]["refused a budget of parts"]
    assert code == 2
    assert "this circuit is of parts (miller)" in err
    code, _, err = said[0]["refused a board of ideal elements"]
    assert code == 2
    assert "a board can not hold B" in err
