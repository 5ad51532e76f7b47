"""How a circuit is built, of which parts, and under which conditions it stands: all that is needed to build it again.

What is known of real parts is plain data in SI units, read from a file by a technology.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Imperfections
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.checks import is_number
from analogflow.circuit.elements import Model, Switch
from analogflow.circuit.start_up import StartUp
from analogflow.circuit.wipers import Trimmers
from analogflow.errors import BadInput
from analogflow.noise import Noise

__all__ = [
    "COLDEST",
    "HOTTEST",
    "NOMINAL_CELSIUS",
    "SWITCH_MODEL",
    "AnalogSwitch",
    "Build",
    "ConditionOptions",
    "Conditions",
    "Multiplier",
    "OpAmp",
    "PartSet",
    "Tolerances",
    "Units",
    "VoltageReference",
    "celsius_of",
    "check_kelvin",
    "kelvin_of",
    "thermal_voltage",
]

_ONE_POLE = 90.0
"""Degrees of phase margin that one pole leaves."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpAmp:
    """Operational amplifier with two poles.

    Parameters
    ----------
    name : str
        Identifier of its macro-model.
    gain : float
        Open loop, V/V.
    bandwidth : float
        Gain-bandwidth product where one pole alone decides the gain, Hz.
    slew : float
        V/s.
    offset : float
        σ of the input offset voltage, volts.
    noise : float
        Input voltage noise, V/√Hz, white.
    noise_corner : float
        Hz below which that noise rises like 1/f; 0 where it is not known.
    current_noise : float
        Of each input, A/√Hz; 0 where it is not known.
    headroom : float
        Volts between a supply rail and the output's limit.
    output_resistance : float
        Ohms.
    supply_current : float
        Amperes for each amplifier.
    bias_current : float
        Mean into each input at room temperature, amperes; negative where it flows out, 0 where it has either sign.
    bias_spread : float
        σ of the current of each input about this mean, amperes.
    bias_doubling : float
        Kelvin in which bias currents double; 0 where they stay as they are.
    offset_drift : float
        σ of the drift of the offset voltage, V/K.
    cmrr : float
        Common-mode rejection, V/V: what is read as a difference is up to a common voltage over this, of either sign.
    phase_margin : float
        Of a follower, degrees: what the second pole leaves at the frequency of unit gain. 90 without such a pole, as a part
        is simulated whose maker's figure is not known.
    differential_capacitance, common_capacitance : float
        Between the inputs, and from each of them to ground, farads; 0 where the figure is not known.
    input_low, input_high : float
        Volts from the negative rail to the least, and from the positive one to the largest voltage of an input at which it
        still amplifies; minus infinity where the figure is not known, and there is no limit.
    largest_supply : float
        Volts of either rail that it stands: a set with more is refused. Infinite where the figure is not known.
    output_current : float
        Amperes for which the output is rated: a circuit that needs more of it is refused. Infinite where the figure is not
        known.
    """

    name: str
    gain: float
    bandwidth: float
    slew: float
    offset: float
    noise: float
    headroom: float
    output_resistance: float
    supply_current: float
    noise_corner: float = 0.0
    current_noise: float = 0.0
    bias_current: float = 0.0
    bias_spread: float = 0.0
    bias_doubling: float = 0.0
    offset_drift: float = 0.0
    cmrr: float = math.inf
    phase_margin: float = 90.0
    differential_capacitance: float = 0.0
    common_capacitance: float = 0.0
    input_low: float = -math.inf
    input_high: float = -math.inf
    largest_supply: float = math.inf
    output_current: float = math.inf

    @property
    def second_pole(self) -> float:
        r"""Hz, infinite without one.

        With the gain-bandwidth product B, a second pole at f₂ and unit gain at f, where the phase margin is φ:
        tan φ = f₂/f and B = f √(1 + (f/f₂)²), so f = B sin φ and f₂ = B sin φ tan φ.
        """
        margin = math.radians(self.phase_margin)
        return self.bandwidth * math.sin(margin) * math.tan(margin) if self.phase_margin < _ONE_POLE else math.inf

    def alike(self, offset: float = 0.0) -> OpAmp:
        """The same part without deviations from part to part, but for a σ of the offset voltage."""
        return dataclasses.replace(self, offset=offset, offset_drift=0.0, bias_spread=0.0, cmrr=math.inf)

    def warmed(self, temperature_kelvin: float) -> float:
        """Bias currents over those at room temperature."""
        return 2 ** ((temperature_kelvin - NOMINAL_KELVIN) / self.bias_doubling) if self.bias_doubling else 1.0

    @property
    def input_capacitance(self) -> float:
        """Of one input to all else while the other one is held, farads."""
        return self.differential_capacitance + self.common_capacitance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Multiplier:
    """Analog multiplier W = (X1 − X2)(Y1 − Y2)/scale + Z, or divider W = scale·N/D.

    Parameters
    ----------
    name : str
    scale : float
        Volts.
    bandwidth : float
        Hz.
    nonlinearity : float
        Of the X input, relative to full scale; the Y input has a quarter of it.
    offset : float
        σ of the offset of each input and of the output, volts.
    gain_error : float
        σ, relative.
    noise : float
        At the output, V/√Hz.
    limit : float
        Largest output, volts.
    supply_current : float
        Amperes.
    output_current : float
        Amperes for which the output is rated; infinite where the figure is not known.
    """

    name: str
    scale: float
    bandwidth: float
    nonlinearity: float
    offset: float
    gain_error: float
    noise: float
    limit: float
    supply_current: float
    output_current: float = math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalogSwitch:
    """Switch that holds an integrator at its start.

    Parameters
    ----------
    name : str
    on_resistance : float
        Ohms while it is closed.
    leakage : float
        σ of the current out of each end while it is open, of either sign, amperes; 0 where the figure is not known.
    charge : float
        Coulombs that each end loses when it opens; 0 where the figure is not known.
    off_time : float
        Seconds from the edge of its control until nine tenths of the charge have passed; 0 where the figure is not known.
    """

    name: str
    on_resistance: float
    leakage: float = 0.0
    charge: float = 0.0
    off_time: float = 0.0

    def between(self, name: str, nodes: tuple[str, str]) -> Switch:
        """One such switch, closed while the node ``hold`` is high; the first node is the one that keeps a charge."""
        return Switch(name, nodes, "hold", SWITCH_MODEL, charge=self.charge, lag=self.off_time / math.log(10))

    @property
    def model(self) -> Model:
        """Closed above 0.6 V of its control, and open below 0.4 V."""
        parameters = (("vt", 0.5), ("vh", 0.1), ("ron", self.on_resistance), ("roff", _OPEN))
        return Model(SWITCH_MODEL, "sw", parameters, f"analog switch {self.name}")


