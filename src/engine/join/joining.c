/* The file of joins: made, filled, read by many threads, removed. */
#include "engine/join/joining.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/join/joining_parts.h"
#include "engine/spill/spill_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { CACHE_BYTES_LEAST = 1 << 20, CACHE_BYTES_MOST = 8 << 20, STEPS_BETWEEN_LOOKS = 10000 };

enum status joining_error(const struct joining *joining, sqlite3 *connection, int result,
                          const char *what, struct error *error)
{
    int kind = result & 0xff;
    if (kind == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM) {
        memory_exhausted(0);
    }
    enum error_code code = kind == SQLITE_FULL        ? ERROR_DISK_FULL
                           : kind == SQLITE_INTERRUPT ? ERROR_INTERRUPTED
                                                      : ERROR_STATE_WRITE;
    const char *message = connection != NULL ? sqlite3_errmsg(connection) : sqlite3_errstr(result);
    int system = connection != NULL ? sqlite3_system_errno(connection) : 0;
    if (code == ERROR_STATE_WRITE && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN) &&
        system != 0) {
        error_set_errno(error, code, system, joining->path, "%s (%s)", what, message);
    } else {
        error_set(error, code, joining->path, "%s: %s", what, message);
    }
    if (code == ERROR_DISK_FULL) {
        error_hint(error, "make room where the state folder is, or name another with --state, and "
                          "`transhume resume`");
    }
    return STATUS_FAILED;
}

/* ---- made and gone */

static bool is_joined(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (plan->streams[i].joined != NULL || plan->streams[i].child_count > 0) {
            return true;
        }
    }
    return false;
}

void joining_create(const struct joining_options *options, struct joining **made)
{
    uint32_t capabilities = options->source->capabilities;
    *made = NULL;
    if ((capabilities & CAPABILITY_JOINS) != 0 || !is_joined(options->plan)) {
        return;
    }
    struct joining *joining = memory_allocate_zeroed(1, sizeof *joining);
    joining->arena = arena_create(0);
    joining->options = *options;
    joining->documents =
        (capabilities & CAPABILITY_FREE_FIELDS) != 0 && (capabilities & CAPABILITY_SQL_SCHEMA) == 0;
    joining_plan(joining);
    *made = joining;
}

/* It is SQLite's one variable for the process: taken back, since the folder goes. */
static void forget_temporary_folder(struct joining *joining)
{
    sqlite3 *connection = NULL;
    if (joining->temporary_folder_set && sqlite3_open(":memory:", &connection) == SQLITE_OK) {
        spill_direct_temporary_files(connection, "");
    }
    sqlite3_close(connection);
    joining->temporary_folder_set = false;
}

static void remove_file(struct joining *joining)
{
    if (joining->made_file) {
        (void)unlink(joining->path);
        joining->made_file = false;
    }
}

void joining_destroy(struct joining *joining)
{
    if (joining == NULL) {
        return;
    }
    remove_file(joining);
    forget_temporary_folder(joining);
    arena_destroy(joining->arena);
    free(joining);
}

void joining_tell(const struct joining *joining, struct buffer *tables, int64_t *bytes)
{
    *bytes = 0;
    for (uint32_t i = 0; i < joining->table_count; i++) {
        const struct joining_table *table = joining->tables[i];
        int64_t size = table->schema != NULL ? table->schema->size_bytes : -1;
        *bytes = size < 0 || *bytes < 0 ? -1 : *bytes + size;
        buffer_format(tables, "%s%s", i > 0 ? ", " : "", table->name);
    }
}

/* ---- filled */

