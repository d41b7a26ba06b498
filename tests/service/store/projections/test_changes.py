"""Two changes of a row make one, as if they had come one after the other."""

from anabranch.service.store.projections.changes import Change, merge_changes


def change(**what: object) -> Change:
    return Change("jobs", ("j",), **what)  # type: ignore[arg-type]


def test_the_later_value_holds_and_sums_add_up() -> None:
    merged = change(set={"a": 1, "b": 1}, add={"n": 1, "m": 4}).then(change(set={"a": 2}, add={"n": 2}))
    assert merged == change(set={"a": 2, "b": 1}, add={"n": 3, "m": 4})


def test_of_first_values_the_earlier_holds_unless_it_is_none() -> None:
    merged = change(first={"a": 1, "b": None}).then(change(first={"a": 2, "b": 2, "c": 3}))
    assert merged.first == {"a": 1, "b": 2, "c": 3}


def test_a_row_that_is_made_takes_in_what_comes_after() -> None:
    made = change(insert=True, set={"n": 1, "a": None, "b": 7, "c": "x"})
    merged = made.then(change(set={"c": "y"}, add={"n": 2}, first={"a": 5, "b": 8}))
    assert merged == change(insert=True, set={"n": 3, "a": 5, "b": 7, "c": "y"})


def test_changes_are_merged_by_row_in_their_order() -> None:
    other = Change("branches", ("0.1",), set={"x": 1})
    assert merge_changes([change(set={"a": 1}), other, change(set={"a": 2})]) == [change(set={"a": 2}), other]
