"""Handles graphs that are known before they run: the plan's parts, and the operations of graph-of-thoughts."""
