"""Interleaved runs: A B A B …, so that a machine whose speed drifts is the same for both."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Row:
    """One row of the report: the same work done by the original and by us, `figures` in pairs."""

    name: str
    unit: str
    more_is_better: bool
    original: str
    theirs: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    processor: list[tuple[float, float]] = field(default_factory=list)
    """Milliseconds of processor time of their processes and of ours, in pairs; a busy machine shows less in it."""

    @property
    def ratio(self) -> float:
        """How many times better we are, by the median of the pairs' ratios; above 1 is ahead."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return statistics.median(a / b if self.more_is_better else b / a for a, b in pairs)

    def line(self) -> str:
        """A line of a Markdown table: medians, spreads and the ratio."""
        return f"| {self.name} | {_spread(self.theirs)} | {_spread(self.ours)} {self.unit} | **{self.ratio:.2f}×** | {self._processor()} |"

    def _processor(self) -> str:
        if not self.processor:
            return ""
        theirs, ours = (statistics.median(pair[side] for pair in self.processor) for side in (0, 1))
        return f"{theirs:.0f} / {ours:.0f} ms"


def _spread(figures: list[float]) -> str:
    low, middle, high = min(figures), statistics.median(figures), max(figures)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 3
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def is_wanted(name: str, only: str) -> bool:
    """Whether a row's name holds one of the texts of `only`, between which there is `|`."""
    return any(text in name for text in only.split("|"))


def interleave(row: Row, theirs: Callable[[], float], ours: Callable[[], float], *, runs: int) -> Row:
    """Run both in turn, a warm-up first."""
    theirs()
    ours()
    for _ in range(runs):
        row.theirs.append(theirs())
        row.ours.append(ours())
    return row


@dataclass
class Costs:
    """Processor time per message of a row, in milliseconds by program, one dict per run."""

    name: str
    theirs: list[dict[str, float]]
    ours: list[dict[str, float]]

    def line(self) -> str:
        """A line of a Markdown table: both sums, and ours by role."""
        theirs, ours = (
            statistics.median(sum(run.values()) for run in runs) for runs in (self.theirs, self.ours)
        )
        medians = {
            name: statistics.median(run.get(name, 0.0) for run in self.ours)
            for name in dict.fromkeys(name for run in self.ours for name in run)
        }
        parts = ", ".join(f"{name} {used:.2f}" for name, used in medians.items() if used >= 0.005)
        return f"| {self.name} | {theirs:.2f} | {ours:.2f} | {parts} |"
