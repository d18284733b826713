"""What a request costs at Linear, by the rule of its documentation: a property 0.1 points, an object 1, and a
connection its children as often as it may have some."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, OperationDefinitionNode, VariableNode, parse
from graphql.language import SelectionSetNode

MOST_FOR_ONE = 10_000
"""Points that one request may have."""
AN_HOUR = 250_000
"""Points that a key has for an hour."""
PAGE = 50
"""What a connection gives when it is not said how many are wanted."""


def points(text: str, variables: Mapping[str, Any]) -> int:
    """The points of a request."""
    definitions = parse(text).definitions
    fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
    (operation,) = [one for one in definitions if isinstance(one, OperationDefinitionNode)]

    def value(node: Any) -> Any:
        return variables.get(node.name.value) if isinstance(node, VariableNode) else node.value

    def fields(selected: SelectionSetNode) -> Iterator[FieldNode]:
        for one in selected.selections:
            wanted = [value(of.value) for directive in one.directives or () for of in directive.arguments or ()]
            if False in wanted:
                continue
            if isinstance(one, FragmentSpreadNode):
                yield from fields(fragments[one.name.value].selection_set)
            elif isinstance(one, FieldNode):
                yield one

    def of(field: FieldNode) -> float:
        if field.selection_set is None:
            return 0.1
        children = list(fields(field.selection_set))
        if all(child.name.value != "nodes" for child in children):
            return 1 + sum(map(of, children))
        sizes = [value(argument.value) for argument in field.arguments or () if argument.name.value == "first"]
        times = int(sizes[0]) if sizes else PAGE
        return sum(of(child) * (times if child.name.value == "nodes" else 1) for child in children)

    return math.ceil(sum(map(of, fields(operation.selection_set))))
