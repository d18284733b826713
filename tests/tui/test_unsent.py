import json
from pathlib import Path

import pytest

from orchestrator_tui.tui.unsent import FILE, Unsent


async def test_words_are_there_after_the_next_start_until_they_are_sent(tmp_path: Path) -> None:
    words = Unsent(tmp_path)
    words["a question"] = "less moon"
    words["another"] = "more bees"
    await words.store()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    later = Unsent(tmp_path)
    assert dict(later) == {"a question": "less moon", "another": "more bees"}
    later.pop("a question")
    await later.store()
    assert dict(Unsent(tmp_path)) == {"another": "more bees"}


async def test_two_dashboards_keep_each_other_s_words(tmp_path: Path) -> None:
    one, two = Unsent(tmp_path), Unsent(tmp_path)
    one["mine"] = "1"
    await one.store()
    two["yours"] = "2"
    await two.store()
    assert dict(Unsent(tmp_path)) == {"mine": "1", "yours": "2"}


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}'])
async def test_a_damaged_file_costs_nothing_but_what_was_in_it(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    words = Unsent(tmp_path)
    assert dict(words) == {}
    words["a question"] = "less moon"
    await words.store()
    assert json.loads((tmp_path / FILE).read_text()) == {"a question": "less moon"}


async def test_words_that_cannot_be_written_stay_in_memory(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    words = Unsent(tmp_path / "a file")
    words["a question"] = "less moon"
    await words.store()
    assert words["a question"] == "less moon"
