"""Random messages given to both hosts of a `RewritingWorld`, and what becomes of them, to compare."""

import os
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fakes.host import Host
from fakes.mail_system import PATIENCE, until
from fakes.postfix_texts import normal_text
from fakes.random_local_delivery import KEEP, KEEP_TEXT, PIPES
from fakes.random_rewriting import RandomConfiguration, RandomMessage
from fakes.rewriting_dialogue import Dialogue
from fakes.rewriting_world import RewritingWorld

MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydomain = here.test
myorigin = here.test
mydestination = mail.here.test, here.test
inet_protocols = ipv4
alias_maps = inline:{ { list = alice, bob } { postmaster = alice } }
alias_database =
home_mailbox = Maildir/
biff = no
maillog_file = /var/log/mail.log
notify_classes =
smtp_tls_security_level =
smtp_connection_cache_on_demand = no
smtp_destination_concurrency_limit = 1
smtpd_peername_lookup = no
smtpd_soft_error_limit = 10000
smtpd_hard_error_limit = 10000
smtpd_error_sleep_time = 0
smtpd_junk_command_limit = 10000
recipient_delimiter = +
virtual_alias_domains = alias.test
virtual_mailbox_domains = box.test
virtual_mailbox_maps = inline:{ { alice@box.test = alice/ } { bob@box.test = bob/ } { new@box.test = new } }
virtual_mailbox_base = /var/vmail
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
relay_domains = relay.test
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0
smtp_connect_timeout = 2s
smtputf8_autodetect_classes = sendmail, verify
keep_destination_recipient_limit = 1
"""
"""pipe(8) with the flag D defers several recipients at once; ours runs the command for each."""
ZONES: Final = {
    "here.test": "@ IN A 10.53.0.2\nmail IN A 10.53.0.2\nmx IN A 10.53.0.20\nmx2 IN A 10.53.0.21\n",
    "out.test": "@ IN MX 10 mx.here.test.\nsub IN A 10.53.0.21\n",
    "other.test": "@ IN MX 10 mx2.here.test.\n@ IN MX 20 mx.here.test.\n",
    "box.test": "@ IN A 10.53.0.20\n",
    "relay.test": "@ IN MX 0 mx2.here.test.\n",
    "xn--bcher-kva.test": "@ IN MX 0 mx.here.test.\n",
}
_FIRST: Final = re.compile(r", (?:texthash|fail):.*")
"""What is behind the first of several tables."""
_TOO_BIG: Final = re.compile(
    r"reject: END-OF-MESSAGE .* (?:message file too big|too many hops)|message-id=|\w+: (?:header|body|content) "
)
"""What the log says of a message that is refused for its size, or its hops: not the same."""
_REFUSED: Final = re.compile(
    r"[45]52 [45]\.3\.4 |[45]54 [45]\.4\.0 Error: too many hops|4\.6\.0 Alias expansion error"
)
"""What a client hears of it, or of aliases without end, before anybody has looked at the content."""
_CONSEQUENCES: Final = re.compile(
    r"warning: (?:mail_stream_cleanup: |defer_append: ignoring |midna_domain_to_ascii|Unable to look up MX host  for |private/\S+ socket: malformed|process /|stdin: |\S+: bad command startup|"
    r"queue file size limit exceeded|uid=\d+: File too large|/etc/postfix/tables/bounce\.cf[:,] .* ignoring this|"
    r"stripping too many comments)"
)
"""What processes of Postfix's say when another one has broken off; and what we say of templates when we start."""
_BY_ITSELF: Final = re.compile(
    r"report-type=|notification: |from=<>|message-id=<(?:LONG)?ID@|relay=.*from=<>"
)
"""What expired together with what bounced is reported in one notice by us, in two by Postfix; and reports on reports,
which do not say what they are about."""
_RETURNED: Final = re.compile(r"(?s)\n--[^\n]*\nContent-Description: Undelivered Message.*(?=\n--)")
"""The message in a notice.  One of sendmail(1) that is refused for its content comes back whole from us, and from
Postfix as far as it happened to be on the disk, to the middle of a line."""
_OWN_MAIL: Final = re.compile(r"mail for \S+ loops back to myself")
"""A nexthop, which is in lower case here."""
_NOT_RUN: Final = re.compile(r"\. Command output: local: fatal: cannot change directory to .*(?=\)$)")
"""Why a command was not run: in Postfix this stands in the log alone."""
_TEMPORARY: Final = re.compile(r"/tmp/\d+\.\w+\.[\w.]+")
"""A file of a Maildir that is being written."""
_ASKED_IN_VAIN: Final = re.compile(r"warning: maildrop/(\w+): error writing")
"""A message of sendmail(1) that waits in maildrop, for its content cannot be checked."""
_CANNOT_BOUNCE: Final = re.compile(r"qmgr\[\d+\]: (\w+): status=deferred \(bounce failed\)")
"""A message whose notice nobody takes: the sender's address expands to too much.  It waits for as long as it does."""
_TRIED_AGAIN: Final = re.compile(r"status=expired|status=deferred \(bounce failed\)")
"""What the log says of it each time that it is tried again."""
_OCTETS: Final = re.compile(
    r"(?m)^(X-Postfix-Sender: |Return-Path: <)(?:rfc822; )?\"(.*\\\\x[89a-f].*)\"(@.*)$"
)
"""A sender in UTF-8 as bounce(8) has it, with a backslash before each octet: no longer UTF-8."""
_NO_MATTER: Final = re.compile(
    r" SIZE=\d+| ORCPT=rfc822;\S*\+[89A-F]\S*| ORCPT=utf-8\S*|"
    r"(?<=^RCPT TO:<copy@out\.test> ORCPT=rfc822;copy@out\.test) NOTIFY=NEVER$"
)
"""Of envelopes: sizes, and addresses outside ASCII; and who hears nothing of a copy, which Postfix's smtpd(8) writes
behind the copy's address, so that the first of a message does without."""
_BODY: Final = re.compile(r"(?<=>)(?: BODY=\w+)(?=[ \n])")
"""Of forwarded mail: Postfix does not know any more what the client has said of it (RFC 6152 §3)."""
_TRANSCRIPT: Final = "Transcript of session follows."
USERS: Final = ("alice", "bob")
_BASES: Final = (
    "/home/alice",
    "/home/bob",
    "/home/out",
    "/var/vmail",
    "/var/mail",
    "/var/spool/mail",
    "/srv",
)
_NO_MAIL: Final = frozenset(
    {"maildirfolder", ".bashrc", ".profile", ".bash_logout", ".forward", ".forward+x", ".forward.x"}
)
_QUEUES: Final = ("maildrop", "incoming", "active", "deferred", "defer", "bounce")
_ADDRESSES: Final = ("10.53.0.2", "10.53.0.3")
_PORT: Final = re.compile(r"(?<=\[127\.0\.0\.1\]:)\d+")
"""That of the client (smtpd_client_port_logging)."""
_ID: Final = r"(?:[0-9A-F]{6,}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]+)"


