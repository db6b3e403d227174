"""%-variables in mail_home: the directory is the one that Debian's Dovecot looks in."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from fakes.doveadm import Doveadm
from fakes.imap_exchanges import owner
from pillarbox.config.dovecot.variables import expand, user_values

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

USERS: Final = ("Me.And-You@Mail.Example.ORG", "x", "j\xf6rg@m\xfcller.example@two", "0042")
TEXTS: Final = (
    *("%u %n %d %s %{user} %{username} %{domain} %{auth_user} %{auth_username} %{auth_domain}".split()),
    *("%1n %2u %-1n %2.1u %1.2n %-3.2u %2.-2u %0.-1u %-4.-1u %-9.3n %99u %.u %-u %3.2Lu %1.1{user}".split()),
    *("%Lu %Uu %Ru %Mu %Du %Tu %Xu %LMu %MLu %08Xu %02Xn %2.1Mu".split()),
    *("%Hu %Nu %256Hu %256Nu %2.256Hu %2.256Nu %4.16Nu %16LNu %1.64H{domain}".split()),
    *("%{md5:user} %{sha1:user} %{sha256:domain} %{sha512:username} %4.8{sha1:user}".split()),
    "%{sha1;truncate=12:user}%{sha256;truncate=16:user}%{md5;truncate=200:user}",
    "%{sha1;rounds=7,salt=pepper:user}%{md5;rounds=2,salt=%d,format=base64:username}",
    "%{sha1;format=base64:user}",
    "%{md4:user}%{md4;rounds=3,truncate=40,salt=x:username}",
    "%{pkcs5;truncate=64,salt=pepper:user}%{pkcs5;rounds=3,truncate=128,format=base64,salt=p%d:username}",
    "%{hostname}",
    "%{if;%d;eq;Mail.Example.ORG;yes;no}%{if;%n;ne;x;yes}%{if;%n;lt;b;%n;%Un}%{if;%n;ge;x;yes;no}",
    "%{if;%u;*;*@*.example*;yes;no}%{if;%u;!*;?;yes;no}%{if;%d;~;ample;yes;no}%{if;%d;!~;^.{0,2}$;yes;no}",
    "%{if;12;>;9;a;b}%{if;-1;<=;-1;a;b}%{if;1;!=;01;a;b}%U{if;%{if;%s;eq;doveadm;1;2};==;1;\\\\;x;\\\\:}",
    *("%%", "a%%u"),
)


def their_directory(base: Path, user: str) -> str:
    """Where Dovecot looks for the user's mail."""
    command = ["doveadm", "-c", str(base / "dovecot.conf"), "mailbox", "path", "INBOX"]
    uid, gid = owner()
    done = subprocess.run(
        command
        if os.getuid()
        else ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *command],
        capture_output=True,
        check=False,
        env={"USER": user, "PATH": os.environ["PATH"] + ":/usr/sbin"},
        cwd="/",
    )
    assert done.stderr == b""
    return os.fsdecode(done.stdout).removesuffix("\n")


@pytest.mark.parametrize("user", USERS)
def test_directories_are_those_of_dovecot(tmp_path: Path, user: str) -> None:
    """Modifiers, digests and conditions, all in one path."""
    home = "/nonexistent/" + "/".join(f"<{text}>" for text in TEXTS)
    settings = {
        **{
            "base_dir": tmp_path / "run",
            "state_dir": tmp_path / "state",
            "log_path": "/dev/stderr",
            "ssl": "no",
        },
        **{"stats_writer_socket_path": "", "mail_location": "maildir:~/Maildir", "first_valid_uid": "0"},
        "mail_home": f'"{home}"',
    }
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    (tmp_path / "dovecot.conf").write_text("".join(lines))
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    ours = expand(home.replace("\\\\", "\\"), user_values(user) | {"service": "doveadm"})
    assert their_directory(tmp_path, user) == ours + "/Maildir"
