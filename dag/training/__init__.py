"""Makes samples for training of journals: what models were sent, what they decoded, what it was worth."""
