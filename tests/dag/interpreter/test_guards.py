"""What comes too late, or to a branch that waits for something else, changes nothing; what is told is told exactly.

Each test here was written for a mutant that no other test noticed (docs/mutants.md).
"""

from dataclasses import replace

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Decoding, Finish, Structure, Usage
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.interpreter import Interpreter, Step
from anabranch.dag.job import Budget, JobSpec, Problem
from anabranch.dag.limits import Limits
from anabranch.dag.text import Base, say

ONE, TWO = BranchId("0.1"), BranchId("0.2")


def begun() -> Interpreter:
    """Two samples decode; the trunk waits for the first of them, by its join number 1."""
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="self-consistency", params={"n": 2, "stop": "all"})
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
    interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    return interpreter


def finished(branch: BranchId, text: str = "7") -> e.SegmentFinished:
    return e.SegmentFinished(
        branch=branch, segment=1, attempt=1, decoded=Decoded(text=text, finish=Finish.EOS)
    )


def test_equal_answers_told_to_a_branch_that_asked_for_none_change_nothing() -> None:
    interpreter = begun()
    for branch in (ONE, TRUNK, BranchId("0.9")):
        assert interpreter.judged(branch, ((0,),)) == Step()


@pytest.mark.parametrize(("branch", "join"), [(ONE, 0), (ONE, 1), (TRUNK, 2), (BranchId("0.9"), 1)])
def test_a_deadline_of_a_join_that_is_not_open_changes_nothing(branch: BranchId, join: int) -> None:
    assert begun().expired(branch, join) == Step()


@pytest.mark.parametrize("branch", [ONE, TRUNK])
def test_an_answer_to_what_was_not_asked_changes_nothing(branch: BranchId) -> None:
    assert begun().feed(e.BranchScored(branch=branch, scores={ONE: 1.0}, by="x")) == Step()


def test_a_branch_that_has_ended_cannot_be_cancelled() -> None:
    interpreter = begun()
    interpreter.feed(finished(ONE))
    cancelled = e.BranchCancelled(branch=ONE, reason="enough", by=e.CancelledBy.CLIENT)
    assert interpreter.feed(cancelled) == Step()
    interpreter.feed(finished(TWO))
    assert interpreter.over
    assert interpreter.feed(replace(cancelled, branch=TRUNK)) == Step()


@pytest.mark.parametrize("branch", [BranchId("0.9"), ONE])
def test_a_segment_of_no_open_decode_changes_nothing(branch: BranchId) -> None:
    interpreter = begun()
    interpreter.feed(finished(ONE))
    assert interpreter.feed(finished(branch)) == Step()


def test_only_so_many_children_live_at_once_as_there_are_places(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(), a.Thought(), a.Thought()), capacity=2)
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=" ".join(result.value for result in joined.results))

    simulation = simulate(policy, {"0.1": words(3), "0.2": words(5), "0.3": "c"})
    started = {event.branch: at for at, event in _when(simulation.records, e.SegmentStarted)}
    assert started == {"0.1": 0, "0.2": 0, "0.3": 3}
    check(simulation)


def _when(records: list[e.Record], kind: type[e.SegmentStarted]) -> list[tuple[float, e.SegmentStarted]]:
    begin = records[0].at
    return [((r.at - begin).total_seconds(), r.event) for r in records if isinstance(r.event, kind)]


def test_a_join_of_the_first_gives_one_though_more_have_ended(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(), a.Thought()))
        yield a.Join(targets=forked.branches)
        again: a.Joined = yield a.Join(targets=forked.branches, mode=a.Mode.FIRST)
        return a.Answer(text=" ".join(result.value for result in again.results))

    assert answer(simulate(policy, {"0.1": "x one", "0.2": "two"})).text == "two"


def test_a_join_of_all_has_no_deadline_of_its_own() -> None:
    """Seconds are for a join by a deadline: with any other mode they ask for no timer."""
    interpreter = begun()
    waiting = interpreter._run.routines[TRUNK].waiting
    assert waiting is not None and isinstance(waiting.action, a.Join) and waiting.command is None


def test_an_approval_with_an_edit_beside_it_is_an_approval(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        decision: a.Decision = yield a.Approve(gate="plan", subject="as asked")
        return a.Answer(text=decision.subject)

    def approve(request: e.ApprovalRequested) -> e.ApprovalDecided:
        return e.ApprovalDecided(approval=request.approval, decision=e.Choice.APPROVE, edit="other")

    assert answer(simulate(policy, {}, approvals=("plan",), decide=approve)).text == "as asked"


def test_rewording_a_child_changes_its_last_message_alone(simulate: Simulate) -> None:
    read = []

    def policy(problem: Problem) -> a.Policy:
        child = a.Thought(messages=(say("system", "be kind"), say("user", "go left")), label="left")
        forked: a.Forked = yield a.Fork(children=(child, replace(child, label="left")))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[0].value)

    def edit(request: e.ApprovalRequested) -> e.ApprovalDecided:
        return e.ApprovalDecided(
            approval=request.approval, decision=e.Choice.EDIT, edit="left\ngo right instead"
        )

    def write(decode: c.Decode) -> str:
        read.append([(role, text) for role, text in decode.context.messages])
        return "done"

    simulate(policy, write, approvals=("fork",), decide=edit)
    kind = ("system", "be kind")
    assert read == [[kind, ("user", "go left")], [kind, ("user", "go right instead")]]


