import unittest
from pathlib import Path

from mdcheck.checker import check_tree
from mdcheck.cli import build_parser
from mdcheck.findings import CODES

README = Path(__file__).resolve().parent.parent / "README.md"


class ReadmeTest(unittest.TestCase):
    def test_mdcheck_finds_nothing_in_its_own_readme(self):
        self.assertEqual(check_tree([README], root=README.parent).findings, ())

    def test_every_code_is_explained_in_the_words_of_the_program(self):
        text = README.read_text(encoding="utf-8")
        for code, explanation in CODES.items():
            self.assertIn(f"| `{code}` | {explanation} |", text)

    def test_every_option_is_described(self):
        text = README.read_text(encoding="utf-8")
        options = [option for action in build_parser()._actions for option in action.option_strings]
        for option in {name for name in options if name.startswith("--")} - {"--help"}:
            self.assertIn(f"| `{option}", text)


if __name__ == "__main__":
    unittest.main()
