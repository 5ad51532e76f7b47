"""Verilog-A modules: one for each kind of nonlinear block, one for each macro-model, and the parts a simulator may lack."""

from __future__ import annotations

import dataclasses
import re

from analogflow.blocks.imperfections import NOMINAL_TEMPERATURE
from analogflow.circuit import Behavioural, Capacitor, Element, Macro, Resistor
from analogflow.errors import BadInput
from analogflow.names import comment, identifier, number
from analogflow.netlister.verilog_a.formulas import Skeleton, skeleton

__all__ = ["CONDUCTOR", "HEADER", "INTEGRATOR", "NOISE", "SWITCH", "Module", "behavioural_module", "macro_module"]

HEADER = '`include "constants.vams"\n`include "disciplines.vams"\n'
"""What a file of modules begins with."""

_INSTANCE = '(* type="instance", desc="{}" *) parameter real {} = {};'


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """One module: its name and its text, without the header of the file."""

    name: str
    text: str


def behavioural_module(name: str, kind: str, shape: Skeleton) -> Module:
    """Module of a current given by a formula; every instance gives the numbers in it.

    Its current flows from port ``a`` to port ``b``. A deviation of the output, its noise, and where junctions make the
    function the temperature, are parameters of each instance.
    """
    ports = ", ".join(["a", "b", *(f"x{k}" for k in range(shape.ports))])
    parameters = [_INSTANCE.format("number in the formula", f"p{k}", "1.0") for k in range(shape.numbers)]
    parameters += [
        _INSTANCE.format("relative deviation of the output", "mismatch", "0.0"),
        _INSTANCE.format("white noise of the output, A^2/Hz", "noise", "0.0"),
    ]
    lines = [f"I(a, b) <+ (1.0 + mismatch)*({shape.text});", 'I(a, b) <+ white_noise(noise, "output");']
    declared = []
    if shape.thermal:
        nominal = number(NOMINAL_TEMPERATURE)
        parameters.append(_INSTANCE.format("of the junctions, kelvin", "temperature", nominal))
        declared, lines = ["real warm;"], [f"warm = temperature/{nominal};", *lines]
    inputs = "".join(f" input x{k};" for k in range(shape.ports))
    body = (f"inout a, b;{inputs}", f"electrical {ports};", *parameters, *declared)
    head = f"// {comment(kind)}: the current from a to b is {comment(shape.text, width=1000)}"
    return Module(name, _module(head, name, ports, body, lines))


def macro_module(macro: Macro, name: str) -> Module:
    """Module of a macro-model made of formulas, resistors and capacitors; its resistors make noise.

    Raises
    ------
    BadInput
        It holds an element of another kind, or a formula that has no counterpart.
    """
    inner = sorted({node for element in macro.elements for node in element.nodes} - {*macro.ports, "0"})
    local = {port: f"t_{identifier(port)}" for port in macro.ports} | {node: f"n_{identifier(node)}" for node in inner}
    parameters = [
        _INSTANCE.format("of this part", identifier(parameter), number(value)) for parameter, value in macro.parameters
    ]
    lines = [line for element in macro.elements for line in _inside(element, local, macro.name)]
    ports = ", ".join(local[port] for port in macro.ports)
    body = (f"inout {ports};", f"electrical {', '.join(local.values())};", *parameters)
    return Module(name, _module(f"// {comment(macro.note)}", name, ports, body, lines))


def _inside(element: Element, local: dict[str, str], macro: str) -> list[str]:
    """Contributions of one element of a macro-model."""
    ends = ", ".join(local[node] for node in element.nodes if node != "0")
    match element:
        case Behavioural():
            shape, _, _ = skeleton(element.expression, local=local)
            sign = "-" if element.nodes[0] == "0" else ""  # a contribution to one node flows out of it
            return [f"I({ends}) <+ {sign}({shape.text});"]
        case Resistor():
            thermal = f"4.0*`P_K*$temperature/{number(element.resistance)}"
            return [
                f"I({ends}) <+ V({ends})/{number(element.resistance)};",
                f'I({ends}) <+ white_noise({thermal}, "{identifier(element.name)}");',
            ]
        case Capacitor():
            return [f"I({ends}) <+ ddt({number(element.capacitance)}*V({ends}));"]
    raise BadInput(
        f"element {element.name!r} of the macro-model {macro!r} has no counterpart in Verilog-A; write the circuit as SPICE."
    )


def _module(head: str, name: str, ports: str, body: tuple[str, ...], lines: list[str]) -> str:
    declared = "\n".join(f"  {line}" for line in body)
    contributions = "\n".join(f"    {line}" for line in lines)
    if re.search(r"[^\n -~]", head + declared + contributions):
        raise BadInput(
            f"the module {name!r} would hold a character that may not stand in Verilog-A; write the circuit as SPICE."
        )
    return f"{head}\nmodule {name}({ports});\n{declared}\n  analog begin\n{contributions}\n  end\nendmodule\n"


CONDUCTOR = Module(
    "af_resistor",
    _module(
        "// ideal resistor: no noise",
        "af_resistor",
        "a, b",
        ("inout a, b;", "electrical a, b;", _INSTANCE.format("ohms", "r", "1.0")),
        ["I(a, b) <+ V(a, b)/r;"],
    ),
)
"""Resistor of an ideal circuit."""

INTEGRATOR = Module(
    "af_integrator",
    _module(
        "// integrator: a capacitor from y to ground, started by the simulator's initial conditions",
        "af_integrator",
        "y",
        (
            "inout y;",
            "electrical y;",
            _INSTANCE.format("farads", "c", "1.0"),
            _INSTANCE.format("relative deviation of the capacitor", "mismatch", "0.0"),
            _INSTANCE.format("conductance that leaks, siemens", "leak", "0.0"),
            _INSTANCE.format("white noise at the input, A^2/Hz", "noise", "0.0"),
        ),
        ["I(y) <+ ddt(c*(1.0 + mismatch)*V(y)) + leak*V(y);", 'I(y) <+ white_noise(noise, "input");'],
    ),
)
"""Capacitor to ground of an ideal circuit."""

NOISE = Module(
    "af_noise",
    _module(
        "// node of a noise source: one ohm, into which the current of a waveform flows, and its small-signal noise",
        "af_noise",
        "y",
        ("inout y;", "electrical y;", _INSTANCE.format("white noise, V^2/Hz, one-sided", "noise", "0.0")),
        ["I(y) <+ V(y);", 'I(y) <+ white_noise(noise, "source");'],
    ),
)
"""Node that a waveform of noise drives."""

SWITCH = Module(
    "af_switch",
    _module(
        "// switch: its logarithm of conductance goes smoothly from off to on while the control passes vt - vh to vt + vh",
        "af_switch",
        "a, b, x",
        (
            "inout a, b; input x;",
            "electrical a, b, x;",
            *(
                f'(* desc="{what}" *) parameter real {name} = {value};'
                for name, value, what in (
                    ("vt", "0.5", "threshold, volts"),
                    ("vh", "0.1", "half the width of the transition, volts"),
                    ("ron", "1.0", "ohms"),
                    ("roff", "1e12", "ohms"),
                )
            ),
            "real s;",
        ),
        [
            "s = min(max(0.5 + 0.5*(V(x) - vt)/vh, 0.0), 1.0);",
            "I(a, b) <+ V(a, b)*exp(-ln(roff) - s*s*(3.0 - 2.0*s)*ln(ron/roff));",
        ],
    ),
)
"""Switch between two nodes, which the simulator does not have."""
