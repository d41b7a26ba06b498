"""Tells how likely the tokens of an answer were, in OpenAI's shape."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob, covering
from anabranch.dag.ids import TRUNK, BranchId

Json = dict[str, Any]


def answer_logprobs(events: Iterable[e.Event]) -> Sequence[TokenLogprob]:
    """Of the first of the answer's sources whose decode has any. Of the tokens that the answer's text stands in, where
    the decode's text begins with it; where it was found further on, as a vote does, of all tokens of that text. Empty
    where they are not known: tokens of what was interrupted are gone with the engine's process."""
    decodes: dict[BranchId, Decoded] = {}
    interrupted: set[BranchId] = set()
    for event in events:
        match event:
            case e.SegmentFinished(branch=branch, decoded=Decoded(finish=Finish.INTERRUPTED, text=text)) if (
                text
            ):
                interrupted.add(branch)
            case e.SegmentFinished(branch=branch, decoded=decoded) if decoded.finish is not Finish.ERROR:
                decodes[branch] = replace(decoded, token_logprobs=()) if branch in interrupted else decoded
                interrupted.discard(branch)
            case e.AnswerCommitted(text=answer, sources=sources):
                from_any = (
                    _of_decode(decodes[each], answer) for each in sources or (TRUNK,) if each in decodes
                )
                return next((told for told in from_any if told), ())
            case _:
                pass
    return ()


def _of_decode(decoded: Decoded, answer: str) -> Sequence[TokenLogprob]:
    tokens, text = decoded.token_logprobs, decoded.text
    if not tokens or not answer or answer not in text:
        return ()
    begin = 0 if text.startswith(answer) else len(text) - len(text.lstrip())
    return _between(tokens, text, begin, begin + len(answer)) if text.startswith(answer, begin) else tokens


def _between(tokens: Sequence[TokenLogprob], text: str, begin: int, end: int) -> Sequence[TokenLogprob]:
    """Where the upstream left the stop string out of what it told, the text up to the answer's end will do."""
    return covering(tokens, text, begin, end) or covering(tokens, text[:end], begin)


def logprobs_json(tokens: Sequence[TokenLogprob]) -> Json | None:
    """A choice's `logprobs`; null where nothing is known."""
    if not tokens:
        return None
    content = [_likelihood(token) | {"top_logprobs": [*map(_likelihood, token.top)]} for token in tokens]
    return {"content": content, "refusal": None}


def _likelihood(told: Likelihood) -> Json:
    return {"token": told.token, "logprob": told.logprob, "bytes": list(told.written)}
