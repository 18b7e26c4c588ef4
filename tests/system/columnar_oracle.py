"""Reads and writes Parquet and Arrow by other hands (pyarrow, DuckDB), in the Python that has them, for
columnar_case.py.

    columnar_oracle.py arrow FILE...       the rows of the files as JSON: one list of objects
    columnar_oracle.py texts FILE...       the same, with days and times as Arrow's own texts: Python has no years
    beyond 9999
    columnar_oracle.py duckdb FILE...      the same by DuckDB, of Parquet
    columnar_oracle.py schema FILE         {column: its Arrow type}, and how the file was written
    columnar_oracle.py odd FOLDER          a file whose texts are not all UTF-8
    columnar_oracle.py make FOLDER         files of Parquet of many writers' ways, and FOLDER/expected.json beside them
    columnar_oracle.py make_arrow FOLDER   the same of Arrow
    columnar_oracle.py odd_arrow FOLDER    files of Arrow with what is not read, named for it; empty_arrow: without
    rows;
                                           lying_arrow: whose numbers are wrong

Values are told as [kind, text], so that nothing is lost on the way.
"""
import datetime
import decimal
import json
import os
import sys
import uuid


def told(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return ["bool", str(value).lower()]
    if isinstance(value, (int, float)):
        return ["number", repr(value)]
    if isinstance(value, decimal.Decimal):
        return ["decimal", format(value, "f")]
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, uuid.UUID):
        return ["uuid", str(value)]
    if isinstance(value, datetime.datetime):
        return ["timestamp", (value.astimezone(datetime.timezone.utc) if value.tzinfo else value).isoformat()]
    if isinstance(value, datetime.timedelta):
        return ["interval", "PT%sS" % value.total_seconds()]
    if isinstance(value, (datetime.date, datetime.time)):
        return [type(value).__name__, value.isoformat()]
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(inner) for inner in value]
    return [type(value).__name__, str(value)]


def table_of_arrow(path):
    import pyarrow as pa
    with pa.OSFile(path) as file:
        if file.read(6) == b"ARROW1":
            return pa.ipc.open_file(path).read_all()
    return pa.ipc.open_stream(path).read_all()


def tables_of(paths):
    import pyarrow.parquet
    return [pyarrow.parquet.ParquetFile(path).read() if path.endswith(".parquet") else table_of_arrow(path)
            for path in paths]


def rows_by_arrow(paths):
    return [row for table in tables_of(paths) for row in table.to_pylist()]


def rows_of_texts(paths):
    import pyarrow as pa
    found = []
    for table in tables_of(paths):
        for at, field in enumerate(table.schema):
            if pa.types.is_temporal(field.type) and not pa.types.is_duration(field.type):
                bare = table.column(at).cast(pa.timestamp(field.type.unit)) if pa.types.is_timestamp(
                    field.type) else table.column(at)
                table = table.set_column(at, field.name, bare.cast(pa.string()))
        found += table.to_pylist()
    return found


def rows_by_duckdb(paths):
    import duckdb
    found = []
    for path in paths:
        result = duckdb.execute("SELECT * FROM read_parquet(?)", [path])
        names = [column[0] for column in result.description]
        found += [dict(zip(names, row)) for row in result.fetchall()]
    return found


def types_of(schema_):
    return {field.name: str(field.type) + ("" if field.nullable else " not null") for field in schema_}


def schema(path):
    import pyarrow.parquet
    if not path.endswith(".parquet"):
        table = table_of_arrow(path)
        return {"types": types_of(table.schema), "batches": len(table.to_batches()), "rows": table.num_rows}
    file = pyarrow.parquet.ParquetFile(path)
    column = file.metadata.row_group(0).column(0)
    return {"types": types_of(file.schema_arrow),
            "created_by": file.metadata.created_by, "row_groups": file.metadata.num_row_groups,
            "rows": file.metadata.num_rows,
            "compression": column.compression}


DAY = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)


def column_of(count):
    import pyarrow as pa
    return lambda type_, of: pa.array([None if row % 7 == 3 else of(row) for row in range(count)], type_)


