"""dovecot.conf: any text is read, in either dialect, or refused with a ConfigurationFault."""

from pillarbox.config.dovecot import listing, variables
from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.listing import Extent, Style
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.config.dovecot.unserved import warnings
from pillarbox.vocabulary.faults import ConfigurationFault

SEEDS = [
    b"protocols = imap\nssl = no\nmail_location = maildir:~/Maildir\npassdb {\n driver = pam\n}\n",
    b'service auth {\n unix_listener /x {\n  mode = 0660\n }\n}\nnamespace inbox {\n mailbox "a b" {\n }\n}\n',
    b"local 10.0.0.0/8 {\n protocol imap {\n  mail_plugins = $mail_plugins x\n }\n}\nplugin {\n a = </b\n}\n",
    b"dovecot_config_version = 2.4.0\nprotocols {\n imap = yes\n}\nuserdb static {\n fields {\n  uid = 1\n }\n}\n",
    b'login_greeting = "a # b\\" c" # d \\\nmail_home = /srv/%2.3Ln/%{user | domain}\\\n  x\n!include_try /nonexistent\n',
]
DICTIONARY = [b" {\n", b"\n}\n", b"passdb {\n", b"driver = ", b"args = ", b"$ENV:", b"$SET:", b"<<EOF\n", b"= </",
              b"service ", b"inet_listener ", b"namespace ", b"protocol !", b"%{if;", b"%L", b"%256H",
              b"dovecot_config_version = 2.4.0\n", b"mail_location = maildir:", b" secs", b" M", b"fields {\n"]  # fmt: skip


def fuzz_one(data: bytes) -> None:
    """What can be read can be shown, and its interpretation is settings or a fault."""
    text = data.decode(errors="surrogateescape")
    if "!include" in text:
        text = text.replace("/", "_").replace("*", "_")  # no file of this machine
    try:
        configuration = parse_configuration(text)
    except ConfigurationFault:
        return
    for extent in Extent:
        assert all("\n" not in line or "\n" in text for line in listing.lines(configuration, extent, Style()))
    for judge in (warnings, lambda read: mailbox_settings(read, hostname="mx")):
        try:
            judge(configuration)
        except ConfigurationFault:
            continue
    try:
        variables.expand(text[:200], variables.user_values("me@example.org"))
    except ValueError:
        pass
