"""Namespaces of a test's own: a network with nothing but lo, and mounts that nobody else sees."""

import ctypes
import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWNS: Final = 0x00020000


def leave_the_hosts() -> None:
    """Be in namespaces of our own from now on, as far as that is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        subprocess.run(["/usr/bin/env", "ip", "link", "set", "lo", "up"], check=True)
    if libc.unshare(_CLONE_NEWNS) == 0:
        subprocess.run(["/usr/bin/env", "mount", "--make-rprivate", "/"], check=True)


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
