from collections.abc import Sequence

import pytest

from orchestrator_tui.engine.detection import (
    Finding,
    Pattern,
    StuckDetector,
    Thresholds,
    bounces,
    normalized,
    patience,
    repeated,
    signature,
)

Step = tuple[str, str, str, bool]


def fed(steps: Sequence[Step], thresholds: Thresholds | None = None) -> list[Finding]:
    """What a detector finds in calls of (tool, argument, answer, is_error)."""
    detector = StuckDetector(thresholds or Thresholds())
    detector.begin_turn()
    found = []
    for number, (tool, argument, answer, is_error) in enumerate(steps):
        detector.called(str(number), tool, {"command": argument})
        if (finding := detector.returned(str(number), answer, is_error=is_error)) is not None:
            found.append(finding)
    return found


def ok(argument: str, answer: str = "fine") -> Step:
    return "Bash", argument, answer, False


def bad(argument: str, answer: str) -> Step:
    return "Bash", argument, answer, True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("failed after 12 tries", "failed after 7 tries"),
        ("/tmp/a/b.py:12: no name x", "/home/c/d.py:97: no name x"),
        ("src/a.py: no name x", "src/deep/b.py: no name x"),
        ("session 0b8c5a2e-1111-4222-8333-944444444444 lost", "session 9b8c5a2e-1111-4222-8333-94444444444f lost"),
        ("object at 0x7f3a1b", "object at 0x9999aa"),
        ("commit deadbeef12 is bad", "commit 01234abcde is bad"),
        ("2026-11-27T14:35:05Z down", "2025-01-02 03:04:05.123 down"),
        ("at 14:35 it stopped", "at 09:02:11 it stopped"),
        ("took 1.234 s", "took 88 s"),
        ("\x1b[31mred\x1b[0m  text", "red text"),
        ("request req_011abc failed", "request req_9Zz failed"),
    ],
)
def test_errors_that_differ_in_what_varies_only_are_the_same(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)
    assert signature(one) == signature(other)


def test_errors_that_differ_in_words_are_not_the_same() -> None:
    assert signature("no name x") != signature("no name y")


def test_the_same_error_of_the_same_call_is_found_whatever_was_done_in_between() -> None:
    failing = bad("python -m pytest", "1 failed in 0.31s: assert add(2, 2) == 5")
    steps = [failing, ok("edit 1"), failing, ok("edit 2"), ok("edit 3")]
    assert fed(steps) == []
    (found,) = fed([*steps, bad("python -m pytest", "1 failed in 0.87s: assert add(2, 2) == 5")])
    assert found.pattern is Pattern.SAME_ERROR
    assert "python -m pytest" in found.text


def test_different_calls_that_fail_alike_in_a_row_are_the_same_error() -> None:
    steps = [("Edit", f"change {n}", "String to replace not found in file.", True) for n in range(3)]
    (found,) = fed(steps)
    assert found.pattern is Pattern.SAME_ERROR


def test_searches_without_a_match_are_no_error_that_repeats() -> None:
    assert fed([bad(f"grep {word} a.py", "Exit code 1") for word in ("one", "two", "three", "four")]) == []


def test_the_same_call_with_the_same_answer_is_found_the_fourth_time() -> None:
    assert fed([ok("ls")] * 3) == []
    (found,) = fed([ok("ls", f"total {number}") for number in range(4)])
    assert found.pattern is Pattern.SAME_CALL


def test_the_same_call_whose_answer_changes_makes_progress() -> None:
    assert fed([ok("ls", answer) for answer in ("none", "one", "two", "three", "four")]) == []


def test_two_calls_back_and_forth_are_found_when_six_long() -> None:
    steps = [ok("cat a", "a"), ok("cat b", "b")] * 3
    assert fed(steps[:5]) == []
    (found,) = fed(steps)
    assert found.pattern is Pattern.ALTERNATION
    assert "cat a" in found.text and "cat b" in found.text


def test_three_calls_in_a_round_are_no_back_and_forth() -> None:
    assert fed([ok("cat a"), ok("cat b"), ok("cat c")] * 3) == []


def test_after_a_finding_is_counted_anew() -> None:
    assert len(fed([ok("ls")] * 7)) == 1
    assert len(fed([ok("ls")] * 8)) == 2


def test_three_turns_of_talk_without_a_tool_are_found() -> None:
    detector = StuckDetector(Thresholds())
    found = []
    for _ in range(3):
        detector.begin_turn()
        found.append(detector.end_turn())
    assert found[:2] == [None, None]
    assert found[2] is not None and found[2].pattern is Pattern.TALK


def test_a_tool_in_between_makes_it_no_mere_talk() -> None:
    detector = StuckDetector(Thresholds(talk=2))
    for number in range(4):
        detector.begin_turn()
        if number % 2:
            detector.called(str(number), "Bash", {})
        assert detector.end_turn() is None


def test_thresholds_are_settings() -> None:
    assert len(fed([ok("ls")] * 2, Thresholds(same_call=2))) == 1
    assert fed([ok("ls")] * 9, Thresholds(same_call=10, alternation=20)) == []


def test_repeats_are_counted_from_the_end() -> None:
    assert [repeated(text) for text in ("", "a", "ab", "abb", "bbab", "aaa")] == [0, 1, 1, 2, 1, 3]


def test_only_what_was_done_and_fails_again_has_bounced() -> None:
    assert bounces([False, False, True]) == 0
    assert bounces([False, True, False, True, False]) == 2


def test_a_silent_shell_command_is_no_stall_before_its_own_time_is_over() -> None:
    assert patience(60, []) == 60
    assert patience(60, [("Read", {})]) == 60
    assert patience(60, [("Bash", {"command": "make test"})]) > 120
    assert patience(60, [("Bash", {"command": "make test", "timeout": 600_000})]) > 600
    assert patience(60, [("Bash", {"command": "make test", "timeout": 9_000_000})]) < 700
    assert patience(1800, [("Bash", {"command": "make test", "timeout": 600_000})]) == 1800


def test_a_long_word_of_dots_and_dashes_is_looked_at_in_no_time() -> None:
    # Each would take seconds, with everything else at a stand, if it were looked through anew from each of its parts.
    for word in ("a." * 10_000, "a-" * 10_000, "1." * 10_000):
        for _ in range(50):
            assert len(normalized(word)) <= len(word)
