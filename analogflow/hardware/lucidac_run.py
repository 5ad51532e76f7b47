"""A flow run on a LUCIDAC, or on its vendor's mock device: set, calibrated, run, read and scaled back to flow units.

The device is talked to in a process of its own, which is ended when its time is over. This was never run on a machine: the
protocol was tried on pybrid-computing's mock device, and the numbers on the vendor's simulator of 2025 put behind that.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_positive
from analogflow.errors import BadInput, SimulationFailed
from analogflow.hardware.board_fit import BoardFit, read_back
from analogflow.hardware.boards import Board
from analogflow.hardware.lucidac_client import client_module
from analogflow.hardware.machine import path

__all__ = ["ENDPOINT", "MOCK", "PATIENCE", "DeviceRun", "Endpoint", "check_device", "parse_endpoint", "run_on_device"]

Array = NDArray[np.float64]

ENDPOINT = "LUCIDAC_ENDPOINT"
"""Variable of the environment that names a device, as pybrid-computing and lucipy read it."""

MOCK = "mock"
"""Endpoint of the vendor's mock device, whose samples are sines whatever it is set to."""

_PORT = 5732
"""pybrid-computing 0.12.10, lucipy/computer.py: ``LucipyWrapper.default_port``."""

PATIENCE = 60.0
"""Seconds for all that is said to and by a device, beside those of the run."""

_SAMPLES = 400
"""Samples of a run, of each channel, as far as the converters are fast enough."""

_MOST_PER_SECOND = 500_000
"""Of all channels together: pybrid-computing, docs/user-guide/using-pybrid/lucipy.md."""

_RATES = sorted({2**i * 5**j for i in range(7) for j in range(7) if 2**i * 5**j >= 32})
"""Samples per second whose time is a whole number of microseconds, of which the device's clock counts at least one.

lucidac-firmware (2024), daq/base.cpp: no fewer than 32; daq/daq.cpp: 10⁶ is divided by it without a rest.
"""

_SETTLING = 10.0
"""Time constants 1/k0 that integrators are held at their starts for."""

_FEWEST = 0.9
"""Share of the samples that were asked for below which they count as lost."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where a device is; `host` is None for the mock device.

    Parameters
    ----------
    text : str
        As it was given.
    host : str, optional
    port : int
    """

    text: str
    host: str | None
    port: int = _PORT


@dataclasses.dataclass(frozen=True, eq=False)
class DeviceRun:
    """What a device measured.

    Parameters
    ----------
    endpoint : Endpoint
    address : str
        MAC of the carrier.
    time : array, shape (k,)
        τ.
    values : mapping of state to array, shape (k, size)
        Flow units; a component that no channel shows is NaN. Of a mock device they are sines, which mean nothing.
    overloaded : tuple of str
        Elements whose overload was seen.
    distances : mapping of state to float
        Largest distance from what the configuration computes with exact coefficients, relative to the peak of each state;
        empty for a mock device, whose samples say nothing of the flow.
    limit : float
        Largest distance at which the run counts as the flow's.
    note : str
        What the run shows, in a sentence.
    """

    endpoint: Endpoint
    address: str
    time: Array
    values: Mapping[str, Array]
    overloaded: tuple[str, ...]
    distances: Mapping[str, float]
    limit: float
    note: str

    @property
    def mock(self) -> bool:
        """Whether a mock device answered: the one that was asked for, or one that an address led to."""
        return self.endpoint.host is None or not _of_a_device(self.address)

    @property
    def ok(self) -> bool:
        """Whether nothing was overloaded and no state is further off than `limit`; a mock device needs only to answer."""
        return not self.overloaded and all(distance <= self.limit for distance in self.distances.values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "endpoint": self.endpoint.text,
            "address": self.address,
            "mock": self.mock,
            "ok": self.ok,
            "samples": len(self.time),
            "end": float(self.time[-1]),
            "overloaded": list(self.overloaded),
            "distances": dict(self.distances),
            "limit": self.limit,
            "note": self.note,
        }


