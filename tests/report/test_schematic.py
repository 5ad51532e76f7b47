"""Schematics: a drawing that is read back from its ink is the netlist, and nothing lies on anything else."""

import dataclasses
import functools
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from drawing_reader import differences, objections, read_drawing, read_netlist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath

import analogflow as af
from analogflow.compiler import carried_form
from analogflow.errors import BadInput
from analogflow.families import FAMILIES, flow_of
from analogflow.families.files import read_problem
from analogflow.hardware.parts_list import parts_list
from analogflow.noise import Noise
from analogflow.problems import Attention, Channel, Hopfield, RateDistortion, Transport
from analogflow.report import schematic
from analogflow.report.figure import style
from analogflow.report.schematic.pictures import INCH, SMALL, _width, text_width
from analogflow.report.schematic.stages import Amplifier, Array, stages_of

DATA = Path(__file__).parents[2] / "examples"
PROBLEMS = {
    "capacity": Channel([[0.7, 0.3], [0.1, 0.9]]),
    "rate_distortion": RateDistortion(source=[0.6, 0.4], distortion=1 - np.eye(2), beta=2.0),
    "transport": Transport(cost=1 - np.eye(2), row=[0.3, 0.7], column=[0.6, 0.4], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0], [0.6, 0.8]], B=np.eye(2), V=np.eye(2), beta=1.0, time=1.0),
    "hopfield": Hopfield(
        U=[[0.3, 0.0], [0.1, 0.2]], I=[0.5, -0.5], gain_v=np.eye(2), gain_h=np.eye(2), activation="tanh", temperature=0.0
    ),
}
CASES = [
    *(("opamp", family, None) for family in PROBLEMS),
    ("translinear", "capacity", None),
    ("translinear", "rate_distortion", "logarithmic"),
    ("translinear", "transport", "scaling"),
]
FORMS = [
    *(("capacity", form) for form in ("accelerated", "replicator", "normalised", "printed")),
    ("attention", "zero-temperature"),
    *(("rate_distortion", form) for form in ("gibbs", "logarithmic")),
    ("transport", "scaling"),
]
EXAMPLES = sorted((*DATA.glob("data/*.*"), *DATA.glob("flows/*.toml")))


@functools.cache
def compiled(technology, family, form=None):
    flow = getattr(af.flows, family)(PROBLEMS[family], **({"form": form} if form else {}))
    return af.compile(flow, technology=technology)


def figure_and_drawing(circuit):
    figure, text = af.draw_circuit(circuit), io.StringIO()
    with style():
        figure.savefig(text, format="svg")
    return figure, read_drawing(text.getvalue())


def listed(circuit):
    return read_netlist(af.netlist(circuit).text, circuit.parts.op_amp.name)


@functools.cache
def drawn(technology, family, form=None):
    circuit = compiled(technology, family, form)
    return *figure_and_drawing(circuit), listed(circuit)


def check(figure, drawing, parts, *, whole=True):
    assert differences(drawing, parts, whole=whole) == []
    assert objections(drawing) == []
    assert covered_texts(figure, drawing) == []


def covered_texts(figure, drawing):
    """Pairs of texts, and of a text and a symbol, that lie on each other."""
    renderer, scale = FigureCanvasAgg(figure).get_renderer(), 72 / figure.dpi
    height = figure.bbox.height * scale
    texts = [text for text in figure.axes[0].texts if not str(text.get_gid()).endswith("letter")]
    boxes = []
    for text in texts:
        left, low, right, high = text.get_window_extent(renderer).extents * scale
        boxes.append((text.get_text(), (left, height - high, right, height - low)))
    symbols = [(str(key), component.box) for key, component in drawing.components.items()]
    return [
        (one, other)
        for (one, a), (other, b) in (*itertools.combinations(boxes, 2), *itertools.product(boxes, symbols))
        if min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5
    ]


@pytest.mark.slow
@pytest.mark.parametrize("technology, family, form", CASES)
def test_a_drawing_read_back_is_the_netlist(technology, family, form):
    check(*drawn(technology, family, form))


