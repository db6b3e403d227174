"""Settings of both servers of test_smtp_replies_peer.py, and of each of their services."""

from typing import Final

SETTINGS: Final = {
    "mynetworks": "127.0.0.2",
    "message_size_limit": "20000",
    "header_size_limit": "102400",
    "smtputf8_enable": "yes",
    "virtual_mailbox_maps": "inline:{ me@pillarbox.test=Maildir/, you@pillarbox.test=Maildir/ }",
    "virtual_alias_maps": "",
    "sender_canonical_maps": "inline:{ alias@pillarbox.test=me@pillarbox.test }",
    "header_checks": "regexp:{ { /^Subject: reject$$/ REJECT }, { /^Subject: text/ REJECT not this one }, "
    "{ /^Subject: status/ REJECT 5.7.9 not this one }, { /^Subject: later/ REJECT 4.7.9 later }, { /^Subject: hold/ HOLD }, "
    "{ /^Subject: discard/ DISCARD gone }, { /^Subject: warn/ WARN strange }, { /^Subject: info/ INFO seen }, "
    "{ /^Subject: ignore/ IGNORE }, { /^Subject: prepend/ PREPEND X-Seen: yes }, { /^Subject: replace/ REPLACE Subject: other }, "
    "{ /^Subject: redirect/ REDIRECT you@pillarbox.test }, { /^Subject: bcc/ BCC you@pillarbox.test }, "
    "{ /^Subject: two lines folded/ REJECT one line }, { /^Subject: two. lines/ REJECT folded }, "
    "{ /^Content-Type:.*name=.*exe/ REJECT no programs }, { /^X-Nested: bad/ REJECT nested } }",
    "body_checks": "regexp:{ { /^bad body$$/ REJECT no such text }, { /^warn body$$/ WARN text } }",
    "default_transport": "error:5.4.4 no route",
    "smtpd_peername_lookup": "yes",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "40",
    "smtpd_hard_error_limit": "40",
    "smtpd_junk_command_limit": "40",
    "smtpd_recipient_limit": "3",
    "smtpd_forbid_bare_newline": "normalize",
    "smtpd_forbid_bare_newline_exclusions": "",
    "smtpd_forbid_unauth_pipelining": "yes",
    "smtpd_forbidden_commands": "CONNECT GET POST",
    "smtpd_tls_security_level": "may",
    "smtpd_discard_ehlo_keywords": "silent-discard",
    "fast_flush_domains": "!no.flush.test flush.test",
    "relay_domains": "!no.parent.test, parent.test, .dot.test, inline:{ { tab.test = x } { .tabdot.test = x } }, "
    "!inline:{ { no.last.test = x } }, last.test",
    "relay_transport": "error:5.4.4 relayed",
}
CLEANUP: Final = (
    "strict_cleanup unix n - n - 0 cleanup\n  -o strict_8bitmime=yes -o strict_mime_encoding_domain=yes\n"
    "washing_cleanup unix n - n - 0 cleanup\n  -o { message_reject_characters = \\001\\002 } "
    "-o { message_strip_characters = \\003Q }\n"
    "small_cleanup unix n - n - 0 cleanup\n  -o message_size_limit=3000\n"
)
"""Further services of cleanup(8)."""
SASL: Final = {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "no"}
SERVICES: Final[dict[str, dict[str, str]]] = {
    "strict": {
        "strict_rfc821_envelopes": "yes",
        "smtpd_helo_required": "yes",
        "disable_vrfy_command": "yes",
    },
    "sasl": SASL,
    "encrypt": {**SASL, "smtpd_tls_security_level": "encrypt"},
    "auth only": {**SASL, "smtpd_tls_auth_only": "yes"},
    "helo": {
        "smtpd_helo_restrictions": "reject_invalid_helo_hostname,reject_non_fqdn_helo_hostname",
        "smtpd_delay_reject": "no",
    },
    "fqdn": {
        "smtpd_helo_restrictions": "reject_invalid_helo_hostname,reject_non_fqdn_helo_hostname",
        "smtpd_sender_restrictions": "reject_non_fqdn_sender",
        "smtpd_recipient_restrictions": "reject_non_fqdn_recipient,permit_mynetworks,reject_unauth_destination",
    },
    "few": {"smtpd_hard_error_limit": "4", "smtpd_junk_command_limit": "3"},
    "verp": {"smtpd_authorized_verp_clients": "127.0.0.1"},
    "named clients": {
        "mynetworks": "trusted.test, !bad.other.test, .other.test, "
        "inline:{ { tab.test = x }, { .dotted.test = x }, { 192.0.2.77 = x } }, fail:x",
        "smtpd_authorized_xclient_hosts": "127.0.0.1 .loop.test",
        "smtpd_authorized_xforward_hosts": "localhost",
        "smtpd_authorized_verp_clients": "verp.test .below.test inline:{ { .dotted.test = x }, { tab.test = x } }",
    },
    "networks that fail": {
        "mynetworks": "fail:x",
        "smtpd_client_restrictions": "permit_mynetworks",
    },
    "bare": {"smtpd_forbid_bare_newline": "reject"},
    "access": {
        "smtpd_restriction_classes": "strangers",
        "strangers": "check_helo_access inline:{ friend=OK }, reject",
        "smtpd_client_restrictions": "check_client_access inline:{ 127.0.0=DUNNO, { 127=REJECT not here } }, warn_if_reject reject",
        "smtpd_helo_restrictions": "check_helo_access inline:{ { bad.test=550 5.7.1 go away }, quiet.test=REJECT }",
        "smtpd_sender_restrictions": "check_sender_access inline:{ { "
        + " }, { ".join(
            (
                "ok@s.test=OK",
                "reject@s.test=REJECT",
                "rejecttext@s.test=REJECT no such luck",
                "rejectdsn@s.test=REJECT 5.7.9 no such luck",
                "rejectwrong@s.test=REJECT 4.7.9 wrong class",
                "defer@s.test=DEFER",
                "defertext@s.test=DEFER later, please",
                "ifpermit@s.test=DEFER_IF_PERMIT",
                "ifpermittext@s.test=DEFER_IF_PERMIT 4.2.1 come again",
                "ifreject@s.test=DEFER_IF_REJECT perhaps later",
                "450@s.test=450",
                "550@s.test=550 5.1.1 unknown here",
                "551@s.test=551 5.1.2 unknown here",
                "552@s.test=552 5.1.3 unknown here",
                "553@s.test=553 5.1.7 unknown here",
                "554@s.test=554 5.1.8 unknown here",
                "555@s.test=555 5.1.6 unknown here",
                "556@s.test=556 5.1.4 unknown here",
                "557@s.test=557 plain text",
                "421@s.test=421 4.7.0 and out",
                "521@s.test=521 5.7.0 and out",
                "five@s.test=REJECT 5.1.5 of a recipient",
                "nine@s.test=550 5.1.9 of nobody",
                "nowhere@s.test=REDIRECT",
                "nodomain@s.test=REDIRECT you",
                "nocopy@s.test=BCC you",
                "noway@s.test=FILTER smtp",
                "nofilter@s.test=FILTER",
                "number@s.test=12345",
                "relay@s.test=RELAY",
                "lower@s.test=reject in lower case",
                "hold@s.test=HOLD",
                "discard@s.test=DISCARD",
                "warn@s.test=WARN strange",
                "info@s.test=INFO seen",
                "prepend@s.test=PREPEND X-Access: yes",
                "redirect@s.test=REDIRECT you@pillarbox.test",
                "class@s.test=strangers",
                "words@s.test=reject_non_fqdn_recipient, reject",
                "table@s.test=check_helo_access inline:{x=y}",
                "nonsense@s.test=FOO bar",
                "domain.test=REJECT by domain",
                "user@=REJECT by user",
                "<>=REJECT null",
                "dunno.domain.test=DUNNO",
                ".dot.test=REJECT by dot",
            )
        )
        + " } }",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{ { no@pillarbox.test=550 5.1.1 gone }, "
        "{ five@pillarbox.test=550 5.1.7 sender code }, { six@pillarbox.test=550 5.1.8 sender code } }, reject_unauth_destination",
        "smtpd_data_restrictions": "check_sender_access inline:{ { data@s.test=554 5.1.1 not this } }, reject_multi_recipient_bounce",
        "smtpd_end_of_data_restrictions": "check_sender_access inline:{ { end@s.test=REJECT at the end } }",
        "smtpd_etrn_restrictions": "reject",
    },
    "early": {
        "smtpd_authorized_xclient_hosts": "127.0.0.1",
        "smtpd_client_restrictions": "check_client_access inline:{ { 192.0.2.9=REJECT you }, { 192.0.2.8=421 later }, "
        "192.0.2.7=reject_unknown_client_hostname, 192.0.2.6=reject_unknown_reverse_client_hostname }",
        "unknown_client_reject_code": "550",
        "smtpd_delay_reject": "no",
        "smtpd_helo_restrictions": "check_helo_access inline:{ { bad.test=REJECT }, { bad@name.test=REJECT }, "
        "{ later.test=DEFER_IF_PERMIT } }",
        "smtpd_sender_restrictions": "check_sender_access inline:{ { bad@s.test=REJECT }, { later@s.test=DEFER_IF_PERMIT } }",
    },
    "strict MIME": {"cleanup_service_name": "strict_cleanup"},
    "washed": {"cleanup_service_name": "washing_cleanup"},
    "failing": {
        "smtpd_restriction_classes": "by_helo, by_client, by_sender, by_recipient, by_servers, by_address",
        "by_helo": "check_helo_access fail:helo",
        "by_client": "check_client_access fail:client",
        "by_sender": "check_sender_access fail:sender",
        "by_recipient": "check_recipient_access fail:recipient",
        "by_servers": "check_sender_mx_access fail:servers",
        "by_address": "check_sender_mx_access inline:{ 192.0.2.5=REJECT }, check_sender_ns_access inline:{ 192.0.2.6=REJECT }, "
        "check_sender_a_access inline:{ { 192.0.2=REJECT such an address } }",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{ helo@pillarbox.test=by_helo, client@pillarbox.test=by_client, "
        "sender@pillarbox.test=by_sender, recipient@pillarbox.test=by_recipient, servers@pillarbox.test=by_servers, "
        "address@pillarbox.test=by_address }, reject",
    },
    "known senders": {
        "smtpd_sender_restrictions": "reject_unlisted_sender",
        "smtpd_recipient_restrictions": "reject_unknown_sender_domain, reject",
    },
    "closed": {"smtpd_client_restrictions": "reject", "smtpd_delay_reject": "no"},
    "lists": {
        "smtpd_client_restrictions": "defer_if_permit",
        "smtpd_helo_restrictions": "defer_if_reject",
        "smtpd_sender_restrictions": "reject_unlisted_sender",
        "smtpd_recipient_restrictions": "permit_auth_destination, defer",
        "smtpd_relay_restrictions": "permit",
    },
    "generic": {
        "smtpd_sender_restrictions": "check_sender_access inline:{ one@s.test=defer, two@s.test=reject, "
        "three@s.test=defer_if_permit, four@s.test=reject_plaintext_session, five@s.test=reject_unknown_reverse_client_hostname, "
        "six@s.test=reject_multi_recipient_bounce, seven@s.test=permit_inet_interfaces }",
        "smtpd_recipient_restrictions": "reject",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    },
    "followed": {
        "smtpd_restriction_classes": "nobody",
        "nobody": "defer, permit",
        "smtpd_client_restrictions": "warn_if_reject reject, warn_if_reject permit reject, reject",
        "smtpd_sender_restrictions": "check_sender_access inline:{ no@s.test=nobody, { not@s.test=reject permit } }, PERMIT, reject",
        "smtpd_recipient_restrictions": "reject_unauth_destination, Reject, permit_mynetworks",
    },
    "owners": {
        **SASL,
        "smtpd_sender_login_maps": "inline:{ mine@s.test=me@pillarbox.test, other@s.test=you@pillarbox.test }",
        "smtpd_sender_restrictions": "reject_sender_login_mismatch",
    },
    "known owners": {
        **SASL,
        "smtpd_sender_login_maps": "inline:{ mine@s.test=me@pillarbox.test, other@s.test=you@pillarbox.test }",
        "smtpd_sender_restrictions": "reject_known_sender_login_mismatch",
    },
    "owners of nothing": {
        "smtpd_sender_login_maps": "inline:{ mine@s.test=me@pillarbox.test, other@s.test=you@pillarbox.test }",
        "smtpd_sender_restrictions": "reject_sender_login_mismatch, reject_known_sender_login_mismatch, "
        "check_sasl_access static:reject",
    },
    "unlisted": {"smtpd_reject_unlisted_sender": "yes", "smtpd_reject_unlisted_recipient": "no"},
    "proxy": {
        **SASL,
        "smtpd_authorized_xclient_hosts": "127.0.0.1",
        "smtpd_authorized_xforward_hosts": "127.0.0.1",
        "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
        "smtpd_client_restrictions": "check_client_access inline:{ { 192.0.2.9=REJECT you }, { bad.test=REJECT your name } }",
    },
    "mail rate": {"smtpd_client_message_rate_limit": "2"},
    "recipient rate": {"smtpd_client_recipient_rate_limit": "2"},
    "recipient count": {"smtpd_client_recipient_rate_limit": "2", "smtpd_client_event_limit_exceptions": ""},
    "mail count": {"smtpd_client_message_rate_limit": "2", "smtpd_client_event_limit_exceptions": ""},
    "auth rate": {**SASL, "smtpd_client_auth_rate_limit": "1"},
    "connection rate": {"smtpd_client_connection_rate_limit": "1"},
    "mechanisms": {**SASL, "smtpd_sasl_mechanism_filter": "!login, static:rest"},
    "enforce": {"smtpd_tls_security_level": "", "smtpd_enforce_tls": "yes"},
    "soft": {"soft_bounce": "yes"},
    "discarding": {
        **SASL,
        "smtpd_discard_ehlo_keywords": "pipelining, size, vrfy, etrn, starttls, auth, enhancedstatuscodes, 8bitmime, dsn, smtputf8, "
        "chunking",
    },
    "overshoot": {
        "smtpd_hard_error_limit": "3",
        "smtpd_recipient_limit": "1",
        "smtpd_recipient_overshoot_limit": "4",
    },
    "no-ops": {
        "smtpd_noop_commands": "foo vrfy help",
        "smtpd_junk_command_limit": "6",
        "smtpd_hard_error_limit": "2",
    },
    "no-ops of what mail needs": {"smtpd_noop_commands": 'ehlo, MAIL starttls data, bdat quit auth "foo'},
    "strict UTF-8": {"strict_smtputf8": "yes", "smtpd_client_port_logging": "yes"},
    "command filter": {
        "smtpd_command_filter": "regexp:{ {/^FOO/ NOOP}, {/^MAIL FROM:<bad@(.*)>/ MAIL FROM:<good@$$1>}, {/^BLANK/ RSET}, "
        "{/^(MAIL FROM:<space@x>) (.*)/ $$1} }"
    },
    "failing command filter": {"smtpd_command_filter": "fail:x"},
    "discarding by address": {
        "smtpd_discard_ehlo_keywords": "size",
        "smtpd_discard_ehlo_keyword_address_maps": "inline:{ { 127.0.0.1 = dsn, etrn, foo } }",
    },
    "failing keywords": {"smtpd_discard_ehlo_keyword_address_maps": "fail:x"},
    "expansion": {
        "smtpd_expansion_filter": r"abc\144efghij@.",
        "smtpd_reject_footer": "$sender $client_name $helo_name",
    },
    "old": {
        "smtpd_sender_restrictions": "check_sender_access inline:{ naked@s.test=permit_naked_ip_address, "
        "mx@s.test=permit_mx_backup, relay@s.test=check_relay_domains, rbl@s.test=reject_maps_rbl }",
        "smtpd_recipient_restrictions": "check_sender_access inline:{ rnaked@s.test=permit_naked_ip_address, "
        "rmx@s.test=permit_mx_backup, rrelay@s.test=check_relay_domains }, reject_unauth_destination",
        "maps_rbl_domains": "rbl.test",
        "relay_domains": "relaying.test",  # the clients' names, but not whose mail is relayed
        "smtpd_authorized_xclient_hosts": "127.0.0.1",
    },
    "unknown names": {"smtpd_delay_reject": "no", "smtpd_helo_restrictions": "reject_unknown_helo_hostname"},
    "permits": {
        "smtpd_log_access_permit_actions": "static:all",
        "smtpd_client_restrictions": "permit_mynetworks, check_client_access inline:{ 127.0.0.1=OK }",
        "smtpd_helo_restrictions": "permit_inet_interfaces",
        "smtpd_sender_restrictions": "check_sender_access inline:{ ok@s.test=OK, dunno@s.test=DUNNO, permit@s.test=permit, "
        "250@s.test=250, relay@s.test=relay, { text@s.test=OK some text } }",
        "smtpd_recipient_restrictions": "permit_auth_destination, reject",
        "smtpd_data_restrictions": "permit",
    },
    "one permit": {
        "smtpd_log_access_permit_actions": "ok, permit_auth_destination",
        "smtpd_recipient_restrictions": "permit_auth_destination, reject",
    },
    "networks in a table": {"mynetworks": "inline:{ { 127.0.0.1 = x } }"},
    "networks but those in a table": {"mynetworks": "!inline:{ { 127.0.0.1 = x } }, 127.0.0.0/8"},
    "networks and a table": {
        "mynetworks": "192.0.2.0/24, cidr:{ { 127.0.0.0/8 x } }",
        "smtpd_authorized_xclient_hosts": "regexp:{ {/^127/ x} }",
    },
    "networks in a table that fails": {"mynetworks": "!fail:x, 127.0.0.0/8"},
    "domains": {"smtpd_reject_unlisted_recipient": "no", "smtpd_recipient_limit": "100"},
    "forbidden": {
        "smtpd_forbidden_commands": "inline:{ { foo = x } { mail = x } }, regexp:{ {/^[^A-Z]/ x} }"
    },
    "own domains": {
        "myorigin": "origin.test",
        "mydestination": "here.test",
        "relay_domains": "else.test",
        "virtual_alias_domains": "alias.test",
        "virtual_mailbox_domains": "other.test",
    },
    "proxy and a must of TLS": {
        "smtpd_tls_security_level": "encrypt",
        "smtpd_authorized_xclient_hosts": "127.0.0.1",
        "smtpd_authorized_xforward_hosts": "127.0.0.1",
    },
    "counted": {
        "smtpd_client_message_rate_limit": "1",
        "smtpd_client_event_limit_exceptions": "",
        "smtpd_authorized_xclient_hosts": "127.0.0.1",
    },
    "small cleanup": {"cleanup_service_name": "small_cleanup"},
    "keywords that fail": {"smtpd_discard_ehlo_keyword_address_maps": "fail:x"},
    "open early": {"smtpd_delay_open_until_valid_rcpt": "no"},
    "filtered DNS": {
        "smtpd_dns_reply_filter": "regexp:{ {/./ IGNORE} }",
        "smtpd_sender_restrictions": "reject_unknown_sender_domain",
    },
    "no tls": {"smtpd_tls_security_level": "none"},
    "footer": {
        "smtpd_reject_footer": r"\c, $client_address $client_name.\nSee $server_name, ${sender?{$sender}:{nobody}} $helo_name$nosuch",
        "smtpd_reject_footer_maps": "regexp:{{/^50[12]/ Read RFC 5321, $$client_address}}",
        "smtpd_hard_error_limit": "6",
    },
}
