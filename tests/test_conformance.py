"""The contract holds all that we know of RabbitMQ, and the README says how much that is."""

from collections import Counter
from pathlib import Path

from tests.contract.conformance import contract_tests, proofs, statements_of, table
from tests.contract.statements import SECTIONS

README = Path(__file__).parent.parent / "README.md"
STATEMENTS = [statement for section in SECTIONS for statement in section.statements]

#: Statements that no test proves on RabbitMQ: restarting a server would disturb its other users.
SANDBOX_ONLY = {"U-12"}


def test_statements_are_listed_once() -> None:
    """No statement counts twice."""
    assert [statement for statement, count in Counter(STATEMENTS).items() if count > 1] == []


def test_every_statement_has_a_test() -> None:
    """Each statement is proved, on the sandbox and on RabbitMQ."""
    proved = proofs()

    assert set(STATEMENTS) - proved["sandbox"] == set()
    assert set(STATEMENTS) - proved["rabbitmq"] == SANDBOX_ONLY


def test_every_test_has_a_statement() -> None:
    """Each test of the contract names statements that there are, and says in words what one of them means."""
    for name, test in contract_tests():
        statements = statements_of(test)
        assert statements, name
        assert set(statements) <= set(STATEMENTS), name
        assert any(statement in (test.__doc__ or "").partition(":")[0] for statement in statements), name


def test_readme_has_the_table() -> None:
    """The README holds the table as it is computed now."""
    assert table() in README.read_text(encoding="utf-8")
