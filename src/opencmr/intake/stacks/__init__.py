"""From pictures in any order to stacks and cines, with the facts counted on the way."""
