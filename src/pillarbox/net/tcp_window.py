"""tcp_windowsize: a workaround for routers that break TCP window scaling.

STANDARDS
    RFC 7323 §2; postconf(5): tcp_windowsize
"""

import socket


def set_window(sock: socket.socket, octets: int) -> None:
    """Before the socket is connected or listens: no more than so many octets are on the way; 0 changes nothing."""
    if octets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, octets)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
