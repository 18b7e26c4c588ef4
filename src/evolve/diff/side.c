/* One side of a comparison: a database, or files that are loaded into a scratch place. */
#include "evolve/diff/side.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trust.h"
#include "connectors/common/registry.h"
#include "evolve/folder/folder.h"
#include "sql/split.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 256 << 20, MEMORY_BYTES = 64 << 20 };

bool diff_side_is_file(const char *text)
{
    struct stat status;
    bool is_folder = stat(text, &status) == 0 && S_ISDIR(status.st_mode);
    return text[0] == '\0' || is_folder || text_ends_with(text, ".sql");
}

/* ---------------------------------------------------------------- databases */

enum status diff_open_database(const char *text, const struct diff_options *options,
                               struct arena *arena, struct diff_server *server, struct error *error)
{
    struct uri *uri = NULL;
    const struct connector *connector = NULL;
    if (registry_resolve(text, arena, &uri, &connector, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (connector->definitions == NULL) {
        error_set(error, ERROR_NOT_IMPLEMENTED, uri->shown,
                  "schemas of %s are not compared or dumped", connector->title);
        return error_hint(error, "those of PostgreSQL, MySQL, MariaDB and SQLite are");
    }
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = uri,
                                      .memory_bytes = MEMORY_BYTES,
                                      .timeout_ms = options->timeout_ms};
    server->functions = connector->definitions;
    server->connector = connector;
    return connector->open(&open, &server->database, error);
}

void diff_close_database(struct diff_server *server)
{
    if (server->database != NULL) {
        server->connector->close(server->database);
        server->database = NULL;
    }
}

/* ---------------------------------------------------------------- files */

/* Data, and lines for a client that mean nothing here. */
static bool is_passed_over(const struct sql_piece *piece)
{
    static const char stdin_word[] = "stdin";
    size_t length = sizeof stdin_word - 1;
    if (piece->kind != SQL_PIECE_STATEMENT || piece->length == 0) {
        return true;
    }
    return piece->length > length && strncasecmp(piece->text, "copy", 4) == 0 &&
           strncasecmp(piece->text + piece->length - length, stdin_word, length) == 0;
}

static enum status run_text(struct diff_side *side, const char *path, uint32_t first_line,
                            const char *text, size_t length, struct error *error)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    sql_splitter_init(&splitter, side->functions->language);
    sql_splitter_window(&splitter, text, length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        if (piece.fault != NULL) {
            return error_set(error, ERROR_MIGRATION_INVALID, path, "line %u: %s",
                             piece.fault_place.line + first_line - 1, piece.fault);
        }
        if (!is_passed_over(&piece) &&
            side->functions->run(side->session, piece.run, piece.run_length, error) != STATUS_OK) {
            return error_context(error, "%s:%u:%u: ", path, piece.place.line + first_line - 1,
                                 piece.place.column);
        }
    }
    return STATUS_OK;
}

/* Behind such a line a file tells how to go back. */
static size_t length_of_up(const char *text, size_t length)
{
    static const char *const marks[] = {"\n-- migrate:down", "\n-- +goose Down", "\n--rollback"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *at = strstr(text, marks[i]);
        if (at != NULL) {
            length = (size_t)(at - text) < length ? (size_t)(at - text) : length;
        }
    }
    return length;
}

static enum status load_file(struct diff_side *side, const char *path, struct arena *arena,
                             struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    enum status status = trust_read_file(path, FILE_BYTES_MAX, arena, &text, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_USAGE, path, "there is no such file");
    }
    if (status != STATUS_OK) {
        return trust_recode(error, ERROR_FILE_READ);
    }
    length = length_of_up(text, length);
    diff_renames_read(side->functions->language, text, length, arena, &side->renames);
    return run_text(side, path, 1, text, length, error);
}

/* ---------------------------------------------------------------- folders */

/* Have its files versions? Else they are parts of one schema. */
static bool has_versions(const struct migration_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->items[i].kind != MIGRATION_REPEATABLE) {
            return true;
        }
    }
    return false;
}

/* A baseline stands in for the versions up to its own, which may be there or not. */
static bool is_needed(const struct migration_set *set, uint32_t number)
{
    bool any_before = false;
    for (uint32_t i = 0; i < number; i++) {
        any_before = any_before || set->items[i].kind == MIGRATION_VERSIONED;
    }
    return set->items[number].kind != MIGRATION_BASELINE || !any_before;
}