def columns(count):
    """Every type that pyarrow writes to Parquet, `count` rows, each seventh null."""
    import pyarrow as pa
    zone = datetime.timezone.utc
    day = DAY
    column = column_of(count)
    return pa.table({
        "id": pa.array(range(count), pa.int64()),
        "i8": column(pa.int8(), lambda row: row % 256 - 128), "u8": column(pa.uint8(), lambda row: row % 256),
        "i16": column(pa.int16(), lambda row: row * 37 % 65536 - 32768),
        "u16": column(pa.uint16(), lambda row: row * 37 % 65536),
        "i32": column(pa.int32(), lambda row: -2**31 + row), "u32": column(pa.uint32(), lambda row: 2**32 - 1 - row),
        "i64": column(pa.int64(), lambda row: -2**63 + row), "u64": column(pa.uint64(), lambda row: 2**64 - 1 - row),
        "f32": column(pa.float32(), lambda row: row / 4), "f64": column(pa.float64(), lambda row: row / 3),
        "flag": column(pa.bool_(), lambda row: row % 3 == 0),
        "d9": column(pa.decimal128(9, 2), lambda row: decimal.Decimal(row - 500).scaleb(-2)),
        "d18": column(pa.decimal128(18, 4), lambda row: decimal.Decimal(row * 10**13 - 1).scaleb(-4)),
        "d38": column(pa.decimal128(38, 10), lambda row: decimal.Decimal(-10**37 + row).scaleb(-10,
            decimal.Context(prec=90))),
        "d76": column(pa.decimal256(76, 5), lambda row: decimal.Decimal(10**75 + row).scaleb(-5,
            decimal.Context(prec=90))),
        "word": column(pa.string(), lambda row: "w\u00fc%d" % (row % 5)),
        "long": column(pa.large_string(), lambda row: "x" * (row % 50)),
        "raw": column(pa.binary(), lambda row: bytes([row % 256, 0, 255])),
        "fixed": column(pa.binary(4), lambda row: bytes([1, 2, 3, row % 256])),
        "kept": column(pa.dictionary(pa.int32(), pa.string()), lambda row: "k%d" % (row % 3)),
        "day": column(pa.date32(), lambda row: datetime.date(1, 1, 1) + datetime.timedelta(row)),
        "t_ms": column(pa.time32("ms"), lambda row: datetime.time(23, 59, 59, row % 1000 * 1000)),
        "t_us": column(pa.time64("us"), lambda row: datetime.time(1, 2, 3, row)),
        "ts_ms": column(pa.timestamp("ms"), lambda row: datetime.datetime(1969, 12, 31, 23, 59, 59, 5000)),
        "ts_us": column(pa.timestamp("us"), lambda row: day + datetime.timedelta(days=row)),
        "tz_us": column(pa.timestamp("us", "UTC"), lambda row: day.replace(tzinfo=zone)),
        "list": column(pa.list_(pa.int32()), lambda row: [None if at == 2 else at for at in range(row % 5)]),
        "lists": column(pa.list_(pa.list_(pa.string())), lambda row: [["a%d" % row] * (at % 3)
                                                                      for at in range(row % 4)] + [None] * (row % 2)),
        "struct": column(pa.struct([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))]),
                         lambda row: {"a": row, "b": None if row % 2 else {"c": "c%d" % row}}),
        "people": column(pa.list_(pa.struct([("name", pa.string()), ("tags", pa.list_(pa.string()))])),
                         lambda row: [{"name": "n%d" % at, "tags": None if at % 2 else ["t"] * at}
                                      for at in range(row % 4)]),
        "map": column(pa.map_(pa.string(), pa.int64()), lambda row: [("k%d" % at, at if at % 2 else None)
                                                                     for at in range(row % 3)]),
    })


def make(folder):
    import pyarrow.parquet as pq
    count = 1000
    table = columns(count)
    plain = {"plain": {"use_dictionary": False, "compression": "none"},
             "snappy": {"compression": "snappy"}, "gzip": {"compression": "gzip"}, "zstd": {"compression": "zstd"},
             "lz4": {"compression": "lz4"}, "brotli": {"compression": "brotli"},
             "pages_v2": {"data_page_version": "2.0", "data_page_size": 1000, "compression": "snappy"},
             "groups": {"row_group_size": 77},
             "int96": {"use_deprecated_int96_timestamps": True},
             "old": {"version": "1.0", "coerce_timestamps": "ms", "allow_truncated_timestamps": True},
             "small_decimals": {"store_decimal_as_integer": True},
             "flat_lists": {"use_compliant_nested_type": False}}
    delta = {name: "DELTA_BINARY_PACKED" for name in ("id", "i32", "i64")}
    delta.update(word="DELTA_BYTE_ARRAY", raw="DELTA_LENGTH_BYTE_ARRAY", long="DELTA_BYTE_ARRAY",
                 f64="BYTE_STREAM_SPLIT", f32="BYTE_STREAM_SPLIT")
    plain["delta"] = {"use_dictionary": False, "column_encoding": delta}
    for name, options in plain.items():
        os.makedirs(os.path.join(folder, name))
        pq.write_table(table, os.path.join(folder, name, "part-0.parquet"), **options)
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
        json.dump([told(row) for row in table.to_pylist()], file)


