"""What dovecot.conf comes to: served, accepted aloud, or refused with its line."""

import re
import subprocess
from pathlib import Path

import pytest

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import parse_configuration, read_configuration
from pillarbox.config.dovecot.unserved import warnings
from pillarbox.config.mailbox_settings import InetSocket, MailboxDefinition, MailboxSettings, UnixSocket
from pillarbox.vocabulary.faults import ConfigurationFault

NEEDED = "ssl = no\nmail_location = maildir:~/Maildir\n"


def read(text: str) -> MailboxSettings:
    """The settings of a text."""
    return mailbox_settings(parse_configuration(NEEDED + text), hostname="mx.example.org")


def test_listeners() -> None:
    """Ports of the served protocols; 0 switches one off, TLS ports go with ssl."""
    settings = read("protocols = imap\nlisten = *, ::\n")
    assert settings.inet_sockets == (
        InetSocket(name="imap", service="imap", addresses=("0.0.0.0", "::"), port=143),
    )
    settings = read(
        "protocols = imap pop3 lmtp\nlisten = 127.0.0.1\n"
        "service pop3-login {\n inet_listener pop3 {\n  port = 0\n }\n}\n"
        "service lmtp {\n inet_listener lmtp {\n  address = 127.0.0.2\n  port = 24\n }\n}\n"
    )
    assert [(one.name, one.addresses, one.port) for one in settings.inet_sockets] == [
        ("imap", ("127.0.0.1",), 143),
        ("lmtp", ("127.0.0.2",), 24),
    ]


def test_penalties_are_switched_off_as_in_dovecot() -> None:
    """By taking away every right on the socket of the counts."""
    assert read("").auth_penalty
    closed = "service anvil {\n unix_listener anvil-auth-penalty {\n  mode = 0\n }\n}\n"
    assert not read(closed).auth_penalty
    assert warnings(parse_configuration(NEEDED + "ssl_cert = x\n" + closed)) == []


def test_sockets_for_postfix() -> None:
    """The tutorial's two, beside those that Dovecot has anyway."""
    settings = read(
        "protocols = lmtp\nbase_dir = /run/d\n"
        "service auth {\n unix_listener /var/spool/postfix/private/auth {\n  mode = 0660\n  user = postfix\n"
        "  group = postfix\n }\n}\n"
        "service lmtp {\n unix_listener /var/spool/postfix/private/dovecot-lmtp {\n  mode = 0600\n"
        "  user = postfix\n }\n}\n"
    )
    postfix = [one for one in settings.unix_sockets if "postfix" in one.path]
    assert postfix == [
        UnixSocket(
            service="auth-client",
            path="/var/spool/postfix/private/auth",
            mode=0o660,
            user="postfix",
            group="postfix",
        ),
        UnixSocket(
            service="lmtp", path="/var/spool/postfix/private/dovecot-lmtp", mode=0o600, user="postfix"
        ),
    ]
    assert {one.path: (one.mode, one.user) for one in settings.unix_sockets}["/run/d/auth-userdb"] == (
        0o666,
        "dovecot",
    )


def test_namespace_mailboxes() -> None:
    """Special use and auto reach the account worker."""
    (namespace,) = read(
        "namespace inbox {\n inbox = yes\n separator = .\n prefix = INBOX.\n mailbox Sent {\n"
        "  auto = subscribe\n  special_use = \\Sent\n }\n}\n"
    ).namespaces
    assert (namespace.prefix, namespace.separator, namespace.inbox) == ("INBOX.", ".", True)
    assert namespace.mailboxes == (MailboxDefinition(name="Sent", auto="subscribe", special_use=("\\Sent",)),)


def test_a_shared_namespace_by_the_owners_home() -> None:
    """Variables with modifiers, as iRedMail has them."""
    *_, shared = read(
        "namespace {\n inbox = yes\n separator = /\n}\nnamespace {\n type = shared\n separator = /\n"
        " prefix = Shared/%%u/\n location = maildir:%%Lh/Maildir/:INDEX=%%Lh/Maildir/Shared/%%Ld/%%Ln\n}\n"
    ).namespaces
    assert shared.location is not None
    assert (shared.location.path, shared.location.index) == ("%Lh/Maildir", "%Lh/Maildir/Shared/%Ld/%Ln")


REFUSED = [
    (
        "trash of what lazy_expunge keeps",
        "mail_plugins = quota trash lazy_expunge",
        "line 3: mail_plugins: lazy_expunge is not served with trash",
    ),
    ("trash alone", "protocols = imap\nmail_plugins = trash", "line 4: mail_plugins: trash needs quota"),
    (
        "CRAM-MD5 by PAM",
        "auth_mechanisms = plain cram-md5\npassdb {\n driver = pam\n}\npassdb {\n driver = passwd-file\n"
        " args = /m\n master = yes\n}",
        "line 3: CRAM-MD5 mechanism can't be supported with given passdbs",
    ),
    (
        "mbox",
        "mail_location = mbox:~/mail:INBOX=/var/mail/%u",
        "line 3: mail_location .*mbox is not served.*pillarbox import mbox",
    ),
    ("mdbox", "mail_location = mdbox:~/mdbox", "mdbox is not served"),
    ("layout", "mail_location = maildir:~/Maildir:LAYOUT=index", "LAYOUT=index is not served"),
    ("directory name", "mail_location = maildir:~/Maildir:DIRNAME=mail", "DIRNAME=mail is not served"),
    ("control", "mail_location = maildir:~/Maildir:CONTROL=/var/control/%z", "mail_location: "),
    ("inbox", "mail_location = maildir:~/Maildir:INBOX=/var/mail/%u", "INBOX=.* is not served"),
    ("GSSAPI", "auth_mechanisms = plain gssapi", "Unknown authentication mechanism 'GSSAPI'"),
    ("protocol", "protocols = imap foo", "protocols: Unknown protocol: foo"),
    ("passdb driver", "passdb {\n driver = sql\n}", "line 4: passdb driver sql is not served"),
    ("no driver", "passdb {\n args = x\n}", "passdb is missing driver"),
    (
        "proxy",
        "passdb {\n driver = static\n args = proxy=y host=10.0.0.1 nopassword=y\n}",
        "line 5: passdb: field proxy in args is not served: users would be sent to mailboxes of this host",
    ),
    (
        "a host of a field",
        "passdb {\n driver = pam\n override_fields = allow_nets=10.0.0.0/8 host=10.0.0.1\n}",
        "line 5: passdb: field host in override_fields is not served",
    ),
    (
        "no password by default",
        "passdb {\n driver = passwd-file\n args = /u\n default_fields = nopassword=y\n}",
        "line 6: passdb: field nopassword in default_fields is not served",
    ),
    ("passwd-file without file", "passdb {\n driver = passwd-file\n}", "Missing args: path"),
    (
        "shared namespace",
        "namespace s {\n type = shared\n separator = /\n prefix = shared/\n}",
        "Shared namespace prefix and location need %%u",
    ),
    (
        "script path",
        "service w {\n executable = script warn.sh\n unix_listener w {\n }\n}",
        "line 4: service w: warn.sh is not the absolute path of a program",
    ),
    ("public namespace", "namespace p {\n type = public\n prefix = p/\n}", "namespace p is missing location"),
    (
        "no unique ids",
        "protocol pop3 {\n pop3_uidl_format = x\n}",
        "line 4: pop3_uidl_format: there is no variable in it",
    ),
    (
        "POP3 workarounds",
        "pop3_client_workarounds = oe-ns-eoh nuls",
        "line 3: pop3_client_workarounds: Unknown client workaround: nuls",
    ),
    ("acl", "plugin {\n acl = dict\n}", "line 4: acl: Unknown ACL backend: dict"),
    (
        "acl dict",
        "plugin {\n acl_shared_dict = proxy::acl\n}",
        "line 4: acl_shared_dict proxy::acl is not served",
    ),
    (
        "packing",
        "mail_plugins = zlib\nplugin {\n zlib_save = rar\n}",
        "line 5: zlib_save: Unknown handler: rar",
    ),
    (
        "listescape",
        "mail_plugins = listescape\nplugin {\n listescape_char = .\n}",
        "line 5: listescape_char: . cannot escape anything",
    ),
    ("mail_log alone", "mail_plugins = mail_log", "line 3: mail_plugins: mail_log needs notify"),
    (
        "mail_log event",
        "mail_plugins = notify mail_log\nplugin {\n mail_log_events = save kill\n}",
        "line 5: Unknown event in mail_log_events: 'kill'",
    ),
    (
        "mail_log field",
        "protocol lda {\n mail_plugins = notify mail_log\n}\nplugin {\n mail_log_fields = UID\n}",
        "line 7: Unknown field in mail_log_fields: 'UID'",
    ),
    ("separator", "namespace inbox {\n inbox = yes\n separator = ~\n}", "separator ~ is not served"),
    (
        "second namespace",
        "namespace inbox {\n inbox = yes\n separator = .\n}\nnamespace a {\n separator = /\n prefix = a/\n}",
        "line 8: namespace a: all namespaces must use the same separator",
    ),
    (
        "the same prefix",
        "namespace inbox {\n inbox = yes\n}\nnamespace a {\n location = maildir:/srv/a\n}",
        "namespace a: Duplicate namespace prefix",
    ),
    ("variable", "mail_home = /srv/%q", "Unknown variable '%q'"),
    (
        "quota rule",
        "mail_plugins = quota\nplugin {\n quota = count:U\n quota_rule = *:storag=1\n}",
        "line 6: plugin/quota_rule: Unknown rule limit name: storag",
    ),
    (
        "quota back-end",
        "protocol lmtp {\n mail_plugins = quota\n}\nplugin {\n quota = dict:U::proxy::quota\n}",
        "line 7: plugin/quota: Quota backend dict is not served",
    ),
    ("size", "quota_mail_size = 4G", "not below 4G"),
    ("dict", "mail_attribute_dict = proxy::x", "line 3: mail_attribute_dict proxy::x is not served: "),
    ("identity", 'imap_id_send = name "x', "line 3: imap_id_send name .x is not a list of names and values"),
    ("workaround", "imap_client_workarounds = foo", "line 3: .*Unknown client workaround: foo"),
    ("imap_acl alone", "mail_plugins = imap_acl", "line 3: mail_plugins: imap_acl needs acl"),
    (
        "two INBOXes",
        "namespace a {\n inbox = yes\n}\nnamespace b {\n prefix = b/\n inbox = yes\n}",
        "line 8: namespace b: There can be only one namespace with inbox=yes",
    ),
    (
        "PAM's arguments",
        "passdb {\n driver = pam\n args = session=yes cache_key=%u nosuch dovecot\n}",
        "line 5: pam: Unknown setting: nosuch",
    ),
    (
        "passwd's arguments",
        "passdb {\n driver = passwd\n args = nosuch=no\n}",
        "line 5: passdb passwd: Unknown setting: nosuch=no",
    ),
    (
        "a file's arguments",
        "passdb {\n driver = passwd-file\n args = scheme=CRYPT frob=5 /u\n}",
        "line 5: passdb passwd-file: Unknown setting: frob",
    ),
    (
        "a relative path",
        "userdb {\n driver = passwd-file\n args = users\n}",
        "line 5: userdb passwd-file: Unknown setting: users",
    ),
    (
        "prefetch's arguments",
        "userdb {\n driver = prefetch\n args = foo\n}",
        "line 5: userdb prefetch: No args are supported: foo",
    ),
    (
        "a group of static",
        "userdb {\n driver = static\n args = uid=%n gid=nosuchgroup\n}",
        "line 5: static userdb: Invalid gid: nosuchgroup",
    ),
    (
        "a group of all",
        "mail_access_groups = 42 nosuchgroup",
        "line 3: mail_access_groups: no such group: nosuchgroup",
    ),
    (
        "lookups over TCP",
        "service auth {\n inet_listener auth-master {\n  port = 99\n }\n}",
        "line 5: service auth: inet_listener auth-master is not served",
    ),
]