static enum status make_file(struct joining *joining, struct error *error)
{
    uint64_t random = 0;
    if (joining->options.spill_folder == NULL) {
        return error_set(error, ERROR_STATE_WRITE, NULL,
                         "look-ups and lists need a state folder to sort in, and none could be "
                         "made");
    }
    sqlite3_randomness(sizeof random, &random);
    joining->path = arena_format(joining->arena, "%s/joins-%016" PRIx64 ".spill",
                                 joining->options.spill_folder, random);
    if (file_make_folder(joining->options.spill_folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int descriptor =
        file_open(joining->path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, joining->path,
                               "a file for joins can't be made");
    }
    close(descriptor);
    joining->made_file = true;
    return STATUS_OK;
}

static uint64_t cache_bytes(const struct joining *joining, uint32_t users)
{
    uint64_t share = joining->options.memory_bytes / (users > 0 ? users : 1);
    return share < CACHE_BYTES_LEAST  ? CACHE_BYTES_LEAST
           : share > CACHE_BYTES_MOST ? CACHE_BYTES_MOST
                                      : share;
}

/* Sorting a large table is one statement: a stop is seen within it. */
static int is_stopped(void *ignored)
{
    (void)ignored;
    return signals_stop_level() > 0;
}

static enum status open_output(struct joining *joining, sqlite3 **output, struct error *error)
{
    char *sql = memory_format("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                              " PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -%llu;"
                              " BEGIN",
                              (unsigned long long)(cache_bytes(joining, 1) >> 10));
    int result = sqlite3_open_v2(
        joining->path, output,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (result == SQLITE_OK) {
        sqlite3_progress_handler(*output, STEPS_BETWEEN_LOOKS, is_stopped, NULL);
        spill_direct_temporary_files(*output, joining->options.spill_folder);
        joining->temporary_folder_set = true;
        result = sqlite3_exec(*output, sql, NULL, NULL, NULL);
    }
    free(sql);
    return result == SQLITE_OK
               ? STATUS_OK
               : joining_error(joining, *output, result, "a file for joins can't be opened", error);
}

/* Which of several partners a look-up takes is settled; that there are several is worth saying. */
static enum status warn_of_partners(struct joining *joining, const struct joining_table *table,
                                    const struct joining_key *key, uint32_t number, sqlite3 *output,
                                    struct error *error)
{
    sqlite3_stmt *statement = NULL;
    char *sql = NULL;
    if (!key->one_partner ||
        (table->schema != NULL && schema_is_unique_key(table->schema, key->columns))) {
        return STATUS_OK;
    }
    sql = memory_format("SELECT count(*) FROM (SELECT 1 FROM t%u WHERE k%u IS NOT NULL"
                        " GROUP BY k%u HAVING count(*) > 1)",
                        table->number, number, number);
    int result = sqlite3_prepare_v2(output, sql, -1, &statement, NULL);
    result = result == SQLITE_OK ? sqlite3_step(statement) : result;
    if (result == SQLITE_ROW && sqlite3_column_int64(statement, 0) > 0) {
        log_write(LOG_WARNING,
                  "%s: %lld values of %s%s stand in several records; a look-up takes the first",
                  table->name, (long long)sqlite3_column_int64(statement, 0), key->columns.names[0],
                  key->columns.count > 1 ? " and so on" : "");
    }
    sqlite3_finalize(statement);
    free(sql);
    return result == SQLITE_ROW
               ? STATUS_OK
               : joining_error(joining, output, result, "a sorted list can't be read", error);
}

static enum status load_table(struct joining *joining, const struct joining_table *table,
                              sqlite3 *output, void (*progress)(const char *what),
                              struct error *error)
{
    enum status status = joining_load(joining, table, output, progress, error);
    for (uint32_t i = 0; i < table->key_count && status == STATUS_OK; i++) {
        status = warn_of_partners(joining, table, &table->keys[i], i, output, error);
    }
    return status;
}

enum status joining_prepare(struct joining *joining, void (*progress)(const char *what),
                            struct error *error)
{
    sqlite3 *output = NULL;
    if (joining->prepared) {
        return STATUS_OK;
    }
    enum status status = make_file(joining, error);
    status = status == STATUS_OK ? open_output(joining, &output, error) : status;
    for (uint32_t i = 0; i < joining->table_count && status == STATUS_OK; i++) {
        status = load_table(joining, joining->tables[i], output, progress, error);
    }
    if (status == STATUS_OK) {
        int result = sqlite3_exec(output, "COMMIT", NULL, NULL, NULL);
        status = result == SQLITE_OK ? STATUS_OK
                                     : joining_error(joining, output, result,
                                                     "a file for joins can't be written", error);
    }
    sqlite3_close(output);
    status = status == STATUS_OK ? failpoint_hit("engine.joins_kept", error) : status;
    joining->prepared = status == STATUS_OK;
    if (status != STATUS_OK) {
        remove_file(joining);
    }
    return status;
}
