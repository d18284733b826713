from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from orchestrator_tui.tui.patch_rows import PatchRows
from orchestrator_tui.tui.patches import Patch, Sort, parse
from orchestrator_tui.tui.widgets.patch_view import PatchView
from tests.tui.stage import SMALL, WIDE, Stage, text_of

PATCH = """\
abc1234 TASK-3: Tell what is wrong
orchestrator-tui, 2026-01-01T12:00:00+00:00

 src/api/auth.py   | 5 ++---
 docs/old.md => new.md | 0
 logo.png          | Bin 0 -> 256 bytes
 3 files changed, 2 insertions(+), 1 deletion(-)

diff --git a/src/api/auth.py b/src/api/auth.py
index 83db48f..bf2a3c1 100644
--- a/src/api/auth.py
+++ b/src/api/auth.py
@@ -8,4 +8,5 @@ def login(user: User) -> Token:
     check(user)
-    return None
+    token = sign(user)
+    return token
 # done
 # done
diff --git a/docs/old.md b/docs/new.md
similarity index 100%
rename from docs/old.md
rename to docs/new.md
diff --git a/logo.png b/logo.png
new file mode 100644
index 0000000..6f2b1c4
Binary files /dev/null and b/logo.png differ
diff --git "a/\\303\\244 b.sh" "b/\\303\\244 b.sh"
old mode 100644
new mode 100755
"""


def lines_of(patch: Patch, sort: Sort) -> list[str]:
    return [line.text for line in patch.lines if line.sort is sort]


def test_every_file_says_what_happened_to_it() -> None:
    patch = parse(PATCH)
    told = [(file.path, file.added, file.removed, file.notes) for file in patch.files]
    assert told == [
        ("src/api/auth.py", 2, 1, []),
        ("docs/new.md", 0, 0, ["renamed from docs/old.md"]),
        ("logo.png", 0, 0, ["new", "binary"]),
        ("ä b.sh", 0, 0, ["now executable"]),
    ]
    assert patch.summary() == "4 files +2 −1"


def test_lines_have_their_numbers_before_and_after() -> None:
    numbered = [(line.text, line.old, line.new) for line in parse(PATCH).lines if line.old or line.new]
    assert numbered == [
        ("    check(user)", 8, 8),
        ("    return None", 9, 0),
        ("    token = sign(user)", 0, 9),
        ("    return token", 0, 10),
        ("# done", 10, 11),
        ("# done", 11, 12),
    ]


def test_content_that_looks_like_a_head_is_content() -> None:
    patch = parse(
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- a/y\n-@@ -1 +1 @@\n+++ b/y\n+diff --git\n"
    )
    assert lines_of(patch, Sort.REMOVED) == ["-- a/y", "@@ -1 +1 @@"]
    assert lines_of(patch, Sort.ADDED) == ["++ b/y", "diff --git"]
    assert [file.path for file in patch.files] == ["x"]


def test_new_files_that_git_only_names_are_files_too() -> None:
    (file,) = parse("\n?? notes/a b.txt").files
    assert (file.path, file.notes) == ("notes/a b.txt", ["new, not committed"])


def test_what_follows_a_left_out_middle_is_told_by_its_signs() -> None:
    patch = parse(
        "diff --git a/x b/x\n@@ -1,90 +1,90 @@\n one\n… 700 bytes left out …\n+two\n-three\ndiff --git a/y b/y\n"
    )
    assert (patch.files[0].added, patch.files[0].removed) == (1, 1)
    assert "… 700 bytes left out …" in lines_of(patch, Sort.NOTE)
    assert [file.path for file in patch.files] == ["x", "y"]


@pytest.mark.parametrize(
    "text", ["", "\n", "@@", "@@ -1 +1 @@", "+x", "diff --git", "diff --git ", 'diff --git "', "?? "]
)
def test_what_is_no_patch_does_no_harm(text: str) -> None:
    assert isinstance(parse(text), Patch)


def test_nothing_in_a_patch_can_move_the_cursor() -> None:
    patch = parse(
        "diff --git a/x\x1b[2J b/x\x1b[2J\n@@ -1 +1 @@\x1b]0;t\x07\n-a\tb\r\n+\x1b[31mred\x1b[0m\u202eevil\x00\n"
    )
    assert all(line.text.isprintable() for line in patch.lines)
    assert lines_of(patch, Sort.ADDED) == ["redevil"]
    assert lines_of(patch, Sort.REMOVED) == ["a   b"]


def test_a_line_nobody_wrote_by_hand_is_cut_and_says_so() -> None:
    (line,) = lines_of(parse(f"diff --git a/x b/x\n@@ -0,0 +1 @@\n+{'x' * 90_000}\n"), Sort.ADDED)
    assert line.endswith("… 88,000 more characters")


