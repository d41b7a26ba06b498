"""Serves the Responses API (Open Responses, OpenAI's /v1/responses): a response is a job, under another name.

What a response adds to its job is what was sent for it (`store/jobs/responses.py`); all else is read from the job's row
and journal. Its id is the job's, behind `resp_`. A response that is not stored, or was deleted, is no longer found
here; its job and its journal stay, as every job's do, until they are purged.
"""
