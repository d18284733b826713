import unittest

from mdcheck.findings import CODES, DEAD_LINK, DUPLICATE_HEADING, MISSING_ANCHOR, Finding


class FindingTest(unittest.TestCase):
    def test_a_finding_reads_like_a_compiler_message(self):
        finding = Finding("docs/a.md", 7, DEAD_LINK, "b.md does not exist")
        self.assertEqual(str(finding), "docs/a.md:7: dead-link b.md does not exist")

    def test_findings_sort_by_path_then_line_then_code(self):
        third = Finding("b.md", 1, DEAD_LINK, "x")
        second = Finding("a.md", 10, MISSING_ANCHOR, "x")
        first = Finding("a.md", 9, MISSING_ANCHOR, "x")
        before_first = Finding("a.md", 9, DUPLICATE_HEADING, "x")
        self.assertEqual(sorted([third, second, first, before_first]), [before_first, first, second, third])

    def test_every_code_is_explained_and_free_of_spaces(self):
        for code, explanation in CODES.items():
            self.assertNotIn(" ", code)
            self.assertTrue(explanation)


if __name__ == "__main__":
    unittest.main()
