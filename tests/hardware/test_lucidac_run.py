"""Flows run on the vendor's mock device over its own protocol; with the vendor's simulator behind it, numbers are right."""

import asyncio
import contextlib
import importlib.util
import json
import socket
import sys
import threading
from typing import Any

import lucipy
import numpy as np
import pytest
from board_zoo import ODE, mapped, written

from analogflow.cli import main
from analogflow.errors import BadInput, MissingProgram, SimulationFailed
from analogflow.hardware import load_board, lucidac_run, run_on_device
from analogflow.hardware.lucidac_client import client_module
from analogflow.hardware.lucidac_run import Endpoint, parse_endpoint

needs_client = pytest.mark.skipif(importlib.util.find_spec("pybrid") is None, reason="pybrid-computing is not installed")

FITTING = ["epor", "heat1d", "lorenz", "massspring", "mathieu", "pend", "pid", "ramp", "vdp"]
LONG = ("lorenz", "mathieu", "vdp")
SOME = [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in FITTING]


@contextlib.contextmanager
def mock_device(*, samples: Any = None, lucidac=True, address: str | None = "04-E9-E5-00-00-01", **config):
    """The vendor's mock device in a thread, at a port of its own; `samples(module, channels, times)` replaces its sines.

    Its `address` is one that devices have, so that it is judged as one; its own if None.
    """
    mock = client_module("pybrid.mock")
    started, found = threading.Event(), {}

    class Device(mock.DummyDAC):
        def _generate_carrier_macs(self):
            return [address] if address and lucidac else super()._generate_carrier_macs()

    async def serve():
        async with Device("127.0.0.1", 0, mock.DummyDACConfig(lucidac_mode=lucidac, **config)) as device:
            if samples is not None:
                (handler,) = [h for h in device._handlers.values() if hasattr(h, "_generate_samples")]
                handler._generate_samples = lambda channels, count, rate: np.float32(
                    samples(device._stored_config, channels, np.arange(count) / rate)
                )
            found.update(port=device.port, loop=asyncio.get_running_loop(), over=asyncio.Event(), device=device)
            started.set()
            await found["over"].wait()
            for connection in device._client_udp_ports:  # which it would leave open
                connection.data_transport.close()
            await asyncio.sleep(0)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(20)
        yield f"tcp://127.0.0.1:{found['port']}", found["device"]
    finally:
        found["loop"].call_soon_threadsafe(found["over"].set)
        thread.join(20)


def simulated(module, channels, times):
    """What the vendor's simulator of 2025 finds for the messages that the device was sent, shape (channels, times)."""
    items: dict[str, Any] = {item.WhichOneof("kind"): getattr(item, item.WhichOneof("kind")) for item in module.items}
    factor = {element.idx: element.factor for element in items["coef_config"].elements}
    source = {c.output: c.input for c in items["select_config"].connections}
    upscaled = {upscale.lane for upscale in items["sum_config"].upscales if upscale.enabled}
    circuit: Any = lucipy.Circuit()
    for connection in items["sum_config"].connections:
        for lane in connection.inputs:
            circuit.add(lucipy.Route(source[lane], lane, factor[lane] * (8 if lane in upscaled else 1), connection.output))
    circuit.use_constant(items["select_config"].constant == client_module("pybrid.base.proto.main_pb2").SelectConfig.POS_REF)
    for element in items["itor_config"].elements:
        circuit.set_ic(element.idx, element.ic)
        circuit.set_k0(element.idx, element.k)
    run = lucipy.Simulation(circuit, realtime=True).solve_ivp(
        times[-1], t_eval=times, method="DOP853", rtol=1e-10, atol=1e-12
    )
    shown = [channel.idx for channel in sorted(items["adc_config"].channels, key=lambda channel: channel.probe)]
    assert len(shown) == channels
    return run.y[shown]


@pytest.mark.few(3)
@needs_client
@pytest.mark.parametrize("name", [param for param in SOME if param.values[0] != "ramp"])
def test_the_messages_that_were_sent_compute_the_flow(name):
    mapping = mapped(f"ode/{name}", "lucidac")
    with mock_device(samples=simulated) as (endpoint, _):
        run = run_on_device(mapping, endpoint)
    assert run.ok
    # Coefficients, starts and samples are sent in single precision, 6e-8 each; what that perturbs grows in a chaotic flow.
    assert max(run.distances.values()) < (1e-3 if name == "lorenz" else 5e-6)
    with np.load(ODE / "paths.npz") as paths:
        times, right = paths[f"{name}.t"], paths[f"{name}.y"]
    order = [(state, index) for state, start in written(name).states.items() for index in range(start.size)]
    for (state, index), row in zip(order, right, strict=True):
        shown = np.interp(run.time, times, row)
        coarse = abs(np.diff(row, 2)).max()  # of the straight lines between points
        assert abs(run.values[state][:, index] - shown).max() < 1e-3 * abs(row).max() + coarse


