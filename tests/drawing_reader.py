"""Reads a schematic back from the ink of its .svg file: components, terminals, nets, and what an engineer would object to.

It shares no code with what draws, and takes nothing on trust that ink can show: which terminal is an emitter is told by the
arrow, which input is inverting by the sign beside it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections import defaultdict
from xml.etree import ElementTree

import numpy as np

SVG = "{http://www.w3.org/2000/svg}"
NEAR = 0.02
"""Points within which two ends are one."""


@dataclasses.dataclass(frozen=True)
class Component:
    """A symbol: what it is, the lines and fillings of its body, leads from their outer ends, signs, and its value."""

    kind: str
    body: tuple
    pins: dict
    fills: tuple
    signs: dict
    value: str

    @property
    def box(self):
        points = [p for line in (*self.body, *self.fills) for p in line]
        return min(x for x, _ in points), min(y for _, y in points), max(x for x, _ in points), max(y for _, y in points)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Components by name, segments of wire, dots, grounds (upper ends), and named ends."""

    components: dict
    wires: tuple
    dots: tuple
    grounds: tuple
    names: tuple


def lines_of(element):
    """Lines of the paths of a group, as tuples of points; curves are kept by their ends."""
    lines = []
    for path in element.iter(f"{SVG}path"):
        for command, numbers in re.findall(r"([MLCQz])([^MLCQz]*)", path.get("d")):
            values = [float(n) for n in numbers.split()]
            if command == "M":
                lines.append([(values[0], values[1])])
            elif command != "z":
                lines[-1].append((values[-2], values[-1]))
    return tuple(map(tuple, lines))


def centre(lines):
    points = {p for line in lines for p in line}
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def read_drawing(svg):
    """The drawing in the text of an .svg file."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(svg, parser=parser)
    wires, dots, grounds, ends, texts = [], [], [], {}, {}
    parts: dict[tuple, dict] = defaultdict(lambda: {"pins": {}, "fills": {}, "signs": {}, "value": ""})
    for group in root.iter(f"{SVG}g"):
        name = group.get("id", "")
        match name.split("."):
            case ["wire", _]:
                wires += [pair for line in lines_of(group) for pair in itertools.pairwise(line)]
            case ["dot", _]:
                dots.append(centre(lines_of(group)))
            case ["ground", _]:
                grounds.append(min((p for line in lines_of(group) for p in line), key=lambda p: p[1]))
            case ["net", k]:
                ends[k] = centre(lines_of(group))
            case ["net", k, "name"]:
                texts[k] = comment_of(group)
            case [letter, part, "pin", terminal]:
                parts[letter, part]["pins"][terminal] = lines_of(group)[0]
            case [letter, part, "fill", number]:
                parts[letter, part]["fills"][number] = lines_of(group)[0]
            case [letter, part, "plus" | "minus" as sign]:
                parts[letter, part]["signs"][sign] = centre(lines_of(group))
            case [letter, part, "value"]:
                parts[letter, part]["value"] = comment_of(group)
            case [_, _, "letter"]:
                pass
            case [letter, part, kind]:
                assert "kind" not in parts[letter, part], f"{name} is drawn twice"
                parts[letter, part]["kind"], parts[letter, part]["body"] = kind, lines_of(group)
    components = {
        key: Component(
            found["kind"], found["body"], dict(found["pins"]), tuple(found["fills"].values()), dict(found["signs"]),
            found["value"],
        )
        for key, found in parts.items()
    }  # fmt: skip
    assert ends.keys() == texts.keys()
    return Drawing(components, tuple(wires), tuple(dots), tuple(grounds), tuple((texts[k], ends[k]) for k in ends))


def comment_of(group):
    """Text that was drawn as outlines: matplotlib writes it beside them."""
    (text,) = [child.text for child in group.iter() if child.tag is ElementTree.Comment]
    return text.strip()


def outer(component, terminal):
    """Where a wire joins a terminal: the end of its lead that is not at the body."""
    lead, box = component.pins[terminal], component.box
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return max((lead[0], lead[-1]), key=lambda p: math.dist(p, middle))


def on_segment(point, a, b):
    """Whether a point lies on a segment, ends included."""
    near, far = sorted((math.dist(a, point), math.dist(b, point)))
    return near < NEAR or near + far - math.dist(a, b) < 1e-4


def nets_of(drawing):
    """Net of every (letter, name, terminal), and the names that each net bears; ground is ``0``."""
    pins = {(*key, t): outer(c, t) for key, c in drawing.components.items() for t in c.pins}
    places = [*pins.values(), *(p for wire in drawing.wires for p in wire), *drawing.grounds, *(p for _, p in drawing.names)]
    root = list(range(len(places)))

    def find(k):
        while root[k] != k:
            k = root[k]
        return k

    # Cells of a few points, so that only neighbours are compared.
    cells = defaultdict(list)
    for k, (x, y) in enumerate(places):
        for i, j in itertools.product((-1, 0, 1), repeat=2):
            cells[round(x) + i, round(y) + j].append(k)
    for k, (x, y) in enumerate(places):
        for other in cells[round(x), round(y)]:
            if math.dist(places[k], places[other]) < NEAR:
                root[find(k)] = find(other)
    first = len(pins)
    for w in range(len(drawing.wires)):
        root[find(first + 2 * w)] = find(first + 2 * w + 1)
    for dot in drawing.dots:  # joins all that it lies on
        joined = [k for k in cells[round(dot[0]), round(dot[1])] if math.dist(places[k], dot) < NEAR]
        joined += [first + 2 * w for w, (a, b) in enumerate(drawing.wires) if on_segment(dot, a, b)]
        for k in joined[1:]:
            root[find(k)] = find(joined[0])
    bearers = defaultdict(set)
    start = first + 2 * len(drawing.wires)
    for k in range(len(drawing.grounds)):
        bearers["0"].add(find(start + k))
    for k, (name, _) in enumerate(drawing.names):
        bearers[name].add(find(start + len(drawing.grounds) + k))
    for same in bearers.values():
        one, *rest = same
        for k in rest:
            root[find(k)] = find(one)
    named = defaultdict(set)
    for name, same in bearers.items():
        named[find(next(iter(same)))].add(name)
    return {key: find(k) for k, key in enumerate(pins)}, named


@dataclasses.dataclass(frozen=True)
class Part:
    """An element of a netlist: its kind, its terminals' nodes, and its numbers."""

    kind: str
    nodes: dict
    values: tuple


