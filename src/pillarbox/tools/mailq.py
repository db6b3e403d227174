"""mailq(1): the queue, listed; the rest of sendmail(1) is imported if there are options."""

import sys

from pillarbox.tools import postqueue, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments:
        return postqueue.main(["-p"])
    from pillarbox.tools.sendmail import mailq

    return mailq(arguments)


if __name__ == "__main__":
    run_command(main)
