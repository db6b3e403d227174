"""What login_log_format_elements may tell of a client besides user, method and addresses: ports, listener, TLS."""

from pillarbox.config.dovecot.log_formats import MailboxLines
from pillarbox.daemons.login_tls import host_named_by
from pillarbox.net.connection import Connection
from pillarbox.net.handover import Peer
from pillarbox.wire.proxy_protocol import ProxyHeader


class LoginFacts:
    """Of one client, by the names of variables."""

    def __init__(self, lines: MailboxLines, connection: Connection, listener: str) -> None:
        self._connection = connection
        self._is_usual = lines == _USUAL
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
        if header.client is not None and header.server is not None:
            self._values |= {"lport": str(header.server[1]), "rport": str(header.client[1])}

    def be_told_ports(self, *, local: int, remote: int) -> None:
        """A trusted proxy tells them; 0: it does not."""
        told = {"lport": local, "rport": remote}
        self._values |= {name: str(port) for name, port in told.items() if port}

    def of_client(self, peer: Peer) -> dict[str, str]:
        """What the auth server is told besides both addresses: ports, who really connected, the host's name."""
        values, tls = self._values, self._connection.tls
        told = {name: values[name] for name in ("lport", "rport")}
        seen = {"lip": peer.local, "rip": peer.remote, **told}
        told |= {
            f"real_{name}": values[f"real_{name}"] for name in seen if values[f"real_{name}"] != seen[name]
        }
        if tls is not None and (host := host_named_by(tls)):
            told["local_name"] = host
        return told

    def now(self) -> dict[str, str]:
        """What there is to tell; nothing if only the usual is told."""
        if self._is_usual:
            return {}
        tls = self._connection.tls
        cipher = None if tls is None else tls.cipher()
        if tls is None or cipher is None:
            return self._values
        name, _, bits = cipher
        said = {"local_name": host_named_by(tls)}
        return {
            **self._values,
            **said,
            "ssl_security": f"{tls.version()} with cipher {name} ({bits}/{bits} bits)",
        }


_USUAL = MailboxLines()
