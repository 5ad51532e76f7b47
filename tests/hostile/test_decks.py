"""A netlist is executable text: whatever users write, it holds their words in comments alone."""

import contextlib
import json
import linecache
import re

import numpy as np
import pytest
from hostile_zoo import PROBLEMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import analogflow as af
from analogflow.cli import main
from analogflow.families import FAMILIES
from analogflow.families.files import problem_of_keys
from analogflow.netlister.verilog_a import write_bench, write_verilog_a
from analogflow.netlister.verilog_modules import HEADER

MARK = "PWNED"
PLANTED = (
    "\n.control\nshell touch PWNED\n.endc\n",
    "x\r\n.include PWNED",
    "\u2028.include PWNED\x85\x0b.lib PWNED\x0c",
    "*#shell touch PWNED",
    '"; load "PWNED',
    "PWNED\\",
    '`PWNED`\n`include "PWNED"\n',
    "$(PWNED) {PWNED} ${PWNED} ; PWNED $ PWNED // PWNED */ PWNED",
    "PWNED",
    "x.PWNED",
    "рwned PWNED",  # a Cyrillic letter
)
PIECES = st.sampled_from([*PLANTED, "\n", "\r", "\t", "\\", "*#", ".", "'", '"', "+", "//", "x", " "])
HOSTILE = st.sampled_from(PLANTED) | st.lists(PIECES, min_size=1, max_size=4).map("".join).map(lambda text: text + MARK)
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

CARDS = re.compile(
    r"\* .*|[ABCDGIQRSVX]\w* [\w. +\-*/(),<>=?:{}]*|"
    r"\.(?:model|subckt|ends|options|ic|temp|save|tran|end)\b[\w .+\-*/()=:,{}]*"
)
PLAYERS = re.compile(
    r"anoise_player\d+ %vd\(\[[\w ]+\]\)\) noise_player\d+|"
    r'\.model noise_player\d+ filesource\(file="noise-[0-9a-f]+\.txt"[\w .+\-=\[\]]*'
)
"""Noise is played from a file whose name is a digest."""
COMMANDS = re.compile(r"(?:set|let|print|if|echo|end|run|quit|meas)\b[\w .+\-*/()=<>\[\],:]*")


def fault_of_spice(text):
    """What is no comment and no line of the known kinds in a SPICE deck; None if there is no such line."""
    script = None
    for line in text.split("\n")[:-1]:
        if line in (".control", ".endc"):
            if (line == ".control") != (script is None):
                return line
            script = line == ".control"
        elif (
            not line.isascii() or not line.isprintable() or (MARK in line and not line.startswith("* ")) or line[-1] == "\\"
        ):
            return line
        elif not (COMMANDS if script else CARDS).fullmatch(line) and (script or not PLAYERS.fullmatch(line)):
            return line
    return None


def fault_of_verilog(text):
    """What holds the mark, or is not plain, outside comments of Verilog-A or VACASK; a bench's first line is a title."""
    for k, line in enumerate(text.split("\n")):
        words, told, _ = line.partition("//")
        title = k == 0 and line.startswith("analogflow ")
        if not line.isascii() or not line.isprintable() or (MARK in words and not title):
            return line
        if (told or title) and line.endswith("\\"):  # a backslash would join the next line to the comment
            return line
    return None


def check(flow):
    """Every text made of a flow."""
    circuit = af.compile(flow)
    deck = af.netlist(circuit, time_constants=2)
    assert fault_of_spice(deck.text) is None
    assert not any(MARK in line for line in deck.embedded[1:])
    written = write_bench(deck)
    assert fault_of_verilog("\n".join((HEADER, *(module.text for module in written.modules)))) is None
    assert fault_of_verilog(written.text(["a.va"], [f"//{line[1:]}" for line in deck.header])) is None
    if not deck.tables:
        assert MARK not in str(af.subcircuit(circuit))