TERMINALS = {
    "R": ("1", "2"), "C": ("1", "2"), "B": ("1", "2"), "V": ("plus", "minus"), "D": ("anode", "cathode"),
    "Q": ("collector", "base", "emitter"), "S": ("1", "2", "control", "0"), "G": ("1", "2"),
}  # fmt: skip


def read_netlist(text, amplifier):
    """Elements of a SPICE deck outside its subcircuits, by (letter, name)."""
    models = dict(re.findall(r"(?m)^\.model (\S+) (\w+)\(", text))
    ports = {name: rest.split(" params:")[0].split() for name, rest in re.findall(r"(?m)^\.subckt (\S+) (.*)$", text)}
    read = set(re.findall(r"i\(v([a-z0-9_]+)\)", text))
    outside = re.sub(r"(?ms)^\.subckt.*?^\.ends$", "", text)
    outside = re.sub(r"(?ms)^\.control.*?^\.endc$", "", outside)
    parts = {}
    for line in outside.splitlines()[1:]:
        head, *rest = line.split()[:1] or [""], *line.split()[1:]
        head = head[0]
        letter, name = head[:1], head[1:]
        if letter == "a":
            driven = line.partition("[")[2].partition("]")[0].split()
            parts |= {("A", node): Part("noise", {"plus": node, "minus": "0"}, ()) for node in driven[::2]}
        elif letter == "X":
            macro = next(word for word in rest if word in ports)
            nodes = dict(zip(ports[macro], rest, strict=False))
            parts[letter, name] = Part("amplifier" if macro == amplifier else macro, nodes, ())
        elif letter in TERMINALS:
            played = (letter == "B" and " v=" in line) or (letter == "V" and name.startswith("waveform"))
            nodes = dict(zip(TERMINALS["V" if played else letter], rest, strict=False))
            nodes.pop("0", None)
            model = rest[len(TERMINALS[letter])] if letter in "QS" else ""
            kind = {"R": "resistor", "C": "capacitor", "B": "limiter", "D": "diode", "S": "switch", "G": "controlled"}.get(
                letter
            )
            kind = kind or (models[model] if letter == "Q" else "step" if "pwl(" in line else "source")
            kind = "source" if played else kind
            kind = "ammeter" if letter == "V" and name in read else kind
            numbers = {"R": rest[2:3], "V": rest[2:3], "C": [rest[2], rest[3][3:]] if letter == "C" else [], "Q": rest[4:5]}
            numbers = numbers.get(letter, []) if kind != "step" and not played else []
            parts[letter, name] = Part(kind, nodes, tuple(float(n.removeprefix("area=")) for n in numbers))
    return parts


