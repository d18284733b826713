import tempfile
import unittest
from pathlib import Path

from mdcheck.missing_anchors import check_anchors
from mdcheck.pages import Library, parse_page


class CheckAnchorsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "docs").mkdir()
        (self.root / "docs" / "README.md").write_text("# Overview\n", encoding="utf-8")
        (self.root / "guide.md").write_text('# Installation\n## Notes\n## Notes\n<a id="old"></a>\n', encoding="utf-8")
        (self.root / "tool.py").write_text("print()\n", encoding="utf-8")
        (self.root / "latin.md").write_bytes(b"# Caf\xe9\n")

    def problems(self, text):
        page = parse_page(self.root / "index.md", text)
        (self.root / "index.md").write_text(text, encoding="utf-8")
        return [(finding.line, finding.message) for finding in check_anchors(page, self.root, Library())]

    def test_anchors_of_headings_and_html_are_found(self):
        self.assertEqual(self.problems("[a](guide.md#installation) [b](guide.md#notes-1) [c](guide.md#old)"), [])

    def test_a_missing_anchor_is_told_with_the_nearest_one(self):
        self.assertEqual(
            self.problems("text\n[a](guide.md#instalation)"),
            [(2, "guide.md has no anchor #instalation; did you mean #installation?")],
        )

    def test_nothing_is_guessed_when_nothing_is_near(self):
        self.assertEqual(self.problems("[a](guide.md#zzz)"), [(1, "guide.md has no anchor #zzz")])

    def test_a_page_is_checked_against_itself(self):
        self.assertEqual(self.problems("# Here\n[a](#here) [b](#gone)"), [(2, "index.md has no anchor #gone")])

    def test_a_folder_answers_with_its_readme(self):
        self.assertEqual(self.problems("[a](docs#overview) [b](docs/#gone)"), [(1, "README.md has no anchor #gone")])

    def test_the_top_code_dead_and_unreadable_files_are_left_alone(self):
        self.assertEqual(self.problems("[a](#top) [b](#) [c](tool.py#L1) [d](gone.md#x) [e](latin.md#x)"), [])


if __name__ == "__main__":
    unittest.main()
