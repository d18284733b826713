import unittest

from mdcheck.links import Link
from mdcheck.references import UndefinedReference, find_references


class DefinitionsTest(unittest.TestCase):
    def test_definitions_are_links_at_their_own_line(self):
        text = '[a][one] and [two]\n\n[one]: b.md "Title"\n[two]: <c d.md>\n'
        self.assertEqual(find_references(text).links, (Link(3, "b.md"), Link(4, "c d.md")))

    def test_footnotes_and_code_are_no_definitions(self):
        self.assertEqual(find_references("[^1]: a note\n\n```\n[x]: y.md\n```\n").links, ())


class UsesTest(unittest.TestCase):
    def undefined(self, text):
        return find_references(text).undefined

    def test_a_use_without_definition_is_told_with_its_line(self):
        self.assertEqual(self.undefined("a\n[b][c]\n[d][]"), (UndefinedReference(2, "c"), UndefinedReference(3, "d")))

    def test_labels_do_not_mind_case_spaces_or_code(self):
        self.assertEqual(self.undefined("[a][The  Guide] [`mask`][]\n\n[the guide]: a.md\n[`mask`]: b.md\n"), ())

    def test_an_image_in_a_reference_is_looked_at_too(self):
        text = "[![build][badge]][ci]\n\n[ci]: ci.md\n"
        self.assertEqual(self.undefined(text), (UndefinedReference(1, "badge"),))

    def test_indexes_shortcuts_footnotes_and_inline_links_are_no_undefined_uses(self):
        self.assertEqual(self.undefined("matrix[0][1], [todo], [x][^1], [a] [b](c.md), [d][e](f.md), `[g][h]`"), ())


if __name__ == "__main__":
    unittest.main()
