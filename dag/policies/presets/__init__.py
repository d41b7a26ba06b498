"""Holds published examples as parameters: a file each, data alone. The words are ours, after what the papers
describe.
"""
