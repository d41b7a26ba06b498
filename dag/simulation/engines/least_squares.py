"""Solves small least-squares problems whose unknowns cannot be negative."""

from collections.abc import Sequence
from itertools import combinations

Row = Sequence[float]


def solve(rows: Sequence[Row], targets: Sequence[float]) -> tuple[float, ...]:
    """The x >= 0 that minimises |rows x - targets|; zeros where there are no rows.

    With few unknowns each set of them that is not 0 can be tried: the best feasible one is the solution (Lawson and
    Hanson 1974, chapter 23, find it by the same conditions with less work).
    """
    if not rows:
        return ()
    size = len(rows[0])
    scales = [max((abs(row[i]) for row in rows), default=0.0) or 1.0 for i in range(size)]
    scaled = [[value / scale for value, scale in zip(row, scales, strict=True)] for row in rows]
    best, least = (0.0,) * size, sum(target * target for target in targets)
    for count in range(1, size + 1):
        for chosen in combinations(range(size), count):
            found = _normal(scaled, targets, chosen)
            if found is None or min(found) < 0:
                continue
            x = [0.0] * size
            for i, value in zip(chosen, found, strict=True):
                x[i] = value
            error = sum(
                (sum(a * b for a, b in zip(row, x, strict=True)) - target) ** 2
                for row, target in zip(scaled, targets, strict=True)
            )
            if error < least * (1 - 1e-12):
                best, least = tuple(x), error
    return tuple(value / scale for value, scale in zip(best, scales, strict=True))


def _normal(rows: Sequence[Row], targets: Sequence[float], chosen: Sequence[int]) -> list[float] | None:
    """Solves the normal equations of these unknowns by elimination with pivots; None where they are singular."""
    size = len(chosen)
    matrix = [
        [sum(row[i] * row[j] for row in rows) for j in chosen]
        + [sum(row[i] * target for row, target in zip(rows, targets, strict=True))]
        for i in chosen
    ]
    for at in range(size):
        pivot = max(range(at, size), key=lambda line: abs(matrix[line][at]))
        matrix[at], matrix[pivot] = matrix[pivot], matrix[at]
        if abs(matrix[at][at]) < 1e-12 * len(rows):
            return None
        for line in range(size):
            if line != at:
                factor = matrix[line][at] / matrix[at][at]
                matrix[line] = [a - factor * b for a, b in zip(matrix[line], matrix[at], strict=True)]
    return [matrix[i][size] / matrix[i][i] for i in range(size)]