def test_fields_of_passwd_users() -> None:
    """args of userdb passwd are what override_fields is."""
    (database,) = read(
        "userdb {\n driver = passwd\n args = blocking=no home=/x\n override_fields = a=b\n}"
    ).userdbs
    assert database.override_fields == "home=/x a=b"


@pytest.mark.parametrize(("name", "text", "why"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_must_not_be_ignored_is_refused(name: str, text: str, why: str) -> None:
    """With its place, and how to mend it."""
    with pytest.raises(ConfigurationFault, match=why):
        read(text)


ALOUD = [
    ("ALT=", "mail_location = maildir:~/Maildir:ALT=/old", "line 3: mail_location: ALT is ignored: "),
    (
        "flags of one's own",
        "mail_location = maildir:~/Maildir:INDEXPVT=~/own:VOLATILEDIR=/tmp",
        "line 3: mail_location: INDEXPVT is ignored: flags are not kept for each user",
    ),
    (
        "names without mailbox",
        "namespace x {\n prefix = x/\n location = maildir:/x:NO-NOSELECT\n}",
        "line 5: location: NO-NOSELECT is ignored: ",
    ),
    ("no effect", "mmap_disable = yes", "line 3: mmap_disable has no effect: "),
    ("not yet", "imap_id_retain = yes", "line 3: imap_id_retain is ignored: "),
    (
        "no certificate",
        "ssl = yes\npassdb {\n driver = pam\n}\nprotocols = imap",
        "ssl enabled, but ssl_cert not set: TLS is not offered",
    ),
    ("plugin", "mail_plugins = quota welcome", "line 3: mail_plugins: welcome is not served yet"),
    (
        "trash.conf is not there",
        "plugin {\n trash = /nowhere/trash.conf\n}",
        "line 4: trash plugin: open(/nowhere/trash.conf) failed: No such file or directory",
    ),
    (
        "plugins",
        "mail_plugins = fts fts_solr apparmor welcome",
        "line 3: mail_plugins: fts_solr is not used: the index of texts is Pillarbox's own, "
        "apparmor welcome are not served yet",
    ),
    ("no passdb", "protocols = imap", "No passdbs specified in configuration file: nobody can log in"),
    ("plugin setting", "plugin {\n quota = maildir:User\n}", "line 4: plugin/quota is ignored"),
    (
        "another index",
        "plugin {\n fts = solr\n}",
        "line 4: plugin/fts: solr is not used: the index of texts is",
    ),
    ("its choices", "plugin {\n fts_languages = en\n}", "line 4: plugin/fts_languages is ignored: the index"),
    ("its block", "fts solr {\n url = x\n}", "line 4: fts solr/url is ignored: the index of texts is"),
    ("sieve", "protocols = lmtp sieve", "line 3: protocol sieve is not served yet"),
    ("inside a filter", "protocol imap {\n imap_id_retain = yes\n}", "line 4: imap_id_retain is ignored"),
    (
        "served outside a filter",
        "protocol imap {\n recipient_delimiter = -\n}",
        "line 4: recipient_delimiter inside protocol imap { } is ignored: set it outside the block",
    ),
    (
        "another protocol's",
        "protocol pop3 {\n imap_capability = IMAP4rev1\n}",
        "line 4: imap_capability inside protocol pop3 { } is ignored",
    ),
    (
        "a greeting by name",
        "local_name mx.example.org {\n login_greeting = Hello.\n}",
        "line 4: login_greeting inside local_name mx.example.org { } is ignored",
    ),
    ("limits", "service imap {\n process_limit = 2000\n}", "service/imap/process_limit has no effect"),
    ("clients", "service auth {\n client_limit = 2000\n}", "service/auth/client_limit has no effect"),
    (
        "a socket of statistics",
        "service stats {\n unix_listener stats-writer {\n  mode = 0666\n }\n}",
        "line 5: service/stats/unix_listener/stats-writer is ignored: nothing listens there",
    ),
    (
        "a door of the roles",
        "service auth {\n unix_listener auth-login {\n  mode = 0666\n }\n}",
        "line 5: service/auth/unix_listener/auth-login is ignored: nothing listens there",
    ),
    (
        "ManageSieve",
        "protocol sieve {\n managesieve_logout_format = x\n}",
        "line 4: managesieve_logout_format is ignored: Sieve scripts are not run yet",
    ),
    (
        "learning by Sieve",
        "plugin {\n imapsieve_mailbox1_name = Junk\n}",
        "line 4: plugin/imapsieve_mailbox1_name is ignored: Sieve scripts are not run yet",
    ),
    ("dict service", "dict {\n quota = x\n}", "line 4: dict/quota is ignored: there is no dict service"),
    ("metrics", "metric x {\n filter = y\n}", "line 4: metric x/filter is ignored: no metrics are kept"),
    (
        "a group of nobody",
        "default_internal_group = nogroup",
        "line 3: default_internal_group has no effect: ",
    ),
]


@pytest.mark.parametrize(("name", "text", "line"), ALOUD, ids=[case[0] for case in ALOUD])
def test_what_is_ignored_is_told(name: str, text: str, line: str) -> None:
    """One line each, with its place."""
    (found,) = warnings(parse_configuration(NEEDED + text))
    assert line in found


VIRTUAL = """\
namespace inbox {
 inbox = yes
 separator = /
}
namespace Virtual {
 prefix = Virtual/
 separator = /
 location = virtual:~/Maildir/virtual
}
"""


@pytest.mark.parametrize(
    "where", ["mail_plugins = virtual\n", "protocol imap {\n mail_plugins = virtual\n}\n"]
)
def test_virtual_mailboxes_are_missing(where: str) -> None:
    """All else is served: the messages that they show are in other mailboxes."""
    configuration = parse_configuration(NEEDED + where + VIRTUAL)
    assert [one.name for one in mailbox_settings(configuration, hostname="mx.example.org").namespaces] == [
        "inbox"
    ]
    told = "\n".join(warnings(configuration))
    assert "mail_plugins: virtual is not served: virtual mailboxes are missing" in told
    assert "namespace Virtual is left out: virtual mailboxes are not served" in told


def test_a_virtual_namespace_without_its_plugin_is_refused() -> None:
    """As Dovecot refuses it."""
    with pytest.raises(ConfigurationFault, match="Unknown mail storage driver virtual"):
        read(VIRTUAL)


STOP = [
    (
        "a certificate for some clients",
        "local 192.0.2.1 {\n auth_ssl_require_client_cert = yes\n}",
        "who may log in",
    ),
    ("access lists", "plugin {\n acl_globals_only = yes\n}", "rights would be others"),
    ("encryption", "plugin {\n mail_crypt_curve = secp521r1\n}", "unencrypted"),
    ("proxying", "lmtp_proxy = yes", "delivered or read elsewhere"),
    (
        "a plugin that nobody has",
        "protocol imap {\n mail_plugins = quota frobnicate\n}",
        "line 4: mail_plugins: Plugin 'frobnicate' not found",
    ),
    ("directors", "director_servers = 10.0.0.1", "not be sent to the host"),
    (
        "policy service",
        "service tcpwrap2 {\n executable = tcpwrap2\n inet_listener {\n  port = 12340\n }\n}",
        "service tcpwrap2 is not served",
    ),
    (
        "mechanisms from afar",
        "remote 10.0.0.0/8 {\n auth_mechanisms = login\n}",
        "line 4: auth_mechanisms = login inside remote 10.0.0.0/8 { } is not served, and who may log in",
    ),
    (
        "other mail by protocol",
        "protocol lmtp {\n mail_location = maildir:/srv/%u\n}",
        "inside protocol lmtp { } is not served, and where mail is",
    ),
]


@pytest.mark.parametrize(("name", "text", "why"), STOP, ids=[case[0] for case in STOP])
def test_what_is_dangerous_to_ignore_stops_the_start(name: str, text: str, why: str) -> None:
    """And says what would happen."""
    with pytest.raises(ConfigurationFault, match=why):
        warnings(parse_configuration(NEEDED + text))


def test_settings_of_a_protocol_count_within_its_block() -> None:
    """Those that no other protocol reads."""
    configuration = parse_configuration(
        NEEDED
        + "protocol imap {\n imap_capability = IMAP4rev1 IDLE\n}\n"
        + "protocol lmtp {\n lmtp_save_to_detail_mailbox = yes\n}\n"
    )
    settings = mailbox_settings(configuration, hostname="mx.example.org")
    assert (settings.imap_capability, settings.lmtp_save_to_detail_mailbox) == ("IMAP4rev1 IDLE", True)
    assert warnings(configuration) == []


def test_a_block_that_repeats_what_holds_is_no_finding() -> None:
    """It asks for nothing."""
    assert warnings(parse_configuration(NEEDED + "protocol imap {\n disable_plaintext_auth = yes\n}\n")) == []


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("", "searched"),
        ("mail_plugins = fts\nplugin {\n fts_autoindex = yes\n}\n", "all"),
        ("plugin {\n fts_autoindex = no\n}\n", "searched"),
        ("plugin {\n fts = no\n fts_autoindex = yes\n}\n", "none"),
    ],
)
def test_which_mailboxes_get_an_index(text: str, which: str) -> None:
    """By Dovecot's names; without any, those in which somebody searches."""
    configuration = parse_configuration(NEEDED + text)
    assert mailbox_settings(configuration, hostname="mx.example.org").search_index == which
    assert warnings(configuration) == []