@contextlib.contextmanager
def refused_in_a_sentence():
    """What is not taken is refused, on one line without commands to a terminal."""
    refused = None
    try:
        yield
    except af.BadInput as fault:
        refused = str(fault)
    assert refused is None or refused.isprintable()


def test_the_judges_find_what_is_planted():
    deck = af.netlist(af.compile(af.Flow(lambda x: -x, {"x": np.ones(1)})))
    assert fault_of_spice(deck.text) is None
    for planted in (
        ".include a",
        ".control\n.control",
        "shell a",
        "*#shell a",
        "* a\r.include b",
        "X1 a `PWNED`",
        "r1 PWNED 0 1",
    ):
        assert fault_of_spice(deck.text.replace("\n.options", f"\n{planted}\n.options")) == planted.split("\n")[-1]
    for planted in ('load "PWNED"', "// a\\", "a\r", "`include PWNED"):
        assert fault_of_verilog(f"ground 0\n{planted}\n") == planted


@FEW
@given(text=HOSTILE, field=st.sampled_from(["family", "form", "equations", "problem", "answer"]))
def test_words_of_a_flow(text, field):
    class Named:
        def __repr__(self):
            return text

    value = Named() if field == "problem" else text
    observables = {text: lambda x: 2 * x} if field == "answer" else {}
    with refused_in_a_sentence():
        check(af.Flow(lambda x: -x * x, {"x": np.ones(2)}, observables=observables, **{field: value}))


@FEW
@given(text=HOSTILE)
def test_code_in_a_file_with_a_hostile_name_and_hostile_lines(text):
    space = {}
    exec(compile("def f(x):\n    return -x", text, "exec"), space)
    linecache.cache[text] = (1, None, ["\n", f"{text}\n"], text)
    check(af.Flow(space["f"], {"x": np.ones(2)}))


def keys_with(family, text, place):
    """A problem's keys with a text in the place of a string or of a name; whatever used the name uses the text."""
    whole = json.dumps(PROBLEMS[family])
    return json.loads(whole.replace(json.dumps(place), json.dumps(text)))


PLACES = [
    *(("custom", place) for place in ("pendulum", "a", "b", "k", "r", "s", "k*a", "-r", "-m@b + tanh(b)*0.1", "sum(b)")),
    *(("langevin", place) for place in ("x", "x**2 + 0.5*y**2 - 0.1*x*y")),
    *(("hopfield", "linear"), ("transport", "exponential")),
]


@pytest.mark.parametrize(("family", "place"), PLACES)
def test_words_of_a_problem(family, place):
    for text in (*PLANTED, f"{place}\n{MARK}", f"{place} # {MARK}", f"{place}\\\n{MARK}"):
        with refused_in_a_sentence():
            check(FAMILIES[family].flow(problem_of_keys(family, keys_with(family, text, place), text)))


@pytest.mark.parametrize("stem", ["PWNED\n.include x", '"PWNED', "*#PWNED", "PWNED\\", "PWNED PWNED"])
def test_names_of_files(stem, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{stem}.csv").write_text("0.7,0.3\n0.1,0.9\n")
    (tmp_path / f"{stem}.toml").write_text('like = "general"\n[transistors]\nfile = "m.lib"\nnpn = "PWNED"\n')
    (tmp_path / "m.lib").write_text(".model PWNED npn (IS=1e-15 BF=100)\n")
    arguments = ["capacity", f"{stem}.csv", "--technology", "translinear", "--parts", f"{stem}.toml"]
    assert main(["netlist", *arguments, "-o", "a.cir"]) == 0, capsys.readouterr()
    assert fault_of_spice((tmp_path / "a.cir").read_text()) is None
    deck = af.netlist(af.compile(FAMILIES["capacity"].flow(af.Channel([[0.7, 0.3], [0.1, 0.9]]))))
    with pytest.raises(af.BadInput, match="can not name a file of Verilog-A"):
        write_verilog_a(deck, tmp_path / f"{stem}.va")
    with pytest.raises(af.BadInput, match="can not name a part of a circuit"):
        af.subcircuit(deck.circuit, name=stem)