def differences(drawing, parts, *, whole=True):
    """What the drawing shows otherwise than the netlist, in words; `whole` if every part must be drawn."""
    said = []
    drawn = drawing.components
    said += [f"{key} is drawn and not in the netlist" for key in drawn.keys() - parts.keys()]
    said += [f"{key} is not drawn" for key in parts.keys() - drawn.keys() if whole]
    net_of, named = nets_of(drawing)
    node_of, nodes_net = {}, {}
    for key in drawn.keys() & parts.keys():
        component, part = drawn[key], parts[key]
        if component.kind != part.kind:
            said.append(f"{key} is drawn as {component.kind}, and is {part.kind}")
        if component.pins.keys() != part.nodes.keys():
            said.append(f"{key} has terminals {sorted(component.pins)} instead of {sorted(part.nodes)}")
        said += [f"{key}: {fault}" for fault in (*polarity_faults(component), *value_faults(component, part))]
        for terminal in component.pins.keys() & part.nodes.keys():
            net, node = net_of[(*key, terminal)], part.nodes[terminal]
            if node_of.setdefault(net, node) != node:
                said.append(f"{key} {terminal} is at {node_of[net]} and should be at {node}")
            if nodes_net.setdefault(node, net) != net:
                said.append(f"{key} {terminal} is not joined with the rest of {node}")
    said += [f"the net {node_of[net]} bears the names {sorted(names)}" for net, names in named.items()
             if net in node_of and names != {node_of[net]}]  # fmt: skip
    said += [f"the name {names} is at no terminal" for net, names in named.items() if net not in node_of]
    return said


def polarity_faults(component):
    """Where arrows, signs and tips tell another story than the names of terminals."""
    ends = {terminal: outer(component, terminal) for terminal in component.pins}

    def nearest(point, names):
        return min(names, key=lambda t: math.dist(point, ends[t]))

    said = []
    if component.kind in ("npn", "pnp"):
        tip, foot = arrow_of(component.fills[0])
        bar = component.body[0]
        emitter = nearest(tip, ("collector", "emitter"))
        outward = math.dist(tip, ends["emitter"]) < math.dist(foot, ends["emitter"])
        if emitter != "emitter" or nearest(foot, ("collector", "emitter")) != "emitter":
            said.append("its arrow is at the collector")
        if outward != (component.kind == "npn"):
            said.append("its arrow points the wrong way")
        inner = min((component.pins["base"][0], component.pins["base"][-1]), key=lambda p: math.dist(p, centre([bar])))
        if not on_segment(inner, *bar):
            said.append("its base is not at the bar")
        for terminal in ("collector", "emitter"):
            lead = component.pins[terminal]
            if not any(math.dist(end, p) < NEAR for end in (lead[0], lead[-1]) for line in component.body[1:] for p in line):
                said.append(f"its {terminal} hangs in the air")
    elif component.kind == "diode":
        if nearest(arrow_of(component.fills[0])[0], ("anode", "cathode")) != "cathode":
            said.append("it points to its anode")
    elif component.kind == "amplifier":
        if [nearest(component.signs[sign], ("p", "n", "o")) for sign in ("plus", "minus")] != ["p", "n"]:
            said.append("its signs are at the wrong inputs")
    elif component.kind in ("source", "step", "noise", "ammeter"):
        if any(nearest(at, ("plus", "minus")) != sign for sign, at in component.signs.items()) or len(component.signs) != 2:
            said.append("its signs are at the wrong ends")
    return said


def arrow_of(triangle):
    """Tip of a triangle, and the middle of its short side."""
    corners = list(dict.fromkeys(triangle))
    assert len(corners) == 3, triangle
    tip = max(corners, key=lambda p: min(math.dist(p, q) for q in corners if q != p))
    (x, y), (u, v) = [p for p in corners if p != tip]
    return tip, ((x + u) / 2, (y + v) / 2)


PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}


