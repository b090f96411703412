#!/usr/bin/python3
"""T1: SIGKILL at every system-call stop of an operation.

    kill.py OPERATION

Long form: every stop.  Short form: some, first and last among them.
"""

import sys

from harness import KILLED, TOOLS, Store, main, points
from strmtest import CheckError, require


def run_once(operation, *arguments):
    """Prepare, run under killsweep, judge; True when it was killed."""
    with Store() as store:
        operation.prepare(store.path)
        sweep = [f'{TOOLS}/killsweep', '-d', store.path, '-o',
                 store.file('stops'), *arguments, '--']
        code, out, err = store.run(sweep + operation.command(store.path),
                                   operation.input())
        killed = code == KILLED
        require(killed or code == operation.done, 'exit', code, err)
        operation.judge(store.path, None if killed else code, out)
        with open(store.file('stops'), encoding='ascii') as file:
            return killed, int(file.read())


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


if __name__ == '__main__':
    sys.exit(main(sweep_all, sys.argv))
