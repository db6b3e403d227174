"""Debian's Postfix and ours on hosts of their own, beside servers that hear everything that they send.

Both have the same main.cf, but for the servers, of which each has its own, so that both can be at work at the same
time; `load()` gives them another.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from fakes.host import PACKAGED, Host
from fakes.mail_system import until
from fakes.network import Network, _ip, address
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF, merged
from fakes.scripted_server import ScriptedServer


class RewritingWorld:
    """The hosts (theirs, ours) and their servers: 10.53.0.20 and .21, for ours 10.53.0.30 and .31."""

    def __init__(
        self,
        directory: Path,
        main_cf: str,
        *,
        zones: Mapping[str, str] | None = None,
        users: tuple[str, ...] = (),
    ) -> None:
        """`main_cf` in its general form; users have accounts on both hosts."""
        self.network = Network(directory, zones or {"here.test": f"@ IN A {address(2)}\n"})
        self._main_cf = main_cf + "smtpd_banner = $myhostname ESMTP %d\n"
        for number in (20, 21, 30, 31):
            _ip(f"address add {address(number)}/32 dev internet")
        self._servers = [[ScriptedServer(address(at + more), 25) for more in (0, 1)] for at in (20, 30)]
        self._number = 0
        self._users = users
        self.hosts = [self._host(2, PACKAGED), self._host(3, INSTALLED)]

    def servers(self, host: Host) -> list[ScriptedServer]:
        """Where a host's mail goes."""
        return self._servers[self.hosts.index(host)]

    def all_servers(self) -> list[ScriptedServer]:
        """Of both hosts."""
        return [server for servers in self._servers for server in servers]

    @staticmethod
    def of_theirs(text: str) -> str:
        """A text with the servers' addresses as Postfix's host has them."""
        return re.sub(r"\b10\.53\.0\.3(?=[01]\b)", "10.53.0.2", text)

    def _host(self, number: int, path: str) -> Host:
        host = self.network.host("mail.here.test", number, path=path)
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf; touch /etc/postfix/main.cf")
        else:
            install(host)
        for user in self._users:
            host.output(f"useradd --create-home --shell /bin/sh {user}")
        host.write("/etc/postfix/main.cf", self._for(number, self._main_cf % 0))
        host.write("/etc/postfix/master.cf", MASTER_CF)
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.start_postfix()
        host.until_answers(25)
        return host

    def load(self, settings: str) -> None:
        """Another configuration for both: `settings` in place of the general ones, or besides them."""
        self._number += 1
        text = merged(self._main_cf % self._number, settings)
        for number, host in enumerate(self.hosts, start=2):
            host.write("/etc/postfix/main.cf", self._for(number, text))
            done = host.run("postfix reload")
            assert done.returncode == 0, done.stderr + host.log()[-3000:]
        for host in self.hosts:
            self._until_loaded(host)

    @staticmethod
    def _for(number: int, main_cf: str) -> str:
        return re.sub(r"\[10\.53\.0\.2(?=[01]\])", f"[10.53.0.{number}", main_cf)

    def _until_loaded(self, host: Host) -> None:
        until(
            lambda: all(self._banner(host).endswith(b" %d" % self._number) for _ in range(5)),
            what=lambda: host.log()[-200000:],
        )

    def _banner(self, host: Host) -> bytes:
        with host.connect(25) as sock, sock.makefile("rb") as file:
            sock.settimeout(5)
            try:
                banner = file.readline().strip()
            except (TimeoutError, ConnectionError):
                return b""
        return banner

    def end(self) -> None:
        """Everything goes."""
        for server in self.all_servers():
            server.close()
        self.network.end()
