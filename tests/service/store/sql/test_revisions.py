"""What each migration is called, and which programs can use the database once it is applied."""

from itertools import pairwise

from anabranch.service.store.sql.revisions import ALWAYS, revisions


def test_each_has_its_number_and_the_first_line_of_its_words() -> None:
    known = revisions()
    assert [each.name for each in known] == [f"{number:04}" for number in range(1, len(known) + 1)]
    assert known[0].title == "Jobs, their journals, and what is folded from them."
    assert not any("\n" in each.title or "Revis" in each.title for each in known)


def test_programs_can_use_it_from_the_last_one_that_contracted() -> None:
    known = revisions()
    for before, this in pairwise(known):
        if this.name <= ALWAYS or this.contracts:
            assert this.usable_from == this.name
        else:
            assert this.usable_from == before.usable_from
