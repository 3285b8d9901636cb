"""The objects a policy asks for: what should exist, what does, and what is done about the difference."""
