"""What a random world has besides: later stages of restrictions, domains of two classes, chunks, odd line ends, DSN.

DESCRIPTION
    `wider_configuration` puts settings, and other parameters and forms of messages, into a world of
    random_rewriting.py and random_local_delivery.py.  What those have set is left in most worlds.
"""

import random
import re
from typing import Final

import msgspec

from fakes.random_rewriting import RandomConfiguration, RandomMessage

_MX: Final = "cidr:{ {10.53.0.20 REJECT that server} {10.53.0.21 INFO other} {10.53.0.0/24 DUNNO} }"
_SERVERS: Final = "inline:{ {here.test=WARN of it} {mx2.here.test=450 4.7.7 slow} {ns.here.test=HOLD} }"
_RELAY: Final = (
    "permit_mynetworks, reject_unauth_destination",
    "reject_unauth_destination",
    "permit_auth_destination, defer",
    "defer_unauth_destination, permit",
    "check_recipient_access inline:{ {out.test=OK} {alice@=RELAY} }, reject_unauth_destination",
    "check_sender_access inline:{ {here.test=rule} }, permit_mx_backup, reject_unauth_destination",
    "warn_if_reject reject_unauth_destination, permit_mynetworks, reject",
)
_RECIPIENT: Final = (
    "reject_non_fqdn_recipient, reject_unknown_recipient_domain",
    "reject_unlisted_recipient, permit_mynetworks",
    "warn_if_reject reject_unlisted_recipient",
    f"check_recipient_mx_access {_MX}",
    f"check_recipient_a_access {_MX}",
    f"check_recipient_mx_access {_SERVERS}",
    "check_recipient_access regexp:{ {/x@/ DEFER_IF_REJECT gone soon} {/alice/ rule} }, reject_unlisted_recipient",
    "permit_auth_destination, reject",
    "reject_multi_recipient_bounce",
    "rule, permit",
    "permit_inet_interfaces, defer",
    "check_client_access static:rule",
)
_SENDER: Final = (
    "reject_non_fqdn_sender",
    "reject_unknown_sender_domain",
    "reject_unlisted_sender",
    "warn_if_reject reject_unknown_sender_domain, reject_non_fqdn_sender",
    f"check_sender_mx_access {_MX}",
    f"check_sender_a_access {_MX}",
    f"check_sender_mx_access {_SERVERS}",
    "check_sender_access pcre:{ {/^<>$$/ rule} {/^(.*)@out/ REJECT not $$1} {/./ PREPEND X-From: any} }",
    "check_sender_access inline:{ {<>=DISCARD} {none@x.test=REJECT 5.1.7 nobody} {refused@=permit} }, rule",
)
_SETTINGS: Final[tuple[tuple[float, str, tuple[str, ...]], ...]] = (
    (0.06, "soft_bounce", ("yes",)),
    (0.06, "smtp_never_send_ehlo", ("yes",)),
    (0.08, "smtp_discard_ehlo_keywords", ("smtputf8", "smtputf8, dsn", "silent-discard, smtputf8, 8bitmime")),
    (0.06, "smtp_discard_ehlo_keyword_address_maps", ("cidr:{ {10.53.0.0/24 dsn} }", "static:pipelining")),
    (0.06, "smtpd_discard_ehlo_keyword_address_maps", ("cidr:{ {127.0.0.1 dsn, size} }", "static:8bitmime")),
    (0.15, "smtpd_relay_restrictions", _RELAY),
    (0.2, "smtpd_recipient_restrictions", _RECIPIENT),
    (0.15, "smtpd_sender_restrictions", _SENDER),
    (0.08, "smtpd_helo_restrictions", ("reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname", "warn_if_reject reject_unknown_helo_hostname", "rule")),
    (0.08, "smtpd_client_restrictions", ("reject_unauth_pipelining, permit", "permit_inet_interfaces, reject", "check_client_access cidr:{ {127.0.0.0/8 rule} }", "warn_if_reject reject_unknown_client_hostname")),
    (0.12, "smtpd_data_restrictions", ("reject_multi_recipient_bounce", "reject_unauth_pipelining, rule", "check_recipient_access inline:{ {alice@=REJECT at data} {out.test=HOLD} }", "permit", "warn_if_reject reject")),
    (0.08, "smtpd_end_of_data_restrictions", ("check_recipient_access inline:{ {bob@=DISCARD} {box.test=REDIRECT bob@out.test} }", "rule", "reject_multi_recipient_bounce, permit")),
    (0.06, "smtpd_relay_before_recipient_restrictions", ("no",)),
    (0.1, "smtpd_log_access_permit_actions", ("static:all", "ok, discard, permit_mynetworks")),
    (0.08, "smtpd_reject_footer", ("\\c. Ask $server_name about $recipient", "For help: $localtime_is_none$client_address", "$sender of $helo_name")),
    (0.06, "smtpd_reject_footer_maps", ("regexp:{ {/^5/ 5xx for $$recipient} }", "pcre:{ {/unknown/i \\c: nobody} }")),
    (0.05, "access_map_reject_code", ("451", "559")),
    (0.05, "access_map_defer_code", ("459",)),
    (0.05, "reject_code", ("555",)),
    (0.05, "non_fqdn_reject_code", ("454",)),
    (0.05, "unknown_address_reject_code", ("550",)),
    (0.05, "unknown_hostname_reject_code", ("550",)),
    (0.05, "relay_domains_reject_code", ("450",)),
    (0.05, "multi_recipient_bounce_reject_code", ("450",)),
    (0.05, "unknown_virtual_alias_reject_code", ("450",)),
    (0.05, "unknown_virtual_mailbox_reject_code", ("450",)),
    (0.05, "unknown_relay_recipient_reject_code", ("450",)),
    (0.08, "show_user_unknown_table_name", ("no",)),
    (0.06, "smtpd_null_access_lookup_key", ("none@x.test",)),
    (0.06, "smtpd_history_flush_threshold", ("1", "7", "30")),
    (0.12, "notify_classes", ("policy, protocol, data, software, resource", "policy, bounce", "protocol, 2bounce")),
    (0.06, "error_notice_recipient", ("bob", "refused@out.test")),
    (0.06, "delay_notice_recipient", ("bob@out.test",)),
    (0.06, "smtpd_helo_required", ("yes",)),
    (0.1, "smtpd_forbid_bare_newline", ("yes", "normalize", "reject")),
    (0.06, "smtpd_forbid_bare_newline_exclusions", ("", "!127.0.0.1, static:all")),
    (0.06, "smtpd_forbid_bare_newline_reject_code", ("521", "554")),
    (0.06, "smtpd_forbid_unauth_pipelining", ("yes",)),
    (0.05, "cleanup_replace_stray_cr_lf", ("no",)),
    (0.05, "smtpd_client_port_logging", ("yes",)),
    (0.05, "strict_smtputf8", ("yes",)),
    (0.05, "strict_8bitmime_body", ("yes",)),
    (0.05, "strict_mailbox_ownership", ("no",)),
    (0.05, "require_home_directory", ("yes",)),
    (0.05, "mime_boundary_length_limit", ("1",)),
    (0.05, "body_checks_size_limit", ("10", "100")),
    (0.05, "disable_mime_input_processing", ("yes",)),
    (0.08, "info_log_address_format", ("internal",)),
    (0.06, "sendmail_fix_line_endings", ("never", "strict")),
    (0.05, "mail_name", ("Some Mail",)),
    (0.06, "smtputf8_autodetect_classes", ("all", "verify", "sendmail, forward, bounce")),
    (0.06, "best_mx_transport", ("local", "error:5.4.9 it is me", "smtp:[10.53.0.21]")),
    (0.06, "disable_dns_lookups", ("yes",)),
    (0.06, "smtp_host_lookup", ("native", "native, dns")),
    (0.05, "smtp_mx_address_limit", ("1",)),
    (0.05, "smtp_mx_session_limit", ("1",)),
    (0.05, "smtp_defer_if_no_mx_address_found", ("yes",)),
    (0.05, "smtp_address_verify_target", ("data",)),
    (0.05, "smtp_dns_reply_filter", ("pcre:{ {/ MX 10 / IGNORE} }",)),
    (0.05, "smtp_cname_overrides_servername", ("yes",)),
    (0.06, "smtp_mime_header_checks", ("regexp:{ {/^X-Check: 5/ REPLACE X-Part: 5} {/^Content-Type: text/ PREPEND X-Text: y} }",)),
    (0.06, "smtp_nested_header_checks", ("regexp:{ {/^X-Check: 6/ IGNORE} }",)),
    (0.05, "relay_destination_recipient_limit", ("1",)),
    (0.05, "smtp_destination_recipient_limit", ("1", "2")),
    (0.05, "virtual_destination_recipient_limit", ("2",)),
    (0.05, "keep_destination_recipient_limit", ("1",)),
    (0.06, "command_expansion_filter", ("abcdefghijklmnopqrstuvwxyz.@",)),
    (0.06, "forward_expansion_filter", ("abcdefghijklmnopqrstuvwxyz/",)),
    (0.06, "command_execution_directory", ("/tmp", "$home", "/no/where")),
    (0.06, "virtual_mailbox_lock", ("dotlock", "fcntl")),
    (0.1, "virtual_mailbox_domains", ("box.test, here.test", "box.test, relay.test", "box.test, alias.test", "inline:{ {box.test=x} {out.test=y} }", "pcre:{ {/^(box|sub\\..*)\\.test$$/ OK} }")),
    (0.08, "virtual_alias_domains", ("alias.test, here.test", "alias.test, box.test, relay.test")),
    (0.06, "relay_domains", ("relay.test, here.test", "relay.test, alias.test, .test", "!sub.out.test, out.test")),
    (0.06, "permit_mx_backup_networks", ("10.53.0.0/24",)),
    (0.06, "parent_domain_matches_subdomains", ("smtpd_access_maps", "relay_domains, smtpd_access_maps")),
    (0.06, "confirm_delay_cleared", ("yes",)),
)  # fmt: skip
_RULES: Final = (
    "reject_non_fqdn_recipient, permit",
    "check_sender_access inline:{ {out.test=REJECT by rule} }",
    "check_helo_access inline:{ {client.test=DEFER_IF_PERMIT 4.3.1 by rule} }",
    "reject_unauth_destination",
    "warn_if_reject reject",
    "permit_mynetworks",
)
_NOTIFY: Final = (
    *("NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=FAILURE", "NOTIFY=DELAY", "NOTIFY=SUCCESS,FAILURE,DELAY"),
    *("NOTIFY=FAILURE,DELAY", "NOTIFY=SUCCESS,DELAY", "notify=success", "NOTIFY=NEVER,SUCCESS", "NOTIFY=", "NOTIFY"),
)  # fmt: skip
_ORIGINAL: Final = (
    *("ORCPT=rfc822;a@b.test", "ORCPT=rfc822;a+20b@x.test", "ORCPT=utf-8;gr\\x{FC}n@x.test", "ORCPT=x400;a+2Bb"),
    *("ORCPT=rfc822;a+2Cb@x.test", "ORCPT=rfc822", "ORCPT=;x", "ORCPT=RFC822;Alice+40Here@x.test", "ORCPT=rfc822;a+4"),
    *("ORCPT=utf-8;gr\u00fcn@x.test", "ORCPT=rfc822;" + "o" * 300 + "@x.test", "ORCPT=rfc822;a ORCPT=rfc822;b"),
)  # fmt: skip
_MAIL: Final = (
    *("RET=HDRS", "RET=FULL", "ret=hdrs", "RET=BODY", "RET=", "RET=FULL RET=HDRS", "ENVID=a+2Bb", "ENVID=a+3Db"),
    *("ENVID=", "ENVID=a+20b RET=HDRS", "SIZE=0", "SIZE=99999999999", "SIZE=x", "BODY=BINARYMIME", "AUTH=<>"),
    *("BODY=8BITMIME BODY=7BIT", "X=Y", "SMTPUTF8=yes", "ENVID=" + "x" * 101, "BODY=", "SIZE=100 RET=FULL ENVID=q"),
)  # fmt: skip
_OPTIONS: Final = (
    *(("-N", "delay,success"), ("-R", "hdrs"), ("-V", "an+id"), ("-B", "7BIT"), ("-B8BITMIME",), ("-N", "never")),
    *(("-Nfailure",), ("-R", "nonsense"), ("-B", "x"), ("-N", "x"), ("-G",), ("-Ac",), ("-oem",), ("-U",)),
)  # fmt: skip
_ENDS: Final = (b"\n", b"\r\n", b"\r\r\n", b"\r", b"\n\r\n")


