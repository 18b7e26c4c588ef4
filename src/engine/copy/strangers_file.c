/* The file of hashes, and looking records up in it. */
#include "engine/copy/strangers_parts.h"

#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status fail(const struct strangers *strangers, sqlite3 *file, struct error *error)
{
    return error_set(error, ERROR_STATE_INVALID, strangers->path, "%s",
                     file == NULL ? "no memory" : sqlite3_errmsg(file));
}

static enum status execute(const struct strangers *strangers, sqlite3 *file, const char *sql,
                           struct error *error)
{
    return sqlite3_exec(file, sql, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK
                                                                  : fail(strangers, file, error);
}

enum status strangers_create(struct strangers *strangers, struct error *error)
{
    static const char make[] = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
                               "CREATE TABLE stranger (list INTEGER, hash BLOB, PRIMARY KEY "
                               "(list, hash)) WITHOUT ROWID; BEGIN";
    unlink(strangers->path); /* of an attempt before */
    if (sqlite3_open_v2(strangers->path, &strangers->file,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK ||
        execute(strangers, strangers->file, make, error) != STATUS_OK ||
        sqlite3_prepare_v2(strangers->file, "INSERT OR IGNORE INTO stranger VALUES (?, ?)", -1,
                           &strangers->insert, NULL) != SQLITE_OK) {
        return fail(strangers, strangers->file, error);
    }
    return STATUS_OK;
}

enum status strangers_add(struct strangers *strangers, uint32_t set,
                          const struct canonical_hash *hash, struct error *error)
{
    sqlite3_stmt *insert = strangers->insert;
    bool failed = sqlite3_bind_int64(insert, 1, set) != SQLITE_OK ||
                  sqlite3_bind_blob(insert, 2, hash, sizeof *hash, SQLITE_STATIC) != SQLITE_OK ||
                  sqlite3_step(insert) != SQLITE_DONE;
    strangers->sets[set].count += failed ? 0 : (uint64_t)sqlite3_changes(strangers->file);
    sqlite3_reset(insert);
    return failed ? fail(strangers, strangers->file, error) : STATUS_OK;
}

enum status strangers_flush(struct strangers *strangers, struct error *error)
{
    return execute(strangers, strangers->file, "COMMIT; BEGIN", error);
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
};

enum status stranger_search_open(struct strangers *strangers, struct stranger_search **search,
                                 struct error *error)
{
    struct stranger_search *opened = memory_allocate_zeroed(1, sizeof *opened);
    *opened = (struct stranger_search){.strangers = strangers, .arena = arena_create(0)};
    *search = opened;
    if (sqlite3_open_v2(strangers->path, &opened->file, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(opened->file, "SELECT 1 FROM stranger WHERE list = ? AND hash = ?", -1,
                           &opened->find, NULL) != SQLITE_OK) {
        return fail(strangers, opened->file, error);
    }
    return STATUS_OK;
}

void stranger_search_close(struct stranger_search *search)
{
    if (search == NULL) {
        return;
    }
    sqlite3_finalize(search->find);
    sqlite3_close(search->file);
    buffer_free(&search->scratch);
    buffer_free(&search->reason);
    arena_destroy(search->arena);
    free(search);
}

static enum status is_there(struct stranger_search *search, uint32_t set,
                            const struct canonical_hash *hash, bool *found, struct error *error)
{
    int step = SQLITE_ERROR;
    if (sqlite3_bind_int64(search->find, 1, set) == SQLITE_OK &&
        sqlite3_bind_blob(search->find, 2, hash, sizeof *hash, SQLITE_STATIC) == SQLITE_OK) {
        step = sqlite3_step(search->find);
    }
    *found = step == SQLITE_ROW;
    enum status status = step == SQLITE_ROW || step == SQLITE_DONE
                             ? STATUS_OK
                             : fail(search->strangers, search->file, error);
    sqlite3_reset(search->find);
    return status;
}

static const char *say(struct stranger_search *search, const struct stranger_reference *reference)
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
    return buffer_string(&search->reason);
}

enum status stranger_search_row(struct stranger_search *search, const struct batch *batch,
                                uint32_t row, const char **reason, struct error *error)
{
    const struct strangers *strangers = search->strangers;
    uint32_t table = strangers->run->session->plan->entities[batch->entity].table;
    *reason = NULL;
    for (uint32_t i = 0; i < strangers->reference_count && *reason == NULL; i++) {
        const struct stranger_reference *reference = &strangers->references[i];
        struct canonical_hash hash;
        bool found = false;
        if (reference->table != table || strangers->sets[reference->set].count == 0) {
            continue;
        }
        arena_reset(search->arena);
        enum status status = stranger_hash(strangers->run, batch, row, reference->columns,
                                           search->arena, &search->scratch, &hash, error);
        status =
            status == STATUS_OK ? is_there(search, reference->set, &hash, &found, error) : status;
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        *reason = found ? say(search, reference) : NULL;
    }
    return STATUS_OK;
}