def test_a_child_whose_message_nobody_has_seen_can_be_kept_or_left_out_but_not_reworded(
    simulate: Simulate,
) -> None:
    """A person sees `sample` twice, the name of its role, and edits the second line."""
    read = []

    def policy(problem: Problem) -> a.Policy:
        child = a.Thought(messages=(say("system", "Write the answer in a box."),), role="sample")
        forked: a.Forked = yield a.Fork(children=(child, child))
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    def edit(request: e.ApprovalRequested) -> e.ApprovalDecided:
        assert request.subject == "sample\nsample"
        return e.ApprovalDecided(approval=request.approval, decision=e.Choice.EDIT, edit="sample\nbe brief")

    def write(decode: c.Decode) -> str:
        read.append("|".join(text for _, text in decode.context.messages))
        return "done"

    simulate(policy, write, approvals=("fork",), decide=edit)
    assert read == ["Write the answer in a box."]


def test_of_lines_that_say_the_same_the_first_keep_their_children(simulate: Simulate) -> None:
    """What is left over rewords the others in the order in which a person wrote it."""
    read = []

    def policy(problem: Problem) -> a.Policy:
        children = [
            a.Thought(messages=(say("user", f"go {side}"),), label=side) for side in ("left", "right", "up")
        ]
        forked: a.Forked = yield a.Fork(children=tuple(children))
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    def edit(request: e.ApprovalRequested) -> e.ApprovalDecided:
        return e.ApprovalDecided(approval=request.approval, decision=e.Choice.EDIT, edit="left\nnew\nleft")

    def write(decode: c.Decode) -> str:
        read.append("|".join(text for _, text in decode.context.messages))
        return "done"

    simulate(policy, write, approvals=("fork",), decide=edit)
    assert read == ["go left", "new", "left"]


def test_nothing_is_spliced_into_an_open_stream(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        yield a.Think(Decoding(grammar="async-think"))
        yield a.Splice(text="now")
        return a.Answer(text="no")

    [failed] = of_kind(simulate(policy, {"0": "<FORK-1>a</FORK-1> and on"}), e.JobFailed)
    assert failed.detail == "branch 0 splices into a stream that is open"


def test_what_a_stream_wrote_meanwhile_is_read_in_its_order(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.Thought(messages=(say("user", "x"),)),))
        read: list[str] = []
        for wait in (True, False, False):
            segment: a.Segment = yield a.Think(Decoding(grammar="async-think"))
            read.append(segment.text)
            if wait:
                yield a.Join(targets=forked.branches)
        return a.Answer(text="|".join(read))

    pieces = ["a<FORK-1>p</FORK-1>", "b<FORK-2>q</FORK-2>", "c<FORK-3>r</FORK-3>"]
    simulation = simulate(policy, {"0": "".join(pieces) + "d", "0.1": words(40)})
    assert answer(simulation).text == "|".join(pieces)


