""".strm-state, whose slots name their own file and the boot (SPEC 7.1)."""


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return (crc ^ 0xffffffff).to_bytes(4, 'big')


def moved_state(data, inode, status, boot=None):
    """A copy of what was inode, which is to believe that it is that file still.
    boot: and that the system was started anew, as after a loss of power."""
    data = bytearray(data)
    for at in (0, 256):
        slot = data[at:at + 144]
        if len(data) < at + 148 or crc32c(slot) != data[at + 144:at + 148] or \
                int.from_bytes(slot[40:48], 'big') != inode:
            continue
        slot[16:32] = boot or slot[16:32]
        slot[32:40] = status.st_dev.to_bytes(8, 'big')
        slot[40:48] = status.st_ino.to_bytes(8, 'big')
        data[at:at + 148] = slot + crc32c(slot)
    return bytes(data)
