"""Lays out what thinkers read of each other: finished steps and unfinished text, in one of Hogwild!'s three ways.

Rodionov et al. (arXiv 2504.06261; protocols.md section 7) share the KV cache, so a thinker sees each token of the
others as it is decoded. Here the memory is text, and a thinker sees what was posted when it began its segment. An
engine that shares memory token by token would take the place of this file: the same steps, read sooner.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from anabranch.dag.grammars.escape import escape

PAST = "### Past steps\n\n"
OTHERS = "### Work in progress (others)\n\n"
OWN = "### Work in progress (own)\n\n"
UNFINISHED = " <...>\n\n"
SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "．", "｡")
"""What ends a sentence: `.?!…` and their forms in Chinese, Japanese and Korean text (protocols.md section 13)."""

_ENTRY = re.compile(r"\*\*([\w ]+) \[\d+\]:\*\*(.*?)(?=\*\*[\w ]+ \[\d+\]:\*\*|\n### |\Z)", re.DOTALL)
_STRAY = re.compile(r"\*\*[\w ]+ \[\d+\]:|### (?:Past steps|Work in progress)|<\.\.\.>")
_BREAK = re.compile(r"\n[ \t]*\n\s*")
_CLOSERS = "*\"'”’)]}$`」』）"


def own_words(text: str) -> str:
    """What a thinker wrote up to where it begins to write for others, or a heading: those are the runtime's to write.
    The paper bans the tokens; here the text is cut, whichever engine wrote it."""
    stray = _STRAY.search(text)
    return text[: stray.start()] if stray else text


def written_by(name: str, page: str) -> str:
    """What a thinker wrote itself, from the page it was reading when it was stopped."""
    return "\n\n".join(text.strip() for who, text in _ENTRY.findall(page) if who == name).strip()


class Layout(StrEnum):
    """In which order a thinker reads the memory (section 3 of the paper)."""

    CONTIGUOUS = "contiguous"
    """All of one thinker after the other, the reader's own last."""
    INTERLEAVED = "interleaved"
    """Finished steps in the order in which they were finished: others are seen only then."""
    COMBINED = "combined"
    """Finished steps in their order, then the others' unfinished ones, then one's own."""


def steps_of(text: str, *, strict: bool = False) -> tuple[list[str], str]:
    """The finished steps at the beginning of a text, and the rest: a step ends at a blank line behind the end of a
    sentence, outside of fenced code. Linear in the text."""
    steps: list[str] = []
    begin = seen = fences = 0
    for blank in _BREAK.finditer(text):
        paragraph = text[seen : blank.start()]
        fences += paragraph.count("```")
        seen = blank.end()
        if fences % 2 == 0 and ends_step(paragraph, strict=strict):
            steps.append(text[begin : blank.start()].strip())
            begin = seen
    return steps, text[begin:]


def ends_step(paragraph: str, *, strict: bool) -> bool:
    """Whether a paragraph ends as a step does. Strict: its last character ends a sentence, as in the released code.
    Else it may also end with a box or fenced code, and quotes, brackets or stars may stand behind the sentence."""
    said = paragraph.rstrip()
    if strict:
        return said.endswith(SENTENCE_ENDS)
    return said.endswith("```") or said.rstrip(_CLOSERS).endswith(SENTENCE_ENDS) or _ends_with_box(said)


def _ends_with_box(said: str) -> bool:
    tail = said.rstrip(".$)]*")
    return tail.endswith("}") and "\\boxed{" in tail


@dataclass(slots=True)
class Memory:
    """The memory as one thinker knows it. Thinkers are counted from 0."""

    names: tuple[str, ...]
    me: int
    steps: list[tuple[int, int, str]] = field(default_factory=list)
    """Finished steps in the order in which they were finished: whose, the how-manieth of theirs, its text."""
    rest: dict[int, str] = field(default_factory=dict)
    """Unfinished text by thinker."""
    strict: bool = False
    """Of `ends_step`."""

    def hear(self, who: int, text: str) -> list[str]:
        """Take what a thinker has written since; the steps that it finished by that."""
        finished, self.rest[who] = steps_of(self.rest.get(who, "") + text, strict=self.strict)
        self.steps += ((who, number, step) for number, step in enumerate(finished, self.count(who) + 1))
        return finished

    def repeats(self, steps: list[str]) -> bool:
        """Whether one of these steps of the reader is one that it wrote before."""
        own = Counter(text for who, _, text in self.steps if who == self.me)
        return any(own[step] > 1 for step in steps)

    def count(self, who: int) -> int:
        """Steps this thinker has finished."""
        return sum(whose == who for whose, _, _ in self.steps)

    def page(self, layout: Layout) -> str:
        """All that a thinker reads behind the problem. Its own unfinished step comes last, for it to go on with."""
        others = [who for who in range(len(self.names)) if who != self.me]
        own = self._begun(self.me) + self.rest.get(self.me, "")
        match layout:
            case Layout.INTERLEAVED:
                return self._log(range(len(self.names))) + own
            case Layout.COMBINED:
                past = self._log(range(len(self.names)))
                return f"{PAST}{past}{OTHERS}{''.join(map(self._unfinished, others))}{OWN}{own}"
            case Layout.CONTIGUOUS:
                theirs = "".join(self._log([who]) + self._unfinished(who) for who in others)
                return f"{OTHERS}{theirs}{OWN}{self._log([self.me])}{own}"

    def _log(self, thinkers: range | list[int]) -> str:
        told = (each for each in self.steps if each[0] in thinkers)
        return "".join(
            f"**{self.names[who]} [{number}]:** {self._read(who, text)}\n\n" for who, number, text in told
        )

    def _begun(self, who: int) -> str:
        return f"**{self.names[who]} [{self.count(who) + 1}]:**"

    def _unfinished(self, who: int) -> str:
        text = self.rest.get(who, "").strip()
        return f"{self._begun(who)} {self._read(who, text)}{UNFINISHED}" if text else ""

    def _read(self, who: int, text: str) -> str:
        """What others wrote never reads as a tag."""
        return text if who == self.me else escape(text)
