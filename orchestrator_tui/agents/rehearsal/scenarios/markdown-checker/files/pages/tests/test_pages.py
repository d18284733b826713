import tempfile
import unittest
from pathlib import Path

from mdcheck.pages import Library, parse_page, read_page


class ParsePageTest(unittest.TestCase):
    def test_a_page_knows_its_headings_anchors_links_and_open_references(self):
        page = parse_page(Path("a.md"), '# Title\n\n[b](b.md) [c][d]\n\n[e]: f.md\n\n<a id="here">\n')
        self.assertEqual([heading.title for heading in page.headings], ["Title"])
        self.assertEqual(page.anchors, {"title", "here"})
        self.assertEqual([link.destination for link in page.links], ["b.md", "f.md"])
        self.assertEqual([use.label for use in page.undefined], ["d"])
        self.assertIsNone(page.problem)


class ReadPageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "a.md"

    def read(self, raw):
        self.path.write_bytes(raw)
        return read_page(self.path)

    def test_byte_order_marks_and_foreign_line_ends_do_not_matter(self):
        page = self.read(b"\xef\xbb\xbf# One\r\n\r\n## Two\r\n")
        self.assertEqual([(heading.line, heading.title) for heading in page.headings], [(1, "One"), (3, "Two")])

    def test_bytes_that_are_no_utf8_are_a_finding_with_their_line(self):
        problem = self.read(b"# One\n\ncaf\xe9\n").problem
        self.assertEqual(str(problem), f"{self.path}:3: unreadable-file byte 0xe9 is not valid UTF-8")

    def test_a_file_that_cannot_be_opened_is_a_finding_too(self):
        self.assertEqual(read_page(self.path.parent / "gone.md").problem.code, "unreadable-file")

    def test_the_library_reads_a_file_once(self):
        self.path.write_text("# One\n", encoding="utf-8")
        library = Library()
        first = library.page(self.path)
        self.path.write_text("# Two\n", encoding="utf-8")
        self.assertIs(library.page(self.path), first)


if __name__ == "__main__":
    unittest.main()
