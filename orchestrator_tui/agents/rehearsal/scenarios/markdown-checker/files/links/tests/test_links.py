import unittest

from mdcheck.links import Link, find_links, opening_bracket


def destinations(text):
    return [link.destination for link in find_links(text)]


class MarkdownLinksTest(unittest.TestCase):
    def test_links_and_images_are_told_apart(self):
        self.assertEqual(find_links("[a](b.md)\n![c](d.png)"), [Link(1, "b.md"), Link(2, "d.png", image=True)])

    def test_titles_angle_brackets_and_spaces_are_no_part_of_the_destination(self):
        text = """[a](one.md "One") [b]( two.md 'Two' ) [c](<three four.md>) [d](five.md (Five))"""
        self.assertEqual(destinations(text), ["one.md", "two.md", "three four.md", "five.md"])

    def test_brackets_in_a_destination_may_be_balanced_or_escaped(self):
        self.assertEqual(destinations(r"[a](b_(c).md) [d](e\).md)"), ["b_(c).md", "e).md"])

    def test_a_badge_is_an_image_and_a_link(self):
        self.assertEqual(
            find_links("[![build](badge.svg)](ci.md)"), [Link(1, "badge.svg", image=True), Link(1, "ci.md")]
        )

    def test_character_references_are_undone_and_percent_signs_are_not(self):
        self.assertEqual(destinations("[a](b&amp;c.md) [d](e%20f.md)"), ["b&c.md", "e%20f.md"])

    def test_a_link_may_have_no_destination(self):
        self.assertEqual(destinations("[todo]()"), [""])

    def test_what_is_escaped_or_code_is_no_link(self):
        self.assertEqual(destinations("\\[a](b) \\[c\\](d) `[e](f)` <!-- [g](h) -->\n```\n[i](j)\n```\nk](l)"), [])

    def test_lines_are_those_of_the_closing_bracket(self):
        self.assertEqual(find_links("text\n[a\nb](c.md)"), [Link(3, "c.md")])


class HtmlLinksTest(unittest.TestCase):
    def test_anchors_and_images_written_as_html_count(self):
        text = """<a class="x" href="a.md">A</a>\n<IMG alt='' src='b.png'>"""
        self.assertEqual(find_links(text), [Link(1, "a.md"), Link(2, "b.png", image=True)])

    def test_other_tags_do_not(self):
        self.assertEqual(find_links('<abbr href="a.md"> <a data-href="b.md">'), [])


class OpeningBracketTest(unittest.TestCase):
    def test_brackets_nest_and_end_with_the_paragraph(self):
        self.assertEqual(opening_bracket("x [a [b] c]", 10), 2)
        self.assertIsNone(opening_bracket("[a\n\nb]", 5))


if __name__ == "__main__":
    unittest.main()
