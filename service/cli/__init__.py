"""Runs the command line: `anabranch`. One file per group of commands; `main` is where it begins."""

from anabranch.service.cli.app import main

__all__ = ["main"]
