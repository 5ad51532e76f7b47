"""The house rules that no other tool checks: sizes, names, what an import loads, what the repository may mention."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from zoo import PAPER_CSV

import analogflow
from analogflow.cli import VERBS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "analogflow"
MODULES = sorted(PACKAGE.rglob("*.py"))

DOORS = (PACKAGE / "__main__.py", *(path.with_suffix(".py") for path in PACKAGE.rglob("__init__.pyi")))
"""They define nothing; what they offer stands in ``__init__.pyi``."""

LONGEST_MODULE = 500
ACROSS = {"errata", "hostile", "matrix", "plugins", "processors", "stress"}
"""Folders of tests that no one module answers for."""
OF_THE_REPOSITORY = {
    "test_benchmark_ratios",
    "test_changes",
    "test_contributing",
    "test_documentation",
    "test_examples",
    "test_house",
}
WORDS_THAT_NAME_NOTHING = {"utils", "util", "core", "common", "base", "manager", "helpers", "helper", "misc"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


A_BLOCK_AND_ITS_PART = {"Multiplier", "Switch"}
"""Classes that share a name, since one computes what the other is made of; no reader meets both in one place."""


def test_a_class_has_a_name_of_its_own() -> None:
    named: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named.setdefault(node.name, []).append(relative(path))
    assert {name: paths for name, paths in named.items() if len(paths) > 1 and name not in A_BLOCK_AND_ITS_PART} == {}


SHOWING = {"matplotlib", "rich", "jinja2", "xarray", "pandas", "networkx", "sympy", "analogflow.report.tables"}
"""What shows, draws or keeps, or finds what few ask for."""
ELSEWHERE = {
    "PySpice", "dask", "distributed", "cvxpy", "dit", "ot", "scipy.stats", "scipy.interpolate", "analogflow.papers",
    "analogflow.comparison.contest",
    "analogflow.hardware.boards", "analogflow.studies.design", "analogflow.judgement.budget", "analogflow.digital.capacity",
    "analogflow.technology.opamp", "analogflow.technology.translinear", "analogflow.simulators.vacask.engine",
    "analogflow.families.langevin", "analogflow.reference.transport",
}  # fmt: skip
"""What other verbs need, other technologies, engines and families."""
SCIPY = {f"scipy.{part}" for part in ("integrate", "linalg", "optimize", "sparse", "spatial", "special", "stats")}
"""What takes two thirds of a second together, and is asked for when something is computed."""
SOLVE = ["solve", "capacity", "p.csv", "--engine", "block", "--json"]
UNLOADED = {
    "import analogflow": ([], {*SHOWING, *ELSEWHERE, "numpy", "scipy", "argparse", "analogflow.errors"}),
    "--help": (["--help"], {*SHOWING, *ELSEWHERE, "numpy", "scipy", "analogflow.cli.options"}),
    "solve": (SOLVE, {*SHOWING, *ELSEWHERE, "analogflow.reference.equations"}),
    "solve, shown": (SOLVE[:-1], {*SHOWING, *ELSEWHERE} - {"rich", "analogflow.report.tables"}),
    "netlist": (["netlist", "p.toml", "-o", "p.cir"], {*SHOWING, *ELSEWHERE, "analogflow.reference.capacity"}),
}
"""Arguments of the command, or none where the package is imported, and what must not be loaded when it is done."""


@pytest.mark.parametrize("what", UNLOADED)
def test_what_is_not_needed_is_not_loaded(what: str, tmp_path: Path) -> None:
    arguments, unloaded = UNLOADED[what]
    (tmp_path / "p.csv").write_text(PAPER_CSV)
    (tmp_path / "p.toml").write_text('time = 5.0\n[states]\nx = 1.0\n[equations]\nx = "-x"\n')
    run = "import analogflow" if not arguments else "from analogflow.__main__ import main\nmain()"
    code = f"import sys\ntry:\n    exec({run!r})\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    loaded = set(done.stderr.split())
    assert "analogflow" in loaded
    assert sorted(unloaded & loaded) == []


OF_HELP = SCIPY | {"analogflow.digital.capacity"}
EVERY_HELP = """
import contextlib, sys
from analogflow.__main__ import main
for verb in sys.argv[1:]:
    before, sys.argv = set(sys.modules), ["analogflow", verb, "--help"]
    with contextlib.suppress(SystemExit):
        main()
    print(verb, *sorted(set(sys.modules) - before), file=sys.stderr)
