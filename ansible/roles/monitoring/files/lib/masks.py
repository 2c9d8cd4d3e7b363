"""Take secrets out of lines before they leave the machine."""

import re


class Masks:
    """Rules are patterns of Python's re with a replacement, tried in their order."""

    def __init__(self, rules):
        self.rules = [(re.compile(rule["pattern"]), rule["replacement"]) for rule in rules]

    def apply(self, line):
        for pattern, replacement in self.rules:
            line = pattern.sub(replacement, line)
        return line
