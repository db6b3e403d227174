"""What login_log_format_elements may tell of a client besides user, method and addresses: ports, listener, TLS."""

from pillarbox.config.dovecot.log_formats import MailboxLines
from pillarbox.net.connection import Connection
from pillarbox.wire.proxy_protocol import ProxyHeader


class LoginFacts:
    """Of one client, by the names of variables.  Nothing is asked for as long as only the usual is told."""

    def __init__(self, lines: MailboxLines, connection: Connection, listener: str) -> None:
        self._connection = connection
        self._values: dict[str, str] | None = None
        if lines == _USUAL:
            return
        (local, lport), (remote, rport) = connection.local_address, connection.peer_address
        self._values = {
            "listener": listener,
            "lport": str(lport),
            "rport": str(rport),
            "real_lip": local,
            "real_rip": remote,
            "real_lport": str(lport),
            "real_rport": str(rport),
        }

    def come_through_proxy(self, header: ProxyHeader) -> None:
        """The ports that the proxy tells are the client's."""
        if self._values is not None and header.client is not None and header.server is not None:
            self._values |= {"lport": str(header.server[1]), "rport": str(header.client[1])}

    def be_told_ports(self, *, local: int, remote: int) -> None:
        """A trusted proxy tells them; 0: it does not."""
        if self._values is not None:
            told = {"lport": local, "rport": remote}
            self._values |= {name: str(port) for name, port in told.items() if port}

    def now(self) -> dict[str, str]:
        """What there is to tell."""
        if self._values is None:
            return {}
        tls = self._connection.tls
        cipher = None if tls is None else tls.cipher()
        if tls is None or cipher is None:
            return self._values
        name, _, bits = cipher
        return {**self._values, "ssl_security": f"{tls.version()} with cipher {name} ({bits}/{bits} bits)"}


_USUAL = MailboxLines()
