#!/usr/bin/env python3
"""Shortens an asciinema recording, from standard input to standard output.

Nothing that was written is left out or changed, with one exception: of a progress bar that
draws itself over and over, one drawing in every half second stays, and the last one. Waiting
is cut short, and the start is where the demo's first words are.
"""

import json
import sys

# Seconds. The longest wait, the grain of a progress bar, and the stay of the last picture.
LONGEST = 1.2
GRAIN = 0.5
LAST = 8.0
FIRST_WORDS = "A box boots"


def main():
    header = json.loads(sys.stdin.readline())
    events = [json.loads(line) for line in sys.stdin if line.strip()]
    events = [event for event in events if event[1] == "o"]
    first = next((i for i, event in enumerate(events) if FIRST_WORDS in event[2]), 0)
    header.pop("env", None)
    header.pop("command", None)
    header.pop("timestamp", None)
    print(json.dumps(header))
    now, before, drawn, waiting = 0.0, events[first][0], -GRAIN, ""
    for index, (time, _, text) in enumerate(events[first:], first):
        now += min(time - before, LONGEST)
        before = time
        redraw = "\n" not in text and ("\r" in text or "\x1b[" in text)
        last = index + 1 == len(events)
        following_redraws = not last and "\n" not in events[index + 1][2]
        if redraw and following_redraws and now - drawn < GRAIN:
            waiting += text
            continue
        drawn = now
        print(json.dumps([round(now, 3), "o", waiting + text]))
        waiting = ""
    print(json.dumps([round(now + LAST, 3), "o", waiting]))


if __name__ == "__main__":
    main()
