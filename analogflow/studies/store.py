"""A directory that holds the results of one study: finished chunks, each in a file that is whole or not there.

    manifest.json       parameters, seed, versions, and the design's digest
    chunks/000042.npz   arrays of one chunk, with a digest of their own; equal bytes for equal results
    lock                held by the process that computes, and freed by the kernel when it ends, however it ends

It does not compute anything, and does not know what the arrays mean.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import struct
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import EVALUATOR
from analogflow.contents import parse_npy, read_bytes, read_keys
from analogflow.errors import BadInput, StudyStopped
from analogflow.studies.design import Study, study_of

__all__ = ["DECISIVE", "EVALUATED", "RESUME", "Corrupt", "Store", "opened", "read_manifest", "unlike"]

RESUME = "resume=True"
"""What goes on with a study that was stopped."""

_MANIFEST, _LOCK, _CHUNKS = "manifest.json", "lock", "chunks"
_PART = ".part"
_LARGEST_CHUNK = 2**30
_DIGEST = "digest"
_FULL = (errno.ENOSPC, errno.EDQUOT)
EVALUATED = "evaluator"
"""What tells among versions how the block engine marches; one that is not told is ``numpy``."""
_OTHER = {
    "numpy": f"set {EVALUATOR}=numpy in the environment",
    "compiled": f"install a C compiler (cc), and leave {EVALUATOR} unset",
}
"""How to get the evaluator that made a study, by its name."""

DECISIVE = ("analogflow", "numpy", "scipy", "ngspice", "vacask", "OpenVAF")
"""Programs whose version may change a result's last digits."""


class Corrupt(Exception):
    """A chunk's file is not what was written; the text says in what way."""


class Store:
    """The files of a study in a directory; made by `opened` for writing, or directly for reading.

    Parameters
    ----------
    folder : Path
    fingerprint : str
        Of the study that the files belong to.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint

    def path(self, number: int) -> Path:
        """File of a chunk."""
        return self.folder / _CHUNKS / f"{number:06d}.npz"

    def write(self, number: int, rows: Mapping[str, NDArray[Any]]) -> None:
        """Write a chunk at once or not at all.

        Raises
        ------
        StudyStopped
            The file can not be written, such as on a full disk.
        """
        _write(self.path(number), _packed(rows, self._identity(number)))

    def read(self, number: int) -> dict[str, NDArray[Any]] | None:
        """Arrays of a chunk; None if it has not been computed.

        Raises
        ------
        Corrupt
            The file was changed, cut short, or belongs elsewhere.
        """
        try:
            content = read_bytes(self.path(number), what="a chunk of a study", most=_LARGEST_CHUNK)
        except BadInput:
            if not self.path(number).exists():
                return None
            raise Corrupt("can not be read") from None
        return _unpacked(content, self._identity(number))

    def digest(self, count: int) -> str:
        """Digest of all `count` chunks, in order: equal for equal results, whoever computed them in whatever order."""
        whole = hashlib.sha256()
        for number in range(count):
            whole.update(hashlib.sha256(self.path(number).read_bytes()).digest())
        return whole.hexdigest()

    def _identity(self, number: int) -> str:
        return f"{self.fingerprint} {number}"


@contextlib.contextmanager
def opened(folder: str | Path, study: Study, versions: Mapping[str, str], *, resume: bool) -> Iterator[Store]:
    """The store of `study` in `folder`, made if it is not there, held against other processes.

    Raises
    ------
    BadInput
        The folder holds another study, or files that are none; or it holds this one and `resume` is false, or this one
        computed by other versions; or another process computes in it. Nothing is touched then.
    StudyStopped
        It can not be written.
    """
    folder = Path(folder)
    _refuse_foreign(folder, study, versions, resume=True)
    with _stopping(folder):
        try:
            (folder / _CHUNKS).mkdir(parents=True, exist_ok=True)
        except (NotADirectoryError, FileExistsError, FileNotFoundError, PermissionError) as fault:
            raise BadInput(f"{str(folder)!r} can not be written ({fault.strerror}); name another directory.") from None
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _hold(lock)
        except (BlockingIOError, PermissionError):
            raise BadInput(
                f"{str(folder)!r}: another process computes this study there; wait for it, or take another directory."
            ) from None
        _refuse_foreign(folder, study, versions, resume=resume)
        for part in (*folder.glob(f".*{_PART}"), *(folder / _CHUNKS).glob(f".*{_PART}")):
            part.unlink(missing_ok=True)
        if not (folder / _MANIFEST).exists():
            manifest = {
                "study": study.to_dict(),
                "fingerprint": study.fingerprint,
                "chunks": len(study.chunks),
                "versions": dict(versions),
            }
            _write(folder / _MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
        yield Store(folder, study.fingerprint)
    finally:
        os.close(lock)


def _hold(lock: int) -> None:
    """Take a lock file, which the system frees when it is closed; at once, or not at all."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_manifest(folder: str | Path) -> tuple[Study, dict[str, Any]]:
    """Study of a directory, and everything else its manifest says.

    Raises
    ------
    BadInput
        The directory holds no study.
    """
    path = Path(folder) / _MANIFEST
    if not path.exists():
        raise BadInput(
            f"{str(folder)!r} holds no study: there is no {_MANIFEST}; name a directory of run_study.", words=["run_study"]
        )
    try:
        manifest = read_keys(path, what="the manifest of a study")
        study, fingerprint = study_of(manifest["study"]), manifest["fingerprint"]
        dict(manifest["versions"])
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise BadInput(
            f"{str(path)!r} is no manifest of a study ({str(fault).rstrip('.')}); restore it, or take another directory."
        ) from None
    if study.fingerprint != fingerprint:
        raise BadInput(
            f"{str(path)!r} was changed: its study has the fingerprint {study.fingerprint} and it says {fingerprint}; "
            "restore it, or take another directory."
        )
    return study, manifest


