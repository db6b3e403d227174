"""How many recipients wait for each domain, and how long already: the table of qshape(1).

DESCRIPTION
    Ages fall into buckets: up to `first` minutes, up to twice as many, and so on; or, linear, in equal steps.  The
    last bucket has no end.  With `parents`, domains count for their parents too: for mx.sub.example.com those are
    `.sub.example.com` and `.example.com`.  A parent is shown if enough domains are below it.

STANDARDS
    Postfix qshape(1)
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

TOTAL: Final = "TOTAL"
_NULL_SENDER: Final = "MAILER-DAEMON"
_DOTS: Final = re.compile(r"\.{2,}")
_NARROWEST: Final = 18  # columns for the domain, at least


class ShapeRules(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted, and how it is shown."""

    buckets: int = 10
    first: int = 5  # minutes
    linear: bool = False
    parents: bool = False
    least_subdomains: int = 5
    width: int = 80  # columns


class QueueShape:
    """Counts by domain and bucket."""

    def __init__(self, rules: ShapeRules) -> None:
        self._rules = rules
        self._rows: dict[str, list[int]] = {TOTAL: self._empty()}  # all buckets, then each
        self._subdomains: dict[str, int] = {}

    def add(self, addresses: Iterable[str], *, age: float) -> None:
        """One message's recipients (or its sender); `age` in seconds."""
        bucket = self._bucket(age)
        for address in addresses:
            self._count(TOTAL, bucket)
            domain = address.lower().rpartition("@")[2] or _NULL_SENDER
            domain = _DOTS.sub(".", domain).strip(".") or domain
            is_new = self._count(domain, bucket)
            while self._rules.parents and (parent := _parent(domain)):
                if is_new:
                    self._subdomains[parent] = self._subdomains.get(parent, 0) + 1
                domain, is_new = parent, self._count(parent, bucket)

    def _count(self, domain: str, bucket: int) -> bool:
        """Whether it is the first one there."""
        row = self._rows.setdefault(domain, self._empty())
        row[0] += 1
        row[bucket] += 1
        return row[0] == 1

    def _empty(self) -> list[int]:
        return [0] * (self._rules.buckets + 1)

    def _bucket(self, age: float) -> int:
        steps = age / (60 * self._rules.first)
        if steps < 1:
            return 1
        bucket = int(steps) + 1 if self._rules.linear else 2 + int(math.log2(steps))
        return min(bucket, self._rules.buckets)

    def table(self, *, top: int = 0) -> Iterator[str]:
        """Lines: the heading, the total, the domains with the most first; `top` of them, or all."""
        totals = self._rows[TOTAL]
        heads = [str(head) for head in self._heads()]
        widths = [max(len(head), len(str(total)), 2) + 1 for head, total in zip(heads, totals, strict=True)]
        room = max(self._rules.width - sum(widths), _NARROWEST)
        yield _line("", heads, widths, room)
        shown = 0
        for domain, row in sorted(self._rows.items(), key=lambda item: (-item[1][0], len(item[0]), item[0])):
            if domain.startswith(".") and self._subdomains.get(domain, 0) < self._rules.least_subdomains:
                continue
            if top and shown >= top:
                return
            shown += 1
            yield _line(domain, [str(count) for count in row], widths, room)

    def _heads(self) -> Iterator[str | int]:
        yield "T"
        end = 0
        for _ in range(self._rules.buckets - 1):
            end = 2 * end if end and not self._rules.linear else end + self._rules.first
            yield end
        yield f"{end}+"


def _parent(domain: str) -> str:
    """`.example.com` for a domain right below it; empty if only a top-level domain is left."""
    rest = domain.removeprefix(".").partition(".")[2]
    return f".{rest}" if "." in rest else ""


def _line(domain: str, cells: list[str], widths: list[int], room: int) -> str:
    if len(domain) > room:
        mark = ".+" if domain.startswith(".") else "+"
        domain = mark + domain[len(domain) - room + len(mark) :]
    return domain.rjust(room) + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
