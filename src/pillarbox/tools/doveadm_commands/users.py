"""doveadm user, auth and pw: who there is, and whether a password is right."""

import getopt
import getpass
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from pillarbox.auth.password_making import DEFAULT_SCHEME, SCHEMES, make
from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.tools.auth_sockets import Answer, AuthSocket, NoAnswer
from pillarbox.tools.doveadm_commands import output as doveadm_output
from pillarbox.tools.doveadm_commands.faults import EX_NOPERM, EX_NOUSER, EX_TEMPFAIL, Fatal, Usage
from pillarbox.vocabulary.secret import Secret

USER_USAGE = "user [-a <userdb socket path>] [-x <auth info>] [-f field] [-e <value>] [-u] " + (
    "<user mask> [<user mask> [...]]"
)
PW_USAGE = "pw [-l] [-p plaintext] [-r rounds] [-s scheme] [-t hash] [-u user] [-V]"
AUTH_USAGE = {
    "cache": "flush",
    "login": "[-a <auth-login socket path>] [-m <auth-master socket path>] [-x <auth info>] "
    "[-M <master user>] <user> [<password>]",
    "lookup": "[-a <userdb socket path>] [-x <auth info>] [-f field] <user> [<user> [...]]",
    "test": "[-a <auth socket path>] [-x <auth info>] [-M <master user>] <user> [<password>]",
}


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
    try:
        pairs, masks = getopt.getopt(list(arguments), "a:x:f:e:u")
    except getopt.GetoptError as error:
        raise Usage(USER_USAGE) from error
    options = dict(pairs)
    if not masks:
        raise Usage(USER_USAGE)
    path = options.get("-a") or f"{configuration.value('base_dir')}/auth-userdb"
    status = 0
    for mask in masks:
        if "*" in mask or "?" in mask:
            with AuthSocket(path, label="auth-master: userdb list", is_master=True) as sock:
                for name in sock.users():
                    if fnmatchcase(name, mask):
                        print(name)
        elif "-u" in options:
            status = _show_account_of(configuration, mask, path) or status
        else:
            status = _show_user(configuration, mask, path, options.get("-f", ""), form) or status
    return status


def _show_account_of(configuration: Configuration, name: str, path: str) -> int:
    """Only what the userdb says (-u)."""
    answer = lookup(configuration, name, path)
    if answer.word != "USER":
        return _missing(name, answer)
    print(f"userdb: {answer.fields[0]}")
    _show_fields({"user": answer.fields[0]} | fields_of(answer))
    return 0


def _show_fields(fields: Mapping[str, str]) -> None:
    for key, value in fields.items():
        print(f"  {key:<10}: {value}")


def _show_user(configuration: Configuration, name: str, path: str, field: str, form: str) -> int:
    answer = lookup(configuration, name, path)
    known = answer.word == "USER"
    found = fields_of(answer) if known else {}
    if known:
        found = (
            {key: found[key] for key in ("uid", "gid", "home") if key in found}
            | {"mail": found.get("mail", configuration.value("mail_location"))}
            | found
        )
    if field:
        if not known:
            sys.stdout.flush()
            return _missing(name, answer)
        if field in found:
            print(found[field])
        return 0
    if form == "json":
        doveadm_output.show(("field", "value"), list(found.items()), form)
    else:
        print("field\tvalue")
        for key, value in found.items():
            print(f"{key}\t{value}")
    return 0 if known else _missing(name, answer)


def _missing(name: str, answer: Answer) -> int:
    if answer.word == "NOTFOUND":
        sys.stdout.write(f"\nuserdb lookup: user {name} doesn't exist\n")
        return EX_NOUSER
    sys.stderr.write(f"Error: userdb lookup failed for {name}\n")
    return EX_TEMPFAIL


