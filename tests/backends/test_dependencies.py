from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.backends.dependencies import circle, complaints


def test_an_unknown_dependency_is_named_with_who_wants_it() -> None:
    assert complaints({"a": ["b"]}, {}, []) == ["`a` depends on `b`, which does not exist"]


def test_a_circle_is_told_step_by_step() -> None:
    (line,) = complaints({"a": ["b"], "b": ["c"], "c": ["a"]}, {}, [])
    assert line == "these depend on each other in a circle: `a` -> `b` -> `c` -> `a`"


def test_an_item_that_depends_on_itself_is_a_circle() -> None:
    assert circle({"a": ["a"]}) == ["a", "a"]


def test_an_unknown_parent_and_a_circle_of_parents_are_told() -> None:
    assert complaints({"a": [], "b": []}, {"a": "x"}, []) == ["`a` has the parent `x`, which does not exist"]
    assert len(complaints({"a": [], "b": []}, {"a": "b", "b": "a"}, [])) == 1


def test_items_known_already_may_be_depended_on() -> None:
    assert complaints({"a": ["old"]}, {"a": "old"}, ["old"]) == []


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12))))
def test_links_that_only_point_to_smaller_numbers_never_form_a_circle(pairs: list[tuple[int, int]]) -> None:
    edges: dict[str, list[str]] = {str(number): [] for number in range(13)}
    for one, other in pairs:
        if one != other:
            edges[str(max(one, other))].append(str(min(one, other)))
    assert circle(edges) == []


@given(st.permutations(list(range(8))))
def test_a_ring_is_always_found_whatever_the_order(order: list[int]) -> None:
    edges = {str(number): [str((number + 1) % 8)] for number in order}
    assert len(circle(edges)) == 9
