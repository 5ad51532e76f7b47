"""Figures are written whole or not at all, are the same bytes each time, and show what they should."""

import re

import numpy as np
import pytest
from zoo import PAPER

from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.families import FAMILIES
from analogflow.families.files import problem_of_keys
from analogflow.flows import Flow, capacity
from analogflow.problems import Attention, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.report import draw_blocks, history_table, plot_capacity, plot_of, save_figure, solution_table
from analogflow.solution import solve


@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised", "printed"])
def test_diagram_has_a_box_for_each_block_and_an_arrow_for_each_signal(form):
    graph = compile(capacity(PAPER, form=form)).graph
    axes = draw_blocks(graph, title="a title").axes[0]
    boxes = [patch for patch in axes.patches if type(patch).__name__ == "FancyBboxPatch"]
    arrows = [patch for patch in axes.patches if type(patch).__name__ == "FancyArrowPatch"]
    assert len(boxes) == len(graph)
    assert len(arrows) == len(set(graph.network.edges())) - len(graph.states)
    labels = {text.get_text() for text in axes.texts}
    assert {"∫", "ln"} <= labels
    assert any("capacity_nats" in label for label in labels)


def test_no_two_boxes_overlap():
    graph = compile(capacity(PAPER, form="replicator")).graph
    boxes = [p for p in draw_blocks(graph).axes[0].patches if type(p).__name__ == "FancyBboxPatch"]
    corners = [(p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in boxes]
    for k, a in enumerate(corners):
        for b in corners[:k]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_rates_of_several_states_lead_back_apart_and_are_named_once():
    graph = compile(Flow(lambda a, b: (b, -a), {"a": np.ones(1), "b": np.ones(1)})).graph
    axes = draw_blocks(graph).axes[0]
    turns = [(line.get_xdata()[1], line.get_ydata()[2], line.get_xdata()[3]) for line in axes.lines]
    assert len(turns) == 2
    assert all(abs(a - b) > 0.1 for a, b in zip(*turns, strict=True))
    assert [text.get_text() for text in axes.texts if "rate" in text.get_text()] == ["rates of a, b, from the top"]


def test_blocks_of_a_circuit_are_those_of_its_graph():
    circuit = compile(capacity(PAPER))
    said = [[text.get_text() for text in draw_blocks(drawn).axes[0].texts] for drawn in (circuit, circuit.graph)]
    assert said[0] == said[1]
    assert said[0]


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_figure_is_written_once_and_kept(tmp_path, suffix):
    figure = draw_blocks(compile(capacity(PAPER)).graph)
    path = save_figure(figure, tmp_path / f"a{suffix}")
    first = path.read_bytes()
    with pytest.raises(BadInput, match="exists already; give force=True to"):
        save_figure(figure, path)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_svg_is_the_same_bytes_each_time(tmp_path):
    texts = [save_figure(draw_blocks(compile(capacity(PAPER)).graph), tmp_path / f"{k}.svg").read_bytes() for k in range(2)]
    assert texts[0] == texts[1]
    assert not re.search(rb"<dc:date>", texts[0])


def test_where_a_figure_can_not_go_is_said(tmp_path):
    figure = draw_blocks(compile(capacity(PAPER)).graph)
    with pytest.raises(BadInput, match=r"a figure must end in \.svg, \.png, \.pdf"):
        save_figure(figure, tmp_path / "a.bmp")
    with pytest.raises(BadInput, match="is not a directory"):
        save_figure(figure, tmp_path / "nowhere" / "a.svg")


def test_run_is_plotted_against_its_reference():
    solution = solve(PAPER, engine="block")
    left, middle, right = plot_capacity(solution).axes
    assert len(left.lines) == 3
    assert any("0.252344" in text.get_text() for text in middle.texts)
    assert right.get_yscale() == "log"
    assert all(axis.get_xlabel() == "time (τ)" for axis in (left, middle, right))


DRAWN = {
    "capacity": (PAPER, "capacity_nats"),
    "rate-distortion": (RateDistortion(source=[0.6, 0.4], distortion=1 - np.eye(2), beta=2.0), "certified_gap_nats"),
    "transport": (Transport(cost=1 - np.eye(2), row=[0.3, 0.7], column=[0.6, 0.4], epsilon=0.5), "marginals"),
    "attention": (Attention(tokens=np.eye(3), B=np.eye(3), V=np.eye(3), beta=1.0, time=3.0), "sphere"),
    "hopfield": (Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=[0.5, -0.5], temperature=0.0), ""),
    "langevin": (Langevin("x**4 - x**2 + 0.3*x", ["x"], 0.0, start=[1.0]), "mean"),
    "custom": (Equations({"x": np.array([1.0, 2.0])}, {"x": "1 - x"}), "x"),
}


