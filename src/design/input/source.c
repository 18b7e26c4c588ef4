/* Files that an analysis begins with. */
#include "design/input/source.h"

#include "base/file.h"
#include "base/findings.h"
#include "base/memory.h"
#include "base/text.h"
#include "design/input/live.h"
#include "design/input/log.h"
#include "design/input/names.h"
#include "sql/ddl.h"
#include <stdlib.h>
#include <string.h>

enum { FINDINGS_SHOWN = 20 };

enum input_source_kind input_source_kind_of(const char *argument)
{
    enum input_source_kind kind =
        text_ends_with(argument, ".sql") || text_ends_with(argument, ".ddl") ? INPUT_SOURCE_DDL
        : text_ends_with(argument, ".json")                                  ? INPUT_SOURCE_NAMES
                                            : INPUT_SOURCE_DATABASE;
    return file_exists(argument) ? kind : INPUT_SOURCE_DATABASE;
}

/* ---------------------------------------------------------------- findings */

static void append_findings(const char *path, const struct findings *findings, struct buffer *notes)
{
    uint32_t shown = findings->kept < FINDINGS_SHOWN ? findings->kept : FINDINGS_SHOWN;
    for (uint32_t i = 0; i < shown; i++) {
        const struct finding *finding = &findings->first[i];
        buffer_format(notes, "%s:%u:%u: %s\n", path, finding->line, finding->column, finding->what);
    }
    if (findings->count > shown) {
        buffer_format(notes, "%s: %llu more of the kind\n", path,
                      (unsigned long long)(findings->count - shown));
    }
}

/* The hints of base/file speak of runs, which can be resumed. */
static enum status unreadable(const char *path, const char *message, struct error *error)
{
    char *kept = memory_copy_string(message);
    error_set(error, ERROR_USAGE, path, "%s", kept);
    free(kept);
    return error_hint(error, "give a file that can be read");
}

/* ---------------------------------------------------------------- schemas */

static enum status read_ddl(const char *path, const char *text, size_t length, int given,
                            struct arena *arena, struct schema *schema, enum sql_language *language,
                            struct buffer *notes, struct error *error)
{
    struct sql_ddl_report report = {.findings = {.arena = arena}};
    *language =
        given >= 0 ? (enum sql_language)given : sql_language_recognise(text, length, SQL_POSTGRES);
    sql_ddl_read(*language, text, length, arena, schema, &report);
    append_findings(path, &report.findings, notes);
    if (schema->table_count == 0) {
        error_set(error, ERROR_USAGE, path, "has no CREATE TABLE that could be read");
        return error_hint(error, "a dump of the schema will do: pg_dump --schema-only, mysqldump "
                                 "--no-data, sqlite3 FILE .schema");
    }
    return STATUS_OK;
}

static enum status read_names(const char *path, const char *text, size_t length,
                              struct arena *arena, struct schema *schema, struct buffer *notes,
                              struct error *error)
{
    struct input_names_report report = {.findings = {.arena = arena}};
    enum status status = input_names_read(text, length, path, arena, schema, &report, error);
    append_findings(path, &report.findings, notes);
    return status;
}

enum status input_source_read(const char *path, enum input_source_kind kind, int given,
                              struct arena *arena, struct schema *schema,
                              enum sql_language *language, struct buffer *notes,
                              struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    *language = given >= 0 ? (enum sql_language)given : SQL_POSTGRES;
    enum status status = file_read_all(path, INPUT_FILE_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return unreadable(path, status == STATUS_END ? "is not there" : error->message, error);
    }
    return kind == INPUT_SOURCE_DDL
               ? read_ddl(path, text, length, given, arena, schema, language, notes, error)
               : read_names(path, text, length, arena, schema, notes, error);
}

/* ---------------------------------------------------------------- workloads */

static void append_sums(const struct input_sql_report *report, struct buffer *notes)
{
    uint64_t left = report->unparsable + report->unresolved + report->dropped;
    if (left > 0) {
        buffer_format(notes,
                      "of %llu statements %llu could not be parsed, %llu name what the schema has "
                      "not, %llu are too long or too many\n",
                      (unsigned long long)report->statements,
                      (unsigned long long)report->unparsable,
                      (unsigned long long)report->unresolved, (unsigned long long)report->dropped);
    }
}

const char input_live_name[] = "live";

static enum status read_live(struct database *live, enum sql_language language,
                             struct input_sql *input, struct error *error)
{
    if (live == NULL) {
        return error_set(error, ERROR_USAGE, input_live_name,
                         "stands for the statements of a live source, and the source is a file");
    }
    enum status status = input_live_read(live, language, input, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_USAGE, live->connector->title,
                  "has no statistics of statements that it shows");
        return error_hint(error, "PostgreSQL needs the extension pg_stat_statements and "
                                 "pg_read_all_stats, MySQL the performance schema; a log will do, "
                                 "too: --queries FILE");
    }
    return status;
}

static enum status read_file(const char *path, enum sql_language language, struct input_sql *input,
                             struct error *error)
{
    struct input_log log;
    if (input_log_read(path, language, &log, input, error) != STATUS_OK) {
        return unreadable(path, error->message, error);
    }
    return STATUS_OK;
}

enum status input_workload_read(const char *const *paths, uint32_t count, struct database *live,
                                const struct graph *graph, enum sql_language language,
                                struct arena *arena, struct workload *workload,
                                struct buffer *notes, struct error *error)
{
    struct input_sql *input = input_sql_create(graph, language, arena);
    struct input_sql_report report = {.findings = {.arena = arena}};
    for (uint32_t i = 0; i < count; i++) {
        enum status status = strcmp(paths[i], input_live_name) == 0
                                 ? read_live(live, language, input, error)
                                 : read_file(paths[i], language, input, error);
        if (status != STATUS_OK) {
            input_sql_destroy(input);
            return STATUS_FAILED;
        }
    }
    input_sql_finish(input, workload, &report);
    append_findings(count == 1 ? paths[0] : "queries", &report.findings, notes);
    append_sums(&report, notes);
    if (workload->count == 0) {
        error_set(error, ERROR_USAGE, paths[0],
                  "has no statement that reads or writes a table of the schema");
        return error_hint(error,
                          "give SQL, PostgreSQL's csvlog, MySQL's general or slow log, or an "
                          "export of pg_stat_statements");
    }
    return STATUS_OK;
}
