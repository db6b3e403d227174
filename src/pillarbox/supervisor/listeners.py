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


def bind(listener: InetListener | UnixListener) -> socket.socket:
    """The listening socket.  StartFault if it cannot be."""
    if isinstance(listener, InetListener):
        return _bind_inet(listener)
    return _bind_unix(listener)


def _bind_inet(listener: InetListener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
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
                f"cannot listen on {where}: the port is taken; stop what has it, or choose another"
            ) from error
        raise StartFault(f"cannot listen on {where}: {error.strerror}") from error
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
    try:
        sock.bind(f"/proc/self/fd/{holder}/{temporary}")
        os.chmod(temporary, listener.mode, dir_fd=holder)
        if listener.owner is not None:
            os.chown(temporary, *listener.owner, dir_fd=holder)
        os.rename(temporary, name, src_dir_fd=holder, dst_dir_fd=holder)
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise StartFault(f"cannot make socket {listener.path}: {error.strerror}") from error
    finally:
        os.close(holder)
    return sock