@needs_client
@pytest.mark.parametrize("name", SOME)
def test_the_mock_device_takes_every_flow_that_fits_and_tells_nothing(name):
    run = run_on_device(mapped(f"ode/{name}", "lucidac"), "mock")
    assert run.ok
    assert run.distances == {}
    assert "nothing is known of the flow" in run.note
    assert run.to_dict()["mock"] is True
    assert len(run.time) >= 25


@needs_client
def test_samples_that_are_not_the_flows_are_noticed():
    # The sines of the mock device, where a real one is expected.
    with mock_device() as (endpoint, device):
        run = run_on_device(mapped("ode/massspring", "lucidac"), endpoint)
    assert not run.ok
    assert not run.mock
    assert max(run.distances.values()) > 0.1
    assert device._calibrated


@needs_client
@pytest.mark.parametrize("mode", ["VIRTUAL", "PHYSICAL"])
def test_a_mock_device_at_an_address_of_the_network_is_told_from_a_device(mode):
    modes = client_module("pybrid.mock.config").DummyDACMacMode
    with mock_device(address=None, mac_mode=modes[mode]) as (endpoint, _):
        run = run_on_device(mapped("ode/massspring", "lucidac"), endpoint)
    assert run.mock
    assert run.to_dict()["mock"] is True
    assert run.ok
    assert run.distances == {}
    assert "no device is made with the address" in run.note
    assert "nothing is known of the flow" in run.note


@pytest.mark.slow
@needs_client
def test_a_sign_or_a_channel_that_is_wrong_is_noticed():
    for wrong in (lambda y: -y, lambda y: y[::-1], lambda y: 1.02 * y):
        with mock_device(samples=lambda *asked, wrong=wrong: wrong(simulated(*asked))) as (endpoint, _):
            assert not run_on_device(mapped("ode/massspring", "lucidac"), endpoint).ok


@needs_client
@pytest.mark.parametrize(
    "stage, said",
    [
        ("AT_EXTRACT", r"asking the device what it is failed: .*broken on purpose"),
        ("AT_CONFIGURE", r"setting it failed: .*broken on purpose"),
        ("AT_START_RUN", r"running it failed: .*broken on purpose"),
        ("DURING_RUN", r"running it failed: RunError: Error on entity"),
        pytest.param("DROP_TAKEOFF_STATE", r"running it failed: no answer in time", marks=pytest.mark.slow),
        pytest.param("DROP_DONE_STATE", r"running it failed: no answer in time", marks=pytest.mark.slow),
        ("FEWER_SAMPLES", r"412 samples of 2 channels were asked for, and 206 samples of 2 channels came"),
    ],
)
def test_a_device_that_breaks_down_is_one_sentence(stage, said):
    stages = client_module("pybrid.mock.config").DummyDACErrorStage
    # A fifth of the limit is left to the process that talks to the device: enough to start on a busy machine.
    limit = 50 if stage.startswith("DROP") else 8
    with (
        mock_device(error_stage=stages[stage], error_message="broken on purpose") as (endpoint, _),
        pytest.raises(SimulationFailed, match=said),
    ):
        run_on_device(mapped("ode/massspring", "lucidac"), endpoint, time_limit=limit)


@needs_client
def test_a_device_of_several_carriers_is_no_lucidac():
    with (
        mock_device(lucidac=False) as (endpoint, _),
        pytest.raises(SimulationFailed, match=r"it has 2 carriers, and a LUCIDAC has one"),
    ):
        run_on_device(mapped("ode/massspring", "lucidac"), endpoint)


@needs_client
@pytest.mark.slow
def test_what_listens_and_keeps_silent_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SimulationFailed, match=r"no answer within .* s, so that the run was given up|failed: "):
            run_on_device(mapped("ode/massspring", "lucidac"), endpoint, time_limit=4)


@needs_client
@pytest.mark.parametrize(
    "endpoint, said",
    [
        ("tcp://127.0.0.1:{closed}", "127.0.0.1 refused the connection: nothing listens at port {closed}"),
        ("tcp://no-such-device.invalid", "no host 'no-such-device.invalid' is known"),
    ],
)
def test_a_device_that_is_not_there_is_one_sentence(endpoint, said, problem, capsys):
    with socket.create_server(("127.0.0.1", 0)) as once:
        closed = once.getsockname()[1]
    assert main(["map", problem, "--run", endpoint.format(closed=closed)]) == 1
    fault = capsys.readouterr().err
    assert said.format(closed=closed) in fault
    assert fault.count("\n") == 1


