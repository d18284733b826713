from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.engine.aggregator import Said, merge, normalized, same_titles


def said(author: str, title: str, *, kind: str = "requirement", detail: str = "d", priority: int = 3) -> Said:
    return Said(author=author, kind=kind, title=title, detail=detail, priority=priority)


def test_two_planners_with_the_same_title_agree_whatever_its_case_and_plural() -> None:
    merged = merge([said("a", "Report dead links"), said("b", "report the dead link")])
    assert [point.raised_by for point in merged.agreed] == [("a", "b")]
    assert merged.single == ()


def test_one_planner_saying_a_thing_twice_does_not_agree_with_itself() -> None:
    merged = merge([said("a", "Report dead links"), said("a", "Report dead links")])
    assert merged.agreed == ()
    assert [point.raised_by for point in merged.single] == [("a",)]


def test_the_same_words_of_another_kind_are_another_point() -> None:
    merged = merge([said("a", "Large trees", kind="risk"), said("b", "Large trees", kind="requirement")])
    assert len(merged.single) == 2


def test_a_merged_point_keeps_the_fullest_detail_and_the_most_urgent_priority() -> None:
    merged = merge([said("a", "Exit codes", detail="0 or 1"), said("b", "Exit codes", detail="0, 1 and 2", priority=1)])
    (point,) = merged.agreed
    assert (point.detail, point.priority) == ("0, 1 and 2", 1)


def test_what_only_one_raised_keeps_its_author() -> None:
    merged = merge([said("a", "Exit codes"), said("b", "Colour output")])
    assert {(point.title, point.raised_by) for point in merged.single} == {
        ("Exit codes", ("a",)),
        ("Colour output", ("b",)),
    }


def test_titles_of_fillers_alone_are_still_told_apart() -> None:
    assert normalized("to be") != normalized("or not")


def test_a_duplicate_title_is_found_by_its_carrying_words() -> None:
    assert same_titles({"slugs": "Compute heading slugs"}, "Compute the heading slug") == "slugs"
    assert same_titles({"slugs": "Compute heading slugs"}, "Compute anchors") is None


points = st.builds(
    Said,
    author=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(["risk", "requirement"]),
    title=st.text(min_size=1, max_size=30),
    detail=st.text(max_size=30),
    priority=st.integers(1, 4),
)


@given(st.lists(points, max_size=40))
def test_nobody_is_lost_in_a_merge(everything: list[Said]) -> None:
    merged = merge(everything)
    together = [*merged.agreed, *merged.single]
    assert {author for point in together for author in point.raised_by} == {point.author for point in everything}
    assert len(together) <= len(everything)
    assert all(len(point.raised_by) > 1 for point in merged.agreed)