@pytest.mark.slow
@pytest.mark.parametrize("family, form", FORMS)
def test_a_drawing_of_any_form_read_back_is_the_netlist(family, form):
    check(*drawn("opamp", family, form))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_with_preferred_values_read_back_is_the_netlist(path, technology):
    named = (family for family in FAMILIES if path.stem.startswith(family.replace("-", "_")))
    family = "custom" if path.suffix == ".toml" else next(named, "capacity")
    problem = read_problem(str(path)) if family == "custom" else read_problem(family, path)
    flow = flow_of(problem, carried_form(problem, technology))
    try:
        circuit = af.choose_values(af.compile(flow, technology=technology))
    except (BadInput, af.NoCell) as refusal:
        pytest.skip(str(refusal))
    check(*figure_and_drawing(circuit), listed(circuit))


@pytest.mark.slow
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_a_noisy_circuit_is_drawn_with_its_sources(technology):
    circuit = af.degrade(compiled(technology, "capacity"), noise=Noise(0.1, seed=1))
    figure, drawing = figure_and_drawing(circuit)
    check(figure, drawing, listed(circuit))
    assert sum(component.kind == "noise" for component in drawing.components.values()) == 2


def caught(drawing, parts):
    return [*differences(drawing, parts), *objections(drawing)]


def swapped(component, one, other):
    pins = dict(component.pins)
    pins[one], pins[other] = pins[other], pins[one]
    return dataclasses.replace(component, pins=pins)


