"""Who logs in as another by a master user: whose rights he has, with access lists, beside Debian's Dovecot."""

from typing import Final

import pytest

from fakes.dovecot_pair import differences, dovecot_pair, play

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS: Final = """\
protocols = imap
mail_location = maildir:~/Maildir
mail_plugins = acl
auth_master_user_separator = *
passdb {{
  driver = static
  args = password=secret
  master = yes
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_acl
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
plugin {{
  acl = vfile
  {plugin}
}}
"""
OWNER: Final[list[bytes | tuple[bytes, bytes]]] = [
    b"CREATE seen",
    b"SETACL seen boss lr",
    b"CREATE full",
    b"SETACL full boss lrwstipekxa",
    b"CREATE none",
]
LOOK: Final = (
    b"MYRIGHTS %b",
    b"SELECT %b",
    b"UNSELECT",
    b"STATUS %b (MESSAGES)",
    b"GETACL %b",
    b"CREATE %b/kid",
)
MASTER: Final[list[bytes | tuple[bytes, bytes]]] = [
    b'LIST "" *',
    *(
        step % name if b"%b" in step else step
        for name in (b"INBOX", b"seen", b"full", b"none")
        for step in LOOK
    ),
    (b"APPEND seen", b"Subject: x\r\n\r\nx\r\n"),
    (b"APPEND full", b"Subject: x\r\n\r\nx\r\n"),
    b"CREATE new",
    b'LIST "" *',
]


@pytest.mark.parametrize("plugin", ["", "acl_user = %u", "master_user = %u", "acl_user = boss"])
def test_a_master_users_rights(plugin: str) -> None:
    """His own, not the owner's, if acl_user or master_user does not say otherwise."""
    with dovecot_pair(SETTINGS.format(plugin=plugin)) as pair:
        for script, user in ((OWNER, "me"), (MASTER, "me*boss"), (MASTER, "me")):
            ours, theirs = (play(server, script, user) for server in pair)
            assert ours == theirs, differences(ours, theirs)
