"""What else a random world may have: local delivery with aliases and homes, filters of replies, restrictions, VERP.

DESCRIPTION
    `more_configuration` puts settings, files, .forward files and other recipients and parameters into a world of
    random_rewriting.py.  Commands and files that mail is for leave what they get below `OUT`.
"""

import random
from typing import Final

import msgspec

from fakes.random_rewriting import RandomConfiguration, RandomMessage

OUT: Final = "/srv/out"
"""A directory that everybody may write to."""
KEEP: Final = "/usr/local/bin/keep"
"""A program that keeps its arguments and what it reads, in a file of its own there."""
KEEP_TEXT: Final = f'#!/bin/sh\numask 022\n{{ echo "ARGUMENTS $*"; cat; }} >{OUT}/keep.$$\n'
PIPES: Final = f"""\
keep      unix  -       n       n       -       -       pipe flags=DRhuX user=nobody argv={KEEP} ${{sender}} ${{recipient}} ${{extension}}
each      unix  -       n       n       -       -       pipe flags=Fq.B user=nobody argv={KEEP} ${{user}} ${{mailbox}} ${{domain}} ${{nexthop}} ${{original_recipient}}
"""
"""Services of master.cf that run it."""
_TRANSPORTS: Final = (
    *(
        "smtp:[10.53.0.21]",
        "error:5.7.9 moved",
        "lmtp:unix:/nonexistent",
        "relay:[10.53.0.20]:25",
    ),
    *(
        "retry:4.7.9 later",
        "discard:",
        "keep",
        "keep:x",
        "each:y.z",
        "virtual",
        "smtp",
        "error",
        "smtp:",
        "smtp:out.test",
    ),
    *("lmtp:inet:10.53.0.21:25", "lmtp:[10.53.0.20]:25", "smtp:mx.here.test", "smtp:[mx2.here.test]:smtp"),
)
_ACTIONS: Final = (
    *(
        "REJECT",
        "REJECT 5.7.3 not this",
        "DEFER later",
        "DEFER_IF_PERMIT 4.7.5 perhaps",
        "DEFER_IF_REJECT x",
        "550 5.1.6 no",
    ),
    *(
        "450 4.1.8 not yet",
        "HOLD",
        "DISCARD",
        "DISCARD unseen",
        "WARN of it",
        "INFO it is",
        "OK",
        "DUNNO",
        "PERMIT",
    ),
    *(
        "REDIRECT bob@out.test",
        "REDIRECT alice@alias.test",
        "REDIRECT nonsense",
        "PREPEND X-Put: a",
        "PREPEND nothing",
    ),
    *(
        "FILTER smtp:[10.53.0.21]",
        "FILTER nope",
        "BCC copy@out.test",
        "BCC nope",
        "5xx",
        "hm",
        "reject_unlisted_sender",
    ),
    *(
        "permit_mynetworks, reject",
        "check_sender_access inline:{ alice@here.test=REJECT nested }",
        "4",
        "554",
        "521 go",
    ),
)
_FILTERS: Final = (
    "pcre:{ {/^5(\\.\\d+\\.\\d+ .*)/ 4$$1} }",
    "pcre:{ {/^4(\\.\\d+\\.\\d+ .*)/ 5$$1} }",
    "regexp:{ {/^5\\.1\\.1 .*/ 5.7.77 nobody is here} {/^2\\.0\\.0 .*/ 2.7.7 done} }",
    "pcre:{ {/^2(.*)/ 4$$1} }",
    "pcre:{ {/^(\\S+) .*(unknown|refused).*/ $$1 the filter's text} }",
    "inline:{ {x = y} }",
)
_SETTINGS: Final[tuple[tuple[float, str, tuple[str, ...]], ...]] = (
    (0.2, "luser_relay", ("$user@out.test", "$local", "bob", "x+$extension@box.test", "$user${recipient_delimiter}${extension}@other.test", "a${extension?e}${extension:n}${recipient_delimiter}@out.test", "|exit 69", f"{OUT}/luser", "$recipient@out.test", "$bogus@out.test", "refused@out.test")),
    (0.12, "mailbox_transport", _TRANSPORTS),
    (0.15, "fallback_transport", _TRANSPORTS),
    (0.1, "mailbox_transport_maps", tuple(f"inline:{{ {{ alice = {one} }} {{ bob+x = {one} }} {{ carol = error:5.1.9 x }} }}" for one in _TRANSPORTS)),
    (0.1, "fallback_transport_maps", tuple(f"inline:{{ {{ new = {one} }} {{ carol = {one} }} }}" for one in _TRANSPORTS)),
    (0.15, "mailbox_command", ("exit 67", f"{KEEP} $USER $EXTENSION", f"{KEEP} \"$SENDER\" \"$RECIPIENT\" \"$LOCAL\" \"$DOMAIN\" \"$ORIGINAL_RECIPIENT\"", "echo 4.3.9 not now; exit 1", "/no/such/program", f"{KEEP}", "exit 75", "kill $$")),
    (0.08, "mailbox_command_maps", ("inline:{ { alice = exit 69 } }", f"inline:{{ {{ bob = {KEEP} mapped }} }}")),
    (0.2, "home_mailbox", ("Maildir/", "mbox", "", "deep/er/box/", "../out", "Maildir/.Sub/")),
    (0.1, "mail_spool_directory", ("/var/mail", "/srv/boxes/", "/srv/boxes", "/var/nowhere", "/var/nowhere/")),
    (0.2, "forward_path", ("$home/.forward", "", "/srv/forward/$user", "$home/.forward$recipient_delimiter$extension", "$home/.forward.$extension, $home/.forward", "$bogus/x, $home/.forward", "$home/.forward${extension?+x}")),
    (0.15, "allow_mail_to_commands", ("", "alias", "alias, forward, include", "include", "forward")),
    (0.15, "allow_mail_to_files", ("", "alias", "alias, forward, include", "include", "forward")),
    (0.15, "prepend_delivered_header", ("", "command", "file", "forward", "file, forward")),
    (0.08, "defer_transports", ("smtp", "local, virtual", "relay, error", "discard", "nosuch")),
    (0.08, "default_delivery_status_filter", _FILTERS),
    (0.06, "local_delivery_status_filter", _FILTERS),
    (0.06, "smtp_delivery_status_filter", _FILTERS),
    (0.06, "virtual_delivery_status_filter", _FILTERS),
    (0.06, "pipe_delivery_status_filter", _FILTERS),
    (0.12, "smtp_reply_filter", ("pcre:{ {/^450 (.*)/ 550 $$1} }", "pcre:{ {/^550 (.*)/ 450 $$1} }", "regexp:{ {/^250-DSN/ 250-NONE} }", "pcre:{ {/^250-(PIPELINING)/ 250-X$$1} }", "pcre:{ {/^250 2(.*)/ 250 5$$1} }", "pcre:{ {/^550 \\S+ (.*)/ 550 $$1} }")),
    (0.1, "message_size_limit", ("8000",)),
    (0.1, "bounce_size_limit", ("300", "1")),
    (0.12, "frozen_delivered_to", ("no",)),
    (0.12, "reset_owner_alias", ("yes",)),
    (0.15, "expand_owner_alias", ("yes",)),
    (0.06, "local_command_shell", ("/bin/sh -c", "/bin/echo said", "/no/such/shell -c")),
    (0.08, "default_privs", ("daemon", "alice")),
    (0.1, "double_bounce_sender", ("dbl", "dbl@out.test")),
    (0.15, "notify_classes", ("bounce", "2bounce", "bounce, 2bounce", "delay", "bounce, 2bounce, delay, resource, data")),
    (0.1, "bounce_notice_recipient", ("bob@out.test", "alice", "refused@out.test")),
    (0.1, "2bounce_notice_recipient", ("bob@out.test", "list@alias.test")),
    (0.1, "enable_threaded_bounces", ("yes",)),
    (0.12, "smtp_discard_ehlo_keywords", ("dsn", "8bitmime", "size", "pipelining", "dsn, size, silent-discard")),
    (0.06, "smtp_never_send_ehlo", ("no",)),
    (0.06, "smtp_always_send_ehlo", ("no",)),
    (0.08, "smtp_quote_rfc821_envelope", ("no",)),
    (0.06, "smtp_skip_quit_response", ("no",)),
    (0.06, "smtp_helo_name", ("helo.here.test",)),
    (0.06, "smtp_send_xforward_command", ("yes",)),
    (0.06, "smtp_send_dummy_mail_auth", ("yes",)),
    (0.3, "smtpd_authorized_verp_clients", ("static:all", "10.53.0.0/24", "$mynetworks")),
    (0.1, "default_verp_delimiters", ("-=", "+-", "==")),
    (0.08, "verp_delimiter_filter", ("-=+", "+", "_-")),
    (0.08, "disable_verp_bounces", ("yes",)),
    (0.1, "content_filter", ("smtp:[10.53.0.21]", "error:5.7.1 filtered", "discard:", "keep:f", "nosuch:x", "relay:[10.53.0.20]:25")),
    (0.06, "smtpd_command_filter", ("pcre:{ {/^RCPT TO:<bob@(.*)>/ RCPT TO:<alice@$$1>} }", "pcre:{ {/^(MAIL FROM:\\S+) .*/ $$1} }")),
    (0.06, "smtpd_delay_open_until_valid_rcpt", ("no",)),
    (0.06, "smtpd_delay_reject", ("no",)),
    (0.08, "local_destination_recipient_limit", ("3",)),
    (0.08, "mailbox_delivery_lock", ("fcntl", "dotlock", "flock, fcntl")),
    (0.06, "biff", ("yes",)),
    (0.06, "delay_logging_resolution_limit", ("0",)),
    (0.06, "virtual_minimum_uid", ("6000",)),
    (0.06, "virtual_uid_maps", ("inline:{ { alice@box.test = 5000 } { new@box.test = x } }", "static:0", "")),
    (0.06, "virtual_mailbox_base", ("/no/where", "/srv/boxes")),
    (0.06, "message_reject_characters", ("\\0",)),
    (0.06, "mime_nesting_limit", ("1", "2")),
    (0.06, "hopcount_limit", ("2", "3")),
    (0.06, "detect_8bit_encoding_header", ("no",)),
    (0.06, "smtpd_recipient_limit", ("2",)),
    (0.06, "address_verify_sender", ("",)),
    (0.06, "lmtp_pix_workarounds", ("",)),
    (0.08, "unknown_local_recipient_reject_code", ("450",)),
    (0.08, "remote_header_rewrite_domain", ("domain.invalid",)),
    (0.08, "delay_warning_time", ("1h",)),
    (0.06, "smtpd_client_restrictions", ("check_client_access cidr:{ {10.53.0.0/16 PREPEND X-Client: seen} }", "warn_if_reject reject")),
    (0.06, "smtpd_helo_restrictions", ("check_helo_access inline:{ { client.test = INFO helo } }", "reject_invalid_helo_hostname")),
    (0.08, "recipient_delimiter", ("+-", "-+", "=", "")),
    (0.08, "propagate_unmatched_extensions", ("alias", "forward", "include", "alias, forward, include, virtual, canonical")),
)  # fmt: skip
_PIECES: Final = (
    *("alice", "bob", "new", "nobodyhere", "\\alice", "bob+x", "ALICE", "alice@here.test", "carol@out.test", "x@OUT.test"),
    *("refused@out.test", "later@out.test", "list", "inner", "old@alias.test", "gone@box.test", "gr\u00fcn@out.test"),
    *(f"{OUT}/file", f"{OUT}/dir/", "/dev/null", "/no/such/file", '"|exit 67"', '"|exit 0"', '"|echo 5.2.2 full; exit 1"'),
    *(f'"|{KEEP} $USER $EXTENSION"', f'"|{KEEP} a b"', '"|/no/such"', f"|{KEEP}", '"a b"@here.test', "friends: alice, bob;"),
    *("Some One <bob@here.test>", "bob (a comment)", "@here.test", "root", "postmaster", "alice@sub.out.test", "y" * 80),
    *("bob@lone", "list-request", "owner-list", "alice+e@here.test", '"alice@here.test"', "bob%out.test", "out.test!bob"),
)  # fmt: skip
_INCLUDE: Final = ":include:/etc/postfix/tables/include"
_HOME_PIECES: Final = (*_PIECES, "~/other", "~/Other/", "~bob/x", "\\bob", "# a comment", "", "alice, bob")
_RECIPIENTS: Final = (
    *("alice", "bob", "alice+x", "bob+x+y", "Alice", "BOB+X", "list", "inner", "old", "new", "nobodyhere", "nobodyhere+x"),
    *("list+e", "inner+E", "owner-list", "list-request", "postmaster", "mailer-daemon", "root", "carol", "alice-x", "bob=y"),
    *('"alice bob"', '"|exit 1"', '"/etc/hosts"', '":include:/etc/hosts"', '"\\\\alice"', "y" * 255, "x" * 900, "gr\u00fcn"),
    *('"alice@here.test"', "bob%here.test", "here.test!bob", "alice+", "+x", '""', "alice/../bob", "a" * 64 + "+x"),
)  # fmt: skip
_DOMAINS: Final = (
    "here.test",
    "here.test",
    "here.test",
    "mail.here.test",
    "lone",
    "HERE.test",
    "box.test",
    "alias.test",
)
_TEMPLATES: Final = (
    "failure_template = <<EOF\nCharset: utf-8\nFrom: Mailer <MAILER-DAEMON@$myhostname>\nSubject: gr\u00fcn: $mydomain\n"
    "Postmaster-Subject: of $myhostname\n\nIt did not go, says ${myhostname}.\n$bogus $$ ${\nEOF\n",
    "delay_template = <<EOF\nCharset: us-ascii\nFrom: x\nSubject: late\n\n$delay_warning_time_hours ${delay_warning_time_days} "
    "$maximal_queue_lifetime_minutes $maximal_queue_lifetime_days\nEOF\n",
    "success_template = <<EOF\nCharset: us-ascii\nFrom: y <y@here.test>\nSubject: it went\nReply-To: z@here.test\n\nWell.\nEOF\n"
    "failure_template = <<EOF\nFrom: MAILER-DAEMON\nSubject: no\n\nNo: $maximal_queue_lifetime_hours\nEOF\n",
    "failure_template = <<EOF\nno header\nEOF\n",
    "nothing_template = <<EOF\nFrom: a\nSubject: b\n\nc\nEOF\n",
)  # fmt: skip


