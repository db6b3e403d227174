"""doveadm user, auth and pw: who there is, and whether a password is right."""

import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from pillarbox.auth.password_making import DEFAULT_SCHEME, SCHEMES, make
from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.mail_location import owner_values
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.tools.auth_sockets import Answer, AuthSocket, NoAnswer
from pillarbox.tools.doveadm_commands import output as doveadm_output
from pillarbox.tools.doveadm_commands.faults import (
    EX_NOPERM,
    EX_NOUSER,
    EX_TEMPFAIL,
    EX_USAGE,
    Fatal,
    Usage,
)
from pillarbox.tools.doveadm_commands.options import SERVED_USER, no_words, read_options
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.secret import Secret

USER_USAGE = "user [-a <userdb socket path>] [-x <auth info>] [-f field] [-e <value>] [-u] " + (
    "<user mask> [<user mask> [...]]"
)
PW_USAGE = "pw [-l] [-p plaintext] [-r rounds] [-s scheme] [-t hash] [-u user] [-V]"
_AUTH_LETTERS = {"login": "a:m:x:M:", "lookup": "a:x:f:", "test": "a:x:M:"}
AUTH_USAGE = {
    "cache": "flush",
    "login": "[-a <auth-login socket path>] [-m <auth-master socket path>] [-x <auth info>] "
    "[-M <master user>] <user> [<password>]",
    "lookup": "[-a <userdb socket path>] [-x <auth info>] [-f field] <user> [<user> [...]]",
    "test": "[-a <auth socket path>] [-x <auth info>] [-M <master user>] <user> [<password>]",
}


_INFORMATION = frozenset({"service", "session", "lip", "rip", "lport", "rport", "no-penalty", "secured"})


def fields_of(answer: Answer) -> dict[str, str]:
    """The fields behind the user's name."""
    return {name: value for name, _, value in (field.partition("=") for field in answer.fields[1:])}


def lookup(configuration: Configuration, user: str, path: str = "") -> Answer:
    """What the userdb says."""
    path = path or f"{configuration.value('base_dir')}/auth-userdb"
    with AuthSocket(path, label=f"auth-master: userdb lookup({user})", is_master=True) as sock:
        return sock.ask("USER", user)


