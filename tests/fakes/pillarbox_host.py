"""Pillarbox on a `Host`: installed as an admin installs it."""

import sys
from typing import Final

from fakes.host import PACKAGED, Host

INSTALLED: Final = f"/usr/local/sbin:/usr/local/bin:{PACKAGED}"
"""PATH in which our commands come first."""


def install(host: Host) -> None:
    """`pillarbox install`."""
    run_pillarbox(host, "install")


def run_pillarbox(host: Host, arguments: str, *, status: int = 0) -> str:
    """pillarbox(1) from the checkout; what it says."""
    done = host.run(f"{sys.executable} -m pillarbox.tools.pillarbox {arguments}")
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr
