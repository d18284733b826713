import tempfile
import unittest
from pathlib import Path

from mdcheck.dead_links import check_links
from mdcheck.pages import parse_page


class CheckLinksTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "docs").mkdir()
        for name in ("guide.md", "my notes.md"):
            (self.root / "docs" / name).touch()

    def problems(self, text):
        page = parse_page(self.root / "docs" / "guide.md", text)
        return [(finding.line, finding.code, finding.message) for finding in check_links(page, self.root)]

    def test_links_to_files_folders_and_other_sites_are_fine(self):
        text = "[a](my%20notes.md) [b](<my notes.md>) [c](../docs) [d](/docs/) [e](https://example.org) [f](#x)"
        self.assertEqual(self.problems(text), [])

    def test_a_link_or_image_without_a_file_is_dead(self):
        self.assertEqual(
            self.problems("[a](gone.md)\n![b](gone.png)\n"),
            [
                (1, "dead-link", "the link gone.md leads to no file"),
                (2, "dead-link", "the image gone.png leads to no file"),
            ],
        )

    def test_a_definition_is_checked_where_it_stands(self):
        self.assertEqual(
            self.problems("[a][b]\n\n[b]: gone.md\n"), [(3, "dead-link", "the link gone.md leads to no file")]
        )

    def test_an_empty_destination_is_dead(self):
        self.assertEqual(self.problems("[todo]()"), [(1, "dead-link", "the link has no destination")])

    def test_a_link_out_of_the_tree_is_told_even_if_the_file_is_there(self):
        self.assertEqual(self.problems("[a](../..)"), [(1, "outside-tree", "the link ../.. leaves the tree")])

    def test_an_undefined_label_is_told(self):
        self.assertEqual(self.problems("[a][b]"), [(1, "undefined-reference", "the label [b] is not defined")])


if __name__ == "__main__":
    unittest.main()
