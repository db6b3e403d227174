"""doveadm(1): the mailbox half's administration.

    doveadm [-Dv] [-f flow|pager|tab|table|json] [-c FILE] [-o SETTING=VALUE]... COMMAND [ARGUMENTS]

    stop  reload  config  who  kick
    user  auth test|login|lookup|cache  pw
    acl get|rights|set|add|remove|delete|debug|recalc
    mailbox list|status|create|delete|rename|subscribe|unsubscribe|metadata|path|mutf7|update|
            cache
    search  fetch  expunge  flags add|remove|replace  copy  move  altmove  deduplicate  save  import
    backup  sync
    batch SEPARATOR COMMAND [SEPARATOR COMMAND]...
    index  force-resync  purge
    log errors|find|reopen|test
    instance list
    process status  service status  proxy list|kick  stats dump  penalty
    dict get|set|unset|inc|iter  fs get|put|copy|stat|metadata|delete|iter|iter-dirs

    -D and -v have no effect: there is nothing more to tell.

EXIT STATUS
    0 done; 64 wrong use; 65 exists already; 67 no such user; 68 not found; 75 it could not be done now;
    77 a password is wrong; 89 no such option
"""

import functools
import getopt
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.supervisor import dovecot_control
from pillarbox.supervisor.dovecot_control import NotRunning
from pillarbox.tools import run_command, works_unread
from pillarbox.tools.auth_sockets import NoAnswer
from pillarbox.tools.default_paths import DOVECOT_CONF
from pillarbox.tools.doveadm_commands import output as doveadm_output
from pillarbox.tools.doveadm_commands.faults import (
    EX_CONFIG,
    EX_NOTFOUND,
    EX_TEMPFAIL,
    EX_USAGE,
    Fatal,
    NoList,
    Usage,
)
from pillarbox.tools.doveadm_commands.options import no_words, read_options
from pillarbox.tools.overridden_configuration import read_overridden
from pillarbox.vocabulary.faults import ConfigurationFault

Command = Callable[[Configuration, str, Sequence[str]], int]


def _stop(configuration: Configuration, _form: str, arguments: Sequence[str]) -> int:
    no_words("stop", arguments)
    dovecot_control.stop(configuration.value("base_dir"))
    return 0


def _reload(configuration: Configuration, _form: str, arguments: Sequence[str]) -> int:
    no_words("reload", arguments)
    dovecot_control.reload(configuration.value("base_dir"))
    return 0


_INSTANCE_USAGE: Final = {"list": "[-c] [<name>]", "remove": "<name> | <base dir>"}


