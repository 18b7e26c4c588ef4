"""Files of Parquet as nobody writes them: each header claims what a test wants it to."""
import struct

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
REQUIRED, OPTIONAL, REPEATED = range(3)
NONE, SNAPPY, GZIP, ZSTD = 0, 1, 2, 6
PLAIN, RLE, DELTA_BINARY, DELTA_LENGTH, RLE_DICTIONARY = 0, 3, 5, 6, 8


# --- Thrift's compact protocol: a value is a pair of type and bytes

def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes((number,))


def zigzag(number):
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def i32(number):
    return 5, zigzag(number)


def i64(number):
    return 6, zigzag(number)


def text(value):
    return 8, varint(len(value)) + value.encode()


def items(values):
    kind = values[0][0]
    head = bytes((len(values) << 4 | kind,)) if len(values) < 15 else bytes((0xf0 | kind,)) + varint(len(values))
    return 9, head + b"".join(value for _, value in values)


def fields(**values):
    """A struct, by the numbers of its fields: fields(_1=i32(7), _3=...); None: not there."""
    out, last = b"", 0
    for name, value in values.items():
        if value is not None:
            number = int(name[1:])
            out += bytes((number - last << 4 | value[0],)) + value[1]
            last = number
    return 12, out + b"\0"


# --- what a file is made of

def page(data, values, claims=None, packed=None, length=None, encoding=PLAIN, dictionary=False):
    """
    `packed`: what stands in the file, where that is another thing; `claims` and `length`: bytes that the page says to
    have, unpacked and packed.
    """
    packed = data if packed is None else packed
    header = fields(_1=i32(2 if dictionary else 0), _2=i32(len(data) if claims is None else claims),
                    _3=i32(len(packed) if length is None else length),
                    _5=None if dictionary else fields(_1=i32(values), _2=i32(encoding), _3=i32(RLE), _4=i32(RLE)),
                    _7=fields(_1=i32(values), _2=i32(PLAIN)) if dictionary else None)
    return header[1] + packed


def levels(*runs):
    """Runs of a level and how often it stands there, with their length: what a page has before its values."""
    data = b"".join(varint(count << 1) + bytes((level,)) for level, count in runs if count)
    return struct.pack("<i", len(data)) + data


class Column:
    def __init__(self, kind, pages, values, repetition=OPTIONAL, width=None, codec=NONE, dictionary=None, name="v",
                 converted=None):
        self.kind, self.pages, self.values, self.repetition = kind, pages, values, repetition
        self.width, self.codec, self.dictionary, self.name, self.converted = width, codec, dictionary, name, converted

    def element(self):
        return fields(_1=i32(self.kind), _2=None if self.width is None else i32(self.width), _3=i32(self.repetition),
                      _4=text(self.name),
                      _6=None if self.converted is None else i32(self.converted))


def write(path, columns, rows):
    """One row group, which claims to have so many rows."""
    body, chunks = b"PAR1", []
    for column in columns:
        begin = len(body)
        body += column.dictionary or b""
        data = len(body)
        body += b"".join(column.pages)
        meta = fields(_1=i32(column.kind), _2=items([i32(PLAIN), i32(RLE)]), _3=items([text(column.name)]),
                      _4=i32(column.codec),
                      _5=i64(column.values), _6=i64(len(body) - begin), _7=i64(len(body) - begin), _9=i64(data),
                      _11=i64(begin) if column.dictionary else None)
        chunks.append(fields(_2=i64(begin), _3=meta))
    root = fields(_4=text("schema"), _5=i32(len(columns)))
    footer = fields(_1=i32(1), _2=items([root] + [column.element() for column in columns]), _3=i64(rows),
                    _4=items([fields(_1=items(chunks), _2=i64(len(body)), _3=i64(rows))]))[1]
    with open(path, "wb") as file:
        file.write(body + footer + struct.pack("<i", len(footer)) + b"PAR1")
