"""Pillarbox on a `Host`: installed as an admin installs it."""

import sys
from typing import Final

from fakes.host import PACKAGED, Host

INSTALLED: Final = f"/usr/local/sbin:/usr/local/bin:{PACKAGED}"
"""PATH in which our commands come first."""


def install(host: Host) -> None:
    """`pillarbox install`."""
    host.output(f"{sys.executable} -m pillarbox.tools.pillarbox install")
