"""Sockets that a supervisor binds for its roles, and keeps as long as it lives.

DESCRIPTION
    A role that is started again gets the same socket, so that clients wait a moment and never meet a closed
    door.  Unix sockets are made under a temporary name and renamed, so that one that stands is always one that
    can be connected to; what others put into the directory (Dovecot's sockets in private/) is left alone.

FAULTS
    StartFault  a port that is taken or not allowed, a directory that cannot be written: one line that says it
"""

import errno
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec


class StartFault(Exception):
    """The system cannot start; `str()` is the line for the admin."""


class InetListener(msgspec.Struct, frozen=True):
    """A TCP port."""

    name: str
    address: str
    port: int


class UnixListener(msgspec.Struct, frozen=True):
    """A Unix socket.  `owner` is (uid, gid) when a supervisor that is root must give it away."""

    name: str
    path: str
    mode: int = 0o600
    owner: tuple[int, int] | None = None


Listener = InetListener | UnixListener


def bind(listener: Listener, *, beside: Mapping[Listener, socket.socket] | None = None) -> socket.socket:
    """The listening socket.  StartFault if it cannot be.

    What stands in `beside` is ours already and no obstacle: a service with another name on the same address has the
    same socket, and 127.0.0.1 can be bound where 0.0.0.0 listens on the port, until that is closed.
    """
    if isinstance(listener, UnixListener):
        return _bind_unix(listener)
    neighbours = [
        (other, sock)
        for other, sock in (beside or {}).items()
        if isinstance(other, InetListener)
        and other.port == listener.port
        and _family(other) == _family(listener)
    ]
    for other, sock in neighbours:
        if other.address == listener.address:
            return sock.dup()
    with _shared(sock for _, sock in neighbours):
        return _bind_inet(listener, shared=bool(neighbours))


def _family(listener: InetListener) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in listener.address else socket.AF_INET


@contextmanager
def _shared(sockets: Iterable[socket.socket]) -> Iterator[None]:
    """For a moment, another socket of ours may have these sockets' port."""
    held = list(sockets)
    for sock in held:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        yield
    finally:
        for sock in held:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)


def _bind_inet(listener: InetListener, *, shared: bool) -> socket.socket:
    """With `shared`, beside our own sockets on the port.  Nobody else's: they would have to allow it themselves."""
    family = _family(listener)
    sock = socket.socket(family, socket.SOCK_STREAM)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind((listener.address, listener.port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        where = f"{listener.address} port {listener.port} ({listener.name})"
        if error.errno == errno.EADDRINUSE:
            raise StartFault(
                f"cannot listen on {where}: the port is taken; stop what has it, or choose another "
                "(pillarbox run --port-offset; master.cf, dovecot.conf)"
            ) from error
        raise StartFault(f"cannot listen on {where}: {error.strerror}") from error
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
    return sock


def _bind_unix(listener: UnixListener) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory, name = os.path.split(listener.path)
    # sockaddr_un has room for 107 octets; /proc/self/fd/N is short whatever the directory's path.
    try:
        holder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        sock.close()
        raise StartFault(f"cannot make socket {listener.path}: {error.strerror}") from error
    temporary = f"{name}.{os.getpid()}"
    mask = os.umask(~listener.mode & 0o777)
    try:
        sock.bind(f"/proc/self/fd/{holder}/{temporary}")
        if listener.owner is not None:
            # The directory may be the mail system's: what stands there by this name now may be a link.
            os.chown(temporary, *listener.owner, dir_fd=holder, follow_symlinks=False)
        os.rename(temporary, name, src_dir_fd=holder, dst_dir_fd=holder)
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise StartFault(f"cannot make socket {listener.path}: {error.strerror}") from error
    finally:
        os.umask(mask)
        os.close(holder)
    return sock
