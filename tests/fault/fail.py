#!/usr/bin/python3
"""T6, T7: every system call of an operation fails in turn.

    fail.py OPERATION [errors | short | sync | memory]

errors: each call with each error that it may give, once and from then on.
short: each write is really cut short, alone and followed by a full disk.
sync: each sync fails, and takes with it what it should have made durable.
memory: each allocation gives NULL, once and from then on.
Long form: every combination.  Short form: every few calls, in turn.
"""

import sys

from harness import LONG, MEMORY, TOOLS, Store, main, points, store_for
from strmtest import CheckError, require

IO = ['EIO']
ERRORS = {
    'open': ['EIO', 'EMFILE', 'EACCES', 'ENOSPC', 'EROFS', 'ENOMEM'],
    'read': ['EIO', 'EINTR'],
    'write': ['EIO', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EINTR'],
    'sync': ['EIO', 'ENOSPC', 'EDQUOT', 'EINTR'],
    'fallocate': ['ENOSPC', 'EOPNOTSUPP', 'EIO', 'EINTR'],
    'names': ['EIO', 'ENOSPC', 'EDQUOT', 'EACCES', 'EROFS'],
    'fcntl': ['ENOLCK', 'EINTR', 'EIO'],
    'memory': ['ENOMEM'],
    'wait': ['EINTR', 'ENOMEM'],
    'inotify': ['EMFILE', 'ENOSPC', 'ENOMEM'],
    'clone': ['EAGAIN'],
}
KINDS = {
    'open': ['open', 'openat', 'openat2', 'pipe2', 'eventfd2'],
    'read': ['read', 'readv', 'pread64', 'preadv'],
    'write': ['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2'],
    'sync': ['fsync', 'fdatasync', 'syncfs', 'sync_file_range'],
    'fallocate': ['fallocate'],
    'names': ['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink',
              'unlinkat', 'rmdir', 'mkdir', 'mkdirat', 'ftruncate'],
    'fcntl': ['fcntl', 'flock'],
    'memory': ['mmap', 'mremap', 'brk'],
    'wait': ['poll', 'ppoll', 'epoll_wait'],
    'inotify': ['inotify_init1', 'inotify_add_watch'],
    'clone': ['clone', 'clone3'],
}
KIND_OF = {call: kind for kind, calls in KINDS.items() for call in calls}
WRITES = ','.join(KINDS['write'])
SYNCS = 'fsync,fdatasync'


def failsys(store, *arguments):
    """A prefix for commands that leaves the matches, one line each."""
    return [f'{TOOLS}/failsys', '-d', store.path, '-o', store.file('matches'),
            *arguments, '--']


def nomem(store, *arguments):
    """One that leaves the number of allocations."""
    return ['env', f'LD_PRELOAD={TOOLS}/nomem.so',
            f'NOMEM_OUT={store.file("matches")}', *arguments]


def run_once(operation, *arguments, by=failsys):
    """Run under a fault tool and judge.  Gives the lines that it left."""
    where = Store(MEMORY) if by is nomem else store_for(operation)
    with where as store:
        operation.prepare(store.path)
        code, out, err = store.run(
            by(store, *arguments) + operation.command(store.path),
            operation.input())
        allowed = {operation.done, getattr(operation, 'holes', 4),
                   getattr(operation, 'partly', 4), 4, 5, 6}
        require(code in allowed, 'exit', code, err)
        told = getattr(operation, 'told', lambda *done: done)
        require(code == operation.done or told(code, out, err)[-1],
                'silent exit', code)
        try:
            operation.judge(store.path, code, out)
        except CheckError as error:
            raise CheckError(f'exit {code} ({err.strip()}): {error}') \
                from error
        with open(store.file('matches'), encoding='ascii') as file:
            return file.read().splitlines()


def attempt(operation, matches, at, *arguments):
    """Disturb the at-th match; 1 when that took place."""
    arguments = ['-n', str(at), *arguments]
    try:
        done = run_once(operation, *arguments)
    except CheckError as error:
        raise CheckError(f'{" ".join(arguments)} ({matches[at - 1]}): '
                         f'{error}') from error
    return any(' ' in line for line in done)


def error_cases(name, turn):
    """Arguments that make one call fail; one of them in the short form."""
    cases = []
    for error in ERRORS.get(KIND_OF.get(name), IO):
        cases.append(['-e', error])
        if error != 'EINTR':  # for ever would only be retried for ever
            cases.append(['-e', error, '-k'])
    return cases if LONG else [cases[turn % len(cases)]]


def errors(operation):
    matches = run_once(operation)
    require(len(matches) > 5, 'only', matches, 'matched')
    hits = sum(attempt(operation, matches, at, *case)
               for turn, at in enumerate(points(len(matches), 24))
               for case in error_cases(matches[at - 1], turn))
    return f'{hits} failures in {len(matches)} calls'


def short(operation):
    matches = run_once(operation, '-y', WRITES)
    cases = [['-s', size] + then for size in ('1', '30', '100', '-1')
             for then in ([], ['-e', 'ENOSPC'], ['-e', 'EIO', '-k'])]
    hits = 0
    for turn, at in enumerate(points(len(matches), 8)):
        for case in cases if LONG else [cases[turn * 5 % len(cases)],
                                        cases[(turn * 5 + 7) % len(cases)]]:
            hits += attempt(operation, matches, at, '-y', WRITES, *case)
    return f'{hits} short writes at {len(matches)} writes'


def sync(operation):
    matches = run_once(operation, '-y', SYNCS)
    require(matches, 'nothing is synced')
    hits = sum(attempt(operation, matches, at, '-y', SYNCS, '-e', error, *more)
               for at in points(len(matches), 4)
               for error in (('EIO', 'ENOSPC') if LONG else ('EIO',))
               for more in ([], ['-l'], ['-l', '-k']))
    return f'{hits} failures at {len(matches)} syncs'


def memory(operation):
    count = int(run_once(operation, by=nomem)[0])
    require(count > 10, 'only', count, 'allocations')
    for at in points(count, 8):
        for more in ([], ['NOMEM_KEEP=1']):
            try:
                run_once(operation, f'NOMEM_AT={at}', *more, by=nomem)
            except CheckError as error:
                raise CheckError(f'allocation {at} of {count} {more}: '
                                 f'{error}') from error
    return f'{2 * len(points(count, 8))} failures of {count} allocations'


if __name__ == '__main__':
    MODE = {'errors': errors, 'short': short, 'sync': sync,
            'memory': memory}[sys.argv[2]]
    sys.exit(main(MODE, sys.argv))