def test_who_has_no_budget_is_given_an_empty_segment_and_told_to_wind_up(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        yield a.Think()
        segment: a.Segment = yield a.Think()
        return a.Answer(text=f"{segment!r}")

    simulation = simulate(policy, {"0": [words(9), "more"]}, budget=Budget(tokens=4))
    empty = a.Segment(text="", tokens=0, finish=Finish.LENGTH, winding_down=True)
    assert answer(simulation).text == repr(empty)


def test_who_has_no_budget_is_told_so_though_its_final_thoughts_stand(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        yield a.Think()
        segment: a.Segment = yield a.Think()
        return a.Answer(text=f"{segment.winding_down}")

    marked = Limits(final_thoughts=True)
    simulation = simulate(policy, {"0": [words(9), "more"]}, budget=Budget(tokens=4), limits=marked)
    assert answer(simulation).text == "True"


@pytest.mark.parametrize(
    ("children", "most", "detail"),
    [
        (0, None, "nothing fits"),
        (2, 1, "nothing fits"),
        (1, 0, "its budget allows no more branches: nothing fits"),
    ],
    ids=["none", "some", "refused"],
)
def test_who_found_nothing_names_what_refused_it_every_child(
    simulate: Simulate, children: int, most: int | None, detail: str
) -> None:
    def policy(problem: Problem) -> a.Policy:
        if children:
            yield a.Fork(children=(a.Thought(messages=(say("user", "x"),)),) * children)
        yield a.Splice(text="")
        raise NoAnswer("nothing fits")

    simulation = simulate(policy, {"0.1": "w"}, budget=Budget(branches=most))
    [failed] = of_kind(simulation, e.JobFailed)
    assert failed.detail == detail


@pytest.mark.parametrize("structure", [None, Structure(regex="[0-9]+")])
def test_a_segment_tells_whether_it_has_a_form(simulate: Simulate, structure: Structure | None) -> None:
    def policy(problem: Problem) -> a.Policy:
        segment: a.Segment = yield a.Think(Decoding(structure=structure))
        return a.Answer(text=segment.text)

    [started] = of_kind(simulate(policy, {"0": "7"}), e.SegmentStarted)
    assert started.structured is (structure is not None)


def test_who_reads_its_parent_shares_that_branchs_prefix(simulate: Simulate) -> None:
    asked: dict[str, str] = {}

    def write(decode: c.Decode) -> str:
        asked[decode.branch] = decode.affinity
        return "so"

    def child() -> a.Policy:
        yield a.Think()
        forked: a.Forked = yield a.Fork(
            children=tuple(a.Thought(base=base) for base in (Base.PARENT, Base.PROBLEM, Base.NOTHING))
        )
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=child, base=Base.NOTHING),))
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    simulate(policy, write)
    assert asked == {"0.1": "0.1", "0.1.1": "0.1", "0.1.2": "0", "0.1.3": "0.1.3"}


def test_only_who_reads_its_parent_is_forked_with_a_place_in_its_text(simulate: Simulate) -> None:
    def policy(problem: Problem) -> a.Policy:
        yield a.Think()
        yield a.Fork(children=(a.Thought(base=Base.PARENT), a.Thought(base=Base.PROBLEM)))
        yield a.Fork(children=(a.Thought(base=Base.PROBLEM),))
        return a.Answer(text="done")

    simulation = simulate(policy, {"0": "so far", "0.1": "a", "0.2": "b", "0.3": "c"})
    readings = [event.reading for event in of_kind(simulation, e.BranchForked)]
    assert [(each.turns, each.cursor) for each in readings if each] == [(0, 6), (0, 0), (0, 0)]


def test_a_decode_that_goes_on_may_write_what_is_left_of_its_room() -> None:
    """Also within a budget that would leave it more."""
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="sequential", budget=Budget(tokens=1000))
    spec = replace(spec, sampling=replace(spec.sampling, max_tokens=10))
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v", limits=Limits()))
    interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    part = Decoded(text="a b c d", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=4))
    step = interpreter.feed(e.SegmentFinished(branch=TRUNK, segment=1, attempt=1, decoded=part))
    [decode] = [command for command in step.commands if isinstance(command, c.Decode)]
    assert decode.decoding.max_tokens == 6
    whole = Decoded(text="e f g h i j", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=6))
    step = interpreter.feed(e.SegmentFinished(branch=TRUNK, segment=2, attempt=1, decoded=whole))
    [decode] = [command for command in step.commands if isinstance(command, c.Decode)]
    assert decode.decoding.max_tokens == 1, "an engine is never asked for nothing"


def test_posts_are_read_by_siblings_alone(simulate: Simulate) -> None:
    def writes(text: str) -> a.SubPolicy:
        def run() -> a.Policy:
            yield a.Post(text=text)
            segment: a.Segment = yield a.Think()
            board: a.Board = yield a.Post(text="")
            return a.Answer(text=f"{segment.text} {[post for post in board.posts if post[1]]}")

        return a.SubPolicy(run=run)

    def nested() -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(writes("below"),))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text=joined.results[0].value)

    def policy(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(children=(writes("one"), writes("two"), a.SubPolicy(run=nested)))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        return a.Answer(text="; ".join(result.value for result in joined.results))

    simulation = simulate(policy, {"0.1": "a", "0.2": "b c", "0.3.1": "d"})
    assert answer(simulation).text == "a [('0.2', 'two')]; b c []; d []", "0.2 was shown `one` when it posted"


def test_where_less_is_left_than_decodes_are_in_line_each_is_asked_for_one_token(simulate: Simulate) -> None:
    simulation = simulate(
        "self-consistency",
        {f"0.{n}": "7" for n in range(1, 6)},
        params={"n": 5, "stop": "all"},
        budget=Budget(tokens=3),
        max_tokens=None,
    )
    started = of_kind(simulation, e.SegmentStarted)
    assert [event.max_tokens for event in started][:2] == [1, 1]
    check(simulation)