def _instance(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The one that the configuration is of."""
    if not arguments or arguments[0] not in _INSTANCE_USAGE:
        raise Usage("instance <command> [<args>]", _INSTANCE_USAGE)
    if arguments[0] == "remove":
        return _remove_instance(configuration, arguments[1:])
    pairs, names = read_options("instance list", arguments[1:], "c")
    base_dir, name = configuration.value("base_dir"), configuration.value("instance_name")
    is_meant = not names or names[0] == name
    if pairs:
        sys.stdout.write(f"{configuration.path}\n" if is_meant else "")
        return 0
    row = [base_dir, name, *_running_since(base_dir)]
    columns = ("path", "name", "last used", "running")
    doveadm_output.show(columns, [row] if is_meant else [], form or "table", wide="path")
    return 0


def _remove_instance(configuration: Configuration, names: Sequence[str]) -> int:
    """Nothing remembers instances: there is that of the configuration, for as long as there is one."""
    if len(names) != 1:
        raise Usage(f"instance remove {_INSTANCE_USAGE['remove']}")
    if names[0] in (configuration.value("instance_name"), configuration.value("base_dir")):
        raise Fatal("instance remove is not served: the instance is that of the configuration")
    sys.stderr.write("Error: Instance already didn't exist\n")
    return EX_NOTFOUND


def _running_since(base_dir: str) -> tuple[str, str]:
    """When it was started, and whether it runs; the time is not known of one that does not."""
    if dovecot_control.running(base_dir) is None:
        return "", "no"
    started = time.localtime(os.stat(f"{base_dir}/master.pid").st_mtime)
    return time.strftime("%Y-%m-%d %H:%M:%S", started), "yes"


def _command(name: str) -> Command | None:
    """What a command does; None if there is none of that name.  Only what it needs is imported."""
    match name:
        case "acl":
            from pillarbox.tools.doveadm_commands import acl as doveadm_acl

            return doveadm_acl.acl
        case "instance":
            return _instance
        case "reload":
            return _reload
        case "stop":
            return _stop
        case "batch":
            from pillarbox.tools.doveadm_commands import batch as doveadm_batch

            return doveadm_batch.batch
        case "kick" | "who":
            from pillarbox.tools.doveadm_commands import sessions as doveadm_sessions

            return doveadm_sessions.kick if name == "kick" else doveadm_sessions.who
        case "auth" | "user" | "pw":
            from pillarbox.tools.doveadm_commands import users as doveadm_users

            return {"auth": doveadm_users.auth, "user": doveadm_users.user, "pw": doveadm_users.pw}[name]
        case "process" | "proxy" | "stats":
            from pillarbox.tools.doveadm_commands import absent

            return {"process": absent.process, "proxy": absent.proxy, "stats": absent.stats}[name]
        case "penalty":
            from pillarbox.tools.doveadm_commands import penalty as doveadm_penalty

            return doveadm_penalty.penalty
        case "log":
            from pillarbox.tools.doveadm_commands import log as doveadm_log

            return doveadm_log.log
        case "mailbox":
            from pillarbox.tools.doveadm_commands import mailboxes as doveadm_mailboxes

            return doveadm_mailboxes.mailbox
        case "backup" | "sync":
            from pillarbox.tools.doveadm_commands import syncing

            return functools.partial(syncing.run, name)
        case "dsync-server":
            from pillarbox.tools.doveadm_commands import dsync_server

            return dsync_server.run
        case "dict":
            from pillarbox.tools.doveadm_commands import dictionary

            return dictionary.dictionary
        case "fs":
            from pillarbox.tools.doveadm_commands import file_access

            return file_access.file_access
        case "service":
            from pillarbox.tools.doveadm_commands import services

            return services.service
        case "quota":
            from pillarbox.tools.doveadm_commands import quota as doveadm_quota

            return doveadm_quota.quota
        case _:
            from pillarbox.tools.doveadm_commands import messages as doveadm_messages
            from pillarbox.tools.doveadm_commands import unserved

            if name in unserved.COMMANDS:
                return functools.partial(unserved.refuse, name)
            return functools.partial(doveadm_messages.run, name) if name in doveadm_messages.USAGE else None


def _synopses() -> dict[str, str]:
    """Command → its arguments."""
    from pillarbox.tools.doveadm_commands import (
        absent,
        dictionary,
        dsync_server,
        file_access,
        services,
        syncing,
    )
    from pillarbox.tools.doveadm_commands import acl as doveadm_acl
    from pillarbox.tools.doveadm_commands import batch as doveadm_batch
    from pillarbox.tools.doveadm_commands import mailboxes as doveadm_mailboxes
    from pillarbox.tools.doveadm_commands import messages as doveadm_messages
    from pillarbox.tools.doveadm_commands import penalty as doveadm_penalty
    from pillarbox.tools.doveadm_commands import quota as doveadm_quota
    from pillarbox.tools.doveadm_commands import sessions as doveadm_sessions
    from pillarbox.tools.doveadm_commands import users as doveadm_users

    return {
        "acl": "|".join(doveadm_acl.USAGE),
        "auth": "cache|login|lookup|test",
        "backup": syncing.USAGE["backup"],
        "batch": doveadm_batch.USAGE,
        "dict": "|".join(dictionary.USAGE),
        "dsync-server": dsync_server.USAGE,
        "fs": "|".join(file_access.USAGE),
        "instance": "list",
        "kick": doveadm_sessions.KICK_USAGE.partition(" ")[2],
        "log": "errors|find|reopen|test",
        "mailbox": "|".join(doveadm_mailboxes.USAGE),
        "penalty": doveadm_penalty.PENALTY_USAGE.partition(" ")[2],
        "process": "|".join(absent.PROCESS_USAGE),
        "proxy": "|".join(absent.PROXY_USAGE),
        "pw": doveadm_users.PW_USAGE.partition(" ")[2],
        "quota": "|".join(doveadm_quota.USAGE),
        "reload": "",
        "service": "|".join(services.USAGE),
        "stats": "|".join(absent.STATS_USAGE),
        "stop": "",
        "sync": syncing.USAGE["sync"],
        "user": doveadm_users.USER_USAGE.partition(" ")[2],
        **doveadm_messages.USAGE,
        "who": doveadm_sessions.WHO_USAGE.partition(" ")[2],
    }


_OF_PLUGINS: Final = {
    "fts": "the index of texts is Pillarbox's own: use doveadm index",
    "sieve": "Sieve is not served",
}


@works_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        pairs, words = getopt.getopt(given, "c:Df:vi:o:")
    except getopt.GetoptError as error:
        what = f"invalid option -- '{error.opt}'"
        if "requires argument" in error.msg:
            what = f"option requires an argument -- '{error.opt}'"
        sys.stderr.write(f"{sys.argv[0]}: {what}\n")
        return EX_CONFIG
    options = dict(pairs)
    form = options.get("-f", "")
    if form and form not in doveadm_output.FORMS:
        sys.stderr.write(f"doveadm: Fatal: Unknown print formatter: {form}\n")
        return EX_TEMPFAIL
    if "-i" in options:
        sys.stderr.write("Fatal: -i is not served: use -c with the instance's configuration\n")
        return EX_TEMPFAIL
    if not words or words[0] in ("help", "--help"):
        return _usage()
    path = options.get("-c", DOVECOT_CONF)
    if words[0] == "config":
        from pillarbox.tools import doveconf

        return doveconf.main([*(["-c", path] if "-c" in options else []), *words[1:]])
    if words[0] in _OF_PLUGINS:
        return _fatal(f"Unknown command '{words[0]}': {_OF_PLUGINS[words[0]]}")
    overrides = [value for flag, value in pairs if flag == "-o"]
    return carry_out(words, form, lambda: read_overridden(path, overrides))


def carry_out(words: Sequence[str], form: str, read: Callable[[], Configuration]) -> int:
    """A command and its arguments, to be done with the configuration that `read` reads; its exit status."""
    command = _command(words[0])
    return _usage() if command is None else _run(command, read, form, words)


def _run(command: Command, read: Callable[[], Configuration], form: str, words: Sequence[str]) -> int:
    try:
        if words[0] == "pw":  # needs nothing that runs, nor a configuration
            from pillarbox.tools.doveadm_commands import users as doveadm_users

            return doveadm_users.pw(None, form, words[1:])
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")  # messages are octets
        return command(read(), form, words[1:])
    except ConfigurationFault as fault:
        return _fatal(f"Error reading configuration: {fault}")
    except (NotRunning, PermissionError) as fault:
        return _fatal(str(fault))
    except Fatal as fault:
        return _fatal(str(fault), fault.status)
    except NoList as fault:
        sys.stdout.flush()
        sys.stderr.write(f"Error: {fault}\ndoveadm: Error: Failed to iterate through some users\n")
        return EX_TEMPFAIL
    except NoAnswer as fault:
        sys.stdout.flush()
        sys.stderr.write(f"Error: {fault}\n")
        return EX_TEMPFAIL
    except Usage as usage:
        sys.stdout.flush()
        if usage.complaint:
            sys.stderr.write(f"{usage.complaint}\n")
        elif usage.group is None:
            sys.stderr.write(f"doveadm {usage.synopsis}\n")
        else:
            lines = [f"  {name:<12} {synopsis}" for name, synopsis in usage.group.items()]
            sys.stderr.write(
                "\n".join([f"usage: doveadm [-Dv] [-f <formatter>] {usage.synopsis}", *lines, ""])
            )
        return EX_USAGE


def _usage() -> int:
    lines = [f"  {name:<12} {synopsis}" for name, synopsis in sorted(_synopses().items())]
    sys.stderr.write("\n".join(["usage: doveadm [-Dv] [-f <formatter>] <command> [<args>]", *lines, ""]))
    return EX_USAGE


def _fatal(text: str, status: int = EX_TEMPFAIL) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"Fatal: {text}\n")
    return status


if __name__ == "__main__":
    run_command(main)
