"""The table that is printed at the end."""

from .processes import say


class Table:
    def __init__(self):
        self.rows = []
        self.notes = []

    def add(self, work, ours, peer, theirs, goal, unit="µs"):
        ratio = ours / theirs if theirs else float("inf")
        self.rows.append((work, ours, peer, theirs, ratio, goal))
        say(f"  {work}: {ours:.2f} {unit}, {peer}: {theirs:.2f} {unit}, ratio {ratio:.2f} (goal {goal})")

    def note(self, text):
        """Something that has no peer, or could not be measured."""
        self.notes.append(text)
        say(f"  {text}")

    def print(self):
        if self.rows:
            print("| work | Gatehouse, µs | beside it | µs | ratio | goal |")
            print("|---|---|---|---|---|---|")
        for work, ours, peer, theirs, ratio, goal in self.rows:
            print(f"| {work} | {ours:.1f} | {peer} | {theirs:.1f} | {ratio:.2f} | {goal} |")
        for note in self.notes:
            print(f"\n{note}")