def prepare(world: RewritingWorld) -> None:
    """Servers that refuse some, and of which one has no extensions."""

    def answer(line: bytes) -> bytes:
        if b"refused" in line:
            return b"550 5.1.1 No such user"
        return b"450 4.2.0 Come again" if b"later" in line else b"250 2.1.5 Recipient ok"

    for server in world.all_servers():
        server.replies["RCPT"] = answer
    for host in world.hosts:
        one, other = world.servers(host)
        one.replies["EHLO"] = (
            b"250-mx.peer.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250-SIZE 5000000\r\n250 SMTPUTF8"
        )
        other.replies["EHLO"] = b"250-mx2.peer.test\r\n250-PIPELINING\r\n250 SMTPUTF8"
    for host in world.hosts:
        host.output(
            "mkdir -p /var/vmail /etc/postfix/tables /srv/out /srv/boxes && chown 5000:5000 /var/vmail && "
            "chmod 1777 /srv/out /srv/boxes"
        )
        host.write(KEEP, KEEP_TEXT)
        host.output(f"chmod 755 {KEEP}")
        master = host.file("/etc/postfix/master.cf")
        master.write_text(master.read_text() + PIPES)


def load(world: RewritingWorld, configuration: RandomConfiguration) -> None:
    """The configuration for both.  What the servers have heard before is forgotten."""
    for server in world.all_servers():
        server.transactions.clear()
    for host in world.hosts:
        for name, text in configuration.files.items():
            host.write(f"/etc/postfix/tables/{name}", text)
        host.output("rm -f /home/*/.forward*")
        for path, (text, mode) in configuration.homes.items():
            host.write(path, text)
            host.output(f"chown --reference={os.path.dirname(path)} {path} && chmod {mode:o} {path}")
        built = [name for name in configuration.files if name.endswith((".hash", ".lmdb"))]
        if built:
            host.output(
                f"cd /etc/postfix/tables && for file in {' '.join(built)}; do postmap ${{file##*.}}:$file; done"
            )
    world.load(configuration.settings)


