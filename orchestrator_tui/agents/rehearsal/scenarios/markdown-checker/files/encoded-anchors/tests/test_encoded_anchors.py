import tempfile
import unittest
from pathlib import Path

from mdcheck.checker import check_tree
from mdcheck.targets import resolve


class EncodedAnchorsTest(unittest.TestCase):
    def test_a_fragment_is_decoded_like_the_path_before_it(self):
        target = resolve("caf%C3%A9.md#cr%C3%A8me", Path("/tree/index.md"), Path("/tree"))
        self.assertEqual((target.path.name, target.fragment), ("café.md", "crème"))

    def test_a_link_to_an_encoded_anchor_is_fine(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "menu.md"
            page.write_text("# Café crème\n\n[a](#caf%C3%A9-cr%C3%A8me) [b](menu.md#café-crème)\n", encoding="utf-8")
            self.assertEqual(check_tree([page]).findings, ())

    def test_an_encoded_anchor_that_is_missing_is_told_in_plain_letters(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "menu.md"
            page.write_text("# Menu\n\n[a](#th%C3%A9)\n", encoding="utf-8")
            self.assertEqual(check_tree([page]).findings[0].message, "menu.md has no anchor #thé")


if __name__ == "__main__":
    unittest.main()
