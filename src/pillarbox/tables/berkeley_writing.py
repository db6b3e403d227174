"""Berkeley DB files, written by the C library: for commands, and for the cache of verified addresses.

DESCRIPTION
    libdb 5.3 is loaded by ctypes: what it writes any Postfix reads and changes.  Its functions are called by the
    names under which the library exports them; they stand behind the methods of C's `DB`.

FAULTS
    WriteFault  no library, or the library's refusal

STANDARDS
    Berkeley DB 5.3 C API: db_create, DB->open, DB->put, DB->del, DB->close
"""

import ctypes
import os
from functools import cache
from typing import Final

_LIBRARIES: Final = ("libdb-5.3.so", "libdb-5.so", "libdb.so")
_TYPES: Final = {"btree": 1, "hash": 2}
_CREATE: Final = 0x1
_EXCLUSIVE: Final = 0x4
_NO_OVERWRITE: Final = 20
_KEY_EXISTS: Final = -30994
_NOT_FOUND: Final = -30988


class WriteFault(Exception):
    """A database cannot be written; the text is for the admin."""


class _Item(ctypes.Structure):
    """DBT"""

    _fields_ = (
        ("data", ctypes.c_char_p),
        ("size", ctypes.c_uint32),
        ("ulen", ctypes.c_uint32),
        ("dlen", ctypes.c_uint32),
        ("doff", ctypes.c_uint32),
        ("app_data", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
    )


_POINTER: Final = ctypes.c_void_p
_ITEM: Final = ctypes.POINTER(_Item)
_FLAGS: Final = ctypes.c_uint32
_FUNCTIONS: Final = {
    "db_create": (_POINTER, _POINTER, _FLAGS),
    "__db_open_pp": (
        _POINTER,
        _POINTER,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_int,
        _FLAGS,
        ctypes.c_int,
    ),
    "__db_put_pp": (_POINTER, _POINTER, _ITEM, _ITEM, _FLAGS),
    "__db_del_pp": (_POINTER, _POINTER, _ITEM, _FLAGS),
    "__db_close_pp": (_POINTER, _FLAGS),
}


@cache
def _library() -> ctypes.CDLL:
    """The library with the types of its functions."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            for function, arguments in _FUNCTIONS.items():
                getattr(library, function).argtypes = arguments
            library.db_strerror.restype = ctypes.c_char_p
        except (OSError, AttributeError):
            continue
        return library
    raise WriteFault(
        "unsupported dictionary type: hash, btree (there is no Berkeley DB library, libdb-5.3.so; "
        "install libdb5.3, or use lmdb: tables)"
    )


class BerkeleyWriter:
    """A `DatabaseWriter`."""

    def __init__(self, kind: str, path: str) -> None:
        self._library = _library()
        self._database = ctypes.c_void_p()
        self._check(self._library.db_create(ctypes.byref(self._database), None, 0))
        flags = _CREATE
        if os.path.getsize(path) == 0:  # the library complains of an empty file, and makes one itself
            os.unlink(path)
            flags |= _EXCLUSIVE
        opened = self._call("__db_open_pp", None, os.fsencode(path), None, _TYPES[kind], flags, 0o600)
        if opened:
            self.close()
            self._check(opened)

    def put(self, key: bytes, value: bytes, *, replace: bool) -> bool:
        """Store a value; False if there is one for this key and it is not to be replaced."""
        flags = 0 if replace else _NO_OVERWRITE
        status = self._call("__db_put_pp", None, _item(key), _item(value), flags)
        if status == _KEY_EXISTS:
            return False
        self._check(status)
        return True

    def delete(self, key: bytes) -> bool:
        """Take a key away; False if there was none."""
        status = self._call("__db_del_pp", None, _item(key), 0)
        if status == _NOT_FOUND:
            return False
        self._check(status)
        return True

    def close(self) -> None:
        """Write out everything."""
        if self._database.value is not None:
            status = self._call("__db_close_pp", 0)
            self._database = ctypes.c_void_p()
            self._check(status)

    def _call(self, function: str, *arguments: object) -> int:
        status: int = getattr(self._library, function)(self._database, *arguments)
        return status

    def _check(self, status: int) -> None:
        if status:
            text = self._library.db_strerror(status) or b""
            raise WriteFault(text.decode(errors="replace"))


def _item(octets: bytes) -> _Item:
    return _Item(data=octets, size=len(octets))
