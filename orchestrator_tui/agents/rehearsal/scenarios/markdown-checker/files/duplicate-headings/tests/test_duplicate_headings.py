import unittest
from pathlib import Path

from mdcheck.duplicate_headings import check_headings
from mdcheck.pages import parse_page


class CheckHeadingsTest(unittest.TestCase):
    def problems(self, text):
        return [(finding.line, finding.message) for finding in check_headings(parse_page(Path("a.md"), text))]

    def test_the_same_text_twice_in_a_section_is_told_with_the_first_line(self):
        self.assertEqual(
            self.problems("# Title\n## Usage\n## Other\n## Usage\n"),
            [(4, 'the heading "Usage" is in line 2 already')],
        )

    def test_case_and_markup_make_no_difference(self):
        self.assertEqual(self.problems("# `Usage`\n\n# **usage**\n"), [(3, 'the heading "usage" is in line 1 already')])

    def test_the_same_text_in_other_sections_is_fine(self):
        self.assertEqual(self.problems("# Changes\n## 2.0\n### Added\n## 1.0\n### Added\n"), [])

    def test_a_skipped_level_still_belongs_to_its_section(self):
        self.assertEqual(
            self.problems("# A\n### Same\n### Same\n# B\n### Same\n"),
            [(3, 'the heading "Same" is in line 2 already')],
        )

    def test_empty_headings_are_not_compared(self):
        self.assertEqual(self.problems("##\n##\n"), [])


if __name__ == "__main__":
    unittest.main()
