"""Models for tests: one that writes whatever it pleases, the same for the same decode, and one that knows its part."""

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

from hypothesis import strategies as st

from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault

MARKS = (
    "<FORK-1>", "</FORK-1>", "<FORK-2>find b</FORK-2>", "<JOIN-1>", "<JOIN-2>", "<ANSWER>7</ANSWER>", "<RETURN>",
    "</RETURN>", "<Parallel>", "<Outlines>", "<Outline>1: one</Outline>", "<Outline>2: two</Outline>", "</Outlines>",
    "<Thread>", "</Thread>", "<Goal>", "</Goal>", "<Path>", "</Path>", "<Conclusion>", "</Conclusion>", "</Parallel>",
    "<Calling Sub Searches>", "<Start Sub Search 0 at level 1> Moving to Node #0,0: look\n",
    "<End Calling Sub Searches>", "<Sub Searches>", "</think1>", "</summary>", "</think>", "</Summary>",
    "<guideline>", "<plan>1: one</plan>", "</guideline>", "</step>",
)  # fmt: skip
JSON = (
    '{"direct":true}',
    '{"subtasks":[{"id":"t1","question":"a?","after":[]},{"id":"t2","question":"b?","after":["t1"]}],"synthesis":"s"}',
    '{"subtasks":[{"id":"t1","question":"a","after":["t1"]}]}',
    '{"score": 7}',
    "{",
)
PROSE = (
    "\\boxed{42}.\n\n",
    "The answer is 7.",
    "1. one\n2. two\n3. three\n",
    "so",
    "9",
    "A",
    "easy answer",
    "hard text",
    "Goal Reached",
    "\n\n",
    "`",
    " ",
)
FRAGMENTS = (*MARKS, *JSON, *PROSE)
FRAGMENT = st.sampled_from(FRAGMENTS) | st.text(max_size=6)
TEXT = st.lists(FRAGMENT, max_size=8).map(" ".join)
FAULT = st.sampled_from(
    (
        Fault(cause="engine-error", detail="boom"),
        Fault(cause="replica-died"),
        Fault(cause="refused", retryable=False),
        Fault(cause="prompt-too-long", retryable=False),
    )
)


Write = Callable[[Decode], str]


def _async_think(decode: Decode) -> str:
    if decode.branch != "0":
        return "hm <RETURN>{}so it is 42</RETURN>"
    done = decode.context.continuation
    if "<JOIN-2>" in done:
        return "<ANSWER>42</ANSWER>"
    return "<JOIN-2>" if "<JOIN-1>" in done else "<FORK-1>find a</FORK-1><FORK-2>find b</FORK-2> so <JOIN-1>"


def _thread_weaver(decode: Decode) -> str:
    if decode.branch != "0":
        return " {}it is 42</Thread>"
    plan = "<Parallel><Outlines><Outline>1: a</Outline><Outline>2: b</Outline></Outlines>"
    return plan if decode.segment == 1 else "\nso 42"


def _multiverse(decode: Decode) -> str:
    if decode.branch != "0":
        return " {}it is 42</Path>"
    plan = "<Parallel><Goal><Outline>1: a</Outline><Outline>2: b</Outline></Goal>"
    return plan if decode.segment == 1 else "both</Conclusion></Parallel> so 42"


def _apr(decode: Decode) -> str:
    if decode.branch != "0":
        return "{}it is 42 Goal Reached {}it is 42"
    call = "<Start Sub Search {0} at level 1> Moving to Node #0,{0}: look for it\n"
    lines = call.format(0) + call.format(1)
    return f"<Calling Sub Searches>\n{lines}<End Calling Sub Searches>" if decode.segment == 1 else "so 42"


def _parallel_r1(decode: Decode) -> str:
    if decode.branch != "0":
        return "{}it is 42</Path>"
    return {1: "so <Parallel>", 2: "both 42</Summary>"}.get(decode.segment, " so 42")


def _npr(decode: Decode) -> str:
    if decode.branch != "0":
        return " {}it is 42</step>"
    plan = "<guideline><plan>1: a</plan><plan>2: b</plan></guideline>"
    return plan if decode.segment == 1 else "both</takeaway> so 42"


def _plan(decode: Decode) -> str:
    return JSON[1] if decode.branch == "0.1" else "{}it is 42"


def _thinker(decode: Decode) -> str:
    return f" {{}}Step {decode.segment}.\n\n" if decode.segment < 3 else " {}so \\boxed{42}.\n\n"


def _auto(decode: Decode) -> str:
    return "easy answer" if decode.branch == "0.1" else _anyone(decode)


def _anyone(decode: Decode) -> str:
    """Fits every question that a fixed topology asks: points, a mark, a box; no two branches write the same."""
    name = "".join(chr(ord("a") + int(number) % 26) for number in decode.branch.split("."))
    return f"{{}}\n1. first {name}\n2. second {name}\n3. third {name}\nScore: 7\nso \\boxed{{42}}"


PARTS: dict[str, Write] = {
    "async-think": _async_think,
    "thread-weaver": _thread_weaver,
    "multiverse": _multiverse,
    "apr": _apr,
    "parallel-r1": _parallel_r1,
    "npr": _npr,
    "plan": _plan,
    "auto": _auto,
    "hogwild": _thinker,
    "group-think": _thinker,
}
"""By policy: what each branch writes. `{}` is where a branch may put what it likes."""


def part(policy: str, decode: Decode, own_words: str = "") -> str:
    """What this branch writes in its part, with some words of its own."""
    text = PARTS.get(policy, _anyone)(decode)
    return text.replace("{}", own_words)


@dataclass(frozen=True)
class Whim:
    """Sometimes plays its part, with words thrown in; else writes any of its texts, or fails. Paces differ too. What it
    does depends on the decode alone."""

    texts: tuple[str | Fault, ...]
    paces: tuple[float, ...]
    salt: int

    def writer(self, policy: str) -> Callable[[Decode], str | Fault]:
        def write(decode: Decode) -> str | Fault:
            text = self.texts[self._pick(decode, "text") % len(self.texts)]
            if self._pick(decode, "whim") % 3:
                return part(policy, decode, text if isinstance(text, str) else "")
            return text

        return write

    def pace(self, decode: Decode) -> float:
        return self.paces[self._pick(decode, "pace") % len(self.paces)]

    def _pick(self, decode: Decode, kind: str) -> int:
        return crc32(f"{self.salt}/{kind}/{decode.branch}/{decode.segment}/{decode.attempt}".encode()) >> 8


WHIMS = st.builds(
    Whim,
    texts=st.lists(TEXT | TEXT | TEXT | FAULT, min_size=1, max_size=8).map(tuple),
    paces=st.lists(st.sampled_from([0.25, 0.5, 1.0, 1.5]), min_size=1, max_size=4).map(tuple),
    salt=st.integers(0, 999),
)
