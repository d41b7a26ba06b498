"""Names what keeps an evaluation from its work."""


class BadTasks(ValueError):
    """Tasks, policies or graders that cannot be used. Nothing was submitted."""


class GraderFailed(Exception):
    """A grader could not judge an answer, which says nothing of the answer. The job is kept: what was mended is tried
    again when the evaluation is run again."""
