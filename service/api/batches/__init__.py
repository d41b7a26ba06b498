"""Serves batches: files of lines, each of which asks what one request would, in the shapes of OpenAI's Batch API.

An upload is spooled to the disk, checked line by line and refused whole, or written line by line. A batch reads its
file; `runner.py` begins its lines some at a time, in the order of the file, and writes what came of each. Everything
that has to survive is in the store (`service/store/batches/`): the runner keeps nothing.
"""
