"""postqueue(1): see and flush the queue.

DESCRIPTION
    postqueue [-v] [-c config_dir] -p            list the queue, as mailq(1)
    postqueue [-v] [-c config_dir] -j            the same in JSON, one object per line
    postqueue [-v] [-c config_dir] -f            try all deferred mail now
    postqueue [-v] [-c config_dir] -i queue_id   try this message now
    postqueue [-v] [-c config_dir] -s site       try mail for this site now (fast_flush_domains)

    The queue manager is asked over its sockets, whoever's it is: Postfix's or ours.  While the mail system is down
    root is shown the queue all the same.

    A listing begins with next to nothing imported (quick_listing.py); all else is in queue_requests.py.

FAULTS
    69 the mail system is down; wrong use; not allowed, as in Postfix    70 the other side speaks otherwise
"""

import sys

from pillarbox.tools import run_command
from pillarbox.tools.quick_listing import list_quickly


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if not list_quickly(arguments):
        from pillarbox.tools.queue_requests import carry_out

        return carry_out(arguments)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    run_command(main)
