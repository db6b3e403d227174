"""Functions of the OpenSSL that Python's ssl module has loaded, for what the module itself does not tell.

DESCRIPTION
    `open_library()` gives the library with the types of the functions that a caller names; `context_address()` and
    `session_address()` are the SSL_CTX and SSL that they work on.

    The places of these pointers in Python's objects are not part of its interface.  They have been the same in
    every CPython so far; the session's is believed only if the pointer beside it is the context that the session
    says it has.

FAULTS
    A Python that is no CPython, or that hides its OpenSSL, gives None.
"""

import ctypes
import ssl
import sys
from collections.abc import Mapping
from typing import Any, Final, cast

Types = tuple[Any, tuple[Any, ...]]
"""Of a function: its result and its arguments."""

_HEAD: Final = object.__basicsize__
_X509_V_OK: Final = 0
_WORD: Final = ctypes.sizeof(ctypes.c_void_p)


def open_library(functions: Mapping[str, Types]) -> Any:  # noqa: ANN401 - ctypes gives libraries no better type
    """The library; None if one of the functions cannot be reached."""
    if sys.implementation.name != "cpython":
        return None
    import _ssl

    try:
        library = ctypes.CDLL(_ssl.__file__)
        for name, (result, arguments) in functions.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (AttributeError, OSError):
        return None
    return library


def limit_depth(context: ssl.SSLContext, depth: int) -> bool:
    """Have at most so many authorities between a certificate and one that is trusted; False: it cannot be told."""
    library = open_library({"SSL_CTX_set_verify_depth": (None, (ctypes.c_void_p, ctypes.c_int))})
    if library is None:
        return False
    library.SSL_CTX_set_verify_depth(context_address(context), depth + 1)
    return True


def is_chain_good(tls: ssl.SSLObject) -> bool:
    """Whether OpenSSL trusts the peer's chain, though nothing depended on it; False, too, if it cannot be told.

    For what is said of a connection, not for what is done with it.
    """
    session = session_address(tls)
    library = open_library({"SSL_get_verify_result": (ctypes.c_long, (ctypes.c_void_p,))})
    return (
        session is not None and library is not None and library.SSL_get_verify_result(session) == _X509_V_OK
    )


def context_address(context: ssl.SSLContext) -> int:
    """The SSL_CTX: the first field behind the object's head."""
    return _word(id(context), 0)


def session_address(tls: ssl.SSLObject) -> int | None:
    """The SSL: between a reference to the owner and the context; None if it is not there."""
    inner = cast(Any, tls)._sslobj
    if type(inner).__basicsize__ < _HEAD + 3 * _WORD or _word(id(inner), 2) != id(inner.context):
        return None
    return _word(id(inner), 1) or None


def _word(address: int, number: int) -> int:
    return ctypes.c_void_p.from_address(address + _HEAD + number * _WORD).value or 0