class Played:
    """What one host made of the messages."""

    def __init__(self, world: RewritingWorld, host: Host, configuration: RandomConfiguration) -> None:
        self._world = world
        self._host = host
        self._configuration = configuration
        self._address = _ADDRESSES[world.hosts.index(host)]
        self._before = len(host.log())
        self.results: dict[str, str] = {}

    def log(self) -> str:
        """What has been logged since."""
        return self._host.log()[self._before :]

    def play(self) -> None:
        """Everything is submitted; the results are there when nothing is left to do."""
        messages = self._configuration.messages
        replies = self._submit_by_smtp([message for message in messages if not message.local])
        exits = self._submit_by_sendmail([message for message in messages if message.local])
        try:
            until(
                self._is_quiet,
                what=lambda: f"quiet: {self._left()}\n{self.log()[-30000:]}",
                seconds=3 * PATIENCE,
            )
        except AssertionError:
            self._host.run(
                "postsuper -d ALL; rm -f /var/spool/postfix/maildrop/*"
            )  # the next world is without it
            raise
        until(lambda: not any(server.open for server in self._world.all_servers()), what="servers are left")
        for name in _ASKED_IN_VAIN.findall(self.log()):  # the next world is to be without it
            self._host.file(f"/var/spool/postfix/maildrop/{name}").unlink(missing_ok=True)
        cannot_bounce = set(_CANNOT_BOUNCE.findall(self.log()))
        for path in self._files() if cannot_bounce else ():
            if path.name in cannot_bounce:
                path.unlink(missing_ok=True)
        queries = self._queries()
        self._sort_out(replies, exits, queries)

    # -- in --------------------------------------------------------------------------------------------

    def _submit_by_smtp(self, messages: list[RandomMessage]) -> dict[str, list[str]]:
        replies: dict[str, list[str]] = {}
        client = Dialogue(self._host)
        for message in messages:
            if message.before:
                said = client.commands(message.before)
                replies[f"{message.name} before"] = [one.decode("utf-8", "backslashreplace") for one in said]
                client = Dialogue(self._host) if client.is_over else client
            said = client.transaction(message)
            replies[message.name] = [one.decode("utf-8", "backslashreplace") for one in said]
            if client.is_over:
                client = Dialogue(self._host)
        client.quit()
        return replies

    def _submit_by_sendmail(self, messages: list[RandomMessage]) -> dict[str, str]:
        """By the sendmail(1) of each."""
        if not messages:
            return {}
        script = []
        for message in messages:
            self._host.file(f"/tmp/{message.name}").write_bytes(message.content)
            recipients = [] if "-t" in message.options and len(message.recipients) < 2 else message.recipients
            command = ["sendmail", *message.options, "-f", message.sender, "--", *recipients]
            script.append(
                f"echo @@{message.name}; {shlex.join(command)} </tmp/{message.name} 2>&1; echo status $?"
            )
        script.append(
            "postkick public pickup W"
        )  # lest it wait for its next minute, begun while it was asked
        said = self._host.run("\n".join(script)).stdout
        exits = dict(part.split("\n", 1) for part in said.split("@@")[1:])
        return exits

    def _queries(self) -> str:
        """What postmap(1) finds, and its exit status."""
        asked = [(key, table) for table, keys in self._configuration.queries for key in keys]
        script = [
            f"echo {shlex.quote(key)}; postmap -q {shlex.quote(key)} {shlex.quote(_FIRST.sub('', table))} 2>&1; echo $?"
            for key, table in asked
        ]
        return (
            re.sub(r"(?m)^\S*postmap: ", "postmap: ", self._host.run("\n".join(script)).stdout)
            if script
            else ""
        )

    # -- quiet -----------------------------------------------------------------------------------------

    def _left(self) -> list[str]:
        waiting = {*_ASKED_IN_VAIN.findall(self.log()), *_CANNOT_BOUNCE.findall(self.log())}
        return [str(path) for path in self._files() if path.name not in waiting]

    def _files(self) -> list[Path]:
        """Those of the queue."""
        spool = self._host.file("/var/spool/postfix")
        return [
            path
            for name in _QUEUES
            for path in (spool / name).rglob("*")
            if path.is_file() and "." not in path.name
        ]

    def _is_quiet(self) -> bool:
        log = self.log()
        if self._left():
            return False
        begun = set(re.findall(rf"qmgr\[\d+\]: ({_ID}): from=", log))
        begun -= set(_CANNOT_BOUNCE.findall(log))
        begun |= set(re.findall(rf"(?:notification: |forwarded as )({_ID})", log))
        ended = set(re.findall(rf"qmgr\[\d+\]: ({_ID}): removed", log))
        ended |= set(re.findall(rf"cleanup\[\d+\]: ({_ID}): to=.* status=bounced ", log))  # was never queued
        return begun <= ended

    # -- out -------------------------------------------------------------------------------------------

    def _sort_out(self, replies: dict[str, list[str]], exits: dict[str, str], queries: str) -> None:
        log = self.log()
        owner = self._owners(replies, log)
        cannot_bounce = set(_CANNOT_BOUNCE.findall(log))
        not_queued = set(re.findall(rf"cleanup\[\d+\]: ({_ID}): to=.* status=bounced ", log))
        notices = re.findall(rf"\]: ({_ID}): .*notification: ({_ID})", log)
        not_queued |= {notice for one, notice in notices if one in not_queued}
        refused = {owner.get(one, "") for one in re.findall(rf"\]: ({_ID}): reject: ", log)} & set(exits)

        tried_again = _ASKED_IN_VAIN.search(log) is not None  # each second, until its time is over

        def shown(content: bytes) -> tuple[str, str]:
            """Whose a message is, and what of it is compared."""
            name = row_of(content)
            if name == "rest" and (found := re.search(rb'boundary="(\w+)\.', content)):
                name = owner.get(found[1].decode(), name)
            of_whom = re.search(rb'boundary="(\w+)\.', content)
            is_whole = name not in refused and (of_whom is None or of_whom[1].decode() not in not_queued)
            return name, normal_content(content, whole=is_whole)

        parts: dict[str, list[str]] = defaultdict(list)
        for name, said in replies.items():
            parts[name] += [f"reply {at}: {normal_reply(text)}" for at, text in enumerate(said)]
        for name, text in exits.items():
            parts[name].append("sendmail: " + re.sub(r"(?m)^sendmail: |^.*/sendmail: ", "", text))
        general = set()
        for line in log.split("\n"):
            found = re.search(rf"\]: ({_ID}): ", line)
            name = owner.get(found[1], "rest") if found else "rest"
            if found and found[1] in cannot_bounce and _TRIED_AGAIN.search(line):
                continue
            if found and _counts(line) and not (name in refused and ": breaking line > " in line):
                parts[name].append(normal_log(line))
            elif not found and re.search(
                r"\]: (?:warning: (?!valid_|regexp map|pcre map|cidr map|host \S+ replied to HELO/EHLO with my own|host \S+ greeted me with my own|file system clock|resetting file time stamps)|error|NOQUEUE|mapping DSN)",
                line,
            ):
                general.add(normal_log(line))
        for client, lines, content in [
            one for server in self._world.all_servers() for one in server.transactions
        ]:
            if client == self._address:
                name, text = shown(content)
                envelope = [_NO_MATTER.sub("", line.decode("utf-8", "backslashreplace")) for line in lines]
                parts[name].append("SENT " + "\n".join(sorted(envelope)) + "\n" + text)
        for path, content in self._mailboxes():
            name, text = shown(content)
            parts[name].append(f"IN {path}\n" + text)
        parts["queries"].append(queries)
        parts["general"] = sorted(line for line in general if not _CONSEQUENCES.match(line))
        for name, some in parts.items():
            said = [text for text in some if text.startswith(("reply", "sendmail"))]
            rest = sorted(text for text in some if text not in said)
            if name == "rest" or any("status=expired" in text for text in some):
                rest = sorted({text for text in rest if not _BY_ITSELF.search(text)})
            if any("forwarded as ID" in text for text in some):
                rest = sorted(_BODY.sub("", text) for text in rest)
            if any(_REFUSED.search(text) for text in said):
                rest = [text for text in rest if not _TOO_BIG.search(text)]
            if tried_again:
                rest = sorted(set(rest))
            if any(": discard:" in text for text in some):  # at once, or when the rest has been read
                rest = [text for text in rest if "message-id=" not in text]
            self.results[name] = self._world.of_theirs("\n".join(said + rest))

    def _owners(self, replies: dict[str, list[str]], log: str) -> dict[str, str]:
        owner: dict[str, str] = {}
        begun = iter(re.findall(rf"smtpd\[\d+\]: ({_ID}): client=", log))
        for name, said in replies.items():
            if " " not in name and any(reply.startswith("25") for reply in said[1:-1]):
                owner[next(begun, "")] = name
        owner.update(re.findall(rf"\]: ({_ID}): message-id=<(m\d+)@", log))
        for _ in range(4):
            for parent, child in re.findall(rf"\]: ({_ID}): .*(?:notification: |forwarded as )({_ID})", log):
                if parent in owner:
                    owner[child] = owner[parent]
        return owner

    def _mailboxes(self) -> Iterator[tuple[str, bytes]]:
        for base in _BASES:
            for path in sorted(self._host.file(base).rglob("*")):
                if path.is_file() and not path.is_symlink() and path.name not in _NO_MAIL:
                    content = path.read_bytes()
                    shown = base + "/" + str(path.relative_to(self._host.file(base)).parent)
                    path.unlink()
                    if content.startswith(b"From ") and not shown.endswith("/new"):
                        for one in re.split(rb"(?m)^(?=From )", content)[1:]:
                            yield shown + "/" + path.name, one
                    else:
                        yield shown, content
        for path in sorted(self._host.file("/var/spool/postfix/hold").rglob("*")):
            if path.is_file():
                text = self._host.output(
                    f"postcat -bh -q {path.name} || true; postsuper -d {path.name} 2>&1 | tail -n 0"
                )
                yield "hold", text.encode()


