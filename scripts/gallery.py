"""Draw the pictures of the documentation, each by the command that docs/gallery.md shows, and write that page.

    python scripts/gallery.py                 draw all that is drawn here, and write the page
    python scripts/gallery.py --only capacity-run.svg
    python scripts/gallery.py --page          write the page alone

Pictures whose command is not of `analogflow` belong to a script or benchmark and are listed, not drawn.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
import shlex
import shutil
from pathlib import Path

from analogflow.cli import main as analogflow

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/gallery.md"


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture, what it shows in one line, and the command that makes it; a large one is linked and not shown."""

    file: str
    caption: str
    command: str
    large: bool = False

    @property
    def by_analogflow(self) -> bool:
        """Whether it is drawn here."""
        return self.command.startswith("analogflow ")

    def shown(self) -> str:
        """Its part of the page."""
        frame = "" if self.large else "!"
        return f"{frame}[{self.caption}](images/{self.file})\n\n{self.caption}:\n\n    {self.command}\n"


def draw(file: str, caption: str, arguments: str) -> Picture:
    return Picture(file, caption, f"analogflow draw {arguments} -o docs/images/{file} --force")


def solve(file: str, caption: str, arguments: str) -> Picture:
    return Picture(file, caption, f"analogflow solve {arguments} --figure docs/images/{file} --force")


def reproduced(figure: str, caption: str) -> Picture:
    return Picture(f"{figure}.svg", caption, f"analogflow reproduce {figure} -o figures --force")


PICTURES = {
    "Circuits": (
        draw("capacity-logdomain.svg", "Capacity, log-domain form", "capacity examples/data/paper_channel.csv"),
        draw(
            "capacity-replicator.svg",
            "Capacity, replicator form",
            "capacity examples/data/paper_channel.csv --form replicator",
        ),
        draw(
            "rate-distortion-circuit.svg",
            "A point of the rate-distortion curve",
            "rate-distortion examples/data/rate_distortion_hamming.json",
        ),
        draw(
            "transport-circuit.svg",
            "Entropic transport at a fixed temperature",
            "transport examples/data/transport_three.json",
        ),
        draw(
            "attention-circuit.svg",
            "Tokens on a sphere that attend to each other",
            "attention examples/data/attention_three_tokens.json",
        ),
        draw("hopfield-circuit.svg", "A linear Hopfield network with noise", "hopfield examples/data/hopfield_law.json"),
        draw("langevin-circuit.svg", "Langevin motion in a double well", "langevin examples/data/langevin_double_well.json"),
        draw("custom-circuit.svg", "Lotka and Volterra, from a file of equations", "examples/flows/lotka_volterra.toml"),
    ),
    "Schematics": (
        Picture(
            "capacity-translinear.svg",
            "The capacity circuit in transistors, with E96 values",
            "python scripts/generate.py",
        ),
        Picture(
            "capacity-opamp.svg",
            "The capacity circuit of op-amps, with E96 values: a large sheet",
            "python scripts/generate.py",
            large=True,
        ),
    ),
    "Runs": (
        solve("capacity-run.svg", "Capacity: the run settles", "capacity examples/data/paper_channel.csv"),
        solve(
            "rate-distortion-run.svg",
            "Rate-distortion: state, distribution, Lyapunov function, rate",
            "rate-distortion examples/data/rate_distortion_hamming.json",
        ),
        solve("transport-run.svg", "Transport: a plan while it cools", "transport examples/data/transport_cooling.json"),
        solve(
            "attention-run.svg",
            "Attention: three tokens until time 1",
            "attention examples/data/attention_three_tokens.json",
        ),
        solve("hopfield-run.svg", "Hopfield: a network comes to rest", "hopfield examples/data/hopfield_rest.json"),
        solve(
            "langevin-run.svg",
            "Langevin: the law of a motion between two wells",
            "langevin examples/data/langevin_double_well.json --engine block",
        ),
        solve("custom-run.svg", "Prey and predator, and what they conserve", "examples/flows/lotka_volterra.toml"),
    ),
    "Studies and comparisons": (
        Picture(
            "curve.svg",
            "Rate of a source against its distortion: exact points and those of circuits",
            "analogflow curve rate-distortion examples/data/rate_distortion_hamming.json --engine block"
            " --figure docs/images/curve.svg --force",
        ),
        Picture(
            "bifurcation-roessler.svg",
            "Rössler's band against its constant: a cycle that doubles, and chaos with windows",
            "python benchmarks/bifurcations.py --write",
        ),
        Picture(
            "study-forms-interior.svg",
            "Error of three forms against noise, optimum inside the simplex",
            "python benchmarks/ready_studies.py --write",
        ),
        Picture(
            "study-forms-boundary.svg",
            "The same, optimum on the boundary",
            "python benchmarks/ready_studies.py --write",
        ),
        Picture(
            "study-hopfield.svg",
            "Yield of a Hopfield circuit against the limit of its error",
            "python benchmarks/ready_studies.py --write",
        ),
        Picture(
            "comparison-capacity.svg",
            "Circuits and digital solvers: error against time",
            "python benchmarks/comparison.py --write",
        ),
        Picture(
            "comparison-scaling.svg",
            "Settling, energy and digital work against the size of a channel",
            "python benchmarks/comparison.py --write",
        ),
    ),
    "Figures of the papers": (
        reproduced("capacity-figure-5", "How fast the capacity flow comes near its limit, and what the theorems say"),
        reproduced("rate-distortion-figure-5", "Spectral gap of a two-point source, as printed and as it is"),
        reproduced("transport-figure-1", "A cooling circuit that collapses, one that pauses, and one that needs no pause"),
        reproduced("attention-figure-3", "Tokens on a sphere in two phases: first E, then F"),
    ),
}
"""Pictures of docs/images by the section of the page that shows them."""


