"""The cases of test_misconfigurations_peer.py: one smtpd service for each mistake, with a cleanup(8) of its own if need be."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fakes.smtp_exchanges import Exchange

SETTINGS: Final = {
    "mynetworks": "127.0.0.2",
    "message_size_limit": "1000000",
    "virtual_mailbox_maps": "inline:{ me@pillarbox.test=Maildir/ }",
    "virtual_alias_maps": "",
    "default_transport": "error:5.4.4 no route",
    "smtpd_peername_lookup": "no",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "smtpd_error_sleep_time": "0",
    "smtpd_tls_security_level": "may",
    "smtpd_discard_ehlo_keywords": "silent-discard",
}

_FILES: Final = {
    "garbage.pem": "no certificate\n",
    "broken.cidr": "127.0.0.0/8 DUNNO\n300.1.2.3/8 REJECT\n127.0.0.1/40 REJECT\n0.0.0.0/0\n",
    "broken.regexp": "/a(b/ REJECT\n/^me@/ REJECT found\nno slash\n/unterminated REJECT\n/x/q OK\n",
    "broken.pcre": "/a(b/ REJECT\n/^me@/ REJECT found\nif /x/\n",
    "broken.nets": "127.0.0.1/8\n300.1.2.3\n",
    "broken.headers": "/^Subject: (/ REJECT\n/^Subject: found/ REJECT found\n/^X: y/ NOSUCHACTION\n",
}

TOLD_BY: Final = {
    "broken cidr": "broken.cidr, line 2: ",
    "broken regexp": "broken.regexp, line 4: ",
    "broken command filter": "broken.regexp, line 4: ",
    "broken pcre": "broken.pcre, line 1: ",
    "broken header checks": "broken.headers, line 1: ",
    "Diffie-Hellman": "error opening DH parameter file",
    "garbage Diffie-Hellman": "error decoding DH parameters",
}
"""Warnings that name a file, and no service."""


def make_files(directory: Path) -> None:
    """What the cases' settings name."""
    for name, text in _FILES.items():
        (directory / name).write_text(text)
    (directory / "directory").mkdir()


def _restriction(words: str) -> dict[str, str]:
    return {"smtpd_recipient_restrictions": f"{words}, permit_mynetworks, reject_unauth_destination"}