def user(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm user."""
    pairs, masks = read_options("user", arguments, "a:x:f:e:u")
    options = dict(pairs)
    if not masks:
        raise Usage(USER_USAGE)
    path = options.get("-a") or f"{configuration.value('base_dir')}/auth-userdb"
    if SERVED_USER.get() is not None:
        return _show_objects(configuration, masks, path, options.get("-f", ""))
    if any("*" in mask or "?" in mask for mask in masks):
        sys.stdout.write(doveadm_output.no_columns(form))
        with AuthSocket(path, label="auth-master: userdb list", is_master=True) as sock:
            for name in sock.users():
                if any(fnmatchcase(name, mask) for mask in masks):
                    print(name)
        return 0
    if "-u" in options or "-f" in options or "-e" in options:
        sys.stdout.write(doveadm_output.no_columns(form))
        return _each(masks, lambda name: _show_text_of_user(configuration, name, path, options))
    return _show_users(configuration, masks, path, form or "tab")


def _show_objects(configuration: Configuration, masks: Sequence[str], path: str, field: str) -> int:
    """For a client of the doveadm service: an object of the users with their fields, or of a list of names."""
    if any("*" in mask or "?" in mask for mask in masks):
        with AuthSocket(path, label="auth-master: userdb list", is_master=True) as sock:
            names = [name for name in sock.users() if any(fnmatchcase(name, mask) for mask in masks)]
        sys.stdout.write(_json({"userList": names}))
        return 0
    found: dict[str, dict[str, str]] = {}
    status = 0
    for name in masks:
        answer = lookup(configuration, name, path)
        if answer.word == "USER":
            fields = _account_fields(configuration, answer)
            found[name] = {key: value for key, value in fields.items() if not field or key == field}
        elif answer.word == "NOTFOUND":
            found[name], status = {"error": _no_such_user(name).rstrip()}, EX_NOUSER
        else:
            found[name], status = {"error": f"userdb lookup failed for {name}"}, EX_TEMPFAIL
    sys.stdout.write(_json(found))
    return status


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _each(names: Sequence[str], show: Callable[[str], int]) -> int:
    """Show one after the other, an empty line between them; the highest of the exit statuses."""
    status = 0
    for at, name in enumerate(names):
        if at:
            print()
        status = max(status, show(name))
    return status


def _show_users(configuration: Configuration, names: Sequence[str], path: str, form: str) -> int:
    """All fields of each in one table.  What else is said stands behind it, as Dovecot says it to a pipe."""
    writer = doveadm_output.RowWriter(("field", "value"), form)
    later, status = "", 0
    for at, name in enumerate(names):
        later += "\n" if at else ""
        answer = lookup(configuration, name, path)
        for row in _account_fields(configuration, answer).items():
            writer.add(row)
        if answer.word == "NOTFOUND":
            later += "\n" + _no_such_user(name)
            status = max(status, EX_NOUSER)
        elif answer.word != "USER":
            status = max(status, _lookup_failed(name))
    writer.finish()
    sys.stdout.write(later)
    return status


def _show_text_of_user(configuration: Configuration, name: str, path: str, options: Mapping[str, str]) -> int:
    """What the userdb says alone (-u), one field (-f), or a text with variables (-e)."""
    answer = lookup(configuration, name, path)
    if answer.word == "NOTFOUND" and "-u" in options:
        sys.stdout.write(_no_such_user(name))
        return EX_NOUSER
    if answer.word == "NOTFOUND":
        sys.stdout.flush()
        sys.stderr.write("\n" + _no_such_user(name))
        return EX_NOUSER
    if answer.word != "USER":
        return _lookup_failed(name)
    if "-u" in options:
        print(f"userdb: {answer.fields[0]}")
        _show_fields([f"user={answer.fields[0]}", *answer.fields[1:]])
        return 0
    found = _account_fields(configuration, answer)
    if "-f" in options:
        if options["-f"] in found:
            print(found[options["-f"]])
        return 0
    values = variables.user_values(answer.fields[0]) | found
    values |= variables.field_values("userdb", found)
    try:
        print(variables.expand(options["-e"], values))
    except ValueError as error:
        sys.stderr.write(f"Error: Failed to expand {options['-e']}: {error}\n")
    return 0


def _show_fields(fields: Sequence[str]) -> None:
    for field in fields:
        key, equals, value = field.partition("=")
        print(f"  {key:<10}{': ' if equals else ''}{value}")


def _account_fields(configuration: Configuration, answer: Answer) -> dict[str, str]:
    """An account's uid, gid, home and mail, and what else the userdb says."""
    if answer.word != "USER":
        return {}
    found = fields_of(answer)
    for name in ("uid", "gid"):
        if name in found and _is_left_to_mail_uid(configuration, name):
            found[name] = configuration.value(f"mail_{name}") or found[name]
    values = {
        **variables.user_values(answer.fields[0]),
        **found,
        **owner_values(found),
        **variables.field_values("userdb", found),
    }
    mail = {"mail": found.get("mail") or variables.expand(configuration.value("mail_location"), values)}
    return {key: found[key] for key in ("uid", "gid", "home") if key in found} | mail | found


def _is_left_to_mail_uid(configuration: Configuration, name: str) -> bool:
    """Whether no userdb says it, so that mail_uid or mail_gid does: Dovecot shows what is written there."""
    for path in configuration.blocks("userdb"):
        texts = [configuration.value(*path, key) for key in ("args", "default_fields", "override_fields")]
        if configuration.value(*path, "driver") != "static" or f"{name}=" in " ".join(texts):
            return False
    return True


def _no_such_user(name: str) -> str:
    return f"userdb lookup: user {name} doesn't exist\n"


def _lookup_failed(name: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"Error: userdb lookup failed for {name}\n")
    return EX_TEMPFAIL


def auth(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm auth test, login, lookup and cache."""
    if not arguments or arguments[0] not in AUTH_USAGE:
        raise Usage("auth <command> [<args>]", AUTH_USAGE)
    what = arguments[0]
    usage = f"auth {what} {AUTH_USAGE[what]}"
    if what == "cache":
        if arguments[1:2] != ["flush"]:
            raise Usage("auth <command> [<args>]", AUTH_USAGE)
        read_options("auth cache flush", arguments[2:], "a:")
        if SERVED_USER.get() is not None:
            doveadm_output.show(("entries",), [["0"]], form)
        else:
            print(f"{doveadm_output.no_columns(form)}0 cache entries flushed")
        return 0
    pairs, words = read_options(f"auth {what}", arguments[1:], _AUTH_LETTERS[what])
    options = dict(pairs)
    base = configuration.value("base_dir")
    if not words:
        raise Usage(usage)
    if what == "lookup":
        sys.stdout.write(doveadm_output.no_columns(form))
        path = options.get("-a") or f"{base}/auth-userdb"
        return _each(words, lambda name: _lookup(name, path, options.get("-f", "")))
    password = Secret((words[1] if len(words) > 1 else getpass.getpass("Password: ")).encode())
    redeems = what == "login"
    path = options.get("-a") or f"{base}/auth-{'login' if redeems else 'client'}"
    try:
        with AuthSocket(path, label="auth-client: conn unix:" + path, is_master=False) as sock:
            answer = sock.login(
                words[0],
                password,
                information=_information(pairs),
                master=options.get("-M", ""),
                may_redeem=redeems,
            )
            _show_login(words[0], answer)
            if answer.word != "OK":
                return EX_NOPERM
            if redeems:
                return _show_account(sock.cookie, options.get("-m") or f"{base}/auth-master")
    except NoAnswer as fault:
        sys.stderr.write(f"Error: {fault}\n")
        return EX_NOPERM
    return 0


def _information(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What -x tells of the client."""
    found = {name: value for flag, text in pairs if flag == "-x" for name, _, value in [text.partition("=")]}
    for name in found:
        if name not in _INFORMATION:
            raise Fatal(f"Unknown -x argument: {name}", status=EX_USAGE)
    return found


def _show_login(name: str, answer: Answer) -> None:
    print(f"passdb: {name} auth {'succeeded' if answer.word == 'OK' else 'failed'}")
    if answer.fields:
        print("extra fields:")
        for field in answer.fields:
            print(f"  {field}")


_INTERNAL = (
    "Error: userdb lookup failed: Internal error occurred. Refer to server log for more information.\n"
)


def _show_account(cookie: bytes, path: str) -> int:
    with AuthSocket(path, label="auth-master", is_master=True) as sock:
        account = sock.redeem(cookie)
    if account.word != "USER":
        sys.stdout.flush()
        sys.stderr.write(_INTERNAL)
        return EX_NOPERM
    print("userdb extra fields:")
    for field in account.fields:
        print(f"  {field}")
    return 0


def _lookup(name: str, path: str, field: str) -> int:
    with AuthSocket(path, label=f"auth-master: passdb lookup({name})", is_master=True) as sock:
        answer = sock.ask("PASS", name)
    if answer.word == "NOTFOUND":
        sys.stdout.write(f"passdb lookup: user {name} doesn't exist\n")
        return EX_NOUSER
    if answer.word != "PASS":
        reason = next((text[7:] for text in answer.fields if text.startswith("reason=")), "")
        sys.stderr.write(f"Error: passdb lookup failed for {name}{f': {reason}' if reason else ''}\n")
        return EX_TEMPFAIL
    if field:
        values = {key: value for key, _, value in (one.partition("=") for one in answer.fields)}
        if field in values:
            print(values[field])
        return 0
    print(f"passdb: {name}")
    _show_fields(answer.fields)
    return 0


def pw(_configuration: object, _form: str, arguments: Sequence[str]) -> int:
    """doveadm pw: make a stored password, or check one."""
    options = dict(no_words("pw", arguments, "lp:r:s:t:u:V"))
    if "-t" in options and "-s" in options:
        raise Usage(PW_USAGE)
    if "-l" in options:
        print(" ".join(SCHEMES) + " ")
        return 0
    password = _asked(options, twice="-t" not in options)
    try:
        if "-t" in options:
            if not options["-t"].startswith("{"):
                raise Fatal("Missing {scheme} prefix from hash")
            if options["-t"].upper().startswith("{DIGEST-MD5") and "-u" not in options:
                raise Fatal("digest_md5_generate(): username not given")
            if not verify(password.reveal(), options["-t"].encode(), user=options.get("-u", "").encode()):
                raise Fatal("reverse password verification check failed: Password mismatch")
            print(f"{options['-t']} (verified)")
            return 0
        rounds = options.get("-r", "0")
        if not is_decimal_text(rounds, max_digits=6):
            raise Fatal(f"Invalid number of rounds: {rounds}", status=64)
        stored = make(
            options.get("-s", DEFAULT_SCHEME),
            password.reveal(),
            rounds=int(rounds),
            user=options.get("-u", "").encode(),
        )
    except UnknownScheme as fault:
        raise Fatal(f"Unknown scheme: {fault}") from fault
    except ValueError as fault:
        raise Fatal(str(fault)) from fault
    print(f"{stored} (verified)" if "-V" in options else stored)
    return 0


def _asked(options: dict[str, str], *, twice: bool) -> Secret:
    if "-p" in options:
        return Secret(options["-p"].encode("utf-8", "surrogateescape"))
    first = getpass.getpass("Enter new password: " if twice else "Enter password to verify: ")
    if twice and getpass.getpass("Retype new password: ") != first:
        raise Fatal("Passwords don't match!")
    return Secret(first.encode())
