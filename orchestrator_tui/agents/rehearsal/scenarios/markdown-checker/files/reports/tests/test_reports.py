import json
import unittest

from mdcheck.findings import DEAD_LINK, MISSING_ANCHOR, Finding
from mdcheck.reports import as_json, as_text, summary

FINDINGS = [
    Finding("a.md", 1, DEAD_LINK, "the link b.md leads to no file"),
    Finding("a.md", 2, DEAD_LINK, "the link c.md leads to no file"),
    Finding("café.md", 9, MISSING_ANCHOR, "café.md has no anchor #x"),
]


class TextTest(unittest.TestCase):
    def test_every_finding_is_a_line_and_the_summary_is_the_last(self):
        self.assertEqual(
            as_text(FINDINGS[:1], 2),
            "a.md:1: dead-link the link b.md leads to no file\n2 pages checked, 1 problem in 1 file\n",
        )

    def test_the_summary_counts_in_proper_english(self):
        self.assertEqual(summary([], 1), "1 page checked, no problems")
        self.assertEqual(summary([], 0), "0 pages checked, no problems")
        self.assertEqual(summary(FINDINGS, 7), "7 pages checked, 3 problems in 2 files")


class JsonTest(unittest.TestCase):
    def test_json_has_the_findings_and_counts_by_code(self):
        report = json.loads(as_json(FINDINGS, 7))
        self.assertEqual(
            report["findings"][2],
            {"path": "café.md", "line": 9, "code": "missing-anchor", "message": "café.md has no anchor #x"},
        )
        self.assertEqual(
            report["summary"], {"pages": 7, "findings": 3, "by_code": {"dead-link": 2, "missing-anchor": 1}}
        )

    def test_json_is_plain_ascii(self):
        self.assertTrue(as_json(FINDINGS, 7).isascii())


if __name__ == "__main__":
    unittest.main()
