"""Debian's Postfix and ours on hosts of their own, beside servers that hear everything that they send.

Both have the same main.cf; `load()` gives them another.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from fakes.host import PACKAGED, Host
from fakes.mail_system import until
from fakes.network import Network, _ip, address
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF
from fakes.scripted_server import ScriptedServer

LOG = "/var/log/mail.log"


class RewritingWorld:
    """The hosts (theirs, ours) and the servers, at 10.53.0.20 and 10.53.0.21."""

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
        _ip(f"address add {address(20)}/32 dev internet")
        _ip(f"address add {address(21)}/32 dev internet")
        self.servers = [ScriptedServer(address(number), 25) for number in (20, 21)]
        self._number = 0
        self._users = users
        self.hosts = [self._host(2, PACKAGED), self._host(3, INSTALLED)]

    def _host(self, number: int, path: str) -> Host:
        host = self.network.host("mail.here.test", number, path=path)
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf; touch /etc/postfix/main.cf")
        else:
            install(host)
        for user in self._users:
            host.output(f"useradd --create-home --shell /bin/sh {user}")
        host.write("/etc/postfix/main.cf", self._main_cf % 0)
        host.write("/etc/postfix/master.cf", MASTER_CF)
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.output("postfix start")
        host.until_answers(25)
        return host

    def load(self, settings: str) -> None:
        """Another configuration for both: `settings` in place of the general ones, or besides them."""
        self._number += 1
        for host in self.hosts:
            host.write("/etc/postfix/main.cf", _merged(self._main_cf % self._number, settings))
            done = host.run("postfix reload")
            assert done.returncode == 0, done.stderr + "".join(host.file(LOG).read_text()[-3000:])
        for host in self.hosts:
            self._until_loaded(host)

    def _until_loaded(self, host: Host) -> None:
        until(
            lambda: all(self._banner(host).endswith(b" %d" % self._number) for _ in range(5)),
            what=lambda: host.file(LOG).read_text()[-2000:],
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
        for server in self.servers:
            server.close()
        self.network.end()


def _merged(*texts: str) -> str:
    """One entry for each name: postlogd(8) would choke on its own warnings of entries that override others."""
    entries = [entry for text in texts for entry in re.split(r"(?m)^(?=\S)", text) if entry]
    return "".join({entry.partition("=")[0].strip(): entry for entry in entries}.values())
