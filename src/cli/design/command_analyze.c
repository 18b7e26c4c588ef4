/* transhume analyze: designs the target. */
#include "cli/design/command_analyze.h"
#include "cli/cli.h"

#include "base/signals.h"
#include "cli/design/analyze_advisor.h"
#include "cli/design/analyze_names.h"
#include "cli/run_end.h"
#include "connectors/common/registry.h"
#include "design/design.h"
#include "engine/session/opening.h"
#include <stdio.h>
#include <string.h>

enum { MEMORY_BYTES = 8 << 20, TIMEOUT_MS = 30000 };
enum { FOREIGN_KEYS_FROM_DATA }; /* of the choices of --foreign-keys */

static const char default_folder[] = "analysis";
static const char last_words[] =
    "error: analyze: interrupted\n  files written so far stay; run it again\n";

struct analyzing {
    struct cli_call *call;
    const char *folder;
    const char *asked;     /* the source of a proof */
    struct schema *schema; /* of a database; else `file_schema` */
    struct schema file_schema;
    struct figures figures;
    enum sql_language language;
    bool is_sqlite;   /* SRC, or the dialect that it is written in */
    bool is_provable; /* DST is a server that answers the design's queries */
    struct analysis_options options;
    struct analyze_advisor advisor;
    struct analyze_names names;
    struct analysis analysis;
    struct buffer notes; /* what of the input could not be read */
    struct buffer out;
};

