"""The dialect of Dovecot 2.4 comes to the same settings as that of 2.3."""

import pytest

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.vocabulary.faults import ConfigurationFault

OLD = """
protocols = imap lmtp
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_default_realm = example.org
ssl = no
mail_home = /srv/mail/%Lu
mail_location = maildir:~/Maildir
mail_uid = mail
mail_gid = mail
passdb {
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%{user} /etc/dovecot/users
}
passdb {
  driver = pam
  args = session=yes mail
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=mail home=/srv/mail/%{user}
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Trash {
    auto = subscribe
    special_use = \\Trash
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
  }
}
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = 1143
  }
}
plugin {
  fts_autoindex = yes
}
"""
NEW = """
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.0
protocols {
  imap = yes
  pop3 = no
  lmtp = yes
}
auth_allow_cleartext = yes
auth_mechanisms {
  plain = yes
  login = yes
}
auth_default_domain = example.org
ssl = no
mail_home = /srv/mail/%{user | lower}
mail_driver = maildir
mail_path = ~/Maildir
mail_uid = mail
mail_gid = mail
passdb passwd-file {
  default_password_scheme = SHA512-CRYPT
  auth_username_format = %{user}
  passwd_file_path = /etc/dovecot/users
}
passdb pam {
  passdb_pam_session = yes
  service_name = mail
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb static {
  fields {
    uid = mail
    home = /srv/mail/%{user}
  }
}
namespace inbox {
  inbox = yes
  namespace_separator = /
  mailbox Trash {
    mailbox_auto = subscribe
    special_use = \\Trash
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
  }
}
service imap-login {
  inet_listener imap {
    listen = 127.0.0.1
    port = 1143
  }
}
fts_autoindex = yes
fts flatcurve {
  substring_search = yes
}
"""


def read(text: str) -> MailboxSettings:
    """The settings of a text, places left out."""
    settings = mailbox_settings(parse_configuration(text), hostname="mx.example.org")
    return MailboxSettings(
        **{
            name: tuple({**{f: getattr(one, f) for f in one.__struct_fields__}, "where": ""} for one in value)  # type: ignore[arg-type]  # places differ between the two texts
            if name in ("passdbs", "userdbs")
            else value
            for name in settings.__struct_fields__
            for value in [getattr(settings, name)]
        }
    )


def test_both_dialects_come_to_the_same() -> None:
    """One configuration, written twice."""
    old, new = read(OLD), read(NEW)
    assert old.mail_home == "/srv/mail/%Lu"
    assert old.search_index == "all"
    assert new.mail_home == "/srv/mail/%{user | lower}"
    assert {name: getattr(old, name) for name in old.__struct_fields__ if name != "mail_home"} == {
        name: getattr(new, name) for name in new.__struct_fields__ if name != "mail_home"
    }


def test_variables_of_settings() -> None:
    """`$SET:` stands for what a setting has so far; `$name` alone is text."""
    head = "dovecot_config_version = 2.4.0\ninstance_name = me\n"
    configuration = parse_configuration(head + "login_greeting = $SET:instance_name is $instance_name\n")
    assert configuration.value("login_greeting") == "me is $instance_name"
    with pytest.raises(ConfigurationFault, match="Unknown variable"):
        parse_configuration(head + "login_greeting = $SET:nosuch\n")


def test_certificates_are_files_by_name() -> None:
    """ssl_server_cert_file names a file where ssl_cert was `<file`; also as a group."""
    for text in ("ssl_server_cert_file = /etc/cert.pem\n", "ssl_server {\n cert_file = /etc/cert.pem\n}\n"):
        entry = parse_configuration("dovecot_config_version = 2.4.0\n" + text).entry("ssl_cert")
        assert entry is not None
        assert entry.value == "/etc/cert.pem"


def test_whose_ciphers_are_preferred() -> None:
    """ssl_server_prefer_ciphers says whose, where 2.3 has yes and no."""
    for whose, ours in (("client", False), ("server", True)):
        text = f"dovecot_config_version = 2.4.0\nssl = no\nssl_server_prefer_ciphers = {whose}\n"
        assert mailbox_settings(parse_configuration(text), hostname="x").ssl_prefer_server_ciphers == ours


def test_default_mailboxes_by_language() -> None:
    """@mailbox_defaults = english"""
    text = (
        "dovecot_config_version = 2.4.0\nnamespace inbox {\n inbox = yes\n @mailbox_defaults = english\n}\n"
    )
    (namespace,) = mailbox_settings(parse_configuration(text + "ssl = no\n"), hostname="x").namespaces
    assert {mailbox.name: mailbox.special_use for mailbox in namespace.mailboxes}["Junk"] == ("\\Junk",)


def test_other_versions_are_refused() -> None:
    """Nobody knows what they will mean."""
    with pytest.raises(ConfigurationFault, match=r"dovecot_config_version 3\.0 is not served"):
        parse_configuration("dovecot_config_version = 3.0\n")
