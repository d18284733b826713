import unittest
from pathlib import Path

from mdcheck.targets import Target, absolute, exists, is_inside, resolve

ROOT = Path("/tree")
PAGE = ROOT / "docs" / "guide.md"


class ResolveTest(unittest.TestCase):
    def test_a_relative_destination_starts_at_the_folder_of_its_page(self):
        self.assertEqual(resolve("img/a.png", PAGE, ROOT), Target(absolute(ROOT / "docs/img/a.png")))
        self.assertEqual(resolve("../README.md#usage", PAGE, ROOT), Target(absolute(ROOT / "README.md"), "usage"))

    def test_a_leading_slash_means_the_root_of_the_tree(self):
        self.assertEqual(resolve("/docs/a.md", PAGE, ROOT), Target(absolute(ROOT / "docs/a.md")))

    def test_a_lone_fragment_stays_on_the_page(self):
        self.assertEqual(resolve("#usage", PAGE, ROOT), Target(absolute(PAGE), "usage"))

    def test_percent_signs_are_decoded_and_queries_dropped(self):
        self.assertEqual(resolve("my%20notes.md", PAGE, ROOT), Target(absolute(ROOT / "docs/my notes.md")))
        self.assertEqual(resolve("a.md?plain=1#top", PAGE, ROOT), Target(absolute(ROOT / "docs/a.md"), "top"))

    def test_other_schemes_are_not_ours_to_check(self):
        for destination in ("https://example.org/a.md", "mailto:me@example.org", "//example.org", "data:image/png,x"):
            self.assertIsNone(resolve(destination, PAGE, ROOT))


class PlaceTest(unittest.TestCase):
    def test_the_root_and_what_is_below_are_inside(self):
        root = absolute(ROOT)
        self.assertTrue(is_inside(root, ROOT))
        self.assertTrue(is_inside(root / "docs/a.md", ROOT))
        self.assertFalse(is_inside(root.parent / "tree-two/a.md", ROOT))

    def test_odd_paths_do_not_exist_instead_of_failing(self):
        self.assertFalse(exists(Path("a" * 5000)))
        self.assertFalse(exists(Path("a\0b")))


if __name__ == "__main__":
    unittest.main()
