"""A Markdown document to read: rendered, scrollable, and harmless whoever wrote it."""

import asyncio
import re
from typing import ClassVar

from markdown_it import MarkdownIt
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Markdown

from orchestrator_tui.tui.widgets.text_lines import TextLine, TextLines
from orchestrator_tui.tui.widgets.text_view import SCROLLING
from orchestrator_tui.tui.wrapping import tidy

RENDERED = 60_000
"""Characters up to which a document is rendered; a longer one is shown as it is written, which costs no widgets."""

BLOCKS = 300
"""Paragraphs, list items and the like up to which a document is rendered: each costs milliseconds and a widget."""

NESTING = 16
"""How deep blocks may be within each other; the parser leaves out what is deeper, so that is shown as it is written."""

_HEADING = re.compile(r"#{1,6} ")
_ITEM = re.compile(r" {0,12}(?:[-*+•]|\d{1,3}[.)]) +")


def safe_parser() -> MarkdownIt:
    """A parser that hides nothing: HTML and definitions of links stay text, a picture stays its description."""
    options = {"html": False, "linkify": False, "maxNesting": NESTING}
    return MarkdownIt("gfm-like", options).disable(["image", "reference"])


class DocumentView(VerticalScroll, can_focus=True):
    """Shows Markdown, with `above` before it in the same scroll; a link in it opens nothing."""

    DEFAULT_CSS = """
    DocumentView {
        background: transparent;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        & Markdown { padding: 0 1 0 0; background: transparent; }
        & MarkdownHeader { content-align: left middle; background: transparent; text-style: bold; width: 1fr; }
        & MarkdownH1 { margin: 0 0 1 0; color: $accent; }
        & MarkdownH2 { margin: 1 0 1 0; color: $accent; }
        & MarkdownH3, MarkdownH4, MarkdownH5, MarkdownH6 { margin: 1 0 0 0; color: $foreground; }
        & MarkdownBlockQuote {
            background: transparent; color: $muted; border-left: outer $line; margin: 0 0 1 0; padding: 0 0 0 1;
        }
        & MarkdownHorizontalRule { border-bottom: solid $line; }
        & MarkdownFence { background: $panel; color: $foreground; margin: 0 0 1 0; & > Label { padding: 0 1; } }
        & MarkdownBullet { color: $accent; }
        & Markdown MarkdownBlock:dark > .code_inline, Markdown MarkdownBlock:light > .code_inline {
            background: transparent; color: $tool;
        }
        & > .document-source { display: none; }
        &.-plain > .document-source { display: block; }
        &.-plain > Markdown { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*SCROLLING]

    def __init__(self, *above: Widget, id: str | None = None) -> None:
        super().__init__(id=id)
        self._above = above
        self._text = ""
        self._markdown = Markdown(open_links=False, parser_factory=safe_parser)
        self._plain = TextLines(classes="document-source")

    @property
    def text(self) -> str:
        """The Markdown that is shown."""
        return self._text

    def compose(self) -> ComposeResult:
        yield from self._above
        yield self._markdown
        yield self._plain

    async def set_text(self, markdown: str) -> None:
        """Replaces the document; the view stays where it was scrolled to, as far as the new one goes."""
        place = self.scroll_y
        self._text = markdown
        text = tidy(markdown)
        plain = len(text) > RENDERED or not await asyncio.to_thread(_can_be_rendered, text)
        self.set_class(plain, "-plain")
        self._plain.show(source_lines(text) if plain else [])
        await self._markdown.update("" if plain else text)
        if place:
            self.call_after_refresh(self.scroll_to, y=place, animate=False, force=True)


def source_lines(text: str) -> list[TextLine]:
    """Markdown as it is written: headings stand out, list items hang."""
    return [_source_line(line) for line in text.split("\n")]


def _source_line(line: str) -> TextLine:
    if _HEADING.match(line):
        return TextLine(line, "accent", strong=((0, len(line)),))
    item = _ITEM.match(line)
    return TextLine(line[item.end() :], sign=item[0]) if item else TextLine(line)


def _can_be_rendered(text: str) -> bool:
    tokens = safe_parser().parse(text)
    blocks = sum(token.type in ("inline", "fence", "code_block", "hr") for token in tokens)
    return blocks <= BLOCKS and all(token.level < NESTING - 1 for token in tokens)