def test_defaults_are_no_findings() -> None:
    """Spelling a default out asks for nothing."""
    text = "mmap_disable = no\nimap_idle_notify_interval = 120 secs\nmail_fsync = optimized\n"
    assert warnings(parse_configuration(NEEDED + text)) == []


DEBIAN = Path("/usr/share/dovecot")


@pytest.mark.skipif(not (DEBIAN / "conf.d").is_dir(), reason="dovecot-core is not installed")
def test_debians_files_read_cleanly_and_the_mbox_default_is_named(tmp_path: Path) -> None:
    """What the package ships; mbox is refused with the line that asks for it, and one edit mends that."""
    subprocess.run(
        ["cp", "-r", str(DEBIAN / "dovecot.conf"), str(DEBIAN / "conf.d"), str(tmp_path)], check=True
    )
    configuration = read_configuration(str(tmp_path / "dovecot.conf"))
    with pytest.raises(
        ConfigurationFault, match=r"10-mail.conf line \d+: mail_location .* mbox is not served"
    ):
        mailbox_settings(configuration, hostname="mx")
    mail = tmp_path / "conf.d" / "10-mail.conf"
    mail.write_text(
        mail.read_text().replace(
            "mail_location = mbox:~/mail:INBOX=/var/mail/%u", "mail_location = maildir:~/Maildir"
        )
    )
    tls = tmp_path / "conf.d" / "10-ssl.conf"
    tls.write_text(tls.read_text().replace("ssl = yes", "ssl = no"))
    auth = tmp_path / "conf.d" / "10-auth.conf"
    auth.write_text(
        auth.read_text()
        .replace("#disable_plaintext_auth = yes", "disable_plaintext_auth = no")
        .replace("auth_mechanisms = plain", "auth_mechanisms = plain login")
    )
    configuration = read_configuration(str(tmp_path / "dovecot.conf"))
    settings = mailbox_settings(configuration, hostname="mx")
    assert [(one.driver, one.args) for one in settings.passdbs] == [("pam", "")]
    assert [one.driver for one in settings.userdbs] == ["passwd"]
    assert not settings.disable_plaintext_auth
    assert {mailbox.name for mailbox in settings.namespaces[0].mailboxes} >= {
        "Drafts",
        "Junk",
        "Sent",
        "Trash",
    }
    told = [line.partition(": ")[2].partition(" ")[0] for line in warnings(configuration)]
    assert sorted(told) == ["mail_privileged_group"]