def _refuse_foreign(folder: Path, study: Study, versions: Mapping[str, str], *, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{str(folder)!r} is a file; name a directory for the results.")
    if not folder.exists():
        return
    if not (folder / _MANIFEST).exists():
        # A start that was killed leaves its lock, an empty folder and an unfinished file.
        strange = [path.name for path in folder.iterdir() if not _of_a_start(path)]
        if strange:
            raise BadInput(
                f"{str(folder)!r} is not empty and holds no study (there is {sorted(strange)[0]!r}); name another directory."
            )
        return
    found, manifest = read_manifest(folder)
    if found.fingerprint != study.fingerprint:
        raise BadInput(
            f"{str(folder)!r} holds another study ({found!r}); name another directory, or ask for that study again."
        )
    if not resume:
        raise BadInput(
            f"{str(folder)!r} holds this study already; give {RESUME} to go on with it, or another directory.",
            words=[RESUME],
        )
    for said, remedy in unlike(manifest["versions"], versions):
        raise BadInput(f"{str(folder)!r} {said}; results would not go together: {remedy}, or take another directory.")


def unlike(made: Mapping[str, str], versions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What decides last digits and is not what it was when a study was `made`, and how it would be again, in words.

    Parameters
    ----------
    made, versions : mapping of program to version
        With those of the engine that the study runs in: an evaluator that neither names computes none of it.
    """
    old, new = ({EVALUATED: "numpy", **known}[EVALUATED] for known in (made, versions))
    if old != new:
        yield f"was computed by the {old} march and this machine has the {new} one", _OTHER[old]
    for name in DECISIVE:
        old, new = made.get(name), versions.get(name)
        if old != new:
            yield f"was computed with {name} {old} and this is {new}", f"install {name} {old}"


def _of_a_start(path: Path) -> bool:
    empty_chunks = path.name == _CHUNKS and path.is_dir() and not any(path.iterdir())
    return path.name == _LOCK or empty_chunks or (path.name.startswith(".") and path.name.endswith(_PART))


@contextlib.contextmanager
def _stopping(path: Path) -> Iterator[None]:
    """Turns faults of the file system into a sentence."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _FULL:
            raise StudyStopped(
                f"{str(path)!r} can not be written: the disk is full; free some space and go on with {RESUME}.",
                words=[RESUME],
            ) from None
        raise StudyStopped(
            f"{str(path)!r} can not be written ({fault.strerror}); mend that and go on with {RESUME}.", words=[RESUME]
        ) from None


def _write(path: Path, content: bytes) -> None:
    """Write a file at once or not at all, and see it on the disk before going on."""
    part = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    with _stopping(path):
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        if sys.platform != "win32":  # which opens no directories
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _packed(rows: Mapping[str, NDArray[Any]], identity: str) -> bytes:
    """Arrays as a NumPy archive without dates, with a digest of all it holds."""
    members = {name: _npy(rows[name]) for name in sorted(rows)}
    members[_DIGEST] = _npy(np.array([_digest_of(members, identity)]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), content)
    return packed.getvalue()


def _unpacked(content: bytes, identity: str) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("it is compressed")  # which could unpack to any size
            members = {Path(name).stem: archive.read(name) for name in archive.namelist()}
        arrays = {name: parse_npy(member, name, kinds="biufU") for name, member in members.items()}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, RuntimeError, struct.error) as fault:
        raise Corrupt(f"is cut short or was changed ({fault})") from None
    members.pop(_DIGEST, None)
    written = arrays.pop(_DIGEST, np.array([""]))
    if written.ravel()[0] != _digest_of(members, identity):
        raise Corrupt("was changed, or belongs to another study")
    return arrays


def _npy(array: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    return content.getvalue()


def _digest_of(members: Mapping[str, bytes], identity: str) -> str:
    digest = hashlib.sha256(identity.encode())
    for name in sorted(members):
        digest.update(name.encode() + hashlib.sha256(members[name]).digest())
    return digest.hexdigest()
