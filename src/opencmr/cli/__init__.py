"""The command line: one module a verb, heavy imports inside the command."""


def main() -> None:
    """Run the command line."""
    from opencmr.cli.application import run

    run()
