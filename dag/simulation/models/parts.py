"""Plays the model's part in each policy, with lengths that are drawn: what a model would write for the policy to go on
as it does, and filler for the rest.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from anabranch.dag.commands import Decode
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policy import policy_named
from anabranch.dag.simulation.description import Kind
from anabranch.dag.simulation.draws import uniform
from anabranch.dag.simulation.models.outputs import Output, Piece, write_pieces
from anabranch.dag.text import say

FILLER = "tok "
"""One token of four characters, which is what a token has on average in English."""
_LETTERS = "bcdfghjklmnpqrstvwxz"
_PROBED = "\\boxed{"
ROUTES = ("A", "B", "C")
STEPWISE = {"hogwild", "group-think", "new-angles", "dynasor", "deep-conf"}
"""Policies that decode a line of thought in strides: its length is drawn once."""


def spec_of(kind: Kind, seed: int, number: int) -> JobSpec:
    """The job of this number."""
    tokens = kind.question_tokens.at(uniform(seed, "question", number))
    return JobSpec(
        messages=(say("user", FILLER * tokens),),
        policy=kind.policy,
        params=kind.params,
        budget=kind.budget,
        sampling=Sampling(max_tokens=None),
        seed=int(uniform(seed, "seed", number) * 2**31),
    )


@dataclass(slots=True)
class Part:
    """The model of one job."""

    kind: Kind
    seed: int
    number: int
    _written: dict[BranchId, int] = field(default_factory=dict)
    """Of lines of thought that are decoded in strides: the tokens so far."""

    def __call__(self, decode: Decode) -> Output:
        structure = decode.decoding.structure
        if structure is not None and structure.choice:
            return write_pieces(decode.decoding, [_piece(self._chosen(decode, structure.choice))])
        play = _PLAYS.get(self.kind.policy, _play_plainly)
        pieces = play(self, decode, self._length(decode))
        return write_pieces(decode.decoding, [piece for piece in pieces if piece[1]])

    def drawn(self, decode: Decode, what: str) -> float:
        """A number of this decode's own."""
        return uniform(self.seed, self.number, what, decode.branch, decode.segment)

    def words(self, decode: Decode, tokens: int) -> Piece:
        """Filler that no other branch writes."""
        at = int(uniform(self.seed, self.number, "word", decode.branch) * len(_LETTERS) ** 3)
        size = len(_LETTERS)
        word = _LETTERS[at % size] + _LETTERS[at // size % size] + _LETTERS[at // size**2] + " "
        return word * tokens, tokens

    def answer(self, decode: Decode) -> str:
        """What this branch comes to: the common answer, or one of its own."""
        share = uniform(self.seed, self.number, "answer", decode.branch)
        return "42" if share < self.kind.agreement else str(1000 + int(share * 1e9))

    def _length(self, decode: Decode) -> int:
        lengths = self.kind.output_tokens
        if self.kind.policy not in STEPWISE:
            return lengths.at(self.drawn(decode, "length"))
        whole = lengths.at(uniform(self.seed, self.number, "length", decode.branch))
        before, stride = self._written.get(decode.branch, 0), decode.decoding.max_tokens
        tokens = max(0, whole - before)
        self._written[decode.branch] = before + (tokens if stride is None else min(tokens, stride))
        return tokens

    def _chosen(self, decode: Decode, choice: tuple[str, ...]) -> str:
        """A router finds the question fit for the policy; a judge may say anything."""
        return "A" if choice == ROUTES else choice[int(self.drawn(decode, "choice") * len(choice))]


_Play = Callable[[Part, Decode, int], list[Piece]]


def _piece(text: str) -> Piece:
    """A text that is no filler, with the tokens that it has on average."""
    return text, max(1, round(len(text) / len(FILLER)))


def _play_plainly(part: Part, decode: Decode, tokens: int) -> list[Piece]:
    """Fits every question that a fixed topology asks: points, a mark, a box."""
    if decode.context.continuation.endswith(_PROBED):
        return [_piece(part.answer(decode) + "}\n")]
    points = "".join(f"\n{n}. point {n} of {decode.branch}" for n in range(1, max(3, part.kind.forks) + 1))
    mark = int(part.drawn(decode, "mark") * 11)
    end = f"{points}\nScore: {mark}\nso \\boxed{{{part.answer(decode)}}}"
    return [part.words(decode, tokens), _piece(end)]


def _play_stepwise(part: Part, decode: Decode, tokens: int) -> list[Piece]:
    if decode.context.continuation.endswith(_PROBED):
        return [_piece(part.answer(decode) + "}\n")]
    return [part.words(decode, tokens), _piece(f"so \\boxed{{{part.answer(decode)}}}.\n\n")]


def _play_async_think(part: Part, decode: Decode, tokens: int) -> list[Piece]:
    if decode.branch != TRUNK:
        said = f"<RETURN>so it is {part.answer(decode)}</RETURN>"
        return [part.words(decode, tokens), _piece(said)]
    forks = max(1, min(part.kind.forks, int(part.kind.params.get("c", 4)) - 1))
    written = part.words(decode, max(1, tokens // (forks + 2)))
    joined = sum(f"<JOIN-{n}>" in decode.context.continuation for n in range(1, forks + 1))
    if not joined:
        asked = [_piece(f"<FORK-{n}>find part {n} of it</FORK-{n}>") for n in range(1, forks + 1)]
        return [written, *asked, written, _piece("<JOIN-1>")]
    if joined < forks:
        return [written, _piece(f"<JOIN-{joined + 1}>")]
    return [written, _piece("<ANSWER>42</ANSWER>")]


def _block(opens: str, outline: str, closes: str, path: str, conclusion: str) -> _Play:
    """A block of a trained format: a plan, its paths, and what follows."""

    def play(part: Part, decode: Decode, tokens: int) -> list[Piece]:
        if decode.branch != TRUNK:
            return [part.words(decode, tokens), _piece(f"it is {part.answer(decode)}{path}")]
        if decode.segment == 1:
            outlines = "".join(outline.format(n=n) for n in range(1, part.kind.forks + 1))
            return [part.words(decode, max(1, tokens // 4)), _piece(opens + outlines + closes)]
        return [part.words(decode, max(1, tokens // 4)), _piece(f"{conclusion} so \\boxed{{42}}")]

    return play


def _play_parallel_r1(part: Part, decode: Decode, tokens: int) -> list[Piece]:
    if decode.branch != TRUNK:
        return [part.words(decode, tokens), _piece(f"it is {part.answer(decode)}</Path>")]
    ends = {1: "<Parallel>", 2: "both</Summary>"}.get(decode.segment, " so \\boxed{42}")
    return [part.words(decode, max(1, tokens // 4)), _piece(ends)]


def _play_apr(part: Part, decode: Decode, tokens: int) -> list[Piece]:
    if decode.branch != TRUNK:
        return [part.words(decode, tokens), _piece("Goal Reached it is 42")]
    if decode.segment > 1:
        return [part.words(decode, max(1, tokens // 4)), _piece("so \\boxed{42}")]
    line = "<Start Sub Search {n} at level 1> Moving to Node #0,{n}: look for it\n"
    calls = "".join(line.format(n=n) for n in range(part.kind.forks))
    return [_piece(f"<Calling Sub Searches>\n{calls}<End Calling Sub Searches>")]


def _play_plan(part: Part, decode: Decode, tokens: int) -> list[Piece]:
    structure = decode.decoding.structure
    if structure is None or structure.json_schema is None:
        return _play_plainly(part, decode, tokens)
    width = min(part.kind.forks, int(part.kind.params.get("width", 4)))
    subtasks = [{"id": f"t{n}", "question": f"part {n}?", "after": []} for n in range(1, width + 1)]
    return [_piece(json.dumps({"subtasks": subtasks, "synthesis": "put them together"}))]


_PLAYS: dict[str, _Play] = {
    "async-think": _play_async_think,
    "thread-weaver": _block(
        "<Parallel><Outlines>", "<Outline>{n}: part {n}</Outline>", "</Outlines>", "</Thread>", ""
    ),
    "multiverse": _block(
        "<Parallel><Goal>",
        "<Outline>{n}: part {n}</Outline>",
        "</Goal>",
        "</Path>",
        "both</Conclusion></Parallel>",
    ),
    "npr": _block("<guideline>", "<plan>{n}: part {n}</plan>", "</guideline>", "</step>", "both</takeaway>"),
    "parallel-r1": _play_parallel_r1,
    "apr": _play_apr,
    "plan": _play_plan,
    "auto": _play_plan,
    **dict.fromkeys(STEPWISE, _play_stepwise),
}


def width_parameter(policy: str) -> str | None:
    """The parameter that says how wide a policy thinks: what its `efforts` set first. None: its model decides."""
    return next(iter(policy_named(policy).efforts.get("high", {})), None)
