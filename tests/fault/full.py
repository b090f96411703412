#!/usr/bin/python3
"""T10: a disk that is really full.

    full.py OPERATION SIZE	a tmpfs of SIZE KiB
    full.py limit				a file size limit

Runs in a mount namespace of its own, so that nothing stays mounted.
"""

import os
import resource
import subprocess
import sys

from harness import OPERATIONS, SMALL, Append, Store, parse_acks
from strmtest import CheckError, require

LINES = 40000
SIZES = {'append': SMALL, 'roll': SMALL + ['segment.bytes=20000']}


def mount(path, kib):
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={kib}k,mode=700',
                    'strm-test', path], check=True)


def fill(path):
    """Take every free byte; gives the ballast's name."""
    ballast = os.path.join(path, 'ballast')
    with open(ballast, 'wb', buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    return ballast


def make_room(path, kib):
    subprocess.run(['mount', '-o', f'remount,size={kib + 4096}k', path],
                   check=True)


def append(store, name, kib):
    """Produce until the disk is full: what was acknowledged stays, and the
    next producer goes on as soon as there is room."""
    operation = Append(LINES, SIZES[name], ['--batch-bytes', '2000'])
    operation.prepare(store.path)
    code, out, err = store.run(operation.command(store.path),
                               operation.input())
    require(code == 6 and err, 'produce exits', code, err)
    survivors = operation.read(store.path)
    require(len(survivors) >= 3 + len(parse_acks(out)), 'lost records')
    code, again, err = store.run(operation.command(store.path),
                                 operation.input())
    require(code == 6 and err, 'produce on the full disk exits', code, err)
    require(operation.read(store.path)[:len(survivors)] == survivors,
            'a second try took records away')
    make_room(store.path, kib)
    survivors = operation.read(store.path)
    require(len(survivors) >= 3 + len(parse_acks(out)) + len(
        parse_acks(again)), 'lost records of the second try')
    operation.goes_on(store.path, survivors)
    return f'{len(survivors)} records fit'


def whole_or_nothing(store, name, kib):
    """An operation on a disk with no room, a little, and more and more."""
    codes = []
    operation = OPERATIONS[name]
    for spare in getattr(operation, 'spares', range(0, 80, 4)):
        with_room = os.path.join(store.path, str(spare))
        os.mkdir(with_room)
        operation.prepare(with_room)
        ballast = fill(store.path)
        os.truncate(ballast, max(0, os.path.getsize(ballast) - spare * 1024))
        code, out, err = store.run(operation.command(with_room),
                                   operation.input())
        if hasattr(operation, 'told'):
            code, err = operation.told(code, out, err)
        codes.append(code)
        if hasattr(operation, 'judge_full'):
            operation.judge_full(with_room, code, err)
        os.unlink(ballast)
        require(code in (0, 6) and (code == 0 or err), 'exit', code, err)
        operation.judge(with_room, code, out)
        subprocess.run(['rm', '-r', with_room], check=True)
    require(codes[-1] == 0, 'exits were', codes)
    require(6 in codes or not hasattr(operation, 'needs_room'),
            'there was always room:', codes)
    return f'exits with more and more room: {codes} of {kib} KiB'


def limit():
    """RLIMIT_FSIZE: EFBIG, not death by SIGXFSZ."""
    operation = Append(LINES, SMALL, ['--batch-bytes', '2000'])
    with Store() as store:
        operation.prepare(store.path)
        with open(store.file('in'), 'w+b') as stdin:
            stdin.write(operation.input())
            stdin.seek(0)
            done = subprocess.run(
                operation.command(store.path), stdin=stdin, check=False,
                capture_output=True, preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (100000, 100000)))
        require(done.returncode == 6, 'exit', done.returncode, done.stderr)
        operation.judge(store.path, 6, done.stdout)
    return 'a limit of 100,000 bytes'


def main(argv):
    if argv[1] == 'limit':
        return limit()
    name, kib = argv[1], int(argv[2])
    with Store() as store:
        mount(store.path, kib)
        try:
            test = append if name in SIZES else whole_or_nothing
            return test(store, name, kib)
        finally:
            subprocess.run(['umount', store.path], check=True)


if __name__ == '__main__':
    try:
        print(main(sys.argv))
    except CheckError as fault:
        sys.exit(f'{" ".join(sys.argv[1:])}: {fault}')
