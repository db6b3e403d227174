"""passwd-file lines, as Dovecot reads them."""

import pytest

from pillarbox.tables.passwd_file import read_passwd_file
from pillarbox.vocabulary.faults import ConfigurationFault

FILE = b"""# comment line
:not a user
u1@d.example:{PLAIN}pw::::::

p2@d.example:{CRYPT}x:999:995:Full Name:/srv/p2:/bin/false:userdb_quota_rule=*:bytes=5M userdb_mail=maildir:~/M nologin
p3@d.example:$6$x
p4@d.example\r
"""


def test_lines_have_eight_fields_at_most() -> None:
    """The eighth takes the rest, colons and all; missing ones are empty."""
    users = {entry.user: entry for entry in read_passwd_file(FILE, path="x")}
    assert list(users) == ["u1@d.example", "p2@d.example", "p3@d.example", "p4@d.example"]
    assert users["u1@d.example"].password.reveal() == b"{PLAIN}pw"
    two = users["p2@d.example"]
    assert (two.uid, two.gid, two.home) == ("999", "995", "/srv/p2")
    assert two.extra == (("userdb_quota_rule", "*:bytes=5M"), ("userdb_mail", "maildir:~/M"), ("nologin", ""))
    assert users["p3@d.example"].home == users["p4@d.example"].password.reveal().decode() == ""


def test_a_user_stands_there_once() -> None:
    """Two lines for one user are told with file and line."""
    with pytest.raises(ConfigurationFault, match="more than once") as told:
        list(read_passwd_file(b"a:x\nb:y\na:z\n", path="users"))
    assert told.value.where == "users, line 3"