static enum status open_for_reading(struct analyzing *analyzing, const char *argument,
                                    struct database **database, const char **shown,
                                    struct error *error)
{
    struct cli_call *call = analyzing->call;
    struct uri *uri;
    const struct connector *connector;
    if (registry_resolve(argument, call->arena, &uri, &connector, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (connector->source == NULL || connector->catalog == NULL) {
        return error_set(error, ERROR_USAGE, connector->name, "can't be read");
    }
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    struct open_options opening = {.mode = OPEN_SOURCE,
                                   .uri = uri,
                                   .memory_bytes = MEMORY_BYTES,
                                   .timeout_ms = timeout->is_set ? timeout->number : TIMEOUT_MS,
                                   .schemas = cli_schemas(call)};
    *shown = cli_without_hidden(uri->shown, call->arena);
    return opening_open(connector, uri, &opening, call->arena, database, error);
}

static void close_database(struct database *database)
{
    if (database != NULL) {
        database->connector->close(database);
    }
}

static enum status command_analyze_describe(struct analyzing *analyzing, struct error *error)
{
    struct cli_call *call = analyzing->call;
    struct database *source = NULL;
    if (open_for_reading(analyzing, call->arguments[0], &source, &analyzing->options.source,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = source->connector->catalog->describe(source, &analyzing->schema, error);
    if (status == STATUS_OK) {
        status = figures_read(source, analyzing->schema, FIGURES_ROWS_DEFAULT, call->arena,
                              &analyzing->figures, error);
    }
    const char *words = source->words_of != NULL ? source->words_of : source->connector->name;
    analyzing->language = strcmp(words, "mysql") == 0    ? SQL_MYSQL
                          : strcmp(words, "sqlite") == 0 ? SQL_SQLITE
                                                         : SQL_POSTGRES;
    analyzing->is_sqlite = analyzing->language == SQL_SQLITE;
    close_database(source);
    return status;
}

static unsigned kind_of(const char *name)
{
    static const struct {
        const char *name;
        unsigned target;
    } kinds[] = {{"cassandra", ANALYSIS_CASSANDRA},
                 {"dynamodb", ANALYSIS_DYNAMODB},
                 {"dynamodb-json", ANALYSIS_DYNAMODB},
                 {"mongodb", ANALYSIS_MONGODB}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            return kinds[i].target;
        }
    }
    return 0;
}

/* By --for, else by what DST is. */
static enum status choose_targets(struct analyzing *analyzing, struct error *error)
{
    const char *wanted = cli_text(analyzing->call, CLI_FOR);
    struct analysis_options *options = &analyzing->options;
    options->minimize_duplication = cli_switch(analyzing->call, CLI_MINIMIZE_DUPLICATION);
    options->single_table = cli_switch(analyzing->call, CLI_SINGLE_TABLE);
    options->targets = wanted != NULL ? kind_of(wanted) : options->target_kind;
    if (cli_switch(analyzing->call, CLI_PROVE) && !analyzing->is_provable) {
        return error_set(error, ERROR_USAGE, "--prove",
                         "runs designs for Cassandra and DynamoDB; DST is neither");
    }
    if (cli_switch(analyzing->call, CLI_PROVE)) {
        options->targets |= options->target_kind;
    }
    return STATUS_OK;
}

static enum status show_target(struct analyzing *analyzing, struct error *error)
{
    struct uri *uri;
    const struct connector *connector;
    if (analyzing->call->argument_count < 2) {
        return STATUS_OK;
    }
    if (registry_resolve(analyzing->call->arguments[1], analyzing->call->arena, &uri, &connector,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    analyzing->options.target = cli_without_hidden(uri->shown, analyzing->call->arena);
    analyzing->options.target_kind = kind_of(connector->name);
    analyzing->is_provable =
        strcmp(connector->name, "cassandra") == 0 || strcmp(connector->name, "dynamodb") == 0;
    return STATUS_OK;
}

static enum status read_source(struct analyzing *analyzing, struct error *error)
{
    struct cli_call *call = analyzing->call;
    const char *argument = call->arguments[0];
    const struct cli_value *dialect = &call->values[CLI_DIALECT];
    int given = dialect->is_set ? (int)dialect->number : -1;
    enum input_source_kind kind = input_source_kind_of(argument);
    if (kind == INPUT_SOURCE_DATABASE) {
        enum status status = command_analyze_describe(analyzing, error);
        if (given >= 0) { /* of the queries */
            analyzing->language = (enum sql_language)given;
        }
        return status;
    }
    analyzing->options.source = argument;
    enum status status =
        input_source_read(argument, kind, given, call->arena, &analyzing->file_schema,
                          &analyzing->language, &analyzing->notes, error);
    analyzing->is_sqlite = analyzing->language == SQL_SQLITE;
    return status;
}

static bool wants_live(const struct cli_value *queries)
{
    for (uint32_t i = 0; i < queries->list_count; i++) {
        if (strcmp(queries->list[i], input_live_name) == 0) {
            return true;
        }
    }
    return false;
}

/* The schema's own dialect is that of its queries, unless these show another. */
static enum status read_queries(struct analyzing *analyzing, struct workload *workload,
                                struct error *error)
{
    const struct cli_value *queries = &analyzing->call->values[CLI_QUERIES];
    struct database *live = NULL;
    const char *shown;
    if (wants_live(queries) && analyzing->schema != NULL &&
        open_for_reading(analyzing, analyzing->call->arguments[0], &live, &shown, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = input_workload_read(
        queries->list, queries->list_count, live, &analyzing->analysis.graph, analyzing->language,
        analyzing->call->arena, workload, &analyzing->notes, error);
    close_database(live);
    return status;
}

/* STATUS_END: what would be sent has been shown, which was all that was wanted. */
static enum status advise(struct analyzing *analyzing, const struct workload *workload,
                          struct error *error)
{
    struct cli_call *call = analyzing->call;
    struct analyze_advisor *advisor = &analyzing->advisor;
    const struct graph *graph = &analyzing->analysis.graph;
    if (cli_switch(call, CLI_SHOW_PROMPT)) {
        analyze_advisor_show(call, advisor, graph, workload, &analyzing->out);
        return STATUS_END;
    }
    (void)signals_end_with(NULL); /* the advisor says itself what an interruption leaves undone */
    enum status status = analyze_advisor_ask(call, advisor, graph, workload, error);
    (void)signals_end_with(last_words);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    analyzing->options.advised = advisor->result.has_tables ? &advisor->result.reply : NULL;
    return STATUS_OK;
}

static enum status write_design(struct analyzing *analyzing, struct error *error)
{
    const struct analyze_advisor *advisor = &analyzing->advisor;
    const bool *chosen = analyzing->analysis.result.chosen;
    analyze_step(analyzing->call, 6, "Writing files");
    analysis_append_summary(&analyzing->analysis, &analyzing->out);
    advisor_append_summary(&advisor->options, &advisor->result, chosen, &analyzing->out);
    if (analyze_names_write(analyzing->call, &analyzing->names, analyzing->folder,
                            &analyzing->options, error) != STATUS_OK ||
        analysis_write(&analyzing->analysis, &analyzing->options, analyzing->folder, error) !=
            STATUS_OK ||
        advisor_write(&advisor->options, &advisor->result, chosen, analyzing->folder, error) !=
            STATUS_OK) {
        return error_hint(error, "make room or correct permissions, or name another folder with "
                                 "--out; then analyze again");
    }
    return STATUS_OK;
}

/* SQLite enforces a foreign key only for connections that ask for it. */
static enum status trust_relations(struct analyzing *analyzing, bool is_live, struct error *error)
{
    struct graph *graph = &analyzing->analysis.graph;
    struct database *source = NULL;
    const char *shown;
    if (analyzing->is_sqlite) {
        graph_distrust(graph);
    }
    if (!is_live) {
        return STATUS_OK;
    }
    if (open_for_reading(analyzing, analyzing->call->arguments[0], &source, &shown, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct cli_value *origin = &analyzing->call->values[CLI_FOREIGN_KEYS];
    bool looks_up = !origin->is_set || origin->number == FOREIGN_KEYS_FROM_DATA;
    enum status status = graph_prove(graph, source, looks_up, error);
    close_database(source);
    return status;
}

/* STATUS_END: as of `advise`. */
static enum status design(struct analyzing *analyzing, struct error *error)
{
    struct cli_call *call = analyzing->call;
    struct workload workload = {0};
    const struct cli_value *naming = &call->values[CLI_NAMING];
    analyzing->options.naming = naming->is_set ? (enum layout_naming)naming->number : LAYOUT_PLAIN;
    analyze_step(call, 1, "Reading the schema");
    if (show_target(analyzing, error) != STATUS_OK ||
        choose_targets(analyzing, error) != STATUS_OK ||
        read_source(analyzing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool is_live = analyzing->schema != NULL;
    analysis_start(is_live ? analyzing->schema : &analyzing->file_schema,
                   is_live ? &analyzing->figures : NULL, &analyzing->options, call->arena,
                   &analyzing->analysis);
    if (trust_relations(analyzing, is_live, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    analyze_step(call, 2,
                 call->values[CLI_QUERIES].is_set ? "Reading the queries" : "Assuming queries");
    if (!call->values[CLI_QUERIES].is_set) {
        workload_assume(&analyzing->analysis.graph, call->arena, &workload);
    } else if (read_queries(analyzing, &workload, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!cli_switch(call, CLI_SHOW_PROMPT) &&
        analyze_names_group(call, &analyzing->names, &analyzing->analysis.graph, analyzing->folder,
                            &analyzing->notes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = advise(analyzing, &workload, error);
    if (status != STATUS_OK) {
        return status;
    }
    analyze_step(call, 5, "Designing tables");
    analysis_run(&analyzing->analysis, &workload);
    return write_design(analyzing, error);
}

/* ---------------------------------------------------------------- the proof */
/* The written plan, run as `migrate` runs it. Its exit status, 0 if all arrived. */
static int migrate(struct analyzing *analyzing)
{
    struct cli_call *call = analyzing->call;
    struct run_session *session = NULL;
    struct run_result result = {0};
    struct error error = {0};
    struct buffer faults = {0};
    struct run_options options;
    run_options_default(&options);
    bool is_dynamodb = analyzing->options.target_kind == ANALYSIS_DYNAMODB;
    options.sides.plan_path =
        arena_format(call->arena, "%s/%s", analyzing->folder,
                     is_dynamodb ? "transhume.dynamodb.yaml" : "transhume.yaml");
    options.sides.source_uri = analyzing->asked;
    options.sides.target_uri = call->arguments[1];
    options.sides.state_folder = arena_format(call->arena, "%s/.transhume", analyzing->folder);
    options.command_line = call->command_line;
    if (run_open(&options, &session, &faults, &error) != STATUS_OK) {
        return cli_fail_with_faults(call, &faults, &error);
    }
    enum status status = run_migrate(session, &result, &error);
    int exit_status = run_end(call, session, status, &result, &error);
    run_close(session);
    buffer_free(&faults);
    return exit_status;
}

static enum status command_analyze_prove(struct analyzing *analyzing, bool *proven,
                                         struct error *error)
{
    struct cli_call *call = analyzing->call;
    struct database *source = NULL;
    struct database *target = NULL;
    struct prove_report report = {0};
    const char *shown;
    const struct prove_options options = {0};
    enum status status = open_for_reading(analyzing, analyzing->asked, &source, &shown, error);
    if (status == STATUS_OK) {
        status = open_for_reading(analyzing, call->arguments[1], &target, &shown, error);
    }
    if (status == STATUS_OK) {
        status = prove_run(&analyzing->analysis, source, target, &options, &report, error);
    }
    if (status == STATUS_OK) {
        prove_append(&analyzing->analysis, &report, &analyzing->out);
        status =
            analysis_write(&analyzing->analysis, &analyzing->options, analyzing->folder, error);
    }
    *proven = report.equal == report.count;
    close_database(target);
    close_database(source);
    return status;
}

/* SRC, or where that is no database, one with rows that are made for its schema. */
static enum status choose_source(struct analyzing *analyzing, struct error *error)
{
    struct arena *arena = analyzing->call->arena;
    if (analyzing->schema != NULL) {
        analyzing->asked = analyzing->call->arguments[0];
        return STATUS_OK;
    }
    const char *path = arena_format(arena, "%s/generated.sqlite", analyzing->folder);
    analyzing->asked = arena_format(arena, "sqlite:%s", path);
    buffer_format(&analyzing->notes, "%s: rows that are made for the proof\n", path);
    return generate_source(&analyzing->analysis.graph, path, error);
}

static int command_analyze_finish(struct analyzing *analyzing)
{
    struct error error = {0};
    bool proven = true;
    if (!cli_switch(analyzing->call, CLI_PROVE)) {
        return cli_finish(&analyzing->out, EXIT_DONE);
    }
    (void)signals_end_with(NULL);
    if (choose_source(analyzing, &error) != STATUS_OK) {
        return cli_fail(analyzing->call, &error);
    }
    int exit_status = migrate(analyzing);
    if (exit_status == EXIT_REFUSED) {
        fprintf(stderr, "hint: a proof fills tables of its own: %s\n",
                analyzing->options.target_kind == ANALYSIS_DYNAMODB
                    ? "delete those of the former proof, or name another endpoint or region"
                    : "drop those of the former proof, or name another keyspace");
    }
    if (exit_status > EXIT_ATTENTION) {
        return exit_status;
    }
    if (command_analyze_prove(analyzing, &proven, &error) != STATUS_OK) {
        return cli_fail(analyzing->call, &error);
    }
    return cli_finish(&analyzing->out, proven ? exit_status : EXIT_ATTENTION);
}

static int analyze(struct analyzing *analyzing)
{
    struct cli_call *call = analyzing->call;
    struct error error = {0};
    if (cli_switch(call, CLI_PROVE) && call->argument_count < 2) {
        error_set(&error, ERROR_USAGE, "--prove", "needs DST, a database to make the design in");
        return cli_fail(call, &error);
    }
    if (analyze_names_begin(call, &analyzing->names, analyzing->folder, &error) != STATUS_OK ||
        analyze_advisor_begin(call, &analyzing->advisor, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    enum status status = design(analyzing, &error);
    return status == STATUS_OK    ? command_analyze_finish(analyzing)
           : status == STATUS_END ? cli_finish(&analyzing->out, EXIT_DONE)
                                  : cli_fail(call, &error);
}

int command_analyze(struct cli_call *call)
{
    const char *folder = cli_text(call, CLI_OUT);
    struct analyzing analyzing = {.call = call, .folder = folder != NULL ? folder : default_folder};
    signals_setup();
    (void)signals_end_with(last_words);
    int exit_status = analyze(&analyzing);
    int advised = analyze_advisor_end(call, &analyzing.advisor);
    int named = analyze_names_end(call, &analyzing.names);
    if (analyzing.notes.length > 0) {
        fputs(buffer_string(&analyzing.notes), stderr);
    }
    if (analyzing.schema != NULL) {
        arena_destroy(analyzing.schema->arena);
    }
    buffer_free(&analyzing.notes);
    buffer_free(&analyzing.out);
    exit_status = exit_status > advised ? exit_status : advised;
    return exit_status > named ? exit_status : named;
}
