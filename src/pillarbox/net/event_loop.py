"""The event loop of every process that has one.

DESCRIPTION
    A loop of uvloop's has a buffer of 250 KiB in itself, for what comes from connections, and clears it when it is
    made, which has the kernel find memory for all of it.  Most processes read some KiB at a time: pages of zeros
    are given back, and are there, as zeros, when something is written to them.

STANDARDS
    madvise(2), MADV_DONTNEED: private memory that no file is behind reads as zeros afterwards
"""

import ctypes
import mmap

import uvloop

_ZEROS = bytes(mmap.PAGESIZE)
_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def new_event_loop() -> uvloop.Loop:
    """A loop that takes as much memory as it has written something to."""
    loop = uvloop.new_event_loop()
    end = id(loop) + type(loop).__basicsize__
    for page in range(-(-id(loop) // mmap.PAGESIZE) * mmap.PAGESIZE, end - mmap.PAGESIZE + 1, mmap.PAGESIZE):
        if ctypes.string_at(page, mmap.PAGESIZE) == _ZEROS:
            _madvise(page, mmap.PAGESIZE, mmap.MADV_DONTNEED)
    return loop