@pytest.mark.parametrize("apart", [23, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("technology, family, form", [CASES[2], pytest.param(*CASES[5], marks=pytest.mark.slow)])
def test_every_planted_fault_is_found(technology, family, form, apart):
    _, drawing, parts = drawn(technology, family, form)
    few = slice(None, None, apart)  # of wires and names; each takes a reading of the whole
    for k in range(len(drawing.wires))[few]:
        assert caught(dataclasses.replace(drawing, wires=drawing.wires[:k] + drawing.wires[k + 1 :]), parts), drawing.wires[
            k
        ]
    for k, (name, at) in [*enumerate(drawing.names)][few]:
        others = drawing.names[:k] + drawing.names[k + 1 :]
        assert caught(dataclasses.replace(drawing, names=others), parts), name
        assert differences(dataclasses.replace(drawing, names=(*others, ("another", at))), parts), name
    first = {component.kind: key for key, component in reversed(drawing.components.items())}
    for kind, key in first.items():
        component, rest = drawing.components[key], {k: c for k, c in drawing.components.items() if k != key}

        def found(changed, rest=rest):
            return differences(dataclasses.replace(drawing, components=rest | changed), parts)

        assert found({}), key
        one, other, *_ = component.pins
        if kind not in ("resistor", "switch", "limiter", "capacitor"):
            assert found({key: swapped(component, one, other)}), key
        if kind in ("npn", "pnp"):
            assert any("arrow" in said for said in found({key: swapped(component, "collector", "emitter")}))
            turned = dataclasses.replace(component, kind={"npn": "pnp", "pnp": "npn"}[kind])
            assert any("points the wrong way" in said for said in found({key: turned}))
    one, other, *_ = drawing.components
    moved = dataclasses.replace(drawing.components[one], body=drawing.components[other].body)
    both = dataclasses.replace(drawing, components=drawing.components | {one: moved})
    assert any("overlap" in said for said in objections(both))


def test_a_short_between_two_nets_is_found():
    _, drawing, parts = drawn("translinear", "capacity", None)
    (_, one), (_, other) = next(pair for pair in itertools.combinations(drawing.names, 2) if pair[0][0] != pair[1][0])
    short = dataclasses.replace(drawing, wires=(*drawing.wires, (one, other)))
    assert any("should be at" in said for said in differences(short, parts))


def test_a_charge_of_the_other_sign_is_found():
    _, drawing, parts = drawn("translinear", "capacity", None)
    key = next(key for key, component in drawing.components.items() if component.kind == "capacitor" and component.signs)
    turned = dataclasses.replace(parts[key], values=(parts[key].values[0], -parts[key].values[1]))
    assert [said for said in differences(drawing, parts | {key: turned}) if "initial voltage" in said]


@pytest.mark.few(4)
@pytest.mark.parametrize("technology, family, form", CASES)
def test_every_part_belongs_to_one_stage_and_the_parts_list_names_it(technology, family, form):
    circuit = compiled(technology, family, form)
    staged = [e for _, stages in stages_of(circuit) for stage in stages for e in stage.elements]
    assert len(staged) == len(set(staged))
    assert set(staged) == set(circuit.elements)
    _, drawing, _ = drawn(technology, family, form)
    kinds = [component.kind for component in drawing.components.values()]
    assert sum(entry.count for entry in parts_list(circuit).entries) == len(kinds) - kinds.count("ammeter")


def test_it_is_drawn_with_the_same_bytes_twice(tmp_path):
    figure, _, _ = drawn("translinear", "capacity", None)
    assert "translinear" in figure.axes[0].get_title(loc="left")
    one, other = (af.save_figure(figure, tmp_path / name) for name in ("one.svg", "other.svg"))
    assert one.read_bytes() == other.read_bytes()


def test_stages_are_what_an_engineer_would_call_them():
    stages = {group.block: found for group, found in stages_of(compiled("translinear", "capacity"))}
    (array,) = [s for s in stages["z0"] if isinstance(s, Array) and len(s.meters) == 2]
    assert [t.nodes[1] for t in array.transistors] == ["u0", "u1"]
    (log,) = stages["log0"]
    assert isinstance(log, Amplifier)
    assert log.drive is not None
    assert [type(chain[0]).__name__ for chain in log.feedback] == ["BipolarTransistor"]
    assert [type(element).__name__ for element in log.inner] == ["Capacitor"]
    (row,) = stages["u0"]
    assert isinstance(row, Amplifier)
    assert {net for _, net in row.inverting} == {"v0", "v1", "va"}
    assert {type(chain[0]).__name__ for chain in row.feedback} == {"Capacitor", "Switch"}


def test_a_large_circuit_is_drawn_in_part_and_says_so(monkeypatch):
    circuit = compiled("opamp", "transport", None)
    every = [stage for _, stages in stages_of(circuit) for stage in stages]
    monkeypatch.setattr(schematic, "MOST", len(every) - 1)
    figure, drawing = figure_and_drawing(circuit)
    assert differences(drawing, listed(circuit), whole=False) == []
    assert objections(drawing) == []
    assert len(drawing.components) < 0.6 * len(circuit.elements)
    assert f"{len(drawing.components)} of {len(circuit.elements)} parts" in figure.axes[0].get_title(loc="left")
    notes = [text.get_text().partition("drawn once for ")[2] for text in figure.axes[0].texts if text.get_gid() is None]
    counts = [int(n) for note in notes if note for n in note.removesuffix(" alike").split(", ")]
    alone = sum(len(stages) for _, note, stages in schematic._kept(circuit)[0] if not note)
    assert sum(counts) + alone == len(every)


@pytest.mark.parametrize("text", ["R12 10 kΩ", "∂tanh(u) + …", "e", "C", "(s)", "-", "ôÖ≤∑ q = P.T @ z", "1.5 V"])
def test_a_text_is_as_wide_as_its_ink(text):
    ink = TextPath((0, 0), text, size=SMALL, prop=FontProperties(family="DejaVu Sans")).get_extents()
    assert text_width(text) == pytest.approx(ink.width / (72 * INCH), rel=1e-12)


def test_a_curve_beyond_its_ends_counts():
    bent = Outline([(0, 0), (4, 1), (1, 2), (-3, 3), (0, 4)], [Outline.MOVETO, *[Outline.CURVE3] * 4])
    assert _width(bent) == pytest.approx(bent.get_extents().width, rel=1e-12)
    assert bent.get_extents().width > 2


def test_ideal_elements_have_no_schematic():
    with pytest.raises(BadInput, match=r"'ideal' has no schematic; take 'opamp' or 'translinear'"):
        af.draw_circuit(af.compile(af.flows.capacity(PROBLEMS["capacity"])))
