/* Texts and BLOBs fetched by row key, and handles on those that are too large to hold. */
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include <stdlib.h>
#include <string.h>

struct sqlite_large {
    struct large_value base;
    struct sqlite_database *database;
    sqlite3_blob *blob;
};

enum { CHECK_PIECE_BYTES = 64 * 1024 };

static enum status large_fail(struct sqlite_database *self, int result, struct error *error)
{
    enum status status = sqlite_error(self->source->large, result, OPEN_SOURCE, ERROR_SOURCE_READ,
                                      self->sql.shown, "a large value can't be read", error);
    source_read_failed(error);
    return status;
}

static enum status large_slice(struct large_value *large, uint64_t offset, void *bytes, size_t size,
                               struct error *error)
{
    struct sqlite_large *self = (struct sqlite_large *)large;
    struct sqlite_source *source = self->database->source;

    if (offset > large->length || size > large->length - offset) {
        return error_set(error, ERROR_INTERNAL, self->database->sql.shown,
                         "a slice behind the end");
    }
    pthread_mutex_lock(&source->lock);
    int result = sqlite3_blob_read(self->blob, bytes, (int)size, (int)offset);
    enum status status =
        result == SQLITE_OK ? STATUS_OK : large_fail(self->database, result, error);
    pthread_mutex_unlock(&source->lock);
    return status;
}

static void large_release(struct large_value *large)
{
    struct sqlite_large *self = (struct sqlite_large *)large;
    pthread_mutex_lock(&self->database->source->lock);
    sqlite3_blob_close(self->blob);
    pthread_mutex_unlock(&self->database->source->lock);
    free(self);
}

/* Piece by piece; a character cut by a piece's end is checked with the next piece. */
static enum status check_utf8(sqlite3_blob *blob, int length, bool *valid,
                              struct sqlite_database *self, struct error *error)
{
    char *piece = memory_allocate(CHECK_PIECE_BYTES);
    enum status status = STATUS_OK;
    int kept = 0;

    *valid = true;
    for (int at = 0; at < length && *valid;) {
        int size = length - at < CHECK_PIECE_BYTES - kept ? length - at : CHECK_PIECE_BYTES - kept;
        int result = sqlite3_blob_read(blob, piece + kept, size, at);
        if (result != SQLITE_OK) {
            status = large_fail(self, result, error);
            break;
        }
        at += size;
        int filled = kept + size;
        int whole = filled;
        while (at < length && whole > filled - 4 && whole > 0 &&
               ((unsigned char)piece[whole - 1] & 0xc0) == 0x80) {
            whole--;
        }
        if (at < length && whole > 0 && (unsigned char)piece[whole - 1] >= 0xc0) {
            whole--;
        } else {
            whole = filled; /* the piece ends with a whole character, or with what is none */
        }
        *valid = text_is_utf8(piece, (size_t)whole) != 0;
        kept = filled - whole;
        memmove(piece, piece + whole, (size_t)kept);
    }
    free(piece);
    return status;
}

static enum status read_whole(struct sqlite_database *self, sqlite3_blob *blob, int length,
                              bool is_text, struct batch *batch, struct cell *cell,
                              struct error *error)
{
    char *bytes = arena_try_allocate(batch->arena, (size_t)length);
    if (bytes == NULL) {
        return error_set(error, ERROR_MEMORY, self->sql.shown, "no memory for a value of %d bytes",
                         length);
    }
    int result = length > 0 ? sqlite3_blob_read(blob, bytes, length, 0) : SQLITE_OK;
    if (result != SQLITE_OK) {
        return large_fail(self, result, error);
    }
    *cell = is_text ? cell_text(bytes, (size_t)length) : cell_bytes(bytes, (size_t)length);
    if (is_text && !text_is_utf8(bytes, (size_t)length)) {
        cell->kind = VALUE_ESCAPE;
        cell->flags = CELL_ESCAPED_TEXT;
        cell->aux = ESCAPE_SQLITE;
    }
    return STATUS_OK;
}

static void make_handle(struct sqlite_database *self, sqlite3_blob **blob, int length, bool is_text,
                        struct batch *batch, struct cell *cell)
{
    struct sqlite_large *large = memory_allocate_zeroed(1, sizeof *large);
    large->base = (struct large_value){.kind = is_text ? VALUE_TEXT : VALUE_BYTES,
                                       .length = (uint64_t)length,
                                       .read = large_slice,
                                       .release = large_release};
    large->database = self;
    large->blob = *blob;
    *blob = NULL;
    *cell = (struct cell){.kind = VALUE_LARGE, .large = &large->base};
    batch_keep_large(batch, &large->base);
}

static enum status read_locked(struct sqlite_database *self, const struct request_column *column,
                               int64_t row_key, bool is_text, sqlite3_blob **blob,
                               struct batch *batch, struct cell *cell, size_t *bytes,
                               struct error *error)
{
    bool valid = true;
    int result = *blob != NULL
                     ? sqlite3_blob_reopen(*blob, row_key)
                     : sqlite3_blob_open(self->source->large, "main", column->table->schema->name,
                                         column->table->schema->columns[column->column].name,
                                         row_key, 0, blob);
    if (result != SQLITE_OK) {
        return large_fail(self, result, error);
    }
    int length = sqlite3_blob_bytes(*blob);
    bool is_large = (uint64_t)length > self->sql.base.limits.slice_bytes;
    if (is_large && is_text && check_utf8(*blob, length, &valid, self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_large && valid) {
        make_handle(self, blob, length, is_text, batch, cell);
        return STATUS_OK;
    }
    *bytes += (size_t)length;
    return read_whole(self, *blob, length, is_text, batch, cell, error);
}

enum status large_read(struct sqlite_database *self, const struct request_column *column,
                       int64_t row_key, bool is_text, sqlite3_blob **blob, struct batch *batch,
                       struct cell *cell, size_t *bytes, struct error *error)
{
    pthread_mutex_lock(&self->source->lock);
    enum status status =
        read_locked(self, column, row_key, is_text, blob, batch, cell, bytes, error);
    if (status != STATUS_OK) {
        sqlite3_blob_close(*blob);
        *blob = NULL;
    }
    pthread_mutex_unlock(&self->source->lock);
    return status;
}

void large_close(struct sqlite_database *self, sqlite3_blob *blob)
{
    if (blob != NULL) {
        pthread_mutex_lock(&self->source->lock);
        sqlite3_blob_close(blob);
        pthread_mutex_unlock(&self->source->lock);
    }
}

void source_read_failed(struct error *error)
{
    if (error != NULL && error->code == ERROR_SOURCE_INVALID) {
        error_recode(error, ERROR_SOURCE_READ);
    }
}
