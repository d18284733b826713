import os
from pathlib import Path

import pytest

from orchestrator_tui.domain import owner


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """This very process, as it would be named on another machine, or in another container, of the same name."""
    machine = tmp_path / "machine-id"
    machine.write_text("another machine\n")
    owner._place.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(owner, "_MACHINE", machine)
        named = owner.this_process()
    owner._place.cache_clear()
    return named


def test_a_process_knows_itself() -> None:
    me = owner.this_process()
    assert me.startswith(f"process {os.getpid()} on ")
    assert owner.is_here(me)
    assert not owner.is_gone(me)


def test_a_number_of_another_machine_of_the_same_name_says_nothing_here(elsewhere: str) -> None:
    ended = elsewhere.replace(" since ", " since 9")
    assert not owner.is_here(elsewhere)
    assert not owner.is_gone(elsewhere)
    assert not owner.is_gone(ended)


def test_a_process_of_this_machine_that_ended_is_gone() -> None:
    assert owner.is_gone(owner.this_process().replace(" since ", " since 9"))


def test_an_owner_that_was_named_without_its_place_is_looked_for_by_its_host() -> None:
    named = owner.this_process().rpartition(" in ")[0]
    assert owner.is_here(named)
    assert owner.is_gone(named.replace(" since ", " since 9"))
