"""The configuration of a LUCIDAC in protobuf, as the vendor's present client, pybrid-computing, reads and sends it.

What is configured is the carrier's JSON of `lucidac.configuration`. The two forms differ in one number: the client of 2025
calls an upscaled lane ten times its coefficient, the present one eight times. A weight w beyond ±1 is therefore w/10 in JSON
and w/8 in protobuf. Coefficients and starts are stored in single precision.

pybrid-computing is optional, the extra ``lucidac``, and imported when a function is called.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analogflow.errors import AnalogflowError, BadInput, MissingProgram

__all__ = ["INSTALL", "RATES", "UPSCALING", "client_module", "configure", "configured", "from_apb", "to_apb"]

UPSCALING = 8.0
"""What an upscaled lane multiplies by: pybrid-computing (2026), building-your-first-circuit.md, "I-block"."""

RATES = (100, 10_000)
"""k0 of an integrator, 1/s: pybrid-computing 0.12.10, redac/computations.py, ``Integration.k``."""

INSTALL = "install it with: pip install 'analogflow[lucidac]'"
"""The way out where pybrid-computing is missing."""

_OF_JSON = 10.0

_SINGLE = 2.0**-23
"""Twice the relative rounding of single precision, and absolute here, as no stored number exceeds 1."""

_ANY_DEVICE = "00-00-00-00-00-00"
"""Address of a carrier that stands for whichever is there."""


def client_module(name: str) -> Any:
    """A module of pybrid-computing.

    Raises
    ------
    MissingProgram
        It is not installed, or is a version without that module.
    """
    try:
        return importlib.import_module(name)
    except ImportError as fault:
        raise MissingProgram(
            f"a LUCIDAC is configured through pybrid-computing, whose module {name} can not be loaded ({fault}); {INSTALL}."
        ) from None


def configure(carrier: Any, configuration: Mapping[str, Any]) -> None:
    """Set a carrier of pybrid-computing to `configuration`, the JSON that `lucidac.configuration` returns.

    Raises
    ------
    BadInput
        A weight exceeds `UPSCALING`, or an integrator's k0 is none of `RATES`.
    """
    cluster, settings = carrier.clusters[0], configuration["/0"]
    weights = [
        _OF_JSON * element if upscaled else element
        for element, upscaled in zip(settings["/C"]["elements"], settings["/I"]["upscaling"], strict=True)
    ]
    if (most := max(weights, key=abs)) and abs(most) > UPSCALING * (1 + 1e-9):
        raise BadInput(
            f"a coefficient is {most:.4g}; pybrid-computing sets those within ±{UPSCALING:g}: map the flow on a board whose "
            f"largest_coefficient is {UPSCALING:g}."
        )
    if wrong := {setting["k"] for setting in settings["/M0"]["elements"]}.difference(RATES):
        raise BadInput(
            f"integrators of k0 = {wrong.pop():g} per second: a LUCIDAC has {' and '.join(map(str, RATES))}; give one "
            "of them as rate_per_second of the board."
        )
    for element, weight in zip(cluster.cblock.elements, weights, strict=True):
        element.computation.factor = max(-1.0, min(weight / UPSCALING, 1.0)) if abs(weight) > 1 else weight
    cluster.ublock.outputs = list(settings["/U"]["outputs"])
    cluster.ublock.constant = 1.0 if settings["/U"]["constant"] else False
    cluster.iblock.outputs = [set(lanes) for lanes in settings["/I"]["outputs"]]
    cluster.iblock.upscaling = [abs(weight) > 1 for weight in weights]
    for element, setting in zip(cluster.m0block.elements, settings["/M0"]["elements"], strict=True):
        element.computation.ic, element.computation.k = float(setting["ic"]), int(setting["k"])
    channel = client_module("pybrid.redac.carrier").ADCChannel
    probed = [source for source in configuration["adc_channels"] if source is not None]
    carrier.adc_config = [channel(index=source, probe=probe) for probe, source in enumerate(probed)]


def configured(carrier: Any) -> dict[str, Any]:
    """The JSON of what a carrier of pybrid-computing is set to: the way back of `configure`."""
    cluster = carrier.clusters[0]
    upscaling = [bool(upscaled) for upscaled in cluster.iblock.upscaling]
    factors = [float(element.computation.factor) for element in cluster.cblock.elements]
    elements = [f * UPSCALING / _OF_JSON if up else f for f, up in zip(factors, upscaling, strict=True)]
    sources = [channel.index for channel in sorted(carrier.adc_config, key=lambda channel: channel.probe)]
    held = [element.computation for element in cluster.m0block.elements]
    return {
        "/0": {
            "/U": {"outputs": list(cluster.ublock.outputs), "constant": float(cluster.ublock.constant) == 1.0},
            "/C": {"elements": elements},
            "/I": {"outputs": [sorted(lanes) for lanes in cluster.iblock.outputs], "upscaling": upscaling},
            "/M0": {"elements": [{"k": int(one.k), "ic": float(one.ic)} for one in held]},
            "/M1": {},
        },
        "adc_channels": sources + [None] * (len(held) - len(sources)),
    }


def to_apb(configuration: Mapping[str, Any]) -> bytes:
    """Content of an ``.apb`` file that sets a LUCIDAC to `configuration`; pybrid-computing reads it back and finds the same.

    Raises
    ------
    BadInput
        As `configure` does.
    MissingProgram
        pybrid-computing is not installed.
    AnalogflowError
        What it read back is another configuration.
    """
    computer = _one_lucidac()
    configure(computer.entities[0], configuration)
    module = computer.get_serializer()().serialize(computer)
    messages, versions = client_module("pybrid.base.proto.main_pb2"), client_module("pybrid.base.proto.versioning")
    content = messages.File(version=versions.ProtoVersioning.current(), module=module).SerializeToString(deterministic=True)
    if other := _difference(configuration, from_apb(content)):
        raise AnalogflowError(f"pybrid-computing reads another {other} than was written; use the JSON, and report it.")
    return content


def from_apb(content: bytes) -> dict[str, Any]:
    """The JSON of an ``.apb`` file's content, read by pybrid-computing; entities other than a LUCIDAC's are refused.

    Raises
    ------
    BadInput
        It is no such file.
    MissingProgram
        pybrid-computing is not installed.
    """
    reader = client_module("pybrid.base.proto.io").ProtoIO
    computer = _one_lucidac()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "configuration.apb")
        file.write_bytes(content)
        try:
            computer.get_deserializer()(computer).deserialize(reader.load_module(str(file)))
        except Exception as fault:  # noqa: BLE001 - pybrid-computing raises Exception itself
            raise BadInput(f"pybrid-computing does not read it as a LUCIDAC's configuration ({fault}).") from None
    return configured(computer.entities[0])


def _one_lucidac() -> Any:
    return client_module("pybrid.lucipy.helpers").Helpers.create_minimal_lucidac(_ANY_DEVICE)


def _difference(ours: Any, theirs: Any, where: str = "configuration") -> str:
    """Where `theirs` differs from `ours` by more than single precision; empty if nowhere."""
    if isinstance(ours, Mapping):
        found = [_difference(ours[key], theirs.get(key), f"{where}{key if key[0] == '/' else ' ' + key}") for key in ours]
        return next(filter(None, found), "")
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return where
        found = [_difference(one, other, f"{where}[{k}]") for k, (one, other) in enumerate(zip(ours, theirs, strict=True))]
        return next(filter(None, found), "")
    if isinstance(ours, float) and isinstance(theirs, float):
        return "" if abs(ours - theirs) <= _SINGLE else where
    return "" if ours == theirs else where
