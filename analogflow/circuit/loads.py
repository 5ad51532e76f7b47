"""What the outputs of amplifiers and multipliers must deliver: from how far nodes go, and the resistors at each output."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from analogflow.circuit.build import PartSet
from analogflow.circuit.elements import BipolarTransistor, Capacitor, Diode, Element, Instance, Resistor, VoltageSource
from analogflow.errors import BadInput

__all__ = ["ABOVE", "Levels", "check_loads", "loads"]


ABOVE = 2.5
"""Times that bounds are above what outputs deliver along a path, at least: 2.6 to 46 in circuits of both technologies."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Levels:
    """How far the nodes of a circuit go.

    Parameters
    ----------
    volts : mapping of block to float
        Largest magnitude of the nodes that a block drives, from ground or from a level that all share.
    others : float
        That of all other outputs.
    junction : float
        That of an emitter.
    current : float
        Amperes that one transistor carries at most.
    """

    volts: Mapping[str, float] = dataclasses.field(default_factory=dict)
    others: float
    junction: float
    current: float


def loads(elements: Iterable[Element], levels: Levels, amplifier: str) -> dict[str, float]:
    """Amperes that each part's output must deliver at most, by the name of its instance; its last port is its output.

    `amplifier` is the macro-model of amplifiers: with ports +, − and output.

    All voltages are taken at the end of their range that is worst: a node that resistors alone hold divides them, an
    amplifier's inputs are alike, an integrator takes what its legs bring, and what goes to an emitter is what transistors
    carry and what else hangs there. What amplifiers deliver before they have found their operating point is not meant.
    """
    elements = list(elements)
    bench = _Bench(elements, levels, amplifier)
    return {e.name: bench.delivered(e.nodes[-1]) for e in elements if isinstance(e, Instance)}


def check_loads(elements: Iterable[Element], levels: Levels, parts: PartSet) -> None:
    """Refuse outputs that would have to deliver more than they are rated for.

    Bounds add up what never comes together, so that one has to lie as far beyond as it lies above what is delivered.

    Raises
    ------
    BadInput
        One does; the sentence names it.
    """
    elements = list(elements)
    instances = {e.name: e for e in elements if isinstance(e, Instance)}
    for name, current in loads(elements, levels, parts.op_amp.name).items():
        macro = instances[name].macro
        rated = next(p.output_current for p in (parts.op_amp, parts.multiplier, parts.divider) if macro.startswith(p.name))
        if current > ABOVE * rated:
            node, needed, allowed = instances[name].nodes[-1], f"{1e3 * current:.3g} mA", f"{1e3 * rated:.3g} mA"
            raise BadInput(
                f"output: {name!r}, which drives node {node!r}, must deliver up to {needed}, and {macro} is rated for "
                f"{allowed} (output_current); take parts that deliver more, or the technology 'ideal'."
            )


