import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from mdcheck.cli import main


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        self.page("good.md", "# Good\n[here](#good)\n")

    def page(self, name, text):
        (self.top / name).write_text(text, encoding="utf-8")

    def run_main(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([*arguments, str(self.top)])
            except SystemExit as stopped:
                code = stopped.code
        return code, out.getvalue(), err.getvalue()

    def test_a_clean_tree_ends_with_zero(self):
        self.assertEqual(self.run_main(), (0, "1 page checked, no problems\n", ""))

    def test_findings_are_sorted_lines_and_end_with_one(self):
        self.page("bad.md", "# Bad\n# Bad\n[a](gone.md) [b](good.md#gone)\n")
        code, out, _ = self.run_main()
        self.assertEqual(code, 1)
        self.assertEqual(
            [line.partition(" ")[2].partition(" ")[0] for line in out.splitlines()[:-1]],
            ["duplicate-heading", "dead-link", "missing-anchor"],
        )
        self.assertTrue(out.startswith(f"{self.top / 'bad.md'}:2: "))
        self.assertTrue(out.endswith("2 pages checked, 3 problems in 1 file\n"))

    def test_json_can_be_read_back(self):
        self.page("bad.md", "[a](gone.md)\n")
        code, out, _ = self.run_main("--format", "json")
        self.assertEqual((code, json.loads(out)["summary"]["findings"]), (1, 1))

    def test_pages_and_codes_can_be_left_out(self):
        self.page("bad.md", "[a](gone.md)\n")
        self.assertEqual(self.run_main("--exclude", "bad.*")[0], 0)
        self.assertEqual(self.run_main("--ignore", "dead-link")[0], 0)

    def test_links_may_be_bound_to_a_root(self):
        (self.top / "docs").mkdir()
        self.page("docs/up.md", "[a](../good.md)\n")
        self.assertEqual(self.run_main()[0], 0)
        code, out, _ = self.run_main("--root", str(self.top / "docs"), "--exclude", "good.md")
        self.assertEqual(code, 1)
        self.assertIn("outside-tree", out)

    def test_wrong_usage_ends_with_two_and_says_why(self):
        for arguments, word in (
            (["nowhere.md"], "nowhere.md"),
            (["--root", "nowhere"], "nowhere"),
            (["--ignore", "spelling"], "spelling"),
            (["--format", "xml"], "xml"),
        ):
            code, out, err = self.run_main(*arguments)
            self.assertEqual((code, out), (2, ""))
            self.assertIn(word, err)

    def test_a_page_that_is_no_text_is_a_finding(self):
        (self.top / "latin.md").write_bytes(b"caf\xe9\n")
        code, out, _ = self.run_main()
        self.assertEqual(code, 1)
        self.assertIn("latin.md:1: unreadable-file", out)


if __name__ == "__main__":
    unittest.main()
