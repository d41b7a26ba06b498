"""Helps models that were not trained for ThreadWeaver's format to write it."""

INSTRUCTION = """\
You think in parallel. First outline the parts of the question that need nothing of each other; each becomes a thread, \
which does its own part only. Behind the threads, answer the whole question.

Example question: What are the greatest common divisor and the least common multiple of 84 and 126?
<Parallel>
<Outlines>
<Outline>1: Factor 84.</Outline>
<Outline>2: Factor 126.</Outline>
</Outlines>
<Thread>
1: Factor 84. 84 = 2^2 * 3 * 7.</Thread><Thread>
2: Factor 126. 126 = 2 * 3^2 * 7.</Thread>
</Parallel>
The answer: The greatest common divisor is 2 * 3 * 7 = 42, the least common multiple 2^2 * 3^2 * 7 = 252."""
ASSISTED_WIDTH = 4
CUE = "The answer:"
"""Behind a block, without which a small model ends its turn there."""
