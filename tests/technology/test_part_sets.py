"""Model files of the user: numbers come through, nothing else does; too low a supply is refused with the node."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import PAPER

import analogflow as af
from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.reference import capacity_reference
from analogflow.technology import part_set
from analogflow.technology.part_sets import PARAMETERS, quantity, read_models

LIBRARY = """* transistors of a lot
.lib typical
.MODEL T1 NPN (IS=1.8E-14 ISE=50f NF=.9955 NE=1.46 BF=400
+ VAF=80 IKF=0.14 RB=20 RC=0.25 RE=0.395 ; a remark
+ CJE=13pF TF=640p CJC=4p MFG=somebody VCEO=45)
.model t2 pnp is=3e-14 bf=250 vaf=30 $ another
.model t3 d(is=4n rs=.5 n=1.7 cjo=4P bv=100)
.endl
"""


def written(folder, text, name="own.lib"):
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    return path


def test_models_are_read_with_their_suffixes_and_continuations(tmp_path):
    models = read_models(written(tmp_path, LIBRARY))
    assert set(models) == {"t1", "t2", "t3"}
    t1 = dict(models["t1"].parameters)
    assert t1["ise"] == pytest.approx(50e-15)
    assert t1["cje"] == pytest.approx(13e-12)
    assert t1["tf"] == pytest.approx(640e-12)
    assert t1["rc"] == 0.25
    assert "mfg" not in t1
    assert models["t2"].kind == "pnp"
    assert dict(models["t3"].parameters)["is"] == pytest.approx(4e-9)


@pytest.mark.parametrize(
    "text, value",
    [
        ("1M", 1e-3),
        ("1MEG", 1e6),
        ("2.2k", 2200),
        ("3uF", 3e-6),
        ("1e3", 1e3),
        (".5p", 5e-13),
        ("10V", 10.0),
        ("1mil", 25.4e-6),
    ],
)
def test_suffixes_are_those_of_spice(text, value):
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text, message",
    [
        (".control\nshell date\n.endc", r"line 1: '.control' is not read"),
        (".model a npn(is=1e-15)\n.include /etc/passwd", r"line 2: '.include /etc/passwd' is not read"),
        (".lib other.lib typical", r"'.lib other.lib typical' is not read"),
        (".model a nmos(vto=1)", r"kind 'nmos'; known are: npn, pnp, d"),
        (".model a npn(is=1e-15 beta=3)", r"'beta' is not a parameter of npn; the nearest is"),
        (".model a npn(is={x})", r"is = '\{x\}' is not a number"),
        (".model a npn(is=nan)", r"is = 'nan' is not a number"),
        (".model a npn(is=1e999)", r"is = '1e999' is not a number"),
        (".model a npn(is=-1e-15)", r"is = -1e-15 is not allowed"),
        (".model a npn(is=1e-15 bf=0)", r"bf = 0 is not allowed"),
        (".model a npn(bf=100)", r"has no saturation current"),
        (".model a npn(is=1e-15 level=4)", r"'level' is not a parameter"),
        (".model a npn(is=1e-15 `rm`)", r"holds the character '`'"),
        (".model a npn(is=1e-15\x00)", r"holds the character"),
        (".model a npn(is 1e-15)", r"is not PARAMETER=NUMBER"),
        (".model a npn(is=1f)\n.model A pnp(is=1f)", r"line 2: the model 'a' is there twice"),
        ("+ bf=3", r"continues a line, but there is none"),
        (".param x=1", r"'.param x=1' is not read"),
        (".subckt a b c\n.ends", r"is not read"),
        ("* nothing", r"holds no .model line"),
        ("", r"holds no .model line"),
        ("*" * (2**20 + 2), r"larger than 1 MiB"),
    ],
)
def test_whatever_else_a_file_says_is_refused_by_a_sentence(tmp_path, text, message):
    with pytest.raises(BadInput, match=message):
        read_models(written(tmp_path, text))


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"is a directory"):
        read_models(tmp_path)
    with pytest.raises(BadInput, match=r"does not exist"):
        read_models(tmp_path / "absent.lib")


@given(
    st.sampled_from(["npn", "pnp"]),
    st.dictionaries(st.sampled_from(sorted(PARAMETERS["bipolar"] - {"is"})), st.floats(1e-30, 1e30), max_size=12),
)
def test_what_is_written_is_read(tmp_path_factory, kind, parameters):
    text = "\n+ ".join([f".model x1 {kind} (is=1e-15", *(f"{k.upper()} = {v!r}" for k, v in parameters.items())]) + ")"
    (model,) = read_models(written(tmp_path_factory.mktemp("models"), text)).values()
    assert dict(model.parameters) == {"is": 1e-15, **parameters}
    assert model.kind == kind


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300), st.text(alphabet=".modelnp()=+ \n1ef-;*$", max_size=200)))
def test_any_file_is_read_or_refused(tmp_path_factory, text):
    try:
        models = read_models(written(tmp_path_factory.mktemp("models"), text))
    except BadInput:
        return
    assert all(math.isfinite(value) for model in models.values() for _, value in model.parameters)


@pytest.mark.ngspice
def test_a_circuit_runs_with_transistors_of_ones_own(tmp_path):
    written(tmp_path, LIBRARY)
    toml = written(tmp_path, '[transistors]\nfile = "own.lib"\nnpn = "T1"\npnp = "T2"\n', "mine.toml")
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear", parts=str(toml))
    deck = af.netlist(circuit, time_constants=100)
    assert "is=1.8e-14" in deck.text
    assert "somebody" not in deck.text
    z = af.simulate(deck).final["z"]
    assert abs(z - capacity_reference(PAPER).input_distribution).max() < 2e-3


@pytest.mark.parametrize(
    "lines, message",
    [
        ('file = "own.lib"\nnpn = "T9"', r"npn = 'T9' is not in 'own.lib'; the nearest are: t"),
        ('file = "own.lib"\nnpn = "T2"', r"npn = 'T2' is a pnp model"),
        ('file = "own.lib"\nnpm = "T1"', r"key 'npm' is not known; known are: file, npn, pnp"),
        ('npn = "T1"', r"give file = "),
        ('file = 3\nnpn = "T1"', r"give file = "),
        ('file = "absent.lib"\nnpn = "T1"', r"does not exist"),
    ],
)
def test_transistors_that_are_not_there_are_refused(tmp_path, lines, message):
    written(tmp_path, LIBRARY)
    with pytest.raises(BadInput, match=message):
        part_set(str(written(tmp_path, f"[transistors]\n{lines}\n", "mine.toml")))


def supplied(folder, volts):
    path = folder / f"supply_{volts}.toml"
    path.write_text(f"supply = {volts}\n", encoding="utf-8")
    return part_set(str(path))


@pytest.mark.parametrize("volts", [1.5, 5, 9])
def test_op_amps_name_the_node_that_goes_furthest(tmp_path, volts):
    flow = af.flows.capacity(PAPER)
    with pytest.raises(BadInput, match=r"node '\w+' \(.*\) goes to 8 V, but opa2277 reaches .* at least 10 V"):
        af.compile(flow, technology="opamp", parts=supplied(tmp_path, volts))
    assert af.compile(flow, technology="opamp", parts=supplied(tmp_path, 10.1)).parts.supply == 10.1


def test_transistors_name_the_rail_of_their_tails(tmp_path):
    flow = af.flows.capacity(PAPER)
    with pytest.raises(BadInput, match=r"node 'vlow'.* is at -5 V, .* at least 5 V"):
        af.compile(flow, technology="translinear", parts=supplied(tmp_path, 4))
    assert af.compile(flow, technology="translinear", parts=supplied(tmp_path, 5)).parts.supply == 5


@pytest.mark.parametrize(
    "lines, message",
    [
        ("supply = 1e308", r"supply = 1e\+308 is not a part's; give a number from 1 to 100"),
        ("supply = 18.5", r"supply = 18.5 is more than opa2277 stands; give at most 18 V, or another op_amp"),
        ('supply = 17\nop_amp = "lm324"', r"supply = 17 is more than lm324 stands; give at most 16 V"),
        ("[tolerances]\nresistor = 1e30", r"resistor = 1e\+30 is not a part's; give a number from 0 to 0.5"),
        ('[op_amp]\nlike = "opa2277"\nslew = 1e-30', r"slew = 1e-30 is not a part's"),
        ('op_amp = ["opa2277"]', r"op_amp \['opa2277'\] is not known"),
        ('[op_amp]\nlike = ["opa2277"]', r"op_amp \['opa2277'\] is not known"),
        ('op_amp = "x\\n.control"', r"is not known; the nearest are"),
    ],
)
def test_numbers_that_no_part_has_are_refused(tmp_path, lines, message):
    path = tmp_path / "own.toml"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        part_set(str(path))


@pytest.mark.ngspice
def test_a_channel_of_no_capacity_rests_at_zero():
    flow = af.flows.capacity(Channel([[0.5, 0.5], [0.5, 0.5]]))
    run = af.simulate(af.netlist(af.compile(flow, technology="opamp"), time_constants=20))
    assert abs(run.final["capacity_nats"][0]) < 1e-3
