"""Figures of studies show the numbers of the statistics, say in words what they show, and fit a column."""

import itertools
import re
import warnings

import numpy as np
import pytest
import study_zoo
from PIL import Image
from zoo import PAPER

import analogflow as af
from analogflow.errors import BadInput
from analogflow.report import (
    alt_text,
    plot_histogram,
    plot_phases,
    plot_quantiles,
    plot_sample_paths,
    plot_tolerance,
    plot_yields,
    print_study,
    save_figure,
    study_figures,
    study_table,
)
from analogflow.report.figure import look, new_figure, style
from analogflow.report.studies.scales import level_axis, spread_out
from analogflow.studies.statistics import errors_at, quantile_estimate, study_tolerance, yield_at

STUDY = study_zoo.synthetic_study()
ENSEMBLE = af.ensemble(
    af.compile(af.flows.capacity(PAPER)), 6, noise=af.Noise(0.05), time_constants=10.0, save=np.linspace(0, 10, 30)
)
FIGURES = {
    "quantiles": lambda: plot_quantiles(STUDY, mismatch=0.003),
    "yields": lambda: plot_yields(STUDY, noise=0.03, mismatch=0.01, mark=0.05),
    "tolerance": lambda: plot_tolerance(STUDY, 0.03),
    "phases": lambda: plot_phases(STUDY, form="replicator"),
    "histogram": lambda: plot_histogram(STUDY, noise=0.03, mismatch=0.01),
    "paths": lambda: plot_sample_paths(ENSEMBLE, "z", component=1, reference=0.4),
}


def line(figure, colour, style):
    return next(
        x for x in figure.axes[0].lines if x.get_color() == colour and x.get_linestyle() == style and len(x.get_xdata())
    )


@pytest.mark.few(3)
@pytest.mark.parametrize("name", FIGURES)
def test_figure_fits_a_column_and_carries_its_text_into_the_file(name, tmp_path):
    figure = FIGURES[name]()
    assert figure.get_size_inches()[0] == 3.4
    text = alt_text(figure)
    assert len(text) > 80
    assert text.endswith(".")
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in figure.axes[:1])
    with Image.open(save_figure(figure, tmp_path / "a.png")) as image:
        assert image.info["Description"] == text
    drawn = [save_figure(FIGURES[name](), tmp_path / f"{k}.svg").read_bytes() for k in range(2)]
    assert drawn[0] == drawn[1]
    assert b"<dc:description>" in drawn[0]


def test_no_text_leaves_the_figure():
    for draw in FIGURES.values():
        figure = draw()
        with style():
            figure.draw_without_rendering()
            box = figure.get_tightbbox()
        assert box.x0 >= -0.02
        assert box.x1 <= 3.42
        assert box.y0 >= -0.02
        assert box.y1 <= figure.get_size_inches()[1] + 0.02


def test_medians_are_those_of_the_errors():
    figure = plot_quantiles(STUDY, mismatch=0.003)
    for k, form in enumerate(STUDY["form"].values):
        drawn = line(figure, look(k)["color"], look(k)["ls"])
        expected = [
            quantile_estimate(errors_at(STUDY, form=form, noise=noise, mismatch=0.003)).value
            for noise in STUDY["noise"].values
        ]
        assert np.array_equal(drawn.get_ydata(), expected)
    assert figure.axes[0].get_xlabel() == "noise σ (1/√τ)"
    assert figure.axes[0].get_ylabel() == "error (nat)"


def test_a_quantile_among_failures_is_a_triangle_and_no_point():
    failed = STUDY.copy(deep=True)
    failed["error"].loc[{"noise": 0.03, "form": "replicator"}] = np.nan
    failed["verdict"].loc[{"noise": 0.03, "form": "replicator"}] = "not settled"
    figure = plot_quantiles(failed, mismatch=0.003)
    drawn = line(figure, look(1)["color"], look(1)["ls"]).get_ydata()
    assert np.isnan(drawn[-1])
    assert np.isfinite(drawn[:-1]).all()
    assert sum(text.get_text() == "▲" for text in figure.axes[0].texts) >= 3
    assert "inf" in alt_text(figure)


