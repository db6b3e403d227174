"""The command line of postconf: options that go together, and those that do not.

FAULTS
    Stop    an option that does not exist, is not served yet, or cannot be given together with another.
"""

import getopt
import os
import sys
from collections.abc import Iterable
from typing import Final

import msgspec

from pillarbox.tools.wrong_options import complaint

_LETTERS: Final = "aAbc:C:deEfFhHjlmMno:pPqtT:vxX#"
_DEFAULT_DIRECTORY: Final = "/etc/postfix"
_KINDS: Final = ("-a", "-A", "-b", "-F", "-l", "-m", "-M", "-p", "-P", "-t", "-T")
_ACTIONS: Final = ("-d", "-e", "-n", "-X", "-#")
_BY_FILE: Final = ("-b", "-t")
_NOT_SERVED: Final = {
    "-j": "there is no JSON output yet",
}
_ONE_OF: Final = (
    _KINDS,
    _ACTIONS,
    ("-e", "-f", "-X", "-#"),
    ("-e", "-x", "-X", "-#"),
    ("-d", "-e", "-o", "-X", "-#"),
    ("-e", "-h", "-H", "-X", "-#"),
)
_ALWAYS: Final = ("-c", "-C", "-q", "-v")
# What may be given together with each kind of request, besides the kind itself and the above.
_TOGETHER: Final = {
    "-p": "-e -X -# -f -h -H -o -x -d -n",
    "-M": "-e -X -# -f -o -x",
    "-F": "-e -f -h -H -o -x",
    "-P": "-e -X -f -h -H -o -x",
}
_USAGE: Final = (
    "usage: postconf [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] [-c config_dir] "
    "[-C param_class] [-d (parameter defaults)] "
    "[-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] [-h (no names)] [-H (no values)] "
    "[-l (lock types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] "
    "[-o name=value (override parameter value)] [-p (main.cf, default)] [-P (master.cf parameters)] "
    "[-q (no warnings)] [-t (bounce templates)] "
    "[-T compile-version|run-version|public-key-algorithms] [-v (verbose)] "
    "[-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]"
)


class Stop(Exception):
    """`postconf: fatal: …` and exit status 1."""


class Request(msgspec.Struct):
    """The command line."""

    options: list[tuple[str, str]]
    arguments: list[str]

    def has(self, letter: str) -> bool:
        """Whether the option was given."""
        return any(option == letter for option, _value in self.options)

    def values(self, letter: str) -> list[str]:
        """Its values, in order."""
        return [value for option, value in self.options if option == letter]

    @property
    def kind(self) -> str:
        """What is asked for: -p if nothing says otherwise."""
        return next((option for option, _value in self.options if option in _KINDS), "-p")

    @property
    def action(self) -> str:
        """What is done with it; empty for showing the values in effect."""
        return next((option for option, _value in self.options if option in _ACTIONS), "")

    @property
    def edits(self) -> bool:
        """Whether files are to be changed."""
        return self.action in ("-e", "-X", "-#")

    @property
    def directory(self) -> str:
        """The configuration directory."""
        named = self.values("-c")
        return named[-1] if named else os.environ.get("MAIL_CONFIG", _DEFAULT_DIRECTORY)

    @property
    def directory_is_named(self) -> bool:
        """Whether -c or MAIL_CONFIG names it."""
        return self.has("-c") or "MAIL_CONFIG" in os.environ

    def path(self, name: str) -> str:
        """A file in it."""
        return os.path.join(self.directory, name)


def parse_request(argv: list[str]) -> Request:
    """The request that the arguments make.  Stop if they make none."""
    try:
        options, arguments = getopt.getopt(argv, _LETTERS)
    except getopt.GetoptError as error:
        print(f"postconf: {complaint(error)}", file=sys.stderr)
        raise Stop(_USAGE) from error
    request = Request(options, arguments)
    if request.has("-E"):
        raise Stop(_USAGE)  # Postfix's command knows the letter and has no use for it
    for letter, reason in _NOT_SERVED.items():
        if request.has(letter):
            raise Stop(f"option {letter} is not served yet: {reason}")
    editing = request.kind in _TOGETHER and any("=" in argument for argument in arguments[:1])
    if editing and not request.has("-e"):
        request.options.append(("-e", ""))
    for group in _ONE_OF:
        given = [letter for letter in group if request.has(letter)]
        if len(given) > 1:
            raise Stop(f"specify one of {(' and ' if given == list(_BY_FILE) else ' ').join(given)}")
    allowed = (*_TOGETHER.get(request.kind, "").split(), request.kind, *_ALWAYS)
    for option, _value in request.options:
        if option not in allowed:
            raise Stop(f"with option {request.kind}, do not specify {option}")
    return request


def warn(warnings: Iterable[str]) -> None:
    """`postconf: warning: …` on standard error, behind what has been printed before."""
    sys.stdout.flush()
    for warning in warnings:
        print(f"postconf: warning: {warning}", file=sys.stderr)
