"""THREAD's algorithms: which message answers which.

DESCRIPTION
    `Threads` builds a forest of `Node`s from what is known of the messages and writes it as THREAD's answer
    does, `(2)(3 6 (4 23)(44 7 96))`.  A node without a message stands for one that others refer to.

    Nothing here calls itself: a thread may be ten thousand messages deep.

STANDARDS
    RFC 5256 §3 (ORDEREDSUBJECT, REFERENCES; the steps are numbered as there), §5 (thread-data);
    draft-ietf-morg-inthread §3 (REFS: no gathering by subject, threads by their latest message)
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pillarbox.sessions.imap.thread_forest import Node, Threaded
from pillarbox.wire.imap.commands import ThreadAlgorithm


def thread_words(messages: Sequence[Threaded], algorithm: ThreadAlgorithm) -> list[int | bytes]:
    """The threads of the messages as the answer has them, in pieces: numbers, and what stands between them."""
    words: list[int | bytes] = []
    for root in _ALGORITHMS[algorithm](messages):
        _write(root, words)
    return words


def _ordered_subject(messages: Sequence[Threaded]) -> list[Node]:
    """By subject, then by date: the first of a subject is the parent of the others."""
    threads: dict[str, Node] = {}
    for message in sorted(messages, key=_date):
        first = threads.get(message.subject)
        if first is None:
            threads[message.subject] = Node(message)
        else:
            _put_under(first, Node(message))
    return list(threads.values())


def _references(messages: Sequence[Threaded]) -> list[Node]:
    roots = _sorted(_pruned(_linked(messages)))  # (1) to (4)
    return _sorted(_gathered(roots))  # (5), (6)


def _refs(messages: Sequence[Threaded]) -> list[Node]:
    roots = _sorted(_pruned(_linked(messages)))
    return sorted(roots, key=_latest)


_ALGORITHMS: Final[dict[ThreadAlgorithm, Callable[[Sequence[Threaded]], list[Node]]]] = {
    ThreadAlgorithm.ORDEREDSUBJECT: _ordered_subject,
    ThreadAlgorithm.REFERENCES: _references,
    ThreadAlgorithm.REFS: _refs,
}


# Linking.


def _linked(messages: Sequence[Threaded]) -> list[Node]:
    """(1), (2): every node without a parent."""
    nodes: dict[bytes, Node] = {}
    order: list[Node] = []

    def node_of(message_id: bytes) -> Node:
        node = nodes.get(message_id)
        if node is None:
            node = nodes[message_id] = Node()
            order.append(node)
        return node

    for message in messages:
        previous: Node | None = None
        for reference in message.references.split():  # (1)(A)
            node = node_of(reference)
            if previous is not None and node.parent is None and not previous.hangs_under(node):
                previous.adopt(node)
            previous = node
        own = nodes.get(message.message_id) if message.message_id else None
        if own is None or own.message is not None:  # no id, or one that another message has, too
            own = Node()
            order.append(own)
            if message.message_id and message.message_id not in nodes:
                nodes[message.message_id] = own
        own.message = message
        # (1)(B): "If this message already has a parent, break the … link"; the new one is that to the last
        # reference, "or NULL if none", and none if that would be a loop
        if own.parent is not None and own.parent is not previous:
            own.leave()
        if previous is not None and own.parent is None and not previous.hangs_under(own):
            previous.adopt(own)
    return [node for node in order if node.parent is None]


def _pruned(roots: list[Node]) -> list[Node]:
    """(3): places without a message go, unless they hold together what is a thread of its own."""
    pruned: list[Node] = []
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.children:
            kept = _next_messages(node)
            waiting += kept
            node.children = dict.fromkeys(kept)
    for root in roots:
        if root.message is None and len(root.children) < 2:
            pruned += root.children
        else:
            pruned.append(root)
    return pruned


def _next_messages(node: Node) -> list[Node]:
    """The messages under a node that have no other between it and them; places pass on what hangs under them."""
    found: list[Node] = []
    waiting = [*reversed(node.children)]
    while waiting:
        child = waiting.pop()
        if child.message is not None:
            found.append(child)
        else:
            waiting += reversed(child.children)
    return found


def _gathered(roots: list[Node]) -> list[Node]:
    """(5): threads of one base subject become one."""
    table: dict[str, Node] = {}
    for node in roots:  # (5)(B)
        subject = _subject_of(node)
        known = table.get(subject)
        if not subject:
            continue
        if known is None or (
            known.message is not None
            and (node.message is None or (known.message.is_reply and not node.message.is_reply))
        ):
            table[subject] = node
    place = {node: row for row, node in enumerate(roots)}
    gathered: list[Node | None] = list(roots)
    for node in roots:  # (5)(C)
        subject = _subject_of(node)
        known = table.get(subject)
        if not subject or known is None or known is node:
            continue
        gathered[place[node]] = None
        if known.message is None:
            for child in node.children if node.message is None else [node]:
                _put_under(known, child)
        elif node.message is not None and node.message.is_reply and not known.message.is_reply:
            _put_under(known, node)
        else:
            both = table[subject] = Node()
            place[both] = place[known]
            gathered[place[known]] = both
            _put_under(both, known)
            _put_under(both, node)
    return [node for node in gathered if node is not None]


def _put_under(parent: Node, child: Node) -> None:
    parent.children[child] = None


def _subject_of(node: Node) -> str:
    """The thread's subject: of its message, or of its first child's."""
    message = node.message or next(iter(node.children)).message
    return message.subject if message is not None else ""


# Ordering.


def _date(message: Threaded) -> tuple[int, int]:
    return message.sent, message.number


def _sorted(roots: list[Node]) -> list[Node]:
    """(6): siblings by date, from the lowest on, so that a place without a message has its first child's."""
    for node in _from_below(roots):
        if len(node.children) > 1:
            node.children = dict.fromkeys(sorted(node.children, key=_sibling_date))
    return sorted(roots, key=_sibling_date)


def _sibling_date(node: Node) -> tuple[int, int]:
    while node.message is None and node.children:
        node = next(iter(node.children))
    return _date(node.message) if node.message is not None else (0, 0)


def _latest(root: Node) -> tuple[int, int]:
    """The date of a thread's latest message."""
    return max(_date(node.message) for node in _from_below([root]) if node.message is not None)


def _from_below(roots: Sequence[Node]) -> Iterator[Node]:
    """All nodes, children before their parents."""
    found: list[Node] = []
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.children
    return reversed(found)


# Writing.


def _write(root: Node, words: list[int | bytes]) -> None:
    """`(3 6 (4 23)(44 7 96))`"""
    if not root.children and root.message is not None:
        words += (b"(", root.message.number, b")")
        return
    waiting: list[Node | bytes] = [b")", root, b"("]
    while waiting:
        node = waiting.pop()
        if isinstance(node, bytes):
            words.append(node)
            continue
        if node.message is not None:
            words.append(node.message.number)
            if node.children:
                words.append(b" ")
        if len(node.children) == 1:
            waiting += node.children
        else:
            for child in reversed(node.children):
                waiting += [b")", child, b"("]
