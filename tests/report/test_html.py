"""HTML pages: whole, escaped, readable without a network, small, and free of faults in a browser."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from zoo import PAPER

import analogflow as af
from analogflow import report
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.report.html import Grid, Listing, Page, Paragraph, Section
from analogflow.studies import run_study

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """What a page holds: identifiers, links, what it would load, pictures without a text, and elements left open."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.silent = self.pictures = 0
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.loads += [value for key, value in attrs if key in ("src", "srcset", "data", "poster") and value]
        self.loads += [found["href"]] if tag == "link" else []
        if "plate" in str(found.get("class", "")):
            self.pictures += 1
            self.silent += not found.get("aria-label")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "results"
    grid = {"forms": ("logdomain", "replicator"), "noise": (0.01, 0.2), "mismatch": (0.0, 0.05)}
    study = af.Study({"a <b>&": PAPER}, **grid, samples=125, time_constants=20.0)
    run_study(study, place, ThreadPoolExecutor(1))
    return place


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    assert main(["report", str(folder), "--limit", "0.01"]) == 0
    return folder / "report.html"


@pytest.mark.slow
def test_a_page_of_a_study_of_a_thousand_samples_is_whole_and_small(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert len(text.encode()) < 5e6
    reader = read(text)
    assert [load for load in reader.loads if not load.startswith("data:")] == []
    assert "script" not in reader.tags
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", text)
    assert len(reader.ids) == len(set(reader.ids))
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert reader.pictures >= 7
    assert reader.silent == 0
    for heading in ("Summary", "Figures", "Failures", "Problem", "Equations", "Block diagram", "Netlist", "Certificate",
                    "Error budget", "How to repeat it"):  # fmt: skip
        assert f">{heading}</h2>" in text
    assert "a &lt;b&gt;&amp;" in text
    assert "<b>" not in text
    assert "study --repeat" in text
    assert "[problems." in text


def test_references_inside_a_picture_stay_inside_it(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        ids = set(re.findall(r'\bid="([^"]+)"', svg))
        used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
        assert used <= ids


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_opens_it_without_a_complaint(written: Path, tmp_path: Path) -> None:
    assert BROWSER is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
             "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={tmp_path}/p", "--dump-dom"]  # fmt: skip
    seen = subprocess.run([BROWSER, *flags, written.as_uri()], capture_output=True, text=True, timeout=200, check=True)
    assert "CONSOLE" not in seen.stderr
    shown = read(seen.stdout.replace("<!DOCTYPE html>", ""))
    assert shown.pictures == read(written.read_text(encoding="utf-8")).pictures >= 7  # none was dropped by the browser


def test_text_is_escaped() -> None:
    evil = "<script>alert(1)</script>]]>'\"&"
    items = (Paragraph(evil), Grid((evil,), ((evil,),), evil, folded=True), Listing(evil, evil))
    text = Page(evil, evil, False, (Section(evil, "a", items),)).html()
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 11


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_page_of_a_circuit_of_parts_has_its_schematic_and_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text("0.7,0.3\n0.2,0.8\n")
    page = tmp_path / "run.html"
    command = ["solve", "capacity", str(tmp_path / "p.csv"), "--technology", "translinear", "--report", str(page)]
    assert main(command) == 0
    text = page.read_text(encoding="utf-8")
    read(text)
    assert "Schematic and parts</h2>" in text
    assert "Parts, set precision" in text
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err


def test_bad_input_is_a_sentence(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, sentence in (
        ([str(tmp_path / "nothing")], "holds no study"),
        ([str(folder), "-o", str(tmp_path / "a.pdf")], "ends in .html"),
        ([str(folder), "-o", str(tmp_path / "no" / "a.html")], "can not be written"),
    ):
        assert main(["report", *arguments]) == 2
        assert sentence in capsys.readouterr().err
    (tmp_path / "there.html").write_text("mine")
    assert main(["report", str(folder), "-o", str(tmp_path / "there.html")]) == 2
    assert (tmp_path / "there.html").read_text() == "mine"


@pytest.mark.slow
def test_an_unfinished_study_has_a_page_that_says_so(folder: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shutil.copytree(folder, part)
    for chunk in sorted((part / "chunks").iterdir())[1:]:
        chunk.unlink()
    page = report.study_page(part, report.PLOTS)
    assert not page.good
    assert "not finished" in page.verdict
    shutil.rmtree(part / "chunks")
    with pytest.raises(BadInput, match=r"nothing to summarise"):
        report.study_page(part, report.PLOTS)


@pytest.mark.slow
def test_notebooks_show_tables_and_drawings() -> None:
    solution = af.solve(PAPER, engine="block")
    study = af.Study({"<i>": PAPER}, noise=(0.1,), samples=3)
    for thing in (
        solution,
        solution.flow,
        study,
        af.verify(PAPER, engine="block"),
        af.compare(PAPER, only=["interior-point"]),
    ):
        html = thing._repr_html_()
        assert "<table>" in html
        assert "<i>" not in html
        read(html)
    for thing in (solution.circuit.graph, solution.circuit, af.compile(solution.flow, technology="opamp")):
        assert thing._repr_svg_().startswith("<svg")
