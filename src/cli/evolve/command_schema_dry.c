/* The plan of `schema up` and `schema down`: each statement with what it shuts out, what it does to
 * its table, and how long that may take by the table's size. */
#include "cli/evolve/command_schema.h"

#include "base/log.h"
#include "base/text.h"
#include "evolve/evolve.h"
#include <inttypes.h>
#include <string.h>

/* One showing. */
struct dry {
    struct schema_call *schema;
    struct schema_known known;
    struct buffer *out;
    bool json;
};

static const char *lock_words(const struct lint_cost *cost)
{
    static const char *const words[] = {
        [LINT_LOCK_NONE] = "nobody waits",
        [LINT_LOCK_SCHEMA] = "other schema changes wait",
        [LINT_LOCK_WRITES] = "writers wait",
        [LINT_LOCK_READS] = "readers and writers wait",
    };
    return cost->whole_database && cost->lock == LINT_LOCK_WRITES
               ? "writers of the whole database wait"
               : words[cost->lock];
}

static void append_size(const struct lint_cost *cost, struct buffer *out)
{
    char text[32];
    if (cost->rows < 0 && cost->bytes < 0) {
        buffer_append_string(out, ", whose size is not known");
        return;
    }
    if (cost->rows >= 0) {
        text_human_count((uint64_t)cost->rows, text, sizeof text);
        buffer_format(out, ": about %s rows", text);
    }
    if (cost->bytes >= 0) {
        text_human_bytes((uint64_t)cost->bytes, text, sizeof text);
        buffer_format(out, "%s %s", cost->rows >= 0 ? "," : ":", text);
    }
    if (cost->seconds >= 0) {
        text_human_seconds(cost->seconds, text, sizeof text);
        buffer_format(out, ", some %s", cost->seconds < 1 ? "moments" : text);
    }
}

/* "-- line 3: orders: readers and writers wait; the table is written anew: about 1.2 M rows …" */
static void append_cost(const struct lint_cost *cost, uint32_t line, struct buffer *out)
{
    static const char *const works[] = {[LINT_WORK_NONE] = NULL,
                                        [LINT_WORK_READ] = "the table is read through",
                                        [LINT_WORK_INDEX] = "an index is built",
                                        [LINT_WORK_REWRITE] = "the table is written anew",
                                        [LINT_WORK_ROWS] = "rows are changed one by one"};
    buffer_format(out, "-- line %" PRIu32 ": %s%s", line, cost->table != NULL ? cost->table : "",
                  cost->table != NULL ? ": " : "");
    buffer_append_string(out, cost->lock_known ? lock_words(cost) : "who waits is not known");
    if (works[cost->work] != NULL) {
        buffer_format(out, "; %s", works[cost->work]);
        append_size(cost, out);
    }
    buffer_append_byte(out, '\n');
}

static void append_json(const struct migration_step *step, const struct lint_cost *cost,
                        struct buffer *out)
{
    buffer_format(out, "{\"line\":%" PRIu32 ",\"lock\":", step->place.line);
    cli_append_json_text(out, cost->lock_known ? lint_lock_name(cost->lock) : NULL);
    buffer_append_string(out, ",\"work\":");
    cli_append_json_text(out, lint_work_name(cost->work));
    buffer_format(
        out, ",\"rewrites\":%s,\"table\":", cost->work == LINT_WORK_REWRITE ? "true" : "false");
    cli_append_json_text(out, cost->table);
    buffer_format(out, ",\"rows\":%" PRId64 ",\"bytes\":%" PRId64 ",\"seconds\":", cost->rows,
                  cost->bytes);
    if (cost->seconds < 0) {
        buffer_append_string(out, "null}");
    } else {
        buffer_format(out, "%.1f}", cost->seconds);
    }
}

static void command_schema_dry_judge(const struct dry *dry, const struct schema_act *act,
                                     const struct migration_step *step, struct lint_cost *cost)
{
    const struct lint_input input = {
        .file = act->text->path,
        .kind = schema_lint_kind(schema_act_language(act, dry->schema->alter)),
        .language = dry->schema->alter->sql,
        .server_version = dry->known.version,
        .schema = dry->known.schema};
    lint_cost_of(&input, step->text, step->length, dry->schema->call->arena, cost);
}

