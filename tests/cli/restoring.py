#!/usr/bin/python3
"""Ranges restored by the index of an archive, and from a pipe: the same files.

    restoring.py TOPIC ARCHIVE END COUNT SEED

COUNT random ranges up to offset END, with times of records that are 6 s apart.
"""

import glob
import os
import random
import shutil
import subprocess
import sys

from inplace import STRM, point


def restored(topic, archive, text, piped):
    """What the command says, and every file with its time (seconds)."""
    store = f'restored-{piped}'
    with open(archive, 'rb') as file, subprocess.Popen(
            ['cat'] if piped else ['true'], stdin=file,
            stdout=subprocess.PIPE) as cat:
        done = subprocess.run(
            [STRM, '-C', store, 'restore', '-' if piped else archive,
             topic + text], stdin=cat.stdout, capture_output=True, check=False)
    files = {}
    for path in glob.glob(f'{store}/**', recursive=True, include_hidden=True):
        if os.path.isfile(path) and not path.endswith('/.lock'):
            with open(path, 'rb') as file:
                data = file.read()
            # A file that is made anew, as the empty log, has the time of now.
            has_time = data and path.endswith('.log')
            files[path[len(store):]] = (
                data, has_time and int(os.stat(path).st_mtime))
    shutil.rmtree(store, ignore_errors=True)
    said = done.stderr.replace(b'standard input', archive.encode())
    return (done.returncode, done.stdout, said), files


def main(topic, archive, end, count, seed):
    random.seed(int(seed))
    for _ in range(int(count)):
        begin, stop = point(int(end), False), point(int(end), True)
        text = random.choice([f'@{begin}', f'@{begin}..{stop}', f'@..{stop}'])
        said, files = restored(topic, archive, text, False)
        said_too, files_too = restored(topic, archive, text, True)
        if said != said_too:
            return f'{text}: {said} {said_too}'
        for name in sorted(files.keys() | files_too.keys()):
            if files.get(name) != files_too.get(name):
                return f'{text}: {name} differs'
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
