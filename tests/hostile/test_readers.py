"""Whatever stands in a file or a text: it is read, or refused in a sentence; quickly, and without a trace elsewhere."""

import copy
import json
import os
import threading

import numpy as np
import pytest
from hostile_zoo import PROBLEMS, READERS, attempt
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import analogflow as af
from analogflow.contents import parse_keys, parse_npy, read_bytes
from analogflow.families.files import problem_of_keys, read_problem
from analogflow.problems.expression import read_expression

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("name", READERS)
def test_the_example_of_every_reader_is_taken(name, folder):
    assert attempt(name, READERS[name][1], folder) is not None


PLANTED = {
    "nothing": b"",
    "blanks": b" \n\t\r\n" * 50,
    "zeros": bytes(1000),
    "binary": bytes(range(256)) * 8,
    "byte-order mark": b"\xef\xbb\xbf",
    "UTF-16": "transition = [[1.0]]".encode("utf-16"),
    "half a character": b"\xed\xa0\x80 = 1",
    "deep brackets": b"[" * 100_000,
    "deep braces": b'{"a":' * 100_000,
    "deep parentheses": b"(" * 100_000 + b"x" + b")" * 100_000,
    "deep minus": b"-" * 100_000 + b"x",
    "endless line": b"1," * 100_000,
    "many lines": b"1\n" * 20_000,
    "a huge number": b"9" * 100_000,
    "a huge power": b"9**9**9**9",
    "a long key": b".".join([b"a"] * 60_000) + b" = 1",
    "a key twice": b'{"transition": [[1.0]], "transition": [[1.0]]}',
    "a table twice": b"[states]\na = 1\n[states]\na = 2\n",
    "not a number": b'{"transition": [[NaN, Infinity], [-Infinity, 1e999]]}',
    "class": b"().__class__.__bases__[0].__subclasses__()",
    "import": b"__import__('os').system('touch planted')",
    "lambda": b"(lambda: exec('1'))()",
    "control": b".control\nshell touch planted\n.endc\n",
    "include": b".include /etc/passwd\n",
    "lib": b'.lib "/etc/passwd" all\n',
    "back-quotes": b"`touch planted`",
    "dollars": b"$(touch planted) ${HOME} $HOME",
    "traversal": b"../../../../etc/passwd",
    "a null": b"a\x00b",
    "look-alikes": "ехр(х)".encode(),  # Cyrillic
    "digits of another script": "٠.٥,٠.٥\n１,0\n".encode(),
    "turned text": "a\u202ecod".encode(),
    "template": b"{{ 7*7 }} {% for x in y %} %s %n {0.__class__}",
    "script": b"<script>alert(1)</script>",
    "pickle": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0dtouch planted\x85R.",
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_text_is_refused_by_every_reader(planted, folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in READERS:
        attempt(name, PLANTED[planted], folder)
    assert not (folder / "planted").exists()


FOUND = {
    "results of VACASK": b"Flags: real\nNo. Variables: 2\nVariables:\n\t0\ttime\ttime\n\tv\nBinary:\n",
    "equations.toml": b'[states]\n"a\\n.control" = 1.0\n[equations]\n"a\\n.control" = "q"\n',
}
"""What once made a reader fail, or speak in more than a sentence."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_refused(name, folder):
    assert attempt(name, FOUND[name], folder) is None


@pytest.mark.parametrize("name", READERS)
@FEW
@given(content=st.binary(max_size=300))
def test_any_bytes(name, folder, content):
    attempt(name, content, folder)


CUTS = st.sampled_from([b"-", b"9" * 30, b"e999", b"\n", b"["])


@pytest.mark.parametrize("name", READERS)
@FEW
@given(data=st.data())
def test_an_example_with_changed_bytes(name, folder, data):
    content = bytearray(READERS[name][1])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 12))
        content[at : at + length] = data.draw(
            st.binary(max_size=12) | st.sampled_from([b"-", b"9" * 30, b"e999", b"\n", b"["])
        )
    attempt(name, bytes(content), folder)


NUMBERS = st.sampled_from(
    [0, -0.0, 1, -1, 2**63, 10**30, 10**400, 5e-324, 2.2e-308, 1e-300, 1e308, -1e308, float("nan"), float("inf")]
)
TEXTS = st.text(max_size=5) | st.sampled_from(["x", "x.__class__", ".control", "1e999", "../a"])
VALUES = st.recursive(
    NUMBERS | st.booleans() | st.none() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@pytest.mark.parametrize("family", PROBLEMS)
@FEW
@given(data=st.data())
def test_a_problem_with_anything_in_the_place_of_a_value(family, data):
    keys = copy.deepcopy(PROBLEMS[family])
    at = keys
    while True:  # down to some place inside, and something else put there
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(VALUES)
    try:
        problem = problem_of_keys(family, parse_keys(json.dumps(keys), "it", json_text=True), "it")
    except af.AnalogflowError as fault:
        return event("refused" if "\n" not in str(fault) else pytest.fail(f"not a sentence: {fault}"))
    assert repr(problem).isprintable()
    assert len(problem.fingerprint) == 16


def test_an_array_is_no_larger_than_its_file(folder):
    def forged(shape: str, kind: str = "<f8") -> bytes:
        header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)

    assert parse_npy(forged("(2, 4)"), "it").shape == (2, 4)
    for shape in (
        "(1000000000000, 1)",
        "(1000000000000, 0, 1000000000000)",
        "(-1, 3)",
        "(2,) * 99",
        "(True,)",
        "'x'",
        "[" * 50,
    ):
        with pytest.raises(af.BadInput, match="is not a NumPy array"):
            parse_npy(forged(shape) + bytes(8), "it")
    for kind in ("|O", "<U4", "<c16", "|V8"):
        with pytest.raises(af.BadInput, match=r"must be real numbers|is not a NumPy array"):
            parse_npy(forged("(2, 2)", kind), "it")


def test_a_row_of_a_million_columns_and_an_expression_of_a_million_levels_are_refused_soon(folder):
    (folder / "wide.csv").write_text("0.5," * 1_000_000 + "0.5\n")
    with pytest.raises(af.BadInput, match="at least two"):
        read_problem("capacity", folder / "wide.csv")
    for text in ("(" * 10**6 + "x" + ")" * 10**6, "-" * 10**6 + "x", "x" + "+x" * 10**6, "x" + "[0]" * 10**6):
        with pytest.raises(af.BadInput, match="at most 4000 characters"):
            read_expression(text, ["x"], where="it")
    for text in ("(" * 1900 + "x" + ")" * 1900, "-" * 3000 + "x", "x" + "[0]" * 1000, "x" + "+x" * 1900):
        with pytest.raises(af.BadInput, match=r"nested too deeply|near column 201|a sum of 1901 terms, and may have 200"):
            read_expression(text, ["x"], where="it")


def test_what_is_no_regular_file_is_refused_at_once(folder):
    os.mkfifo(folder / "pipe.csv")
    (folder / "zero.csv").symlink_to("/dev/zero")
    (folder / "folder.csv").mkdir()
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "hanging.csv").symlink_to("nowhere")
    for name, reason in {
        "pipe.csv": "is a pipe, not a regular file", "zero.csv": "is a device or socket",
        "folder.csv": r"r\.csv' is a directory, not a regular file; give the path of a problem file\.$",
        "loop.csv": "can not be read", "hanging.csv": "does not exist", "a\0b.csv": "can not be read",
        "x" * 300: "can not be read",
    }.items():  # fmt: skip
        with pytest.raises(af.BadInput, match=reason):
            read_bytes(folder / name)
    assert threading.active_count() < 50


def test_a_file_larger_than_its_kind_may_be_is_refused_before_it_is_read_whole(folder):
    for name, most in {"a.toml": "16 MiB", "a.json": "64 MiB", "a.csv": "64 MiB", "a.npy": "256 MiB"}.items():
        with (folder / name).open("wb") as file:
            file.truncate(2**28 + 1)  # sparse: it takes no room on the disk
        with pytest.raises(af.BadInput, match=f"is larger than {most}"):
            read_problem("capacity", folder / name)
        (folder / name).unlink()


LONGEST = "x" * 251  # with four more the longest name that a file may have
NO_NAMES = ("", ".", "..", "/", "a\0b.cir", "x" * 300 + ".cir", "x" * 300 + "/a.cir", "nowhere/a.cir")


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_can_not_name_a_file_is_refused_by_every_writer(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    deck = af.netlist(af.compile(af.Flow(lambda x: -x, {"x": np.ones(1)})), time_constants=1)
    before = sorted(os.listdir())
    with pytest.raises(af.BadInput, match=r"can not|exists already"):
        deck.write(name)
    with pytest.raises(af.BadInput, match="can not"):
        deck.write(name, force=True)
    with pytest.raises(af.BadInput, match=r"can not|must end in"):
        af.save_figure(Figure(), f"{name[:-4]}.svg" if name.endswith(".cir") else name, force=True)
    assert sorted(os.listdir()) == before


def test_the_longest_name_is_written_and_one_that_leads_nowhere_is_not_replaced(folder, monkeypatch):
    monkeypatch.chdir(folder)
    deck = af.netlist(af.compile(af.Flow(lambda x: -x, {"x": np.ones(1)})), time_constants=1)
    assert deck.write(f"{LONGEST}.cir").exists()
    assert af.save_figure(Figure(), f"{LONGEST}.svg").exists()
    os.symlink("missing", "leads-nowhere.cir")
    with pytest.raises(af.BadInput, match="exists already"):
        deck.write("leads-nowhere.cir")


def test_noise_beside_a_netlist_replaces_nobodys_file(folder, monkeypatch):
    monkeypatch.chdir(folder)
    circuit = af.degrade(af.compile(af.Flow(lambda x: -x, {"x": np.ones(1)})), noise=af.Noise(0.1))
    deck = af.netlist(circuit, time_constants=1)
    (beside,) = deck.tables
    (folder / beside).write_text("mine")
    with pytest.raises(af.BadInput, match="exists already"):
        deck.write("noisy.cir")
    assert (folder / beside).read_text() == "mine"
    assert not (folder / "noisy.cir").exists()
    deck.write("noisy.cir", force=True)
    (folder / "noisy.cir").unlink()
    deck.write("noisy.cir")  # the same numbers are there already


@pytest.mark.parametrize(
    "made",
    [
        lambda: af.Channel([[0, 1e308], [0, 0]]),
        lambda: af.Channel([[1e308, 1e308], [1e308, 1e308]]),
        lambda: af.RateDistortion([1e308, 1e308], [[0, 1], [1, 0]], 1.0),
        lambda: af.Transport([[0, 1], [1, 0]], [1e308, 1e308], [1e308, 1e308], 0.1),
        lambda: af.Transport([[0, 1], [1, 0]], [1e308, 1e308], [0.5, 0.5], 0.1),
        lambda: af.Transport([[0, 1e308], [-1e308, 0]], [0.5, 0.5], [0.5, 0.5], 1e9),
    ],
)
def test_numbers_whose_sums_are_infinite_are_refused(made):
    with pytest.raises(af.BadInput, match=r"sums? to|largest cost"):
        made()


def test_a_table_whose_sums_are_infinite_is_refused(tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("0,1\n1e308,1e308\n1,0\n")
    with pytest.raises(af.BadInput, match=r"large\.csv|Channel"):
        af.Channel.from_csv(path)