def test_a_study_of_which_everything_failed_is_drawn_without_a_warning():
    failed = STUDY.copy(deep=True)
    failed["error"][:] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_quantiles(failed, mismatch=0.003).draw_without_rendering()
        plot_tolerance(failed, 0.03).draw_without_rendering()
        study_table(failed, limit=0.1)
    with pytest.raises(BadInput, match="every sample failed, so there is no histogram"):
        plot_histogram(failed, noise=0.0, mismatch=0.0)
    with pytest.raises(BadInput, match="so there is no range of limits; give limits"):
        plot_yields(failed, noise=0.0, mismatch=0.0)
    assert plot_yields(failed, limits=[0.1, 1.0], noise=0.0, mismatch=0.0)


def test_yield_curves_end_where_failures_keep_them():
    figure = plot_yields(STUDY, noise=0.03, mismatch=0.01, limits=[0.05, 100.0])
    for k, form in enumerate(STUDY["form"].values):
        errors = errors_at(STUDY, form=form, noise=0.03, mismatch=0.01)
        drawn = line(figure, look(k)["color"], look(k)["ls"]).get_ydata()
        assert np.allclose(drawn, [100 * yield_at(errors, 0.05).value, 100 * np.isfinite(errors).mean()])


def test_tolerances_are_those_of_the_study_and_lie_at_the_edge_outside_the_grid():
    figure = plot_tolerance(STUDY, 0.03)
    found = study_tolerance(STUDY, "noise", 0.03)
    for k, form in enumerate(STUDY["form"].values):
        row = found.sel(form=form).squeeze()
        drawn = line(figure, look(k)["color"], look(k)["ls"]).get_ydata()
        assert np.allclose(drawn, np.where(row["where"] == "below", 0.0, row["tolerance"]))
    assert "below the grid at the largest" in alt_text(figure)


def test_phases_are_the_shares_of_the_verdict_and_what_was_not_run_is_hatched():
    study = STUDY.copy(deep=True)
    for name, nothing in (("outcome", ""), ("reason", ""), ("verdict", ""), ("error", np.nan)):
        study[name].loc[{"noise": 0.0, "mismatch": 0.0}] = nothing
    figure = plot_phases(study, form="replicator")
    written = [text.get_text() for text in figure.axes[0].texts]
    share = (
        (study["verdict"] == "support lost").squeeze().sel(form="replicator").mean("sample").transpose("mismatch", "noise")
    )
    assert written == [f"{100 * value:.0f}" for value in share.values.ravel()][1:]
    assert sum(bool(patch.get_hatch()) for patch in figure.axes[0].patches) == 1
    beyond = int((share > 0.5).sum())
    assert (
        f"{beyond} of 19 cells above one half, the largest {100 * float(share.max()):.0f}%; 1 cells were not run"
        in alt_text(figure)
    )


def test_histograms_count_every_sample_that_did_not_fail():
    figure = plot_histogram(STUDY, noise=0.03, mismatch=0.01)
    outlines = [patch for patch in figure.axes[0].patches if patch.get_fill()]
    failed = np.isinf(errors_at(STUDY, form="logdomain", noise=0.03, mismatch=0.01)).sum()
    assert [patch.get_data().values.sum() for patch in outlines] == [100 - failed] * 2
    assert f"({failed} of 100 failed)" in figure.legends[0].get_texts()[0].get_text()


def test_paths_show_samples_and_their_range():
    figure = plot_sample_paths(ENSEMBLE, "z", component=1, shown=4)
    median = next(x for x in figure.axes[0].lines if x.get_label() == "median")
    assert np.allclose(median.get_ydata(), np.median(ENSEMBLE.values["z"][:, :, 1], axis=0))
    assert sum(len(x.get_xdata()) == 30 for x in figure.axes[0].lines) == 5
    assert figure.axes[0].get_ylabel() == "z, component 1"


