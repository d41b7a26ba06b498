"""Holds all policies, one file each. A new one needs no other change: the catalogue imports every module here.

So this folder is as wide as there are policies, and is meant to be. What policies need beside their own file is in the
folders: `parts/`, `trained/`, `trees/`, `graphs/`, `few_shot/`, `presets/`.
"""
