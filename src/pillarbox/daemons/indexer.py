"""An indexer: a process that reads messages for an account worker, with the same rights.

DESCRIPTION
    Forked by the spawner when a worker asks for it, it answers the questions that come over its channel
    (mailstore/cache/indexing.py) and goes when the channel ends.  What it has found goes into the cache when no
    question has come for a moment, until one does; questions whose answer nobody waits for come last.
"""

import select
import socket
from collections import deque
from typing import Final

import msgspec

from pillarbox.files.file_system import DISK
from pillarbox.mailstore.cache.indexing import Indexing, IndexMessages, IndexTexts, fills
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter

MOMENT: Final = 0.05
"""Seconds without a question after which there is time for the cache."""
_READ: Final = 65536


def serve_indexing(sock: socket.socket) -> None:
    """The process's life, from the fork on."""
    indexing = Indexing(DISK)
    decoder = msgspec.msgpack.Decoder(IndexMessages | IndexTexts)
    reader: FrameReader[IndexMessages | IndexTexts] = FrameReader(decoder)
    asked: deque[IndexMessages | IndexTexts] = deque()  # answers that a client waits for
    filling: deque[IndexMessages | IndexTexts] = deque()
    sock.setblocking(True)
    patience = MOMENT
    try:
        while True:
            if not asked and (indexing.waiting or filling) and not select.select([sock], [], [], patience)[0]:
                patience = 0.0
                if indexing.waiting:
                    indexing.keep_some()
                else:
                    _answer(sock, indexing, filling.popleft())
            elif asked:
                _answer(sock, indexing, asked.popleft())
                patience = MOMENT
            else:
                data = sock.recv(_READ)
                if not data:
                    return
                for frame, _ in reader.feed(data):
                    (filling if fills(frame) else asked).append(frame)
                patience = patience if asked or indexing.waiting else 0.0
    except (OSError, ChannelClosed):
        return  # the worker is gone
    finally:
        indexing.close()
        sock.close()


def _answer(sock: socket.socket, indexing: Indexing, question: IndexMessages | IndexTexts) -> None:
    writer = FrameWriter()
    writer.put(indexing.answer(question))
    writer.write_to(sock)
