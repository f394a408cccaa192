"""A verb of the command line: arguments that it does not take end in a word on how to go on."""

from typing import Any

from typer.core import TyperArgument, TyperCommand

STUDY = "INPUT"
"""What verbs that read pictures call their argument: a folder may stand for many files."""


class Command(TyperCommand):
    """A command that refuses arguments beyond its own with what it takes, and what to do."""

    allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words behind the verb; refuse those that are left over."""
        left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            ctx.fail(f"Got {', '.join(map(repr, left))} beside what {self.name} takes: {self._way}")
        return left

    @property
    def _way(self) -> str:
        """What the verb takes, and how to give it more."""
        taken = [
            (one.metavar or one.name or "").strip("[]")
            for one in self.params
            if isinstance(one, TyperArgument)
        ]
        if not taken:
            return "options alone, see --help"
        if len(taken) > 1:
            return f"{' and '.join(taken)}, see --help"
        ways = ["run it once for each"]
        if taken == [STUDY]:
            ways.insert(0, "give one folder that holds all")
        if {"--ed", "--es"} <= {name for one in self.params for name in one.opts}:
            ways.append("give two NIfTI stacks of one heart with --ed and --es")
        return f"one {taken[0]}; {', or '.join(ways)}"
