"""Holds all policies, one file each. A new one needs no other change: the catalogue imports every module here."""
