"""Names of sessions lie side by side in the processes that workers are forked from."""

import subprocess
import sys

import pytest

from pillarbox.vocabulary.session_names import NAMES

COUNT = """
import sys
import {module}
from pillarbox.vocabulary.session_names import NAMES

print(len({{id(sys.intern(name[:1] + name[1:])) // 4096 for name in NAMES}}))
"""


@pytest.mark.parametrize("module", ["pillarbox.supervisor.dovecot_master", "pillarbox.daemons.spawner"])
def test_names_of_sessions_share_pages(module: str) -> None:
    """It was 294 pages, when each lay where the module that is loaded first has it."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", COUNT.format(module=module)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 180


def test_no_name_is_there_twice() -> None:
    """And all are names."""

    assert len(set(NAMES)) == len(NAMES)
    assert all(name.isidentifier() for name in NAMES)
