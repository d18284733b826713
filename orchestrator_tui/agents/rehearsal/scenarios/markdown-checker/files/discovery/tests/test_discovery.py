import os
import tempfile
import unittest
from pathlib import Path

from mdcheck.discovery import PathNotFound, find_pages


class FindPagesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        for name in ("b.md", "a.markdown", "c.txt", "docs/d.MD", "docs/old/e.md", ".git/f.md", "vendor/g.md"):
            page = self.top / name
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text("# Title\n", encoding="utf-8")

    def found(self, *exclude):
        return [page.relative_to(self.top).as_posix() for page in find_pages([self.top], exclude)]

    def test_markdown_files_are_found_at_any_depth_but_not_in_hidden_folders(self):
        self.assertEqual(self.found(), ["a.markdown", "b.md", "docs/d.MD", "docs/old/e.md", "vendor/g.md"])

    def test_globs_leave_out_names_paths_and_whole_folders(self):
        self.assertEqual(self.found("vendor", "docs/old/*", "a.*"), ["b.md", "docs/d.MD"])
        self.assertEqual(self.found("docs/"), ["a.markdown", "b.md", "vendor/g.md"])

    def test_a_named_file_is_taken_whatever_it_is_called_and_only_once(self):
        text = self.top / "c.txt"
        self.assertEqual(find_pages([text, text, self.top / "docs" / "old"]), [text, self.top / "docs/old/e.md"])

    def test_a_path_that_does_not_exist_is_an_error(self):
        with self.assertRaisesRegex(PathNotFound, "nowhere"):
            find_pages([self.top / "nowhere"])

    @unittest.skipUnless(hasattr(os, "symlink"), "needs symbolic links")
    def test_a_symlink_loop_ends(self):
        (self.top / "docs" / "back").symlink_to(self.top, target_is_directory=True)
        self.assertEqual(self.found("vendor"), ["a.markdown", "b.md", "docs/d.MD", "docs/old/e.md"])


if __name__ == "__main__":
    unittest.main()