static void append_step(const struct dry *dry, const struct schema_act *act,
                        const struct migration_step *step, bool first)
{
    struct lint_cost cost;
    struct buffer *out = dry->out;
    command_schema_dry_judge(dry, act, step, &cost);
    if (dry->json) {
        buffer_append_string(out, first ? "" : ",");
        append_json(step, &cost, out);
        return;
    }
    if (cost.lock_known || cost.work != LINT_WORK_NONE || step->class == SQL_CLASS_DDL) {
        append_cost(&cost, step->place.line, out);
    }
    enum alter_language language = schema_act_language(act, dry->schema->alter);
    buffer_append(out, step->text, step->length);
    buffer_append_string(out, language == ALTER_SQL || language == ALTER_CQL ? ";\n" : "\n");
    if (step->data != NULL) {
        buffer_append(out, step->data, step->data_length);
        buffer_append_string(out, "\\.\n");
    }
}

static void append_segments(const struct dry *dry, const struct schema_act *act,
                            const struct migration_steps *steps)
{
    static const char *const words[] = {[SEGMENT_FREE] = NULL,
                                        [SEGMENT_TRANSACTION] = "one transaction",
                                        [SEGMENT_ALONE] = "without a transaction"};
    for (uint32_t i = 0; i < steps->segment_count; i++) {
        const struct migration_segment *segment = &steps->segments[i];
        if (words[segment->kind] != NULL && !dry->json) {
            buffer_format(dry->out, "-- %s\n", words[segment->kind]);
        }
        for (uint32_t j = 0; j < segment->count; j++) {
            append_step(dry, act, &steps->items[segment->first + j], i == 0 && j == 0);
        }
    }
}

static void begin_act(const struct dry *dry, const struct schema_act *act, bool first)
{
    struct buffer *out = dry->out;
    if (!dry->json) {
        buffer_format(out, "%s-- %s%s\n", first ? "" : "\n", act->text->path,
                      act->resumes ? ", which was broken off and is resumed" : "");
        return;
    }
    buffer_format(out, "%s{\"action\":\"%s\",\"version\":", first ? "" : ",",
                  history_action_name(act->action));
    cli_append_json_text(out, act->version);
    buffer_append_string(out, ",\"name\":");
    cli_append_json_text(out, act->name);
    buffer_append_string(out, ",\"file\":");
    cli_append_json_text(out, act->text->path);
    buffer_append_string(out, ",\"statements\":[");
}

static enum status append_acts(const struct dry *dry, const struct schema_plan *plan,
                               struct error *error)
{
    struct plan_faults faults;
    struct schema_call *schema = dry->schema;
    plan_faults_init(&faults, schema->set.folder, &schema->faults);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct schema_act *act = &plan->acts[i];
        struct migration_steps steps;
        enum alter_language language = schema_act_language(act, schema->alter);
        if (migration_read_steps(act->text, language, schema->alter, schema->call->arena, &steps,
                                 &faults, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        begin_act(dry, act, i == 0);
        append_segments(dry, act, &steps);
        buffer_append_string(dry->out, dry->json ? "]}" : "");
    }
    return STATUS_OK;
}

/* Nothing is known of a database without tables of that kind, or of one that is not there. */
static void look_at_tables(struct dry *dry)
{
    struct error ignored = {0};
    struct schema_call *schema = dry->schema;
    if (schema->database == NULL || (schema->alter->languages & (1u << ALTER_SQL)) == 0) {
        return;
    }
    if (schema_know(schema->call, schema->named, &dry->known, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "the sizes of tables are not known: %s", ignored.message);
        schema_known_close(&dry->known);
    }
}

int schema_show_plan(struct schema_call *schema, const struct schema_options *options)
{
    struct arena *arena = schema->call->arena;
    struct schema_plan plan;
    struct error error = {0};
    struct buffer out = {0};
    struct schema_history none = {.arena = arena};
    struct dry dry = {.schema = schema, .out = &out, .json = cli_switch(schema->call, CLI_JSON)};
    buffer_append_string(&out, dry.json ? "{\"format\":1,\"would\":[" : "");
    enum status status =
        schema->database == NULL
            ? schema_plan_make(&none, options->set, &options->order, arena, &plan, &error)
            : schema_look_ahead(options, arena, &plan, &error);
    if (status == STATUS_OK && schema->database == NULL) {
        status = schema_plan_check(&plan, schema->alter, &schema->faults, &error);
    }
    if (status == STATUS_OK) {
        look_at_tables(&dry);
        status = append_acts(&dry, &plan, &error);
    }
    schema_known_close(&dry.known);
    if (status != STATUS_OK) {
        buffer_free(&out);
        return schema_fail(schema, &error);
    }
    buffer_append_string(&out, dry.json ? "]}\n" : plan.count == 0 ? "nothing to do\n" : "");
    return cli_finish(&out, EXIT_DONE);
}
