"""What is still to be told of a text, to somebody who was told some of it."""

import pytest

from anabranch.service.link.told import Place, next_place


@pytest.mark.parametrize(
    ("told", "end", "begins"),
    [
        (None, Place(1), None),
        (None, Place(1, 0, 0, 4), Place(1)),
        (Place(1, 0, 2, 4), Place(1, 0, 2, 4), None),
        (Place(1, 0, 2, 4), Place(1, 0, 2, 5), Place(1, 0, 2, 4)),
        (Place(1, 0, 2, 0), Place(1, 0, 3, 0), Place(1, 0, 2, 0)),
        (Place(1, 0, 2, 4), Place(1, 0, 2, 3), None),
        (Place(1, 0, 2, 4), Place(1, 0, 1, 5), None),
        (Place(1, 0, 2, 4), Place(1, 1, 6, 0), Place(1, 1)),
        (Place(1, 0, 2, 4), Place(2, 0, 0, 1), Place(2)),
        (Place(1, 0, 2, 4), Place(2), None),
    ],
)
def test_it_begins_where_the_last_time_ended(told: Place | None, end: Place, begins: Place | None) -> None:
    assert next_place(told, end) == begins
