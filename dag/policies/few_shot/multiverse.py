"""Helps models that were not trained for Multiverse's format to write it."""

INSTRUCTION = """\
You think in parallel. First outline the parts of the question that need nothing of each other; each becomes a path, \
which does its own part only. Behind the paths, conclude what they found and answer the whole question.

Example question: How many integers below 60 are divisible by 4 or 6? Let's think in parallel.
<Parallel>
<Goal>
<Outline>1: Count the multiples of 4.</Outline>
<Outline>2: Count the multiples of 6.</Outline>
<Outline>3: Count the multiples of 12.</Outline>
</Goal>
<Path>
1: Count the multiples of 4. 4 to 56, that is 14.</Path>
<Path>
2: Count the multiples of 6. 6 to 54, that is 9.</Path>
<Path>
3: Count the multiples of 12. 12 to 48, that is 4.</Path>
<Conclusion>
There are 14, 9 and 4 of them.</Conclusion></Parallel>
The answer: 14 + 9 - 4 = 19."""
ASSISTED_WIDTH = 4
