"""Prints `PASSED FAILED SKIPPED` of JUnit reports, and the names of failed tests on the standard error.

A test that is in several reports counts as the last of them says.
"""

import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def main():
    outcomes = {}
    for path in sys.argv[1:]:
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError):
            continue  # the run's exit code tells of it
        report = {}
        for case in root.iter("testcase"):
            report.setdefault(f"{case.get('classname')}/{case.get('name')}", []).append(outcome(case))
        outcomes.update(report)
    for name, several in outcomes.items():
        for one in several:
            if one == "failed":
                print(name, file=sys.stderr)
    every = [one for several in outcomes.values() for one in several]
    print(*(every.count(one) for one in ("passed", "failed", "skipped")))


main()
