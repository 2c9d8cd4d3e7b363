"""Samples of metrics: (name, labels, value), and the text that Prometheus reads."""


def sample(name, value, **labels):
    return name, labels, float(value)


def quote(value):
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def text(samples):
    """The samples in the text format, each name once with its type. Counters are those whose names end in _total.
    Source: Prometheus documentation, "Exposition formats"."""
    families = {}
    for name, labels, value in samples:
        families.setdefault(name, []).append((labels, value))
    lines = []
    for name in sorted(families):
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
        for labels, value in families[name]:
            inner = ",".join(f'{key}="{quote(labels[key])}"' for key in sorted(labels))
            lines.append(f"{name}{{{inner}}} {value:.15g}" if inner else f"{name} {value:.15g}")
    return "\n".join(lines) + "\n"


def parse(lines, wanted):
    """Samples of a text in that format whose names the pattern matches. Labels with a quote in them are left out."""
    found = []
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        series, _, value = line.rpartition(" ")
        name, _, inner = series.partition("{")
        if not wanted.fullmatch(name.strip()) or '\\"' in inner:
            continue
        labels = {}
        for part in inner.rstrip("}").split('",'):
            key, equals, content = part.partition('="')
            if equals:
                labels[key.strip(" ,")] = content.rstrip('"')
        found.append((name.strip(), labels, float(value)))
    return found
