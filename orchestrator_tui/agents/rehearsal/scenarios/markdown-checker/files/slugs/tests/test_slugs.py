import unittest

from mdcheck.slugs import SlugRegister, slugify

SLUGS = {
    "Getting started": "getting-started",
    "Questions & answers": "questions--answers",
    "What's new in 2.0?": "whats-new-in-20",
    "The `--format` option": "the---format-option",
    "snake_case stays": "snake_case-stays",
    "An _emphasised_ **word**": "an-emphasised-word",
    "Why `__init__` matters": "why-__init__-matters",
    "See [the guide](guide.md#top)": "see-the-guide",
    "Café & Straße": "café--straße",
    "हिन्दी": "हिन्दी",
    r"2. \<nodejs.org> access": "2-nodejsorg-access",
    "C++ &amp; C#": "c--c",
    '<img src="logo.svg"> Title': "title",
}


class SlugTest(unittest.TestCase):
    def test_headings_get_the_anchors_github_gives_them(self):
        for title, slug in SLUGS.items():
            with self.subTest(title):
                self.assertEqual(slugify(title), slug)


class SlugRegisterTest(unittest.TestCase):
    def test_repeated_headings_are_numbered(self):
        register = SlugRegister()
        self.assertEqual([register.add("Notes") for _ in range(3)], ["notes", "notes-1", "notes-2"])

    def test_a_number_that_is_taken_is_not_given_again(self):
        register = SlugRegister()
        slugs = [register.add(title) for title in ("Notes", "Notes 1", "Notes", "Notes")]
        self.assertEqual(slugs, ["notes", "notes-1", "notes-2", "notes-3"])


if __name__ == "__main__":
    unittest.main()
