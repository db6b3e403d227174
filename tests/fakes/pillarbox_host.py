"""Pillarbox on a `Host`: installed as an admin installs it."""

import sys
from typing import Final

from fakes.host import PACKAGED, Host

INSTALLED: Final = f"/usr/local/sbin:/usr/local/bin:{PACKAGED}"
"""PATH in which our commands come first."""


def install(host: Host) -> None:
    """`pillarbox install`."""
    run_pillarbox(host, "install")


def remove_originals(host: Host) -> None:
    """Take the programs of Postfix and Dovecot off the host, so that nothing of theirs can be what answers."""
    host.output(
        "rm -rf /usr/lib/postfix /usr/lib/dovecot /usr/sbin/post[!g]* /usr/sbin/sendmail /usr/lib/sendmail /usr/sbin/dovecot "
        "/usr/bin/dove* /usr/bin/mailq /usr/bin/newaliases"
    )


def run_pillarbox(host: Host, arguments: str, *, status: int = 0, user: str = "root") -> str:
    """pillarbox(1) from the checkout; what it says."""
    done = host.run(f"{sys.executable} -m pillarbox.tools.pillarbox {arguments}", user=user)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr
