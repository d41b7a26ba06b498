"""Runs evaluations: reads tasks, submits the trials' jobs, grades their answers, draws what came of them."""
