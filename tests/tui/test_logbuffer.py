import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import BLOCK, FOLDABLE, Kind, Place
from orchestrator_tui.tui.logsearch import find
from orchestrator_tui.tui.wrapping import lower, tidy, wrap

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TEXTS = st.text(
    st.one_of(st.sampled_from(" \n  abcé漢字👩🏽e\u0301\ufe0f❤─"), st.characters(exclude_categories=["Cs"])),
    max_size=60,
)
STEPS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(Kind), TEXTS),
    st.tuples(st.just("many"), st.integers(1, BLOCK + 5)),
    st.tuples(st.just("grow"), TEXTS),
    st.tuples(st.just("complete"), TEXTS),
    st.tuples(st.just("width"), st.integers(5, 90)),
    st.tuples(st.just("hide"), st.sets(st.sampled_from(Kind))),
    st.tuples(st.just("toggle"), st.integers(0, 1000)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("look"), st.integers(0, 1000)),
)


def kept(log: LogBuffer) -> list[str]:
    return [log.line(number).text for number in range(log.dropped, log.end)]


def naive_rows(log: LogBuffer) -> list[tuple[int, str]]:
    rows = []
    for number in range(log.dropped, log.end):
        line = log.line(number)
        if line.kind in log.hidden or (line.kind is Kind.DELTA and Kind.SAY in log.hidden):
            continue
        lines = line.text.split("\n")
        folded = line.kind in FOLDABLE and len(lines) > log.folds.over and log.is_folded(number)
        for text in lines[:1] if folded else lines:
            rows += [(number, text[a:b]) for a, b in wrap(text, log.text_width)]
        if folded:
            rows.append((number, f"› {len(lines)} lines"))
    return rows


def settle(log: LogBuffer) -> None:
    while log.settle():
        pass


@given(TEXTS.map(tidy), st.integers(2, 30))
def test_the_rows_of_a_text_are_the_text(text: str, width: int) -> None:
    assert "".join(text[a:b] for a, b in wrap(text, width)) == text.replace("\n", "")


@given(TEXTS.map(tidy), st.integers(2, 30))
def test_every_row_fits_but_for_one_hanging_blank(text: str, width: int) -> None:
    for start, end in wrap(text, width):
        row = text[start:end]
        assert cell_len(row) <= width or (row.endswith(" ") and cell_len(row[:-1]) <= width)


@given(st.lists(st.text("ab", min_size=1, max_size=4)).map(" ".join), st.integers(8, 30))
def test_wide_characters_break_where_narrow_ones_do(text: str, width: int) -> None:
    wide = text.replace("a", "漢").replace("b", "字")
    narrow = text.replace("a", "xy").replace("b", "zy")
    texts = [wide[a:b].replace("漢", "xy").replace("字", "zy") for a, b in wrap(wide, width)]
    assert texts == [narrow[a:b] for a, b in wrap(narrow, width)]


def test_words_stay_whole_where_they_fit() -> None:
    text = "I will now wire the token"
    assert [text[a:b] for a, b in wrap(text, 10)] == ["I will now ", "wire the ", "token"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\tb\x07\x00\u202ec", "a    bc"),
        ("one\r\ntwo\n\n", "one\ntwo"),
        ("one\u2028two", "one\ntwo"),
    ],
)
def test_nothing_in_a_text_can_drive_the_terminal(raw: str, shown: str) -> None:
    assert tidy(raw) == shown


@given(st.text())
def test_lower_case_keeps_every_offset(text: str) -> None:
    assert len(lower(text)) == len(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25), st.integers(1, 700))
def test_the_row_index_agrees_with_a_naive_one_after_any_changes(steps: list[tuple], limit: int) -> None:  # type: ignore[type-arg]
    log = LogBuffer(width=30, limit=limit)
    for step in steps:
        match step:
            case "append", Kind() as kind, str(text):
                log.append(kind, text, NOON, "Edit")
            case "many", int(count):
                for number in range(count):
                    log.append(Kind(number % 7), "some words and more words " * (number % 3), NOON)
            case "grow", str(text):
                log.grow(text, NOON)
            case "complete", str(text):
                log.complete(text, NOON)
            case "width", int(width):
                log.set_width(width)
            case "hide", set() as kinds:
                log.hide(kinds)
            case "toggle", int(number) if len(log):
                log.toggle(log.dropped + number % len(log))
            case ("settle",):
                log.settle(1)
            case "look", int(row):
                log.rows(log.first_row + row, 5)
        check_tail(log)
    settle(log)
    check_everything(log)


