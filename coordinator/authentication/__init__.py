"""Who speaks: agents by a token that proves their node, people by one that may read the fleet.

claims   what a token says of itself
rules    what a token and the API server say of it → whom it proves, or why it is refused
answers  each question to the API server once at a time, its answer kept for a while
reviews  the questions
gate     all of it, as the gRPC side asks
"""