"""
"""One process for all verbs: what none of them loads, each alone does not."""


def test_no_help_loads_what_computes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERY_HELP, *VERBS], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    loaded = {verb: set(names) for verb, *names in map(str.split, done.stderr.splitlines())}
    assert set(loaded) == set(VERBS)
    assert "analogflow.cli" in set().union(*loaded.values())
    assert done.stdout.count("usage: analogflow ") == len(VERBS)
    assert {verb: sorted(OF_HELP & names) for verb, names in loaded.items() if OF_HELP & names} == {}


def test_what_must_not_be_loaded_is_there_to_be_loaded() -> None:
    """A module that was moved would never be loaded under its old name."""
    listed = [OF_HELP, *(unloaded for _, unloaded in UNLOADED.values())]
    named = {name for unloaded in listed for name in unloaded if name.startswith("analogflow.")}
    assert [name for name in sorted(named) if importlib.util.find_spec(name) is None] == []


def test_statistics_are_loaded_when_they_are_asked_for() -> None:
    """`scipy.stats` takes a third of a second, of every worker too: written so after `import scipy`, it is loaded on use."""
    eager = re.compile(r"^(from scipy\.stats|import scipy\.stats|from scipy import .*\bstats\b)", re.MULTILINE)
    assert eager.search("import numpy\nfrom scipy import optimize, stats\n")
    assert [relative(path) for path in MODULES if eager.search(path.read_text(encoding="utf-8"))] == []


def test_the_public_names_are_there_and_listed_by_dir() -> None:
    assert sorted(set(analogflow.__all__)) == sorted(analogflow.__all__)
    assert [name for name in analogflow.__all__ if not hasattr(analogflow, name)] == []


OFFERED_TWICE = {"Brief", "Switch"}
"""What passes and technologies are both handed, and a block and its part."""


def test_a_name_is_offered_by_one_package() -> None:
    packages = [importlib.import_module(f"analogflow.{path.parent.name}") for path in PACKAGE.glob("*/__init__.py")]
    offered = [name for package in packages for name in getattr(package, "__all__", ())]
    assert {name for name in offered if offered.count(name) > 1} == OFFERED_TWICE


def test_no_public_function_shares_its_name_with_a_submodule() -> None:
    submodules = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir()}
    shared = [
        name
        for name in analogflow.__all__
        if name in submodules and not isinstance(getattr(analogflow, name), type(analogflow))
    ]
    assert shared == []


def test_no_function_hides_a_module_of_its_package() -> None:
    """But for the flows: `flows.capacity(channel)` is what everybody writes, and its module what nobody imports."""
    doors = [path for path in PACKAGE.rglob("__init__.py") if path.parent not in (PACKAGE, PACKAGE / "flows")]
    packages = [importlib.import_module(".".join(door.relative_to(ROOT).parent.parts)) for door in doors]
    assert {"analogflow.passes", "analogflow.technology"} < {package.__name__ for package in packages}
    hidden = {
        f"{package.__name__}.{path.stem}"
        for package in packages
        for path in Path(package.__file__).parent.iterdir()
        if path.stem in package.__all__
    }
    assert hidden == set()


def test_every_layer_imports_from_those_below_it_only() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_map_of_the_house_shows_every_room_from_the_ground_up() -> None:
    """In the order of the layers of import-linter, so that whoever reads downwards meets nothing before what it rests on."""
    _, _, house = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The house")
    shown = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", house.partition("\n## ")[0], re.MULTILINE)
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    level = {name: k for k, layer in enumerate(reversed(contract["layers"])) for name in layer.split(" | ")}
    assert {*shown} == {*level} - {"__main__"}
    assert [level[name] for name in shown] == sorted(level[name] for name in shown)


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_module_is_short_enough_to_be_read_at_once(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_tests_mirror_the_package() -> None:
    tests = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")]
    folders = {path.parent for path in tests if not ACROSS & {*path.parts}}
    assert [folder.as_posix() for folder in sorted(folders) if not (PACKAGE / folder).is_dir()] == []
    alone = {path.stem for path in tests if len(path.parts) == 1} - OF_THE_REPOSITORY
    assert {name for name in alone if not (PACKAGE / f"{name.removeprefix('test_')}.py").is_file()} == set()


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_module_is_named_after_an_idea(module: Path) -> None:
    assert not WORDS_THAT_NAME_NOTHING & set(re.split(r"[/._]", module.relative_to(PACKAGE).as_posix()))


@pytest.mark.parametrize("module", [m for m in MODULES if m not in DOORS], ids=relative)
def test_module_says_what_it_is_and_documents_what_it_exports(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    exported, documented = exports(tree), documented_names(tree)
    assert exported is not None, "no literal __all__"
    undocumented = {name for name in exported if not documented.get(name, True)}
    assert undocumented == set()
    assert {name for name in documented if name in exported and name.startswith("_")} == set()


def exports(tree: ast.Module) -> list[str] | None:
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == ["__all__"]:
            return ast.literal_eval(statement.value)
    return None


def documented_names(tree: ast.Module) -> dict[str, bool]:
    """Whether each function, class and constant defined in a module has a docstring; a constant's follows it."""
    found = {}
    for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = ast.get_docstring(statement) is not None
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            found |= {target.id: text for target in targets if isinstance(target, ast.Name) and target.id.isupper()}
    return found


