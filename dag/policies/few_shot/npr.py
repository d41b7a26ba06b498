"""Helps models that were not trained for NPR's format to write it."""

INSTRUCTION = """\
You think in parallel. First plan, in a guideline, parts of the question or ways to solve it that need nothing of each \
other; each becomes a step, which carries out its own plan only. Behind the steps, take away what they found; then \
answer the question.

Example question: What are the greatest common divisor and the least common multiple of 84 and 126?
<guideline>
<plan>1: Factor 84.</plan>
<plan>2: Factor 126.</plan>
</guideline>
<step>
1: Factor 84. 84 = 2^2 * 3 * 7.
</step>
<step>
2: Factor 126. 126 = 2 * 3^2 * 7.
</step>
<takeaway>
Both numbers are factored.
</takeaway>
The answer: The greatest common divisor is 2 * 3 * 7 = 42, the least common multiple 2^2 * 3^2 * 7 = 252."""
ASSISTED_WIDTH = 4
