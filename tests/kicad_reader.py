"""Reads a KiCad project as KiCad does, by geometry: which pins are joined. Shares no code with what writes it.

A wire joins at its ends and at junctions; a label joins wherever it stands on a wire, and joins labels of its name on its
sheet, a hierarchical label also the sheet's pin of its name, a global label and a symbol of power all of its name.
"""

import re
from pathlib import Path

TOKEN = re.compile(r'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|([^\s()"]+))')


def parsed(text):
    """Nested lists of words."""
    stack, position = [[]], 0
    for match in TOKEN.finditer(text):
        assert match.start() == position
        position = match.end()
        if match[1]:
            stack.append([])
        elif match[2]:
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(match[4] if match[3] is None else match[3].replace('\\"', '"').replace("\\\\", "\\"))
    assert text[position:].strip() == ""
    assert len(stack) == 1
    (top,) = stack[0]
    return top


def all_of(items, kind):
    return [item for item in items if isinstance(item, list) and item and item[0] == kind]


def one_of(items, kind):
    found = all_of(items, kind)
    return found[0] if found else []


def place(items):
    """Nanometres, and degrees where there are any."""
    x, y, *turn = one_of(items, "at")[1:]
    return (nanometres(x), nanometres(y)), float(turn[0]) if turn else 0.0


def nanometres(text):
    return round(1e6 * float(text))


def fields(symbol):
    return {item[1]: item[2] for item in all_of(symbol, "property")}


class Sheet:
    """Symbols, labels and wires of one file."""

    def __init__(self, path):
        top = parsed(Path(path).read_text(encoding="utf-8"))
        assert top[0] == "kicad_sch"
        self.top, self.library = top, {}
        for symbol in all_of(one_of(top, "lib_symbols"), "symbol"):
            for unit in all_of(symbol, "symbol"):
                number = int(unit[1].rsplit("_", 2)[1])
                for pin in all_of(unit, "pin"):
                    known = self.library.setdefault(symbol[1], {}).setdefault(number, {})
                    known[one_of(pin, "number")[1]] = (place(pin)[0], pin[1])
        self.power = {s[1] for s in all_of(one_of(top, "lib_symbols"), "symbol") if one_of(s, "power")}
        self.wires = [tuple((nanometres(p[1]), nanometres(p[2])) for p in one_of(w, "pts")[1:]) for w in all_of(top, "wire")]
        self.junctions = [place(item)[0] for item in all_of(top, "junction")]
        self.labels = [(kind, item[1], place(item)[0]) for kind in ("label", "hierarchical_label", "global_label")
                       for item in all_of(top, kind)]  # fmt: skip
        self.symbols = [self.symbol(item) for item in all_of(top, "symbol")]

    def symbol(self, item):
        (x, y), turn = place(item)
        library, unit = one_of(item, "lib_id")[1], int(one_of(item, "unit")[1])
        mirror = one_of(item, "mirror")
        pins = {}
        for number, ((u, v), kind) in self.library[library][unit].items():
            v = -v  # upwards in a library, downwards on a sheet
            for _ in range(round(turn / 90)):
                u, v = v, -u
            if mirror:
                u, v = (u, -v) if mirror[1] == "x" else (-u, v)
            pins[number] = ((x + u, y + v), kind)
        return {"library": library, "unit": unit, "pins": pins, "fields": fields(item), "item": item,
                "power": library in self.power}  # fmt: skip


def on(point, wire):
    (x, y), ((a, b), (c, d)) = point, wire
    return (c - a) * (y - b) == (d - b) * (x - a) and min(a, c) <= x <= max(a, c) and min(b, d) <= y <= max(b, d)


class Project:
    """A project: what is joined is one `net`; pins are (designator, number)."""

    def __init__(self, root):
        self.parent, self.pins, self.kinds, self.sheets, self.symbols, self.names = {}, {}, {}, {}, [], {}
        self.read(Path(root), "/")

    def find(self, key):
        self.parent.setdefault(key, key)
        while self.parent[key] != key:
            key = self.parent[key]
        return key

    def join(self, a, b):
        self.parent[self.find(a)] = self.find(b)

    def read(self, path, where):
        sheet = self.sheets[where] = Sheet(path)
        for k, wire in enumerate(sheet.wires):
            for end in wire:
                self.join((where, "wire", k), (where, end))
            for point in [*sheet.junctions, *(at for *_, at in sheet.labels)]:
                if on(point, wire):
                    self.join((where, "wire", k), (where, point))
        for kind, name, at in sheet.labels:
            self.join((where, at), ("global", name) if kind == "global_label" else (where, "label", name))
            self.names.setdefault(name, set()).add((where, at))
        for symbol in sheet.symbols:
            reference = symbol["fields"]["Reference"]
            for number, (at, kind) in symbol["pins"].items():
                if symbol["power"] and kind == "power_in":
                    self.join((where, at), ("global", symbol["fields"]["Value"]))
                else:
                    assert (reference, number) not in self.pins
                    self.pins[reference, number], self.kinds[reference, number] = (where, at), kind
            self.symbols.append((where, symbol))
        for box in all_of(sheet.top, "sheet"):
            told = fields(box)
            below = f"{where}{told['Sheetname']}/"
            self.read(path.parent / told["Sheetfile"], below)
            for pin in all_of(box, "pin"):
                self.join((where, place(pin)[0]), (below, "label", pin[1]))

    def net(self, reference, number):
        return self.find(self.pins[reference, number])

    def nets(self):
        """Pins by net."""
        found = {}
        for pin, key in self.pins.items():
            found.setdefault(self.find(key), []).append(pin)
        return found


WIDE, TALL = 1.15, 1.5
"""Millimetres of a letter as KiCad plots it, about: texts are of 1.27 mm."""


def texts(top):
    """Boxes in millimetres (left, top, right, bottom) of all that is written on a sheet, with what it says."""
    for item in top:
        if not isinstance(item, list):
            continue
        (x, y), turn = place(item) if one_of(item, "at") else ((0, 0), 0.0)
        if item[0] in ("label", "hierarchical_label", "global_label", "text"):
            yield from boxed(
                item[1], x, y, turn, one_of(one_of(item, "effects"), "justify"), item[0] not in ("label", "text")
            )
        elif item[0] == "symbol":
            for field in all_of(item, "property"):
                if field[1] in ("Reference", "Value") and not one_of(one_of(field, "effects"), "hide"):
                    (x, y), own = place(field)
                    sides = one_of(one_of(field, "effects"), "justify")
                    turned = {"left": "right", "right": "left"} if turn == 180 else {}
                    yield from boxed(field[2], x, y, (own + turn) % 180, [turned.get(side, side) for side in sides], False)


def boxed(text, x, y, turn, sides, arrow):
    x, y = x / 1e6, y / 1e6
    lines = text.split("\\n")
    long, tall = max(map(len, lines)) * WIDE + 1.5 * arrow, TALL * len(lines)
    first = 0.0 if "left" in sides else long if "right" in sides else long / 2
    if turn in (0, 180):
        above = tall if "bottom" in sides else tall / 2
        yield (x - first, y - above, x - first + long, y - above + tall), text
    else:
        yield (x - tall / 2, y - long + first, x + tall / 2, y + first), text