def row_of(content: bytes) -> str:
    """The message that this is, or that is quoted in it."""
    found = re.search(rb"X-Row: (m\d+)\.", content)
    return found[1].decode() if found else "rest"


def normal_reply(text: str) -> str:
    return _PORT.sub("PORT", re.sub(rf"queued as {_ID}", "queued as ID", text))[
        :480
    ]  # RFC 5321 §4.5.3.1.5 allows no more


def _plain_sender(found: re.Match[str], *, is_utf8: bool) -> str:
    """What bounce(8) would have written without its backslashes."""
    octets = re.sub(r"\\\\x([89a-f][0-9a-f])", lambda code: chr(int(code[1], 16)), found[2])
    user = octets.encode("latin-1").decode("utf-8", "backslashreplace")
    user = user if re.fullmatch(r"[\w+=%!|-]+(?:\.[\w+=%!|-]+)*", user) else f'"{user}"'
    kind = ("utf-8; " if is_utf8 else "rfc822; ") if found[1].startswith("X-") else ""
    return f"{found[1]}{kind}{user}{found[3]}"


def _counts(line: str) -> bool:
    return not re.search(r": removed$|: client=|: uid=", line)


def normal_log(line: str) -> str:
    line = re.sub(r"^.*? postfix/([\w/-]+)\[\d+\]: ", r"", line)
    line = re.sub(rf"\b{_ID}(?=: )", "ID", line)
    line = _PORT.sub("PORT", line)
    line = re.sub("do not list domain .*? in", lambda found: found[0].lower(), line)
    line = re.sub(r"(SMTPS?A?) id \w+ from", r"\1 id ID from", line)  # of a Received: that is refused
    line = re.sub(rf"(notification: |forwarded as |queued as |message-id=<\d{{14}}\.){_ID}", r"\1ID", line)
    line = re.sub(r"message-id=<\d{14}\.ID", "message-id=<ID", line)
    line = re.sub(rf"message-id=<{_ID}@", "message-id=<LONGID@", line)
    line = re.sub(r"^warning: ID: ", "warning: ", line)
    line = _TEMPORARY.sub("/tmp/NAME", line)
    line = _NOT_RUN.sub("", line)
    line = _OWN_MAIL.sub(lambda found: found[0].lower(), line)
    # The zones have our name at the first host's address: for the other one this is another host.
    line = re.sub(r"relay=[\w.]+\[10\.53\.0\.2\]:25(?=, .* loops back to myself)", "relay=none", line)
    line = line.replace("(delivery temporarily suspended: ", "(")  # to a site that another message has tried
    # With soft_bounce, what no server takes is deferred by smtp(8) with a code that the log warns of.
    line = re.sub(r"dsn=4\.\d+\.\d+, status=SOFTBOUNCE", "dsn=4.0.0, status=deferred", line)
    line = re.sub(r"delay=[0-9.]+, delays=[0-9./]+", "delay=D, delays=D", line)
    line = re.sub(r"size=\d+", "size=N", line)
    # A nexthop is in lower case here.
    line = re.sub(
        r"for name=\S+|relay=[\w.-]+\[|look up (?:MX )?host \S+", lambda found: found[0].lower(), line
    )
    # sendmail -t leaves it to cleanup(8) to find the recipients; ours has found them.
    line = re.sub(r"( from local; from=<.*?>) to=<[^>]*>", r"\1", line)
    # Without smtputf8_enable Postfix shows none of them.
    return line.encode("utf-8").decode("ascii", "replace").replace("\ufffd", "?")