def more_columns(count):
    """What Arrow has beside that."""
    import pyarrow as pa
    column = column_of(count)
    day = DAY.replace(microsecond=0)
    return {
        "f16": column(pa.float16(), lambda row: row / 8 % 100),
        "d32": column(pa.decimal32(9, 3), lambda row: decimal.Decimal(-row).scaleb(-3)),
        "d64": column(pa.decimal64(18, 0), lambda row: decimal.Decimal(10**17 + row)),
        "hundreds": column(pa.decimal128(5, -2), lambda row: decimal.Decimal(row % 7).scaleb(2)),
        "big_raw": column(pa.large_binary(), lambda row: b"\0" * (row % 9)),
        "kept_small": column(pa.dictionary(pa.uint8(), pa.large_string()), lambda row: "s%d" % (row % 3)),
        "kept_days": column(pa.date32(), lambda row: datetime.date(2024, 1, 1 + row % 28)).dictionary_encode(),
        "noon": column(pa.date64(), lambda row: datetime.date(1900, 1, 1) + datetime.timedelta(row)),
        "t_s": column(pa.time32("s"), lambda row: datetime.time(0, row % 60, 59)),
        "ts_s": column(pa.timestamp("s"), lambda row: day - datetime.timedelta(days=60000 + row)),
        "tz_ms": column(pa.timestamp("ms", "Europe/Berlin"), lambda row: day.replace(tzinfo=datetime.timezone.utc)),
        "tz_far": column(pa.timestamp("s", "-03:30"), lambda row: day.replace(tzinfo=datetime.timezone.utc)),
        "nothing": pa.nulls(count),
        "lasting": column(pa.duration("ms"), lambda row: datetime.timedelta(seconds=row % 59, milliseconds=500)),
        "large_list": column(pa.large_list(pa.int16()), lambda row: [row % 3] * (row % 4)),
        "pair": column(pa.list_(pa.float32(), 2), lambda row: [row / 2, None if row % 2 else 0.25]),
        "flags": column(pa.list_(pa.bool_()), lambda row: [at % 3 == 0 for at in range(row % 11)]),
        "kept_list": column(pa.list_(pa.dictionary(pa.int8(), pa.string())),
                            lambda row: ["e%d" % (at % 2) for at in range(row % 3)]),
    }


def batches_of(table, rows):
    """Batches of so many rows, and empty ones before and after them."""
    found = [batch for at in range(0, table.num_rows, rows) for batch in table.slice(at,
        rows).combine_chunks().to_batches()]
    return [found[0].slice(0, 0)] + found + [found[-1].slice(0, 0)]