def number_of(text):
    """Number at the beginning of a text, with the prefix of its unit."""
    found = re.match(r"×?(-?[0-9.]+(?:e[-+]?\d+)?)\s?([fpnµmkMG]?)", text)
    assert found, text
    return float(found[1]) * PREFIX.get(found[2], 1.0)


def value_faults(component, part):
    """Where the value beside a symbol is another than the netlist's, to three digits."""
    if not part.values or component.kind == "ammeter":
        return []
    wanted = part.values[0]
    shown = number_of(component.value) if component.value else 1.0
    said = [] if math.isclose(shown, wanted, rel_tol=5.1e-3, abs_tol=1e-8) else [f"it says {component.value!r} for {wanted}"]
    if component.kind == "capacitor":
        initial = part.values[1]
        charge = number_of(component.value.split(", ")[1]) if ", " in component.value else 0.0
        if not math.isclose(charge, abs(initial), rel_tol=5.1e-4, abs_tol=1e-8):
            said.append(f"it says {component.value!r} for {initial} V")
        if charge:
            near = min("12", key=lambda t: math.dist(component.signs["plus"], outer(component, t)))
            if near != ("1" if initial > 0 else "2"):
                said.append("its initial voltage has the other sign")
    return said


def objections(drawing):
    """What makes a drawing unclear: things upon each other, wires that end in nothing, joints without a dot."""
    keys, components = [*drawing.components], [*drawing.components.values()]
    boxes = np.array([c.box for c in components])
    pins = [outer(c, t) for c in components for t in c.pins]
    leads = [(k, lead[0], lead[-1]) for k, c in enumerate(components) for lead in c.pins.values()]
    wires = np.array(drawing.wires).reshape(-1, 2, 2)
    lines = np.concatenate([wires, np.array([ends for _, *ends in leads])])
    owners = np.array([-1] * len(wires) + [k for k, *_ in leads])
    ends = np.array([*pins, *wires.reshape(-1, 2), *drawing.grounds, *(p for _, p in drawing.names)])
    said = []

    upon = _overlap(boxes, boxes)
    said += [f"{keys[i]} and {keys[j]} overlap" for i, j in zip(*np.nonzero(np.triu(upon, 1)), strict=True)]
    around = np.concatenate([lines.min(axis=1) - 2 * NEAR, lines.max(axis=1) + 2 * NEAR], axis=1)
    through = _overlap(around, boxes, 3 * NEAR) & (owners[:, None] != np.arange(len(boxes)))
    said += [f"a wire at {lines[i, 0]} runs through {keys[j]}" for i, j in zip(*np.nonzero(through), strict=True)]

    met = (_distance(ends, ends) < NEAR).sum(axis=1)
    dotted = (_distance(ends, np.array(drawing.dots).reshape(-1, 2)) < NEAR).any(axis=1)
    starts, stops = _distance(ends, wires[:, 0]), _distance(ends, wires[:, 1])
    span = starts + stops - np.linalg.norm(wires[:, 0] - wires[:, 1], axis=1)
    within = ((span < 1e-4) & (np.minimum(starts, stops) > NEAR)).any(axis=1)
    said += [f"an end hangs in the air at {p}" for p in ends[(met < 2) & ~within]]
    said += [f"ends meet without a dot at {p}" for p in ends[(met > 2) & ~dotted]]
    said += [f"an end lies on a wire without a dot at {p}" for p in ends[within & ~dotted]]

    low, high = wires.min(axis=1), wires.max(axis=1)
    flat = high[:, 1] - low[:, 1] < NEAR
    assert (flat | (high[:, 0] - low[:, 0] < NEAR)).all(), "a wire is askew"
    x, y = low[~flat, 0], low[flat, 1]
    crossed = (low[flat, 0][:, None] + NEAR < x) & (x < high[flat, 0][:, None] - NEAR)
    crossed &= (low[~flat, 1] + NEAR < y[:, None]) & (y[:, None] < high[~flat, 1] - NEAR)
    return said + [f"wires cross at {(x[j], y[i])}" for i, j in zip(*np.nonzero(crossed), strict=True)]


def _distance(a, b):
    """Distances of points, shape (n, 2), from points, shape (m, 2)."""
    return np.linalg.norm(a[:, None] - b[None], axis=-1)


def _overlap(a, b, least=NEAR):
    """Whether boxes, shape (n, 4), share more than a strip of a width with boxes, shape (m, 4)."""
    a, b = a[:, None], b[None]
    wide = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    tall = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return (wide > least) & (tall > least)
