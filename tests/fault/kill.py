#!/usr/bin/python3
"""T1, T2: SIGKILL at every system-call stop of an operation.

    kill.py OPERATION [twice]

Where an operation says how, others look at what is there while it stands still
at the stop, and of a long write the first half is carried out.  twice: the
next run, which finishes or undoes what was begun, is killed too, at stops of
its own, after some first kills.
Long form: every stop, but for twice.  Short form: some, first and last among
them.
"""

import sys

from harness import KILLED, LONG, TOOLS, main, points, spread, store_for
from strmtest import CheckError, require


def sweep_once(operation, store, *arguments):
    """Run under killsweep; gives the exit code, None when it was killed, what
    was printed, and how many stops there were."""
    sweep = [f'{TOOLS}/killsweep', '-d', store.path, '-o', store.file('stops')]
    if getattr(operation, 'cuts_writes', False):
        sweep.append('-w')
    glance = getattr(operation, 'glance', None)
    if glance is not None:
        sweep += ['-x', glance(store.path)]
    code, out, err = store.run(
        [*sweep, *arguments, '--', *operation.command(store.path)],
        operation.input())
    require(code in (KILLED, operation.done), 'exit', code, err)
    if code == KILLED and glance is not None:
        operation.judge_glance(store.path)
    with open(store.file('stops'), encoding='ascii') as file:
        return None if code == KILLED else code, out, int(file.read())


def run_once(operation, *arguments):
    """Prepare, run under killsweep, judge; True when it was killed."""
    with store_for(operation) as store:
        operation.prepare(store.path)
        code, out, stops = sweep_once(operation, store, *arguments)
        operation.judge(store.path, code, out)
        return code is None, stops


def sweep_all(operation):
    stops = run_once(operation, '-c')[1]
    require(stops > 10, 'only', stops, 'stops: was anything traced?')
    kills = 0
    for stop in points(stops, 16):
        try:
            kills += run_once(operation, str(stop))[0]
        except CheckError as error:
            raise CheckError(f'killed at stop {stop} of {stops}: {error}') \
                from error
    require(kills > 0, 'nothing was killed')
    return f'{kills} kills at {stops} stops'


def run_twice(operation, first, second):
    """Killed at the first stop, and the next run at the second; gives how many
    stops that had, or None when it ended before."""
    with store_for(operation) as store:
        operation.prepare(store.path)
        sweep_once(operation, store, str(first))
        code, out, stops = sweep_once(
            operation, store, *([str(second)] if second else ['-c']))
        operation.judge(store.path, code, out)
        return stops if second is None or code is None else None


def sweep_twice(operation):
    stops = run_once(operation, '-c')[1]
    kills, firsts = 0, spread(stops, 20 if LONG else 5)
    for first in firsts:
        again = run_twice(operation, first, None)
        for second in spread(again, 60 if LONG else 4):
            try:
                kills += run_twice(operation, first, second) is not None
            except CheckError as error:
                raise CheckError(f'killed at stop {first} of {stops} and at '
                                 f'{second} of {again}: {error}') from error
    return f'{kills} second kills after {len(firsts)} first ones'


if __name__ == '__main__':
    sys.exit(main(sweep_twice if 'twice' in sys.argv else sweep_all,
                  sys.argv))