class _Bench:
    """Nodes of a circuit with what is joined to them."""

    def __init__(self, elements: list[Element], levels: Levels, amplifier: str) -> None:
        self.levels = levels
        self.joined: dict[str, list[tuple[str, float]]] = defaultdict(list)
        self.collectors: dict[str, int] = defaultdict(int)
        self.emitters: dict[str, int] = defaultdict(int)
        self.diodes: dict[str, list[str]] = defaultdict(list)
        self.fixed = {"0": 0.0}
        outputs = {e.nodes[-1] for e in elements if isinstance(e, Instance)}
        minus: dict[str, str] = {}
        self.capacitors: set[tuple[str, ...]] = set()
        self.inverting: dict[str, str] = {}
        self.found: dict[str, tuple[float, float]] = {}
        for element in elements:
            match element:
                case Resistor(nodes=(one, other), resistance=ohms):
                    self.joined[one].append((other, ohms))
                    self.joined[other].append((one, ohms))
                case BipolarTransistor():
                    self.collectors[element.nodes[0]] += 1
                    self.emitters[element.nodes[2]] += 1
                case Diode(nodes=(anode, cathode)):
                    self.diodes[anode].append(cathode)
                    self.diodes[cathode].append(anode)
                case VoltageSource(nodes=(one, "0"), voltage=volts):
                    self.fixed[one] = volts
                case Instance(nodes=(plus, inverting, output), macro=macro) if macro == amplifier and inverting != output:
                    minus[inverting] = plus
                    self.inverting[output] = inverting
                case Capacitor():
                    self.capacitors |= {element.nodes, element.nodes[::-1]}
                case _:
                    pass
        self.minus, self.outputs = minus, outputs

    def delivered(self, output: str) -> float:
        """Amperes that an output delivers: to resistors, also behind a diode, and to a capacitor that integrates."""
        rectified = [end for end in self.diodes[output] if end not in self.minus]
        behind = [*self.joined[output], *(found for end in rectified for found in self.joined[end])]
        total = sum(self.drawn(output, node, ohms) for node, ohms in behind)
        summing = self.inverting.get(output, "")
        if (summing, output) in self.capacitors and all(node != output for node, _ in self.joined[summing]):
            total += sum(self.drawn(node, summing, ohms) for node, ohms in self.joined[summing])
        return total

    def volts(self, node: str) -> tuple[float, float]:
        """Least and largest voltage of a node."""
        if node not in self.found:
            self.found[node] = (-self.levels.others, self.levels.others)  # until it is known, for what hangs on itself
            self.found[node] = self._volts(node)
        return self.found[node]

    def _volts(self, node: str) -> tuple[float, float]:
        if node in self.fixed:
            return self.fixed[node], self.fixed[node]
        if node in self.minus:
            return self.volts(self.minus[node])
        block, _, k = node.rpartition("_")
        most = self.levels.volts.get(block, self.levels.others) if k.isdecimal() else self.levels.others
        if node in self.outputs:
            low, high = self._amplified(node)
            return max(low, -most), min(high, most)
        if node in self.emitters:
            return -self.levels.junction, self.levels.junction
        joined = self.joined[node]
        if not joined or block in self.levels.volts:
            return -most, most
        total = sum(1 / ohms for _, ohms in joined)
        ends = [(self.volts(other), ohms) for other, ohms in joined]
        return sum(low / ohms for (low, _), ohms in ends) / total, sum(high / ohms for (_, high), ohms in ends) / total

    def _amplified(self, output: str) -> tuple[float, float]:
        """Least and largest output of a summing amplifier, whose summing node transistors draw from; of others no limits."""
        summing = self.inverting.get(output, "")
        feedback = [ohms for node, ohms in self.joined[summing] if node == output]
        if not feedback:
            return -math.inf, math.inf
        resistance = 1 / sum(1 / ohms for ohms in feedback)
        low, high = least, most = self.volts(summing)
        high += resistance * self.levels.current * self.collectors[summing]
        for node, ohms in self.joined[summing]:
            if node != output:
                below, above = self.volts(node)
                low, high = low + resistance * (least - above) / ohms, high + resistance * (most - below) / ohms
        return low, high

    def held(self, node: str) -> bool:
        """Whether something else than resistors decides a node's voltage."""
        return any(node in those for those in (self.fixed, self.minus, self.outputs, self.emitters))

    def series(self, before: str, node: str, ohms: float) -> tuple[str, float]:
        """Where resistors in series end, such as a string between amplifiers with bases at its taps, and their sum."""
        seen = {before}
        while not self.held(node) and node not in seen and len(self.joined[node]) == 2:
            seen.add(node)
            (following,) = [pair for pair in self.joined[node] if pair[0] != before] or [(node, 0.0)]
            before, (node, more) = node, following
            ohms += more
        return node, ohms

    def drawn(self, output: str, node: str, ohms: float) -> float:
        """Amperes from an output through a resistor to a node."""
        least, most = self.volts(output)
        others = [(other, r) for other, r in self.joined[node] if other != output]
        if node in self.emitters and node not in self.minus:
            farthest = [max(map(abs, self.volts(other))) for other, _ in others]
            hanging = sum((self.levels.junction + volts) / r for volts, (_, r) in zip(farthest, others, strict=True))
            return self.emitters[node] * self.levels.current + hanging
        end, series = self.series(output, node, ohms)
        if self.held(end):
            low, high = self.volts(end)
            return max(most - low, high - least) / series
        total = sum(1 / r for _, r in self.joined[node])
        own = 1 - 1 / (ohms * total)
        below, above = (sum(self.volts(other)[end] / (r * total) for other, r in others) for end in (0, 1))
        return max(own * most - below, above - own * least) / ohms
