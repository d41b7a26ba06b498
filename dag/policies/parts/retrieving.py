"""Asks knowledge sources, each in a branch of its own: a tool that retrieves, and a reader of what it gave."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from anabranch.dag.actions import (
    Answer,
    Fork,
    Forked,
    Join,
    Joined,
    Policy,
    Segment,
    Splice,
    SubPolicy,
    Think,
    ToolCall,
)
from anabranch.dag.answers.citations import Citation, Passage, cited, read_passages
from anabranch.dag.decoding import Decoding
from anabranch.dag.errors import BadParameters
from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import BranchId
from anabranch.dag.text import Base, say

READ = """\
Above stand numbered passages from {source}. Note, in a few sentences, what they say that helps to answer the \
question; put the number of the passage behind each statement, as in [1]. Add nothing that is not in them. If they do \
not help, say so in one sentence."""
SYNTHESISE = """\
Above stand notes of several readers, each from another source. Answer the question from them. Put the number of the \
passage behind each statement, as in [1]; where sources disagree, say so. What none of them says, say that you do not \
know."""
NOTHING = "nothing-found"
"""Flag of a source that gave no passage."""


def check_tools(tools: object) -> None:
    """Raises BadParameters where these are no names of tools, or one comes twice."""
    names = list(tools) if isinstance(tools, list | tuple) else []
    if not 1 <= len(names) <= 32 or len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise BadParameters("tools are 1 to 32 different names of registered tools")


@dataclass(slots=True, kw_only=True)
class Sources:
    """All sources of a job. A passage's number is known before any source has answered: by its source's place."""

    question: str
    argument: str
    passages: int
    """Of each source, at most."""
    characters: int
    """Of each passage."""
    tokens: int
    """Of each note."""
    prompt: str
    found: dict[int, tuple[str, BranchId, Passage]] = field(default_factory=dict)
    """By number: the tool, the branch that called it, and what it gave."""

    def reader(self, place: int, tool: str, model: str | None) -> SubPolicy:
        return SubPolicy(
            run=lambda: self._read(place, tool), base=Base.PROBLEM, role="source", label=tool, model=model
        )

    def citations(self, text: str) -> tuple[Citation, ...]:
        """The passages that a text cites; a number that no passage has cites nothing."""
        return tuple(
            Citation(
                number=number,
                source=tool,
                branch=branch,
                title=passage.title,
                url=passage.url,
                text=passage.text[:300],
            )
            for number in cited(text)
            if number in self.found
            for tool, branch, passage in (self.found[number],)
        )

    def _read(self, place: int, tool: str) -> Policy:
        call = ToolCall(tool=tool, arguments={self.argument: self.question}, label=tool)
        forked: Forked = yield Fork(children=(call,))
        joined: Joined = yield Join(targets=forked.branches)
        said = [result for result in joined.results if result.ok]
        passages = read_passages(said[0].value, self.passages, self.characters) if said else []
        numbered = dict(enumerate(passages, start=place * self.passages + 1))
        self.found |= {number: (tool, said[0].branch, passage) for number, passage in numbered.items()}
        if not numbered or joined.winding_down:
            return Answer(text="", flags=(NOTHING,))
        yield Splice(
            messages=(say("user", self._shown(numbered)), say("user", self.prompt.replace("{source}", tool)))
        )
        segment: Segment = yield Think(Decoding(max_tokens=self.tokens))
        return Answer(text=segment.text.strip())

    def _shown(self, numbered: Mapping[int, Passage]) -> str:
        lines = (f"[{number}] {passage.title}\n{passage.text}" for number, passage in numbered.items())
        return escape("\n\n".join(lines))
