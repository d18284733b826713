"""All settings: what each means, where it comes from; changed ones are written into a settings file."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from orchestrator_tui.config.loader import Settings
from orchestrator_tui.config.toml_edit import set_in_file
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.tui import settings_form as form
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.screens.page import Page
from orchestrator_tui.tui.settings_form import Entry, Heading, Row
from orchestrator_tui.tui.themes import load_themes
from orchestrator_tui.tui.widgets.key_bar import Hint, KeyBar
from orchestrator_tui.tui.widgets.row_list import RowList
from orchestrator_tui.tui.widgets.setting_field import SettingField

NAME = 26
ORIGIN = 18
THEME_KEY = "tui.theme"
FROM_NOW_ON = "for what starts or goes on from now on; a run under way keeps its own"


class SettingsPage(Page):
    """`load` reads the settings from all their sources and may block; `preset` is a key and, maybe, its new value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.SETTINGS),
        Binding("down", "to_list", "To the list", show=False, id="settings.list", tooltip="To the list"),
    ]
    DEFAULT_CSS = """
    SettingsPage #settings-filter { height: 1; border: none; padding: 0 1; background: $panel; }
    SettingsPage #settings-list { height: 1fr; min-height: 3; }
    SettingsPage #settings-detail { height: auto; max-height: 7; border-top: solid $line; padding: 0 1; }
    SettingsPage #settings-told { height: auto; max-height: 4; padding: 0 1; color: $success; display: none; }
    """

    class Changed(Message):
        """A setting was written into a file, or taken out of one."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(
        self,
        context: Context,
        load: Callable[[], Settings],
        project_file: Path,
        user_file: Path,
        preset: tuple[str, str | None] | None = None,
    ) -> None:
        super().__init__(context, "Settings")
        self._load_settings = load
        self._files = (project_file, user_file)
        self._file = project_file
        self._preset = preset
        self._entries: Sequence[Entry] = ()

    def body(self) -> ComposeResult:
        yield Input(placeholder=f"{self.context.keymap.shown('search')} to find a setting", id="settings-filter")
        yield RowList[Row](self._paint, _key_of, empty="Reading the settings …", id="settings-list")
        yield Static(id="settings-detail", markup=False)
        yield SettingField()
        yield Static(id="settings-told", markup=False)

    def hints(self) -> Sequence[Hint]:
        keys = self.context.keymap
        return (
            Hint("enter", "change", "change"),
            Hint(keys.shown("search"), "find", "search"),
        )

    def on_mount(self) -> None:
        self.query_one(KeyBar).show(Place.SETTINGS, Place.SCREEN)
        self._list.focus()

    @property
    def _list(self) -> RowList[Row]:
        return self.query_one("#settings-list", RowList)

    @property
    def _field(self) -> SettingField:
        return self.query_one(SettingField)

    @property
    def _marked(self) -> Entry | None:
        row = self._list.marked
        return row if isinstance(row, Entry) else None

    async def load(self) -> None:
        try:
            settings, themes = await asyncio.to_thread(self._read)
        except SettingsError:
            self._list.show_empty("The settings cannot be read until this is mended.")
            raise
        self._entries = form.entries(settings, {THEME_KEY: themes})
        self._show()
        if self._preset is not None:
            (key, value), self._preset = self._preset, None
            self._begin(key, value)

    def _read(self) -> tuple[Settings, Sequence[str]]:
        return self._load_settings(), load_themes(self.context.paths.user_themes).names

    def _begin(self, key: str, value: str | None) -> None:
        """Marks a setting, and tries to write its value if there is one."""
        self._list.mark(key)
        if (entry := self._entry(key)) is None:
            self._tell(f"There is no setting {one_line(key, 60)!r}.", good=False)
        elif value is not None:
            self._field.open(entry, value)
            self._save(entry, value)

    def _entry(self, key: str) -> Entry | None:
        return next((one for one in self._entries if one.key == key), None)

    # What is shown

    def _show(self) -> None:
        needle = self.query_one("#settings-filter", Input).value
        found = form.matching(self._entries, needle)
        self._list.show_empty("No setting has these words.")
        self._list.show(form.rows(found))
        if isinstance(self._list.marked, Heading):
            self._list.action_move(1)
        self._show_head()
        self._show_detail()

    def _show_head(self) -> None:
        self.tell_head(f"Settings · changes for {self._name_of(str(self._file))} go into {self._file}")

    def _place_of(self, origin: str) -> str:
        """An origin as people know it: a file by what it is for."""
        files = zip(map(str, self._files), ("this folder", "all folders"), strict=True)
        return dict(files).get(origin, origin)

    def _name_of(self, origin: str) -> str:
        """An origin in a column's width."""
        return one_line(self._place_of(origin).removeprefix("environment "), ORIGIN)

    def _show_detail(self) -> None:
        row, detail = self._list.marked, self.query_one("#settings-detail", Static)
        match row:
            case Entry():
                detail.update(self._detail(row))
            case Heading():
                detail.update(clean(row.meaning))
            case _:
                detail.update("")

    def _detail(self, entry: Entry) -> Text:
        muted = self._list.color("muted")
        text = Text(f"{entry.key}\n", f"bold {self._list.color('accent')}").append(
            f"{clean(entry.meaning)}\n", "not bold"
        )
        text.stylize(self._list.color("foreground"), len(entry.key))
        text.append(f"Allowed: {entry.expected}{', or nothing' if entry.optional else ''}\n", muted)
        source = "" if entry.is_default else f" · comes from {clean(self._place_of(entry.origin))}"
        text.append(f"Default: {entry.default or 'not set'}{source}\n", muted)
        counts = "at once" if entry.live else FROM_NOW_ON
        return text.append(f"Enter changes it; a change counts {counts}.", muted)

    def notify_style_update(self) -> None:
        """The detail follows the theme."""
        super().notify_style_update()
        if self.is_mounted and self._entries:
            self._show_detail()

    @on(RowList.Marked, "#settings-list")
    def _moved(self) -> None:
        self._show_detail()

    @on(Input.Changed, "#settings-filter")
    def _typed(self) -> None:
        self._show()

    @on(Input.Submitted, "#settings-filter")
    def _submitted(self) -> None:
        self._list.focus()

    def _paint(self, row: Row, width: int, marked: bool) -> Sequence[Text]:
        color = self._list.color
        if isinstance(row, Heading):
            return (
                Text(f"{row.group}  ", f"bold {color('accent')}").append(row.meaning, f"not bold {color('muted')}"),
            )
        name = min(NAME, max(8, width // 3))
        space = max(4, width - name - 2 - (ORIGIN if width >= 70 else 0))
        sign = Text("  ") if row.is_default else Text("• ", color("accent"))
        label, value = Text(row.name), Text(one_line(row.value, 200) or "not set", "" if row.value else color("muted"))
        for text, size in ((label, name - 2), (value, space - 2)):
            text.truncate(max(1, size), overflow="ellipsis")
        line = sign.append_text(label).append(" " * (name - label.cell_len))
        line.append_text(value).append(" " * (space - value.cell_len))
        return (line.append(self._name_of(row.origin), color("muted")) if width >= 70 else line,)

    # Changing one

    @on(RowList.Chosen, "#settings-list")
    def _chosen(self, message: RowList.Chosen) -> None:
        if isinstance(message.row, Entry):
            self._tell("")
            self._field.open(message.row)

    @on(SettingField.Given)
    def _given(self, message: SettingField.Given) -> None:
        self._save(message.entry, message.text)

    def _save(self, entry: Entry, text: str) -> None:
        self.guarded(self._write(entry.key, self._file, text), name="write")

    async def _write(self, key: str, file: Path, text: str) -> None:
        try:
            value = form.value_of(key, text)
            await asyncio.to_thread(set_in_file, file, key, value)
        except SettingsError as error:
            self._field.refuse(error.line())
            return
        self._field.accept()
        self._list.focus()
        await self._written(key, file, value)

    async def _written(self, key: str, file: Path, value: Any) -> None:
        self.post_message(self.Changed(key))
        await self.load()
        self._list.mark(key)
        entry = self._entry(key)
        assert entry is not None
        done = (
            f"{key} is {form.shown(value)} in {file} now." if value is not None else f"{key} is not in {file} any more."
        )
        if value is not None and entry.origin != str(file):
            self._tell(f"{done} But {entry.origin} goes over it: {entry.value or 'not set'}.", good=False)
        else:
            self._tell(done if entry.live else f"{done} It counts {FROM_NOW_ON}.")

    def action_set_default(self) -> None:
        """Takes the marked setting out of the file it comes from."""
        entry = self._marked
        if entry is None:
            return
        file = next((one for one in self._files if str(one) == entry.origin), None)
        if entry.is_default:
            self._tell(f"{entry.key} is at its default.")
        elif file is None:
            self._tell(f"{entry.key} comes from {entry.origin}; change it there.", good=False)
        else:
            self.guarded(self._remove(entry.key, file), name="write")

    async def _remove(self, key: str, file: Path) -> None:
        await asyncio.to_thread(set_in_file, file, key, None)
        await self._written(key, file, None)

    def action_other_file(self) -> None:
        """Changes go into the other file."""
        first, second = self._files
        self._file = second if self._file == first else first
        self._show_head()

    def action_search(self) -> None:
        """Goes to the field that finds settings."""
        self.query_one("#settings-filter", Input).focus()

    def action_change(self) -> None:
        """Opens the field of the marked setting."""
        self._list.action_choose()

    def action_to_list(self) -> None:
        """Goes to the list."""
        self._list.focus()

    def action_close(self) -> None:
        """Closes the field, then takes the filter away, then closes the page."""
        found = self.query_one("#settings-filter", Input)
        if self._field.display:
            self._field.close()
            self._list.focus()
        elif found.value or found.has_focus:
            found.value = ""
            self._list.focus()
        else:
            super().action_close()

    def _tell(self, words: str, *, good: bool = True) -> None:
        line = self.query_one("#settings-told", Static)
        line.update(clean(words))
        line.styles.color = self.app.theme_variables["success" if good else "warning"]
        line.display = bool(words)


def _key_of(row: Row) -> str:
    return row.key if isinstance(row, Entry) else f"[{row.group}]"
