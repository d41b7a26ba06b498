"""Packages with policies, built as wheels and installed by pip, as a user would have them."""

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

COIN = '''
"""A policy of another package."""

from typing import Annotated

from anabranch.dag import actions as a
from anabranch.dag.job import Problem
from anabranch.dag.policy import Param, policy
from coin_policies.words import opening


@policy(title="Coin", paper="none: a test", use_when="Both sides are worth the same.\\nCosts one answer.")
def coin(
    problem: Problem, *, side: Annotated[str, Param("which", choices=("heads", "tails"))] = "heads"
) -> a.Policy:
    """T is one answer."""
    segment: a.Segment = yield a.Think()
    return a.Answer(text=f"{opening()} {side}: {segment.text}")
'''
WORDS = 'def opening() -> str:\n    return "It is"\n'


def build_wheel(folder: Path, name: str, files: Mapping[str, str], entry_points: Mapping[str, str]) -> Path:
    """A wheel (PEP 427) of pure Python that announces policies."""
    info = f"{name}-1.0.dist-info"
    lines = ["[anabranch.policies]", *(f"{key} = {value}" for key, value in entry_points.items())]
    inside = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(lines) + "\n",
    }
    inside[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*inside, f"{info}/RECORD"))
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in inside.items():
            archive.writestr(path, text)
    return wheel


def install(target: Path, *wheels: Path) -> None:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        str(target),
    ]
    subprocess.run([*pip, *map(str, wheels)], check=True)


def install_coin(folder: Path) -> Path:
    """A folder, for PYTHONPATH, in which a package with the policy `coin` is installed."""
    files = {"coin_policies/__init__.py": "", "coin_policies/coin.py": COIN, "coin_policies/words.py": WORDS}
    wheel = build_wheel(folder, "coin_policies", files, {"coin": "coin_policies.coin"})
    install(folder / "site", wheel)
    return folder / "site"
