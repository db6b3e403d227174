"""A `Host` whose first process is systemd, so that units are started, watched and stopped as on a real machine.

DESCRIPTION
    systemd runs in the host's namespaces and in a control group of its own.  Units that set up hardware and the
    kernel (udev, sysctl, journald) are left out: the kernel is everybody's.

FAULTS
    NoControlGroups  this machine has no control groups (version 2) that can be written
"""

import os
import uuid
from pathlib import Path
from typing import Final

from fakes.host import Host
from fakes.mail_system import until

_WITHOUT: Final = ("sysinit", "sockets", "local-fs", "timers", "multi-user")
_BOOT: Final = (
    "mount -t sysfs -o ro sysfs sys\n"
    "mount -t cgroup2 cgroup2 sys/fs/cgroup\n"
    + "".join(
        f"for wants in etc usr/lib; do wants=$wants/systemd/system/{target}.target.wants\n"
        "[ ! -d $wants ] || mount -t tmpfs tmpfs $wants; done\n"
        for target in _WITHOUT
    )
    + "ln -sf /dev/null etc/systemd/system/systemd-journald.service\n"
    "printf '[Unit]\\nDefaultDependencies=no\\n' >etc/systemd/system/nothing.target\n"
    "touch dev/console\n"
    "exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /bin/sh -c 'echo up; exec "
    "/lib/systemd/systemd --system --unit=nothing.target --log-target=null --show-status=no'\n"
)


class NoControlGroups(Exception):
    """There is no place where systemd could manage processes."""


class SystemdHost(Host):
    """One host, booted."""

    def __init__(self, name: str, *, path: str) -> None:
        self._group = _writable_hierarchy() / f"test-{uuid.uuid4().hex}"
        self._group.mkdir()
        super().__init__(
            name,
            path=path,
            boot=_BOOT,
            starter=("/bin/sh", "-c", f'echo $$ >{self._group}/cgroup.procs; exec "$@"', "sh"),
            more_namespaces=("--cgroup",),
        )
        until(
            lambda: self.run("systemctl is-system-running").stdout == "running\n",
            what=lambda: f"systemd runs: {self.run('systemctl list-units --failed').stdout}",
        )

    def end(self) -> None:
        """Everything inside ends, its control groups too."""
        super().end()
        for directory, _, _ in os.walk(self._group, topdown=False):
            os.rmdir(directory)


def _writable_hierarchy() -> Path:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" and options.split(",")[0] == "rw" and os.access(where, os.W_OK):
            return Path(where)
    raise NoControlGroups("no cgroup2 file system is mounted writable")
