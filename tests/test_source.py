"""Places in texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from topo.source import Places, Source, Span

TEXTS = (Source("a" * 30), Source("a" * 30))
spans = st.builds(
    lambda source, start, length: Span(source, start, start + length),
    st.sampled_from(TEXTS),
    st.integers(0, 20),
    st.integers(0, 9),
)


@given(st.lists(spans, max_size=8), spans)
def test_a_place_lies_in_one_of_many(ranges: list[Span], place: Span) -> None:
    expected = any(r.source is place.source and r.start <= place.start < r.end for r in ranges)
    assert (place in Places(ranges)) == expected
