"""How a benchmark tells its numbers: a table for people, a JSON file for comparisons."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One measured value.

    Attributes:
        value: what our code reached, in `unit`.
        baseline: what it is compared with, measured in the same run; None when there is nothing to compare with.
        target: the ratio (or the value, without a baseline) to reach; None when it is only watched.
    """

    value: float
    unit: str
    baseline: float | None = None
    target: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """`value` over `baseline`."""
        return None if not self.baseline else self.value / self.baseline

    @property
    def verdict(self) -> str:
        """Whether the target is reached; "" without one."""
        if self.target is None:
            return ""
        reached = self.value if self.ratio is None else self.ratio
        return "met" if (reached >= self.target if self.more_is_better else reached <= self.target) else "MISSED"


def report(name: str, metrics: Mapping[str, Metric]) -> None:
    """Print the metrics and write them to `benchmarks/results/<name>.json`."""
    sys.stdout.write(table(metrics))
    RESULTS.mkdir(exist_ok=True)
    content = {title: _plain(metric) for title, metric in metrics.items()}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def table(metrics: Mapping[str, Metric]) -> str:
    """The metrics as aligned text."""
    lines: list[tuple[str, ...]] = [("metric", "value", "baseline", "ratio", "target", "unit", "")]
    for title, metric in metrics.items():
        numbers = (metric.value, metric.baseline, metric.ratio, metric.target)
        lines.append((title, *(_shown(number) for number in numbers), metric.unit, metric.verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _shown(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _plain(metric: Metric) -> dict[str, float | str | None]:
    def rounded(number: float | None) -> float | None:
        return None if number is None else float(f"{number:.6g}")

    return {
        "value": rounded(metric.value),
        "baseline": rounded(metric.baseline),
        "ratio": rounded(metric.ratio),
        "target": metric.target,
        "unit": metric.unit,
    }