def auth(configuration: Configuration, _form: str, arguments: Sequence[str]) -> int:
    """doveadm auth test, login, lookup and cache."""
    if not arguments or arguments[0] not in AUTH_USAGE:
        raise Usage("auth <command> [<args>]", AUTH_USAGE)
    what = arguments[0]
    usage = f"auth {what} {AUTH_USAGE[what]}"
    try:
        pairs, words = getopt.getopt(list(arguments[1:]), "a:m:x:M:f:")
    except getopt.GetoptError as error:
        raise Usage(usage) from error
    options = dict(pairs)
    base = configuration.value("base_dir")
    if what == "cache":
        if words[:1] != ["flush"]:
            raise Usage(usage)
        print("0 cache entries flushed")
        return 0
    if not words:
        raise Usage(usage)
    if what == "lookup":
        return max(_lookup(name, options.get("-a") or f"{base}/auth-userdb") for name in words)
    password = Secret((words[1] if len(words) > 1 else getpass.getpass("Password: ")).encode())
    redeems = what == "login"
    path = options.get("-a") or f"{base}/auth-{'login' if redeems else 'client'}"
    service = _information(pairs).get("service", "doveadm")
    try:
        with AuthSocket(path, label="auth-client: conn unix:" + path, is_master=False) as sock:
            answer = sock.login(
                words[0], password, service=service, master=options.get("-M", ""), may_redeem=redeems
            )
            _show_login(words[0], answer)
            if answer.word != "OK":
                return EX_NOPERM
            if redeems:
                _show_account(sock.cookie, options.get("-m") or f"{base}/auth-master")
    except NoAnswer as fault:
        sys.stderr.write(f"Error: {fault}\n")
        return EX_NOPERM
    return 0


def _information(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: value for flag, text in pairs if flag == "-x" for name, _, value in [text.partition("=")]}


def _show_login(name: str, answer: Answer) -> None:
    print(f"passdb: {name} auth {'succeeded' if answer.word == 'OK' else 'failed'}")
    if answer.fields:
        print("extra fields:")
        for field in answer.fields:
            print(f"  {field}")


def _show_account(cookie: bytes, path: str) -> None:
    with AuthSocket(path, label="auth-master", is_master=True) as sock:
        account = sock.redeem(cookie)
    print("userdb extra fields:")
    for field in account.fields:
        print(f"  {field}")


def _lookup(name: str, path: str) -> int:
    with AuthSocket(path, label=f"auth-master: passdb lookup({name})", is_master=True) as sock:
        answer = sock.ask("PASS", name)
    if answer.word == "NOTFOUND":
        sys.stderr.write(f"passdb lookup: user {name} doesn't exist\n")
        return EX_NOUSER
    if answer.word != "PASS":
        sys.stderr.write(f"Error: passdb lookup failed for {name}\n")
        return EX_TEMPFAIL
    print(f"passdb: {name}")
    _show_fields({key: value for key, _, value in (field.partition("=") for field in answer.fields)})
    return 0


def pw(_configuration: object, _form: str, arguments: Sequence[str]) -> int:
    """doveadm pw: make a stored password, or check one."""
    try:
        pairs, words = getopt.getopt(list(arguments), "lp:r:s:t:u:V")
    except getopt.GetoptError as error:
        raise Usage(PW_USAGE) from error
    options = dict(pairs)
    if words or ("-t" in options and "-s" in options):
        raise Usage(PW_USAGE)
    if "-l" in options:
        print(" ".join(SCHEMES) + " ")
        return 0
    password = _asked(options, twice="-t" not in options)
    try:
        if "-t" in options:
            if not verify(password.reveal(), options["-t"].encode()):
                raise Fatal("reverse password verification check failed: Password mismatch")
            print(f"{options['-t']} (verified)")
            return 0
        rounds = options.get("-r", "0")
        if not (rounds.isascii() and rounds.isdigit()) or len(rounds) > 6:
            raise Fatal(f"Invalid number of rounds: {rounds}", status=64)
        stored = make(options.get("-s", DEFAULT_SCHEME), password.reveal(), rounds=int(rounds))
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