def parse_endpoint(text: str | None = None) -> Endpoint:
    """Where a device is: ``mock``, or ``tcp://HOST[:PORT]``, whose ``tcp://`` may be left out; else of the environment.

    Raises
    ------
    BadInput
        It has another form, or nothing was given and LUCIDAC_ENDPOINT is not set.
    """
    given = text or os.environ.get(ENDPOINT, "")
    allowed = f"give {MOCK} or tcp://HOST[:PORT]"
    if not given:
        raise BadInput(f"no device was named: {allowed}, or set {ENDPOINT} to one.")
    where = repr(given) if text else f"{ENDPOINT} = {given!r}"
    if given == MOCK:
        return Endpoint(given, None)
    try:
        parts = urllib.parse.urlsplit(given if "://" in given else f"tcp://{given}")
        host, port = parts.hostname, parts.port
    except ValueError as fault:
        raise BadInput(f"{where} names no device ({fault}); {allowed}, with a port from 1 to 65535.") from None
    if parts.scheme != "tcp":
        raise BadInput(f"{where} is not reached by tcp; {allowed}.")
    if (
        not host
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or parts.username is not None
        or " " in given
        or parts.netloc[-1] == ":"
    ):
        raise BadInput(f"{where} names no device; {allowed}.")
    if port == 0:
        raise BadInput(f"{where} names no device (port 0); {allowed}, with a port from 1 to 65535.")
    return Endpoint(given, host, port or _PORT)


def check_device(endpoint: str | None, board: Board) -> Endpoint:
    """Where a device is, after all that `run_on_device` would raise whatever the flow.

    Raises
    ------
    BadInput
        The board is no LUCIDAC, or as `parse_endpoint` does.
    MissingProgram
        pybrid-computing is not installed.
    """
    if board.kind != "crossbar":
        raise BadInput(f"{board.title} is not run over a network; map the flow on a LUCIDAC.")
    place = parse_endpoint(endpoint)
    client_module("pybrid.redac")
    return place


def run_on_device(mapping: BoardFit, endpoint: str | Endpoint | None = None, *, time_limit: float = PATIENCE) -> DeviceRun:
    """Set a LUCIDAC to a flow that fits, calibrate it, run it until the flow's end, and hold its samples against the flow.

    Parameters
    ----------
    mapping : BoardFit
        That fits a LUCIDAC.
    endpoint : str or Endpoint, optional
        As `parse_endpoint` takes it.
    time_limit : float
        Seconds after which the process that talks to the device is ended, beside those of the run.

    Raises
    ------
    BadInput
        The flow does not fit, the board is no LUCIDAC, or the endpoint or the limit is none.
    MissingProgram
        pybrid-computing is not installed.
    SimulationFailed
        The device is not there, refuses, keeps silent, or sends something else than was asked for.

    Notes
    -----
    Samples are held against the path of the configuration with exact coefficients, which `mapping.followed` says to be the
    flow's, until the time that rounded coefficients were compared to.
    """
    board = mapping.board
    place = endpoint if isinstance(endpoint, Endpoint) else check_device(endpoint, board)
    if not mapping.fits or mapping.configuration is None or mapping.seconds_per_time_constant is None:
        raise BadInput(f"the flow does not fit {board.title}, so that it was not run: {'; '.join(mapping.binding)}.")
    client_module("pybrid.redac")
    if not is_positive(time_limit):
        raise BadInput(f"time_limit is {time_limit!r}; give a positive number of seconds.")
    rate, seconds = board.rate_per_second.value, mapping.seconds_per_time_constant
    end = mapping.followed["rounded"].until * seconds
    channels = [source for source in mapping.configuration["adc_channels"] if source is not None]
    sample_rate = _sample_rate(end, len(channels))
    asked = int(end * sample_rate)
    if asked < 1:
        raise BadInput(f"the run takes {end:.2g} s, less than a sample of the device; give the flow a longer time.")
    order = {
        "host": place.host,
        "port": place.port,
        "configuration": mapping.configuration,
        "ic_nanoseconds": round(1e9 * _SETTLING / rate),
        "op_nanoseconds": round(1e9 * end),
        "channels": len(channels),
        "sample_rate": sample_rate,
        "patience": 0.8 * time_limit,
    }
    found = _carried_out(order, place, time_limit + end)
    if "fault" in found:
        raise SimulationFailed(f"{place.text}: {found['step']} failed: {found['fault']}.")
    samples = found["samples"]
    counts = [len(channel) for channel in samples]
    if len(samples) != len(channels) or min(counts) < _FEWEST * asked:
        sent = f"{min(counts, default=0)} samples of {len(samples)} channels"
        raise SimulationFailed(f"{place.text}: {asked} samples of {len(channels)} channels were asked for, and {sent} came.")
    return _judged(mapping, place, found, np.array([channel[: min(counts)] for channel in samples]).T, sample_rate)


