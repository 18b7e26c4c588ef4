/* The log: appended in one write a batch, walked from any entry, mended when its end is torn. */
#include "base/file.h"
#include "toy_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { ENTRY_HEAD = 12, PAYLOAD_HEAD = 1 + 8 + 2 };
static const uint32_t payload_bytes_max = 512u << 20;

void toy_entry_append(const struct toy_entry *entry, struct buffer *out)
{
    size_t start = out->length;
    uint8_t head[ENTRY_HEAD + PAYLOAD_HEAD] = {0};
    uint8_t *at = head + ENTRY_HEAD;
    uint16_t table_length = (uint16_t)entry->table_length;
    *at++ = (uint8_t)entry->kind;
    memcpy(at, &entry->run, 8);
    memcpy(at + 8, &table_length, 2);
    buffer_append(out, head, sizeof head);
    buffer_append(out, entry->table, table_length);
    buffer_append(out, &entry->key_length, 4);
    buffer_append(out, entry->key, entry->key_length);
    buffer_append(out, entry->value, entry->value_length);
    uint32_t length = (uint32_t)(out->length - start - ENTRY_HEAD);
    uint64_t sum = XXH3_64bits(out->data + start + ENTRY_HEAD, length);
    memcpy(out->data + start, &length, 4);
    memcpy(out->data + start + 4, &sum, 8);
}

enum status toy_log_write(struct toy_database *self, const struct buffer *out, struct error *error)
{
    return file_write_all(self->log, out->data, out->length, self->log_path, error);
}

static bool parse_payload(const uint8_t *payload, uint32_t length, struct toy_entry *entry)
{
    if (length < PAYLOAD_HEAD + 4) {
        return false;
    }
    uint16_t table_length;
    entry->kind = (enum toy_entry_kind)payload[0];
    memcpy(&entry->run, payload + 1, 8);
    memcpy(&table_length, payload + 9, 2);
    uint32_t at = PAYLOAD_HEAD;
    if (length - at < (uint32_t)table_length + 4) {
        return false;
    }
    entry->table = (const char *)payload + at;
    entry->table_length = table_length;
    at += table_length;
    memcpy(&entry->key_length, payload + at, 4);
    at += 4;
    if (length - at < entry->key_length) {
        return false;
    }
    entry->key = payload + at;
    at += entry->key_length;
    entry->value = payload + at;
    entry->value_length = length - at;
    return true;
}

bool toy_entry_read(const char *bytes, size_t length, struct toy_entry *entry)
{
    return length >= ENTRY_HEAD && parse_payload((const uint8_t *)bytes + ENTRY_HEAD,
                                                 (uint32_t)(length - ENTRY_HEAD), entry);
}

/* STATUS_END: no whole entry is there. */
static enum status read_at(struct toy_database *self, uint64_t offset, struct buffer *scratch,
                           struct toy_entry *entry, struct error *error)
{
    uint8_t head[ENTRY_HEAD];
    uint32_t length;
    uint64_t sum;
    ssize_t got = pread(self->log, head, sizeof head, (off_t)offset);
    if (got < 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, self->log_path, "reading failed");
    }
    if (got < (ssize_t)sizeof head) {
        return STATUS_END;
    }
    memcpy(&length, head, 4);
    memcpy(&sum, head + 4, 8);
    buffer_clear(scratch);
    if (length > payload_bytes_max) {
        return STATUS_END;
    }
    if (!buffer_try_reserve(scratch, length + 1)) {
        return error_set(error, ERROR_MEMORY, self->log_path, "no memory for an entry");
    }
    got = pread(self->log, scratch->data, length, (off_t)(offset + ENTRY_HEAD));
    if (got < (ssize_t)length || XXH3_64bits(scratch->data, length) != sum ||
        !parse_payload((const uint8_t *)scratch->data, length, entry)) {
        return STATUS_END;
    }
    entry->offset = offset;
    entry->end = offset + ENTRY_HEAD + length;
    return STATUS_OK;
}

enum status toy_log_walk(struct toy_database *self, uint64_t offset, toy_visit *visit,
                         void *context, uint64_t *end, struct error *error)
{
    struct buffer scratch = {0};
    struct toy_entry entry;
    enum status status;
    while ((status = read_at(self, offset, &scratch, &entry, error)) == STATUS_OK) {
        offset = entry.end;
        if ((status = visit(context, &entry, error)) != STATUS_OK) {
            break;
        }
    }
    if (end) {
        *end = offset;
    }
    buffer_free(&scratch);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

static enum status visit_nothing(void *context, const struct toy_entry *entry, struct error *error)
{
    (void)context;
    (void)entry;
    (void)error;
    return STATUS_OK;
}

enum status toy_log_mend(struct toy_database *self, struct error *error)
{
    uint64_t end = 0;
    enum status status = toy_log_walk(self, 0, visit_nothing, NULL, &end, error);
    struct stat facts;
    if (status != STATUS_OK) {
        return status;
    }
    if (fstat(self->log, &facts) != 0 ||
        ((uint64_t)facts.st_size > end && ftruncate(self->log, (off_t)end) != 0)) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, self->log_path,
                               "cutting its torn end failed");
    }
    return STATUS_OK;
}

