"""The examples of docs/python_client.md run as they stand, one after the other, against a real service."""

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "python_client.md"


def test_the_examples_run(url: str, capsys: Any) -> None:
    examples = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(examples) > 5
    names: dict[str, Any] = {"__name__": "example"}
    for number, example in enumerate(examples, 1):
        code = example.replace("http://127.0.0.1:8000", url)
        exec(compile(code, f"{PAGE.name}, example {number}", "exec"), names)
    assert len(names["answers"]) == 2
    assert names["critical"]
    assert names["edited"].lineage.job == names["job"].id
    told = capsys.readouterr().out
    assert "JobSucceeded" in told
    assert "policy.name" in told
