"""The vendor's present client reads what we write, and builds the same by its own API."""

import copy
import importlib.util
import sys

import pytest
from board_zoo import ODE, mapped, written

from analogflow.cli import main
from analogflow.errors import AnalogflowError, BadInput, MissingProgram
from analogflow.hardware import lucidac_client, map_flow, write_configuration
from analogflow.hardware.lucidac import MULTIPLIER_OUTPUT
from analogflow.hardware.lucidac_client import client_module

needs_client = pytest.mark.skipif(importlib.util.find_spec("pybrid") is None, reason="pybrid-computing is not installed")

HELD = ["epor", "fhn", "heat1d", "henon_heiles", "jerk", "lorenz", "massspring", "mathieu", "pend", "pid", "ramp", "vdp"]
"""Flows that a LUCIDAC has room for, some of them with coefficients too coarse for 1%."""


def configuration_of(name):
    configuration = mapped(f"ode/{name}", "lucidac").configuration
    assert configuration is not None
    return copy.deepcopy(configuration)


def circuit_by_their_api(configuration):
    """The same wires, made by calls of pybrid.lucipy, which chooses lanes, halves and eighths itself."""
    cluster = configuration["/0"]
    circuit = client_module("pybrid.lucipy").Circuit("00-00-00-00-00-00")
    integrators = [circuit.int(ic=setting["ic"], slow=setting["k"] == 100) for setting in cluster["/M0"]["elements"]]
    multipliers = [circuit.mul() for _ in range(4)]
    one = circuit.const() if cluster["/U"]["constant"] else None
    for lane, source in enumerate(cluster["/U"]["outputs"]):
        if source is None:
            continue
        (sink,) = [sink for sink, lanes in enumerate(cluster["/I"]["outputs"]) if lane in lanes]
        weight = cluster["/C"]["elements"][lane] * (10 if cluster["/I"]["upscaling"][lane] else 1)
        giver = integrators[source] if source < MULTIPLIER_OUTPUT else one if source > 11 else multipliers[source - 8]
        pair = multipliers[(sink - MULTIPLIER_OUTPUT) // 2]
        target = integrators[sink] if sink < MULTIPLIER_OUTPUT else (pair.a, pair.b)[sink % 2]
        circuit.connect(giver, target, weight=max(-8.0, min(weight, 8.0)))
    for channel in configuration["adc_channels"]:
        if channel is not None:
            circuit.probe(integrators[channel])
    return circuit


@pytest.mark.slow
@needs_client
@pytest.mark.parametrize("name", HELD)
def test_their_own_api_writes_the_same_module(name, tmp_path):
    configuration = configuration_of(name)
    file = tmp_path / f"{name}.apb"
    file.write_bytes(lucidac_client.to_apb(configuration))
    ours, theirs = (
        client_module("pybrid.base.proto.io").ProtoIO.load_module(str(file)),
        circuit_by_their_api(configuration).to_config().module,
    )
    # A lane without a source keeps their coefficient of 1, and ours of 0: neither is summed anywhere.
    unused = {lane for lane, source in enumerate(configuration["/0"]["/U"]["outputs"]) if source is None}
    for module in (ours, theirs):
        for item in module.items:
            for element in item.coef_config.elements:
                element.factor = 0.0 if element.idx in unused else round(element.factor, 6)
    assert [str(item) for item in ours.items] == [str(item) for item in theirs.items]


@needs_client
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("epor", "massspring", "pid") else pytest.mark.slow) for name in HELD]
)
def test_what_was_written_is_read_back(name):
    configuration = configuration_of(name)
    found = lucidac_client.from_apb(lucidac_client.to_apb(configuration))
    cluster, written = found["/0"], configuration["/0"]
    assert cluster["/U"] == written["/U"]
    assert cluster["/I"] == written["/I"]
    assert cluster["/C"]["elements"] == pytest.approx(written["/C"]["elements"], rel=0, abs=1e-7)
    assert [setting["k"] for setting in cluster["/M0"]["elements"]] == [s["k"] for s in written["/M0"]["elements"]]
    starts = [setting["ic"] for setting in written["/M0"]["elements"]]
    assert [setting["ic"] for setting in cluster["/M0"]["elements"]] == pytest.approx(starts, rel=0, abs=1e-7)
    assert found["adc_channels"] == configuration["adc_channels"]


