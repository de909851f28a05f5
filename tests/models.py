"""Whether two models are the same but for the places where things were declared."""

from __future__ import annotations

from typing import Any

import msgspec

from topo.model import Model
from topo.source import Span


def meaning(value: Any) -> Any:
    """All that a model, or a part of one, says: everything but places, as plain values."""
    if isinstance(value, Span):
        return "somewhere"
    if isinstance(value, msgspec.Struct):
        return {name: meaning(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [meaning(v) for v in value]
    return value


def assert_same(one: Model, other: Model, note: str = "") -> None:
    """See that two models say the same, and neither is in doubt of anything."""
    assert not one.doubtful
    assert not other.doubtful, note
    assert meaning(one) == meaning(other), note
