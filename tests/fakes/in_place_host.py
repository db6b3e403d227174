"""A host on which Pillarbox is installed in place of Postfix, with main.cf and master.cf of its own."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from fakes.host import ADDRESS, Host
from fakes.logs import until_logged
from fakes.pillarbox_host import INSTALLED, install
from fakes.tutorial_host import DOMAIN, MAIL_HOST, tutorial_host

MAIN_CF = f"""\
compatibility_level = 3.6
inet_interfaces = all
myhostname = {MAIL_HOST}
mydomain = {DOMAIN}
mydestination =
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = /home
virtual_mailbox_maps = texthash:/etc/postfix/users
virtual_uid_maps = static:2000
virtual_gid_maps = static:2000
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/postfix/cert.pem
smtpd_tls_key_file = /etc/postfix/cert.pem
default_transport = error:no route
"""


MASTER_CF = """\
smtp inet n - n - - smtpd
127.0.0.1:submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
qmgr unix n - n 300 1 qmgr
cleanup unix n - n - 0 cleanup
bounce unix - - n - 0 bounce
rewrite unix - - n - - trivial-rewrite
virtual unix - n n - - virtual
error unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
"""


PID_FILE = "/var/spool/postfix/pid/master.pid"


def certificate(host: Host, name: str) -> None:
    """A self-signed certificate that only root may read."""
    subject = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name}"
    host.output(
        f"umask 077; {subject} -keyout /tmp/key -out /tmp/crt && cat /tmp/key /tmp/crt >/etc/postfix/cert.pem"
    )


def configure(host: Host, **values: str) -> None:
    """main.cf with some values added."""
    added = "".join(f"{name} = {value}\n" for name, value in values.items())
    host.write("/etc/postfix/main.cf", MAIN_CF + added)


def reload(host: Host) -> None:
    """`postfix reload`, and the new generation serves."""
    before = len(host.log())
    host.output("postfix reload")
    until_logged(host, "reload -- ", since=before)


class Session:
    """An SMTP session."""

    def __init__(self, host: Host, port: int = 25, address: str = ADDRESS) -> None:
        self._host = host
        self.sock: socket.socket = host.connect(port, address=address)
        self.banner = self.line()

    def line(self) -> str:
        """One line of a reply."""
        data = b""
        while not data.endswith(b"\n"):
            more = self.sock.recv(1)
            if not more:
                break
            data += more
        return data.decode().rstrip("\r\n")

    def __call__(self, command: str) -> str:
        self.sock.sendall(command.encode() + b"\r\n")
        return self.line()

    def starttls(self) -> str:
        """Turn TLS on; the common name of the certificate."""
        self("HELO client.test")
        assert self("STARTTLS") == "220 2.0.0 Ready to start TLS"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        self._host.keep(self.sock)
        presented = self.sock.getpeercert(binary_form=True)
        assert presented is not None
        match = re.search(rb"(first|second)\.test", presented)
        assert match is not None
        return match[0].decode()

    def recipient(self, address: str) -> str:
        """The answer to RCPT TO."""
        self("HELO client.test")
        self("MAIL FROM:<>")
        return self(f"RCPT TO:<{address}>")


@contextmanager
def in_place_host() -> Iterator[Host]:
    """The host, with a certificate and one user of a virtual domain."""
    host = tutorial_host(INSTALLED)
    try:
        install(host)
        host.output(
            "groupadd -g 2000 mail-users && useradd -u 2000 -g 2000 -M mail-users && chmod 1777 /home"
        )
        configure(host)
        host.write("/etc/postfix/master.cf", MASTER_CF)
        host.write("/etc/postfix/users", f"someone@{DOMAIN} someone/\n", mode=0o600)
        certificate(host, "first.test")
        yield host
    finally:
        host.end()
