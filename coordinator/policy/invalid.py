"""A user's mistakes in a policy, each told in one sentence."""

from collections.abc import Callable, Iterable

from pydantic import ValidationError


class InvalidSpec(Exception):
    """A field of a policy that the API server accepted and we cannot work with.

    Its text is one sentence: field, what is wrong with it, and after a colon what to do. Several mistakes of one
    section are raised together: `each` has them all, and the text all their sentences.
    """

    def __init__(self, field: str, problem: str, fix: str, others: Iterable["InvalidSpec"] = ()) -> None:
        self.field = field
        self.problem = problem
        self.fix = fix
        self._others = tuple(others)
        super().__init__("; ".join((self.sentence, *(other.sentence for other in self._others))))

    @property
    def sentence(self) -> str:
        """This mistake alone."""
        return f"{self.field} {self.problem}: {self.fix}"

    @property
    def each(self) -> tuple["InvalidSpec", ...]:
        """Every mistake by itself, this one first."""
        return InvalidSpec(self.field, self.problem, self.fix), *self._others


def refuse(problems: Iterable[InvalidSpec]) -> None:
    """Raise these mistakes as one InvalidSpec, each sentence once; do nothing without any."""
    found = {one.sentence: one for problem in problems for one in problem.each}
    if found:
        first, *others = found.values()
        raise InvalidSpec(first.field, first.problem, first.fix, others)


def caught(*checks: Callable[[], object]) -> tuple[InvalidSpec, ...]:
    """What these checks refuse: all of it, where each alone would stop at the first."""
    problems: list[InvalidSpec] = []
    for check in checks:
        try:
            check()
        except InvalidSpec as refused:
            problems += refused.each
    return tuple(problems)


def unreadable(error: ValidationError) -> tuple[InvalidSpec, ...]:
    """What the API server took, under CRDs that are not ours, and the models do not."""
    return tuple(
        InvalidSpec(
            ".".join(str(part) for part in one["loc"]),
            "cannot be used",
            f"{one['msg']}; apply the CRDs of this version and correct the field",
        )
        for one in error.errors()
    )