enum status toy_log_read(struct toy_database *self, uint64_t offset, struct arena *arena,
                         struct toy_entry *entry, struct error *error)
{
    struct buffer scratch = {0};
    enum status status = read_at(self, offset, &scratch, entry, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_SOURCE_INVALID, self->log_path, "no entry at byte %llu",
                           (unsigned long long)offset);
    }
    if (status == STATUS_OK) {
        size_t length = entry->end - offset - ENTRY_HEAD;
        char *copy = arena_copy(arena, scratch.data, length);
        status = copy && parse_payload((const uint8_t *)copy, (uint32_t)length, entry)
                     ? STATUS_OK
                     : error_set(error, ERROR_MEMORY, self->log_path, "no memory for an entry");
    }
    buffer_free(&scratch);
    return status;
}

/* ---- index */

struct indexing {
    const char *table;
    struct toy_index *index;
    size_t capacity;
};

static int compare_records(const void *left, const void *right)
{
    const struct toy_record *a = left;
    const struct toy_record *b = right;
    if (a->token != b->token) {
        return a->token < b->token ? -1 : 1;
    }
    uint32_t shorter = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->key, b->key, shorter);
    if (order != 0) {
        return order;
    }
    if (a->key_length != b->key_length) {
        return a->key_length < b->key_length ? -1 : 1;
    }
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static enum status index_visit(void *context, const struct toy_entry *entry, struct error *error)
{
    struct indexing *indexing = context;
    struct toy_index *index = indexing->index;
    if (strlen(indexing->table) != entry->table_length ||
        memcmp(indexing->table, entry->table, entry->table_length) != 0) {
        return STATUS_OK;
    }
    index->exists = true;
    if (entry->kind == TOY_TABLE) {
        return STATUS_OK;
    }
    if (entry->kind == TOY_EMPTY) {
        for (size_t i = 0; i < index->count; i++) {
            free(index->records[i].key);
        }
        index->count = 0;
        return STATUS_OK;
    }
    if (index->count == indexing->capacity) {
        size_t capacity = indexing->capacity ? indexing->capacity * 2 : 1024;
        struct toy_record *grown = reallocarray(index->records, capacity, sizeof *grown);
        if (!grown) {
            return error_set(error, ERROR_MEMORY, indexing->table, "no memory for the index");
        }
        index->records = grown;
        indexing->capacity = capacity;
    }
    uint8_t *key = malloc(entry->key_length + 1);
    if (!key) {
        return error_set(error, ERROR_MEMORY, indexing->table, "no memory for the index");
    }
    memcpy(key, entry->key, entry->key_length);
    index->records[index->count++] = (struct toy_record){
        .token = XXH3_64bits(entry->key, entry->key_length),
        .offset = entry->offset << 1 | (entry->kind == TOY_DELETE), /* unpacked by index_settle */
        .run = entry->run,
        .key = key,
        .key_length = entry->key_length,
    };
    return STATUS_OK;
}

/* Keeps the last entry of each key, and drops it too if it is a delete. */
static void index_settle(struct toy_index *index)
{
    size_t kept = 0;
    for (size_t i = 0; i < index->count; i++) {
        struct toy_record *record = &index->records[i];
        bool last = i + 1 == index->count || index->records[i + 1].token != record->token ||
                    index->records[i + 1].key_length != record->key_length ||
                    memcmp(index->records[i + 1].key, record->key, record->key_length) != 0;
        if (last && !(record->offset & 1)) {
            record->offset >>= 1;
            index->records[kept++] = *record;
        } else {
            free(record->key);
        }
    }
    index->count = kept;
}

enum status toy_index_load(struct toy_database *self, const char *table, struct toy_index *index,
                           struct error *error)
{
    *index = (struct toy_index){0};
    struct indexing indexing = {.table = table, .index = index};
    enum status status = toy_log_walk(self, 0, index_visit, &indexing, NULL, error);
    if (status != STATUS_OK) {
        toy_index_free(index);
        return status;
    }
    if (index->count > 0) {
        qsort(index->records, index->count, sizeof *index->records, compare_records);
    }
    index_settle(index);
    return STATUS_OK;
}

void toy_index_free(struct toy_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        free(index->records[i].key);
    }
    free(index->records);
    *index = (struct toy_index){0};
}

const struct toy_record *toy_index_find(const struct toy_index *index, const uint8_t *key,
                                        size_t length)
{
    uint64_t token = XXH3_64bits(key, length);
    size_t low = 0;
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->records[middle].token < token) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < index->count && index->records[low].token == token; low++) {
        if (index->records[low].key_length == length &&
            memcmp(index->records[low].key, key, length) == 0) {
            return &index->records[low];
        }
    }
    return NULL;
}