SWITCH_MODEL = "hold"
"""Name of the model of switches in a circuit."""

_OPEN = 1e12
"""Ohms of a switch that is open: without a leak."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoltageReference:
    """What every fixed voltage of a circuit is made from, so that all are off by the same share of themselves.

    Parameters
    ----------
    name : str
    output : float
        Volts.
    tolerance : float
        σ of the output at room temperature, relative.
    drift : float
        σ of its drift, relative per kelvin.
    least_supply : float
        Volts that it needs: a board whose supply is below has none.
    """

    name: str
    output: float
    tolerance: float
    drift: float
    least_supply: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tolerances:
    """σ of the deviations of passive parts and junctions: from part to part, from package to package, and from lot to lot.

    Parameters
    ----------
    resistor, capacitor, area : float
        Relative, from part to part.
    junction : float
        Of V_BE of a transistor beside the others in its package, volts.
    junction_package : float
        Of V_BE, volts, common to the transistors in one package.
    gradient : float
        Of the temperature of a package beside the others, kelvin: a junction loses 2 mV with each.
    resistor_lot, capacitor_lot : float
        Relative, common to all resistors and to all capacitors.
    junction_lot : float
        Volts, common to all transistors of one polarity.
    resistor_drift : float
        Per kelvin, relative, common to all resistors.
    """

    resistor: float
    capacitor: float
    area: float
    junction: float
    junction_package: float = 0.0
    gradient: float = 0.0
    resistor_lot: float = 0.0
    capacitor_lot: float = 0.0
    junction_lot: float = 0.0
    resistor_drift: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PartSet:
    """The parts a circuit is built from.

    Parameters
    ----------
    name : str
    op_amp : OpAmp
    multiplier, divider : Multiplier
    switch : AnalogSwitch
    reference : VoltageReference
    tolerances : Tolerances
    supply : float
        Volts, of both rails.
    series : str
        Preferred values of resistors and capacitors, such as "E96"; empty for exact values.
    npn, pnp : Model
        Gummel-Poon models of the transistors.
    """

    name: str
    op_amp: OpAmp
    multiplier: Multiplier
    divider: Multiplier
    switch: AnalogSwitch
    reference: VoltageReference
    tolerances: Tolerances
    supply: float
    series: str
    npn: Model
    pnp: Model

    @property
    def swing(self) -> float:
        """Largest output of an op-amp, volts."""
        return self.supply - self.op_amp.headroom


_FREEZING = 273.15

NOMINAL_CELSIUS = NOMINAL_KELVIN - _FREEZING
"""°C of a room: what circuits are at where nothing else is said."""

_BOLTZMANN_PER_CHARGE = 8.617333262e-5
"""k/q, volts per kelvin."""

DELAY_FRACTION = 5e-3
"""Part of the fastest time constant of the flow that the delays of the longest path of blocks may be, unless told."""

COLDEST, HOTTEST = -100.0, 200.0
"""°C that a circuit could be at."""


@dataclasses.dataclass(frozen=True)
class Build:
    """How a circuit is built.

    Parameters
    ----------
    technology : str
        Or another thing that a flow is built in, such as a board.
    stabilise : bool
        Whether manifolds that repel are mended.
    parts : PartSet, optional
        What it is built from; None where it is built from ideal elements.
    temperature_kelvin : float
        Of the parts.
    delay_fraction : float
        Part of the flow's fastest time constant that the delays of a loop may be, where the technology heeds it.
    scaled : bool
        Whether ideal elements are built in machine units.
    values : callable, optional
        Took the circuit with exact values of its parts and chose those that it has; None where they are exact.
    ranged_from : mapping of name to array, optional
        States from which the path goes that its ranges and constants fit; None where that is the flow's own start.
    """

    technology: str
    stabilise: bool = True
    parts: PartSet | None = None
    temperature_kelvin: float = NOMINAL_KELVIN
    delay_fraction: float = DELAY_FRACTION
    scaled: bool = False
    values: Callable[[Any], Any] | None = None
    ranged_from: Mapping[str, np.ndarray] | None = dataclasses.field(default=None, compare=False)


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What is wrong with a circuit, and which one of all those that it makes possible is meant.

    Parameters
    ----------
    noise : Noise
        White noise at the integrators' inputs, and whether parts make theirs; its seed also decides every deviation.
    imperfections : Imperfections
        What is wrong with the blocks, or how parts deviate.
    sample : int
    lot : PartSet, optional
        Parts whose own tolerances are drawn; None if they are not.
    start_up : StartUp, optional
        How it is switched on; None where its supplies are up and its integrators held at their start from the first moment.
    trimmers : Trimmers, optional
        As they are set on the board that is drawn; None where nobody trims it.
    """

    noise: Noise = dataclasses.field(default_factory=lambda: Noise(0.0))
    imperfections: Imperfections = dataclasses.field(default_factory=Imperfections)
    sample: int = 0
    lot: PartSet | None = None
    start_up: StartUp | None = None
    trimmers: Trimmers | None = None

    @property
    def device_noise(self) -> bool:
        """Whether parts make noise of their own."""
        return self.noise.parts

    def __str__(self) -> str:
        return f"{self.imperfections}; {self.noise}, seed {self.noise.seed}, sample {self.sample}"


