"""The forest that THREAD grows: nodes that are hung up and taken down, and whether one hangs under another.

DESCRIPTION
    Who writes messages decides which node hangs under which, and how deep: the way up from a node may be as long as
    there are messages, and a loop is looked for at every reference.  A short way is walked.  For a long one the
    nodes are held a second time in Sleator's and Tarjan's link-cut trees, in which a node's root is found in
    logarithmic time (amortized): each node is a member of a path, the path is a splay tree ordered by depth, and
    its topmost node knows the node that the path hangs under.  A node that nobody asked for is a path of its own,
    so that a forest of short threads pays next to nothing for it.

    When all nodes are linked, what is done to threads afterwards changes `children` alone.

STANDARDS
    D. D. Sleator, R. E. Tarjan, "A data structure for dynamic trees" (1983), and "Self-adjusting binary search
    trees" (1985)
"""

from typing import Final

import msgspec

WALKED: Final = 32
"""Steps up from a node before its root is looked for in the other way."""


class Threaded(msgspec.Struct, frozen=True, array_like=True):
    """A message as THREAD sees it."""

    number: int  # as the answer names it
    sent: int
    subject: str  # base subject, collated
    is_reply: bool
    message_id: bytes
    references: bytes  # ids with blanks between


class Node:
    """A message, or the place of one that is not there."""

    __slots__ = ("_deeper", "_higher", "_over", "children", "message", "parent")

    def __init__(self, message: Threaded | None = None) -> None:
        self.message = message
        self.parent: Node | None = None
        self.children: dict[Node, None] = {}
        self._over: Node | None = None  # in its path's splay tree; of the topmost, what the path hangs under
        self._higher: Node | None = None  # those of the path that are nearer the root
        self._deeper: Node | None = None

    def adopt(self, child: "Node") -> None:
        """Hang up a node that hangs nowhere, and under which this one does not hang."""
        _splay(child)
        child._over = self
        child.parent = self
        self.children[child] = None

    def leave(self) -> None:
        """Take the node down from its parent, with all that hangs under it."""
        if self.parent is None:
            return
        del self.parent.children[self]
        self.parent = None
        _splay(self)
        if self._higher is not None:
            self._higher._over = self._over
            self._higher = None
        self._over = None

    def hangs_under(self, root: "Node") -> bool:
        """Whether this is `root`, a node that hangs nowhere, or is under it: linking them would make a loop."""
        if not root.children:  # so are most
            return self is root
        above: Node = self
        for _ in range(WALKED):
            if above.parent is None:
                return above is root
            above = above.parent
        return _root_of(above) is root


def _root_of(node: Node) -> Node:
    _expose(node)
    while node._higher is not None:
        node = node._higher
    _splay(node)  # what was far down is near the next time
    return node


def _expose(node: Node) -> None:
    """Make the way from the root to the node one path, of whose tree the node is the topmost."""
    below: Node | None = None
    hook: Node | None = node
    while hook is not None:
        _splay(hook)
        hook._deeper = below
        below = hook
        hook = hook._over
    _splay(node)


def _splay(node: Node) -> None:
    """Make the node the topmost of its path's tree."""
    while True:
        over = node._over
        if over is None or (over._higher is not node and over._deeper is not node):
            return
        above = over._over
        if above is not None and (above._higher is over or above._deeper is over):
            _rotate(over if (above._higher is over) is (over._higher is node) else node)
        _rotate(node)


def _rotate(node: Node) -> None:
    """Let the node and the one over it in its path's tree change places."""
    over = node._over
    assert over is not None
    above = over._over
    if over._higher is node:
        moved = over._higher = node._deeper
        node._deeper = over
    else:
        moved = over._deeper = node._higher
        node._higher = over
    if moved is not None:
        moved._over = over
    over._over = node
    node._over = above
    if above is not None:
        if above._higher is over:
            above._higher = node
        elif above._deeper is over:
            above._deeper = node
