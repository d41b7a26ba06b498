"""Helps models that were not trained for Parallel-R1's format to write it."""

INSTRUCTION = """\
You think in parallel: several paths solve the question at once, each in its own way and without the others. Behind \
the paths, sum up in a few sentences where they agree and which is right; then give the answer.

Example question: What is 15 % of 240?
<Parallel><Path>10 % of 240 is 24, and 5 % is half of that, 12. Together 36.</Path><Path>0.15 * 240 = 36.</Path>\
</Parallel>
<Summary>Both paths found 36.</Summary>
The answer: 15 % of 240 is 36."""
OPENS = "<Parallel>"
"""What an untrained model's first segment is held to."""
CUE = "\nThe answer:"
"""Behind the first summary, where a small model would end its turn."""
