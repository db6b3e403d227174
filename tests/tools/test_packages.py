"""Whose files are, by what dpkg-query(1) says."""

from pathlib import Path

import pytest

from pillarbox.tools.installation.packages import owners

DPKG_QUERY = """\
#!/bin/sh
echo "$*" >>{log}
cat <<.
diversion by postfix from: /usr/sbin/sendmail
diversion by postfix to: /usr/sbin/sendmail.packaged
postfix: /usr/sbin/sendmail
postfix:amd64: /sbin/postmap
.
echo "dpkg-query: no path found matching pattern /usr/bin/nothing" >&2
exit 1
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What dpkg-query was asked, one line for each time."""
    log = tmp_path / "asked"
    program = tmp_path / "dpkg-query"
    program.write_text(DPKG_QUERY.format(log=log))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return log


def test_all_are_asked_for_at_once(asked: Path) -> None:
    """Each call reads the lists of all packages, a tenth of a second: forty calls were four of an installation."""
    paths = ["/usr/sbin/sendmail", "/usr/sbin/postmap", "/usr/bin/nothing"]
    assert owners(paths) == {"/usr/sbin/sendmail": "postfix", "/usr/sbin/postmap": "postfix"}
    [line] = asked.read_text().splitlines()
    assert (
        line
        == "-S /bin/nothing /sbin/postmap /sbin/sendmail /usr/bin/nothing /usr/sbin/postmap /usr/sbin/sendmail"
    )


def test_nothing_is_asked_for(asked: Path) -> None:
    """dpkg-query complains without a name."""
    assert owners([]) == {}
    assert not asked.exists()
