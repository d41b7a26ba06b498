"""Grows search trees over partial solutions, for tree-of-thoughts and mcts."""
