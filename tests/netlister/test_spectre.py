"""Decks in Spectre's language say what the ordinary ones say, in words of its reference; Spectre was never at hand."""

import re
import runpy
from pathlib import Path

import pytest
from deck_zoo import ngspice, printed
from netlister.spectre_reader import Deck as Read
from raw_reader import read_raw
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.circuit import Diode, Element
from analogflow.netlister import spectre
from analogflow.netlister.deck import Deck
from analogflow.netlister.plain import plain_deck

ROOT = Path(__file__).parents[2]
NOISY = {"hopfield-law-ideal", "langevin-overdamped-ideal"}
REMEMBERS = {"custom-triangle-generator-ideal", "custom-mackey-glass-ideal"}
QUICK = {"attention-zero-temperature-ideal", "capacity-logdomain-opamp", "capacity-logdomain-translinear",
         "custom-driven-resonator-ideal"}  # fmt: skip
NAMES = sorted({path.stem for path in (ROOT / "netlists").glob("*.cir")} - REMEMBERS)


@pytest.fixture(scope="module")
def decks() -> dict[str, Deck]:
    """Every deck of netlists/, as scripts/generate.py makes it."""
    return {name.removesuffix(".cir"): deck for name, deck in runpy.run_path(str(ROOT / "scripts/generate.py"))["decks"]()}


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_known_to_a_reader_and_none_is_missing(decks, name):
    plain = plain_deck(decks[name], "spectre")
    read = Read(plain.text)
    other = plain_deck(decks[name], "ltspice")
    lines = [line.split()[0] for line in (*other.body, *other.script) if re.match(r"[RCGBIVQDX]\w+ ", line)]
    assert read.instances == lines
    assert len(read.measured) == sum(line.startswith(".meas ") for line in other.script)
    assert "never run in it" in plain.text
    measured = {node for line in read.measured for node in re.findall(r"(?:find|avg) v\((\w+)\)", line)}
    assert measured
    assert measured <= {*read.saved}


@pytest.mark.ngspice
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
                                  for name in NAMES if name not in NOISY])  # fmt: skip
def test_what_a_reader_makes_of_it_gives_the_answer_of_the_ordinary_one(decks, tmp_path, name):
    ordinary = printed(ngspice(decks[name].write(tmp_path / "ordinary.cir")))
    (tmp_path / "read.cir").write_text(Read(plain_deck(decks[name], "spectre").text).spice(), encoding="ascii")
    ngspice(tmp_path / "read.cir", "-r", "read.raw")
    (plot,) = read_raw(tmp_path / "read.raw")
    found = {answer: float(plot.vectors[f"v({answer})"][-1]) for answer in ordinary}
    assert ordinary
    assert found == pytest.approx(ordinary, rel=0, abs=1e-6)


@pytest.mark.ngspice
def test_noise_and_a_law_are_those_of_the_plain_deck(decks, tmp_path):
    (name,) = NOISY - {"hopfield-law-ideal"}
    (tmp_path / "read.cir").write_text(Read(plain_deck(decks[name], "spectre").text).spice(), encoding="ascii")
    found = printed(ngspice(tmp_path / "read.cir"))
    plain = printed(ngspice(plain_deck(decks[name]).write(tmp_path / "plain.cir")))
    assert {name for name in plain if name.startswith("covariance")}
    assert found == pytest.approx(plain, rel=1e-5, abs=1e-6)


def test_a_parameter_that_parts_set_is_declared_and_given():
    circuit = af.degrade(
        af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology="translinear"), af.Imperfections(mismatch=0.01)
    )
    text = plain_deck(af.netlist(circuit), "spectre").text
    assert "\nsubckt opa2277 (p n o)\nparameters vos=0.0 cm=0.0 ibp=0.0 ibn=0.0\n" in text
    assert "(v(p)-v(n)+(vos)+(v(p)+v(n))*0.5*(cm)+v(en))" in text
    assert re.search(r"^Xv0_amp \(0 s0 v0_drive\) opa2277 vos=\S+ cm=\S+ ibp=\S+ ibn=\S+$", text, re.M)
    assert "save Vz0:1 Vz1:1 Vz2:1 " in text
    assert 'bsource v=(i("Vz0"))/(i("Vz0")+i("Vz1")+i("Vz2"))\n' in text
    assert " method=gear2 skipdc=yes\n" in text


def test_the_temperature_is_an_option():
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology="translinear", temperature_celsius=60.0)
    assert re.search(r"^simulatorOptions options .* temp=60\.0$", plain_deck(af.netlist(circuit), "spectre").text, re.M)


def test_what_it_has_no_words_for_is_refused(decks):
    with pytest.raises(af.BadInput, match=r"'latch0_0' remembers what it was switched to, which Spectre has no line for"):
        plain_deck(decks["custom-triangle-generator-ideal"], "spectre")
    assert spectre.card(Diode("x", ("a", "b"), "dsw"), str) == "Dx (a b) dsw"
    with pytest.raises(af.BadInput, match=r"element 'odd' is of a kind that is not written for Spectre"):
        spectre.card(Element("odd", ("a", "b")), str)


def test_there_is_no_subcircuit_in_it(decks, tmp_path):
    with pytest.raises(af.BadInput, match=r"the dialect spectre has no subcircuit"):
        af.write_subcircuit(decks["capacity-logdomain-ideal"], tmp_path / "bench.scs", dialect="spectre")
