/*
 * Joins whose columns have no usable index: SQLite would build one in memory for each statement,
 * that is for each chunk. Instead (join columns, row key) is sorted once, to a private file beside
 * the run's other spills, and every cursor reads through it.
 */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct spiller {
    struct sqlite_database *self;
    sqlite3 *output; /* the spill file, while it is made */
    void (*progress)(const char *what);
    struct arena *arena;
    struct error *error;
};

/* ---------------------------------------------------------------- what lacks an index */

/* The number of the join that a line of a query plan scans ("SCAN _t2 ..." or "SCAN _x2 ...", the
 * aliases of request.c); 0: none. */
static uint64_t scanned_join(const char *detail)
{
    uint64_t number = 0;

    if (detail == NULL ||
        (strncmp(detail, "SCAN _t", 7) != 0 && strncmp(detail, "SCAN _x", 7) != 0) ||
        text_to_uint64(detail + 7, strspn(detail + 7, "0123456789"), &number) != STATUS_OK) {
        return 0;
    }
    return number;
}

/* Marks the joins whose table SQLite would scan for each row of the outer side. */
static enum status find_scans(struct spiller *spiller, const struct read_request *request,
                              bool *scans)
{
    struct sqlite_database *self = spiller->self;
    struct request_options options = {.connection = self->control, .schema = "main"};
    struct request_sql compiled;
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;

    if (request_compile(self, request, NULL, options, spiller->arena, &compiled, spiller->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_append(&sql, "EXPLAIN QUERY PLAN %b", &compiled.sql);
    request_free(&compiled);
    enum status status =
        sqlite_prepare(self, self->control, buffer_string(&sql), &statement, spiller->error);
    while (status == STATUS_OK &&
           (status = sqlite_step(self, statement, spiller->error)) == STATUS_OK) {
        const char *detail = (const char *)sqlite3_column_text(statement, 3);
        uint64_t number = scanned_join(detail);
        if (number > 0 && number <= request->join_count) {
            scans[number - 1] = true;
        }
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- sorting */

static const char *affinity_name(char affinity)
{
    switch (affinity) {
    case 'I':
        return "INTEGER";
    case 'R':
        return "REAL";
    case 'N':
        return "NUMERIC";
    case 'T':
        return "TEXT";
    default:
        return "BLOB";
    }
}

/* The table of the list: k0 … are compared as the join compares, r0 … are the row key. */
static void append_create(struct buffer *sql, const struct spill *spill,
                          const struct join_facts *facts)
{
    const char *signature = spill->signature;

    buffer_format(sql, "CREATE TABLE s%u(", spill->number);
    for (uint32_t i = 0; i < facts->part_count; i++) {
        const char *end = strchr(signature, ';');
        sqlite_append(sql, "k%u %s NOT NULL COLLATE %n, ", i, affinity_name(signature[0]),
                      facts->parts[i].collation);
        signature = end != NULL ? end + 1 : signature;
    }
    for (uint32_t i = 0; i < spill->row_key_count; i++) {
        bool by_rowid = facts->table->schema->row_key != NULL;
        const struct catalog_key_part *part = by_rowid ? NULL : &facts->table->key[i];
        sqlite_append(sql, "r%u %s NOT NULL COLLATE %n, ", i,
                      by_rowid ? "INTEGER"
                               : affinity_name(facts->table->columns[part->column].read.affinity),
                      by_rowid ? "BINARY" : part->collation);
    }
    buffer_append_string(sql, "PRIMARY KEY(");
    for (uint32_t i = 0; i < facts->part_count; i++) {
        buffer_format(sql, "k%u, ", i);
    }
    for (uint32_t i = 0; i < spill->row_key_count; i++) {
        buffer_format(sql, "%sr%u%s", i > 0 ? ", " : "", i, join_key_direction(facts->table, i));
    }
    buffer_append_string(sql, ")) WITHOUT ROWID");
}

static enum status append_select(struct spiller *spiller, struct buffer *sql,
                                 const struct spill *spill, const struct join_facts *facts)
{
    for (int pass = 0; pass < 3; pass++) {
        static const char *const heads[] = {"SELECT ", " WHERE ", " ORDER BY "};
        for (uint32_t i = 0; i < facts->part_count; i++) {
            buffer_append_string(sql, i == 0 ? heads[pass] : pass == 1 ? " AND " : ", ");
            if (join_append_column(sql, "_s", facts->table, spill->columns.names[i],
                                   spiller->error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            if (pass == 1) {
                buffer_append_string(sql, " IS NOT NULL");
            } else if (pass == 2) {
                sqlite_append(sql, " COLLATE %n", facts->parts[i].collation);
            }
        }
        if (pass == 0) {
            join_append_row_key(sql, facts->table, "_s", ", ");
        } else if (pass == 2) {
            join_append_order(sql, facts->table, "_s", false, ", ");
        }
        if (pass == 0) {
            sqlite_append(sql, " FROM main.%n AS _s", facts->table->schema->name);
        }
    }
    return STATUS_OK;
}

static enum status output_error(struct spiller *spiller, int result)
{
    return sqlite_error(spiller->output, result, OPEN_TARGET, ERROR_STATE_WRITE,
                        spiller->self->source->spill_path, "a sorted list can't be written",
                        spiller->error);
}

static enum status copy_rows(struct spiller *spiller, sqlite3_stmt *from, sqlite3_stmt *to)
{
    int columns = sqlite3_column_count(from);
    int result;

    while ((result = sqlite3_step(from)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            int bound = sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
            if (bound != SQLITE_OK) {
                return output_error(spiller, bound);
            }
        }
        sqlite3_step(to);
        int written = sqlite3_reset(to);
        if (written != SQLITE_OK) {
            return output_error(spiller, written);
        }
    }
    return result == SQLITE_DONE
               ? STATUS_OK
               : sqlite_error(spiller->self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ,
                              spiller->self->sql.shown, "sorting failed", spiller->error);
}

static enum status fill_list(struct spiller *spiller, const struct spill *spill,
                             const struct join_facts *facts)
{
    struct buffer sql = {0};
    sqlite3_stmt *from = NULL;
    sqlite3_stmt *to = NULL;
    enum status status = STATUS_FAILED;

    append_create(&sql, spill, facts);
    int result = sqlite3_exec(spiller->output, buffer_string(&sql), NULL, NULL, NULL);
    if (result != SQLITE_OK) {
        output_error(spiller, result);
        goto out;
    }
    buffer_clear(&sql);
    buffer_format(&sql, "INSERT INTO s%u VALUES(?", spill->number);
    for (uint32_t i = 1; i < facts->part_count + spill->row_key_count; i++) {
        buffer_append_string(&sql, ", ?");
    }
    buffer_append_byte(&sql, ')');
    result = sqlite3_prepare_v2(spiller->output, buffer_string(&sql), -1, &to, NULL);
    if (result != SQLITE_OK) {
        output_error(spiller, result);
        goto out;
    }
    buffer_clear(&sql);
    if (append_select(spiller, &sql, spill, facts) == STATUS_OK &&
        sqlite_prepare(spiller->self, spiller->self->control, buffer_string(&sql), &from,
                       spiller->error) == STATUS_OK) {
        status = copy_rows(spiller, from, to);
    }
out:
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    buffer_free(&sql);
    return status;
}

/* The file: private, made anew, without a journal, since nobody needs it after a crash. */
static enum status open_output(struct spiller *spiller)
{
    struct sqlite_source *source = spiller->self->source;
    uint64_t random = 0;

    if (spiller->output != NULL) {
        return STATUS_OK;
    }
    if (source->spill_path != NULL) {
        return error_set(spiller->error, ERROR_INTERNAL, spiller->self->sql.shown,
                         "requests that need sorting came after the others were prepared");
    }
    sqlite3_randomness(sizeof random, &random);
    source->spill_path = arena_format(spiller->self->arena, "%s/sqlite-%016" PRIx64 ".spill",
                                      spiller->self->spill_folder, random);
    int descriptor =
        file_open(source->spill_path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return error_set_errno(spiller->error, ERROR_STATE_WRITE, errno, source->spill_path,
                               "a file for sorting can't be made");
    }
    close(descriptor);
    if (sqlite_connection_open(source->spill_path, CONNECTION_WRITE, spiller->self->timeout_ms,
                               &spiller->output, spiller->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_exec(spiller->output,
                              "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                              " PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -2048; BEGIN",
                              NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK : output_error(spiller, result);
}

static enum status add_spill(struct spiller *spiller, const struct read_join *join,
                             const struct join_facts *facts)
{
    struct sqlite_source *source = spiller->self->source;
    struct arena *arena = spiller->self->arena;
    struct spill *spill = arena_allocate_zeroed(arena, 1, sizeof *spill);
    const char **names = arena_allocate_zeroed(arena, join->columns.count, sizeof *names);

    for (uint32_t i = 0; i < join->columns.count; i++) {
        names[i] = arena_copy_string(arena, join->columns.names[i]);
    }
    spill->number = source->spill_count++;
    spill->table = facts->table->schema->name;
    spill->columns = (struct column_list){.names = names, .count = join->columns.count};
    spill->signature = arena_copy_string(arena, facts->signature);
    spill->row_key_count = join_row_key_count(facts->table);
    if (spiller->progress != NULL) {
        char what[160];
        snprintf(what, sizeof what, "sorting %.80s by %.60s", spill->table, names[0]);
        spiller->progress(what);
    }
    if (open_output(spiller) != STATUS_OK || fill_list(spiller, spill, facts) != STATUS_OK) {
        return STATUS_FAILED;
    }
    spill->next = source->spills;
    source->spills = spill;
    source->spill_builds++;
    return failpoint_hit("sqlite.spill_sorted", spiller->error);
}

static enum status prepare_request(struct spiller *spiller, const struct read_request *request)
{
    struct join_facts *joins = NULL;
    bool *scans = arena_allocate_zeroed(spiller->arena, request->join_count, sizeof *scans);

    if (join_resolve(spiller->self, request, spiller->self->control, spiller->arena, &joins,
                     spiller->error) != STATUS_OK ||
        find_scans(spiller, request, scans) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < request->join_count; i++) {
        const struct read_join *join = &request->joins[i];
        if (!scans[i] || join_row_key_count(joins[i].table) == 0 ||
            spill_find(spiller->self->source, joins[i].table->schema->name, join->columns,
                       joins[i].signature) != NULL) {
            continue;
        }
        if (add_spill(spiller, join, &joins[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- using it */

enum status spill_attach(struct sqlite_database *self, sqlite3 *connection, struct error *error)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite_prepare(self, connection, "ATTACH ?1 AS spill", &statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite3_bind_text(statement, 1, self->source->spill_path, -1, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE
               ? STATUS_OK
               : sqlite_error(connection, result, OPEN_SOURCE, ERROR_SOURCE_READ,
                              self->source->spill_path, "a sorted list can't be opened", error);
}

static enum status finish_output(struct spiller *spiller)
{
    struct sqlite_source *source = spiller->self->source;

    if (spiller->output == NULL) {
        return STATUS_OK;
    }
    int result = sqlite3_exec(spiller->output, "COMMIT", NULL, NULL, NULL);
    if (result != SQLITE_OK) {
        return output_error(spiller, result);
    }
    sqlite_connection_close(spiller->output);
    spiller->output = NULL;
    source->spill_ready = true;
    return spill_attach(spiller->self, spiller->self->control, spiller->error);
}

enum status source_prepare(struct database *database, const struct read_request *const *requests,
                           uint32_t request_count, void (*progress)(const char *what),
                           struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct spiller spiller = {.self = self, .progress = progress, .error = error};
    enum status status = STATUS_FAILED;

    if (self->spill_folder == NULL) {
        return STATUS_OK;
    }
    spiller.arena = arena_create(0);
    if (sqlite_execute(self, self->control, "PRAGMA automatic_index = OFF", error) != STATUS_OK) {
        goto out;
    }
    status = STATUS_OK;
    for (uint32_t i = 0; i < request_count && status == STATUS_OK; i++) {
        status = requests[i]->join_count > 0 ? prepare_request(&spiller, requests[i]) : STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = finish_output(&spiller);
    }
    if (status == STATUS_OK) {
        status = sqlite_execute(self, self->control, "PRAGMA automatic_index = ON", error);
    }
out:
    if (status != STATUS_OK) {
        source_read_failed(error);
    }
    sqlite_connection_close(spiller.output);
    arena_destroy(spiller.arena);
    return status;
}

void spill_remove(struct sqlite_source *source)
{
    if (source->spill_path != NULL) {
        unlink(source->spill_path);
        source->spill_path = NULL;
    }
}
