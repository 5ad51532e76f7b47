"""Every line of every figure says what it is: in a legend, by the entry it belongs to, or as the only one of its axes."""

import dataclasses

import matplotlib.lines
import numpy as np
import pytest
import study_zoo
from zoo import PAPER

import analogflow as af
from analogflow import report
from analogflow.comparison.scaling import Scaling, ScalingPoint
from analogflow.families.files import read_problem
from analogflow.papers import Panel, Reproduction
from analogflow.papers.drawing import plot_reproduction
from analogflow.papers.result import Curve
from analogflow.problems import Attention, Hopfield, RateDistortion, Transport
from analogflow.report.figure import new_figure, plot_lines

STUDY = study_zoo.synthetic_study()
PROBLEMS = {
    "capacity": PAPER,
    "rate-distortion": RateDistortion(source=[0.6, 0.4], distortion=1 - np.eye(2), beta=2.0),
    "transport": Transport(cost=1 - np.eye(2), row=[0.3, 0.7], column=[0.6, 0.4], epsilon=0.5),
    "attention": Attention(tokens=np.eye(10), B=np.eye(10), V=np.eye(10), beta=1.0, time=1.0),
    "hopfield": Hopfield(
        U=[[0.3, 0.0], [0.1, 0.2]], I=[0.5, -0.5], gain_v=np.eye(2), gain_h=np.eye(2), activation="tanh", temperature=0.0
    ),
}


def unnamed(figure):
    """Lines with data that no legend, no text and no axis names, each with its axes' label."""
    legends = [axes.get_legend() for axes in figure.axes] + figure.legends
    entries = {text.get_text() for legend in legends if legend for text in legend.get_texts()}
    found = []
    for axes in figure.axes:
        lines = [line for line in axes.lines if len(line.get_xdata(orig=True))]
        if len(lines) == 1 and axes.get_ylabel():
            continue
        named = entries | {axes.get_ylabel()} | {text.get_text() for text in axes.texts}
        found += [
            (axes.get_ylabel(), line.get_label()) for line in lines if str(line.get_label()).removeprefix("_") not in named
        ]
    return found


def legend_of(axes):
    legend = axes.get_legend()
    assert legend is not None
    return legend


@pytest.mark.parametrize("family", PROBLEMS)
def test_lines_of_a_run_are_named(family):
    solution = af.solve(PROBLEMS[family], engine="block")
    assert unnamed(report.plot_of(family)(solution)) == []


def test_lines_of_a_run_of_written_equations_are_named():
    problem = read_problem("examples/flows/lotka_volterra.toml")
    assert unnamed(report.plot_of("custom")(af.solve(problem, engine="block"))) == []


@pytest.mark.parametrize(
    "draw",
    [
        lambda: report.plot_quantiles(STUDY, mismatch=0.003),
        lambda: report.plot_yields(STUDY, noise=0.03, mismatch=0.01, mark=0.05),
        lambda: report.plot_tolerance(STUDY, 0.03),
        lambda: report.plot_tolerance(STUDY, 1e-9),
        lambda: report.plot_phases(STUDY, form="replicator"),
        lambda: report.plot_histogram(STUDY, noise=0.03, mismatch=0.01),
    ],
)
def test_lines_of_a_study_are_named(draw):
    assert unnamed(draw()) == []


def test_lines_of_an_ensemble_are_named():
    flow = af.flows.capacity(PROBLEMS["capacity"])
    runs = af.ensemble(af.compile(flow), 6, noise=af.Noise(0.05), time_constants=10.0, save=np.linspace(0, 10, 30))
    assert unnamed(report.plot_sample_paths(runs, "z", component=1, reference=0.4)) == []


def test_lines_of_a_comparison_are_named():
    found = af.compare(PROBLEMS["capacity"], only=["blahut-arimoto", "interior-point"], seconds=0.3)
    circuit = dataclasses.replace(found.contenders[0], name="transistors", kind="analog")
    found = dataclasses.replace(found, contenders=(circuit, *found.contenders))
    assert unnamed(report.plot_comparison(found)) == []


def test_lines_of_growth_are_named():
    points = tuple(ScalingPoint(n, n, n, n, n, n, "a", n, "a", n, n, n, n) for n in (4, 8))
    assert unnamed(report.plot_scaling([Scaling(kind, 1e-2, points) for kind in ("random", "structured")])) == []


def test_lines_of_a_paper_are_named_the_faint_ones_together():
    x = [0.0, 1.0]
    curves = [Curve.of("mean", x, x, "line"), Curve.of("rule", x, x, "dotted")]
    curves += [Curve.of(f"mean, quantile {q}", x, [q, q], "faint") for q in (0.1, 0.9)]
    panel = Panel("one", "x", "y", tuple(curves))
    figure = plot_reproduction(Reproduction("name", "title", "source", (panel,)))
    assert unnamed(figure) == []
    assert "faint: quantile 0.1, quantile 0.9" in [text.get_text() for text in legend_of(figure.axes[0]).get_texts()]


def test_many_lines_have_one_entry_and_a_line_without_a_name_is_found():
    figure = new_figure(3, 3)
    axes = figure.subplots()
    plot_lines(axes, np.arange(3.0), np.zeros((3, 20)), "state")
    axes.legend()
    assert [text.get_text() for text in legend_of(axes).get_texts()] == ["state 1 to 20"]
    assert unnamed(figure) == []
    axes.add_line(matplotlib.lines.Line2D([0, 1], [0, 1]))
    assert len(unnamed(figure)) == 1
