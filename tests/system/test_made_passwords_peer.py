"""Stored passwords that we make are right for Dovecot, too."""

import subprocess
from pathlib import Path

import pytest

from pillarbox.auth.password_making import SCHEMES, make

pytestmark = [pytest.mark.system, pytest.mark.peer("dovecot")]


@pytest.mark.parametrize(
    "scheme", [*SCHEMES, "PLAIN.B64", "CRYPT.HEX", "SSHA.HEX", "PLAIN-MD5.BASE64", "CRAM-MD5.B64"]
)
def test_dovecot_takes_what_we_make(scheme: str, tmp_path: Path) -> None:
    """doveadm pw -t says so."""
    (tmp_path / "dovecot.conf").write_text("ssl = no\n")
    stored = make(scheme, b"secret", user=b"a@b")
    done = subprocess.run(
        [
            *("/usr/bin/doveadm", "-c", str(tmp_path / "dovecot.conf")),
            *("pw", "-u", "a@b", "-p", "secret", "-t", stored),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{stored} (verified)\n", done.stderr
