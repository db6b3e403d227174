"""login_log_format, mail_log_prefix and deliver_log_format."""

import pytest

from pillarbox.auth.wrong_passwords import with_password
from pillarbox.config.dovecot.log_formats import MailboxLines, delivery_text, delivery_variables
from pillarbox.vocabulary.secret import Secret

CLIENT = {
    "user": "me",
    "username": "me",
    "mech": "PLAIN",
    "rip": "192.0.2.7",
    "session": "AbC",
    "service": "imap",
}
ELEMENTS = [
    ("user=<%u> method=%m %c %d", "user=<me>, method=PLAIN"),
    ("%n.%d lit a%%b rip=%r", "me., rip=192.0.2.7"),
    ("x=%{frob} %q %{session}", "AbC"),
    ("%Uu %2u %{if;%s;eq;imap;i;p} q=%{passdb:x}", "ME, me, i, q="),
    ("", ""),
]
PREFIXES = [
    ("%s(%u)<%{session}>: ", "imap(me)<AbC>: "),
    ("%s %q %{home} ", "imap UNSUPPORTED_VARIABLE_q UNSUPPORTED_VARIABLE_home "),
    ("%5Us 100%% ", "IMAP 100% "),
]
DELIVERIES = [
    ("msgid=%m: %$", "msgid=[msgid]: saved", ("msgid",)),
    ("%$ %2s %{to_envelope} %q", "saved [s [to_envelope] UNSUPPORTED_VARIABLE_q", ("subject", "to_envelope")),
    ("done", "done", ()),
]
PASSWORDS = [
    ("no", "Password mismatch"),
    ("plain", "Password mismatch (given password: wrong)"),
    ("plain:3", "Password mismatch (given password: wro)"),
    ("sha1:6", "Password mismatch (SHA1 of given password: a4b48a)"),
]


@pytest.mark.parametrize(("elements", "told"), ELEMENTS)
def test_elements_of_a_login(elements: str, told: str) -> None:
    """One whose variables are empty is left out."""
    lines = MailboxLines(login_log_format="%$; %s %", login_log_format_elements=elements)
    assert lines.login("imap", "Login", CLIENT) == f"Login; {told} %"


def test_a_protocol_has_its_own() -> None:
    """Within `protocol pop3`."""
    lines = MailboxLines(within={"pop3": {"login_log_format_elements": "%u", "mail_log_prefix": "p "}})
    assert lines.login("pop3", "Login", CLIENT) == "Login: me"
    assert lines.mail_prefix("pop3", {}) == "p "
    assert lines.mail_prefix("imap", {"service": "imap", "user": "me"}) == "imap(me)<><>: "


@pytest.mark.parametrize(("prefix", "told"), PREFIXES)
def test_prefixes(prefix: str, told: str) -> None:
    """A variable that does not exist shows."""
    assert MailboxLines(mail_log_prefix=prefix).mail_prefix("imap", CLIENT) == told


@pytest.mark.parametrize(("template", "told", "names"), DELIVERIES)
def test_deliveries(template: str, told: str, names: tuple[str, ...]) -> None:
    """Only what is told is asked for."""
    assert delivery_variables(template) == names
    assert delivery_text(template, "saved", lambda name: f"[{name}]") == told


@pytest.mark.parametrize(("form", "told"), PASSWORDS)
def test_wrong_passwords(form: str, told: str) -> None:
    """auth_verbose_passwords; other reasons tell no password."""
    assert with_password("Password mismatch", Secret(b"wrong"), form) == told
    assert with_password("user is disabled", Secret(b"wrong"), form) == "user is disabled"
