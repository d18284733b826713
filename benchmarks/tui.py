"""The dashboard in a real terminal: from a key to its letter under load, memory, idling, opening; beside baselines.

Ratios beside a baseline are ours over theirs: `RichLog` under the same load, a bare Textual app, ten projects.
"""

from collections.abc import Iterator

from benchmarks.report import Metric, report
from benchmarks.tui_keys import LINES, Typed, typed
from benchmarks.tui_program import AGENTS, FEW, MANY, first_paint, idle, many_projects

PANES = (1, 6)
RATES = (1_000, 10_000)
"""Lines a second, in all panes together."""

KEYS = 80
SECONDS = 30.0
LIMIT_MS = 40.0
BYTES = 300.0
TIMES_FASTER = 15


def under_load(panes: int, rate: int) -> Iterator[tuple[str, Metric]]:
    """What typing is like while so many lines arrive, in our log and in Textual's."""
    ours = typed("LogView", panes, rate, keys=KEYS, seconds=SECONDS)
    theirs = typed("RichLog", panes, rate, keys=KEYS, seconds=SECONDS)
    load = f"{panes} pane{'s' if panes > 1 else ''}, {rate:,} lines/s over {LINES:,}"
    for percent in (50, 95, 99):
        value, baseline = ours.percentile(percent), theirs.percentile(percent)
        target = 1 / TIMES_FASTER if percent == 95 else None
        yield f"{load}: key to paint, p{percent}", Metric(value=value, baseline=baseline, target=target, unit="ms")
    yield f"{load}: key to paint, p95, alone", Metric(value=ours.percentile(95), target=LIMIT_MS, unit="ms")
    yield from watched(load, ours, theirs)


def watched(load: str, ours: Typed, theirs: Typed) -> Iterator[tuple[str, Metric]]:
    """What the times would be worth nothing without."""
    yield f"{load}: lines taken in", Metric(value=100 * ours.kept_up, baseline=100 * theirs.kept_up, unit="%")
    yield f"{load}: processor", Metric(value=100 * ours.processor, baseline=100 * theirs.processor, unit="%")
    yield f"{load}: bytes a line", Metric(value=ours.bytes_a_line, baseline=theirs.bytes_a_line, unit="bytes")
    yield f"{load}: bytes a line, alone", Metric(value=ours.bytes_a_line, target=BYTES, unit="bytes")


def main() -> None:
    """Measure everything, print a table, write `benchmarks/results/tui.json`."""
    metrics = {
        "first paint, beside a bare Textual app": first_paint(),
        f"newest project on the screen, {MANY:,} projects beside {FEW}": many_projects(),
        f"processor while {AGENTS} agents are quiet": idle(),
    }
    for panes in PANES:
        for rate in RATES:
            metrics.update(under_load(panes, rate))
    report("tui", metrics)


if __name__ == "__main__":
    main()
