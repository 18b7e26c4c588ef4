/*
 * Learning the columns of a table from all of its rows: every name that occurs, in the order of
 * first occurrence, and a type that holds every value of it exactly (model/learnt_type.h). Texts
 * are never taken for dates or numbers.
 */
#include "connectors/jsonl/infer.h"
#include "connectors/jsonl/records.h"

#include "base/memory.h"
#include "base/name_index.h"
#include "model/learnt_type.h"
#include <stdlib.h>
#include <string.h>

enum { NAMES_BYTES_MAX = 16 << 20 };

/* The values that were seen under one name. */
struct learnt {
    const char *name;
    size_t length;
    struct learnt_type type;
    uint64_t values;
};

struct learning {
    const struct jsonl_database *database;
    const struct folder_table *table;
    struct folder_notice *notice;
    bool tags;
    struct arena *arena;     /* of the names */
    struct name_index names; /* places in `learnt` */
    struct learnt **learnt;  /* in order of first occurrence */
    uint32_t count;
    size_t names_bytes;
    struct learnt **guesses; /* the last row's names in order */
    uint64_t rows;
    uint64_t broken;
    struct error *error;
};

/* ---------------------------------------------------------------- values */

static void learn_value(struct learnt *learnt, const struct cell *cell, struct arena *scratch)
{
    if (cell->kind == VALUE_NULL) {
        return;
    }
    learnt->values++;
    learnt_type_add(&learnt->type, cell, scratch);
}

/* ---------------------------------------------------------------- names */

static struct learnt *add_name(struct learning *learning, const char *name, size_t length)
{
    struct learnt *made = arena_allocate_zeroed(learning->arena, 1, sizeof(*made));
    char *copy = arena_copy(learning->arena, name, length);
    (void)name_index_add(&learning->names, copy, length, learning->count);
    made->name = copy;
    made->length = length;
    learning->learnt[learning->count++] = made;
    learning->names_bytes += length;
    return made;
}

static bool has_room(const struct learning *learning, size_t length)
{
    if (learning->count < JSONL_COLUMNS_MAX && length <= NAMES_BYTES_MAX - learning->names_bytes) {
        return true;
    }
    error_set(learning->error, ERROR_SOURCE_INVALID, learning->table->name,
              learning->count == JSONL_COLUMNS_MAX
                  ? "its records have more than 65,535 different fields"
                  : "the names of its records' fields are longer than 16 MiB together");
    error_hint(learning->error, "read them as documents: %s:…?records=documents",
               learning->database->folder.format->connector->name);
    return false;
}

static struct learnt *find_name(struct learning *learning, const char *name, size_t length,
                                uint32_t place)
{
    struct learnt *found = learning->guesses[place];
    if (found != NULL && found->length == length && memcmp(found->name, name, length) == 0) {
        return found;
    }
    uint32_t order = name_index_find(&learning->names, name, length);
    if (order == NAME_INDEX_NONE && !has_room(learning, length)) {
        return NULL;
    }
    found = order != NAME_INDEX_NONE ? learning->learnt[order] : add_name(learning, name, length);
    if (found != NULL) {
        learning->guesses[place] = found;
    }
    return found;
}

/* Two passes over a row: a line that breaks off teaches nothing. */
static enum status learn_row(struct learning *learning, const char *line, size_t length,
                             struct arena *scratch)
{
    struct cell map;
    struct error why;
    error_clear(&why);
    if (jsonl_read_document(line, length, learning->tags, NULL, 0, scratch, &map, &why) !=
        STATUS_OK) {
        learning->broken++;
        if (why.class != ERROR_CLASS_REJECT) {
            return error_copy(learning->error, &why);
        }
        return STATUS_OK;
    }
    for (uint32_t at = 0; at < map.length; at++) {
        const struct cell *name = &map.items[2 * (size_t)at];
        if (memchr(name->text, '\0', name->length) != NULL) {
            learning->broken++; /* no column can be called so: the record is a reject */
            return STATUS_OK;
        }
    }
    learning->rows++;
    for (uint32_t at = 0; at < map.length; at++) {
        const struct cell *pair = &map.items[2 * (size_t)at];
        struct learnt *learnt = find_name(learning, pair->text, pair->length,
                                          at < JSONL_COLUMNS_MAX ? at : JSONL_COLUMNS_MAX - 1);
        if (learnt == NULL) {
            return STATUS_FAILED;
        }
        learn_value(learnt, &pair[1], scratch);
    }
    return STATUS_OK;
}

enum { NOTICE_BYTES = 1 << 20 };

