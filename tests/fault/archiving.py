"""Operations that archive, retire and restore.  For harness.py."""

import glob
import os
import tempfile

from looker import look, told
from strmtest import STRM, require, strm
from upkeep import Upkeep


class Retire(Upkeep):
    """What leaves the log is in an archive, complete and verified."""

    settings = ('retention.ms=-1',)

    def __init__(self):
        super().__init__()
        self.runs = 0

    def more(self, store):
        os.makedirs(self.kept(store), exist_ok=True)

    @staticmethod
    def kept(store):
        """On the same disk, so that the same befalls it."""
        return f'{store}/kept'

    def command(self, store):
        self.runs += 1
        return [STRM, '-C', store, 'archive', '-q', '--retire', '-j', '1',
                '-o', f'{self.kept(store)}/{self.runs}.tar.zst', 't']

    def after(self, partition):
        start = self.bases[partition][-1]
        return [r for r in self.before[partition] if r.offset >= start]

    def archived(self, store):
        """The records of all archives that have their name, by offset."""
        records = {}
        for name in sorted(glob.glob(f'{self.kept(store)}/*.tar.zst')):
            strm(store, 'archive', 'verify', '-q', name)
            with tempfile.TemporaryDirectory(dir=os.path.dirname(store)) as to:
                strm(to, 'restore', '-q', name)
                records.update((r.offset, r) for r in look(to, 0).records)
        return records

    def judge(self, store, code, out):
        del out
        whole = self.before[0]
        log = look(store, 0, self.power and code is None).records
        require(log == whole[len(whole) - len(log):] and
                log[0].offset in self.bases[0], 'the log holds', told(log))
        kept = self.archived(store)
        kept.update((r.offset, r) for r in log)
        require(sorted(kept.values()) == whole, 'log and archives hold',
                told(sorted(kept.values())), 'instead of', told(whole))
        if code == self.done:
            require(log == self.final[0], 'exit 0, and the log holds',
                    told(log))
        if code == self.done:  # else removing it may have failed too
            self.require_tidy(store)
        again = strm(store, *self.again(store), code=None)
        require(again.code in (0, 4), 'the next run exits', again.code,
                again.err)
        log = look(store, 0).records
        require(log == self.final[0], 'after the next run the log holds',
                told(log))
        kept = self.archived(store)
        kept.update((r.offset, r) for r in log)
        require(sorted(kept.values()) == whole, 'in the end there is',
                told(sorted(kept.values())))
        strm(store, 'retain', '-q', 't')  # finishes what was cut off
        self.goes_on(store, 0)

    def require_tidy(self, store):
        left = glob.glob(f'{self.kept(store)}/.tmp-*')
        require(not left, 'left over:', left)

    def judge_full(self, store, code, err):
        del code, err
        self.require_tidy(store)

    def again(self, store):
        return self.command(store)[3:]


class RetainArchive(Retire):
    """The same by retention."""

    def command(self, store):
        return [STRM, '-C', store, 'retain', '-q', '--keep-bytes', '0',
                '--archive', self.kept(store), 't']


class Archive(Retire):
    """An archive is there, all of it, or not at all; the log is as it was."""

    options = ('-j', '1', '-z', 'none')
    spares = range(0, 32, 2)
    needs_room = True

    def command(self, store):
        self.runs += 1
        return [STRM, '-C', store, 'archive', '-q', *self.options, '-o',
                f'{self.kept(store)}/{self.runs}.tar.zst', 't']

    def after(self, partition):
        return self.before[partition]

    def judge(self, store, code, out):
        del out
        require(look(store, 0).records == self.before[0], 't changed')
        kept = self.archived(store)
        closed = [r for r in self.before[0] if r.offset < self.bases[0][-1]]
        require(sorted(kept.values()) in (closed, []), 'it holds',
                told(sorted(kept.values())))
        require(kept or code != self.done, 'exit 0, and it is not there')
        if code == self.done:
            self.require_tidy(store)
        strm(store, *self.command(store)[3:])
        require(sorted(self.archived(store).values()) == closed,
                'the next run archives other records')


class Restore(Upkeep):
    """The topic is there, all of it, or not at all."""

    spares = range(0, 160, 8)
    needs_room = True

    def more(self, store):
        strm(store, 'roll', '-q', 't')
        strm(store, 'archive', '-q', '-o', f'{store}/a.tar.zst', 't')
        strm(store, 'topic', 'rm', '-y', 't')
        strm(store, 'restore', '-q', f'{store}/a.tar.zst')

    def command(self, store):
        return [STRM, '-C', store, 'restore', '-q', '--as', 'u',
                f'{store}/a.tar.zst']

    def there(self, store):
        code = strm(store, 'topic', 'describe', '-q', 'u', code=None).code
        require(code in (0, 4), 'topic describe exits', code)
        if code == 4:
            return False
        strm(store, 'diff', '-q', 't', 'u')
        strm(store, 'verify', '-q', 'u')
        return True

    def judge(self, store, code, out):
        del out
        there = self.there(store)
        require(there or code != self.done, 'exit 0, and it is not there')
        if not there:
            again = strm(store, *self.command(store)[3:], code=None)
            require(again.code == 0, 'the next run exits', again.code,
                    again.err)
            require(self.there(store), 'it is not there after the next run')
            left = os.listdir(f'{store}/.strm/restore')
            require(not left, 'left over:', left)
        strm(store, 'produce', '-q', 'u', data=b'more\n')
        require(look(store, 0).records == self.before[0], 't changed')
        left = [n for n in os.listdir(store) if n.endswith('-delete')]
        require(not left, 'left over:', left)


OPERATIONS = {
    'archive': Archive(),
    'retire': Retire(),
    'retain-archive': RetainArchive(),
    'restore': Restore(),
}