@needs_client
@pytest.mark.parametrize(
    "what, change",
    [
        (r"/0/C elements\[0\]", lambda c: c["/C"]["elements"].__setitem__(0, c["/C"]["elements"][0] + 1e-6)),
        (r"/0/U outputs\[1\]", lambda c: c["/U"]["outputs"].__setitem__(1, 5)),
        (r"/0/I upscaling\[0\]", lambda c: c["/I"]["upscaling"].__setitem__(0, not c["/I"]["upscaling"][0])),
        (r"/0/I outputs\[0\]", lambda c: c["/I"]["outputs"][0].append(31)),
        (r"/0/M0 elements\[1\] ic", lambda c: c["/M0"]["elements"][1].__setitem__("ic", 0.123)),
        (r"/0/M0 elements\[0\] k", lambda c: c["/M0"]["elements"][0].__setitem__("k", 100)),
    ],
)
def test_a_client_that_reads_something_else_is_noticed(what, change, monkeypatch):
    configuration = configuration_of("massspring")
    wrong = copy.deepcopy(configuration)
    change(wrong["/0"])
    monkeypatch.setattr(lucidac_client, "from_apb", lambda content: wrong)
    with pytest.raises(AnalogflowError, match=f"pybrid-computing reads another configuration{what} than was written"):
        lucidac_client.to_apb(configuration)


@needs_client
def test_bytes_that_are_no_configuration_are_refused():
    with pytest.raises(BadInput, match=r"pybrid-computing does not read it as a LUCIDAC's configuration"):
        lucidac_client.from_apb(b"\xff\xfe not protobuf")


@needs_client
@pytest.mark.parametrize(
    "rate, largest, said",
    [
        (5000, 8, r"integrators of k0 = 5000 per second: a LUCIDAC has 100 and 10000"),
        (10000, 10, r"a coefficient is -?(8|9|10)(\.\d+)?; pybrid-computing sets those within ±8"),
    ],
)
def test_a_board_of_ones_own_that_the_client_can_not_set_is_refused(rate, largest, said, tmp_path):
    (tmp_path / "own.toml").write_text(
        f"""
        kind = "crossbar"
        units = {{ integrators = 8, multipliers = 4, lanes = 32 }}
        largest_coefficient = {largest}
        coefficient_bits = 12
        rate_per_second = {rate}
        machine_unit_volts = 1
        """
    )
    mapping = map_flow(written("heat1d"), tmp_path / "own.toml", suggest=False)
    with pytest.raises(BadInput, match=said):
        write_configuration(mapping, tmp_path / "out.apb")
    assert not (tmp_path / "out.apb").exists()


@pytest.fixture
def problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spring.toml").write_text((ODE / "massspring.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return "spring.toml"


@needs_client
def test_map_writes_protobuf_where_its_name_asks_for_it(problem, tmp_path, capsys):
    assert main(["map", problem, "-o", "spring.apb"]) == 0
    kinds = [
        item.WhichOneof("kind")
        for item in client_module("pybrid.base.proto.io").ProtoIO.load_module(str(tmp_path / "spring.apb")).items
    ]
    assert {"adc_config", "coef_config", "itor_config", "sum_config", "select_config"} <= {*kinds}
    before = (tmp_path / "spring.apb").read_bytes()
    assert main(["map", problem, "-o", "spring.apb"]) == 2
    assert main(["map", problem, "-o", "spring.apb", "--force"]) == 0
    assert (tmp_path / "spring.apb").read_bytes() == before


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["-o", "spring.txt"], "'spring.txt' must end in .json or .apb"),
        (["-o", "spring"], "'spring' must end in .json or .apb"),
        (["-o", "there.apb"], "'there.apb' exists already; give --force"),
        (["-o", "there.json"], "'there.json' exists already; give --force"),
        (["--board", "that", "-o", "spring.apb"], "is not configured by protobuf; write 'spring.json' instead"),
        (["--board", "generic", "-o", "spring.apb"], "is not configured by protobuf"),
    ],
)
def test_a_file_that_can_not_be_written_is_one_sentence(arguments, said, problem, tmp_path, capsys):
    for name in ("there.apb", "there.json"):
        (tmp_path / name).write_text("as it was")
    assert main(["map", problem, *arguments]) == 2
    fault = capsys.readouterr().err
    assert said in fault
    assert fault.count("\n") == 1
    assert {*tmp_path.iterdir()} == {tmp_path / name for name in ("there.apb", "there.json", "spring.toml")}
    assert (tmp_path / "there.apb").read_text() == "as it was"


def test_a_client_that_is_missing_is_one_sentence(problem, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pybrid.base.proto.main_pb2", None)
    assert main(["map", problem, "-o", "spring.apb"]) == MissingProgram.exit_code
    fault = capsys.readouterr().err
    assert "install it with: pip install 'analogflow[lucidac]'" in fault
    assert fault.count("\n") == 1
    assert not (tmp_path / "spring.apb").exists()
    assert main(["map", problem, "-o", "spring.json"]) == 0  # which needs no client


def test_nothing_is_written_of_a_flow_that_the_board_has_no_room_for(problem, tmp_path, capsys):
    (tmp_path / "large.toml").write_text(
        'time = 1.0\n[states]\n' + "".join(f"x{k} = 1.0\n" for k in range(9))
        + "[equations]\n" + "".join(f'x{k} = "-x{k}"\n' for k in range(9))
    )  # fmt: skip
    assert main(["map", "large.toml", "-o", "large.json"]) == 1
    assert "'large.json' was not written" in capsys.readouterr().err
    assert not (tmp_path / "large.json").exists()
