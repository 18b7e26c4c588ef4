/*
 * Values too large to hold: handles that read them block by block, by the row's key, on a
 * connection that began its snapshot with the others and that all handles of a source share. It
 * can't be made anew.
 */
#include "connectors/sql/large.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/mysql/source.h"
#include <stdlib.h>
#include <string.h>

struct mysql_large {
    struct sql_large base;
    struct mysql_database *database;
    const char *column; /* behind the place; its bytes, as an expression */
    char place[];       /* "table AS _t0 WHERE …" */
};

static enum status large_ask(struct mysql_large *self, uint64_t offset, size_t size,
                             MYSQL_RES **result, struct error *error)
{
    struct mysql_database *database = self->database;
    enum status status =
        mysql_run_buffer(database, database->slicer,
                         mysql_sql("SELECT SUBSTRING(%s, %U, %U) FROM %s", self->column,
                                   (uint64_t)offset + 1, (uint64_t)size, self->place),
                         SQL_LONG, ERROR_SOURCE_READ, result, error);
    if (status != STATUS_OK && !mysql_is_alive(database->slicer)) {
        error_set(error, ERROR_SOURCE_READ, database->sql.shown,
                  "the connection that reads large values within the snapshot is gone");
    }
    return status;
}

static enum status large_fetch(struct sql_large *base, uint64_t offset, void *bytes, size_t size,
                               struct error *error)
{
    struct mysql_large *self = (struct mysql_large *)base;
    MYSQL_RES *result = NULL;
    if (failpoint_hit("mysql.before_slice", error) != STATUS_OK ||
        large_ask(self, offset, size, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    bool whole = row != NULL && row[0] != NULL && mysql_fetch_lengths(result)[0] == size;
    if (whole) {
        memcpy(bytes, row[0], size);
    }
    mysql_free_result(result);
    return whole ? STATUS_OK
                 : error_set(error, ERROR_SOURCE_READ, base->shown,
                             "a large value is not there any more as it was");
}

static void append_column(struct buffer *sql, const struct mysql_sliced *sliced)
{
    bool text = sliced->kind == VALUE_TEXT;
    /* a CAST would be cut off at max_allowed_packet */
    mysql_append(sql, "%s%n%s", text ? "CONVERT(_t0." : "_t0.", sliced->name,
                 text ? " USING binary)" : "");
}

static void make_one(struct mysql_database *self, const struct buffer *place,
                     const struct mysql_sliced *sliced, uint64_t length, struct batch *batch,
                     struct cell *cell)
{
    struct buffer column = {0};
    append_column(&column, sliced);
    struct mysql_large *large =
        memory_allocate_zeroed(1, sizeof *large + place->length + column.length + 2);
    large->base = (struct sql_large){.shown = self->sql.shown,
                                     .lock = &self->slicer_lock,
                                     .fetch = large_fetch,
                                     .block_bytes = MYSQL_SLICE_BYTES};
    large->database = self;
    memcpy(large->place, place->data, place->length);
    memcpy(large->place + place->length + 1, column.data, column.length);
    large->column = large->place + place->length + 1;
    sql_large_keep(&large->base, sliced->kind, length, batch, cell);
    buffer_free(&column);
}

/* False: the row has no large value. */
static bool write_place(struct mysql_database *self, const struct mysql_request *compiled,
                        char **key, const unsigned long *lengths, struct buffer *place)
{
    struct text values[SQL_KEY_PARTS_MAX];
    for (uint32_t i = 0; i < compiled->root->key.count; i++) {
        if (key[i] == NULL) {
            return false;
        }
        values[i] = (struct text){.data = key[i], .length = lengths[i]};
    }
    mysql_append(place, "%t AS _t0 WHERE ", &self->sql, compiled->root->schema->name);
    mysql_append_record(place, compiled->root, "_t0", values);
    return true;
}

enum status mysql_large_make(struct mysql_database *self, const struct mysql_request *compiled,
                             char **extra, const unsigned long *lengths, struct batch *batch,
                             struct cell *cells, struct error *error)
{
    struct buffer place = {0};
    enum status status = STATUS_OK;
    bool any = write_place(self, compiled, extra + compiled->sliced_count,
                           lengths + compiled->sliced_count, &place);
    for (uint32_t i = 0; any && status == STATUS_OK && i < compiled->sliced_count; i++) {
        uint64_t length = 0;
        if (extra[i] == NULL) {
            continue;
        }
        if (text_to_uint64(extra[i], lengths[i], &length) == STATUS_OK) {
            make_one(self, &place, &compiled->sliced[i], length, batch,
                     &cells[compiled->sliced[i].column]);
        } else {
            status = error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                               "the length of a large value is not told as it was asked for");
        }
    }
    buffer_free(&place);
    return status;
}