def test_where_doveadm_is_listened_for() -> None:
    """Ports of the service, by HTTP that of this name, and its socket; without any of them, nothing listens."""
    text = (
        "service doveadm {\n inet_listener {\n port = 99\n }\n inet_listener http {\n port = 98\n ssl = yes\n }\n"
        " inet_listener off {\n port = 0\n }\n}"
    )
    found = read(text)
    assert [(one.service, one.port, one.tls) for one in found.inet_sockets if "doveadm" in one.service] == [
        ("doveadm", 99, False),
        ("doveadm-http", 98, True),
    ]
    assert [one.path[-15:] for one in found.unix_sockets if one.service == "doveadm"] == ["/doveadm-server"]
    assert [one for one in read("").unix_sockets if one.service == "doveadm"] == []


def test_what_tls_is_made_of() -> None:
    """A second certificate, curves, the suites of TLS 1.3, tickets."""
    text = (
        "ssl = yes\nssl_alt_cert = </etc/alt.pem\nssl_alt_key = </etc/alt.key\nssl_curve_list = P-384:P-256\n"
        "ssl_cipher_suites = TLS_AES_256_GCM_SHA384\nssl_options = no_ticket compression\nssl_dh = </etc/dh.pem\n"
    )
    settings = read(text)
    assert (settings.ssl_alt_cert, settings.ssl_alt_key) == ("/etc/alt.pem", "/etc/alt.key")
    assert (settings.ssl_curve_list, settings.ssl_cipher_suites) == ("P-384:P-256", "TLS_AES_256_GCM_SHA384")
    assert not settings.ssl_has_tickets
    assert settings.ssl_dh == "/etc/dh.pem"