static enum status run_migrations(struct diff_side *side, const struct migration_set *set,
                                  struct arena *arena, struct error *error)
{
    bool from_baseline = false;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct migration *item = &set->items[i];
        if (item->language != ALTER_SQL || item->up.text == NULL || !is_needed(set, i)) {
            continue;
        }
        /* the version that the baseline bears, if it has a file as well */
        if (from_baseline && item->kind == MIGRATION_VERSIONED && item->key != NULL &&
            set->items[i - 1].kind == MIGRATION_BASELINE &&
            strcmp(set->items[i - 1].key, item->key) == 0) {
            continue;
        }
        from_baseline = from_baseline || item->kind == MIGRATION_BASELINE;
        if (run_text(side, item->up.path, item->up.line, item->up.text, item->up.length, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        diff_renames_read(side->functions->language, item->up.text, item->up.length, arena,
                          &side->renames);
    }
    return STATUS_OK;
}

static int compare_names(const void *left, const void *right)
{
    return strverscmp(*(const char *const *)left, *(const char *const *)right);
}

static enum status load_parts(struct diff_side *side, const char *path, struct arena *arena,
                              struct error *error)
{
    struct entries entries;
    const char *name = NULL;
    const char **names = NULL;
    uint32_t count = 0;
    uint32_t capacity = 0;
    enum status status = entries_open(&entries, path, ERROR_FILE_READ, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? error_set(error, ERROR_USAGE, path, "there is no such folder")
                                    : status;
    }
    while ((status = entries_next(&entries, &name, error)) == STATUS_OK) {
        if (text_ends_with(name, ".sql")) {
            names = arena_make_room(arena, names, count, &capacity, sizeof *names);
            names[count++] = arena_copy_string(arena, name);
        }
    }
    entries_close(&entries);
    if (status == STATUS_FAILED) {
        return status;
    }
    if (count > 0) {
        qsort(names, count, sizeof *names, compare_names);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (load_file(side, file_join(arena, path, names[i]), arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status load_folder(struct diff_side *side, const char *path, struct arena *arena,
                               struct error *error)
{
    struct migration_set set = {0};
    struct plan_faults faults;
    struct error problem = {0};
    plan_faults_init(&faults, path, NULL);
    enum status status = migration_folder_read(path, NULL, arena, &set, &faults, &problem);
    if (status == STATUS_OK && has_versions(&set)) {
        return run_migrations(side, &set, arena, error);
    }
    if (status == STATUS_FAILED && set.count > 0 && has_versions(&set)) {
        return error_copy(error, &problem);
    }
    return load_parts(side, path, arena, error);
}

/* ---------------------------------------------------------------- statements */

/* A statement that refers to something that comes later is tried again after it. */
static bool run_round(struct diff_side *side, const struct diff_made *statements, uint32_t count,
                      bool *done, struct error *problem, uint32_t *failed)
{
    bool any = false;
    *failed = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct error error = {0};
        if (done[i]) {
            continue;
        }
        done[i] = side->functions->run(side->session, statements[i].text,
                                       strlen(statements[i].text), &error) == STATUS_OK;
        any = any || done[i];
        if (!done[i] && (*failed == UINT32_MAX || statements[*failed].optional)) {
            *problem = error;
            *failed = i;
        }
    }
    return any && *failed != UINT32_MAX;
}

static enum status diff_side_make(struct diff_side *side, struct arena *arena, struct error *error)
{
    const struct definition_functions *functions = side->functions;
    const char *place = functions->place != NULL ? functions->place(side->session) : NULL;
    const struct diff_made *statements = NULL;
    uint32_t count = 0;
    uint32_t failed = UINT32_MAX;
    struct error problem = {0};
    if (side->maker->list(side->maker->context, place, arena, &statements, &count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    bool *done = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *done);
    while (run_round(side, statements, count, done, &problem, &failed)) {
    }
    if (failed != UINT32_MAX && !statements[failed].optional) {
        error_copy(error, &problem);
        return error_context(error, "%s: ", statements[failed].name);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!done[i]) {
            log_write(LOG_WARNING, "%s is not compared: the target does not take it",
                      statements[i].name);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- a side */

enum status diff_side_open(struct diff_side *side, const struct diff_server *scratch,
                           struct arena *arena, struct error *error)
{
    struct stat about;
    bool in_files = side->server.database == NULL;
    side->functions = in_files ? scratch->functions : side->server.functions;
    if (side->functions->open(in_files ? scratch->database : side->server.database, in_files,
                              &side->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (side->maker != NULL && diff_side_make(side, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (in_files && side->text[0] != '\0') {
        bool folder = stat(side->text, &about) == 0 && S_ISDIR(about.st_mode);
        if ((folder ? load_folder : load_file)(side, side->text, arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return side->functions->read(side->session, arena, &side->definitions, error);
}

void diff_side_close(struct diff_side *side)
{
    if (side->session != NULL) {
        side->functions->close(side->session);
    }
    side->session = NULL;
    diff_close_database(&side->server);
}
