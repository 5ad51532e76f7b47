"""From a circuit to Verilog-A: modules a chip designer can take away, and a test bench that places them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from analogflow.blocks import PADE
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Circuit,
    CurrentSource,
    DelayLine,
    Diode,
    Element,
    Instance,
    Model,
    NoiseVoltage,
    PlayedVoltage,
    Resistor,
    StepVoltage,
    Switch,
    TimedVoltage,
    Transconductance,
    VoltageSource,
)
from analogflow.circuit.build import celsius_of
from analogflow.circuit.elements import simulated
from analogflow.contents import refuse_existing, write_text
from analogflow.errors import BadInput
from analogflow.names import comment, identifier, number
from analogflow.netlister.deck import Deck
from analogflow.netlister.spice import EDGE, current_of, node_text
from analogflow.netlister.verilog_modules import (
    CONDUCTOR,
    HEADER,
    INTEGRATOR,
    NOISE,
    SWITCH,
    Module,
    Skeleton,
    behavioural_module,
    macro_module,
    skeleton,
)

__all__ = ["ANALYSIS", "VerilogBench", "write_bench", "write_verilog_a"]

ANALYSIS = "path"
"""Name of the transient analysis, and of the raw file it writes."""

_JUNCTIONS = frozenset({"log", "exp", "tanh", "softmax"})
"""Kinds of blocks whose ln, exp and tanh are those of junctions."""

_RESTART = 1e-3
"""Distance of the second knot from the first, in distances of knots."""

_SUPPLIED = {
    "resistor": "resistor.osdi",
    "capacitor": "capacitor.osdi",
    "sp_bjt": "spice/bjt.osdi",
    "sp_diode": "spice/diode.osdi",
}
"""Compiled models that come with the simulator, by module."""

_KINDS = {"npn": ("sp_bjt", "type=1 "), "pnp": ("sp_bjt", "type=-1 "), "d": ("sp_diode", ""), "sw": (SWITCH.name, "")}

_STEM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclasses.dataclass(frozen=True, eq=False)
class VerilogBench:
    """Test bench of a deck.

    Parameters
    ----------
    modules : tuple of Module
        What has to be compiled: one module for each kind of nonlinear block, and for each macro-model.
    title : str
    supplied : tuple of str
        Compiled models of the simulator's own library that are loaded.
    body : tuple of str
        Models, instances and the control section.
    columns : mapping of vector to column
        Name in the raw file of every vector that the deck saves.
    """

    modules: tuple[Module, ...]
    title: str
    supplied: tuple[str, ...]
    body: tuple[str, ...]
    columns: Mapping[str, str]

    def text(self, loads: Sequence[str], header: Sequence[str] = ()) -> str:
        """The whole bench, which loads its modules from files of these names."""
        loaded = [f'load "{file}"' for file in (*self.supplied, *loads)]
        return "\n".join((self.title, *header, "ground 0", *loaded, *self.body, ""))


def write_bench(deck: Deck, *, distinct: bool = False) -> VerilogBench:
    """Test bench that runs what `deck` runs.

    Parameters
    ----------
    deck : Deck
    distinct : bool
        Whether names of modules hold a digest of their content: the simulator refuses two modules of one name, so modules of
        several decks that are compiled together need it.

    Raises
    ------
    BadInput
        An element, a formula or a name has no counterpart.
    """
    return _Writer(deck, distinct).written()


class _Writer:
    """Collects modules, models and instances while it goes through a circuit."""

    def __init__(self, deck: Deck, distinct: bool) -> None:
        self.deck, self.circuit, self.distinct = deck, deck.circuit, distinct
        self.shapes: dict[tuple[str, Skeleton], Module] = {}
        self.modules: dict[str, Module] = {}
        self.models: dict[str, str] = {}
        self.macros: dict[str, str] = {}
        self.initial: list[str] = []
        self.waves = iter(_waves(deck))

    def written(self) -> VerilogBench:
        circuit, blocks = self.circuit, set(self.circuit.graph.order())
        for macro in circuit.macros:
            self.macros[macro.name] = self._module(macro_module(macro, self._name(identifier(macro.name), repr(macro))))
        lines = []
        for group in circuit.groups:
            kind = circuit.graph.block(group.block).kind() if group.block in blocks else "part"
            lines.append(f"// {group.block}: {comment(group.source)}" if group.source else f"// {group.block}")
            lines += [line for element in simulated(group.elements) for line in self._instance(element, kind)]
        body = [*self._models(), *lines, *self._control()]
        used = {model.split()[0] for model in self.models.values()}
        return VerilogBench(
            modules=tuple(self.modules.values()),
            title=f"analogflow {comment(f'{circuit.flow.family} {circuit.flow.form}')}, technology {circuit.technology}",
            supplied=tuple(file for name, file in _SUPPLIED.items() if name in used),
            body=tuple(body),
            columns={vector: _column(vector) for vectors in circuit.signals.values() for vector in vectors},
        )

    def _models(self) -> Iterator[str]:
        for model in self.circuit.models:
            self._card(model)
        for name, text in self.models.items():
            yield f"model {name} {text}"

    def _card(self, model: Model) -> None:
        module, given = _KINDS[model.kind]
        values = " ".join(f"{identifier(name)}={number(value)}" for name, value in model.parameters)
        if module == SWITCH.name:
            self._module(SWITCH, placed=False)
        self.models[identifier(model.name)] = f"{module} {given}{values}"

    def _module(self, module: Module, *, placed: bool = True) -> str:
        """Model of a module of ours, without parameters; where it is not `placed`, only its cards are."""
        self.modules.setdefault(module.name, module)
        if placed:
            self.models.setdefault(module.name, module.name)
        return module.name

    def _supplied(self, module: str) -> str:
        """Model of a module that comes with the simulator."""
        self.models.setdefault(module, module)
        return module

    def _name(self, label: str, content: str) -> str:
        """Name of a module of ours."""
        return f"af_{label}_{hashlib.sha256(content.encode()).hexdigest()[:10]}" if self.distinct else f"af_{label}"

    def _control(self) -> Iterator[str]:
        circuit, deck = self.circuit, self.deck
        started = [*self.initial]
        started += [f'"{node_text(node)}", {number(volts)}' for node, volts in circuit.start.items()]
        yield "control"
        yield "  abort always"
        yield from (f"  options {line}" for line in _options(circuit))
        if circuit.temperature_kelvin != NOMINAL_KELVIN:
            yield f"  options temp={number(celsius_of(circuit.temperature_kelvin))}"
        saved = sorted({_saved(vector) for vectors in circuit.signals.values() for vector in vectors})
        for k in range(0, len(saved), 16):
            yield f"  save {' '.join(saved[k : k + 16])}"
        initial = f" ic={{{', '.join(started)}}}" if started else ""
        first, longest = number(1e-3 * deck.largest_step), number(deck.largest_step)
        yield (
            f'  analysis {ANALYSIS} tran step={first} stop={number(deck.end_time)} maxstep={longest} icmode="uic"{initial}'
        )
        yield "endc"

    def _instance(self, element: Element, kind: str) -> Iterator[str]:
        nodes = tuple(map(node_text, element.nodes))
        ends = " ".join(nodes)
        name = f"{element.letter.lower()}_{identifier(element.name)}"
        match element:
            case Transconductance():
                yield f"{name} ({ends} {node_text(element.control)} 0) {self._supplied('vccs')} gain={number(element.gain)}"
            case Resistor():
                model = self._supplied("resistor") if self.circuit.parts else self._module(CONDUCTOR)
                yield f"{name} ({ends}) {model} r={number(element.resistance)}"
            case Behavioural():
                yield self._behaviour(name, ends, element.expression, kind)
            case TimedVoltage():
                yield self._behaviour(name, ends, element.expression, f"{kind}_generator", voltage=True)
            case PlayedVoltage():
                wave = _restarting(np.array(element.times), np.array(element.volts))
                yield f'{name} ({ends}) {self._supplied("vsource")} type="pwl" wave=[{wave}]'
            case Capacitor():
                yield self._capacitor(name, nodes, element)
            case CurrentSource():
                yield f"{name} ({ends}) {self._supplied('isource')} dc={number(element.current)}"
            case VoltageSource():
                yield f"{name} ({ends}) {self._supplied('vsource')} dc={number(element.voltage)}"
            case StepVoltage():
                step = f"val0={number(element.before)} val1={number(element.after)} delay={number(element.time)}"
                yield f'{name} ({ends}) {self._supplied("vsource")} type="pulse" {step} rise={number(EDGE)}'
            case NoiseVoltage(of_part=True):  # its small-signal noise is that of the part's own model
                ends = " ".join(map(node_text, element.ends))
                yield f'{name} ({ends}) {self._supplied("vsource")} type="pwl" wave=[{next(self.waves)}]'
            case NoiseVoltage():
                yield f'{name} (0 {nodes[0]}) {self._supplied("isource")} type="pwl" wave=[{next(self.waves)}]'
                power = 2 * element.density**2 * self.circuit.units.time_constant
                yield f"n{name} ({nodes[0]}) {self._module(NOISE)} noise={number(power)}"
            case BipolarTransistor():
                yield f"{name} ({ends}) {identifier(element.model)} area={number(element.area)}"
            case Diode():
                yield f"{name} ({ends}) {identifier(element.model)}"
            case Switch(closed=True):
                raise BadInput(
                    "VACASK has no switch that remembers, which a comparator with hysteresis is: take the engine ngspice or "
                    "block."
                )
            case DelayLine():
                raise BadInput(f"VACASK has no line that delays here: take the engine ngspice or block, or write {PADE}.")
            case Switch():
                yield f"{name} ({ends} {node_text(element.control)}) {identifier(element.model)}"
            case Instance():
                given = "".join(f" {identifier(key)}={number(value)}" for key, value in element.parameters)
                yield f"{name} ({ends}) {self.macros[element.macro]}{given}"
            case _:
                raise BadInput(
                    f"element {element.name!r} is of a kind that a test bench does not know; write the circuit as SPICE."
                )

    def _capacitor(self, name: str, nodes: tuple[str, ...], element: Capacitor) -> str:
        grounded = nodes[1] == "0"
        if element.initial or self.circuit.parts is None:
            self.initial.append(", ".join([*(f'"{node}"' for node in nodes if node != "0"), number(element.initial)]))
        if grounded and self.circuit.parts is None:
            return f"{name} ({nodes[0]}) {self._module(INTEGRATOR)} c={number(element.capacitance)}"
        return f"{name} ({' '.join(nodes)}) {self._supplied('capacitor')} c={number(element.capacitance)}"

    def _behaviour(self, name: str, ends: str, formula: str, kind: str, *, voltage: bool = False) -> str:
        shape, nodes, numbers = skeleton(formula, junctions=kind in _JUNCTIONS, timed=voltage)
        module = self.shapes.get((kind, shape))
        if module is None:
            same = 0 if self.distinct else sum(known == kind for known, _ in self.shapes)
            label = re.sub("[^a-z0-9]", "_", kind.lower()) + (f"_{same + 1}" if same else "")
            module = behavioural_module(self._name(label, repr(shape)), kind, shape, voltage=voltage)
            self.shapes[kind, shape] = module
        values = "".join(f" p{k}={number(value)}" for k, value in enumerate(numbers))
        return f"{name} ({' '.join((ends, *map(node_text, nodes)))}) {self._module(module)}{values}"


def _options(circuit: Circuit) -> Iterator[str]:
    """Options of the simulator: those that ngspice is given, in its words, and how it integrates."""
    yield 'rawfile="binary" strictoutput=0 strictsave=2'
    if circuit.options is None:
        # One ampere through one farad rounds at 1e-16/h amperes, so at a short step h no residual is ever below abstol.
        yield "reltol=1e-6 vntol=1e-12 abstol=1e-12 chgtol=1e-18 nr_residualcheck=0"
        # Of order 4: at steps of a tenth of a time constant it is as accurate as trapezoids at a hundredth.
        yield 'tran_method="am" tran_maxord=4'
        return
    given = dict(re.findall(r"([a-z0-9]+)=([a-z0-9.+-]+)", circuit.options))
    yield " ".join(f"{name}={number(float(given[name]))}" for name in ("reltol", "vntol", "abstol", "gmin") if name in given)
    yield f'tran_method="{"gear2" if given.get("method") == "gear" else "trap"}" tran_itl={int(given.get("itl4", "10"))}'


def _waves(deck: Deck) -> Iterator[str]:
    """Times and values of each noise source in the order of the circuit's elements.

    After each knot a second one follows at once, on the same line: the simulator takes its first step after a knot as long
    as the one before, at order 1 and without an estimate of its error, so only a short way makes it begin with a short step.
    """
    sources = deck.circuit.noises()
    if not sources:
        return
    tables = list(deck.tables.values())
    time = tables[0][:, 0]
    knots = np.hstack([table[:, 1:] for table in tables])
    for source, column in zip(sources, knots.T, strict=True):
        yield _restarting(time, column * deck.circuit.noise.amplitude(source.density))


def _restarting(time: np.ndarray, volts: np.ndarray) -> str:
    """Points of a waveform, and after each a second one."""
    both = np.sort(np.concatenate([time, time[:-1] + _RESTART * np.diff(time)]))
    values = np.interp(both, time, volts)
    return ", ".join(f"{at!r}, {value!r}" for at, value in zip(both.tolist(), values.tolist(), strict=True))


def _saved(vector: str) -> str:
    """What the bench saves for a vector; a current is that through a source, whose own name begins with v."""
    source = current_of(vector)
    return f"v({node_text(vector)})" if source is None else f"i(v_{identifier(source[1:])})"


def _column(vector: str) -> str:
    """Name in the raw file of what `_saved` asks for."""
    source = current_of(vector)
    return node_text(vector) if source is None else f"v_{identifier(source[1:])}:flow(br)"


def write_verilog_a(deck: Deck, path: str | Path, *, force: bool = False) -> tuple[Path, Path]:
    """Write the modules of a deck's circuit to `path`, and its test bench to the same name with the ending ``.sim``.

    There is one module for each kind of nonlinear block and for each macro-model. Deviations, noise and, where junctions
    make a function, the temperature are parameters of each instance. The bench runs alone: ``vacask FILE.sim``.

    Raises
    ------
    BadInput
        A file exists and `force` is false, the name does not end in ``.va`` or has a character that may not stand in a
        bench, or an element has no counterpart in Verilog-A.
    """
    path = Path(path)
    if path.suffix != ".va" or not _STEM.fullmatch(path.stem):
        raise BadInput(
            f"{path.name!r} can not name a file of Verilog-A; take letters, digits, '_', '-' and '.', with the ending .va."
        )
    beside = path.with_suffix(".sim")
    refuse_existing(path, beside, force=force)
    written = write_bench(deck)
    comments = [f"//{line[1:]}" for line in deck.header if not line.startswith("* run:")]
    modules = "\n".join((*comments, HEADER, *(module.text for module in written.modules)))
    header = (*comments, f"// run:       vacask {beside.name}")
    write_text(path, modules, force=force)
    write_text(beside, written.text([path.name], header), force=force)
    return path, beside