def test_the_table_has_a_line_for_each_condition():
    table = study_table(STUDY, limit=0.02)
    columns = {column.header: [str(cell) for cell in column.cells] for column in table.columns}
    assert list(columns) == [
        "form",
        "noise",
        "mismatch",
        "n",
        "failed",
        "median error",
        "95%",
        "yield % at 0.02",
        "verdicts",
    ]
    assert table.row_count == 2 * 5 * 4
    assert columns["form"].count("logdomain") == 1
    assert columns["n"] == ["100"] * 40
    last = errors_at(STUDY, form="replicator", noise=0.03, mismatch=0.03)
    assert columns["failed"][-1] == str(np.isinf(last).sum())
    assert columns["95%"][-1] == "failed"
    assert re.fullmatch(r"[\d.e-]+ \[[\d.e-]+, [\d.e-]+\]", columns["median error"][0])
    assert columns["verdicts"][0] == "98/0/2/0"
    assert "error in nat" in str(table.caption)


def test_an_interval_of_too_few_samples_has_no_end_though_nothing_failed():
    table = study_table(STUDY.isel(sample=slice(3), noise=[0], mismatch=[0], form=[0]))
    columns = {column.header: [str(cell) for cell in column.cells] for column in table.columns}
    assert columns["failed"] == [""]
    assert columns["median error"][0].endswith(", ∞]")


@pytest.mark.slow
def test_a_problem_of_any_name_gives_files_in_one_folder():
    named = STUDY.isel(form=[1]).squeeze("problem", drop=True)
    named = named.expand_dims(problem=["../a b", "c/d"]).transpose("problem", *STUDY["outcome"].dims[1:], ...)
    assert "phases-not-settled-..-a-b" in study_figures(named)
    assert all("/" not in name for name in study_figures(named))


def test_a_condition_that_was_not_run_is_said_to_be_so(capsys):
    study = STUDY.copy(deep=True)
    for name, nothing in (("outcome", ""), ("reason", ""), ("verdict", ""), ("error", np.nan)):
        study[name].loc[{"noise": 0.0, "mismatch": 0.0}] = nothing
    print_study(study.isel(form=[0], mismatch=[0]))
    printed = capsys.readouterr().out
    assert "not run" in printed
    assert "problem paper, form logdomain" in printed
    assert "yield" not in printed


def test_many_levels_get_few_ticks():
    levels = np.geomspace(1e-4, 1, 40)
    ticks = spread_out(levels)
    assert len(ticks) == 7
    assert (ticks[0], ticks[-1]) == (levels[0], levels[-1])
    decades = spread_out(np.geomspace(1e-4, 1, 17))
    np.testing.assert_allclose(decades, [1e-4, 1e-3, 1e-2, 0.1, 1])


@pytest.mark.parametrize("levels", [np.geomspace(1e-4, 1, 17), np.geomspace(1.23e-4, 0.987, 7), np.linspace(0, 3, 31) / 7])
def test_labels_of_levels_keep_apart(levels):
    with style():
        figure = new_figure(3.4, 2.9)
        axes = figure.subplots()
        axes.set_ylabel("error (nat)")
        level_axis(axes, levels)
        figure.draw_without_rendering()
    labels = [label for label in figure.axes[0].get_xticklabels() if label.get_text()]
    assert len(labels) >= 3
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    for left, right in itertools.pairwise(boxes):
        assert left.x1 < right.x0


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: plot_quantiles(STUDY), "mismatch takes more than one value and is not shown; say which one to draw"),
        (lambda: plot_quantiles(STUDY, by="colour", mismatch=0.0), "'colour' is not a dimension to be shown"),
        (
            lambda: plot_quantiles(STUDY, along="form", by="mismatch", noise=0.0),
            "'form' is not a dimension of two or more numbers",
        ),
        (lambda: plot_quantiles(STUDY, mismatch=0.5), r"mismatch = 0\.5 was not run"),
        (lambda: plot_phases(STUDY, verdict="lost", form="replicator"), "'lost' is no verdict; there are confirmed"),
        (lambda: plot_phases(STUDY.drop_vars("verdict"), form="replicator"), "the study has no variable 'verdict'"),
        (lambda: plot_histogram(STUDY, bins=0, noise=0.0, mismatch=0.0), "0 bins can not be drawn"),
        (lambda: plot_sample_paths(ENSEMBLE, "w"), "'w' is not a path of this ensemble; there are "),
        (lambda: plot_sample_paths(ENSEMBLE, "z", component=3), "give a component from 0 to 2 and at least one sample"),
    ],
)
def test_what_can_not_be_drawn_is_said(call, sentence):
    with pytest.raises(BadInput, match=sentence):
        call()
