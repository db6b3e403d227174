"""dovecot.conf: the grammar of 2.3, includes, variables, filters, and faults in Dovecot's words."""

from pathlib import Path

import pytest

from pillarbox.config.dovecot.reading import parse_configuration, read_configuration
from pillarbox.config.dovecot.written_settings import Filter
from pillarbox.vocabulary.faults import ConfigurationFault

VALUES = [
    ("number", "mail_max_userip_connections = 600", "mail_max_userip_connections", "600"),
    ("yes or no", "disable_plaintext_auth=NO", "disable_plaintext_auth", "no"),
    ("comment", "disable_plaintext_auth = no # for a test", "disable_plaintext_auth", "no"),
    ("double quotes", 'login_greeting = "Hello # there"', "login_greeting", "Hello # there"),
    ("single quotes", "login_greeting = 'Hello # there'", "login_greeting", "Hello # there"),
    ("escapes", 'login_greeting = "a\\"b\\\\c"', "login_greeting", 'a"b\\c'),
    ("quotes inside", 'login_greeting = a "b" c', "login_greeting", 'a "b" c'),
    ("quote never closed", 'login_greeting = "a b', "login_greeting", '"a b'),
    ("continued", "login_greeting = a \\\n   b\\\nc # comment", "login_greeting", "a b c"),
    ("comment line inside nothing", "# a \\\nlogin_greeting = x", "login_greeting", "x"),
    ("time", "auth_failure_delay = 90 secs", "auth_failure_delay", "90 secs"),
    ("longer unit", "auth_failure_delay = 120s", "auth_failure_delay", "2 mins"),
    ("day", "auth_cache_ttl = 24 hours", "auth_cache_ttl", "1 days"),
    ("size", "auth_cache_size = 10240k", "auth_cache_size", "10 M"),
    ("last one counts", "first_valid_uid = 1\nfirst_valid_uid = 1000", "first_valid_uid", "1000"),
    ("itself", "mail_plugins = a\nmail_plugins = $mail_plugins b", "mail_plugins", "a b"),
    ("another's default", "login_greeting = $instance_name is here", "login_greeting", "dovecot is here"),
    ("quoted variable", 'login_greeting = "$instance_name"', "login_greeting", "$instance_name"),
    ("inside a word", "login_greeting = x$instance_name", "login_greeting", "x$instance_name"),
    ("environment", "login_greeting = $ENV:GREETING you", "login_greeting", "hail you"),
    ("empty", "login_greeting =", "login_greeting", ""),
    ("a NUL ends a line", "mail_home = /a\0b\n", "mail_home", "/a"),
    ("a file's name has no NUL", "login_greeting = </nowhere\0x\n", "login_greeting", ""),
]


@pytest.mark.parametrize(("name", "text", "setting", "expected"), VALUES, ids=[case[0] for case in VALUES])
def test_values(name: str, text: str, setting: str, expected: str) -> None:
    """A value is read as Dovecot reads it, and shown in its type's one form."""
    configuration = parse_configuration(text, environment={"GREETING": "hail"})
    assert configuration.value(setting) == expected
    assert configuration.warnings == []


def test_blocks_are_named_numbered_and_merged() -> None:
    """Two blocks of one name are one; passdbs are kept apart, in their order."""
    configuration = parse_configuration(
        """
        passdb {
          driver = pam
        }
        passdb {
          driver = passwd-file
        }
        namespace inbox {
          inbox = yes
        }
        namespace inbox {
          mailbox "Sent Messages" {
            special_use = \\Sent
          }
        }
        service imap-login {
          inet_listener imap {
            port = 0
          }
        }
        """
    )
    assert [configuration.value(*path, "driver") for path in configuration.blocks("passdb")] == [
        "pam",
        "passwd-file",
    ]
    assert configuration.blocks("namespace") == [("namespace", "inbox")]
    assert configuration.yes("namespace", "inbox", "inbox")
    assert configuration.value("namespace", "inbox", "mailbox", "Sent Messages", "special_use") == "\\Sent"
    assert configuration.number("service", "imap-login", "inet_listener", "imap", "port") == 0
    assert configuration.number("service", "imap-login", "inet_listener", "imaps", "port") == 993
    assert configuration.value("service", "auth", "unix_listener", "auth-userdb", "user") == "dovecot"


def test_filters_are_kept_apart() -> None:
    """What is set for a protocol is set for it alone."""
    configuration = parse_configuration(
        "mail_plugins = a\nprotocol imap {\n mail_plugins = $mail_plugins b\n}\n"
        "local 10.0.0.1 {\n protocol pop3 {\n  ssl = no\n }\n}\nprotocol !imap {\n mail_debug = yes\n}\n"
    )
    assert [settings.scope for settings in configuration.filters] == [
        Filter(protocol="imap"),
        Filter(local="10.0.0.1"),
        Filter(local="10.0.0.1", protocol="pop3"),
        Filter(protocol="!imap"),
    ]
    assert configuration.for_protocol("imap").value("mail_plugins") == "a b"
    assert configuration.for_protocol("lmtp").value("mail_plugins") == "a"
    assert configuration.for_protocol("lmtp").yes("mail_debug")
    assert not configuration.for_protocol("imap").yes("mail_debug")


