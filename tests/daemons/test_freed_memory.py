"""Roles do not give memory back that they need again at once."""

import platform
import subprocess
import sys

import pytest

BUFFERS = """
import resource
from pillarbox.daemons.startup import freeze_memory

freeze_memory()
for turn in range(30):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffers = [bytearray(262144) for _ in range(24)]
    del buffers
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's heap that is told so")
def test_buffers_of_large_messages_are_used_again() -> None:
    """The kernel clears no page for them, once there are enough: it was over 1,000 for each turn."""
    done = subprocess.run([sys.executable, "-c", BUFFERS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500
