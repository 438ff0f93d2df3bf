"""A file layer under SQLite that writes down what reached the disk for certain, and what did not.

SQLite lets a program put a layer of its own between itself and the files (a VFS). Ours hands everything to the usual
one and notes every write, truncation and sync of the journal's files. From the notes the files are made again as a
power cut would have left them: what was synced is there, of the rest any part, sector by sector, or nothing.

It is done by ctypes on the very library that Python's sqlite3 uses, so no compiler, tracer or privilege is needed; it
needs that library to be a shared one (Debian, Ubuntu, Fedora, python.org images: it is), and says so where it is not.

Invariant: a note is in the trace before its operation begins, a sync's after it succeeded: a process that dies in
between leaves a write that counts as unsynced, never a sync that did not happen.
Facts: SQLite documentation of sqlite3_vfs and sqlite3_io_methods.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.domain.errors import CannotStart
from holdfast.lab.drills.effects import Moment

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from holdfast.lab.drills.effects import Effects

SQLITE_OK = 0
JOURNAL_FILES = 0x100 | 0x800 | 0x80000
"""SQLITE_OPEN_MAIN_DB, _MAIN_JOURNAL, _WAL."""
SECTOR_BYTES = 512
_HEAD = struct.Struct("<cHQI")
_WRITE, _CUT, _SYNC, _DELETE = b"W", b"T", b"S", b"D"


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("file_bytes", ctypes.c_int),
        ("path_max", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 14),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("close", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("truncate", ctypes.c_void_p),
        ("sync", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 13),
    )


_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_DELETE_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_WRITE_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_SYNC_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class FileLayer:
    """The layer of one process. Installed once, before the first connection; lives as long as the process."""

    def __init__(self, trace: Path, effects: Effects) -> None:
        self._effects = effects
        self._trace_fd = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._library = _sqlite_library()
        self._names: dict[int, str] = {}
        """Address of an open file -> its name."""
        self._usual: dict[int, _Methods] = {}
        """Address of an open file -> the usual layer's methods."""
        self._kept: list[Any] = []
        """What the library points to: Python must not free it."""

    def install(self) -> None:
        """Become the layer that every new connection uses."""
        find = self._library.sqlite3_vfs_find
        find.restype, find.argtypes = ctypes.POINTER(_Vfs), (ctypes.c_char_p,)
        usual = find(None)
        own = _Vfs.from_buffer_copy(usual.contents)
        own.name = b"holdfast-drill"
        self._usual_vfs = ctypes.cast(usual, ctypes.c_void_p).value
        self._usual_open = _OPEN(usual.contents.open)
        self._usual_delete = _DELETE_CALL(usual.contents.delete)
        opens, deletes = _OPEN(self._open), _DELETE_CALL(self._delete)
        own.open = ctypes.cast(opens, ctypes.c_void_p).value
        own.delete = ctypes.cast(deletes, ctypes.c_void_p).value
        self._kept += [own, opens, deletes]
        register = self._library.sqlite3_vfs_register
        register.restype, register.argtypes = ctypes.c_int, (ctypes.POINTER(_Vfs), ctypes.c_int)
        if register(ctypes.byref(own), 1) != SQLITE_OK:
            raise CannotStart("SQLite does not take the drill's file layer")
        _installed.append(self)

    def _open(self, _vfs: int, name: int, file: int, flags: int, out: int) -> int:
        status = self._usual_open(self._usual_vfs, name, file, flags, out)
        if status != SQLITE_OK or not name or not flags & JOURNAL_FILES:
            return int(status)
        place = ctypes.c_void_p.from_address(file)
        usual = _Methods.from_address(place.value or 0)
        own = _Methods.from_buffer_copy(usual)
        calls = (_WRITE_CALL(self._write), _TRUNCATE(self._truncate), _SYNC_CALL(self._sync))
        own.write, own.truncate, own.sync = (ctypes.cast(call, ctypes.c_void_p).value for call in calls)
        self._kept += [own, *calls]
        self._names[file] = Path(os.fsdecode(ctypes.string_at(name))).name
        self._usual[file] = usual
        place.value = ctypes.addressof(own)
        return SQLITE_OK

    def _delete(self, _vfs: int, name: int, sync: int) -> int:
        self._note(_DELETE, Path(os.fsdecode(ctypes.string_at(name))).name, sync, b"")
        return int(self._usual_delete(self._usual_vfs, name, sync))

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        name = self._names[file]
        self._effects.reach(Moment.BEFORE, f"file.write {_kind(name)}")
        self._note(_WRITE, name, offset, ctypes.string_at(data, size))
        status = _WRITE_CALL(self._usual[file].write)(file, data, size, offset)
        self._effects.reach(Moment.AFTER, f"file.write {_kind(name)}")
        return int(status)

    def _truncate(self, file: int, size: int) -> int:
        self._note(_CUT, self._names[file], size, b"")
        return int(_TRUNCATE(self._usual[file].truncate)(file, size))

    def _sync(self, file: int, flags: int) -> int:
        name = self._names[file]
        self._effects.reach(Moment.BEFORE, f"file.sync {_kind(name)}")
        status = int(_SYNC_CALL(self._usual[file].sync)(file, flags))
        if status == SQLITE_OK:
            self._note(_SYNC, name, 0, b"")
        self._effects.reach(Moment.AFTER, f"file.sync {_kind(name)}")
        return status

    def _note(self, what: bytes, name: str, number: int, data: bytes) -> None:
        path = name.encode()
        os.write(self._trace_fd, _HEAD.pack(what, len(path), number, len(data)) + path + data)


