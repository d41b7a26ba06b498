"""Places decodes on simulated replicas, by the rule of `workers/pool/placement.py`, and knows what they have cached.

The rule: what shares a prefix follows it to its home, unless that replica has so many decodes more than the least
loaded one; all else goes where least is to do. Here a thousand replicas must cost no more than one, so they are kept in
lists by load, and which of the least loaded ones it is, is drawn by a hash.
"""

from collections import defaultdict

from anabranch.dag.simulation.draws import uniform

TOLERANCE = 4
"""As `workers.pool.placement.TOLERANCE`."""
REMEMBERED = 4
"""Texts of one affinity that a replica is asked for: the longest prefix that one of them shares is cached."""


class Placing:
    """Loads, homes of prefixes, and texts that were computed."""

    def __init__(self, replicas: int) -> None:
        self._loads = [0] * replicas
        self._levels: dict[int, list[int]] = defaultdict(list, {0: list(range(replicas))})
        self._places = list(range(replicas))
        """Where in the list of its level each replica stands."""
        self._least = 0
        self._homes: dict[int, dict[str, int]] = defaultdict(dict)
        """By job and affinity."""
        self._texts: dict[int, dict[tuple[str, int], list[str]]] = defaultdict(dict)
        """By job, affinity and replica."""

    def place(self, job: int, affinity: str) -> int:
        """The replica of a decode; it counts as one of its load from now on."""
        level = self._levels[self._least]
        least = level[int(uniform("place", job, affinity) * len(level))]
        home = self._homes[job].setdefault(affinity, least)
        replica = home if self._loads[home] <= self._least + TOLERANCE else least
        self._move(replica, 1)
        return replica

    def free(self, replica: int) -> None:
        """A decode of it has ended."""
        self._move(replica, -1)

    def cached(self, job: int, affinity: str, replica: int, text: str) -> int:
        """Characters of the text's beginning that the replica has computed for this job."""
        known = self._texts[job].get((affinity, replica), ())
        return max((_common(text, other) for other in known), default=0)

    def remember(self, job: int, affinity: str, replica: int, text: str) -> None:
        """The replica has computed this text. A text that goes on from another takes its place."""
        known = self._texts[job].setdefault((affinity, replica), [])
        known[:] = [other for other in known if not text.startswith(other)][-(REMEMBERED - 1) :]
        known.append(text)

    def forget(self, job: int) -> None:
        """The job has ended."""
        self._homes.pop(job, None)
        self._texts.pop(job, None)

    def _move(self, replica: int, by: int) -> None:
        level = self._levels[self._loads[replica]]
        last, place = level.pop(), self._places[replica]
        if last != replica:
            level[place], self._places[last] = last, place
        self._loads[replica] += by
        level = self._levels[self._loads[replica]]
        self._places[replica] = len(level)
        level.append(replica)
        self._least = min(self._least, self._loads[replica])
        while not self._levels[self._least]:
            self._least += 1


def _common(left: str, right: str) -> int:
    """How many characters two texts begin with in common: by halves, which compares memory and not characters."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
