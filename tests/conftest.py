"""Options of the whole test suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code makes into tests/unit/golden/**/*.output.yaml, to be reviewed as a diff",
    )
