#!/usr/bin/python3
"""T8: every byte of a segment and of its indexes, flipped.

    flips.py {none | zstd} {place | copy}

A log of a segment of 64 KiB (12 KiB in the short form) and one of a third of
that, in a topic whose offsets are dense.  Each byte of each segment and index is flipped by ^0xff and
by ^1, and the topic is read whole, from offsets, from its last records and
from a time on, with and without --skip-corrupt: the exact records, or an
error of damage that names a byte.  place: where it was written, so that the
durable end is known; copy: a copy of the store, where it is not.
The short form takes the first bytes of each file, and one in 97 after that.
"""

import os
import shutil
import subprocess
import sys

from harness import LONG, Store
from strmtest import BUILD, CheckError, require, strm

SIZE = 64 << 10 if LONG else 12 << 10
STEP = 1 if LONG else 97
HOURS = 3 * 3600  # a million readings take minutes; more is a hang
TOOL = os.path.join(BUILD, 'tests/tools/flips')


def logs(part):
    return sorted(name for name in os.listdir(part) if name.endswith('.log'))


def newest_size(part):
    return os.path.getsize(os.path.join(part, logs(part)[-1]))


def make_store(store, codec):
    """Two segments with an index entry every other batch or so."""
    strm(store, 'topic', 'create', 't', '--set', f'segment.bytes={SIZE}',
         '--set', 'index.interval.bytes=1000')
    part = os.path.join(store, 't-0')
    ts, n = 1772361000000, 0
    while len(logs(part)) < 2 or newest_size(part) < SIZE / 3:
        lines = [b'{"key":"k%d","value":"%s","ts":%d,"headers":[["h","%d"]]}\n'
                 % (n + i, os.urandom(40).hex().encode(), ts + n + i, i)
                 for i in range(40)]
        strm(store, 'produce', '-J', 't', '-z', codec, '--batch-bytes', '700',
             data=b''.join(lines))
        n += len(lines)


def main(codec, where):
    with Store() as store:
        make_store(store.path, codec)
        path = store.path
        if where == 'copy':
            path = store.file('copy')
            shutil.copytree(store.path, path)
            # A state of another file is no state; an empty one says so at once.
            os.truncate(os.path.join(path, 't-0/.strm-state'), 0)
        part = os.path.join(path, 't-0')
        total = 0
        for name in sorted(os.listdir(part)):
            if not name.endswith(('.log', 'index')):
                continue
            done = subprocess.run(
                [TOOL, '-s', str(STEP), path, 't', os.path.join(part, name)],
                capture_output=True, timeout=HOURS, check=False)
            require(done.returncode == 0, name, 'exit', done.returncode,
                    done.stderr.decode())
            total += int(done.stdout.split()[0])
    print(f'{codec} {where}: {total} readings')
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1], sys.argv[2]))
    except CheckError as fault:
        sys.exit(f'{sys.argv[1]} {sys.argv[2]}: {fault}')
