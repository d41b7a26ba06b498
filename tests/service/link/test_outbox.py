"""What one connection is still to be told: places, not messages, so a slow reader gets fewer and larger frames."""

from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.service.link.frames import Down, TextNews, Texts, Up
from anabranch.service.link.outbox import Head, OpenText, Outbox
from anabranch.workers.pool.protocol import PoolLoad

JOB, OTHER = JobId("j"), JobId("k")
LOAD = PoolLoad(replicas=1, decoding=2, capacity=32)


class Branches:
    """The open segments of the job, as they grow."""

    def __init__(self) -> None:
        self.open: dict[BranchId, OpenText] = {}

    def write(self, text: str, branch: str = TRUNK, segment: int = 1, *, final: bool = True) -> None:
        self.open[BranchId(branch)] = OpenText(
            branch=BranchId(branch), segment=segment, since=3, final=final, thought="", text=text
        )

    def __call__(self, job: JobId, branch: BranchId) -> OpenText | None:
        return self.open.get(branch) if job == JOB else None


def told(up: Up | None) -> list[tuple[str, int, int, str]]:
    return [(text.branch, text.segment, text.at, text.text) for text in up.texts] if up is not None else []


def follow(texts: Texts = Texts.ALL) -> tuple[Outbox, Branches]:
    outbox, branches = Outbox(), Branches()
    outbox.follow(JOB, texts, None, ())
    return outbox, branches


def test_each_piece_of_text_is_told_once_and_many_as_one() -> None:
    outbox, branches = follow()
    for text in ("a", "ab", "abc"):
        branches.write(text)
        outbox.wrote(JOB, TRUNK)
    assert told(outbox.take(branches)) == [(TRUNK, 1, 0, "abc")]
    assert outbox.take(branches) is None
    branches.write("abcd")
    outbox.wrote(JOB, TRUNK)
    assert told(outbox.take(branches)) == [(TRUNK, 1, 3, "d")]


def test_who_follows_late_or_anew_is_told_all_there_is() -> None:
    outbox, branches = follow()
    branches.write("so far")
    for _ in range(2):
        outbox.follow(JOB, Texts.ALL, Head(7), [TRUNK])
        up = outbox.take(branches)
        assert up is not None and up.seqs == {JOB: 7} and told(up) == [(TRUNK, 1, 0, "so far")]


def test_only_the_last_seq_is_told_and_only_of_jobs_that_are_followed() -> None:
    outbox, branches = follow()
    for seq in (4, 5, 6):
        outbox.reached(JOB, Head(seq, over=seq == 6))
        outbox.reached(OTHER, Head(seq, over=True))
    up = outbox.take(branches)
    assert up is not None
    assert (up.seqs, set(up.over)) == ({JOB: 6}, {JOB})
    again = Up.read(up.write())
    assert (again.seqs, again.over) == (up.seqs, up.over)


def test_who_wants_the_answer_hears_of_no_other_text_and_who_wants_none_of_none() -> None:
    for wanted, heard in ((Texts.NONE, []), (Texts.ANSWER, [TRUNK]), (Texts.ALL, ["0.1", TRUNK])):
        outbox, branches = follow(wanted)
        branches.write("sample", "0.1", final=False)
        branches.write("answer")
        outbox.wrote(JOB, BranchId("0.1"))
        outbox.wrote(JOB, TRUNK)
        assert [text[0] for text in told(outbox.take(branches))] == heard


def test_an_ended_segment_is_told_as_ended_if_any_of_it_was_told() -> None:
    outbox, branches = follow()
    branches.write("a")
    outbox.wrote(JOB, TRUNK)
    outbox.ended(JOB, TRUNK, 1)
    assert outbox.take(branches) is None
    outbox.wrote(JOB, TRUNK)
    outbox.take(branches)
    outbox.ended(JOB, TRUNK, 1)
    up = outbox.take(branches)
    assert up is not None and up.ended == {JOB: {TRUNK: 1}} and not up.texts


def test_text_that_was_found_to_be_a_thought_is_told_anew() -> None:
    outbox, branches = follow()
    branches.write("let me see")
    outbox.wrote(JOB, TRUNK)
    outbox.take(branches)
    branches.open[TRUNK] = OpenText(
        branch=TRUNK, segment=1, since=3, final=True, thought="let me see", text="7", recast=1
    )
    outbox.wrote(JOB, TRUNK)
    up = outbox.take(branches)
    assert up is not None
    (text,) = up.texts
    assert (text.thought_at, text.thought, text.at, text.text) == (0, "let me see", 0, "7")


def test_what_is_not_followed_any_more_is_forgotten() -> None:
    outbox, branches = follow()
    branches.write("a")
    outbox.wrote(JOB, TRUNK)
    outbox.reached(JOB, Head(5))
    outbox.unfollow(JOB)
    assert outbox.take(branches) is None


def test_the_load_is_told_when_it_has_changed() -> None:
    outbox, branches = follow()
    for _ in range(2):
        outbox.measured(LOAD)
    up = outbox.take(branches)
    assert up is not None and up.load == LOAD
    outbox.measured(LOAD)
    assert outbox.take(branches) is None


def test_frames_are_read_as_they_were_written() -> None:
    down = Down(nudge=frozenset({JOB}), follow={OTHER: Texts.ALL}, unfollow=frozenset({JOB}))
    assert Down.read(down.write()) == down
    text = TextNews(
        job=JOB, branch=TRUNK, segment=1, since=3, final=True, thought_at=0, thought="", at=2, text="ü\u2028"
    )
    up = Up(seqs={JOB: 3}, texts=(text,), ended={JOB: {TRUNK: 1}}, load=LOAD)
    assert Up.read(up.write()) == up
    assert Up.read(Up().write()) == Up()
