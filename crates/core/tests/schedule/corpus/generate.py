#!/usr/bin/env python3
"""Makes croniter.txt: random schedules and when croniter says that they are due.

    python3 -m venv /tmp/corpus && /tmp/corpus/bin/pip install croniter
    /tmp/corpus/bin/python crates/core/tests/schedule/corpus/generate.py

One line each: expression, time zone, instant to start from, and the first instants after it in seconds since the epoch. Only what
croniter and Cronfleet read alike is asked for: five fields, names, lists, ranges, steps of ranges and of `*`, `L` and `#`.
Left out, because the two differ on purpose (docs/schedules.md lists why): days on which clocks change, `*/n` in one day field
while the other is restricted, a range of all days in one of two day fields, `SUN` as the end of a range, `a/n`, ranges that
wrap (croniter reads `5-5` as one that wraps all around), and `nW`.
"""

import random
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from croniter import croniter

SEED = 20_261_123
LINES = 1_500
INSTANTS = 5
# Zones whose clocks do not change after 2015.
ZONES = ["UTC", "Asia/Shanghai", "Asia/Kolkata", "America/Phoenix", "Asia/Kathmandu", "Africa/Lagos"]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()


def item(draw, least, most, names):
    def word(value):
        return names[value - least] if names and draw.random() < 0.5 else str(value)

    kind = draw.random()
    first = draw.randint(least, most)
    if kind < 0.5:
        return word(first)
    last = draw.randint(first, most)
    if last == first:
        return str(first)
    if kind < 0.8:
        return f"{word(first)}-{word(last)}"
    return f"{first}-{last}/{draw.randint(1, max(1, (most - least) // 2))}"


def field(draw, least, most, names=None, star=0.3, stepped=0.2):
    kind = draw.random()
    if kind < star:
        return "*"
    if kind < star + stepped:
        return f"*/{draw.randint(1, most - least)}"
    return ",".join(item(draw, least, most, names) for _ in range(draw.choice([1, 1, 1, 2, 3])))


def days(draw):
    kind = draw.random()
    if kind < 0.3:
        return "*", "*"
    if kind < 0.55:
        return field(draw, 1, 31, star=0), "*"
    if kind < 0.75:
        return "*", field(draw, 0, 6, WEEKDAYS, star=0)
    if kind < 0.8:
        return "L", "*"
    if kind < 0.87:
        return "*", f"{draw.randint(0, 6)}#{draw.randint(1, 5)}"
    return field(draw, 1, 31, star=0, stepped=0), field(draw, 0, 6, WEEKDAYS, star=0, stepped=0)


def main():
    draw = random.Random(SEED)
    lines = []
    while len(lines) < LINES:
        day, weekday = days(draw)
        text = " ".join(
            [field(draw, 0, 59), field(draw, 0, 23), day, field(draw, 1, 12, MONTHS, star=0.7), weekday]
        )
        zone = draw.choice(ZONES)
        start = draw.randint(1_600_000_000, 2_500_000_000)
        begin = datetime.fromtimestamp(start, timezone.utc).astimezone(ZoneInfo(zone))
        try:
            found = croniter(text, begin, max_years_between_matches=40)
            instants = [str(int(found.get_next(float))) for _ in range(INSTANTS)]
            expanded = croniter.expand(text)[0]
        except Exception:  # a date that never comes: both refuse it
            continue
        # croniter takes `1-31` for `*`, which the rule for two day fields tells apart.
        if "*" not in (day, weekday) and ["*"] in (expanded[2], expanded[4]):
            continue
        lines.append(f"{text}|{zone}|{start}|{' '.join(instants)}\n")
    Path(__file__).with_name("croniter.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
