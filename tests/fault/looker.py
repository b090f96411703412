"""Read and verify stores with tests/tools/look, one process for all of them:
fault tests look at tens of thousands.
"""

import collections
import os
import subprocess

from strmtest import BUILD, CheckError, require

END = 1  # the status of a reading that came to the end

View = collections.namedtuple(
    'View', 'records status message seeks damage notes start end')
Record = collections.namedtuple('Record', 'offset ts key value headers')


class Looker:
    """Asks one process of tests/tools/look, started when first needed."""

    def __init__(self):
        self.process = None

    def ask(self, store, address):
        if self.process is None:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(
                [os.path.join(BUILD, 'tests/tools/look')],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write(f'{store} {address}\n'.encode())
        self.process.stdin.flush()
        answer = []
        for line in self.process.stdout:
            if line == b'done\n':
                return self.view(answer)
            answer.append(line.decode('utf-8', 'replace').rstrip('\n'))
        raise CheckError(f'look died at {store} {address}: {answer[-3:]}')

    @staticmethod
    def view(answer):
        view = View([], [], [], [], [], [], [], [])
        for line in answer:
            word, rest = line.split(' ', 1)
            if word == 'record':
                offset, ts, *fields = rest.split(' ')
                view.records.append(Record(int(offset), int(ts), *(
                    None if f == '-' else bytes.fromhex(f) for f in fields)))
            elif word == 'seek':
                view.seeks.append(tuple(map(int, rest.split(' '))))
            elif word == 'end':
                status, message = rest.split(' ', 1)
                view.status.append(int(status))
                view.message.append(message)
            elif word == 'log':
                start, end = map(int, rest.split(' '))
                view.start.append(start)
                view.end.append(end)
            else:
                severity, finding = rest.split(' ', 1)
                (view.damage if severity == '1' else view.notes).append(finding)
        return view


LOOKER = Looker()


def look(store, partition, may_miss=False):
    """The view of a partition that is sound.  may_miss: indexes, of segments
    on their way out: a rename of an index may be durable before that of its
    log, which comes first, is."""
    return sound(LOOKER.ask(store, f't:{partition}'), partition, may_miss)


def sound(view, partition, may_miss=False):
    require(view.status == [END], 'reading partition', partition, 'ends with',
            view.status, view.message)
    require(all(a == b for a, b in view.seeks), 'seeks found', view.seeks)
    damage = [d for d in view.damage
              if not (may_miss and d.startswith('missing-index '))]
    require(not damage, 'verify finds', damage)
    return view


def bases(store, partition):
    return sorted(int(name[:20]) for name in
                  os.listdir(os.path.join(store, f't-{partition}'))
                  if name.endswith('.log') and name[0] != '.')


def told(records):
    offsets = [r.offset for r in records]
    if len(offsets) > 50:
        offsets = [*offsets[:20], '...', *offsets[-20:]]
    return f'{len(records)} records {offsets}'
