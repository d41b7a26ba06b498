"""Finds branches that were not worth their tokens: empty, duplicate, never joined, or all alike.

Paying for concurrency is gamed with many empty threads and with workers that nobody joins (protocols.md sections 1.4
and 9, semantics 22): whoever rewards P should look at these first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from anabranch.dag import events as e
from anabranch.dag.branch_state import BranchState
from anabranch.dag.ids import TRUNK, BranchId, by_path, parent_of
from anabranch.dag.state import JobState, apply

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redundancy:
    """What a journal shows of its branches' worth."""

    empty: tuple[BranchId, ...]
    """Decoded nothing but blanks."""
    duplicate: tuple[BranchId, ...]
    """Wrote the same words as an earlier sibling."""
    never_joined: tuple[BranchId, ...]
    """In no join, no merge, and no other branch's inputs."""
    similarity: Mapping[BranchId, float]
    """Per parent of several children that wrote: the mean similarity of two of them, 0 to 1."""


def redundancy(records: Iterable[e.Record]) -> Redundancy:
    """Look through a journal, or the part of it that is there yet."""
    state, used = JobState(), set[BranchId]()
    for record in records:
        apply(state, record.event)
        used.update(_read_by(record.event))
    branches = sorted(
        (b for b in state.branches.values() if b.id != TRUNK), key=lambda branch: by_path(branch.id)
    )
    siblings: dict[BranchId, list[BranchState]] = defaultdict(list)
    for branch in branches:
        siblings[parent_of(branch.id) or TRUNK].append(branch)
    texts = {branch.id: _wrote(branch) for branch in branches}
    written = {
        parent: [texts[child.id] for child in children if _WORD.search(texts[child.id])]
        for parent, children in siblings.items()
    }
    return Redundancy(
        empty=tuple(
            b.id for b in branches if b.reading is not None and not b.live and not texts[b.id].strip()
        ),
        duplicate=tuple(b for children in siblings.values() for b in _duplicates(children, texts)),
        never_joined=tuple(b.id for b in branches if b.id not in used),
        similarity={parent: mean_similarity(each) for parent, each in written.items() if len(each) > 1},
    )


def similarity(left: str, right: str, n: int = 3) -> float:
    """Jaccard index of the two texts' word n-grams, case and punctuation aside: 0 no phrase in common, 1 the same
    phrases. Texts of fewer than n words are compared by all their words."""
    mine, yours = _grams(left, n), _grams(right, n)
    return len(mine & yours) / len(mine | yours) if mine | yours else 1.0


def mean_similarity(texts: Sequence[str]) -> float:
    """The mean over all pairs; 0.0 without a pair."""
    pairs = [similarity(left, right) for left, right in combinations(texts, 2)]
    return fmean(pairs) if pairs else 0.0


def _grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = _words(text)
    size = min(n, len(words))
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)} if words else set()


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _wrote(branch: BranchState) -> str:
    """What it returned, or what it wrote until it was stopped."""
    return branch.value or branch.own


def _duplicates(children: Sequence[BranchState], texts: Mapping[BranchId, str]) -> Iterable[BranchId]:
    seen: set[tuple[str, ...]] = set()
    for child in children:
        words = tuple(_words(texts[child.id]))
        if words and words in seen:
            yield child.id
        seen.add(words)


def _read_by(event: e.Event) -> tuple[BranchId, ...]:
    """The branches that someone reads by this event."""
    match event:
        case e.BranchesJoined():
            return event.joined
        case e.BranchesMerged():
            return event.merged
        case e.BranchForked():
            return event.after
        case e.SegmentStarted():
            return event.reads
        case _:
            return ()