@pytest.fixture(scope="module")
def places() -> dict[float, list[str]]:
    """Modules in which each number with a point, and each ratio of whole ones, is written."""
    found: dict[float, list[str]] = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=float(value)):
                    found.setdefault(value, []).append(module.name)
                case ast.BinOp(ast.Constant(value=int(over)), ast.Div(), ast.Constant(value=int(under))) if under:
                    found.setdefault(over / under, []).append(module.name)
    return found


@pytest.mark.parametrize("constant", [8.617333262e-5, 300.15, 273.15, 5000.0, 7 / 15])
def test_a_constant_is_written_once(places: dict[float, list[str]], constant: float) -> None:
    """k/q, a room's temperature, the freezing point, the longest run, what the knots of noise take."""
    assert len(places.get(constant, [])) == 1, places.get(constant)


def test_an_undocumented_constant_is_noticed() -> None:
    tree = ast.parse('__all__ = ["A", "B", "f"]\nA = 1\n"""An a."""\nB = 2\ndef f(): ...\n')
    assert exports(tree) == ["A", "B", "f"]
    assert documented_names(tree) == {"A": True, "B": False, "f": False}


def repository_files() -> list[Path]:
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


SOMEBODYS_FOLDER = re.compile(r"(?<![\w.~*}])/(work|root|home|Users|mnt|srv)/\w")


def test_no_file_mentions_a_folder_of_somebodys_machine() -> None:
    mentions = []
    for path in repository_files():
        text = path.read_bytes().decode("utf-8", "replace")
        mentions += [f"{relative(path)}: {match[0]}" for match in SOMEBODYS_FOLDER.finditer(text)]
    assert mentions == []


@pytest.mark.parametrize("folder", ["work", "root", "home"])
def test_a_folder_of_somebodys_machine_is_noticed(folder: str) -> None:
    assert SOMEBODYS_FOLDER.search(f"see '/{folder}/notes'")
    assert not SOMEBODYS_FOLDER.search(f"a net{folder}/thing, docs/{folder}/page")


