"""A few parts on a bench, with their noise, as a circuit simulator plays it."""

import dataclasses

import numpy as np
import pytest

import analogflow as af
from analogflow.circuit import (
    BipolarTransistor,
    Capacitor,
    Diode,
    Group,
    Instance,
    Model,
    Resistor,
    Units,
    VoltageSource,
)
from analogflow.circuit.build import Conditions
from analogflow.circuit.circuit import Reading
from analogflow.noise import Noise
from analogflow.passes import with_device_noise
from analogflow.simulators.engines import ENGINES
from analogflow.technology import part_set
from analogflow.technology.macros import multiplier_macro, op_amp_macro

TAU = 1e-4
PARTS = part_set("precision")
ROOM = 300.15


def bench(elements, read, *, celsius=27.0, step=0.1, seed=0, noisy=True, reltol=1e-6, **facts):
    """Circuit of a few parts, with their noise, of which the vectors `read` are read, and nothing but them."""
    flow = af.Flow(lambda x: -x, {"x": np.zeros(len(read))})
    base = af.compile(flow, technology="opamp", temperature_celsius=celsius)
    parts = dataclasses.replace(PARTS, op_amp=dataclasses.replace(PARTS.op_amp, **facts))
    circuit = dataclasses.replace(
        base,
        build=dataclasses.replace(base.build, parts=parts),
        groups=(Group(base.graph.order()[0], "", tuple(elements)),),
        readings={"x": Reading(tuple(read), np.ones(len(read)))},
        units=Units(1.0, TAU),
        release=0.0,
        step=None,
        derived_from=None,
        options=f".options method=gear reltol={reltol} vntol=1e-9 abstol=1e-15 gmin=1e-16 itl4=100",
        models=(parts.npn, parts.pnp, Model("dsw", "d", (("is", 1e-14),))),
        macros=(op_amp_macro(parts.op_amp, parts.supply), multiplier_macro(parts.multiplier)),
        conditions=Conditions(Noise(0.0, seed=seed, step=step, parts=noisy)),
    )
    return with_device_noise(circuit) if noisy else circuit


def played(circuit, engine, time_constants, largest_step=None):
    """Time in τ, and each vector by its name, as a circuit simulator has it."""
    deck = af.netlist(circuit, time_constants=time_constants, largest_step=largest_step)
    run = ENGINES[engine].run(deck, resting_speed=0.0, time_limit=600.0, on_progress=None)
    assert run.time[-1] == pytest.approx(time_constants)
    return run.time, dict(zip(circuit.readings["x"].vectors, run.values["x"].T, strict=True))


def even(time, values, spacing):
    """Values at equal distances."""
    at = np.arange(0.0, time[-1], spacing)
    return np.interp(at, time, values)


def logarithm(k=0):
    """A transdiode, a multiplier and an amplifier with a pole of its own: a source of every kind; its output is ``out``."""
    amplifier, product = PARTS.op_amp.name, PARTS.multiplier.name
    return [
        VoltageSource(f"v{k}", (f"v{k}", "0"), 2.0),
        Resistor(f"in{k}", (f"v{k}", f"s{k}"), 100e3),
        Instance(f"log{k}", ("0", f"s{k}", f"d{k}"), amplifier),
        Resistor(f"d{k}", (f"d{k}", f"e{k}"), 10.0),
        BipolarTransistor(f"q{k}", (f"s{k}", "0", f"e{k}"), "qn"),
        Capacitor(f"s{k}", (f"s{k}", f"e{k}"), 250e-12, 0.0),
        Resistor(f"a{k}", (f"e{k}", f"m{k}"), 2e3),
        Instance(f"sum{k}", ("0", f"m{k}", f"y{k}"), amplifier),
        Resistor(f"f{k}", (f"m{k}", f"y{k}"), 20e3),
        Instance(f"mul{k}", (f"v{k}", "0", f"v{k}", "0", "0", f"w{k}"), product),
        Resistor(f"w{k}", (f"w{k}", f"n{k}"), 300e3),
        Instance(f"last{k}", ("0", f"n{k}", f"out{k}"), amplifier),
        Resistor(f"g{k}", (f"y{k}", f"n{k}"), 10e3),
        Resistor(f"h{k}", (f"n{k}", f"out{k}"), 10e3),
        Capacitor(f"h{k}", (f"n{k}", f"out{k}"), 3e-9, 0.0),
        Resistor(f"j{k}", (f"out{k}", f"dd{k}"), 100e3),
        Diode(f"j{k}", (f"dd{k}", "0"), "dsw"),
    ]
