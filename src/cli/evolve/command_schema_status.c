/* transhume schema status: the folder and the history side by side. */
#include "cli/evolve/command_schema.h"

#include "base/clock.h"
#include "model/json_writer.h"
#include "observe/table.h"
#include <inttypes.h>
#include <string.h>

static const struct schema_finding *finding_of(const struct schema_plan *plan,
                                               const struct migration *file,
                                               const struct schema_entry *entry)
{
    const struct schema_finding *found = NULL;
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        const struct schema_finding *finding = &plan->findings[i];
        bool same = file != NULL ? finding->file == file : finding->entry == entry;
        if (same && (found == NULL || finding->kind != SCHEMA_PENDING)) {
            found = finding;
        }
    }
    return found;
}

/* For JSON and, but for the last three, in the table. */
static const char *state_of(const struct schema_history *history,
                            const struct schema_finding *finding, const struct migration *file,
                            const struct schema_entry *entry)
{
    static const char *const words[] = {
        [SCHEMA_PENDING] = "pending",
        [SCHEMA_CHANGED] = "changed",
        [SCHEMA_DOWN_CHANGED] = "applied",
        [SCHEMA_MISSING] = "file missing",
        [SCHEMA_LATE] = "late",
        [SCHEMA_UNFINISHED] = "unfinished",
        [SCHEMA_REQUIRES] = "requires another",
    };
    if (finding != NULL) {
        bool again = finding->kind == SCHEMA_PENDING && entry != NULL && entry->stands;
        return again ? "to run again" : words[finding->kind];
    }
    bool below = file != NULL && entry == NULL && history->baseline_key != NULL;
    return below ? "below baseline" : "applied";
}

