"""What a model writes is cut as a replica cuts it."""

import pytest

from anabranch.dag.decoding import Decoding, Finish
from anabranch.dag.simulation.models.outputs import write_pieces


def test_a_tag_that_does_not_stop_ends_a_segment_and_the_next_one_is_open_at_once() -> None:
    output = write_pieces(
        Decoding(grammar="async-think"),
        [("so ", 10), ("<FORK-1>a</FORK-1>", 5), ("and ", 20), ("<JOIN-1>", 2), ("never", 9)],
    )
    assert [(cut.tokens, cut.decoded.text, cut.decoded.open) for cut in output.cuts] == [
        (15, "so <FORK-1>a</FORK-1>", True),
        (37, "and <JOIN-1>", False),
    ]
    assert [cut.decoded.usage.completion_tokens for cut in output.cuts] == [15, 22]


@pytest.mark.parametrize(
    ("decoding", "text", "tokens", "finish"),
    [
        (Decoding(), "one two three ", 30, Finish.EOS),
        (Decoding(max_tokens=10), "one ", 10, Finish.LENGTH),
        (Decoding(max_tokens=15), "one tw", 15, Finish.LENGTH),
        (Decoding(max_tokens=30), "one two three ", 30, Finish.EOS),
        (Decoding(stop=("o t",)), "one two t", 22, Finish.STOP),
        (Decoding(stop=("e t", "ee")), "one t", 13, Finish.STOP),
    ],
)
def test_limits_and_stop_strings_end_it(decoding: Decoding, text: str, tokens: int, finish: Finish) -> None:
    [cut] = write_pieces(decoding, [("one ", 10), ("two ", 10), ("three ", 10)]).cuts
    assert (cut.decoded.text, cut.tokens, cut.decoded.finish) == (text, tokens, finish)
