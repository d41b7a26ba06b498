"""Runs many jobs in virtual time on a described cluster: policies and interpreter are real, engines are modelled."""