static bool is_problem(const struct schema_plan *plan)
{
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        enum schema_finding_kind kind = plan->findings[i].kind;
        if (kind != SCHEMA_PENDING && kind != SCHEMA_DOWN_CHANGED) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- rows */

struct status_rows {
    const struct schema_history *history;
    const struct schema_plan *plan;
    struct table *table; /* NULL: JSON */
    struct buffer *out;
    uint32_t count;
    enum schema_since since;
};

static const char *when_of(const struct schema_entry *entry, char text[32])
{
    if (entry == NULL || entry->act.ended_us == 0) {
        return "";
    }
    clock_format_utc(entry->act.ended_us, text, 32);
    text[19] = ' ';
    text[20] = '\0';
    text[10] = ' ';
    text[19] = '\0';
    return text;
}

static void add_json(struct status_rows *rows, const struct migration *file,
                     const struct schema_entry *entry, const char *state)
{
    struct buffer *out = rows->out;
    char when[32];
    buffer_format(out, "%s{\"version\":", rows->count > 0 ? "," : "");
    cli_append_json_text(out, file != NULL ? file->version : entry->version);
    buffer_append_string(out, ",\"name\":");
    cli_append_json_text(out, file != NULL ? file->name : entry->name);
    buffer_append_string(out, ",\"state\":");
    cli_append_json_text(out, state);
    buffer_append_string(out, ",\"file\":");
    cli_append_json_text(out, file != NULL ? file->up.path : NULL);
    buffer_append_string(out, ",\"checksum\":");
    cli_append_json_text(out, file != NULL ? file->up.checksum : NULL);
    buffer_format(out, ",\"down\":%s",
                  (file != NULL && file->down.text != NULL) ||
                          (entry != NULL && entry->act.down_checksum != NULL)
                      ? "true"
                      : "false");
    if (entry != NULL) {
        bool acted = entry->act.number > 0;
        buffer_append_string(out, ",\"action\":");
        cli_append_json_text(out, acted ? history_action_name(entry->act.action) : NULL);
        buffer_append_string(out, ",\"at\":");
        if (entry->act.ended_us > 0) {
            clock_format_utc(entry->act.ended_us, when, sizeof(when));
        }
        cli_append_json_text(out, entry->act.ended_us > 0 ? when : NULL);
        buffer_append_string(out, ",\"who\":");
        cli_append_json_text(out, entry->act.who);
        buffer_append_string(out, ",\"error\":");
        cli_append_json_text(out, entry->unfinished ? entry->act.error : entry->error);
    }
    buffer_append_byte(out, '}');
}

static void add_row(struct status_rows *rows, const struct migration *file,
                    const struct schema_entry *entry)
{
    const struct schema_finding *finding = finding_of(rows->plan, file, entry);
    const char *state = state_of(rows->history, finding, file, entry);
    char when[32];
    if (rows->table == NULL) {
        add_json(rows, file, entry, state);
    } else {
        const char *version = file != NULL ? file->version : entry->version;
        table_add_text(rows->table, version == NULL ? "R" : version);
        table_add_text(rows->table, file != NULL ? file->name : entry->name);
        table_add_text(rows->table, state);
        table_add_text(rows->table, when_of(entry, when));
        table_add_text(rows->table, entry != NULL && entry->act.who != NULL ? entry->act.who : "");
    }
    rows->count++;
}

/* Pending changes whose versions come before `key`; NULL: all that are left. */
static void add_changes(struct status_rows *rows, const struct migration_set *set, const char *key,
                        uint32_t *next)
{
    for (; *next < set->change_count; (*next)++) {
        const struct migration_change *change = &set->changes[*next];
        if (key != NULL && strcmp(change->key, key) >= 0) {
            return;
        }
        if (!schema_change_is_pending(rows->history, set, change)) {
            continue;
        }
        if (rows->table != NULL) {
            table_add_text(rows->table, change->version);
            table_add_text(rows->table, change->name);
            table_add_text(rows->table, "pending change");
            table_add_text(rows->table, "");
            table_add_text(rows->table, "");
        } else {
            buffer_format(rows->out, "%s{\"version\":", rows->count > 0 ? "," : "");
            cli_append_json_text(rows->out, change->version);
            buffer_append_string(rows->out, ",\"name\":");
            cli_append_json_text(rows->out, change->name);
            buffer_append_string(rows->out, ",\"state\":\"pending change\",\"file\":");
            cli_append_json_text(rows->out, change->path);
            buffer_append_byte(rows->out, '}');
        }
        rows->count++;
    }
}

static void add_rows(struct status_rows *rows, const struct migration_set *set)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < rows->history->count; i++) {
        const struct schema_entry *entry = &rows->history->entries[i];
        if (entry->file == NULL && (entry->stands || entry->unfinished)) {
            add_row(rows, NULL, entry);
        }
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const struct migration *file = &set->items[i];
        if (file->kind == MIGRATION_VERSIONED) {
            add_changes(rows, set, file->key, &next);
        }
        if (file->kind != MIGRATION_BASELINE) {
            add_row(rows, file, schema_entry_of(rows->history, file));
        }
    }
    add_changes(rows, set, NULL, &next);
}

/* ---------------------------------------------------------------- the command */

static uint32_t count_pending(const struct schema_history *history, const struct migration_set *set,
                              const struct schema_plan *plan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->change_count; i++) {
        count += schema_change_is_pending(history, set, &set->changes[i]);
    }
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        count += plan->findings[i].kind == SCHEMA_PENDING || plan->findings[i].kind == SCHEMA_LATE;
    }
    return count;
}

static void print_text(struct schema_call *schema, struct status_rows *rows, struct buffer *out)
{
    static const char *const titles[] = {"version", "name", "state", "when (UTC)", "who", NULL};
    rows->table = table_create(titles);
    add_rows(rows, &schema->set);
    if (rows->count == 0) {
        buffer_format(out, "there are no migrations in %s\n", schema->set.folder);
    } else {
        table_fit(rows->table, cli_terminal_columns(1));
        table_append(rows->table, cli_color(schema->call, 1), out);
        buffer_format(out, "\n%u pending\n",
                      count_pending(rows->history, &schema->set, rows->plan));
    }
    for (uint32_t i = 0; i < rows->plan->finding_count; i++) {
        const struct schema_finding *finding = &rows->plan->findings[i];
        if (finding->kind == SCHEMA_UNFINISHED && finding->entry->act.error != NULL) {
            buffer_format(out, "%s is unfinished: %s\n", finding->entry->version,
                          finding->entry->act.error);
        } else if (finding->entry != NULL && finding->entry->error != NULL) {
            buffer_format(out, "%s failed last time: %s\n",
                          finding->file != NULL ? finding->file->up.path : finding->entry->name,
                          finding->entry->error);
        } else if (finding->kind == SCHEMA_REQUIRES) {
            buffer_format(out, "%s requires %s\n", finding->file->up.path, finding->what);
        }
    }
    if (rows->since == SCHEMA_SINCE_CHANGED) {
        buffer_append_string(out, "the schema is not as the last migration left it: somebody "
                                  "changed it since; `transhume schema drift` says what\n");
    }
    table_destroy(rows->table);
}