def write_arrow(path, table, rows, stream=False, **options):
    import pyarrow as pa
    os.makedirs(os.path.dirname(path), exist_ok=True)
    maker = pa.ipc.new_stream if stream else pa.ipc.new_file
    with maker(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches_of(table, rows):
            writer.write_batch(batch)


def make_arrow(folder):
    import pyarrow as pa
    count = 300
    table = columns(count)
    for name, column in more_columns(count).items():
        table = table.append_column(name, column)
    # Texts that each batch has a dictionary of its own for.
    words = table.select(["id", "word", "kept"])
    replaced = pa.chunked_array([pa.array(["r%d" % (row * at % 50) for row in range(100)]).dictionary_encode()
                                 for at in range(3)])
    ways = {"whole": (table, count, {}), "batches": (table, 77, {"compression": "zstd"}),
            "lz4": (table, 200, {"compression": "lz4"}),
            "stream": (table, 100, {"stream": True}), "stream_zstd": (table, 300,
                                                                      {"stream": True, "compression": "zstd"}),
            "old": (table, 150, {"metadata_version": pa.ipc.MetadataVersion.V4}),
            "replaced": (words.append_column("replaced", replaced), 100, {"stream": True})}
    expected = {}
    for name, (of, rows, options) in ways.items():
        write_arrow(os.path.join(folder, name, "part-0." + ("arrows" if "stream" in options else "arrow")), of, rows,
                    **options)
        expected[name] = [told(row) for row in of.to_pylist()]
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
        json.dump(expected, file)


def odd(folder):
    """A text that is none: bytes that were declared as one."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    os.makedirs(os.path.join(folder, "texts"))
    words = pa.array([b"one", b"tw\xc3(", "dr\u00fc".encode()], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": pa.array([1, 2, 3], pa.int32()), "word": words}),
                   os.path.join(folder, "texts", "x.parquet"))


def odd_arrow(folder):
    import pyarrow as pa
    words = pa.array([b"one", b"tw\xc3(", "dr\u00fc".encode()], pa.binary()).view(pa.string())
    write_arrow(os.path.join(folder, "texts", "texts", "x.arrow"),
                pa.table({"id": pa.array([1, 2, 3], pa.int32()), "word": words}), 3)
    numbers = pa.array([1, 2], pa.int64())
    grown = pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([at], pa.int8()), pa.array(["a", "b"][:at + 1]))
                              for at in range(2)])
    write_arrow(os.path.join(folder, "delta", "delta", "x.arrow"), pa.table({"id": numbers, "c": grown}), 1,
                emit_dictionary_deltas=True)
    write_arrow(os.path.join(folder, "legacy", "legacy", "x.arrow"), pa.table({"id": numbers}), 1, stream=True,
                use_legacy_format=True)
    odd_columns = {"view": pa.array(["x", "y"], pa.string_view()),
                   "list_view": pa.array([[1], [2, 3]], pa.list_view(pa.int64())),
                   "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array(["x"])),
                   "union": pa.UnionArray.from_dense(pa.array([0, 0], pa.int8()), pa.array([0, 1], pa.int32()),
                                                     [numbers])}
    for name, column in odd_columns.items():
        write_arrow(os.path.join(folder, name, name, "x.arrow"), pa.table({"id": numbers, "c": column}), 2)


def empty_arrow(folder):
    import pyarrow as pa
    empty = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.dictionary(pa.int8(), pa.string()))})
    for name, stream, batches in (("no_rows", False, 2), ("no_batches", False, 0), ("no_batches_stream", True, 0)):
        os.makedirs(os.path.join(folder, name))
        path = os.path.join(folder, name, "x.arrow")
        with (pa.ipc.new_stream if stream else pa.ipc.new_file)(path, empty.schema) as writer:
            for _ in range(batches):
                writer.write_batch(pa.RecordBatch.from_arrays([column.combine_chunks() for column in empty.columns],
                                                              schema=empty.schema))


def lying_arrow(folder):
    """Files of one packed column, in which one number is another one."""
    import pyarrow as pa
    count = 12345
    numbers = pa.table({"n": pa.array([7] * count, pa.int64())})
    made = os.path.join(folder, "made.arrows")
    write_arrow(made, numbers, count, stream=True, compression="zstd")
    with pa.OSFile(made) as file:
        bodies = [message.body.size for message in pa.ipc.MessageReader.open_stream(file) if message.body is not None]
    with open(made, "rb") as file:
        good = file.read()
    os.unlink(made)
    write_arrow(made, pa.table({"n": pa.nulls(count)}), count, stream=True)
    with open(made, "rb") as file:
        nulls = file.read()
    os.unlink(made)
    for name, data, true, lie in (("unpacked", good, 8 * count, 1 << 40), ("unpacked_less", good, 8 * count, 8),
                                  ("unpacked_negative", good, 8 * count, -5),
                                  ("rows", good, count, 1 << 60), ("rows_negative", good, count, -1),
                                  ("body", good, max(bodies), 1 << 60),
                                  ("body_negative", good, max(bodies), -8), ("nulls", nulls, count, 1 << 60)):
        number = true.to_bytes(8, "little")
        assert number in data, name
        os.makedirs(os.path.join(folder, name, "t"))
        with open(os.path.join(folder, name, "t", "x.arrows"), "wb") as file:
            file.write(data.replace(number, lie.to_bytes(8, "little", signed=True)))


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command in ("make", "odd") or command.endswith("_arrow"):
        globals()[command](*rest)
    elif command == "schema":
        json.dump(schema(*rest), sys.stdout)
    else:
        rows = {"arrow": rows_by_arrow, "texts": rows_of_texts, "duckdb": rows_by_duckdb}[command](rest)
        json.dump([told(row) for row in rows], sys.stdout)
