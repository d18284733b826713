import unittest

from mdcheck.masking import Lines, mask

FENCES = {
    "backticks": "before\n```python\n[a](b)\n```\nafter",
    "tildes": "before\n~~~\n[a](b)\n~~~\nafter",
    "longer closing fence": "before\n```\n[a](b)\n`````\nafter",
    "a fence inside a longer one": "before\n````\n```\n[a](b)\n```\n````\nafter",
    "inside a list": "before\n  - ```\n    [a](b)\n    ```\nafter",
    "inside a quote": "before\n> ```\n> [a](b)\n> ```\nafter",
}


class MaskTest(unittest.TestCase):
    def test_fenced_code_disappears_and_the_text_around_it_stays(self):
        for name, text in FENCES.items():
            with self.subTest(name):
                masked = mask(text)
                self.assertNotIn("[a]", masked)
                self.assertTrue(masked.startswith("before\n"))
                self.assertTrue(masked.endswith("\nafter"))

    def test_an_unclosed_fence_reaches_to_the_end(self):
        self.assertEqual(mask("a\n```\n[b](c)\n").strip(), "a")

    def test_inline_code_becomes_filler_of_the_same_length(self):
        self.assertEqual(mask("see `[a](b)` here"), "see " + "." * 8 + " here")
        self.assertEqual(mask("``a ` b`` c"), "." * 9 + " c")

    def test_a_lone_or_escaped_backtick_hides_nothing(self):
        self.assertEqual(mask("a ` [b](c)"), "a ` [b](c)")
        self.assertEqual(mask(r"\`[b](c)\`"), r"\`[b](c)\`")

    def test_inline_code_ends_with_its_paragraph(self):
        text = "a ` b\n\n[c](d) ` e"
        self.assertEqual(mask(text), text)

    def test_comments_disappear_over_many_lines(self):
        self.assertEqual(mask("a <!-- [b](c)\n[d](e) --> f").split(), ["a", "f"])

    def test_a_comment_sign_in_code_opens_no_comment(self):
        self.assertIn("[b](c)", mask("`<!--` [b](c)"))

    def test_front_matter_is_hidden_but_a_rule_further_down_is_not(self):
        masked = mask("---\ntitle: Guide\n---\n\nText\n\n---\n")
        self.assertNotIn("title", masked)
        self.assertIn("Text\n\n---", masked)

    def test_nothing_moves(self):
        for text in [*FENCES.values(), "a `b` <!-- c\nd --> e"]:
            masked = mask(text)
            self.assertEqual(len(masked), len(text))
            self.assertEqual(masked.count("\n"), text.count("\n"))

    def test_lines_are_counted_from_one(self):
        self.assertEqual([Lines("a\nb\nc").at(offset) for offset in range(5)], [1, 1, 2, 2, 3])


if __name__ == "__main__":
    unittest.main()
