"""The cases of test_local_peer.py: aliases, files in homes, and a message; what comes of it, the peer says.

In texts, {u} and {v} are the case's users, {a} its alias, {home} is {u}'s home; {shared} is a directory that everybody
may write to, {lists} one of root's.
"""

from typing import Final

import msgspec


class File(msgspec.Struct, frozen=True):
    """A file of a case."""

    text: str
    mode: int = 0o644
    owner: str = ""  # u, v or root; empty: root in {lists}, u elsewhere


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One message and what it meets."""

    to: str = "{u}"
    aliases: tuple[str, ...] = ()
    mailbox: str = ""  # below /home, of {a}@virtual.test
    uid: str = "{uid}"  # of that mailbox; empty: none
    files: dict[str, File] = {}
    directories: dict[str, int] = {}
    links: dict[str, str] = {}  # symbolic, path → target
    home: bool = True
    sender: str = "sender@example.test"
    header: str = ""
    core: bool = True  # may not be on the list of differences


def forward(text: str, *, mode: int = 0o644, owner: str = "", name: str = ".forward") -> dict[str, File]:
    """A .forward file."""
    return {f"{{home}}/{name}": File(text, mode, owner)}


def listed(text: str, *, mode: int = 0o644, owner: str = "root") -> dict[str, File]:
    """An :include: file."""
    return {"{lists}/{a}": File(text, mode, owner)}


def command(text: str) -> Case:
    """An alias that is a command."""
    return Case(to="{a}", aliases=('{a} "|' + text + '"',))


_PRINT_ENVIRONMENT = "env | grep -v ^PWD= | grep -v ^_= | grep -v ^MAIL_CONFIG= | sort >{shared}/{a}"

MAILDIR: Final[dict[str, Case]] = {
    "a user": Case(),
    "upper case": Case(to="{U}"),
    "an extension": Case(to="{u}+Ext"),
    "an extension with a slash": Case(to="{u}+a/b"),
    "two delimiters": Case(to="{u}+a+b"),
    "nobody": Case(to="{a}"),
    "nobody with extension": Case(to="{a}+x"),
    "nobody, null sender": Case(to="{a}", sender=""),
    "null user": Case(to='""', core=False),
    "quoted user": Case(to='"{a} b"'),
    "postmaster": Case(to="postmaster"),
    "MAILER-DAEMON": Case(to="MAILER-DAEMON"),
    "home is missing": Case(home=False),
    "loop": Case(header="Delivered-To: {u}@local.test\n"),
    "loop in other case": Case(header="delivered-to: {U}@LOCAL.test\n"),
    "Delivered-To of another": Case(header="Delivered-To: {v}@local.test\n"),
    # -- aliases
    "alias": Case(to="{a}", aliases=("{a} {u}",)),
    "alias in upper case": Case(to="{A}", aliases=("{a} {u}",)),
    "alias of an address": Case(to="{a}", aliases=("{a} {u}@local.test",)),
    "alias of two": Case(to="{a}", aliases=("{a} {u}, {v}",)),
    "alias without commas": Case(to="{a}", aliases=("{a} {u} {v}",)),
    "alias of an alias": Case(to="{a}", aliases=("{a} {a}2", "{a}2 {u}, {v}")),
    "alias of a name": Case(to="{a}", aliases=('{a} "Some, Body" <{u}@local.test> (somebody)',)),
    "alias of a group": Case(to="{a}", aliases=("{a} friends: {u}, {v};",)),
    "alias of itself": Case(to="{u}", aliases=("{u} {u}, {v}",)),
    "alias of itself by a backslash": Case(to="{u}", aliases=("{u} \\{u}, {v}",)),
    "alias of a mailbox": Case(to="{a}", aliases=("{a} \\\\{u}", "{u} {v}")),
    "alias of a mailbox in quotes": Case(to="{a}", aliases=('{a} "\\\\{u}"@local.test, {v}',)),
    "alias of no mailbox": Case(to="{a}", aliases=("{a} \\\\{a}x",)),
    "alias loop": Case(to="{a}", aliases=("{a} {a}2", "{a}2 {a}")),
    "alias twice the same": Case(to="{a}", aliases=("{a} {u}, {u}@local.test, {u}",)),
    "alias of nothing": Case(to="{a}", aliases=("{a} ,",)),
    "alias of nobody": Case(to="{a}", aliases=("{a} {a}x",)),
    "alias of nobody and somebody": Case(to="{a}", aliases=("{a} {a}x, {u}",)),
    "alias elsewhere": Case(to="{a}", aliases=("{a} someone@example.org",)),
    "alias elsewhere and here": Case(to="{a}", aliases=("{a} {u}, someone@example.org, other@example.net",)),
    "alias with extension": Case(to="{a}+x", aliases=("{a} {u}",)),
    "alias of its own extension": Case(to="{a}+x", aliases=("{a}+x {v}", "{a} {u}")),
    "alias to an extension": Case(to="{a}", aliases=("{a} {u}+y",)),
    "alias with null sender": Case(to="{a}", aliases=("{a} {u}, someone@example.org",), sender=""),
    # -- owners
    "owner": Case(to="{a}", aliases=("{a} {u}, someone@example.org", "owner-{a} {v}")),
    "owner of a bounce": Case(to="{a}", aliases=("{a} {a}x", "owner-{a} {v}")),
    "owner of a command": Case(to="{a}", aliases=('{a} "|exit 77"', "owner-{a} {v}")),
    "owner of a file": Case(to="{a}", aliases=("{a} /no/such/file", "owner-{a} {v}")),
    "owner of a file for now": Case(to="{a}", aliases=("{a} /dev/null/x", "owner-{a} {v}")),
    "owner of a directory": Case(to="{a}", aliases=("{a} /dev/null/", "owner-{a} {v}")),
    "mail to an owner": Case(to="owner-{a}", aliases=("{a} {u}", "owner-{a} {v}")),
    "owner and inner alias": Case(to="{a}", aliases=("{a} {a}2", "{a}2 {u}", "owner-{a} {v}")),
    # -- commands
    "command": command("cat >{shared}/{a}"),
    "command without a shell": Case(to="{a}", aliases=('{a} "|/usr/bin/tee {shared}/{a}"',)),
    "command by its name": Case(to="{a}", aliases=('{a} "|tee {shared}/{a}"',)),
    "command in quotes after the bar": Case(to="{a}", aliases=('{a} |"cat >{shared}/{a}"',)),
    "command that is not there": command("/no/such/program"),
    "command that is nowhere": command("no-such-program-{a}"),
    "command that may not be run": command("/etc/hosts"),
    "command with output": command("echo hello; echo there"),
    "command with output and status": command("printf 'a\\tb\\001\\351\\n'; exit 1"),
    "command with a status of its own": command("echo 4.7.1 come back later; exit 1"),
    "command with a hard status of its own": command("echo 5.7.1 no; exit 75"),
    "command killed": command("kill -9 $$"),
    "command reads nothing": command("exit 0"),
    "command's environment": command(_PRINT_ENVIRONMENT),
    "command's environment with extension": Case(
        to='"{a}+Some;thing"', aliases=('{a} "|' + _PRINT_ENVIRONMENT + '"',)
    ),
    "command's rights": command("id >{shared}/{a}; umask >>{shared}/{a}; ls -d pid >{shared}/{a}x"),
    **{f"exit {status}": command(f"exit {status}") for status in (1, 2, 63, *range(64, 79), 79, 127, 255)},
    # -- files
    "file": Case(to="{a}", aliases=("{a} {shared}/{a}",)),
    "file that is there": Case(
        to="{a}", aliases=("{a} {shared}/{a}",), files={"{shared}/{a}": File("before\n", 0o666)}
    ),
    "file that is executable": Case(
        to="{a}", aliases=("{a} {shared}/{a}",), files={"{shared}/{a}": File("before\n", 0o777)}
    ),
    "file that may not be written": Case(
        to="{a}", aliases=("{a} {shared}/{a}",), files={"{shared}/{a}": File("before\n", 0o600)}
    ),
    "file that is a directory": Case(to="{a}", aliases=("{a} {shared}",)),
    "file in no directory": Case(to="{a}", aliases=("{a} {shared}/{a}/b",)),
    "file with a blank": Case(to="{a}", aliases=('{a} "{shared}/{a} b"',)),
    "file that is a device": Case(to="{a}", aliases=("{a} /dev/null",)),
    "maildir": Case(to="{a}", aliases=("{a} {shared}/{a}/",)),
    "maildir that may not be made": Case(to="{a}", aliases=("{a} {lists}/{a}/",)),
    "home of no user": Case(to="{a}", aliases=("{a} ~/x",)),
    "home of another": Case(to="{a}", aliases=("{a} ~{u}/x",)),
    "file twice": Case(to="{a}", aliases=("{a} {shared}/{a}, {shared}/{a}",)),
    # -- includes
    "include": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed("{u}\n# x\n\n{v}, a@b.test\n")
    ),
    "include of a command": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed('"|exit 0"\n{u}\n')
    ),
    "include of a file": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed("{shared}/{a}\n{u}\n")
    ),
    "include of a user": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed("{v}\n", owner="u")
    ),
    "include that is not there": Case(to="{a}", aliases=("{a} :include:{lists}/{a}",)),
    "include that all may write": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed("{u}\n", mode=0o666)
    ),
    "include of a relative path": Case(to="{a}", aliases=("{a} :include:lists",)),
    "include of a directory": Case(to="{a}", aliases=("{a} :include:{lists}",)),
    "include and owner": Case(
        to="{a}",
        aliases=("{a} :include:{lists}/{a}", "owner-{a} {v}"),
        files=listed("{u}\nsomeone@example.org\n"),
    ),
    "include of nobody, with owner": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}", "owner-{a} {v}"), files=listed("{a}x\n")
    ),
    "include that only root may read": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed("{u}\n", mode=0o600), core=False
    ),
    # -- .forward
    "forward elsewhere": Case(files=forward("someone@example.org\n")),
    "forward to another": Case(files=forward("{v}\n")),
    "forward to one's mailbox": Case(files=forward("\\\\{u}, {v}\n")),
    "forward and keep": Case(files=forward("\\{u}, someone@example.org\n")),
    "forward to oneself": Case(files=forward("{u}\n")),
    "forward to oneself by address": Case(files=forward("{u}@local.test, {v}\n")),
    "forward with comments": Case(files=forward("# nobody@example.org\n{v}\n")),
    "forward of nothing": Case(files=forward("\n# nothing\n")),
    "forward to a command": Case(files=forward('"|cat >{home}/out"\n')),
    "forward to a command, environment": Case(
        to="{u}+X",
        files=forward('"|env | grep -v ^PWD= | grep -v ^_= | grep -v ^MAIL_CONFIG= | sort >{home}/out"\n'),
    ),
    "forward to a file": Case(files=forward("{home}/out\n")),
    "forward to a file at home": Case(files=forward("~/out\n")),
    "forward to a maildir": Case(files=forward("~/Mail/\n")),
    "forward to another's file": Case(files=forward("/home/{v}/out\n")),
    "forward to an include": Case(
        files={**forward(":include:{home}/list\n"), "{home}/list": File("{v}\n{u}\n")}
    ),
    "forward to an alias": Case(aliases=("{a} {v}, someone@example.org",), files=forward("{a}\n")),
    "forward that all may write": Case(files=forward("{v}\n", mode=0o666)),
    "forward of another": Case(files=forward("{v}\n", owner="v")),
    "forward of root": Case(files=forward("{v}\n", owner="root")),
    "forward that may not be read": Case(files=forward("{v}\n", mode=0o000)),
    "forward that is a directory": Case(directories={"{home}/.forward": 0o755}),
    "forward that is a link": Case(
        files={"{home}/list": File("{v}\n")}, links={"{home}/.forward": "{home}/list"}
    ),
    "forward for an extension": Case(
        to="{u}+x", files=forward("{v}\n") | forward("~/x\n", name=".forward+x")
    ),
    "forward for no extension": Case(to="{u}", files=forward("~/x\n", name=".forward+x")),
    "forward with another extension": Case(to="{u}+y", files=forward("~/x\n", name=".forward+x")),
    "forward for all extensions": Case(to="{u}+y", files=forward("{v}\n")),
    "forward waits": Case(files=forward('"|exit 75"\n{v}\n')),
    "forward waits in a line": Case(files=forward('~/one, "|exit 75", ~/two\n~/three\n')),
    "forward bounces and goes on": Case(files=forward('"|exit 77"\n~/one\n')),
    "forward to each other": Case(files={**forward("{v}\n"), "/home/{v}/.forward": File("{u}\n", owner="v")}),
    "forward to nobody": Case(files=forward("{a}x\n")),
    "alias and forward": Case(to="{a}", aliases=("{a} {u}, {v}",), files=forward("someone@example.org\n")),
    # -- pipes
    "pipe": Case(to="pipe-plain+Ext"),
    "pipe with all flags": Case(to="Pipe-Flags+Ext@LOCAL.test"),
    "pipe, null sender": Case(to="pipe-plain", sender=""),
    "pipe, quoted": Case(to='"pipe-plain+a b"', sender='"a b"@example.test'),
    "pipe, quoted with q": Case(to='"pipe-quoted+a b"', sender='"a b"@example.test'),
    "pipe fails": Case(to="pipe-fails"),
    "pipe waits": Case(to="pipe-waits"),
    "pipe says something": Case(to="pipe-says"),
    "pipe, too big": Case(to="pipe-small"),
    "pipe, loop": Case(to="pipe-flags", header="Delivered-To: pipe-flags@local.test\n"),
    "pipe, other line ends": Case(to="pipe-crlf"),
    "pipe that is not there": Case(to="pipe-missing"),
    "pipe runs too long": Case(to="pipe-slow"),
}

SPOOL: Final[dict[str, Case]] = {
    "spool": Case(),
    "spool that is there": Case(files={"/var/mail/{u}": File("From x\n\nbefore\n\n", 0o600)}),
    "spool of another": Case(files={"/var/mail/{u}": File("before\n", 0o666, "v")}),
    "spool that is a link": Case(
        links={"/var/mail/{u}": "{home}/mbox"}, files={"{home}/mbox": File("", 0o600)}
    ),
    "spool that is a directory": Case(directories={"/var/mail/{u}": 0o700}),
    "spool of an extension": Case(to="{u}+x"),
    "spool of root": Case(to="root"),
    "spool, null sender": Case(sender=""),
    "command from a table": Case(to="command-user"),
    "transport from a table": Case(to="transport-user"),
    "nobody, but luser_relay": Case(to="{a}"),
    "nobody with extension, but luser_relay": Case(to="{a}+x"),
    "owner is expanded": Case(to="{a}", aliases=("{a} someone@example.org", "owner-{a} {v}@local.test")),
    "command in an include": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed('"|cat >{shared}/{a}"\n')
    ),
    "command in an include of a user": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed('"|id -u >{shared}/{a}"\n', owner="u")
    ),
    "file in an include": Case(
        to="{a}", aliases=("{a} :include:{lists}/{a}",), files=listed("{shared}/{a}\n")
    ),
    "command in an alias is restricted": command("exit 0"),
    "file in an alias is restricted": Case(to="{a}", aliases=("{a} {shared}/{a}",)),
    "command in a forward": Case(files=forward('"|cat >{home}/out"\n')),
    "directory of a command": Case(files=forward('"|pwd >{home}/out"\n')),
    "extension goes on from an alias": Case(to="{a}+x", aliases=("{a} {u}, someone@example.org",)),
    "extension goes on from a forward": Case(to="{u}+x", files=forward("someone@example.org\n")),
    "extension goes on from an include": Case(
        to="{a}+x", aliases=("{a} :include:{lists}/{a}",), files=listed("someone@example.org\n")
    ),
}

MBOX: Final[dict[str, Case]] = {
    "mbox at home": Case(),
    "mbox in a directory that is not there": Case(home=False),
    "mbox is too big": Case(files={"{home}/mbox": File("x" * 4000 + "\n", 0o600)}),
    "mbox that is a link": Case(
        links={"{home}/mbox": "{home}/other"}, files={"{home}/other": File("", 0o600)}
    ),
    "mbox with two links": Case(files={"{home}/mbox": File("", 0o600)}, links={"{home}/other": "=mbox"}),
    "mbox of another": Case(files={"{home}/mbox": File("", 0o666, "v")}),
    "Delivered-To of an alias": Case(to="{a}", aliases=("{a} {u}",)),
    "inner alias forgets the owner": Case(to="{a}", aliases=("{a} {a}2", "{a}2 {u}", "owner-{a} {v}")),
    "no forward file": Case(files=forward("{v}\n")),
    "status is rewritten": command("exit 77"),
    "status cannot become success": command("exit 78"),
    "success is said otherwise": command("exit 0"),
    "every command by a shell": command("cat >{shared}/{a}"),
    "fallback": Case(to="{a}"),
}

VIRTUAL: Final[dict[str, Case]] = {
    "virtual maildir": Case(to="{a}@virtual.test", mailbox="{u}/Maildir/"),
    "virtual maildir, upper case and extension": Case(to="{A}+x@VIRTUAL.test", mailbox="{u}/Maildir/"),
    "virtual maildir that may not be made": Case(to="{a}@virtual.test", mailbox="lists/x/"),
    "virtual mbox": Case(to="{a}@virtual.test", mailbox="{u}/mbox"),
    "virtual mbox that is there": Case(
        to="{a}@virtual.test", mailbox="{u}/mbox", files={"{home}/mbox": File("From x\n\nbefore\n\n", 0o600)}
    ),
    "virtual mbox, null sender": Case(to="{a}@virtual.test", mailbox="{u}/mbox", sender=""),
    "virtual mbox of another": Case(
        to="{a}@virtual.test", mailbox="{u}/mbox", files={"{home}/mbox": File("", 0o666, "v")}
    ),
    "virtual mbox that is too big": Case(
        to="{a}@virtual.test", mailbox="{u}/mbox", files={"{home}/mbox": File("x" * 4000, 0o600)}
    ),
    "virtual mbox in no directory": Case(to="{a}@virtual.test", mailbox="{u}/x/mbox"),
    "virtual mbox that is a directory": Case(
        to="{a}@virtual.test", mailbox="{u}/mbox", directories={"{home}/mbox": 0o700}
    ),
    "virtual mbox that is a link": Case(
        to="{a}@virtual.test",
        mailbox="{u}/mbox",
        links={"{home}/mbox": "{home}/other"},
        files={"{home}/other": File("", 0o600)},
    ),
    "virtual loop": Case(
        to="{a}@virtual.test", mailbox="{u}/Maildir/", header="Delivered-To: {a}@virtual.test\n"
    ),
    "virtual without uid": Case(to="{a}@virtual.test", mailbox="{u}/Maildir/", uid="", core=False),
    "virtual with a low uid": Case(to="{a}@virtual.test", mailbox="{u}/Maildir/", uid="5", core=False),
}

PROGRAMS: Final[dict[str, Case]] = {
    "dovecot-lda for everybody": Case(to="{u}+x"),
    "procmail by .forward": Case(
        files=forward("\"|IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #{u}\"\n")
        | {"{home}/.procmailrc": File("DEFAULT=$HOME/procmail/\nLOGFILE=$HOME/log\n:0 c\n$HOME/copy\n")}
    ),
    "procmail for one": Case(to="procmail-user+ext"),
    "LMTP for one": Case(to="lmtp-user+ext"),
    "LMTP for one, by an alias": Case(to="{a}", aliases=("{a} lmtp-user, {u}",)),
    "maildrop by .forward": Case(
        files=forward('"|/usr/bin/maildrop"\n')
        | {"{home}/.mailfilter": File('if (/^Subject: test/)\n{\n  to "$HOME/drop"\n}\n', 0o600)}
    ),
    "maildrop refuses": Case(
        files=forward('"|/usr/bin/maildrop"\n') | {"{home}/.mailfilter": File("EXITCODE=77\nexit\n", 0o600)}
    ),
}

ROOT_SPOOL: Final[dict[str, Case]] = {
    "root's spool": Case(),
    "root's spool, mailbox that is there": Case(
        files={"{lists}/{u}": File("From x\n\nbefore\n\n", 0o600, "u")}
    ),
}
"""Where nobody but root may make mailboxes."""

NO_ORIGINAL: Final[dict[str, Case]] = {
    "no original, a user": Case(to="{u}+x"),
    "no original, an alias": Case(to="{a}", aliases=("{a} {u}, {v}, someone@example.org",)),
    "no original, an alias of itself twice": Case(to="{a}+y", aliases=("{a} {a}2", "{a}2 {u}")),
    "no original, an owner": Case(to="{a}", aliases=("{a} {u}, {a}x", "owner-{a} {v}")),
    "no original, a command": Case(to="{a}", aliases=('{a} "|' + _PRINT_ENVIRONMENT + '"',)),
    "no original, a forward": Case(files=forward("{v}\n~/out\n\\{u}\n")),
    "no original, nobody": Case(to="{a}x"),
    "no original, pipe": Case(to="pipe-plain+Ext"),
    "no original, pipe with all flags": Case(to="Pipe-Flags+Ext@LOCAL.test"),
    "no original, virtual maildir": Case(to="{a}@virtual.test", mailbox="{u}/Maildir/"),
    "no original, virtual alias": Case(to="{a}@alias.test", mailbox="{u}/mbox"),
}
"""With enable_original_recipient = no."""