_installed: list[FileLayer] = []
"""The library calls into it until the process ends: it may never be collected."""


def _kind(name: str) -> str:
    return "log" if name.endswith("-wal") else "database"


def _sqlite_library() -> ctypes.CDLL:
    """The library that Python's sqlite3 has loaded already."""
    import sqlite3  # noqa: F401, PLC0415 - loading it is the point

    maps = Path("/proc/self/maps").read_text()
    found = re.search(r"\s(/\S*libsqlite3\S*\.so\S*)", maps)
    try:
        library = ctypes.CDLL(found[1] if found else None)
        _ = library.sqlite3_vfs_register
    except (OSError, AttributeError):
        raise CannotStart(
            "the power drill puts a layer under SQLite, which needs Python's sqlite3 to use a shared libsqlite3: "
            "this Python has it built in; use the system's Python (Debian, Ubuntu) or one built against it"
        ) from None
    return library


# --- the files as a power cut leaves them ---------------------------------------------------------------


@dataclass(slots=True)
class _Unsynced:
    what: bytes
    number: int
    data: bytes


@dataclass(slots=True)
class Disk:
    """The journal's files, as far as they are on the disk for certain, and what is not."""

    durable: dict[str, bytearray] = field(default_factory=dict)
    unsynced: dict[str, list[_Unsynced]] = field(default_factory=dict)
    dropped: int = 0
    """Operations that the last cut undid, in whole or in part."""

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Disk:
        """A disk on which everything is safe."""
        return cls({name: bytearray(data) for name, data in files.items()})

    def replay(self, trace: bytes) -> None:
        """Take over what a process noted."""
        place = 0
        while place + _HEAD.size <= len(trace):
            what, name_size, number, size = _HEAD.unpack_from(trace, place)
            start = place + _HEAD.size
            name = trace[start : start + name_size].decode()
            data = trace[start + name_size : start + name_size + size]
            place = start + name_size + size
            if len(data) < size:
                return  # it died while it noted: nothing was done yet
            self._take(what, name, number, data)

    def _take(self, what: bytes, name: str, number: int, data: bytes) -> None:
        if what == _SYNC:
            for each in self.unsynced.pop(name, []):
                self._apply(name, each)
        elif what == _DELETE:
            self.unsynced.pop(name, None)
            self.durable.pop(name, None)
        else:
            self.unsynced.setdefault(name, []).append(_Unsynced(what, number, data))

    def _apply(self, name: str, each: _Unsynced) -> None:
        file = self.durable.setdefault(name, bytearray())
        if each.what == _CUT:
            del file[each.number :]
            return
        if len(file) < each.number:
            file.extend(bytes(each.number - len(file)))
        file[each.number : each.number + len(each.data)] = each.data

    def cut_power(self, choose: random.Random, kept: float) -> dict[str, bytes]:
        """The files after a power cut: of what was not synced, each sector survives with probability `kept`."""
        for name, waiting in self.unsynced.items():
            for each in waiting:
                self._survive(name, each, choose, kept)
        self.unsynced.clear()
        return {name: bytes(data) for name, data in self.durable.items()}

    def _survive(self, name: str, each: _Unsynced, choose: random.Random, kept: float) -> None:
        if each.what == _CUT:
            if choose.random() < kept:
                self._apply(name, each)
            else:
                self.dropped += 1
            return
        lost = False
        for start in range(0, len(each.data), SECTOR_BYTES):
            if choose.random() < kept:
                part = each.data[start : start + SECTOR_BYTES]
                self._apply(name, _Unsynced(_WRITE, each.number + start, part))
            else:
                lost = True
        self.dropped += lost
