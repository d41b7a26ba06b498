"""Presets the game of 24 (Yao et al., arXiv 2305.10601, section 4.1): four numbers, three steps and the expression.

The question is the four numbers, as in `4 9 10 13`. Each step combines two numbers and tells what is left; a judge says
whether 24 can still be reached, three times over; the five best of each level go on, and all five are the answer.
"""

from anabranch.dag.policy import Preset

PROPOSE = """\
Combine two of the numbers with +, -, * or / into one. Write every promising way on a line of its own, and behind it \
in brackets the numbers that are then left.
Numbers: 3 5 8 12
Steps:
3 + 5 = 8 (left: 8 8 12)
8 - 5 = 3 (left: 3 3 12)
12 / 3 = 4 (left: 4 5 8)
12 - 8 = 4 (left: 3 4 5)
5 * 8 = 40 (left: 3 12 40)
12 + 8 = 20 (left: 3 5 20)
Numbers: {state}
Steps:
"""
EXPRESSION = """\
The steps make 24 of the numbers. Write them as one expression that uses each number once, on one line that begins \
with "Answer:".
Numbers: 2 3 4 12
Steps:
4 - 3 = 1 (left: 1 2 12)
2 * 12 = 24 (left: 1 24)
1 * 24 = 24 (left: 24)
Answer: (4 - 3) * 2 * 12 = 24
Numbers: 5 6 7 8
Steps:
5 + 7 = 12 (left: 6 8 12)
8 - 6 = 2 (left: 2 12)
2 * 12 = 24 (left: 24)
Answer: (5 + 7) * (8 - 6) = 24
Numbers: 1 2 7 7
Steps:
7 * 7 = 49 (left: 1 2 49)
49 - 1 = 48 (left: 2 48)
48 / 2 = 24 (left: 24)
Answer: (7 * 7 - 1) / 2 = 24
Numbers: {question}
Steps:
{steps}"""
VALUE = """\
Can these numbers, each used once, make 24 with +, -, * and /? Try a few ways. End with one word on a line of its own: \
sure, likely or impossible.
6 18
6 + 18 = 24
sure
9 14
9 + 14 = 23
14 - 9 = 5
9 * 14 = 126
impossible
3 4 12
3 + 4 + 12 = 19
3 * 4 + 12 = 24
sure
5 6 9
5 + 6 + 9 = 20
(9 - 5) * 6 = 24
sure
6 7 9
6 + 7 + 9 = 22
(9 - 6) * 7 = 21
24 is not reached yet, but the numbers are of the right size
likely
{state}
"""
ANSWER_VALUE = """\
Does this expression use each of the numbers exactly once, and no other, and is it 24? End with one word on a line of \
its own: sure or impossible.
Numbers: 5 6 7 8
Answer: (5 + 7) * (8 - 6) = 24
It uses 5, 7, 8 and 6, and 12 * 2 is 24.
sure
Numbers: 2 9 10 12
Answer: 2 * 12 = 24
9 and 10 are not used.
impossible
Numbers: {question}
Answer: {answer}
"""

GAME_OF_24 = Preset(
    "Four numbers are the question, as in 4 9 10 13. Proposals as free lines, verdicts summed over three judges, "
    "the five best of each level, all of which are returned.",
    {
        "depth": 4,
        "k": 24,
        "beam": 5,
        "generate": "propose",
        "proposals": "lines",
        "evaluate": "value",
        "votes": 3,
        "temperature": 0.7,
        "step_prompt": PROPOSE,
        "last_prompt": EXPRESSION,
        "value_prompt": VALUE,
        "answer_value_prompt": ANSWER_VALUE,
        "values": {"sure": 20.0, "likely": 1.0, "impossible": 0.001},
        "state": ["left: ", ")"],
        "goal": "24",
        "final": "answer:",
        "answer": "all",
    },
)