@pytest.fixture
def problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(lucidac_run.ENDPOINT, raising=False)
    (tmp_path / "spring.toml").write_text((ODE / "massspring.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return "spring.toml"


@pytest.mark.slow
@needs_client
def test_map_runs_on_the_device_of_the_environment(problem, monkeypatch, capsys):
    with mock_device(samples=simulated) as (endpoint, _):
        monkeypatch.setenv(lucidac_run.ENDPOINT, endpoint)
        assert main(["map", problem, "--json", "--run"]) == 0
    found = json.loads(capsys.readouterr().out)["run"]
    assert found["endpoint"] == endpoint
    assert found["ok"]
    assert max(found["distances"].values()) < 1e-6
    monkeypatch.setenv(lucidac_run.ENDPOINT, "mock")
    assert main(["map", problem, "--run"]) == 0
    assert "nothing is known of the flow" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "text, host, port",
    [
        ("mock", None, 5732),
        ("tcp://192.168.150.57", "192.168.150.57", 5732),
        ("tcp://192.168.150.57:80/", "192.168.150.57", 80),
        ("lucidac-aa-bb-cc.local:1234", "lucidac-aa-bb-cc.local", 1234),
        ("tcp://[::1]:9", "::1", 9),
    ],
)
def test_an_endpoint_is_read(text, host, port):
    assert parse_endpoint(text) == Endpoint(text, host, port)


@pytest.mark.parametrize(
    "text, said",
    [
        ("udp://host", r"'udp://host' is not reached by tcp; give mock or tcp://HOST\[:PORT\]\."),
        ("emu://", r"'emu://' is not reached by tcp"),
        ("emu:/", r"names no device"),
        ("tcp://", r"'tcp://' names no device"),
        ("tcp://host:65536", r"'tcp://host:65536' names no device \(Port out of range 0-65535\); .* from 1 to 65535"),
        ("tcp://host:0", r"port 0"),
        ("tcp://host:-1", r"names no device"),
        ("tcp://host:http", r"names no device"),
        ("tcp://host/carrier", r"names no device"),
        ("tcp://user@host", r"names no device"),
        ("two words", r"names no device"),
        ("tcp://[::1", r"names no device"),
    ],
)
def test_an_endpoint_that_is_none_is_refused(text, said, monkeypatch):
    with pytest.raises(BadInput, match=said):
        parse_endpoint(text)
    monkeypatch.setenv(lucidac_run.ENDPOINT, text)
    with pytest.raises(BadInput, match="LUCIDAC_ENDPOINT = "):
        parse_endpoint()


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["--run"], 2, "no device was named: give mock or tcp://HOST[:PORT], or set LUCIDAC_ENDPOINT to one"),
        (["--run", "ftp://host"], 2, "'ftp://host' is not reached by tcp"),
        (["--board", "that", "--run", "mock"], 2, "is not run over a network; map the flow on a LUCIDAC"),
        (["--time-limit", "5"], 2, "--time-limit is that of a device, and none was asked for"),
        (["--run", "mock", "--time-limit", "0"], 2, "0"),
    ],
)
def test_a_device_that_can_not_be_run_is_one_sentence(arguments, code, said, problem, capsys):
    assert main(["map", problem, *arguments]) == code
    fault = capsys.readouterr().err
    assert said in fault
    assert "Traceback" not in fault


def test_a_device_without_its_client_is_one_sentence(problem, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pybrid.redac", None)
    assert main(["map", problem, "--run", "mock"]) == MissingProgram.exit_code
    assert "install it with: pip install 'analogflow[lucidac]'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_flow_that_does_not_fit_is_not_run():
    with pytest.raises(BadInput, match=r"the flow does not fit LUCIDAC REV1, anabrid, so that it was not run: range: "):
        run_on_device(mapped("ode/henon_heiles", "lucidac"), Endpoint("mock", None))


@pytest.mark.parametrize("seconds", [1e-5, 3e-4, 2e-2, 1.0, 100.0])
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_samples_are_taken_as_fast_as_the_device_can(seconds, channels):
    rate = lucidac_run._sample_rate(seconds, channels)
    assert 10**6 % rate == 0
    assert rate >= 32
    assert rate * channels <= 500_000
    assert rate * seconds >= 400 or 2.5 * rate * channels > 500_000


@needs_client
def test_the_process_that_talks_to_a_device_may_break_down(monkeypatch):
    monkeypatch.setattr(lucidac_run.sys, "executable", "/no/such/python")
    with pytest.raises(SimulationFailed, match="the process that talks to it could not be started"):
        run_on_device(mapped("ode/massspring", "lucidac"), Endpoint("mock", None))
    monkeypatch.setattr(lucidac_run.sys, "executable", "/bin/false")
    with pytest.raises(SimulationFailed, match="broke down"):
        run_on_device(mapped("ode/massspring", "lucidac"), Endpoint("mock", None))
    assert load_board("lucidac").kind == "crossbar"
