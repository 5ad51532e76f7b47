"""Every verb for every problem, form, technology and engine: a result or a refusal in one sentence, never a traceback.

The matrix is made from the registries, with fewer engines where there are parts; what a registry has and the matrix has not
fails. Without ``--slow`` every family, problem, form and verb run on ideal blocks in the block engine, and every technology
draws; other problems than the first of a family are solved, checked and written in its first form.
"""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from problem_zoo import PROBLEMS, forms
from study_zoo import AtOnce

from analogflow.cli import VERBS, main, studying
from analogflow.families import FAMILIES
from analogflow.families.files import problem_of_keys
from analogflow.simulators import ENGINES
from analogflow.technology import TECHNOLOGIES

SHOWING = ("netlist", "explain", "draw", "board", "map")
RUNNING = ("solve", "check", "verify", "budget", "compare", "curve", "study with noise", "study with mismatch", "report")
VERBS_OF_PROBLEMS = (*SHOWING, *RUNNING)


def cells():
    for family, problems in PROBLEMS.items():
        for name, keys in problems.items():
            own = forms(family, problem_of_keys(family, keys, name))
            for form in own:
                for technology in TECHNOLOGIES:
                    for engine in ENGINES:
                        for verb in VERBS_OF_PROBLEMS:
                            yield family, name, form, technology, engine, verb, form == own[0]


COSTLY = ("budget", "compare", "curve", "report", "study with mismatch", "study with noise")
LONG = {("hopfield", "law"), ("hopfield", "law of a saturating network")}
"""Problems whose runs are long; what only shows their circuits takes no run."""


def cell(family, name, form, technology, engine, verb, first):
    single = name == next(iter(PROBLEMS[family]))
    ideal = technology == "ideal" and (first or verb in SHOWING or verb == "solve") and (single or verb not in COSTLY)
    near = engine == "block" and (ideal or (first and single and verb in ("draw", "board")))
    brief = (family, name) not in LONG or verb in SHOWING
    # Families of one file add no verb's code: each is solved, and its certificate checked; all else of them waits.
    own = bool(FAMILIES[family].example) and (verb not in ("solve", "check", "netlist") or technology != "ideal")
    quick = near and brief and not own and (single or (first and verb in ("solve", "check", "netlist")))
    # What only shows a circuit has no engine, and comparing chooses forms, technologies and engines itself.
    idle = (engine != "block" and verb in SHOWING) or (
        verb in ("map", "compare") and (technology, engine) != ("ideal", "block")
    )
    # Every two of problem, form, technology, engine and verb meet; not every five.
    met = {
        "block": technology == "ideal" or first,
        "ngspice": first and (single or technology == "ideal"),
        "vacask": first and single and technology != "translinear",
    }
    if idle or not met[engine] or (verb == "compare" and not first):
        return None
    marks = [] if quick else [pytest.mark.slow] if near and not own else [pytest.mark.slow, pytest.mark.sweep]
    marks += [getattr(pytest.mark, engine)] if engine in ("ngspice", "vacask") else []
    return pytest.param(
        family, name, form, technology, engine, verb, marks=marks, id=f"{family}-{name}-{form}-{technology}-{engine}-{verb}"
    )


CELLS = [made for made in (cell(*place) for place in cells()) if made is not None]


def commands(family, path, form, technology, engine, verb):
    """Command lines, the last of which is judged."""
    flow = [str(path)] if family == "custom" else [family, str(path)]
    chosen = ["--form", form, "--technology", technology]
    run = [*chosen, "--engine", engine]
    study = ["study", *flow, *run, "-o", "study", "--samples", "2", "--time", "3"]
    return {
        "solve": [["solve", *flow, *run, "--json"]],
        "check": [["solve", *flow, *run, "--certificate", "c.json"], ["check", "c.json", "--json"]],
        "verify": [["verify", *flow, *run, "--json", "--noise", "0.01", "--time", "5"]],
        "budget": [["solve", *flow, *run, "--json", "--budget", "--samples", "2", "--mismatch", "0.01", "--time", "5"]],
        "compare": [["compare", *flow, "--seconds", "0.02", "--accuracy", "0.05", "--json"]],
        "curve": [["curve", *flow, *run, "--json", "--points", "2", "--time", "5"]],
        "netlist": [["netlist", *flow, *chosen, "-o", "a.cir", "--noise", "0.01", "--mismatch", "0.01"]],
        "explain": [["explain", *flow, *chosen]],
        "draw": [["draw", *flow, *chosen, "-o", "a.svg"]],
        "board": [["board", *flow, *chosen, "-o", "board"]],
        "map": [["map", *flow, "--form", form, "--json"]],
        "study with noise": [[*study, "--noise", "0,0.01"]],
        "study with mismatch": [[*study, "--mismatch", "0.01"]],
        "report": [[*study, "--noise", "0.01"], ["report", "study"]],
    }[verb]


@pytest.mark.parametrize(("family", "name", "form", "technology", "engine", "verb"), CELLS)
def test_every_cell_ends_with_a_result_or_a_sentence(
    family, name, form, technology, engine, verb, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studying, "_executor", lambda *_: contextlib.nullcontext(AtOnce()))
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(PROBLEMS[family][name]))
    *before, command = commands(family, path, form, technology, engine, verb)
    for earlier in before:
        main(earlier)
    capsys.readouterr()
    code = main(command)
    out, err = capsys.readouterr()
    assert code in (0, 1, 2), err
    if code == 2:
        said = [line for line in err.splitlines() if not line.startswith("\r")]
        assert len(said) == 1, err
        assert re.match(r"analogflow: .*\.$", said[0]), err
        assert len(said[0]) < 1000
        assert "Traceback" not in err
    elif "--json" in command and out:
        assert json.loads(out)
    else:
        assert out.strip() or (code == 1 and re.search(r"analogflow: .*\.$", err)), err


def test_every_family_technology_and_verb_has_a_place():
    assert set(PROBLEMS) == set(FAMILIES)
    assert {"ngspice", "vacask", "block"} == set(ENGINES)
    named = {verb.partition(" ")[0] for verb in VERBS_OF_PROBLEMS}
    # `doctor` and `reproduce` take no problem; a budget is an option of `solve`.
    assert set(VERBS) - {"doctor", "reproduce"} == named - {"budget"}
