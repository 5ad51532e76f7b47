"""Arrays, variables and sheets are read by their libraries; of several one is named; what is forged is refused."""

import builtins
import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse
from rich.console import Console
from zoo import PAPER_ROWS

from analogflow.cli import main
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.families.files import read_problem
from analogflow.problems import Channel

PAPER = np.array(PAPER_ROWS)
NAMED = pd.DataFrame(PAPER, index=["a", "b", "c"], columns=["x", "y", "z"])

WRITERS = {
    "one.npz": lambda path: np.savez(path, P=PAPER),
    "compressed.npz": lambda path: np.savez_compressed(path, PAPER),
    "one.mat": lambda path: scipy.io.savemat(path, {"P": PAPER}),
    "compressed.mat": lambda path: scipy.io.savemat(path, {"P": PAPER}, do_compression=True),
    "sparse.mat": lambda path: scipy.io.savemat(path, {"P": scipy.sparse.csc_array(PAPER)}),
    "columns.npy": lambda path: np.save(path, np.asfortranarray(PAPER)),
    "rows.json": lambda path: path.write_text(json.dumps(PAPER_ROWS)),
    "split.json": lambda path: path.write_text(pd.DataFrame(PAPER).to_json(orient="split")),
    "records.json": lambda path: path.write_text(pd.DataFrame(PAPER).to_json(orient="records")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_one_matrix_is_read_without_a_word(name, tmp_path):
    WRITERS[name](tmp_path / name)
    np.testing.assert_allclose(read_problem("capacity", tmp_path / name).transition, PAPER, rtol=1e-14)


@pytest.mark.parametrize("orient", ["columns", "index"])
def test_frames_in_json_are_rows_or_columns_as_their_sums_tell(orient, tmp_path):
    path = tmp_path / "frame.json"
    path.write_text(NAMED.to_json(orient=orient))
    with pytest.warns(AssumptionWarning, match="and the others are " + ("columns" if orient == "columns" else "rows")):
        channel = read_problem("capacity", path)
    np.testing.assert_allclose(channel.transition, PAPER, rtol=1e-14)
    assert (channel.input_names, channel.output_names) == (("a", "b", "c"), ("x", "y", "z"))
    path.write_text(pd.DataFrame([[0.5, 0.2, 0.3], [0.3, 0.5, 0.2], [0.2, 0.3, 0.5]]).to_json(orient=orient))
    with pytest.raises(BadInput, match=r"'0' may be a row, as most write them, or a column, .*, and both sum to 1"):
        read_problem("capacity", path)


def test_of_several_the_one_that_is_named_is_read(tmp_path, capsys):
    turned = PAPER.T.copy()
    np.savez(tmp_path / "two.npz", P=PAPER, Q=np.eye(2), n=3)
    scipy.io.savemat(tmp_path / "two.mat", {"P": PAPER, "Q": np.eye(2), "n": 3, "title": "ours"})
    (tmp_path / "two.json").write_text(json.dumps({"P": PAPER_ROWS, "Q": [[1, 0], [0, 1]], "n": 3}))
    for name in ("two.npz", "two.mat", "two.json"):
        with pytest.raises(BadInput, match=r"holds several matrices, 'P' \(3 × 3\), 'Q' \(2 × 2\).*; name one as key=NAME"):
            read_problem("capacity", tmp_path / name)
        assert main(["solve", "capacity", str(tmp_path / name), "--engine", "block", "--key", "R", "--json"]) == 2
        assert "has no table 'R'; it has 'P' (3 × 3)" in capsys.readouterr().err
        assert main(["solve", "capacity", str(tmp_path / name), "--engine", "block"]) == 2
        assert "name one as --key NAME." in capsys.readouterr().err
    assert read_problem("capacity", tmp_path / "two.npz", key="Q").inputs == 2
    assert read_problem("capacity", tmp_path / "two.mat", key="P").inputs == 3
    np.savez(tmp_path / "turned.npz", P=turned, n=3)
    with pytest.warns(AssumptionWarning, match=r"turned\.npz': 'P' is taken as the matrix\."):
        channel = read_problem("capacity", tmp_path / "turned.npz", transpose=True)
    np.testing.assert_array_equal(channel.transition, PAPER)
    (tmp_path / "key.json").write_text(json.dumps({"P": PAPER_ROWS}))
    with pytest.warns(AssumptionWarning, match="'P' is taken as the matrix"):
        assert read_problem("capacity", tmp_path / "key.json").inputs == 3


def test_a_key_of_what_has_none_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("0.9,0.1\n0.2,0.8\n")
    np.save(tmp_path / "a.npy", np.eye(2))
    (tmp_path / "a.json").write_text("[[1, 0], [0, 1]]")
    for name in ("a.csv", "a.npy", "a.json"):
        with pytest.raises(BadInput, match="leave the key 'P' out"):
            read_problem("capacity", tmp_path / name, key="P")
    with pytest.raises(BadInput, match=r"transpose says how a table is read, and .* is a file of keys; leave it out"):
        read_problem("transport", tmp_path / "a.json", transpose=True)


def test_a_parquet_file_is_read_with_its_names(tmp_path):
    pytest.importorskip("pyarrow")
    NAMED.astype("float32").to_parquet(tmp_path / "named.parquet")
    channel = read_problem("capacity", tmp_path / "named.parquet")
    np.testing.assert_allclose(channel.transition, PAPER, atol=1e-7)
    assert (channel.input_names, channel.output_names) == (("a", "b", "c"), ("x", "y", "z"))


def test_a_workbook_is_read_as_text_would_be(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "book.xlsx"
    NAMED.to_excel(path)
    channel = read_problem("capacity", path)
    assert channel.transition.tolist() == PAPER_ROWS
    assert (channel.input_names, channel.output_names) == (("a", "b", "c"), ("x", "y", "z"))
    pd.DataFrame(PAPER).to_excel(path, header=False, index=False, startrow=2, startcol=1)
    assert read_problem("capacity", path).transition.tolist() == PAPER_ROWS
    with pd.ExcelWriter(path) as book:
        NAMED.to_excel(book, sheet_name="mine")
        NAMED.T.to_excel(book, sheet_name="turned")
    with pytest.raises(BadInput, match="holds several matrices, 'mine'"):
        read_problem("capacity", path)
    channel = read_problem("capacity", path, key="turned", transpose=True)
    assert channel.transition.tolist() == PAPER_ROWS
    assert channel.input_names == ("a", "b", "c")
    pd.DataFrame({"0": [0.9, 0.2, 0.5], "1": [0.1, 0.8, 0.5]}).astype(float).to_excel(path, index=False)
    with pytest.raises(BadInput, match="the first row, 0,1, may name the columns, or be an input"):
        read_problem("capacity", path)
    pd.DataFrame().to_excel(path)
    with pytest.raises(BadInput, match="has no sheet with anything in it"):
        read_problem("capacity", path)


@pytest.mark.parametrize(("package", "extra"), [("openpyxl", "excel"), ("pyarrow", "parquet")])
def test_a_package_that_is_missing_is_one_sentence(package, extra, tmp_path, monkeypatch, capsys):
    path = tmp_path / "table"
    if extra == "excel":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
    else:
        path.write_bytes(b"PAR1")
    usual = builtins.__import__

    def without(name, *given, **more):
        if name.partition(".")[0] == package:
            raise ImportError(f"No module named {package!r}", name=package)
        return usual(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(__import__("sys").modules, package, raising=False)
    assert main(["solve", "capacity", str(path), "--engine", "block"]) == 2
    said = capsys.readouterr().err
    assert f"the package that reads it is not installed; pip install 'analogflow[{extra}]', or save it as CSV." in said
    assert said.count("\n") == 1


def test_the_doctor_says_how_to_install_what_reads_tables(monkeypatch):
    from importlib import metadata

    from analogflow import doctor
    from analogflow.report import doctor_table

    usual = metadata.version

    def without(package):
        if package in ("openpyxl", "pyarrow"):
            raise metadata.PackageNotFoundError(package)
        return usual(package)

    monkeypatch.setattr(doctor.metadata, "version", without)
    found = [doctor._reader("a workbook", "openpyxl", "excel"), doctor._reader("NumPy's", "numpy", "none")]
    assert [(one.found, one.needed) for one in found] == [(False, False), (True, False)]
    console = Console(width=200, file=io.StringIO())
    console.print(doctor_table(found))
    assert "pip install 'analogflow[excel]'" in console.file.getvalue()


@pytest.mark.slow
def test_what_unpacks_to_more_than_a_problem_needs_is_refused_unread(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(3):
            archive.writestr(f"{k}.npy", bytes(2**27))
    (tmp_path / "bomb.npz").write_bytes(content.getvalue())
    with pytest.raises(BadInput, match="unpacks to 402653184 bytes, more than"):
        read_problem("capacity", tmp_path / "bomb.npz")
    scipy.io.savemat(tmp_path / "bomb.mat", {"P": np.zeros((2**13, 2**13), np.uint8)}, do_compression=True)
    with pytest.raises(BadInput, match="holds 67108864 numbers, more than"):
        read_problem("capacity", tmp_path / "bomb.mat")


REFUSED = {
    b"PK\x03\x04 cut short": r"can not be read \(BadZipFile",
    b"MATLAB 5.0 MAT-file, cut short" + bytes(120): "can not be read|holds no variable",
    b"MATLAB 7.3 MAT-file": "is a file of HDF5, as MATLAB's -v7.3 writes; save it by",
    b"\x89HDF\r\n": "is a file of HDF5",
    b"\xd0\xcf\x11\xe0\xa1\xb1": r"is an old Excel workbook \(\.xls\); save it as \.xlsx or CSV",
}


@pytest.mark.parametrize("content", REFUSED)
def test_what_can_not_be_read_is_a_sentence(content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadInput, match=REFUSED[content]):
        Channel.from_file(tmp_path / "a")


def test_an_archive_without_arrays_and_a_file_without_matrices_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("channel.csv", "0.9,0.1\n")
    with pytest.raises(BadInput, match="is an archive without NumPy arrays; give the file that is inside"):
        Channel.from_file(tmp_path / "a.zip")
    scipy.io.savemat(tmp_path / "words.mat", {"title": "ours"})
    with pytest.raises(BadInput, match="holds no variable of numbers"):
        Channel.from_file(tmp_path / "words.mat")
    scipy.io.savemat(tmp_path / "lines.mat", {"a": [1.0, 2.0], "b": [3.0]})
    with pytest.raises(BadInput, match=r"holds no matrix, but 'a' \(1 × 2\), 'b' \(1 × 1\)"):
        Channel.from_file(tmp_path / "lines.mat")
