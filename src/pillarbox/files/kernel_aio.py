"""fsync(2) of many files by one system call, without threads: Linux's asynchronous I/O.

DESCRIPTION
    `KernelAio.submit()` hands descriptors to the kernel, which syncs them at the same time (its journal then
    writes them together), and returns at once.  `completed()` tells which are done.  With `notify`, an
    eventfd counts completions, so that an event loop can wait for them.

    Why not threads: each call of a thread gives the interpreter lock away and fights for it afterwards.
    Twenty messages a batch cost forty futex calls a message that way, and none this way.

    The calls have no wrappers in libc (libaio is a library of its own), so they go through syscall(2).  The
    numbers are the same on all 64-bit architectures of Linux but x86.

FAULTS
    OSError      at construction: the kernel has no asynchronous I/O (ENOSYS), it is forbidden (EPERM), or
                 fs.aio-max-nr is used up (EAGAIN).  Callers fall back to threads.
    Completion   `error` is the errno of that fsync, 0 if it succeeded; EINVAL if the file has none

STANDARDS
    Linux io_setup(2), io_submit(2), io_getevents(2); IOCB_CMD_FSYNC since Linux 4.18
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

_SETUP, _DESTROY, _GET_EVENTS, _SUBMIT = (
    (206, 207, 208, 209) if os.uname().machine == "x86_64" else (0, 1, 4, 2)
)
_FSYNC: Final = 2  # IOCB_CMD_FSYNC
_NOTIFY: Final = 1  # IOCB_FLAG_RESFD
# struct iocb: data, key, rw_flags, opcode, priority, descriptor, buffer, octets, offset, reserved, flags, eventfd
_IOCB: Final = struct.Struct("=QIIHhIQQqQII")
_EVENT: Final = struct.Struct("=QQqq")  # data, address of the iocb, result, second result
_AT_ONCE: Final = struct.pack("=qq", 0, 0)  # struct timespec


class Completion(msgspec.Struct, frozen=True):
    """One fsync that is done."""

    token: int
    error: int


class KernelAio:
    """A context of asynchronous I/O.  It belongs to the process that made it: forked children need their own."""

    def __init__(self, capacity: int = 128) -> None:
        """`capacity` is how many may be under way at once."""
        if sys.platform != "linux" or sys.maxsize < 1 << 32:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        library = ctypes.CDLL(None, use_errno=True)
        self._waiting_call = library.syscall
        # Short calls keep the interpreter lock: giving it away costs more than they do.
        self._short_call = ctypes.PyDLL(None, use_errno=True).syscall
        for function in (self._waiting_call, self._short_call):
            function.restype = ctypes.c_long
        self._context = ctypes.c_ulong(0)
        self._call(_SETUP, ctypes.c_long(capacity), ctypes.byref(self._context))
        self._capacity = capacity
        self._blocks = ctypes.create_string_buffer(_IOCB.size * capacity)
        address = ctypes.addressof(self._blocks)
        self._addresses = [address + _IOCB.size * slot for slot in range(capacity)]
        self._pointers = (ctypes.c_void_p * capacity)()
        self._events = ctypes.create_string_buffer(_EVENT.size * capacity)
        self._free = list(range(capacity))

    @property
    def under_way(self) -> int:
        """fsyncs that were submitted and not yet completed."""
        return self._capacity - len(self._free)

    def submit(self, wanted: Sequence[tuple[int, int]], *, notify: int = -1) -> int:
        """Begin the fsync of (descriptor, token); how many were taken, from the front.

        Fewer than all when the capacity is used up.  OSError if the kernel takes none at all.
        """
        count = min(len(wanted), len(self._free))
        slots = [self._free.pop() for _ in range(count)]
        flags, eventfd = (_NOTIFY, notify) if notify >= 0 else (0, 0)
        for index, (slot, (descriptor, token)) in enumerate(zip(slots, wanted, strict=False)):
            # The slot's number travels in the upper half of the kernel's `data`.
            data = slot << 32 | token
            at = _IOCB.size * slot
            _IOCB.pack_into(self._blocks, at, data, 0, 0, _FSYNC, 0, descriptor, 0, 0, 0, 0, flags, eventfd)
            self._pointers[index] = self._addresses[slot]
        taken = 0
        if count:
            try:
                taken = self._call(_SUBMIT, self._context, ctypes.c_long(count), self._pointers)
            finally:
                self._free += slots[taken:]
        return taken

    def completed(self, *, wait: bool = False) -> list[Completion]:
        """What has been completed; with `wait`, all that is under way."""
        if not self.under_way:
            return []
        # The kernel wakes us when all are done: once for each would be as many switches between processes.
        call, minimum, timeout = (
            (self._waiting_call, self.under_way, None)
            if wait
            else (self._short_call, 0, ctypes.c_char_p(_AT_ONCE))
        )
        count = self._call(
            _GET_EVENTS,
            self._context,
            ctypes.c_long(minimum),
            ctypes.c_long(self._capacity),
            self._events,
            timeout,
            call=call,
        )
        done: list[Completion] = []
        for index in range(count):
            data, _, result, _ = _EVENT.unpack_from(self._events, _EVENT.size * index)
            self._free.append(data >> 32)
            done.append(Completion(data & 0xFFFFFFFF, max(0, -result)))
        return done

    def close(self) -> None:
        """Wait for what is under way, and give the context back."""
        if self._context.value:
            self._call(_DESTROY, self._context, call=self._waiting_call)
            self._context.value = 0

    def _call(self, number: int, *arguments: object, call: "ctypes._NamedFuncPointer | None" = None) -> int:
        while True:
            result: int = (call or self._short_call)(ctypes.c_long(number), *arguments)
            if result >= 0:
                return result
            code = ctypes.get_errno()
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))