def normal_content(content: bytes, *, whole: bool = True) -> str:
    """A message without what is different each time; a notice not `whole` without what it returns."""
    text = _PORT.sub("PORT", normal_text(content.decode("utf-8", "backslashreplace")))
    if "report-type=" in text:
        text = _OCTETS.sub(lambda found: _plain_sender(found, is_utf8="message/global-" in text), text)
        if not whole:
            text = _RETURNED.sub("", text)
    if (
        _TRANSCRIPT in text
    ):  # RFC 5321 §4.5.3.1.5 allows no longer replies: they are not compared to their end
        text = re.sub(r"(?m)^( Out: .{480}).*", r"\1", re.sub(r"\n {5}(?=\S)", " ", text))
    # The type of the report is that of its second part (RFC 6522 §3): Postfix has not got there yet.
    text = text.replace("\n\treport-type=global-delivery-status", " report-type=delivery-status")
    # An address that is not ASCII is utf-8 (RFC 6533 §3): Postfix has none for what came by SMTP.
    text = re.sub(
        r"Original-Recipient: rfc822;(?=.*(?:[^\x00-\x7f]|=[89A-F][0-9A-F]))",
        "Original-Recipient: utf-8;",
        text,
    )
    text = re.sub(rf"(?m)^(X-[\w-]+-Queue-ID: ){_ID}$", r"\1ID", text)
    text = re.sub(rf"<\d{{14}}\.{_ID}@", "<ID@", text)
    text = re.sub(rf"(?<=[Ii]d: <){_ID}@", "LONGID@", text)
    text = re.sub(rf"(?m)^(\tby |.*\bid |Received: .*?){_ID}", r"\1ID", text)
    text = re.sub(rf"\b{_ID}\.\d+/", "ID.TIME/", text)
    text = re.sub(rf"(?<=queued as ){_ID}", "ID", text)
    text = re.sub(r"/tmp/ID\.(?:M\d+)?P\d+\.[\w.]+", "/tmp/NAME", text)
    text = re.sub(r"(?m)^From (\S*) +\w{3} \w{3} .*", r"From \1 DATE", text)
    text = re.sub(r"userid \d+", "userid N", text)
    text = re.sub(r"(?:for\s+name=|look\s+up\s+host\s+)\S+", lambda found: found[0].lower(), text)
    text = _NOT_RUN.sub("", _OWN_MAIL.sub(lambda found: found[0].lower(), text))
    return _sorted_paragraphs(text) if "report-type=" in text else text


def _sorted_paragraphs(report: str) -> str:
    """Recipients are reported on in the order in which they were tried; further empty lines are behind them all."""
    paragraphs = sorted(part.strip("\n") for part in report.split("\n\n"))
    text = "\n\n".join(paragraphs)
    return text + "\n" * (report.count("\n") - text.count("\n"))
