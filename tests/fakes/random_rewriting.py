"""Random configurations of addresses and routes, with messages that go through them.

DESCRIPTION
    `random_configuration` gives, for a seed, settings behind a general main.cf, files of tables, and messages: what
    an admin and a sender might write, and some of what they should not.  Nothing in it depends on the time.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from fakes.random_address_lists import random_field

_USERS: Final = ("alice", "bob", "old", "new", "root", "list", "postmaster", "carol", "refused", "later")
_ODD_USERS: Final = (
    *(
        "mailer-daemon",
        "double-bounce",
        "owner-list",
        "list-request",
        "a b",
        ".dot",
        "dot.",
        "d..ot",
        "-minus",
    ),
    *(
        'q"uote',
        "back\\slash",
        "x" * 70,
        "gr\u00fcn",
        "al(ice)",
        "comma,x",
        "UPPER",
        "Mixed.Case",
        "=",
        "+plus",
    ),
    *(
        "bob+",
        "alice++x",
        "a%b",
        "a!b",
        "a@b",
        "user%out.test",
        "out.test!user",
        "a!b!c",
        "p%out.test%box.test",
    ),
)
_DOMAINS: Final = (
    *("here.test", "mail.here.test", "alias.test", "box.test", "relay.test", "out.test", "sub.out.test"),
    *("other.test", "h.masq.test", "deep.h.masq.test", "keep.masq.test", "moved.test", "err.test"),
)
_ODD_DOMAINS: Final = (
    *("localhost", "lone", "here.test.", "out.test..", "OUT.Test", "[10.53.0.20]", "[127.0.0.1]"),
    *("[ipv6:2001:db8::1]", "192.0.2.1", "[192.0.2.300]", "-x.test", "a..b"),
    *(
        "b\u00fccher.test",
        "xn--bcher-kva.test",
        "under_score.test",
        ".lead.test",
        "x" * 64 + ".test",
        "1.2",
        "a-.test",
    ),
)
_EXTENSIONS: Final = ("+x", "+", "-y", "+x+y", "-y+x", "+X", "_z", "+gr\u00fcn")
_NAMES: Final = (
    "Alice",
    '"Alice, of here"',
    "Alice B.",
    "=?utf-8?q?Gr=C3=BCn?=",
    "gr\u00fcn",
    '"a\\"b"',
    "(c)",
    "A (c) B",
    "",
)
_ADDRESS_FIELDS: Final = (
    *("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Errors-To", "Return-Receipt-To", "Apparently-To"),
    *("Resent-From", "Resent-To", "Resent-Cc", "Resent-Bcc", "Resent-Sender", "Resent-Reply-To", "X-Other"),
    *(
        "Disposition-Notification-To",
        "Mail-Followup-To",
        "Return-Path",
        "Delivered-To",
        "X-Original-To",
        "to",
        "FROM",
    ),
)
_OTHER_FIELDS: Final = (
    *(
        "Subject: plain\n",
        "Subject: gr\u00fcn\n",
        "Subject:\n",
        "Subject: =?utf-8?q?a?=\n",
        "X-Empty:\n",
        "X-Space : y\n",
    ),
    *(
        "Date: Mon, 1 Jan 2024 10:00:00 +0000\n",
        "Date: nonsense\n",
        "Resent-Date: x\n",
        "Resent-Message-Id: <r@x>\n",
    ),
    *(
        "Content-Length: 12\n",
        "Received: from a by b\n",
        "X-Folded: a\n\tb\n c\n",
        "X-Long: %s\n" % ("word " * 300),
    ),
    *(
        "X-Tabs:\ta\t\tb\n",
        "MIME-Version: 1.0\n",
        "Precedence: bulk\n",
        "Return-Receipt-To: x\n",
        "References: <1@x> <2@x>\n",
    ),
    *(
        "Full-Name: Someone\n",
        "X-Uuencoded-From: u\n",
        "Status: RO\n",
        "Lines: 3\n",
        "X-8bit: \u00fc\u00fc\n",
    ),
)
_ACTIONS: Final = (
    *(
        "REJECT",
        "REJECT 5.7.9 no such thing",
        "REJECT 4.7.1 later",
        "WARN",
        "WARN seen",
        "INFO it",
        "HOLD",
        "HOLD wait",
    ),
    *(
        "DISCARD",
        "DISCARD gone",
        "REDIRECT bad",
        "PREPEND X-New: one",
        "PREPEND bad",
        "IGNORE",
    ),
    *(
        "REPLACE X-Other: two",
        "REPLACE From: old@here.test",
        "DUNNO",
        "FILTER smtp:[10.53.0.21]",
        "FILTER nope",
        "OK",
    ),
    *(
        "BCC copy@out.test",
        "BCC nope",
        "REDIRECT other@out.test",
        'REDIRECT "a b"@box.test',
        "REDIRECT list",
        "STRIP it",
        "PASS",
        "STRIP",
        "unheard of",
        "prepend X-Low: x",
        "",
        "DELAY 3",
    ),
)
_BODIES: Final = (
    *(
        "body\n",
        "",
        "two\n\nlines\n",
        ".\n..\n.x\n",
        "From me\n>From you\n",
        "gr\u00fcn\n",
        "no end",
        "a" * 1200 + "\n",
    ),
    *("b" * 3000 + "\n", "X-Check: 3\nin the body\n", "check 4\n", "\ttabs\t \n", "line\n" * 200, "\r\n"),
)
_MIME: Final = (
    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n",
    "--b\nContent-Type: text/plain\nX-Check: 5\n\ncheck 4\n--b\nContent-Type: message/rfc822\n\n"
    "From: old@here.test\nX-Check: 6\n\nin\n--b--\nepilogue\n",
)
_TRANSPORTS: Final = (
    *(
        "smtp:[10.53.0.21]",
        "smtp:[10.53.0.20]:25",
        ":[10.53.0.21]",
        ":",
        "relay:[10.53.0.21]",
        "relay:",
        "smtp:",
        "local:",
    ),
    *(
        "local:here.test",
        "error:5.7.1 closed",
        "error:",
        "error",
        "retry:4.4.1 away",
        "retry:",
        "discard:",
        "discard:gone",
    ),
    *(
        "virtual:",
        "lmtp:unix:/nonexistent",
        "nosuch:x",
        "smtp:out.test",
        "SMTP:[10.53.0.21]",
        "smtp",
        "error: 5.1.1  two",
    ),
    *(
        "smtp:[10.53.0.21], [10.53.0.20]",
        "smtp:out.test:25",
        "smtp:nowhere.test, out.test",
        "error:4.7.1 not now",
    ),
    *(
        "retry:5.1.1 hard",
        "smtp:[10.53.0.99], [10.53.0.21]",
        "",
        "discard:5.0.0 x",
        "local",
        "smtp :[10.53.0.21]",
        "smtp: [10.53.0.21]",
        ":out.test:25",
        ":[10.53.0.20]",
        "slow:[10.53.0.21]",
        "slow",
        "slow: ",
    ),
)
_SENDERS_TRANSPORTS: Final = (
    *(one for one in _TRANSPORTS[:8] if one[:1] != ":"),
    "error:5.7.1 not you",
    "DUNNO",
    "smtp",
)
"""Without one that is nothing: Postfix asks again each second until somebody mends it, and answers nobody."""
_NETWORKS: Final = (
    "10.53.0.0/24",
    "[10.53.0.20]",
    "127.0.0.0/8",
    "192.0.2.1",
    "::/0",
    "!10.0.0.0/8",
    "10.53.0.1/24",
)


class RandomMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is submitted; `recipients` with their parameters behind a blank, by SMTP."""

    name: str
    local: bool  # by sendmail(1), with `options`
    sender: str
    recipients: tuple[str, ...]
    options: tuple[str, ...] = ()  # of MAIL, or of sendmail(1)
    content: bytes
    as_it_is: bool = False  # by SMTP, without a change to its line ends
    chunk: int = 0  # octets of a BDAT chunk; 0: DATA
    before: tuple[bytes, ...] = ()  # commands that its client says first


class RandomConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """A world: behind the general main.cf, files below /etc/postfix/tables, messages."""

    settings: str
    files: dict[str, str]
    messages: tuple[RandomMessage, ...]
    queries: tuple[tuple[str, tuple[str, ...]], ...]  # table, keys: for postmap -q
    homes: dict[str, tuple[str, int]] = {}  # .forward files: path, text and mode


def random_configuration(seed: int, messages: int = 14) -> RandomConfiguration:
    """The world of a seed."""
    return _Generator(random.Random(seed)).configuration(messages)


class _Generator:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._pick = chance.choice
        self._files: dict[str, str] = {}
        self._fails = False  # mail that cannot be mapped waits in maildrop
        self._tables: list[tuple[str, tuple[str, ...]]] = []

    def configuration(self, messages: int) -> RandomConfiguration:
        settings = self._settings()
        return RandomConfiguration(
            settings=settings,
            files=self._files,
            messages=tuple(self._message(f"m{at}") for at in range(messages)),
            queries=tuple(self._chance.sample(self._tables, min(2, len(self._tables)))),
        )

    def _maybe(self, share: float) -> bool:
        return self._chance.random() < share

    # -- addresses -------------------------------------------------------------------------------------

    def _user(self) -> str:
        user = self._pick(_ODD_USERS) if self._maybe(0.12) else self._pick(_USERS)
        return user + self._pick(_EXTENSIONS) if self._maybe(0.25) else user

    def _domain(self) -> str:
        return self._pick(_ODD_DOMAINS) if self._maybe(0.12) else self._pick(_DOMAINS)

    def _address(self) -> str:
        """In external form, or a form of long ago."""
        user, domain = self._user(), self._domain()
        if any(octet in ' "\\(),@' for octet in user) or not user:
            user = '"' + user.replace("\\", "\\\\").replace('"', '\\"') + '"'
        draw = self._chance.random()
        if draw < 0.84:
            return f"{user}@{domain}"
        forms: tuple[str, ...] = (
            *(
                user,
                f"@route.test:{user}@{domain}",
                f"{domain}!{user}",
                f"{user}%{domain}",
                f"{user}%{domain}@here.test",
            ),
            *(
                f"{domain}!{user}@here.test",
                f'"{user}"@{domain}' if '"' not in user else user,
                f"{user}@",
                f"@{domain}",
            ),
            *(
                "",
                f"{user}@{domain}@here.test",
                f'"{user}@{domain}"@here.test',
            ),
            *(
                f"{user}@here.test.",
                f'"{user}"' if '"' not in user else user,
                f"{user.upper()}@{domain.upper()}",
            ),
        )
        return self._pick(forms)

    def _plain(self) -> str:
        """One that tables may give."""
        if self._maybe(0.08):
            return self._address()
        user = self._pick(_USERS)
        if self._maybe(0.15):
            user += self._pick(("+e", "-f"))
        return f"{user}@{self._pick(_DOMAINS)}" if self._maybe(0.92) else user

    # -- tables ----------------------------------------------------------------------------------------

    def _key(self) -> str:
        user, domain = self._pick(_USERS), self._pick(_DOMAINS)
        return self._pick(
            (f"{user}@{domain}", f"{user}@{domain}", f"@{domain}", user, f"{user}+x@{domain}", f"{user}+x")
        )

    def _entries(self, key: Callable[[], str], value: Callable[[], str], most: int = 7) -> dict[str, str]:
        return {key(): value() for _ in range(self._chance.randint(1, most))}

    def _table(self, name: str, key: Callable[[], str], value: Callable[[], str]) -> str:
        """One table, of a kind by chance."""
        entries = self._entries(key, value)
        kind = self._pick(
            ("inline",) * 4
            + (
                "hash",
                "texthash",
                "lmdb",
                "regexp",
                "pcre",
                "static",
                "union",
                "pipe",
                "randmap",
                "two",
                "chain",
                "cidr",
                "fail",
            )
        )
        everything = (
            kind in ("static", "randmap", "chain") and "canonical" in name
        )  # <> too: reports of reports have no end
        # Without a null sender, which Postfix looks up and we do not; nor what ends smtp(8).
        everything |= kind == "fail" and ("canonical" in name or "generic" in name)
        if everything or (kind in ("static", "fail", "randmap", "chain") and self._maybe(0.6)):
            kind = "inline"
        table = self._of_kind(kind, name, entries, value)
        self._tables.append(
            (table, tuple({*entries, self._key(), self._plain(), "nothing", "ALICE@HERE.TEST"}))
        )
        return table

    def _of_kind(self, kind: str, name: str, entries: dict[str, str], value: Callable[[], str]) -> str:
        entries = {key: value for key, value in entries.items() if key and value} or {"x": "y"}
        if kind in ("inline", "two", "union", "pipe", "chain", "fail"):
            rows = " ".join(f"{{ {key} = {value} }}" for key, value in entries.items())
            table = f"inline:{{ {rows} }}"
            match kind:
                case "union":
                    return f"unionmap:{{ {table}, inline:{{ {{ {self._key()} = {value()} }} }} }}"
                case "pipe":
                    given = next(iter(entries.values())).replace(",", "")
                    given = given if '"' in given else given.split()[0]  # a key with a blank is none
                    return f"pipemap:{{ {table}, inline:{{ {{ {given} = {value()} }} }} }}"
                case "two":
                    return f"{table}, {self._of_kind('texthash', name, {self._key(): value()}, value)}"
                case "chain":  # keys that are no whole addresses get as far as fail:
                    self._fails = True
                    return f"{table}, static:{{{value()}}}, fail:never"
                case "fail":
                    self._fails = True
                    return f"{table}, fail:broken"
            return table
        if kind == "static":
            return f"static:{{{value()}}}"
        if kind == "randmap":
            return f"randmap:{{ {[*value().replace(',', ' ').split(), 'x'][0]} }}"  # one: no chance
        if kind == "cidr":
            rows = "".join(f"{self._pick(_NETWORKS)} {value}\n" for value in entries.values())
        elif kind in ("regexp", "pcre"):
            rows = "".join(self._expression(key, value) for key, value in entries.items())
        else:
            rows = "# a comment\n" + "".join(
                f"{key}\t{value}\n" for key, value in entries.items() if " " not in key
            )
        self._files[f"{name}.{kind}"] = rows
        return f"{kind}:/etc/postfix/tables/{name}.{kind}"

    def _expression(self, key: str, value: str) -> str:
        pattern = key.replace(".", "\\.").replace("+", "\\+").replace("*", "\\*").replace("[", "\\[")
        value = value.replace("$", "$$")
        return self._pick(
            (
                f"/^{pattern}$/ {value}\n",
                f"/^(.*){pattern}$/i {value}\n",
                f"/{pattern}/ {value}\n",
                f"if /@/\n/^{pattern}/ {value}\nendif\n",
                f"/^(.+)@{pattern.rpartition('@')[2]}$/ $1@box.test\n",
                f"/^([^+]*)\\+x@{pattern.rpartition('@')[2]}$/ ${{1}}+new@out.test\n",
            )
        )

    def _addresses(self) -> str:
        """A value of virtual_alias_maps."""
        count = self._pick((1, 1, 1, 2, 3))
        values = [
            self._pick((self._plain(), self._plain(), f"@{self._pick(_DOMAINS)}")) for _ in range(count)
        ]
        return self._pick((", ", " ", ",")).join(values)

    def _one(self) -> str:
        """A value of canonical_maps."""
        if self._maybe(0.06):
            return self._addresses()
        return f"@{self._pick(_DOMAINS)}" if self._maybe(0.2) else self._plain()

    def _route_key(self) -> str:
        domain = self._pick((*_DOMAINS, "bad.out.test", "masq.test"))
        return self._pick(
            (
                domain,
                domain,
                f".{domain}",
                f"{self._pick(_USERS)}@{domain}",
                f"{self._pick(_USERS)}+x@{domain}",
                "*",
                f"@{domain}",
                self._pick(_USERS),
            )
        )

    # -- settings --------------------------------------------------------------------------------------

    def _settings(self) -> str:
        lines: list[str] = []

        def put(name: str, value: str) -> None:
            lines.append(f"{name} = {value}\n")

        def maybe(share: float, name: str, *values: str) -> None:
            if self._maybe(share):
                put(name, self._pick(values))

        def table(
            share: float, name: str, value: Callable[[], str], key: Callable[[], str] = self._key
        ) -> None:
            if self._maybe(share):
                put(name, self._table(name, key, value))

        table(0.4, "canonical_maps", self._one)
        table(0.25, "sender_canonical_maps", self._one)
        table(0.25, "recipient_canonical_maps", self._one)
        classes = ("envelope_sender", "envelope_recipient", "header_sender", "header_recipient")
        for name, allowed in (
            ("canonical", classes),
            ("sender_canonical", classes[0:3:2]),
            ("recipient_canonical", classes[1:4:2]),
            ("masquerade", classes),
        ):
            if self._maybe(0.25):
                put(
                    f"{name}_classes",
                    ", ".join(self._chance.sample(allowed, self._chance.randint(1, len(allowed)))),
                )
        maybe(
            0.4,
            "masquerade_domains",
            "masq.test",
            "!keep.masq.test masq.test",
            "h.masq.test, masq.test, out.test",
            "test",
            "MASQ.test",
        )
        maybe(
            0.2,
            "masquerade_exceptions",
            "root",
            "root, alice",
            "inline:{bob=x}",
            "!alice, static:all",
            "Root",
        )
        table(0.3, "smtp_generic_maps", self._one)
        table(0.55, "virtual_alias_maps", self._addresses)
        for name in ("expansion_limit", "recursion_limit", "address_length_limit"):
            if self._maybe(0.1):
                self._fails = True
                put(
                    f"virtual_alias_{name}",
                    self._pick(("20", "40") if "address" in name else ("1", "2", "3")),
                )
        maybe(
            0.25,
            "virtual_alias_domains",
            "alias.test, moved.test",
            "",
            "inline:{alias.test=x}",
            "$virtual_alias_maps",
        )
        table(0.35, "transport_maps", lambda: self._pick(_TRANSPORTS), self._route_key)
        table(
            0.2,
            "relocated_maps",
            lambda: self._pick((self._plain(), "5.1.9 somewhere else", "new home: 1 street")),
        )
        sender_key = lambda: self._pick((self._key(), "<>"))  # noqa: E731
        table(
            0.2,
            "sender_dependent_relayhost_maps",
            lambda: self._pick(
                ("[10.53.0.21]", "[10.53.0.20]:25", "DUNNO", "out.test", "dunno", "[10.53.0.21], out.test")
            ),
            sender_key,
        )
        table(
            0.2,
            "sender_dependent_default_transport_maps",
            lambda: self._pick(_SENDERS_TRANSPORTS),
            sender_key,
        )
        maybe(
            0.7,
            "relayhost",
            "[10.53.0.20]",
            "[10.53.0.21]:25",
            "out.test",
            "[10.53.0.21]",
            "[10.53.0.20]:smtp",
            "nowhere.test, [10.53.0.20]",
            "[10.53.0.99]",
        )
        maybe(0.15, "smtp_fallback_relay", "[10.53.0.21]", "out.test", "[10.53.0.99], [10.53.0.20]")
        maybe(
            0.15,
            "default_transport",
            "smtp:[10.53.0.21]",
            "error:5.4.4 no way out",
            "smtp",
            "discard:",
            "retry:4.3.2 off",
        )
        maybe(0.1, "relay_transport", "smtp:[10.53.0.21]", "relay:[10.53.0.20]", "error:5.7.1 norelay")
        maybe(
            0.3, "local_transport", "smtp:[10.53.0.21]", "error:5.1.1 nobody", "local", "virtual", "local:x"
        )
        maybe(0.3, "virtual_transport", "smtp:[10.53.0.21]", "error:5.1.1 noboxes", "virtual", "discard:box")
        maybe(0.7, "recipient_delimiter", "+", "+-", "-", "-_+", "+x")
        maybe(
            0.3,
            "propagate_unmatched_extensions",
            "",
            "canonical",
            "virtual",
            "canonical, virtual, generic",
            "alias, forward, include, generic",
            "generic",
        )
        maybe(0.3, "append_dot_mydomain", "yes", "no")
        maybe(0.2, "swap_bangpath", "no")
        maybe(0.2, "allow_percent_hack", "no")
        maybe(
            0.4,
            "local_header_rewrite_clients",
            "",
            "permit_mynetworks",
            "static:all",
            "permit_inet_interfaces",
        )
        maybe(0.2, "remote_header_rewrite_domain", "domain.invalid", "x")
        maybe(0.15, "always_bcc", "archive@out.test", "bob", "alice+bcc@alias.test", "refused@out.test")
        table(0.15, "sender_bcc_maps", self._one)
        table(0.15, "recipient_bcc_maps", self._one)
        maybe(0.1, "empty_address_recipient", "bob", "nobody@out.test")
        maybe(0.1, "resolve_null_domain", "yes")
        maybe(0.1, "resolve_numeric_domain", "yes")
        maybe(0.1, "resolve_dequoted_address", "no")
        maybe(0.1, "allow_min_user", "yes")
        maybe(0.2, "smtputf8_enable", "no")
        maybe(0.15, "strict_rfc821_envelopes", "yes")
        maybe(0.2, "smtpd_reject_unlisted_recipient", "no")
        maybe(0.1, "smtpd_reject_unlisted_sender", "yes")
        maybe(0.1, "allow_untrusted_routing", "yes")
        maybe(0.1, "always_add_missing_headers", "yes")
        maybe(0.1, "message_drop_headers", "subject", "to, x-other", "")
        maybe(0.1, "undisclosed_recipients_header", "", "To: hidden:;", "Bcc:")
        maybe(0.1, "myorigin", "$myhostname", "origin.test", "Here.Test")
        maybe(0.1, "header_from_format", "obsolete", "standard")
        maybe(0.1, "owner_request_special", "no")
        maybe(0.1, "expand_owner_alias", "yes")
        maybe(0.08, "append_at_myorigin", "no")
        maybe(0.1, "empty_address_relayhost_maps_lookup_key", "bob@here.test", "x")
        maybe(0.1, "empty_address_default_transport_maps_lookup_key", "alice@here.test")
        maybe(0.1, "header_address_token_limit", "9", "25")
        maybe(0.1, "enable_original_recipient", "no")
        maybe(
            0.15,
            "virtual_mailbox_maps",
            "pcre:{ {/^([a-z]+)(\\+.*)?@box\\.test$$/ $$1/} }",
            "regexp:{ {/^(al|bo)(.*)@/ $${1}$${2}/} }",
            "inline:{ { alice@box.test = alice/ } { @box.test = rest/ } }",
        )
        maybe(0.1, "line_length_limit", "512")
        maybe(0.1, "smtp_line_length_limit", "120", "0")
        maybe(0.1, "disable_mime_output_conversion", "yes")
        maybe(
            0.1,
            "receive_override_options",
            "no_address_mappings",
            "no_header_body_checks",
            "no_unknown_recipient_checks",
        )
        maybe(0.1, "default_destination_recipient_limit", "1", "2")
        maybe(0.1, "duplicate_filter_limit", "1")
        maybe(0.15, "parent_domain_matches_subdomains", "", "transport_maps", "relay_domains, transport_maps")
        maybe(0.1, "relay_domains", "relay.test, out.test", "")
        maybe(0.1, "mydestination", "here.test, $myhostname, localhost", "inline:{here.test=x}, lone")
        maybe(0.1, "relay_recipient_maps", "inline:{ { alice@relay.test = x } { @out.test = x } }")
        maybe(0.1, "local_recipient_maps", "", "inline:{alice=x, bob=x}")
        maybe(0.1, "smtpd_discard_ehlo_keywords", "smtputf8", "dsn, 8bitmime")
        maybe(0.1, "enable_long_queue_ids", "yes")
        maybe(0.1, "strict_8bitmime", "yes")
        maybe(0.1, "strict_7bit_headers", "yes")
        maybe(0.05, "strict_mime_encoding_domain", "yes")
        maybe(0.1, "header_size_limit", "300")
        maybe(0.1, "message_strip_characters", "\\0")
        maybe(
            0.1,
            "alias_maps",
            "inline:{ { list = alice, bob@out.test } { old = /dev/null } { owner-list = bob } }",
            'inline:{ { old = new@here.test } { new = "|exit 67" } { root = alice } }',
            "inline:{ { list = later@out.test, bob } { owner-list = owner@out.test } { list-request = alice } "
            "{ owner-owner-list = carol } }",
        )
        for name, field in (
            ("header_checks", "X-Check"),
            ("mime_header_checks", "X-Check"),
            ("nested_header_checks", "X-Check"),
            ("body_checks", "check"),
            ("smtp_header_checks", "X-Check"),
            ("smtp_body_checks", "check"),
        ):
            if self._maybe(0.3 if name == "header_checks" else 0.1):
                colon = ":?" if field == "check" else ":"
                rows = "".join(f"/^{field}{colon} *{at}/ {self._pick(_ACTIONS)}\n" for at in range(8))
                self._files[name] = rows
                self._fails |= "REJECT 4" in rows and not name.startswith("smtp")
                put(name, f"regexp:/etc/postfix/tables/{name}")
        return "".join(lines)

    # -- messages --------------------------------------------------------------------------------------

    def _list(self) -> str:
        """The value of a field of addresses."""
        if self._maybe(0.08):
            return random_field(self._chance)
        elements = [self._element() for _ in range(self._pick((1, 1, 1, 2, 3)))]
        text = self._pick((", ", ",", ",\n\t", " ,\n  ")).join(elements)
        draw = self._chance.random()
        if draw < 0.05:
            return f"Group: {text};"
        if draw < 0.07:
            return "undisclosed-recipients:;"
        return {7: text + ",", 8: "", 9: "(only a comment)"}.get(int(draw * 100), text)

    def _element(self) -> str:
        address = self._address()
        draw = self._chance.random()
        if draw < 0.4:
            return address
        if draw < 0.7:
            return f"{self._pick(_NAMES)} <{address}>"
        if draw < 0.85:
            comment = self._pick(("a comment", "nested (one)", "gr\u00fcn", ""))
            return f"{address} ({comment})"
        return f"<{address}>"

    def _message(self, name: str) -> RandomMessage:
        local = not self._fails and self._maybe(0.35)
        header = ""
        for field in self._chance.sample(_ADDRESS_FIELDS, self._chance.randint(0, 5)):
            header += f"{field}: {self._list()}\n"
        if self._maybe(0.6):
            header = f"From: {self._list()}\n" + header
        for field in self._chance.sample(_OTHER_FIELDS, self._chance.randint(0, 3)):
            header += field
        if self._maybe(0.3):
            header += f"X-Check: {self._chance.randint(0, 7)}\n"
        if local or self._maybe(0.6):  # in front, lest a check throw it away before it is seen
            header = f"Message-ID: <{name}@{self._pick(_DOMAINS)}>\n{header}"
        body = self._pick(_BODIES)
        if self._maybe(0.12):
            header, body = header + _MIME[0], _MIME[1]
        elif self._maybe(0.1):
            header += "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
        if self._maybe(0.1):
            body = f"check {self._chance.randint(0, 7)}\n" + body
        header = f"X-Row: {name}.\n" + header
        text = header + ("\n" + body if self._maybe(0.97) else "")
        recipients = tuple(self._address() for _ in range(self._pick((1, 1, 1, 2, 3))))
        sender = self._address() if self._maybe(0.9) else ""
        return RandomMessage(
            name=name,
            local=local,
            sender=sender,
            recipients=self._local_recipients(recipients)
            if local
            else tuple(map(self._with_parameters, recipients)),
            options=self._sendmail_options() if local else self._mail_options(sender, recipients, text),
            content=text.encode(),
        )

    def _local_recipients(self, recipients: Sequence[str]) -> tuple[str, ...]:
        return tuple(one for one in recipients if not one.startswith("@")) or ("bob@box.test",)

    def _sendmail_options(self) -> tuple[str, ...]:
        options: list[str] = []
        for share, option in (
            (0.2, "-t"),
            (0.1, "-FSome One"),
            (0.1, "-i"),
            (0.1, "-Nsuccess,failure"),
            (0.1, "-Nnever"),
            (0.05, "-Rhdrs"),
            (0.1, "-Om"),
            (0.05, "-B8BITMIME"),
        ):
            if option != "-Om" and self._maybe(share):
                options.append(option)
        return tuple(options)

    def _with_parameters(self, recipient: str) -> str:
        draw = self._chance.random()
        if draw < 0.06:
            return f"<{recipient}> NOTIFY=SUCCESS,FAILURE"
        if draw < 0.1:
            return f"<{recipient}> NOTIFY=NEVER"
        if draw < 0.13:
            return f"<{recipient}> ORCPT=rfc822;orig+2B@x.test"
        return f"<{recipient}>" if draw < 0.97 else recipient

    def _mail_options(self, sender: str, recipients: Sequence[str], text: str) -> tuple[str, ...]:
        options: list[str] = []
        if not all(part.isascii() for part in (sender, *recipients)) or self._maybe(0.08):
            options.append("SMTPUTF8")
        if not text.isascii() and self._maybe(0.7):
            options.append("BODY=8BITMIME")
        if self._maybe(0.06):
            options.append(self._pick(("RET=HDRS", "RET=FULL", "ENVID=abc", "SIZE=100")))
        return tuple(options)
