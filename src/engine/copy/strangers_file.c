/* The file of hashes, and looking records up in it. */
#include "engine/copy/strangers_parts.h"

#include "base/memory.h"
#include "model/json_writer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status strangers_file_fail(const struct strangers *strangers, sqlite3 *file,
                                       struct error *error)
{
    return error_set(error, ERROR_STATE_INVALID, strangers->path, "%s",
                     file == NULL ? "no memory" : sqlite3_errmsg(file));
}

static enum status strangers_file_execute(const struct strangers *strangers, sqlite3 *file,
                                          const char *sql, struct error *error)
{
    return sqlite3_exec(file, sql, NULL, NULL, NULL) == SQLITE_OK
               ? STATUS_OK
               : strangers_file_fail(strangers, file, error);
}

enum status strangers_create(struct strangers *strangers, struct error *error)
{
    static const char make[] = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
                               "CREATE TABLE stranger (list INTEGER, hash BLOB, direct INTEGER, "
                               "PRIMARY KEY (list, hash)) WITHOUT ROWID; BEGIN";
    unlink(strangers->path); /* of an attempt before */
    if (sqlite3_open_v2(strangers->path, &strangers->file,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK ||
        strangers_file_execute(strangers, strangers->file, make, error) != STATUS_OK ||
        sqlite3_prepare_v2(strangers->file, "INSERT OR IGNORE INTO stranger VALUES (?, ?, ?)", -1,
                           &strangers->insert, NULL) != SQLITE_OK) {
        return strangers_file_fail(strangers, strangers->file, error);
    }
    return STATUS_OK;
}

enum status strangers_add(struct strangers *strangers, uint32_t set,
                          const struct canonical_hash *hash, bool direct, struct error *error)
{
    sqlite3_stmt *insert = strangers->insert;
    bool failed = sqlite3_bind_int64(insert, 1, set) != SQLITE_OK ||
                  sqlite3_bind_blob(insert, 2, hash, sizeof *hash, SQLITE_STATIC) != SQLITE_OK ||
                  sqlite3_bind_int(insert, 3, direct) != SQLITE_OK ||
                  sqlite3_step(insert) != SQLITE_DONE;
    strangers->sets[set].count += failed ? 0 : (uint64_t)sqlite3_changes(strangers->file);
    sqlite3_reset(insert);
    return failed ? strangers_file_fail(strangers, strangers->file, error) : STATUS_OK;
}

enum status strangers_flush(struct strangers *strangers, struct error *error)
{
    return strangers_file_execute(strangers, strangers->file, "COMMIT; BEGIN", error);
}

void strangers_free(struct strangers *strangers)
{
    if (strangers == NULL) {
        return;
    }
    sqlite3_finalize(strangers->insert);
    sqlite3_close(strangers->file);
    unlink(strangers->path);
    arena_destroy(strangers->arena);
    free(strangers->sets);
    free(strangers->references);
    free(strangers);
}

/* ---- searching */

struct stranger_search {
    struct strangers *strangers;
    sqlite3 *file;
    sqlite3_stmt *find;
    struct arena *arena;
    struct buffer scratch;
    struct buffer reason;
    struct buffer parents;
    struct stranger_match match;
};

static struct stranger_search *strangers_file_create(struct strangers *strangers)
{
    struct stranger_search *search = memory_allocate_zeroed(1, sizeof *search);
    search->strangers = strangers;
    search->arena = arena_create(0);
    return search;
}

static enum status strangers_file_prepare(struct stranger_search *search, struct error *error)
{
    static const char find[] = "SELECT direct FROM stranger WHERE list = ? AND hash = ?";
    return sqlite3_prepare_v2(search->file, find, -1, &search->find, NULL) == SQLITE_OK
               ? STATUS_OK
               : strangers_file_fail(search->strangers, search->file, error);
}

enum status stranger_search_open(struct strangers *strangers, struct stranger_search **search,
                                 struct error *error)
{
    *search = strangers_file_create(strangers);
    if (sqlite3_open_v2(strangers->path, &(*search)->file, SQLITE_OPEN_READONLY, NULL) !=
        SQLITE_OK) {
        return strangers_file_fail(strangers, (*search)->file, error);
    }
    return strangers_file_prepare(*search, error);
}

enum status stranger_search_within(struct strangers *strangers, struct stranger_search **search,
                                   struct error *error)
{
    *search = strangers_file_create(strangers);
    (*search)->file = strangers->file;
    return strangers_file_prepare(*search, error);
}

void stranger_search_close(struct stranger_search *search)
{
    if (search == NULL) {
        return;
    }
    sqlite3_finalize(search->find);
    if (search->file != search->strangers->file) {
        sqlite3_close(search->file);
    }
    buffer_free(&search->scratch);
    buffer_free(&search->reason);
    buffer_free(&search->parents);
    arena_destroy(search->arena);
    free(search);
}

static enum status is_there(struct stranger_search *search, uint32_t set,
                            const struct canonical_hash *hash, bool *found, bool *direct,
                            struct error *error)
{
    int step = SQLITE_ERROR;
    if (sqlite3_bind_int64(search->find, 1, set) == SQLITE_OK &&
        sqlite3_bind_blob(search->find, 2, hash, sizeof *hash, SQLITE_STATIC) == SQLITE_OK) {
        step = sqlite3_step(search->find);
    }
    *found = step == SQLITE_ROW;
    *direct = *found && sqlite3_column_int(search->find, 0) != 0;
    enum status status = step == SQLITE_ROW || step == SQLITE_DONE
                             ? STATUS_OK
                             : strangers_file_fail(search->strangers, search->file, error);
    sqlite3_reset(search->find);
    return status;
}

static void strangers_file_say(struct stranger_search *search,
                               const struct stranger_reference *reference)
{
    const struct strangers *strangers = search->strangers;
    buffer_clear(&search->reason);
    for (uint32_t i = 0; i < reference->columns.count; i++) {
        buffer_format(&search->reason, "%s%s", i > 0 ? ", " : "", reference->columns.names[i]);
    }
    buffer_format(&search->reason,
                  " refers to a record of %s that was not written: its key, or that of one that it "
                  "depends on, is there with other values",
                  strangers->run->tables[strangers->sets[reference->set].table].name);
    search->match.reason = buffer_string(&search->reason);
}

static void list_columns(struct buffer *out, const char *name, struct column_list columns)
{
    buffer_format(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < columns.count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        json_append_printable(out, columns.names[i]);
    }
    buffer_append_byte(out, ']');
}

/* As rejects.h has it. */
static void add_parent(struct stranger_search *search, const struct stranger_reference *reference,
                       const struct canonical_hash *hash)
{
    const struct strangers *strangers = search->strangers;
    const struct stranger_set *set = &strangers->sets[reference->set];
    struct buffer *out = &search->parents;
    char hex[33];
    canonical_hash_format(hash, hex);
    buffer_append_string(out, out->length > 0 ? "," : "");
    buffer_append_string(out, "{\"table\":");
    json_append_printable(out, strangers->run->tables[set->table].name);
    list_columns(out, "key", set->columns);
    list_columns(out, "columns", reference->columns);
    buffer_format(out, ",\"hash\":\"%s\"}", hex);
    search->match.parents = buffer_string(out);
}

static enum status match_reference(struct stranger_search *search, const struct batch *batch,
                                   uint32_t row, const struct stranger_reference *reference,
                                   struct error *error)
{
    struct canonical_hash hash;
    bool found = false;
    bool direct = false;
    arena_reset(search->arena);
    enum status status = stranger_hash(search->strangers->run, batch, row, reference->columns,
                                       search->arena, &search->scratch, &hash, error);
    if (status == STATUS_OK) {
        status = is_there(search, reference->set, &hash, &found, &direct, error);
    }
    if (found && search->match.reason == NULL) {
        strangers_file_say(search, reference);
    }
    if (direct) {
        add_parent(search, reference, &hash);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

enum status stranger_search_row(struct stranger_search *search, const struct batch *batch,
                                uint32_t row, const struct stranger_match **match,
                                struct error *error)
{
    const struct strangers *strangers = search->strangers;
    uint32_t table = strangers->run->session->plan->entities[batch->entity].table;
    enum status status = STATUS_OK;
    search->match = (struct stranger_match){0};
    buffer_clear(&search->parents);
    for (uint32_t i = 0; status == STATUS_OK && i < strangers->reference_count; i++) {
        const struct stranger_reference *reference = &strangers->references[i];
        if (reference->table == table && strangers->sets[reference->set].count > 0) {
            status = match_reference(search, batch, row, reference, error);
        }
    }
    *match = search->match.reason != NULL ? &search->match : NULL;
    return status;
}
