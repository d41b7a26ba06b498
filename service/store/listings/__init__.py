"""Lists, sorts, searches and counts jobs, page by page."""
