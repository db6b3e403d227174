"""postmap(1): make, ask, change and list lookup tables.

DESCRIPTION
    postmap [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [type:]file …

    (nothing)  make the database of each text file       -i  add the entries of standard input
    -q key     print the value of the key                -q -  of each line of standard input
    -d key     take the key out                          -d -  each line of standard input
    -s         print all keys and values
    -b -h -m   with -q -: keys are body lines, header fields, those of MIME parts too, of a message
    -r         replace entries that are there already    -w  leave them, without a warning
    -F         values name files, whose content is stored in base64
    -f         do not fold keys to lower case            -u  no UTF-8   -U  UTF-8 with -b and -h too
    -N  -n     with, without a NUL at the end of keys and values
    -o         do not become the source's owner          -p  do not copy the source's permissions
    -c         configuration directory (or MAIL_CONFIG)  -v  tell what is asked and answered

    Without a type it is default_database_type.  Files are made of type hash, btree and lmdb; all types of
    `postconf -m` are asked.

FAULTS
    exit 1   nothing found; or `postmap: fatal: …` on standard error.  Warnings leave it at 0.
"""

import sys
from typing import Final

from pillarbox.tables.map_source import map_entries
from pillarbox.tools import run_command
from pillarbox.tools.command_settings import Stop, tell
from pillarbox.tools.message_keys import message_keys
from pillarbox.tools.table_building import build
from pillarbox.tools.table_queries import delete, lines_of_stdin, queries, query, sequence
from pillarbox.tools.table_request import Command, Request, parse_request
from pillarbox.vocabulary.faults import ConfigurationFault

POSTMAP: Final = Command(
    program="postmap",
    letters="bc:d:fFhimnNopq:rsuUvw",
    usage="usage: postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    entries=map_entries,
    key_end="",
)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    return run_table_command(POSTMAP, sys.argv[1:] if argv is None else argv)


def run_table_command(command: Command, argv: list[str]) -> int:
    """postmap, or another command that works as it does."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")
    try:
        status = _run(parse_request(command, argv))
        sys.stdout.buffer.flush()
    except Stop as stop:
        return _fatal(command, str(stop))
    except ConfigurationFault as fault:
        return _fatal(command, f"{fault.where}: {fault.what}" if fault.where else fault.what)
    return status


def _fatal(command: Command, text: str) -> int:
    sys.stdout.buffer.flush()
    tell(command.program, f"fatal: {text}")
    return 1


def _run(request: Request) -> int:
    if request.delete is not None:
        keys = lines_of_stdin() if request.delete == "-" else iter((request.delete,))
        return 0 if delete(request, keys) else 1
    if request.query == "-":
        keys = lines_of_stdin()
        if request.header or request.body:
            keys = message_keys(
                keys,
                header=request.header,
                body=request.body,
                mime=request.mime,
                size_limit=request.header_size_limit,
            )
        return 0 if queries(request, keys) else 1
    if request.query is not None:
        return 0 if query(request, request.query) else 1
    if request.sequence:
        for name in request.names[:1]:
            sequence(request, name)
        return 0 if request.names else 1
    for name in request.names:
        build(request, name)
    return 0


if __name__ == "__main__":
    run_command(main)
