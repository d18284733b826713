"""The fault run: projects on several workers and a PostgreSQL of their own, with faults at random; what they become
must be what they become undisturbed."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.cluster.faults import Faults, Plan, at_random, summary
from tests.crash.__main__ import only_what_is_needed
from tests.own_postgres import own_postgres


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=12)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--items", type=int, default=20, help="work items of each project")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long an agent takes for a tool call")
    parser.add_argument("--between", type=float, default=12.0, help="the longest time from one fault to the next")
    parser.add_argument("--stall", type=float, default=5.0, help="the setting cluster.stall_seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync", choices=("off", "git"), default="off", help="the setting workspace.sync")
    parser.add_argument("--lost", action="store_true", help="with --sync git: killed workers lose their disk, too")
    given = parser.parse_args()
    if given.lost and given.sync != "git":
        parser.error("--lost needs --sync git: without it all workers have one disk")
    only_what_is_needed()
    plan = Plan(
        projects=given.projects,
        workers=given.workers,
        items=given.items,
        seconds=given.seconds,
        between=given.between,
        stall=given.stall,
        faults=at_random(given.seed, given.faults),
        sync=given.sync == "git",
        lost=given.lost,
    )
    with tempfile.TemporaryDirectory(prefix="faults-") as name, own_postgres() as database:
        report = asyncio.run(Faults(Path(name), database, plan, tell).run())
    tell(json.dumps(summary(report, plan)))
    tell("\n".join(report.problems) or "every project is as undisturbed; nothing was lost and nothing done twice")
    within = not report.takeovers or summary(report, plan)["takeover_p99_seconds"] <= 2 * plan.stall
    limit = f"twice the stall setting of {plan.stall:g} s"
    tell(f"takeovers without a further fault within {limit}: {'yes' if within else 'no'}")
    return 1 if report.problems or report.faults < given.faults else 0


if __name__ == "__main__":
    sys.exit(main())
