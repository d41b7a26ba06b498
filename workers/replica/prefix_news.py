"""Tells each organizer what this replica has read and written for the others: what goes on from there can be sent here.

An organizer's book knows what it placed itself. A conversation's next turn may be another organizer's job, and one that
was restarted knows nothing. So each batch tells the keys of blocks (`workers/prefixes.py`) that are new since the last
one which went to the same organizer. Of many, the newest are told; a batch that is lost is lost: the book is a guess.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import groupby, islice
from operator import attrgetter

from anabranch.workers.messages import DecodeRequest, Key, Message
from anabranch.workers.prefixes import Keys, Prefixes, Transcripts, keys_of, text_of

KEPT = 10_000
"""Blocks that can still be told: some 160,000 tokens, 60 kB in one batch."""
CALLERS = 64
"""Organizers of whom it is known what they have heard; one beyond that hears the same again."""


class PrefixNews:
    """The newest blocks of this replica, and how far each organizer has heard of them."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._prefixes = Prefixes()
        self._newest: deque[tuple[str, int]] = deque(maxlen=kept)
        """Who had each block read or written, and its key."""
        self._count = 0
        """Of all that were ever among them."""
        self._heard: OrderedDict[str, int] = OrderedDict()
        self._reading: dict[Key, tuple[str, str]] = {}
        """Of each decode under way its organizer, and what it has read."""
        self._transcripts = Transcripts()

    def read(self, requests: Sequence[DecodeRequest], caller: str) -> None:
        """Decodes begin for this organizer."""
        for context, siblings in groupby(requests, key=attrgetter("context")):
            text = text_of(context)
            self._add(keys_of(text), caller)
            self._reading |= {request.key: (caller, text) for request in siblings}

    def wrote(self, message: Message) -> None:
        """A decode has come on, or has ended."""
        text = self._transcripts.end(message)
        if text is not None and message.key in self._reading:
            caller, context = self._reading.pop(message.key)
            self._add(keys_of(context + text), caller)

    def forget(self, key: Key) -> None:
        """This decode is over, with or without a last message."""
        self._reading.pop(key, None)
        self._transcripts.forget(key)

    def since_last(self, caller: str) -> tuple[int, ...]:
        """Blocks of others, in order, that this organizer has not been told."""
        unheard = self._count - self._heard.get(caller, 0)
        self._heard[caller] = self._count
        self._heard.move_to_end(caller)
        if len(self._heard) > CALLERS:
            self._heard.popitem(last=False)
        return tuple(key for by, key in islice(reversed(self._newest), unheard) if by != caller)[::-1]

    def _add(self, keys: Keys, caller: str) -> None:
        new = self._prefixes.add(keys)
        self._newest.extend((caller, key) for key in new)
        self._count += len(new)