def smtpd_cases(directory: Path, certificate: Path) -> dict[str, dict[str, str]]:
    """Mistake → settings of its service."""
    there = f"{directory}/"
    cases: dict[str, dict[str, str]] = {"none": {}}
    for name, settings in {
        "certificate": {"cert_file": there + "none.pem"},
        "key": {"key_file": there + "none.pem"},
        "garbage certificate": {"cert_file": there + "garbage.pem"},
        "directory as certificate": {"cert_file": there + "directory"},
        "chain": {"chain_files": there + "none.pem"},
        "authorities": {"CAfile": there + "none.pem"},
        "garbage authorities": {"CAfile": there + "garbage.pem"},
        "authorities' directory": {"CApath": there + "none", "ask_ccert": "yes"},
        "Diffie-Hellman": {"dh1024_param_file": there + "none.pem"},
        "garbage Diffie-Hellman": {"dh1024_param_file": there + "garbage.pem"},
        "curves": {"eecdh_grade": "bogus"},
        "protocols": {"protocols": "bogus"},
        "mandatory protocols": {"mandatory_protocols": "bogus"},
        "excluded ciphers": {"exclude_ciphers": "bogus"},
        "all ciphers excluded": {"exclude_ciphers": "ALL"},
        "digest": {"fingerprint_digest": "bogus"},
        "encrypt without certificate": {"security_level": "encrypt", "cert_file": there + "none.pem"},
    }.items():
        cases[name] = {f"smtpd_tls_{key}": value for key, value in settings.items()}
    for kind in ("hash", "btree", "lmdb", "cidr", "regexp", "pcre", "texthash", "sqlite"):
        cases[f"{kind} access"] = _restriction(f"check_recipient_access {kind}:{there}none")
    for kind in ("nosuch",):
        cases[f"{kind} access"] = _restriction(f"check_recipient_access {kind}:{there}none")
    for kind in ("cidr", "regexp", "pcre"):
        cases[f"broken {kind}"] = _restriction(
            f"check_{'client' if kind == 'cidr' else 'recipient'}_access {kind}:{there}broken.{kind}"
        )
    cases |= {
        name: _restriction(words)
        for name, words in {
            "table without a type": "check_recipient_access /etc/none",
            "directory as a table": f"check_recipient_access regexp:{there}directory",
            "union": f"check_recipient_access unionmap:{{hash:{there}none, inline:{{a=b}}}}",
            "inline": "check_recipient_access inline:{a}",
            "misspelt": "reject_unknown_sender_domian",
            "misspelt for others": "check_recipient_access inline:{other@pillarbox.test=OK}, nosuch_word",
            "not reached": "check_recipient_access inline:{me@pillarbox.test=OK}, nosuch_word",
            "policy socket": "check_policy_service unix:private/nosuch",
            "policy port closed": "check_policy_service inet:127.0.0.1:1",
            "policy port too large": "check_policy_service inet:127.0.0.1:99999",
            "policy port by name": "check_policy_service inet:127.0.0.1:nosuchport",
            "policy host": "check_policy_service inet:nosuch.invalid:10023",
            "sleep": "sleep x",
            "client access by login": f"check_sasl_access hash:{there}none",
            "access by certificate": f"check_ccert_access hash:{there}none",
            "access by mail exchanger": f"check_sender_mx_access hash:{there}none",
        }.items()
    }
    cases |= {
        "networks' file": {"mynetworks": there + "none"},
        "networks' table": {"mynetworks": f"hash:{there}none"},
        "networks' cidr": {"mynetworks": f"127.0.0.2, cidr:{there}none"},
        "network's bits": {"mynetworks": "127.0.0.1/8"},
        "network's octet": {"mynetworks": "300.1.2.3"},
        "broken networks": {"mynetworks": there + "broken.nets"},
        "network found before": {"mynetworks": f"127.0.0.1, hash:{there}none"},
        "network of IPv6": {"mynetworks": "[::1"},
        "word at the end": {"smtpd_end_of_data_restrictions": "nosuch_word"},
        "word at DATA": {"smtpd_data_restrictions": "nosuch_word"},
        "word at HELO": {"smtpd_helo_restrictions": "nosuch_word"},
        "word at connection": {"smtpd_client_restrictions": "nosuch_word", "smtpd_delay_reject": "no"},
        "word at ETRN": {"smtpd_etrn_restrictions": "nosuch_word"},
        "class with a word": {
            "smtpd_restriction_classes": "foo",
            "foo": "nosuch_word",
            "smtpd_sender_restrictions": "foo",
        },
        "argument missing": {"smtpd_sender_restrictions": "check_sender_access"},
        "block list missing": {"smtpd_sender_restrictions": "reject_rbl_client"},
        "block list's replies": {
            "rbl_reply_maps": f"hash:{there}none",
            "smtpd_sender_restrictions": "reject_rbl_client rbl.invalid",
        },
        "login owners": {
            "smtpd_sender_login_maps": f"hash:{there}none",
            "smtpd_sender_restrictions": "reject_sender_login_mismatch",
            "smtpd_sasl_auth_enable": "yes",
        },
        "virtual aliases": {"virtual_alias_maps": f"hash:{there}none"},
        "virtual mailboxes": {"virtual_mailbox_maps": f"hash:{there}none"},
        "local recipients": {"local_recipient_maps": f"hash:{there}none", "mydestination": "pillarbox.test"},
        "relayed recipients": {"relay_recipient_maps": f"hash:{there}none"},
        "canonical": {"canonical_maps": f"hash:{there}none"},
        "recipient canonical": {"recipient_canonical_maps": f"nosuch:{there}none"},
        "sasl socket": {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_path": "private/nosuch"},
        "sasl exceptions": {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_exceptions_networks": f"cidr:{there}none",
        },
        "proxy filter": {"smtpd_proxy_filter": "127.0.0.1:1"},
        "proxy filter's port": {"smtpd_proxy_filter": "127.0.0.1:99999"},
        "proxy filter's port by name": {"smtpd_proxy_filter": "127.0.0.1:nosuchport"},
        "content filter": {"content_filter": "nosuch:[127.0.0.1]:1"},
        "content filter without a transport": {"content_filter": "bogus"},
        "keywords": {"smtpd_discard_ehlo_keywords": "bogus, dsn"},
        "keywords' table": {"smtpd_discard_ehlo_keyword_address_maps": f"cidr:{there}none"},
        "footers": {"smtpd_reject_footer_maps": f"hash:{there}none"},
        "command filter": {"smtpd_command_filter": f"pcre:{there}none"},
        "broken command filter": {"smtpd_command_filter": f"regexp:{there}broken.regexp"},
        "DNS filter": {"smtpd_dns_reply_filter": f"pcre:{there}none"},
        "forbidden commands": {"smtpd_forbidden_commands": f"hash:{there}none"},
        "event exceptions": {"smtpd_client_event_limit_exceptions": there + "none"},
        "told clients": {"smtpd_authorized_xclient_hosts": there + "none"},
        "forwarded clients": {"smtpd_authorized_xforward_hosts": f"hash:{there}none"},
        "VERP clients": {"smtpd_authorized_verp_clients": f"hash:{there}none"},
        "debugged peers": {"debug_peer_list": there + "none"},
        "flushed domains": {"fast_flush_domains": f"hash:{there}none"},
        "relay domains": {"relay_domains": f"hash:{there}none"},
        "permit log": {"smtpd_log_access_permit_actions": f"hash:{there}none"},
        "local rewriting": {"local_header_rewrite_clients": f"check_address_map hash:{there}none"},
        "local rewriting's word": {"local_header_rewrite_clients": "bogus"},
        "default action": {
            "smtpd_policy_service_default_action": "bogus",
            **_restriction("check_policy_service unix:private/nosuch"),
        },
        "banner": {"smtpd_banner": "hello"},
        "expansion filter": {"smtpd_expansion_filter": "\\x"},
    }
    usual = {"smtpd_tls_cert_file": str(certificate), "smtpd_tls_key_file": str(certificate)}
    for settings in cases.values():
        if any(name.startswith("smtpd_tls_") for name in settings):
            if "smtpd_tls_cert_file" in settings:
                settings["smtpd_tls_key_file"] = settings["smtpd_tls_cert_file"]
            settings |= {key: value for key, value in usual.items() if key not in settings}
    return cases


def cleanup_cases(directory: Path) -> dict[str, dict[str, str]]:
    """Mistake → settings of the cleanup(8) of its service."""
    there = f"{directory}/"
    return {
        "header checks": {"header_checks": f"regexp:{there}none"},
        "header checks of a database": {"header_checks": f"hash:{there}none"},
        "broken header checks": {"header_checks": f"regexp:{there}broken.headers"},
        "body checks": {"body_checks": f"pcre:{there}none"},
        "MIME header checks": {"mime_header_checks": f"regexp:{there}none"},
        "unserved header checks": {"header_checks": f"nosuch:{there}none"},
        "sender copies": {"sender_bcc_maps": f"hash:{there}none"},
        "recipient copies": {"recipient_bcc_maps": f"hash:{there}none"},
        "copies": {"always_bcc": "not an address"},
        "virtual aliases of cleanup": {"virtual_alias_maps": f"hash:{there}none"},
        "canonical of cleanup": {"canonical_maps": f"hash:{there}none"},
        "sender canonical of cleanup": {"sender_canonical_maps": f"hash:{there}none"},
        "masquerading": {
            "masquerade_exceptions": f"hash:{there}none",
            "masquerade_domains": "pillarbox.test",
        },
        "stripped characters": {"message_strip_characters": "\\x"},
    }


def services(directory: Path, certificate: Path) -> tuple[dict[str, Mapping[str, str]], str]:
    """The smtpd services by mistake, and lines of master.cf with the cleanup(8) services."""
    cleanups = cleanup_cases(directory)
    lines: list[str] = []
    found: dict[str, Mapping[str, str]] = dict(smtpd_cases(directory, certificate))
    for at, (name, settings) in enumerate(cleanups.items()):
        lines.append(f"cleanup{at} unix n - n - 0 cleanup\n  -o syslog_name={log_name(name)}\n")
        lines += [f"  -o {{ {key} = {value} }}\n" for key, value in settings.items()]
        found[name] = {"cleanup_service_name": f"cleanup{at}"}
    return {name: {**own, "syslog_name": log_name(name)} for name, own in found.items()}, "".join(lines)


def log_name(mistake: str) -> str:
    """The name before its service's lines of the log."""
    return "mistake-" + re.sub(r"\W+", "-", mistake)


STEPS: Final = (
    b"EHLO client.example",
    b"MAIL FROM:<a@example.test>",
    b"RCPT TO:<x@elsewhere.test>",
    b"RCPT TO:<me@pillarbox.test>",
    b"DATA",
    b"Subject: found\r\nX: y\r\n\r\ntext\r\n.",
    b"ETRN pillarbox.test",
)


def exchanges(names: Mapping[str, Mapping[str, str]]) -> list[Exchange]:
    """One with each service; where TLS is wrong, it is tried."""
    return [
        Exchange(name, (*STEPS, b"STARTTLS") if "smtpd_tls_cert_file" in settings else STEPS, name)
        for name, settings in names.items()
    ]
