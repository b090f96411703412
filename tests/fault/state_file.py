""".strm-state, whose slots name their own file and the boot (SPEC 7.1)."""

from kafkalog import crc32c


def sum_of(slot):
    return crc32c(slot).to_bytes(4, 'big')


def moved_state(data, inode, status, boot=None):
    """A copy of what was inode, which is to believe that it is that file still.
    boot: and that the system was started anew, as after a loss of power."""
    data = bytearray(data)
    for at in (0, 256):
        slot = data[at:at + 144]
        if len(data) < at + 148 or sum_of(slot) != data[at + 144:at + 148] or \
                int.from_bytes(slot[40:48], 'big') != inode:
            continue
        slot[16:32] = boot or slot[16:32]
        slot[32:40] = status.st_dev.to_bytes(8, 'big')
        slot[40:48] = status.st_ino.to_bytes(8, 'big')
        data[at:at + 148] = slot + sum_of(slot)
    return bytes(data)