def check_tail(log: LogBuffer) -> None:
    shown = log.rows(log.tail_row(7), 7)
    assert [(r.line, r.text) for r in shown] == naive_rows(log)[-7:]


def check_everything(log: LogBuffer) -> None:
    naive = naive_rows(log)
    assert log.end_row - log.first_row == len(naive)
    rows = log.rows(log.first_row, len(naive) + 5)
    assert [(r.line, r.text) for r in rows] == naive
    for index, row in enumerate(rows):
        assert log.row_of(Place(row.line, row.offset)) == log.first_row + index
    assert log.shown_since(0) == len({row.line for row in rows})
    for index in range(0, len(naive), 17):
        assert log.rows(log.first_row + index, 3) == rows[index : index + 3]


def test_the_oldest_lines_go_and_are_counted_while_rows_keep_their_numbers() -> None:
    log = LogBuffer(limit=1000)
    for number in range(1700):
        log.append(Kind.SAY, f"line {number}", NOON)
    assert (log.dropped, len(log), log.first_row, log.end_row) == (700, 1000, 700, 1700)
    assert log.rows(900, 1)[0].text == "line 900"
    with pytest.raises(IndexError, match="line 699 is not kept"):
        log.line(699)


def test_a_message_grows_and_is_replaced_by_the_whole() -> None:
    log = LogBuffer()
    for word in ["I will ", "\x1b[3", "1mnow"]:
        log.grow(word, NOON)
    log.append(Kind.NOTE, "you said something", NOON)
    assert kept(log) == ["I will now", "you said something"]
    assert log.line(0).kind is Kind.DELTA
    log.complete("I will now wire it.", NOON)
    assert kept(log) == ["I will now wire it.", "you said something"]
    assert log.line(0).kind is Kind.SAY
    log.complete("And this.", NOON)
    assert kept(log)[-1] == "And this."


def test_a_message_that_outlives_its_line_is_appended() -> None:
    log = LogBuffer(limit=2)
    log.grow("Old", NOON)
    for number in range(3):
        log.append(Kind.NOTE, str(number), NOON)
    log.complete("Whole", NOON)
    assert kept(log) == ["2", "Whole"]


def test_a_long_label_goes_before_the_text_so_that_nothing_is_cut() -> None:
    log = LogBuffer()
    log.append(Kind.CALL, "x.py", NOON, "NotebookEdit")
    log.append(Kind.CALL, "x.py", NOON, "Edit")
    assert [log.line(n)[2:] for n in (0, 1)] == [("", "NotebookEdit x.py"), ("Edit", "x.py")]


def test_long_results_fold_and_unfold() -> None:
    log = LogBuffer()
    log.append(Kind.RESULT, "\n".join(f"row {n}" for n in range(34)), NOON)
    log.append(Kind.SAY, "a\nb\nc\nd\ne", NOON)
    assert [r.text for r in log.rows(0, 3)] == ["row 0", "› 34 lines", "a"]
    assert log.toggle(0)
    assert log.end_row == 39
    assert log.toggle(0)
    assert not log.toggle(1)
    assert log.end_row == 7


def test_search_goes_both_ways_and_sees_only_what_is_shown() -> None:
    log = LogBuffer()
    for kind, text in [(Kind.SAY, "Auth and auth"), (Kind.ERROR, "AUTH"), (Kind.NOTE, "nothing"), (Kind.SAY, "auth")]:
        log.append(kind, text, NOON)
    places = [Place(0, 0)]
    while found := find(log, "auth", places[-1]):
        places.append(found)
    assert places == [Place(0, 0), Place(0, 9), Place(1, 0), Place(3, 0)]
    assert [find(log, "aUth", place, forward=False) for place in places] == [None, *places[:-1]]
    log.hide([Kind.ERROR])
    assert find(log, "auth", Place(0, 9)) == Place(3, 0)
    assert find(log, "auth", Place(-1)) == Place(0, 0)


def test_a_new_width_measures_only_what_is_looked_at() -> None:
    log = LogBuffer(width=100)
    for _ in range(20 * BLOCK):
        log.append(Kind.SAY, "word " * 15, NOON)
    log.set_width(50)
    layout = log.layout
    log.rows(log.tail_row(40), 40)
    assert log.layout == layout + 1
    settle(log)
    assert log.layout == layout + 20
    assert log.end_row == 20 * BLOCK * 3


def test_the_buffer_works_without_textual() -> None:
    code = "import sys, orchestrator_tui.tui.logsearch; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
