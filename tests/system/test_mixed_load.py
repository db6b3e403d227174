"""Clients of all kinds at one account, at once: nobody waits in vain, and nothing breaks.

DESCRIPTION
    A worker that stands still, a session that is cut off or a bug in the log is what this looks for: what comes of
    commands that meet in a way that no single test thinks of.  A long run: `make soak`, or SOAK_SECONDS=3600.
"""

import os
import re
import threading
from typing import Final

import pytest

from fakes.mail_system import PASSWORD, until
from fakes.mixed_clients import KINDS, Account
from system.conftest import new_system

pytestmark = pytest.mark.system

EVERYTHING: Final = """\
imap_hibernate_timeout = 1s
mail_plugins = quota acl mail_log notify zlib
protocol imap {
  mail_plugins = quota acl mail_log notify zlib imap_quota imap_acl imap_zlib
}
plugin {
  quota = count:User quota
  quota_rule = *:storage=1G
  quota_vsizes = yes
  acl = vfile
  mail_log_fields = uid box msgid size
}
namespace inbox {
  mailbox Trash {
    auto = subscribe
    special_use = \\Trash
    autoexpunge = 1s
  }
}
"""
"""What has a say in what clients do, too."""
USER_OF_ALL: Final = "all@pillarbox.test"
SECONDS: Final = float(os.environ.get("SOAK_SECONDS", "10"))
CLIENTS: Final = {"smtp": 3, "submission": 1, "imap": 5, "idle": 2, "pop3": 1, "rude": 1, "others": 1}
"""Fewer than ten have a session of the account: mail_max_userip_connections."""
BUG: Final = re.compile(r"panic|Traceback|fatal|Internal error", re.I)


@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.parametrize("settings", ["", EVERYTHING], ids=["plain", "everything"])
def test_nobody_waits_in_vain(settings: str) -> None:
    """Every command is answered within a minute, and no session ends that its client has not ended."""
    system = new_system("rootless")
    system.make_home([USER_OF_ALL])
    system.configure_mailboxes(settings)
    with system.running():
        account = Account(USER_OF_ALL, PASSWORD, system.port, system.maildir(USER_OF_ALL))
        system.send(b"Subject: the first\r\n\r\nx\r\n", recipient=USER_OF_ALL)
        until(account.maildir.is_dir, what="there is a Maildir")
        threads = [
            threading.Thread(target=account.run, args=(kind, 100 * number + seed))
            for number, kind in enumerate(KINDS)
            for seed in range(CLIENTS[kind])
        ]
        for thread in threads:
            thread.start()
        account.ended.wait(SECONDS)
        account.ended.set()
        for thread in threads:
            thread.join()
        assert account.faults == []
        assert account.sessions.keys() == KINDS.keys()
        assert [line for line in system.log().split("\n") if BUG.search(line)] == []