enum status jsonl_learning_read(struct learning *learning, const struct jsonl_piece *piece,
                                struct error *error)
{
    const struct folder_file *file = &learning->table->files[piece->file];
    bool plain = folder_compression_of(file->name) == FOLDER_PLAIN;
    struct jsonl_records *records = NULL;
    struct arena *scratch = arena_create(0);
    char *path = folder_file_path(scratch, learning->table, piece->file);
    uint64_t noted = piece->begin;
    const struct jsonl_records_request request = {
        .path = path,
        .array = learning->table->format_data->arrays[piece->file],
        .begin = piece->begin,
        .end = piece->end,
        .record_bytes_max = learning->database->record_bytes_max,
        .code = ERROR_SOURCE_READ,
        .wide_code = ERROR_SOURCE_INVALID};
    learning->error = error;
    enum status status = jsonl_records_open(&request, &records, error);
    while (status == STATUS_OK) {
        char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        status = jsonl_records_next(records, &line, &length, &too_long, error);
        if (status != STATUS_OK) {
            break;
        }
        uint64_t offset = jsonl_records_byte(records);
        if (too_long) {
            learning->broken++;
        } else {
            arena_reset(scratch);
            status = learn_row(learning, line, length, scratch);
        }
        if (status == STATUS_OK && offset >= noted + NOTICE_BYTES) {
            status = folder_notice_add(learning->notice, plain ? offset - noted : 0, error);
            noted = offset;
        }
    }
    jsonl_records_close(records);
    arena_destroy(scratch);
    if (status == STATUS_END) {
        uint64_t left = piece->end > noted ? piece->end - noted : 0;
        status = folder_notice_add(learning->notice, plain ? left : file->bytes, error);
    }
    return status;
}

enum status jsonl_learning_merge(struct learning *into, const struct learning *from,
                                 struct error *error)
{
    into->error = error;
    for (uint32_t at = 0; at < from->count; at++) {
        const struct learnt *one = from->learnt[at];
        struct learnt *same = find_name(into, one->name, one->length, at);
        if (same == NULL) {
            return STATUS_FAILED;
        }
        learnt_type_merge(&same->type, &one->type);
        same->values += one->values;
    }
    into->rows += from->rows;
    into->broken += from->broken;
    return STATUS_OK;
}

size_t jsonl_learning_bytes(const struct learning *learning)
{
    return learning->names_bytes +
           learning->count * (sizeof(struct learnt) + 2 * sizeof(struct name_index_slot) +
                              2 * sizeof(struct learnt *));
}

/* ---------------------------------------------------------------- types */

enum status jsonl_learning_finish(const struct learning *learning, struct arena *arena,
                                  struct folder_table_data *data, struct error *error)
{
    if (learning->count == 0 && learning->rows > 0) {
        error_set(error, ERROR_SOURCE_INVALID, learning->table->name,
                  "none of its records has a field, and a table needs at least one column");
        return error_hint(error, "read them as documents: %s:…?records=documents",
                          learning->database->folder.format->connector->name);
    }
    if (learning->rows == 0 && learning->broken > 0 && data->arrays[0]) {
        error_set(error, ERROR_SOURCE_INVALID, learning->table->name,
                  "none of its %llu elements is a JSON object that can be read",
                  (unsigned long long)learning->broken);
        return error_hint(error, "the array is to hold one object for each record");
    }
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)learning->count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < learning->count; at++) {
        const struct learnt *learnt = learning->learnt[at];
        char *name = arena_copy(arena, learnt->name, learnt->length);
        columns[at] = (struct schema_column){.name = name,
                                             .type = learnt_type_decide(&learnt->type),
                                             .not_null = learnt->values == learning->rows};
    }
    data->inferred = true;
    data->columns = columns;
    data->column_count = learning->count;
    data->rows = learning->rows;
    data->broken = learning->broken;
    return STATUS_OK;
}

void jsonl_learning_destroy(struct learning *learning)
{
    if (learning != NULL) {
        free(learning->learnt);
        free(learning->guesses);
        arena_destroy(learning->arena);
        free(learning);
    }
}

struct learning *jsonl_learning_create(const struct jsonl_database *database,
                                       const struct folder_table *table, bool tags,
                                       struct folder_notice *notice)
{
    struct learning *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = database;
    made->table = table;
    made->tags = tags;
    made->notice = notice;
    made->arena = arena_create(0);
    made->names.arena = made->arena;
    made->learnt = memory_allocate_zeroed(JSONL_COLUMNS_MAX, sizeof(struct learnt *));
    made->guesses = memory_allocate_zeroed(JSONL_COLUMNS_MAX, sizeof(struct learnt *));
    return made;
}
