"""One replica: it runs the decodes of a call on its engine and cuts them into segments."""