def test_certificates_of_clients() -> None:
    """Whether they are asked for, and what for."""
    text = "ssl_verify_client_cert = yes\nssl_ca = </etc/ca.pem\nssl_require_crl = no\n"
    settings = read("ssl = yes\n" + text + "auth_ssl_require_client_cert = yes\nauth_mechanisms = external\n")
    assert settings.ssl_verify_client_cert
    assert settings.auth_ssl_require_client_cert
    assert not settings.ssl_require_crl
    assert (settings.ssl_ca, settings.ssl_cert_username_field) == ("/etc/ca.pem", "commonName")
    assert not read(f"ssl = no\n{text}").ssl_verify_client_cert
    with pytest.raises(ConfigurationFault, match="ssl_verify_client_cert set, but ssl_ca not"):
        read("ssl = yes\nssl_verify_client_cert = yes\n")
    with pytest.raises(ConfigurationFault, match="Invalid ssl_cert_username_field: no such field"):
        read(f"ssl = yes\n{text}ssl_cert_username_field = no such field\n")


@pytest.mark.parametrize(("written", "oldest"), [("TLSv1", "TLSv1"), ("ANY", "TLSv1"), ("LATEST", "TLSv1.3")])
def test_the_oldest_version_of_tls(written: str, oldest: str) -> None:
    """ssl_min_protocol."""
    assert read(f"ssl_min_protocol = {written}\n").ssl_min_protocol == oldest

    assert read("").ssl_has_tickets
    with pytest.raises(ConfigurationFault, match="unknown flag: 'no_such'"):
        read("ssl_options = no_such\n")


