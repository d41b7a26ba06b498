"""How much an organizer takes at once."""

import pytest

from anabranch.service.organizer.job.held import Room


@pytest.mark.parametrize("most", [1, 2, 3, 256])
def test_batches_fill_one_half_of_the_room_and_the_others_all_of_it(most: int) -> None:
    held = 0
    while (room := Room(most, held)).for_batches:
        held += room.at_once
    assert held == most - most // 2
    assert room.at_once == most - held
    assert not Room(most, held + room.at_once).at_once
