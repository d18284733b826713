"""How long a decision about a Bash command takes, over the commands of the tests, beside splitting them into words.

Each command is decided a few times, and its fastest decision counts: what else the machine does is not measured.
"""

import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from benchmarks.report import Metric, report
from orchestrator_tui.agents import policy
from orchestrator_tui.agents.rules import Rules
from tests.agents.commands import commands, make_project

ROUNDS = 7
TARGET_MILLISECONDS = 1.0
RULES = Rules(allow=("npm run *", "docker compose up"), ask=("make deploy",), deny=("git push *", "rm -rf *"))


def milliseconds(act: Callable[[], object]) -> float:
    """The fastest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - started))
    return min(times)


def split(command: str) -> None:
    with suppress(ValueError):
        shlex.split(command)


def main() -> int:
    """Measure, print a table, write `benchmarks/results/policy.json`; 1 when a decision takes too long."""
    with tempfile.TemporaryDirectory(prefix="policy-") as folder:
        project = make_project(Path(folder) / "project")
        texts = [command.text for command in commands()]
        decide = partial(policy.decide, directory=project, rules=RULES)
        decide(texts[0])
        decided = [milliseconds(partial(decide, text)) for text in texts]
        words = [milliseconds(partial(split, text)) for text in texts]
    slowest = statistics.quantiles(decided, n=20)[-1]
    report(
        "policy",
        {
            "a decision, p95": Metric(value=slowest, target=TARGET_MILLISECONDS, unit="ms"),
            "a decision beside shlex.split, p95": Metric(
                value=slowest, baseline=statistics.quantiles(words, n=20)[-1], unit="ms"
            ),
            "a decision beside shlex.split, median": Metric(
                value=statistics.median(decided), baseline=statistics.median(words), unit="ms"
            ),
            "commands": Metric(value=len(texts), unit=""),
        },
    )
    return 0 if slowest < TARGET_MILLISECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
