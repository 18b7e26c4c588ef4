#include "connectors/cassandra/protocol/cql_zip.h"

#include "base/bytes.h"
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum { END_BYTES = 22, COMMENT_BYTES_MAX = 65535, ENTRY_BYTES = 46, HEADER_BYTES = 30 };
enum { METHOD_STORED = 0, METHOD_DEFLATED = 8 };

/* An entry of the directory. */
struct entry {
    unsigned method;
    uint32_t crc;
    size_t packed_size;
    size_t size;
    size_t header_at;
};

static enum status cql_zip_refuse(struct error *error, const char *words)
{
    return error_set(error, ERROR_BAD_VALUE, NULL, "%s", words);
}

static uint64_t number(struct text zip, size_t at, int bytes)
{
    return bytes_get_le((const uint8_t *)zip.data + at, bytes);
}

static bool has_mark(struct text zip, size_t at, size_t size, const char *mark)
{
    return at <= zip.length && zip.length - at >= size && memcmp(zip.data + at, mark, 4) == 0;
}

/* Where the end record is; SIZE_MAX: there is none. It may have a comment behind it. */
static size_t find_end(struct text zip)
{
    for (size_t back = END_BYTES; back <= zip.length && back <= END_BYTES + COMMENT_BYTES_MAX;
         back++) {
        if (has_mark(zip, zip.length - back, END_BYTES, "PK\5\6")) {
            return zip.length - back;
        }
    }
    return SIZE_MAX;
}

/* Paths in the archive may begin with "./". */
static bool is_named(const char *found, size_t length, const char *name)
{
    if (length > 2 && memcmp(found, "./", 2) == 0) {
        found += 2;
        length -= 2;
    }
    return length == strlen(name) && memcmp(found, name, length) == 0;
}

static enum status find_entry(struct text zip, const char *name, struct entry *entry,
                              struct error *error)
{
    size_t end = find_end(zip);
    if (end == SIZE_MAX) {
        return cql_zip_refuse(error, "this is no ZIP file");
    }
    size_t at = (size_t)number(zip, end + 16, 4);
    for (uint64_t left = number(zip, end + 10, 2); left > 0; left--) {
        if (!has_mark(zip, at, ENTRY_BYTES, "PK\1\2")) {
            return cql_zip_refuse(error, "the ZIP file's directory is damaged");
        }
        size_t name_length = (size_t)number(zip, at + 28, 2);
        size_t size = ENTRY_BYTES + name_length + (size_t)number(zip, at + 30, 2) +
                      (size_t)number(zip, at + 32, 2);
        if (size > zip.length - at) {
            return cql_zip_refuse(error, "the ZIP file's directory is damaged");
        }
        if (is_named(zip.data + at + ENTRY_BYTES, name_length, name)) {
            *entry = (struct entry){.method = (unsigned)number(zip, at + 10, 2),
                                    .crc = (uint32_t)number(zip, at + 16, 4),
                                    .packed_size = (size_t)number(zip, at + 20, 4),
                                    .size = (size_t)number(zip, at + 24, 4),
                                    .header_at = (size_t)number(zip, at + 42, 4)};
            return STATUS_OK;
        }
        at += size;
    }
    return STATUS_END;
}

/* The bytes of an entry as they are in the archive; NULL: they are not all there. */
static const char *packed_bytes(struct text zip, const struct entry *entry)
{
    if (!has_mark(zip, entry->header_at, HEADER_BYTES, "PK\3\4")) {
        return NULL;
    }
    size_t at = entry->header_at + HEADER_BYTES + (size_t)number(zip, entry->header_at + 26, 2) +
                (size_t)number(zip, entry->header_at + 28, 2);
    return at <= zip.length && entry->packed_size <= zip.length - at ? zip.data + at : NULL;
}

/* Exactly `size` bytes must come out. */
static bool inflate_raw(const char *packed, size_t packed_size, char *out, size_t size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed,
                       .avail_in = (uInt)packed_size,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)size};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        return false;
    }
    bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
    inflateEnd(&stream);
    return whole;
}

enum status cql_zip_read(struct text zip, const char *name, struct arena *arena, struct text *file,
                         struct error *error)
{
    struct entry entry = {0};
    enum status status = find_entry(zip, name, &entry, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (entry.size > CQL_ZIP_FILE_BYTES_MAX || entry.packed_size > CQL_ZIP_FILE_BYTES_MAX) {
        return error_set(error, ERROR_BAD_VALUE, NULL, "%s in the ZIP file is larger than 1 MiB",
                         name);
    }
    const char *packed = packed_bytes(zip, &entry);
    char *out = arena_allocate(arena, entry.size + 1);
    bool good = packed != NULL;
    if (good && entry.method == METHOD_STORED) {
        good = entry.packed_size == entry.size;
        memcpy(out, packed, good ? entry.size : 0);
    } else {
        good = good && entry.method == METHOD_DEFLATED &&
               inflate_raw(packed, entry.packed_size, out, entry.size);
    }
    if (!good || crc32_z(0, (const Bytef *)out, entry.size) != entry.crc) {
        return error_set(error, ERROR_BAD_VALUE, NULL, "%s in the ZIP file is damaged", name);
    }
    out[entry.size] = '\0';
    *file = (struct text){out, entry.size};
    return STATUS_OK;
}
