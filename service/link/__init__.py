"""Links each REST process with each organizer: nudges and follows down; news of journals, live text and load up."""