def _judged(mapping: BoardFit, place: Endpoint, found: Mapping[str, Any], samples: Array, sample_rate: int) -> DeviceRun:
    """Samples, shape (points, channels), in flow units, and how far they are off."""
    configuration, seconds = mapping.configuration, mapping.seconds_per_time_constant
    assert configuration is not None
    assert seconds is not None
    times = np.arange(len(samples)) / sample_rate
    sizes: dict[str, int] = {}
    for entry in mapping.readout:
        sizes[entry.state] = max(sizes.get(entry.state, 0), entry.index + 1)
    channel = {source: k for k, source in enumerate(s for s in configuration["adc_channels"] if s is not None)}
    values = {state: np.full((len(times), size), np.nan) for state, size in sizes.items()}
    for entry in mapping.readout:
        values[entry.state][:, entry.index] = entry.unit * samples[:, channel[entry.integrator]]
    distances: dict[str, float] = {}
    note = "the mock device answers sines whatever it is set to: the protocol was kept, and nothing is known of the flow"
    if place.host is not None and not _of_a_device(found["address"]):
        note = f"no device is made with the address {found['address']}, so that this is a mock device: {note}"
    elif place.host is not None:
        machine = read_back(mapping.board, configuration)
        right = path(machine.rates, machine.initial, times * mapping.board.rate_per_second.value)
        for entry in mapping.readout:
            expected = entry.unit * right[:, entry.integrator]
            off = float(abs(values[entry.state][:, entry.index] - expected).max()) / (float(abs(expected).max()) or 1.0)
            distances[entry.state] = max(distances.get(entry.state, 0.0), off)
        exact = next(iter(mapping.followed.values())).relative
        note = f"held against the path of exact coefficients, which is {exact:.1g} of a peak from the flow's"
    return DeviceRun(
        place, found["address"], times / seconds, values, tuple(found["overloaded"]), distances, mapping.limit, note
    )


def _of_a_device(address: str) -> bool:
    """Whether a network address is one that a maker gives: not 0, of one device, and not set by hand.

    Those of pybrid-computing's mock device are 0, or have one of the two bits of the first octet that say otherwise
    (IEEE 802-2014, 8.2.2), whatever it is set to.
    """
    octets = [int(octet, 16) for octet in re.findall(r"\b[0-9a-fA-F]{2}\b", address)]
    return len(octets) < 6 or (any(octets) and not octets[0] & 0b11)


def _sample_rate(seconds: float, channels: int) -> int:
    """Samples per second of each channel: about `_SAMPLES` in all, as far as the device allows."""
    most = _MOST_PER_SECOND / max(channels, 1)
    wanted = min(_SAMPLES / seconds, most) if seconds > 0 else most
    return next((rate for rate in _RATES if wanted <= rate <= most), max(rate for rate in _RATES if rate <= most))


def _carried_out(order: Mapping[str, Any], place: Endpoint, seconds: float) -> dict[str, Any]:
    """Answer of the process that talks to the device."""
    command = [sys.executable, "-P", "-m", "analogflow.hardware.lucidac_worker"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(order),
            capture_output=True,
            timeout=seconds,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SimulationFailed(
            f"{place.text}: no answer within {seconds:.3g} s, so that the run was given up; see whether the device is on, "
            "or allow more time."
        ) from None
    except OSError as fault:
        raise SimulationFailed(f"{place.text}: the process that talks to it could not be started ({fault}).") from None
    try:
        return json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SimulationFailed(f"{place.text}: the process that talks to it broke down ({last[:300]}).") from None
