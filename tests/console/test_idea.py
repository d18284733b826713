import io
from pathlib import Path

import pytest

from orchestrator_tui.adapters.idea import LONGEST_IDEA, check_idea, read_idea_file
from orchestrator_tui.domain.errors import BadIdea
from tests.unprivileged import readable_folder, unprivileged


def test_an_idea_loses_the_blanks_around_it() -> None:
    assert check_idea("  a house\nwith a garden \n") == "a house\nwith a garden"


@pytest.mark.parametrize("text", ["", " \n\t ", "a\0b", "x" * (LONGEST_IDEA + 1), "\udcff"])
def test_an_idea_that_cannot_be_used_says_why_and_what_to_do(text: str) -> None:
    with pytest.raises(BadIdea) as refused:
        check_idea(text)
    assert "\n" not in refused.value.line()
    assert refused.value.hint


def test_the_longest_idea_is_allowed_also_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "idea.md"
    file.write_text("ü" * LONGEST_IDEA, encoding="utf-8")
    assert len(read_idea_file(str(file), io.BytesIO())) == LONGEST_IDEA


def test_a_dash_reads_standard_input_and_a_byte_order_mark_is_dropped() -> None:
    assert read_idea_file("-", io.BytesIO(b"\xef\xbb\xbfa house")) == "a house"


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"a\0b", b"\x7fELF\0", b"x" * 500_000])
def test_a_file_that_holds_no_idea_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "idea.md"
    file.write_bytes(data)
    with pytest.raises(BadIdea, match=r"idea\.md"):
        read_idea_file(str(file), io.BytesIO())


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadIdea, match="it is a folder"):
        read_idea_file(str(tmp_path), io.BytesIO())
    with pytest.raises(BadIdea, match="no such file"):
        read_idea_file(str(tmp_path / "nothing"), io.BytesIO())


def test_an_unreadable_file_says_so() -> None:
    with readable_folder() as folder:
        file = folder / "idea.md"
        file.write_text("a house")
        file.chmod(0)
        with unprivileged(), pytest.raises(BadIdea, match="permission denied"):
            read_idea_file(str(file), io.BytesIO())
