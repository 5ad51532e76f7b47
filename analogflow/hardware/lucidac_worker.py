"""The process that talks to a LUCIDAC through pybrid-computing: ``python -m analogflow.hardware.lucidac_worker``.

It reads one order in JSON from its input and writes one answer in JSON to its output: what was measured, or at which step it
went wrong. Whatever else is said on the way, by pybrid-computing or its libraries, goes to the error stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from analogflow.hardware.lucidac_client import client_module, configure

__all__ = ["main"]

_CONNECTING = 5.0
"""Seconds that a device may take to be reached."""


class _Failed(Exception):
    """A step went wrong: its name, and how."""


def main() -> int:
    """Do what the order says; 0 if there is an answer, be it that a step failed."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        found = asyncio.run(_carry_out(json.load(sys.stdin)))
    except _Failed as fault:
        found = {"step": fault.args[0], "fault": fault.args[1]}
    json.dump(found, answer)
    answer.flush()
    return 0


async def _carry_out(order: Mapping[str, Any]) -> dict[str, Any]:
    """Configure, calibrate, run, and read the samples."""
    async with _endpoint(order) as (host, port):
        _refuse_unreachable(host, port)
        controller = client_module("pybrid.lucidac.controller").Controller()
        with _step("asking the device what it is"):
            await controller.add_device(host, port)
        async with controller:
            return await _run(controller, order)


async def _run(controller: Any, order: Mapping[str, Any]) -> dict[str, Any]:
    redac, carriers = client_module("pybrid.redac"), controller.computer.carriers
    if len(carriers) != 1:
        raise _Failed("asking the device what it is", f"it has {len(carriers)} carriers, and a LUCIDAC has one")
    with _step("clearing it"):
        # Here and not before the run: what is reset is what a device was set to.
        reset = controller.create_session().reset(keep_calibration=True, overload_reset=True, circuit_reset=True)
        await reset.execute(timeout=order["patience"])
    with _step("setting it"):
        configure(carriers[0], order["configuration"])
        await controller.create_session().set_config(controller.computer).execute(timeout=order["patience"])
    with _step("calibrating it"):
        await controller.create_session().calibrate(gain=True, offset=True).execute(timeout=order["patience"])
    with _step("running it"):
        session = controller.create_session()
        session.run(
            redac.RunConfig(ic_time=order["ic_nanoseconds"], op_time=order["op_nanoseconds"]),
            redac.DAQConfig(num_channels=order["channels"], sample_rate=order["sample_rate"]),
            timeout=order["patience"],
        )
        run = (await session.execute(timeout=order["patience"] + order["op_nanoseconds"] / 1e9))[0]
    samples = [list(map(float, channel or ())) for channel in run.data]
    return {
        "samples": samples,
        "address": str(carriers[0].path),
        "overloaded": [str(path) for path in run.flags.overloaded or ()],
    }


@contextlib.asynccontextmanager
async def _endpoint(order: Mapping[str, Any]) -> AsyncIterator[tuple[str, int]]:
    """Host and port of the order, or of pybrid-computing's own mock device, which runs in this process then."""
    if order["host"] is not None:
        yield order["host"], order["port"]
        return
    mock = client_module("pybrid.mock")
    async with mock.DummyDAC("127.0.0.1", 0, mock.DummyDACConfig(lucidac_mode=True)) as device:
        yield "127.0.0.1", device.port


def _refuse_unreachable(host: str, port: int) -> None:
    """Raise why a device can not be reached: pybrid-computing says only that it can not."""
    try:
        socket.create_connection((host, port), timeout=_CONNECTING).close()
    except socket.gaierror as fault:
        raise _Failed("looking for it", f"no host {host!r} is known ({fault.strerror})") from None
    except TimeoutError:
        raise _Failed("looking for it", f"{host}:{port} did not answer within {_CONNECTING:g} s") from None
    except ConnectionRefusedError:
        raise _Failed("looking for it", f"{host} refused the connection: nothing listens at port {port}") from None
    except OSError as fault:
        raise _Failed("looking for it", f"{host}:{port} can not be reached ({fault.strerror or fault})") from None


@contextlib.contextmanager
def _step(name: str) -> Any:
    """What fails inside is told as this step's fault."""
    try:
        yield
    except TimeoutError as fault:
        raise _Failed(name, f"no answer in time ({fault})" if str(fault) else "no answer in time") from fault
    except Exception as fault:
        raise _Failed(name, f"{type(fault).__name__}: {fault}") from fault


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Threads of the native transport may still wait for a device that went away.
    os._exit(code)
