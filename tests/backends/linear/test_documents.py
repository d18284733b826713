import os
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from graphql.type import is_input_object_type, is_object_type

import orchestrator_tui.backends.linear
from orchestrator_tui.backends.linear import documents, receiver, requests
from orchestrator_tui.backends.linear.documents import Mutation
from orchestrator_tui.config.settings import LinearSettings
from tests.backends.linear.complexity import AN_HOUR, MOST_FOR_ONE, points

EXTRACT = build_schema(Path(__file__).with_name("schema.graphql").read_text())
FOLDER = Path(orchestrator_tui.backends.linear.__file__).parent / "documents"
NAMES = sorted(file.stem for file in FOLDER.glob("*.graphql") if file.stem not in documents.FRAGMENT_FILES.values())
MUTATIONS = [name for name in NAMES if documents.load(name).startswith("mutation")]


BESIDE = Path(__file__).parents[4] / "shared" / "linear" / "schema.graphql"
"""Where a copy of Linear's schema may lie, beside the folder of this project."""


def whole_schema() -> GraphQLSchema:
    file = Path(os.environ.get("ORCHESTRATOR_LINEAR_SCHEMA", BESIDE))
    if not file.is_file():
        pytest.skip(f"Linear's schema is not at {file}; ORCHESTRATOR_LINEAR_SCHEMA may name another file")
    return build_schema(file.read_text())


def problems(schema: GraphQLSchema) -> list[str]:
    """What does not fit, alone or with others in one request."""
    everything = {name: documents.load(name) for name in NAMES}
    many = [Mutation(document=name, variables={}) for name in [*MUTATIONS, *MUTATIONS]]
    everything["together"] = documents.combine(many)[0]
    return [f"{name}: {error.message}" for name, text in everything.items() for error in validate(schema, parse(text))]


def test_every_document_fits_the_part_of_the_schema_that_the_tests_have() -> None:
    assert len(MUTATIONS) == 8
    assert problems(EXTRACT) == []


def test_every_document_fits_linears_schema_and_so_does_the_tests_part_of_it() -> None:
    schema = whole_schema()
    assert problems(schema) == []
    for name, kind in EXTRACT.type_map.items():
        assert name in schema.type_map
        if name.startswith("__") or not (is_object_type(kind) or is_input_object_type(kind)):
            continue
        theirs = schema.type_map[name].fields  # type: ignore[attr-defined]
        for field, ours in kind.fields.items():
            assert str(ours.type) == str(theirs[field].type), f"{name}.{field}"
            for argument, wanted in getattr(ours, "args", {}).items():
                assert str(wanted.type) == str(theirs[field].args[argument].type), f"{name}.{field}({argument})"
        if is_input_object_type(kind):
            required = {field for field, value in theirs.items() if str(value.type).endswith("!")}
            assert required <= kind.fields.keys(), name


def test_no_document_is_more_complex_than_one_may_be() -> None:
    most = {"first": requests.MOST_CHANGES}
    changes = {"first": receiver.MANY, "withIssues": True, "withComments": True}
    costs = {name: points(documents.load(name), changes if name == "changes" else most) for name in NAMES}
    for name in MUTATIONS:
        many = [Mutation(document=name, variables={})] * requests.MOST_CHANGES
        costs[f"many {name}"] = points(documents.combine(many)[0], {})
    assert {name: cost for name, cost in costs.items() if cost > MOST_FOR_ONE / 2} == {}


def test_looks_for_changes_are_a_small_part_of_what_an_hour_has() -> None:
    look = {"first": receiver.FEW, "withIssues": True, "withComments": True}
    assert points(documents.load("changes"), look) * 3_600 / LinearSettings().poll_seconds < AN_HOUR / 5


def test_mutations_of_one_request_keep_their_variables_apart() -> None:
    document, variables = documents.combine(
        [
            Mutation(document="document_update", variables={"id": "a", "input": {"content": "x"}}),
            Mutation(document="comment_create", variables={"input": {"id": "c"}}),
        ]
    )
    assert variables == {"id_0": "a", "input_0": {"content": "x"}, "input_1": {"id": "c"}}
    assert "m0: documentUpdate(id: $id_0, input: $input_0)" in document
    assert "m1: commentCreate(input: $input_1)" in document
