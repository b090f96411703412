#!/usr/bin/python3
"""Ranges of a topic and of its archive: both must say the same.

    inplace.py TOPIC ARCHIVE END COUNT SEED

COUNT random ranges up to offset END, with times of records that are 6 s apart.
"""

import os
import random
import subprocess
import sys

STRM = os.environ.get('STRM', 'strm')
BEGIN = 1772323200000


def point(end, is_end):
    kind = random.randrange(5 if is_end else 4)
    if kind == 0:
        return str(random.randint(0, end + 2))
    if kind == 1:
        return f'-{random.randint(0, end + 2)}'
    if kind == 2:
        return random.choice(['start', 'end'])
    if kind == 3:
        return f'@{BEGIN + random.randint(-5, end) * 6000}'
    return f'+{random.randint(0, end)}'


def said(address):
    done = subprocess.run([STRM, 'consume', '-f', '%o %T %k %s\n', address],
                          capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def main(topic, archive, end, count, seed):
    random.seed(int(seed))
    for _ in range(int(count)):
        begin, stop = point(int(end), False), point(int(end), True)
        text = random.choice([f'@{begin}', f'@{begin}..{stop}', f'@..{stop}'])
        if said(topic + text) != said(archive + text):
            return f'{text}: {said(topic + text)[2]} {said(archive + text)[2]}'
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
