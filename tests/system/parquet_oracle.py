"""Reads and writes Parquet by other hands (pyarrow, DuckDB), in the Python that has them; test_parquet.py runs it.

    parquet_oracle.py arrow FILE...       the rows of the files as JSON: one list of objects
    parquet_oracle.py duckdb FILE...      the same by DuckDB
    parquet_oracle.py schema FILE         {column: its Arrow type}, and how the file was written
    parquet_oracle.py odd FOLDER          a file whose texts are not all UTF-8
    parquet_oracle.py make FOLDER         files of many writers' ways, and FOLDER/expected.json beside them

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
        return ["decimal", str(value)]
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, uuid.UUID):
        return ["uuid", str(value)]
    if isinstance(value, datetime.datetime):
        return ["timestamp", value.isoformat()]
    if isinstance(value, (datetime.date, datetime.time)):
        return [type(value).__name__, value.isoformat()]
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(inner) for inner in value]
    return [type(value).__name__, str(value)]


def rows_by_arrow(paths):
    import pyarrow.parquet
    return [row for path in paths for row in pyarrow.parquet.ParquetFile(path).read().to_pylist()]


def rows_by_duckdb(paths):
    import duckdb
    found = []
    for path in paths:
        result = duckdb.execute("SELECT * FROM read_parquet(?)", [path])
        names = [column[0] for column in result.description]
        found += [dict(zip(names, row)) for row in result.fetchall()]
    return found


def schema(path):
    import pyarrow.parquet
    file = pyarrow.parquet.ParquetFile(path)
    column = file.metadata.row_group(0).column(0)
    return {"types": {field.name: str(field.type) + ("" if field.nullable else " not null") for field in file.schema_arrow},
            "created_by": file.metadata.created_by, "row_groups": file.metadata.num_row_groups, "rows": file.metadata.num_rows,
            "compression": column.compression}


def columns(count):
    """Every type that pyarrow writes to Parquet, `count` rows, each seventh null."""
    import pyarrow as pa
    zone = datetime.timezone.utc
    day = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)

    def column(type_, of):
        return pa.array([None if row % 7 == 3 else of(row) for row in range(count)], type_)

    return pa.table({
        "id": pa.array(range(count), pa.int64()),
        "i8": column(pa.int8(), lambda row: row % 256 - 128), "u8": column(pa.uint8(), lambda row: row % 256),
        "i16": column(pa.int16(), lambda row: row * 37 % 65536 - 32768), "u16": column(pa.uint16(), lambda row: row * 37 % 65536),
        "i32": column(pa.int32(), lambda row: -2**31 + row), "u32": column(pa.uint32(), lambda row: 2**32 - 1 - row),
        "i64": column(pa.int64(), lambda row: -2**63 + row), "u64": column(pa.uint64(), lambda row: 2**64 - 1 - row),
        "f32": column(pa.float32(), lambda row: row / 4), "f64": column(pa.float64(), lambda row: row / 3),
        "flag": column(pa.bool_(), lambda row: row % 3 == 0),
        "d9": column(pa.decimal128(9, 2), lambda row: decimal.Decimal(row - 500).scaleb(-2)),
        "d18": column(pa.decimal128(18, 4), lambda row: decimal.Decimal(row * 10**13 - 1).scaleb(-4)),
        "d38": column(pa.decimal128(38, 10), lambda row: decimal.Decimal(-10**37 + row).scaleb(-10)),
        "d76": column(pa.decimal256(76, 5), lambda row: decimal.Decimal(10**75 + row).scaleb(-5, decimal.Context(prec=90))),
        "word": column(pa.string(), lambda row: "w\u00fc%d" % (row % 5)), "long": column(pa.large_string(), lambda row: "x" * (row % 50)),
        "raw": column(pa.binary(), lambda row: bytes([row % 256, 0, 255])), "fixed": column(pa.binary(4), lambda row: bytes([1, 2, 3, row % 256])),
        "kept": column(pa.dictionary(pa.int32(), pa.string()), lambda row: "k%d" % (row % 3)),
        "day": column(pa.date32(), lambda row: datetime.date(1, 1, 1) + datetime.timedelta(row)),
        "t_ms": column(pa.time32("ms"), lambda row: datetime.time(23, 59, 59, row % 1000 * 1000)),
        "t_us": column(pa.time64("us"), lambda row: datetime.time(1, 2, 3, row)),
        "ts_ms": column(pa.timestamp("ms"), lambda row: datetime.datetime(1969, 12, 31, 23, 59, 59, 5000)),
        "ts_us": column(pa.timestamp("us"), lambda row: day + datetime.timedelta(days=row)),
        "tz_us": column(pa.timestamp("us", "UTC"), lambda row: day.replace(tzinfo=zone)),
        "list": column(pa.list_(pa.int32()), lambda row: [None if at == 2 else at for at in range(row % 5)]),
        "lists": column(pa.list_(pa.list_(pa.string())), lambda row: [["a%d" % row] * (at % 3) for at in range(row % 4)] + [None] * (row % 2)),
        "struct": column(pa.struct([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))]),
                         lambda row: {"a": row, "b": None if row % 2 else {"c": "c%d" % row}}),
        "people": column(pa.list_(pa.struct([("name", pa.string()), ("tags", pa.list_(pa.string()))])),
                         lambda row: [{"name": "n%d" % at, "tags": None if at % 2 else ["t"] * at} for at in range(row % 4)]),
        "map": column(pa.map_(pa.string(), pa.int64()), lambda row: [("k%d" % at, at if at % 2 else None) for at in range(row % 3)]),
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
    delta.update(word="DELTA_BYTE_ARRAY", raw="DELTA_LENGTH_BYTE_ARRAY", long="DELTA_BYTE_ARRAY", f64="BYTE_STREAM_SPLIT", f32="BYTE_STREAM_SPLIT")
    plain["delta"] = {"use_dictionary": False, "column_encoding": delta}
    for name, options in plain.items():
        os.makedirs(os.path.join(folder, name))
        pq.write_table(table, os.path.join(folder, name, "part-0.parquet"), **options)
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
        json.dump([told(row) for row in table.to_pylist()], file)


def odd(folder):
    """A text that is none: bytes that were declared as one."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    os.makedirs(os.path.join(folder, "texts"))
    words = pa.array([b"one", b"tw\xc3(", "dr\u00fc".encode()], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": pa.array([1, 2, 3], pa.int32()), "word": words}), os.path.join(folder, "texts", "x.parquet"))


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command in ("make", "odd"):
        (make if command == "make" else odd)(*rest)
    elif command == "schema":
        json.dump(schema(*rest), sys.stdout)
    else:
        rows = rows_by_arrow(rest) if command == "arrow" else rows_by_duckdb(rest)
        json.dump([told(row) for row in rows], sys.stdout)
