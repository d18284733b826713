import asyncio
from pathlib import Path

from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.engine.allowances import Allowance, Place
from orchestrator_tui.engine.capacity import BYTES_PER_AGENT, Capacity, available, cores_of, left_in
from orchestrator_tui.engine.seat import LocalPlaces, Seat


def test_a_machine_carries_what_its_cores_and_its_memory_do() -> None:
    assert Capacity(cores=2, memory=None).agents == 8
    assert Capacity(cores=2, memory=3 * BYTES_PER_AGENT).agents == 3
    assert Capacity(cores=64, memory=10 * BYTES_PER_AGENT).agents == 10
    assert Capacity(cores=2, memory=0).agents == 1
    assert Capacity.here().agents >= 1


def test_memory_that_is_not_told_is_not_known(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    assert available(file) is None
    file.write_text("MemTotal: 8000 kB\n")
    assert available(file) is None
    file.write_text("MemTotal: 8000 kB\nMemAvailable:    4000 kB\n")
    assert available(file) == 4_096_000


def test_a_container_has_what_its_limit_leaves(tmp_path: Path) -> None:
    assert left_in(tmp_path) is None
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 2000\ninactive_file 1000\n")
    for most, left in (("max", None), ("5000", 3000), ("1000", 0)):
        (tmp_path / "memory.max").write_text(f"{most}\n")
        assert left_in(tmp_path) == left


def test_a_container_has_the_cores_that_its_limit_gives_it(tmp_path: Path) -> None:
    assert cores_of(tmp_path) is None
    for told, cores in (("max 100000", None), ("250000 100000", 3), ("50000 100000", 1), ("0 0", None)):
        (tmp_path / "cpu.max").write_text(f"{told}\n")
        assert cores_of(tmp_path) == cores


class Rested:
    """What a seat asks of the budget."""

    def __init__(self) -> None:
        self.times = 0

    def rest(self, allowance: Allowance) -> None:
        allowance.rests = True
        self.times += 1


async def test_a_seat_that_is_given_back_is_another_s_until_it_is_taken_again() -> None:
    budget, place = Rested(), Place(phase=PhaseName.IMPLEMENT)
    places = LocalPlaces(1)
    one, other = (Seat(places, budget, place, "developer") for _ in range(2))  # type: ignore[arg-type]
    one.allowance = Allowance(place=place, limits={}, base={}, subjects={}, began=0.0, dollars=3.0)
    await one.take()
    await one.take()
    assert places.are_taken
    assert one.allowance.promised == 3.0
    await one.give()
    await one.give()
    assert one.allowance.promised == 0.0
    await other.take()
    waiting = asyncio.create_task(one.take())
    await other.give()
    await waiting
    assert places.are_taken
    assert one.allowance.promised == 3.0
    await one.give()
    assert not places.are_taken
