from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.domain.naming import free_slug, name_from_idea, slugify


def test_a_name_is_made_of_the_words_that_carry_the_idea() -> None:
    assert name_from_idea("Build me a portfolio website with blog") == "portfolio-website-blog"
    assert name_from_idea("# Link checker\n\nIt should check links.") == "link-checker"


def test_an_idea_in_a_script_without_ascii_letters_still_gets_a_name() -> None:
    assert name_from_idea("ブログを作って") == "project"


def test_a_taken_slug_gets_the_first_free_number() -> None:
    assert free_slug("blog", {"blog", "blog-2"}) == "blog-3"


@given(st.text())
def test_a_slug_is_always_safe_as_a_folder_name(text: str) -> None:
    slug = slugify(text)
    assert slug == slugify(slug)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(slug) <= 48
