from dataclasses import replace
from pathlib import Path

from tests.cluster.faults import FREEZE, KILL, RESTART, Faults, Plan
from tests.own_postgres import own_postgres

SMALL = Plan(
    projects=2,
    workers=2,
    items=1,
    seconds=0.5,
    between=1.5,
    stall=2,
    heartbeat=0.5,
    faults=(KILL, RESTART, FREEZE),
)

SMALL_WITHOUT_SHARED_FOLDERS = replace(SMALL, faults=(KILL, FREEZE, KILL), sync=True, lost=True)


async def test_projects_whose_workers_are_killed_and_frozen_become_what_they_become_undisturbed(tmp_path: Path) -> None:
    with own_postgres() as database:
        report = await Faults(tmp_path, database, SMALL, lambda line: None).run()
    assert report.problems == []


async def test_nothing_that_was_finished_is_lost_with_the_disks_of_killed_workers(tmp_path: Path) -> None:
    with own_postgres() as database:
        report = await Faults(tmp_path, database, SMALL_WITHOUT_SHARED_FOLDERS, lambda line: None).run()
    assert report.problems == []
