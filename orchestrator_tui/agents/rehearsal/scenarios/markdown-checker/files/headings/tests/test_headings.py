import unittest

from mdcheck.headings import find_headings


def outline(text):
    return [(heading.line, heading.level, heading.title) for heading in find_headings(text)]


class AtxTest(unittest.TestCase):
    def test_one_to_six_marks_make_a_heading(self):
        self.assertEqual(outline("# One\n###### Six"), [(1, 1, "One"), (2, 6, "Six")])

    def test_seven_marks_or_a_missing_space_make_none(self):
        self.assertEqual(outline("####### Seven\n#hashtag"), [])

    def test_closing_marks_are_not_part_of_the_title(self):
        self.assertEqual(outline("## Usage ##\n## C#"), [(1, 2, "Usage"), (2, 2, "C#")])

    def test_code_stays_in_the_title_and_comments_do_not(self):
        self.assertEqual(outline("## The `--format` option <!-- toc -->"), [(1, 2, "The `--format` option")])
        self.assertEqual(outline("## `main`"), [(1, 2, "`main`")])

    def test_a_heading_may_be_empty(self):
        self.assertEqual(outline("##"), [(1, 2, "")])


class SetextTest(unittest.TestCase):
    def test_underlines_make_headings_of_level_one_and_two(self):
        self.assertEqual(outline("One\n===\n\nTwo\n---"), [(1, 1, "One"), (4, 2, "Two")])

    def test_a_title_may_take_several_lines(self):
        self.assertEqual(outline("A long\ntitle\n====="), [(1, 1, "A long title")])

    def test_a_rule_a_list_and_a_table_are_no_headings(self):
        self.assertEqual(outline("text\n\n---\n\n- item\n---\n\n| a |\n|---|\n---"), [])

    def test_front_matter_is_no_heading(self):
        self.assertEqual(outline("---\ntitle: x\n---\n# Real"), [(4, 1, "Real")])


class HiddenTest(unittest.TestCase):
    def test_headings_in_code_and_comments_are_none(self):
        self.assertEqual(outline("```\n# a\n```\n<!--\n# b\n-->\n# c"), [(7, 1, "c")])


if __name__ == "__main__":
    unittest.main()
