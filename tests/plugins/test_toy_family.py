"""A family of another package, one file and its entry points, is taken by every verb; none of our files knows of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOY = Path(__file__).with_name("toy_family.py")

ENTRY_POINTS = """[analogflow.families]
lock = toy_family:LOCK
riddle = toy_family:UNKNOWN
"""

RUN = "--engine block"
VERBS = {
    "solve": f"solve lock toy.json {RUN} --json --figure run.svg --report run.html",
    "solve with a budget": f"solve lock toy.json {RUN} --json --budget --samples 2 --mismatch 0.01",
    "verify": f"verify lock toy.json {RUN} --json",
    "compare": "compare lock toy.json --seconds 0.02 --only ideal:tanh --json",
    "list": "compare lock toy.json --list --json",
    "netlist": "netlist lock toy.json -o toy.cir",
    "explain": "explain lock toy.json",
    "draw": "draw lock toy.json -o toy.svg",
    "map": "map lock toy.json --board generic --json",
    "study": f"study lock toy.json {RUN} -o study --samples 2 --noise 0,0.01 --workers 1",
    "report": "report study",
    "riddle": f"solve riddle toy.json {RUN} --json",
    "riddle verified": f"verify riddle toy.json {RUN} --json",
    "riddle studied": f"study riddle toy.json {RUN} -o riddles --samples 2 --no-verify --workers 1",
    "riddle compared": "compare riddle toy.json --json",
    "riddle's netlist": "netlist riddle toy.json -o riddle.cir",
    "unknown": "solve lok toy.json",
}

SCRIPT = """
import contextlib, io, json, sys, traceback
from analogflow.cli import main
found = {}
for name, line in json.load(sys.stdin).items():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(line.split())
        except BaseException:
            code, _ = None, traceback.print_exc()
    found[name] = code, out.getvalue(), err.getvalue()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    site, place = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("place")
    shutil.copy(TOY, site)
    info = site / "toy_family-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-family\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (place / "toy.json").write_text(json.dumps({"targets": [0.5, -0.3]}))
    paths = os.pathsep.join(path for path in (str(site), *sys.path) if path)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(VERBS), cwd=place, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(run.stdout.splitlines()[-1]), place


@pytest.mark.parametrize("verb", [name for name in VERBS if "riddle" not in name and name != "unknown"])
def test_every_verb_takes_it(said, verb):
    code, out, err = said[0][verb]
    assert code == 0, err
    assert out.strip()
    if "--json" in VERBS[verb]:
        assert json.loads(out)


def test_it_is_certified_by_its_reference(said):
    found = json.loads(said[0]["solve"][1])
    assert found["answer"]["phase"] == pytest.approx([0.5, -0.3], abs=1e-6)
    assert [check["name"] for check in found["checks"]][-1] == "states agree with the reference"
    assert json.loads(said[0]["verify"][1])["restart"]["name"] == "confirmed"
    assert "0.5" in (said[1] / "toy.cir").read_text()


def test_without_digital_contenders_its_circuits_are_compared(said):
    names = json.loads(said[0]["list"][1])["contenders"]
    assert names == ["ideal:tanh", "opamp:tanh"]


def test_a_family_without_a_reference_is_solved_and_not_certified(said):
    code, out, _ = said[0]["riddle"]
    found = json.loads(out)
    assert code == 1
    assert found["answer"]["phase"] == pytest.approx([0.5, -0.3], abs=1e-6)
    assert [(c["name"], c["verdict"]) for c in found["checks"]][-1] == ("the answer is known", "not certified")
    assert said[0]["riddle verified"][0] == 1
    assert said[0]["riddle studied"][0] == 0, said[0]["riddle studied"]
    code, _, err = said[0]["riddle compared"]
    assert code == 2, (code, err)
    assert "has no reference" in err
    assert said[0]["riddle's netlist"][0] == 0


def test_its_name_is_known_to_the_command_line(said):
    assert "did you mean lock?" in said[0]["unknown"][2]