def test_values_in_files(tmp_path: Path) -> None:
    """`<path`: the content is the value, also of plugins; certificates keep their path; what is no text is refused."""
    (tmp_path / "plugins").write_text("acl quota\n")
    (tmp_path / "anyone").write_text("allow")
    (tmp_path / "mode").write_text("0660")
    settings = read(f"mail_plugins = <{tmp_path}/plugins\nplugin {{\n  acl_anyone = <{tmp_path}/anyone\n}}\n")
    assert settings.has_plugin("acl")
    assert settings.has_plugin("quota")
    assert settings.plugin["acl_anyone"] == "allow"
    with pytest.raises(
        ConfigurationFault, match=re.escape(f"auth_realms: Can't open file {tmp_path}/none: No such file")
    ):
        read(f"auth_realms = <{tmp_path}/none\n")
    with pytest.raises(ConfigurationFault, match=r"plugin/acl_anyone: Can't open file .*: Invalid argument"):
        read(f"plugin {{\n  acl_anyone = <{tmp_path}\n}}\n")
    with pytest.raises(ConfigurationFault, match=f"Invalid number <{tmp_path}/mode: Not a valid number"):
        read(f"service auth {{\n  unix_listener x {{\n    mode = <{tmp_path}/mode\n  }}\n}}\n")