def page() -> str:
    """The gallery: every picture, script, walk-through and netlist, with what it is and what makes it."""
    parts = [
        "# Gallery\n\n"
        "Every picture of these pages with the command that makes it, run from the top of the repository, and every\n"
        "script and netlist. Written by `python scripts/gallery.py`.\n"
    ]
    for section, pictures in PICTURES.items():
        parts.append(f"## {section}\n")
        parts += [picture.shown() for picture in pictures]
    parts.append(
        "`analogflow reproduce --list` names them, `analogflow reproduce all -o figures` makes all of\n"
        "them: [Figures of the source papers](reproduction.md).\n"
    )
    parts.append(
        "## Reports\n\nOne HTML page of a run or of a study, with everything inside it: [Reports](reports.md).\n\n"
        "    analogflow solve capacity examples/data/paper_channel.csv --report run.html\n"
    )
    for title, pattern in (("Scripts", "*.py"), ("Walk-throughs", "walkthroughs/*.py"), ("Studies", "studies/*.py")):
        scripts = sorted((ROOT / "examples").glob(pattern))
        rows = [f"| [{path.stem}](../{path.relative_to(ROOT).as_posix()}) | {summary(path)} |" for path in scripts]
        parts.append(
            "\n".join([f"## {title}\n", f"`python {scripts[0].relative_to(ROOT).parent.as_posix()}/…`\n", *table(rows)])
        )
    netlists = sorted((ROOT / "netlists").glob("*.cir"))
    rows = [f"| [{path.stem}](../netlists/{path.name}) | {heading(path)} |" for path in netlists]
    parts.append(
        "\n".join(["## Netlists\n", "Each runs alone and prints its answer: `ngspice -b netlists/…`\n", *table(rows)])
    )
    return "\n".join(parts)


def table(rows: list[str]) -> list[str]:
    return ["| | |", "|---|---|", *rows, ""]


def summary(script: Path) -> str:
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].removeprefix("Walk-through: ").partition(" Cells open in ")[0]


def heading(deck: Path) -> str:
    return deck.read_text(encoding="utf-8").partition("\n")[0].removeprefix("* analogflow: ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="FILE", help="draw one picture of docs/images")
    parser.add_argument("--page", action="store_true", help="draw nothing")
    options = parser.parse_args()
    os.chdir(ROOT)
    pictures = [picture for section in PICTURES.values() for picture in section if picture.by_analogflow]
    for picture in [] if options.page else pictures:
        if options.only in (None, picture.file):
            print(picture.command, flush=True)
            if code := analogflow(shlex.split(picture.command)[1:]):
                raise SystemExit(code)
            if " reproduce " in picture.command:  # its figure lies beside its data
                shutil.copyfile(Path("figures", picture.file), Path("docs/images", picture.file))
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
