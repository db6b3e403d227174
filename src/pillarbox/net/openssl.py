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
from functools import cache
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
    """Whether OpenSSL trusts the chain that the peer showed; False, too, if it cannot be told.

    Of a peer that showed none it means nothing.
    """
    found = chain_fault(tls)
    return found is not None and found[0] == _X509_V_OK


def chain_fault(tls: ssl.SSLObject) -> tuple[int, str] | None:
    """What X509_verify_cert_error_string(3) calls the chain's fault, with its number; None if it cannot be told."""
    session, library = session_address(tls), _verification()
    if session is None or library is None:
        return None
    code = library.SSL_get_verify_result(session)
    return code, library.X509_verify_cert_error_string(code).decode("ascii", "replace")


@cache
def _verification() -> Any:  # noqa: ANN401 - ctypes gives libraries no better type
    return open_library(
        {
            "SSL_get_verify_result": (ctypes.c_long, (ctypes.c_void_p,)),
            "X509_verify_cert_error_string": (ctypes.c_char_p, (ctypes.c_long,)),
        }
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
