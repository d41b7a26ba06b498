"""Lays out what thinkers read of each other: finished steps and unfinished text, in one of Hogwild!'s three ways.

Rodionov et al. (arXiv 2504.06261; protocols.md section 7) share the KV cache, so a thinker sees each token of the
others as it is decoded. Here the memory is text, and a thinker sees what was posted when it began its segment. An
engine that shares memory token by token would take the place of this file: the same steps, read sooner.

Each page is all that was written so far, so the memory is bounded in characters as well as in tokens: an engine may
call a word of any length one token.
"""

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from anabranch.dag.grammars.escape import escape

TOKEN_LENGTH = 16
"""Characters that count as a token, at least, in what a thinker has left to write. Prose has four or five for one."""
LONGEST_TOKEN = 128
"""Characters of the longest tokens that tokenizers have, which are runs of blanks."""
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


def own_words(text: str, tokens: int) -> str:
    """What a thinker wrote up to where it begins to write for others, or a heading: those are the runtime's to write.
    The paper bans the tokens; here the text is cut, whichever engine wrote it, as it is where so many tokens cannot
    be longer."""
    text = text[: tokens * LONGEST_TOKEN]
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


@dataclass(slots=True)
class Draft:
    """A thinker's unfinished step. A step ends at a blank line behind the end of a sentence, outside of fenced code."""

    text: str = ""
    strict: bool = False
    """Of `ends_step`."""
    _seen: int = 0
    """Where the paragraph begins that may still become longer: what is before it was looked at."""
    _fences: int = 0

    def add(self, text: str) -> list[str]:
        """Takes what was written since; gives the steps that end by that. Linear in what is new, and in the paragraph
        that it goes on with."""
        steps: list[str] = []
        self.text += text
        begin = 0
        for blank in _BREAK.finditer(self.text, self._seen):
            paragraph = self.text[self._seen : blank.start()]
            self._fences += paragraph.count("```")
            self._seen = blank.end()
            if self._fences % 2 == 0 and ends_step(paragraph, strict=self.strict):
                steps.append(self.text[begin : blank.start()].strip())
                begin = self._seen
        self.text, self._seen = self.text[begin:], self._seen - begin
        return steps


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


class Memory:
    """The memory as one thinker knows it. Thinkers are counted from 0."""

    def __init__(self, names: tuple[str, ...], me: int, *, strict: bool = False) -> None:
        self._names = names
        self._me = me
        self._drafts = tuple(Draft(strict=strict) for _ in names)
        self._log: list[str] = []
        """Finished steps of all as this thinker reads them, in the order in which they were finished."""
        self._logs: tuple[list[str], ...] = tuple([] for _ in names)
        """The same by thinker."""
        self._own = Counter[str]()
        """The reader's finished steps."""

    def hear(self, who: int, text: str) -> list[str]:
        """Takes what a thinker has written since; the steps that it finished by that."""
        finished = self._drafts[who].add(text)
        for step in finished:
            told = f"{self._begun(who)} {self._read(who, step)}\n\n"
            self._log.append(told)
            self._logs[who].append(told)
        if who == self._me:
            self._own.update(finished)
        return finished

    @property
    def unfinished(self) -> str:
        """The step that the reader is writing."""
        return self._drafts[self._me].text

    def repeats(self, steps: list[str]) -> bool:
        """Whether one of these steps of the reader is one that it wrote before."""
        return any(self._own[step] > 1 for step in steps)

    def page(self, layout: Layout) -> str:
        """All that a thinker reads behind the problem. Its own unfinished step comes last, for it to go on with."""
        others = [who for who in range(len(self._names)) if who != self._me]
        own = self._begun(self._me) + self.unfinished
        match layout:
            case Layout.INTERLEAVED:
                return "".join(self._log) + own
            case Layout.COMBINED:
                past, theirs = "".join(self._log), "".join(map(self._unfinished, others))
                return f"{PAST}{past}{OTHERS}{theirs}{OWN}{own}"
            case Layout.CONTIGUOUS:
                theirs = "".join("".join(self._logs[who]) + self._unfinished(who) for who in others)
                return f"{OTHERS}{theirs}{OWN}{''.join(self._logs[self._me])}{own}"

    def _begun(self, who: int) -> str:
        return f"**{self._names[who]} [{len(self._logs[who]) + 1}]:**"

    def _unfinished(self, who: int) -> str:
        text = self._drafts[who].text.strip()
        return f"{self._begun(who)} {self._read(who, text)}{UNFINISHED}" if text else ""

    def _read(self, who: int, text: str) -> str:
        """What others wrote never reads as a tag."""
        return text if who == self._me else escape(text)
