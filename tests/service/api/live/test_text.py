"""Live text as a REST process holds it for the readers of a job."""

from anabranch.dag.ids import TRUNK, JobId
from anabranch.service.api.live.text import OpenTexts
from anabranch.service.link.frames import TextNews


def news(at: int, text: str, thought_at: int = 0, thought: str = "") -> TextNews:
    return TextNews(
        job=JobId("j"),
        branch=TRUNK,
        segment=1,
        since=2,
        final=True,
        thought_at=thought_at,
        thought=thought,
        at=at,
        text=text,
    )


def test_text_that_was_on_its_way_to_an_earlier_reader_does_not_stand_at_the_beginning() -> None:
    """The last reader of a job leaves, and another comes: what the organizer had sent in between arrives first."""
    texts = OpenTexts()
    for late in (news(6, "is 42"), news(0, "", thought_at=9, thought="so")):
        assert not texts.add("one", late)
        assert list(texts) == []
    assert texts.add("one", news(0, "6 * 7 is 42", thought="I multiply."))
    assert [(there.thought, there.text, there.anew) for _, there in texts] == [
        ("I multiply.", "6 * 7 is 42", 0)
    ]
