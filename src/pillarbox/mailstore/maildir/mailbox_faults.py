"""What goes wrong with a mailbox's files, in the words of the store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pillarbox.mailstore.deliver import fault_of
from pillarbox.mailstore.mailbox import NoSuchMailbox


@contextmanager
def mailbox_faults(name: str, directory: bytes) -> Iterator[None]:
    """Raises NoSuchMailbox where files are missing, StoreUnavailable or OverQuota for other errors."""
    try:
        yield
    except (FileNotFoundError, NoSuchMailbox) as error:
        raise NoSuchMailbox(name) from error
    except OSError as error:
        raise fault_of(error, os.fsdecode(directory)) from error
