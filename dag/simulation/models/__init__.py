"""Stands for models: what each branch writes, drawn or recorded, cut into segments as a replica cuts it."""
