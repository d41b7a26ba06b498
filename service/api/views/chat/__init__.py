"""Reads what chat completions are sent, and writes what they answer, in the shapes of OpenAI."""
