import unittest

from mdcheck.anchors import find_anchors
from mdcheck.headings import find_headings


def anchors(text):
    return find_anchors(text, find_headings(text))


class AnchorsTest(unittest.TestCase):
    def test_headings_of_both_kinds_are_anchors(self):
        self.assertEqual(anchors("# First one\n\nSecond\n---\n"), {"first-one", "second"})

    def test_repeated_headings_have_numbered_anchors(self):
        self.assertEqual(anchors("## Added\n## Added\n## Added\n"), {"added", "added-1", "added-2"})

    def test_html_ids_and_names_are_anchors(self):
        text = """<a id="one"></a> <a name='two'></a> <h2 class="x" id=three>T</h2> <A\nID="four">"""
        self.assertEqual(anchors(text), {"one", "two", "three", "four"})

    def test_a_name_counts_on_links_only_and_other_attributes_never(self):
        self.assertEqual(anchors('<input name="field"> <a data-id="x" href="#y">'), frozenset())

    def test_anchors_in_code_and_comments_are_none(self):
        self.assertEqual(anchors('`<a id="x">` <!-- <a id="y"> -->\n```\n<a id="z">\n```\n'), frozenset())


if __name__ == "__main__":
    unittest.main()
