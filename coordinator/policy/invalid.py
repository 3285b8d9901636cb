"""A user's mistake in a policy, told in one sentence."""


class InvalidSpec(Exception):
    """A field of a policy that the API server accepted and we cannot work with.

    Its text is one sentence: field, what is wrong with it, and after a colon what to do.
    """

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field} {problem}: {fix}")
        self.field = field
        self.problem = problem
        self.fix = fix