def drawn_errors(solution):
    """Last values of the errors that the figure of a run draws, by name."""
    family = FAMILIES[solution.flow.family]
    lines = {line.get_label(): line for axes in plot_of(family.name)(solution).axes for line in axes.lines}
    return {e: lines[family.label(e)].get_ydata()[-1] for e in solution.certificate.errors if family.label(e) in lines}


@pytest.mark.slow
def test_families_of_one_file_draw_what_their_certificate_lists():
    names = [name for name, family in FAMILIES.items() if family.example]
    assert {*names, *DRAWN} == set(FAMILIES)
    for name in names:
        problem = problem_of_keys(name, FAMILIES[name].example, "here")
        solution = solve(problem, engine="block", time_constants=3.0)
        # Where the answer is a path, its states are drawn.
        assert (drawn := drawn_errors(solution)) or FAMILIES[name].follows(problem)
        assert drawn == {error: solution.certificate.errors[error] for error in drawn}


@pytest.mark.parametrize("family", DRAWN)
def test_an_error_that_is_drawn_ends_in_that_of_the_certificate(family):
    problem, name = DRAWN[family]
    solution = solve(problem, engine="block", time_constants=3.0)
    assert drawn_errors(solution) == ({name: solution.certificate.errors[name]} if name else {})


def test_an_error_is_drawn_as_the_judge_has_it(monkeypatch):
    solution = solve(PAPER, engine="block", time_constants=3.0)
    monkeypatch.setattr("analogflow.report.runs.judge_along", lambda *given: {"capacity_nats": np.full(len(given[2]), 0.5)})
    assert drawn_errors(solution) == {"capacity_nats": 0.5}


def test_tables_name_what_people_look_for():
    solution = solve(PAPER, engine="block")
    cells = [cell for column in solution_table(solution).columns for cell in column.cells]
    text = " ".join(map(str, cells))
    for wanted in (
        "0.252343625",
        "certified gap of the reference",
        "settling time",
        "largest departure of Σz from 1",
        "passed",
    ):
        assert wanted in text
    steps = list(history_table(solution.circuit).columns[0].cells)
    assert steps == ["trace", "check", "stabilise", "fuse", "ideal"]


def test_an_error_is_called_as_its_family_says_whatever_others_call_theirs():
    transport = Transport(cost=1 - np.eye(2), row=[0.3, 0.7], column=[0.6, 0.4], epsilon=0.5)
    for problem, said in ((Equations({"cost": np.zeros(1)}, {"cost": "1 - cost"}), "error of cost"),
                          (transport, "difference of the cost")):  # fmt: skip
        labels = [str(cell) for cell in solution_table(solve(problem, engine="block")).columns[0].cells]
        assert said in labels


def test_a_settling_time_is_told_with_the_band_it_is_taken_to(monkeypatch):
    solution = solve(PAPER, engine="block")

    def labels():
        return [str(cell) for cell in solution_table(solution).columns[0].cells]

    assert "settling time (to 1e-6)" in labels()
    monkeypatch.setattr("analogflow.report.tables.SETTLING_BAND", 2.5e-4)
    assert "settling time (to 2.5e-4)" in labels()
