"""Namespaces of a test's own: a network with nothing but lo, and mounts that nobody else sees."""

import ctypes
import fcntl
import multiprocessing
import os
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWNS: Final = 0x00020000
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_IFF_RUNNING: Final = 0x40
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 0x40000


def leave_the_hosts() -> None:
    """Be in namespaces of our own from now on, as far as that is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP | _IFF_RUNNING))
    if libc.unshare(_CLONE_NEWNS) == 0 and libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "mounts cannot be made private")


@contextmanager
def elsewhere(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Iterator[Future[T]]:
    """Work in a child with namespaces of its own, beside what is done meanwhile: the same ports, the same paths.

    The child has them before anything else is done.  What is mounted here meanwhile would be in its copy, too, with
    its own mounts on top of it, and the kernel takes those away when the directory below them is removed.
    """
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context, initializer=leave_the_hosts) as pool:
        pool.submit(os.getpid).result()
        yield pool.submit(work, *arguments, **named)