def test_the_lock_pins_every_declared_dependency_and_names_no_source() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "://" in line or line.startswith("-")] == []
    pinned = {normal(line.partition("==")[0]) for line in lines if "==" in line}
    assert declared() - pinned == set()


def test_every_dependency_has_its_reason() -> None:
    _, _, section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Dependencies")
    reasons = {normal(name) for name in re.findall(r"`([\w-]+)`", section.partition("\n## ")[0])}
    assert (declared() | grouped()) - reasons == set()


def test_what_is_too_heavy_for_everyone_is_in_no_lock() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert grouped() & {normal(line.partition("==")[0]) for line in lines} == set()
    assert grouped()


def table(name: str) -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[name]


def project() -> dict:
    return table("project")


def grouped() -> set[str]:
    """Packages of the dependency groups, which no set-up installs."""
    return {named(requirement) for group in table("dependency-groups").values() for requirement in group}


def declared() -> set[str]:
    requirements = [*project()["dependencies"], *(r for extra in project()["optional-dependencies"].values() for r in extra)]
    return {named(requirement) for requirement in requirements}


def named(requirement: str) -> str:
    return normal(re.split(r"[^\w.-]", requirement)[0])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).strip().lower()


def test_one_version_everywhere() -> None:
    version = project()["version"]
    assert analogflow.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


MOST_PARAMETERS = 7


def test_public_functions_have_few_parameters() -> None:
    functions = {n: f for n in analogflow.__all__ if inspect.isfunction(f := getattr(analogflow, n))}
    many = {name for name, function in functions.items() if len(inspect.signature(function).parameters) > MOST_PARAMETERS}
    assert not many


TYPED_IN_A_SHELL = re.compile(rf"(?<![\w-])--[a-z]|\banalogflow ({'|'.join(VERBS)})\b")
"""Options of the command line, and its verbs."""
PROGRAMS = {"simulators/ngspice/library.py", "simulators/vacask/engine.py", "simulators/vacask/program.py"}
"""Modules that call other programs, with options of these."""


def test_only_the_command_line_speaks_of_its_options() -> None:
    """Docstrings may; what a person is told in Python must be something that can be typed there."""
    said = []
    for module in MODULES:
        place = module.relative_to(PACKAGE).as_posix()
        if place.startswith("cli/") or place in PROGRAMS:
            continue
        for node in ast.walk(tree := ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = None  # a docstring
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        said += [f"{place}: {text}" for text in texts if TYPED_IN_A_SHELL.search(text)]
    assert said == []


def test_every_word_of_a_fault_has_an_option_of_the_command_line() -> None:
    from analogflow.cli import FLAGS

    given = [
        ast.literal_eval(keyword.value) if not isinstance(keyword.value.elts[0], ast.Name) else [keyword.value.elts[0].id]
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "words" and isinstance(keyword.value, ast.List)
    ]
    named = {"FORCE": "force=True", "RESUME": "resume=True"}
    assert {named.get(word, word) for words in given for word in words} == set(FLAGS)


def test_names_that_are_not_known_are_proposed_in_one_module() -> None:
    """As is told whether a value is a number: `bool` is an `int` to Python, and to nobody who asks for one."""
    asked = {"get_close_matches": ["analogflow/checks.py"], "not isinstance(value, bool)": ["analogflow/checks.py"]}
    for words, where in asked.items():
        assert [relative(module) for module in MODULES if words in module.read_text(encoding="utf-8")] == where


def test_the_example_of_the_paper_is_written_once_in_the_tests() -> None:
    """Benchmarks read it from the file of the examples."""
    rows = re.compile(r"0\.7, ?0\.2, ?0\.1(\], \[|\\n)0\.1, ?0\.8, ?0\.1(\], \[|\\n)0\.25, ?0\.25, ?0\.5")
    files = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    written = [path for path in files if rows.search(path.read_text(encoding="utf-8"))]
    assert [relative(path) for path in written] == ["tests/zoo.py"]
