from collections.abc import Iterable

import pytest
from textual.events import Key, Paste
from textual.message import Message

from orchestrator_tui.tui.pasting import PasteParser

BEGIN, END = "\x1b[200~", "\x1b[201~"
LOG = "see log: \x1b[32ma green banana\x1b[0m \x1b[A\x1bOP\x00\x07 and\tmore\r"


def read(*pieces: str) -> list[str]:
    parser = PasteParser()
    return told(message for piece in pieces for message in parser.feed(piece))


def told(messages: Iterable[Message]) -> list[str]:
    return [one.text if isinstance(one, Paste) else one.key for one in messages if isinstance(one, Paste | Key)]


def test_an_escape_sequence_in_a_paste_is_text_without_its_control_characters() -> None:
    assert read(f"{BEGIN}{LOG}{END}") == ["see log: [32ma green banana[0m [AOP and\tmore\r"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11])
def test_a_paste_may_come_in_pieces_of_any_size_with_keys_around_it(size: int) -> None:
    sent = f"a\x1b[A{BEGIN}{LOG}{END}b{BEGIN}{END}{BEGIN}\x1b[20{END}\x1b[B"
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert read(*pieces) == read(sent)
    assert read(sent)[:2] == ["a", "up"]
    assert read(sent)[3:] == ["b", "", "[20", "down"]


def test_keys_that_spell_the_beginning_of_a_paste_begin_none() -> None:
    parser = PasteParser()
    keys = list(parser.feed("\x1b[20"))
    while not keys:
        keys += parser.tick()
    keys += parser.feed("0~a")
    assert told(keys)[-3:] == ["0", "tilde", "a"]


def test_other_sequences_are_still_the_keys_they_are() -> None:
    assert read("\x1b[A\x1b[3~x\r\x1b[97;5u") == ["up", "delete", "x", "enter", "ctrl+a"]


def test_a_large_paste_full_of_escape_sequences_is_one_paste() -> None:
    sent = f"{BEGIN}{LOG * 3000}{END}"
    (pasted,) = read(*(sent[at : at + 4096] for at in range(0, len(sent), 4096)))
    assert pasted.count("banana") == 3000