def test_a_setting_behind_a_filter_does_not_reach_into_it() -> None:
    """Dovecot warns of that, and so do we."""
    (warning,) = parse_configuration("protocol imap {\n ssl = no\n}\nssl = no\n", path="f").warnings
    assert warning.startswith(
        "f line 4: Global setting ssl won't change the setting inside an earlier filter at f line 2"
    )


def test_includes_are_relative_to_the_including_file(tmp_path: Path) -> None:
    """Globs in alphabetical order, inside blocks, and files that may be missing; faults name the inner file."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "20.conf").write_text("login_greeting = second\n!include inner.ext\n")
    (tmp_path / "conf.d" / "10.conf").write_text("login_greeting = first\nssl = no\n")
    (tmp_path / "conf.d" / "inner.ext").write_text("passdb {\n!include driver\n}\n")
    (tmp_path / "conf.d" / "driver").write_text("driver = pam\n")
    main = tmp_path / "dovecot.conf"
    main.write_text("!include conf.d/*.conf\n!include_try local.conf\n")
    configuration = read_configuration(str(main))
    assert (configuration.value("login_greeting"), configuration.value("ssl")) == ("second", "no")
    assert configuration.where("passdb", "0", "driver").endswith("conf.d/driver line 1")
    (tmp_path / "conf.d" / "driver").write_text("\nfoo = pam\n")
    with pytest.raises(ConfigurationFault, match=r"conf.d/driver line 2: Unknown setting: passdb \{ foo"):
        read_configuration(str(main))


REFUSED = [
    ("unknown setting", "\nfoo = 1", "line 2: Unknown setting: foo"),
    ("unknown in a block", "service a {\n foo = 1\n}", "line 2: Unknown setting: service { foo"),
    ("unknown block", "foo {\n}", "line 1: Unknown setting: foo { foo"),
    (
        "unknown in an inner block",
        "service a {\nunix_listener b {\nfoo=1\n}\n}",
        "line 3: Unknown setting: service { unix_listener { foo",
    ),
    ("no brace", "service a\n{\n}", "line 1: Expecting '{'"),
    ("behind the brace", "service a { x = 1 }", "line 1: Garbage after '{'"),
    ("never closed", "service a {\n", "Missing '}' (section started at dovecot.conf:1)"),
    ("never opened", "}", "line 1: Unexpected '}'"),
    ("not a boolean", "mail_debug = maybe", "line 1: Invalid boolean value: maybe (use yes or no)"),
    ("not a number", "first_valid_uid = x", "line 1: Invalid number x: Not a valid number"),
    ("not a time", "auth_failure_delay = 5 parsecs", "line 1: Invalid time interval: 5 parsecs"),
    ("no unit", "auth_failure_delay = 5", "Time interval '5' is missing units (add e.g. 's' for seconds)"),
    ("milliseconds", "auth_failure_delay = 5 ms", "Milliseconds not supported for this setting: 5 ms"),
    ("no size", "auth_cache_size = 10X", "line 1: Invalid size: 10X"),
    ("not a word of the list", "ssl = maybe", "line 1: Invalid value: maybe"),
    (
        "port",
        "service lmtp {\ninet_listener a {\nport = 99999\n}\n}",
        "line 3: Invalid port number 99999",
    ),
    ("unknown variable", "mail_plugins = $nosuch x", "line 1: Unknown variable: $nosuch"),
    ("nothing to include", "!include nosuch*.conf", "line 1: No matches"),
    (
        "nested filters",
        "protocol imap {\nprotocol pop3 {\n}\n}",
        "line 2: Nested protocol { protocol { .. } } block not allowed",
    ),
]


@pytest.mark.parametrize(("name", "text", "why"), REFUSED, ids=[case[0] for case in REFUSED])
def test_mistakes_are_told_in_dovecots_words(name: str, text: str, why: str) -> None:
    """File, line and what is wrong."""
    with pytest.raises(ConfigurationFault) as fault:
        parse_configuration(text)
    assert str(fault.value).startswith("Error in configuration file dovecot.conf")
    assert why in str(fault.value)


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    """There is a limit."""
    (tmp_path / "a").write_text("!include a\n")
    with pytest.raises(ConfigurationFault, match="Recursive include"):
        read_configuration(str(tmp_path / "a"))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """In Dovecot's words."""
    with pytest.raises(ConfigurationFault, match=r"open\(.*none\) failed: No such file or directory"):
        read_configuration(str(tmp_path / "none"))