def test_every_row_of_a_long_patch_can_be_had_at_any_width() -> None:
    body = "".join(f"+{'word ' * (n % 40)}{n}\n" for n in range(600))
    patch = parse(f"diff --git a/x b/x\n@@ -0,0 +1,600 @@\n{body}")
    for width in (1, 7, 40, 80):
        rows = PatchRows(patch, width)
        assert "".join(rows.row(n).text for n in range(len(rows))) == "".join(line.text for line in patch.lines)


async def shown(pilot: Pilot[Any], patch: str) -> PatchView:
    view = pilot.app.query_one(PatchView)
    view.show(patch)
    view.focus()
    await pilot.pause()
    return view


def stage() -> App[Any]:
    return Stage(PatchView())


async def test_a_patch_shows_files_numbers_and_signs() -> None:
    async with stage().run_test(size=WIDE) as pilot:
        await shown(pilot, PATCH)
        text = text_of(pilot)
        assert " src/api/auth.py" in text
        assert " 9    −     return None" in text
        assert "    9 +     token = sign(user)" in text
        assert "docs/new.md  renamed from docs/old.md" in text
        assert "files changed" not in text


async def test_a_long_line_wraps_under_its_text() -> None:
    async with stage().run_test(size=(50, 12)) as pilot:
        await shown(pilot, f"diff --git a/x b/x\n@@ -0,0 +1 @@\n+{'word ' * 20}end\n")
        lines = text_of(pilot).splitlines()
        assert lines[2].startswith("1 + word")
        assert lines[3].startswith("    word")
        assert "end" in lines[4]


async def test_n_and_p_go_from_file_to_file_whose_head_stays_in_sight() -> None:
    patch = "".join(
        f"diff --git a/file{n}.py b/file{n}.py\n@@ -0,0 +1,30 @@\n" + "+line\n" * 30 for n in range(4)
    )  # fmt: skip
    async with stage().run_test(size=SMALL) as pilot:
        view = await shown(pilot, patch)
        await pilot.press("n", "n")
        assert view.current_file is not None and view.current_file.path == "file2.py"
        await pilot.press("down", "down", "down")
        assert text_of(pilot).startswith(" file2.py")
        await pilot.press("p")
        assert view.scroll_y == 66
        await pilot.press("p")
        assert text_of(pilot).startswith(" file1.py")
        await pilot.press("p", "p", "p")
        assert view.scroll_y == 0


async def test_a_search_marks_every_place_and_goes_round() -> None:
    body = "".join(f"+{'Needle' if n in (50, 150) else 'hay'} {n}\n" for n in range(200))
    async with stage().run_test(size=SMALL) as pilot:
        view = await shown(pilot, f"diff --git a/x b/x\n@@ -0,0 +1,200 @@\n{body}")
        assert view.search("needle")
        await pilot.pause()
        assert "Needle 50" in text_of(pilot)
        await pilot.press("greater_than_sign")
        assert view.found == (2, 2)
        assert "Needle 150" in text_of(pilot)
        await pilot.press("greater_than_sign")
        assert "Needle 50" in text_of(pilot)
        await pilot.press("less_than_sign")
        assert "Needle 150" in text_of(pilot)
        assert not view.search("nowhere")


async def test_the_same_patch_again_stays_where_it_was_scrolled_to() -> None:
    patch = "diff --git a/x b/x\n@@ -0,0 +1,200 @@\n" + "+line\n" * 200
    async with stage().run_test(size=SMALL) as pilot:
        view = await shown(pilot, patch)
        await pilot.press("pagedown")
        before = view.scroll_y
        view.show(patch)
        await pilot.pause()
        assert view.scroll_y == before > 0
        view.show(PATCH)
        await pilot.pause()
        assert view.scroll_y == 0


async def test_what_is_shown_can_be_copied() -> None:
    async with stage().run_test(size=SMALL) as pilot:
        await shown(pilot, PATCH)
        await pilot.press("y")
        assert "+     token = sign(user)" in pilot.app.clipboard


async def test_without_a_patch_it_says_so_in_words() -> None:
    async with stage().run_test(size=SMALL) as pilot:
        await shown(pilot, "")
        assert "Nothing has changed." in text_of(pilot)
        await pilot.press("down", "pagedown", "n", "p", "end", "home")


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "ansi"])
async def test_it_can_be_shown_in_every_theme_and_at_every_size(theme: str) -> None:
    async with Stage(PatchView(), theme=theme).run_test(size=WIDE) as pilot:
        view = await shown(pilot, PATCH)
        view.search("token")
        for size in ((1, 1), (3, 2), (20, 5), SMALL, (300, 90)):
            await pilot.resize_terminal(*size)
        pilot.app.theme = "light"
        await pilot.pause()
        assert "src/api/auth.py" in text_of(pilot)
