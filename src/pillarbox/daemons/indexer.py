"""An indexer: a process that reads messages for an account worker, with the same rights.

DESCRIPTION
    Forked by the spawner when a worker asks for it, it answers the questions that come over its channel
    (mailstore/cache/indexing.py), fills the cache when none has come for a moment, until one does, and goes when
    the channel ends.
"""

import select
import socket
from collections import deque
from typing import Final

import msgspec

from pillarbox.files.file_system import DISK
from pillarbox.mailstore.cache.indexing import Indexing, IndexMessages, IndexTexts
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter

MOMENT: Final = 0.05
"""Seconds without a question after which there is time for the cache."""
_READ: Final = 65536


def serve_indexing(sock: socket.socket) -> None:
    """The process's life, from the fork on."""
    indexing = Indexing(DISK)
    decoder = msgspec.msgpack.Decoder(IndexMessages | IndexTexts)
    reader: FrameReader[IndexMessages | IndexTexts] = FrameReader(decoder)
    asked: deque[IndexMessages | IndexTexts] = deque()
    sock.setblocking(True)
    patience = MOMENT
    try:
        while True:
            if not asked:
                if indexing.waiting and not select.select([sock], [], [], patience)[0]:
                    indexing.keep_some()
                    patience = 0.0
                    continue
                data = sock.recv(_READ)
                if not data:
                    return
                asked.extend(frame for frame, _ in reader.feed(data))
                continue
            writer = FrameWriter()
            writer.put(indexing.answer(asked.popleft()))
            patience = MOMENT
            writer.write_to(sock)
    except (OSError, ChannelClosed):
        return  # the worker is gone
    finally:
        indexing.close()
        sock.close()