def more_configuration(world: RandomConfiguration, seed: int) -> RandomConfiguration:
    """The world with more in it."""
    return _More(random.Random(f"more {seed}")).configuration(world)


class _More:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._pick = chance.choice
        self._sized = False
        self._longest = 0

    def configuration(self, world: RandomConfiguration) -> RandomConfiguration:
        files = {
            **world.files,
            "include": self._lines(_PIECES),
            "include2": f"inner\n{self._pick(_PIECES)}\n",
        }
        settings = world.settings + self._settings(files)
        self._sized = "message_size_limit" in settings
        self._longest = (
            300 if "\nline_length_limit" in settings else 1000
        )  # what is longer is refused otherwise
        return msgspec.structs.replace(
            world,
            settings=settings,
            files=files,
            homes=self._homes(),
            messages=tuple(map(self._message, world.messages)),
        )

    def _maybe(self, share: float) -> bool:
        return self._chance.random() < share

    # -- settings --------------------------------------------------------------------------------------

    def _settings(self, files: dict[str, str]) -> str:
        chosen = {name: self._pick(values) for share, name, values in _SETTINGS if self._maybe(share)}
        if (
            "message_size_limit" in chosen
        ):  # may not be more than the mailboxes' limits, and is of reports, too
            chosen["bounce_size_limit"] = "1"
            for name in ("mailbox_size_limit", "virtual_mailbox_limit"):
                if self._maybe(0.5):
                    chosen[name] = "9000"
        if "verp_delimiter_filter" in chosen:  # Postfix does not start with others
            chosen["default_verp_delimiters"] = (chosen["verp_delimiter_filter"] * 2)[:2]
        if self._maybe(0.5):
            chosen["alias_maps"] = self._aliases()
        for name in ("client", "helo", "sender", "recipient", "data", "end_of_data"):
            if self._maybe(0.1):
                kind = name if name in ("client", "helo", "sender", "recipient") else "sender"
                chosen[f"smtpd_{name}_restrictions"] = (
                    f"check_{kind}_access inline:{{ {self._access(kind)} }}"
                )
        if self._maybe(0.1):
            files["bounce.cf"] = self._pick(_TEMPLATES)
            chosen["bounce_template_file"] = "/etc/postfix/tables/bounce.cf"
        return "".join(f"{name} = {value}\n" for name, value in chosen.items())

    def _access(self, kind: str) -> str:
        if kind in ("client", "helo"):
            keys: tuple[str, ...] = ("10.53.0", "client.test", "unknown", "10.53.0.1")
        else:
            keys = (
                "alice@",
                "bob@",
                "here.test",
                "out.test",
                "<>",
                "alice@here.test",
                "box.test",
                "list@alias.test",
            )
        keys = tuple(self._chance.sample(keys, 3))
        return " ".join(f"{{ {key} = {self._pick(_ACTIONS)} }}" for key in keys)

    def _aliases(self) -> str:
        rows = {}
        for name in ("list", "inner", "old", "new", "carol", "root", "list+e", "owner-inner"):
            if self._maybe(0.6):
                rows[name] = self._values()
        if self._maybe(0.4):
            rows["owner-list"] = self._pick(
                ("bob", "owner@out.test", "alice, bob", "nobodyhere", "owner-list", '"|exit 0"')
            )
        rows.setdefault("postmaster", "alice")
        return "inline:{ " + " ".join(f"{{ {name} = {value} }}" for name, value in rows.items()) + " }"

    def _values(self) -> str:
        pieces = [
            self._pick((_INCLUDE, f"{_INCLUDE}2", ":include:/no/such"))
            if self._maybe(0.15)
            else self._pick(_PIECES)
            for _ in range(self._pick((1, 1, 2, 3)))
        ]
        return ", ".join(pieces)

    def _lines(self, pieces: tuple[str, ...]) -> str:
        return "".join(self._pick(pieces) + "\n" for _ in range(self._pick((1, 2, 3))))

    def _homes(self) -> dict[str, tuple[str, int]]:
        found = {}
        for user in ("alice", "bob"):
            for name in (".forward", ".forward+x", ".forward.x"):
                if self._maybe(0.12 if name != ".forward" else 0.25):
                    mode = 0o666 if self._maybe(0.06) else 0o644
                    found[f"/home/{user}/{name}"] = (self._lines(_HOME_PIECES), mode)
        return found

    # -- messages --------------------------------------------------------------------------------------

    def _message(self, message: RandomMessage) -> RandomMessage:
        recipients = list(message.recipients)
        if self._sized and self._maybe(0.2):
            message = msgspec.structs.replace(
                message, content=message.content + b"\n" + 1000 * b"more of it\n"
            )
        if self._maybe(0.4):
            added = f"{self._pick(_RECIPIENTS)[: self._longest]}@{self._pick(_DOMAINS)}"
            recipients[: self._pick((0, 1))] = [added if message.local else f"<{added}>{self._parameters()}"]
        options = list(message.options)
        utf8 = not all(one.isascii() for one in recipients)
        if message.local:
            if self._maybe(0.08):
                options.append(self._pick(("-V", "-XV", "-XV=-", "-XV-=")))
            if self._maybe(0.05):
                options.append(
                    self._pick(("-V env", "-Rfull", "-Rhdrs", "-Ndelay", "-Nsuccess", "-bm", "-oi", "-r x"))
                )
        else:
            if utf8 and "SMTPUTF8" not in options:
                options.append("SMTPUTF8")
            if self._maybe(0.08):
                options.append(self._pick(("XVERP", "XVERP=-=", "XVERP=++", "XVERP=x", "XVERP=+")))
            if self._maybe(0.08) and not any(one.startswith(("RET", "ENVID")) for one in options):
                options += self._pick(
                    (["RET=HDRS", "ENVID=a+20b+2B"], ["RET=FULL", "ENVID=x"], ["ENVID=" + "e" * 100])
                )
        return msgspec.structs.replace(message, recipients=tuple(recipients), options=tuple(options))

    def _parameters(self) -> str:
        if not self._maybe(0.3):
            return ""
        return " " + self._pick(
            (
                "NOTIFY=SUCCESS",
                "NOTIFY=SUCCESS,FAILURE,DELAY",
                "NOTIFY=DELAY",
                "NOTIFY=NEVER ORCPT=rfc822;o@x.test",
                "ORCPT=utf-8;gr\\x{FC}n@x.test NOTIFY=SUCCESS",
                "ORCPT=x400;a+20b",
            )
        )  # fmt: skip
