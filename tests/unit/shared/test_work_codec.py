"""Work items as texts of the queue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.entries import Origin
from shared.domain.work import WorkItem, WorkKind
from shared.services.work_codec import MalformedWorkItem, parse_work_item, render_work_item

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
GOOD = '{"id":"1","kind":"checkKey","customerId":"contoso","requestId":"r","cause":"c"}'


@given(
    st.builds(
        WorkItem,
        id=texts.filter(bool),
        kind=st.sampled_from(WorkKind),
        customer_id=texts,
        origin=st.builds(Origin, request_id=texts, cause=texts, actor=texts),
        name=texts,
        attempt=st.integers(0, 100),
    )
)
def test_a_work_item_is_read_as_it_was_written(item: WorkItem) -> None:
    assert parse_work_item(render_work_item(item)) == item


def test_the_text_is_camel_case_json_without_what_is_understood() -> None:
    item = WorkItem(id="1", kind=WorkKind.CHECK_KEY, customer_id="contoso", origin=Origin(request_id="r", cause="c"))
    assert render_work_item(item) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "{}",
        "[]",
        "null",
        GOOD[:-1],
        GOOD.replace("checkKey", "dropTable"),
        GOOD.replace('"1"', "1"),
        GOOD.replace('"1"', '""'),
        GOOD.replace("{", '{"surplus":1,', 1),
        GOOD.replace("{", '{"attempt":-1,', 1),
        GOOD.replace("{", '{"attempt":1.5,', 1),
        '"\ud800"',
        "[" * 100_000,
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(MalformedWorkItem):
        parse_work_item(text)