@dataclasses.dataclass(frozen=True, eq=False)
class Units:
    """What a flow's quantities are in a circuit.

    Parameters
    ----------
    volts : float, optional
        Per unit of the circuit's graph, which is a flow unit where `scales` is empty; None where one number does not say it,
        and the readings alone tell what a flow unit is: where signals are currents, or have ranges of their own.
    time_constant : float
        τ in seconds.
    machine_unit : float
        Volts in which imperfections are given.
    scales : mapping of name to array
        Units of the graph per flow unit for every state and observable of it; 1 where a name is missing.
    inputs : mapping of state to float
        Volts per flow unit of a rate at the inputs of a state's integrators; `volts` where a name is missing.
    """

    volts: float | None = 1.0
    time_constant: float = 1.0
    machine_unit: float = 1.0
    scales: Mapping[str, NDArray[np.float64]] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def graph_volts(self) -> float:
        """Volts per unit of the graph; 1 where no one number says it."""
        return self.volts or 1.0

    def input_volts(self, state: str) -> float:
        """Volts per flow unit of a rate at the inputs of a state's integrators."""
        return self.inputs.get(state, self.graph_volts)


class ConditionOptions(TypedDict, total=False):
    """Conditions as people say them; what is not said is as in `Conditions`.

    ``noise`` is a `Noise`, its σ per √τ in flow units, or a text as `Noise.from_text` reads it. ``seed`` decides noise and
    deviations: 0, or that of the noise, if not given.
    """

    noise: Noise | float | str | None
    imperfections: Imperfections | None
    seed: int | None


def kelvin_of(temperature_celsius: float | None) -> float:
    """Kelvin of a temperature in °C; that of a room if none is given.

    Raises
    ------
    BadInput
        It is none that a circuit could be at.
    """
    value = temperature_celsius
    if value is None:
        return NOMINAL_KELVIN
    if not is_number(value) or not COLDEST <= value <= HOTTEST:
        raise BadInput(
            f"temperature_celsius: {value!r} is not a temperature from {COLDEST:g} to {HOTTEST:g} °C; a room has "
            f"{NOMINAL_CELSIUS:g}."
        )
    return value + _FREEZING


def check_kelvin(temperature_kelvin: float) -> None:
    """Refuse a temperature in kelvin where no circuit could be; the limits are those of `kelvin_of`.

    Raises
    ------
    BadInput
        It is none that a circuit could be at.
    """
    least, most = COLDEST + _FREEZING, HOTTEST + _FREEZING
    if not is_number(temperature_kelvin) or not least <= temperature_kelvin <= most:
        raise BadInput(f"temperature_kelvin is {temperature_kelvin!r}; give a number from {least:g} to {most:g}.")


def celsius_of(temperature_kelvin: float) -> float:
    """°C of a temperature in kelvin."""
    return temperature_kelvin - _FREEZING


def thermal_voltage(temperature_kelvin: float) -> float:
    """kT/q in volts."""
    return _BOLTZMANN_PER_CHARGE * temperature_kelvin
