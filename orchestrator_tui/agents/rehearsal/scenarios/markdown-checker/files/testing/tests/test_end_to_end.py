"""Runs the program as people do, over a small tree on disk."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

CLEAN_TREE = {
    "README.md": (
        "# Cookbook\n\n"
        "- [Soups](recipes/soups.md)\n"
        "- [Pea soup](recipes/soups.md#pea-soup)\n"
        "- [All recipes](recipes/)\n"
        "- [Photos](photos/my%20kitchen.jpg)\n\n"
        "![Kitchen][photo]\n\n"
        "[photo]: <photos/my kitchen.jpg>\n"
    ),
    "recipes/README.md": "Recipes\n=======\n\n[Back](/README.md#cookbook)\n",
    "recipes/soups.md": "# Soups\n\n## Pea soup\n\nSee [notes](#notes-1).\n\n### Notes\n\n## Leek soup\n\n### Notes\n",
    "photos/my kitchen.jpg": "",
}
CAFE_TREE = {
    "menu.md": "# Menu\n\n## Café crème\n",
    "index.md": "[Plain](menu.md#café-crème)\n[Encoded](menu.md#caf%C3%A9-cr%C3%A8me)\n",
}


class EndToEndTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name)

    def write(self, files):
        for name, text in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def run_program(self, *arguments):
        command = [sys.executable, "-m", "mdcheck", *arguments, str(self.tree)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8")
        return done.returncode, done.stdout

    def test_a_clean_tree_has_no_findings(self):
        self.write(CLEAN_TREE)
        self.assertEqual(self.run_program(), (0, "3 pages checked, no problems\n"))

    def test_the_three_kinds_of_problems_are_found_in_their_lines(self):
        self.write(CLEAN_TREE)
        self.write({"draft.md": "# Draft\n[a](gone.md)\n[b](recipes/soups.md#pee-soup)\n## Twice\n## Twice\n"})
        code, output = self.run_program("--format", "json")
        found = [(finding["line"], finding["code"]) for finding in json.loads(output)["findings"]]
        self.assertEqual(code, 1)
        self.assertEqual(found, [(2, "dead-link"), (3, "missing-anchor"), (5, "duplicate-heading")])

    def test_an_anchor_may_be_percent_encoded(self):
        self.write(CAFE_TREE)
        self.assertEqual(self.run_program(), (0, "2 pages checked, no problems\n"))

    def test_what_is_in_code_is_not_looked_at(self):
        self.write({"code.md": "# Code\n\n```\n[a](gone.md)\n```\n\n`[b](gone.md)` <!-- [c](gone.md) -->\n"})
        self.assertEqual(self.run_program()[0], 0)

    def test_a_path_that_does_not_exist_is_wrong_usage(self):
        self.assertEqual(self.run_program("nowhere.md"), (2, ""))


if __name__ == "__main__":
    unittest.main()
