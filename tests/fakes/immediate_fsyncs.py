"""`Fsyncs` over any `FileSystem`, without threads and without the kernel: for the crash model."""

import asyncio
from collections.abc import Sequence

from pillarbox.files.file_system import FileSystem
from pillarbox.files.fsync_batch import Done


class ImmediateFsyncs:
    """Syncs at once, calls back in the next turn of the loop."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files

    def start(self, descriptors: Sequence[int], done: Done) -> None:
        """See `Fsyncs`."""
        results = self._files.fsync_all(descriptors)
        asyncio.get_running_loop().call_soon(done, results)

    def close(self) -> None:
        """Nothing is ever left to wait for."""