static void print_json(struct schema_call *schema, struct status_rows *rows, struct buffer *out)
{
    buffer_append_string(out, "{\"format\":1,\"dir\":");
    cli_append_json_text(out, schema->set.folder);
    buffer_append_string(out, ",\"layout\":");
    cli_append_json_text(out, schema->set.format);
    buffer_append_string(out, ",\"database\":");
    cli_append_json_text(out, schema->uri);
    buffer_append_string(out, ",\"migrations\":[");
    add_rows(rows, &schema->set);
    static const char *const since[] = {[SCHEMA_SINCE_UNKNOWN] = "null",
                                        [SCHEMA_SINCE_SAME] = "false",
                                        [SCHEMA_SINCE_CHANGED] = "true"};
    buffer_format(out, "],\"pending\":%u,\"problems\":%s,\"changed_since\":%s}\n",
                  count_pending(rows->history, &schema->set, rows->plan),
                  is_problem(rows->plan) ? "true" : "false", since[rows->since]);
}

/* Nothing is known without a database. */
static enum status read_history(struct schema_call *schema, const char *uri,
                                struct schema_history *history, enum schema_since *since,
                                struct error *error)
{
    struct schema_options options;
    const char *now = NULL;
    *history = (struct schema_history){.arena = schema->call->arena};
    if (uri == NULL) {
        return STATUS_OK;
    }
    if (schema_open(schema, uri, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (schema->database == NULL) {
        return STATUS_OK;
    }
    schema_fill_options(schema, &options);
    if (schema_look(&options, schema->call->arena, history, error) != STATUS_OK ||
        schema_hash_read(schema->database, schema->call->arena, &now, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *since = schema_compare_hash(history, now);
    return STATUS_OK;
}

/* The files of a folder with faults that are read all the same. */
static void print_read_files(const struct schema_call *schema)
{
    struct buffer out = {0};
    struct error ignored;
    for (uint32_t i = 0; i < schema->set.count && !cli_switch(schema->call, CLI_JSON); i++) {
        const struct migration *file = &schema->set.items[i];
        if (file->up.text != NULL) {
            buffer_format(&out, "%s  read\n", file->up.path);
        }
    }
    (void)!cli_print(&out, &ignored);
    buffer_free(&out);
}

int command_schema_status(struct cli_call *call)
{
    struct schema_call schema = {.call = call};
    struct schema_history history;
    struct schema_plan plan;
    struct error error = {0};
    struct buffer out = {0};
    enum schema_since since = SCHEMA_SINCE_UNKNOWN;
    const char *uri;
    int exit_status;
    if (schema_take_words(&schema, false, &uri, &error) != STATUS_OK ||
        schema_read_folder(&schema, uri, &error) != STATUS_OK ||
        read_history(&schema, uri, &history, &since, &error) != STATUS_OK) {
        if (!buffer_is_empty(&schema.faults)) {
            print_read_files(&schema);
        }
        exit_status = schema_fail(&schema, &error);
    } else {
        struct status_rows rows = {.history = &history, .plan = &plan, .out = &out, .since = since};
        schema_find(&history, &schema.set, call->arena, &plan);
        if (cli_switch(call, CLI_JSON)) {
            print_json(&schema, &rows, &out);
        } else {
            print_text(&schema, &rows, &out);
        }
        bool found =
            is_problem(&plan) ||
            (cli_switch(call, CLI_EXIT_CODE) &&
             (count_pending(&history, &schema.set, &plan) > 0 || since == SCHEMA_SINCE_CHANGED));
        exit_status = cli_finish(&out, found ? EXIT_ATTENTION : EXIT_DONE);
    }
    schema_close(&schema);
    return exit_status;
}