def wider_configuration(world: RandomConfiguration, seed: int) -> RandomConfiguration:
    """The world with more in it."""
    return _Wider(random.Random(f"wider {seed}")).configuration(world)


class _Wider:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._pick = chance.choice
        self._waits = False

    def configuration(self, world: RandomConfiguration) -> RandomConfiguration:
        chosen = {name: self._pick(values) for share, name, values in _SETTINGS if self._maybe(share)}
        self._waits = "soft_bounce" in chosen  # what is refused by sendmail(1) waits until soft_bounce goes
        chosen["smtpd_restriction_classes"] = "rule"
        chosen["rule"] = self._pick(_RULES)
        settings = world.settings + "".join(f"{name} = {value}\n" for name, value in chosen.items())
        if self._maybe(0.05):
            name = self._pick(("canonical_maps", "sender_canonical_maps", "recipient_canonical_maps"))
            settings += f"{name} = inline:{{ {{alice@out.test=bob@out.test}} }}, fail:unwell\n"
        return msgspec.structs.replace(
            world,
            settings=_with_an_end(settings),
            messages=tuple(map(self._message, world.messages)),
        )

    def _maybe(self, share: float) -> bool:
        return self._chance.random() < share

    def _message(self, message: RandomMessage) -> RandomMessage:
        replace = msgspec.structs.replace
        if message.local and self._waits:
            recipients = tuple(f"<{one}>" for one in message.recipients)
            message = replace(message, local=False, options=(), recipients=recipients)
        if message.local:
            if self._maybe(0.12):
                message = replace(message, options=(*message.options, *self._pick(_OPTIONS)))
            if self._maybe(0.06):
                message = replace(message, content=self._with_odd_ends(message.content))
            return message
        if self._maybe(0.2):
            recipients = tuple(self._with_parameters(one) for one in message.recipients)
            message = replace(message, recipients=recipients)
        if self._maybe(0.12):
            message = replace(message, options=(*message.options, self._pick(_MAIL)))
        if self._maybe(0.08):
            message = replace(message, content=self._with_odd_ends(message.content), as_it_is=True)
        if self._maybe(0.12):
            message = replace(message, chunk=self._pick((1, 40, 500, 100000)))
        return message

    def _with_parameters(self, recipient: str) -> str:
        address = re.sub(r"(?<=>) .*", "", recipient)
        found = [self._pick(some) for some in (_NOTIFY, _ORIGINAL) if self._maybe(0.5)]
        self._chance.shuffle(found)
        return " ".join((address, *found))

    def _with_odd_ends(self, content: bytes) -> bytes:
        """Some line ends are none that SMTP knows.  No dot begins a line: it might be the end."""
        lines = content.replace(b"\r", b"").split(b"\n")
        usual = self._pick((b"\r\n", b"\n"))
        text = b""
        for line in lines:
            end = self._pick(_ENDS) if self._maybe(0.15) else usual
            text += line.removeprefix(b".").lstrip(b".") + end
        return text + b"\r\n"


def _with_an_end(settings: str) -> str:
    """No world in which reports on reports have no end, as none has with Postfix."""
    found = dict(line.split(" = ", 1) for line in settings.split("\n") if " = " in line)
    everybody = found.get("masquerade_domains", "") == "test"
    told = re.search("bounce", found.get("notify_classes", ""))
    return settings + "notify_classes =\n" if everybody and told else settings
