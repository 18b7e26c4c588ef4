/* Query logs of every format: what it is and what it holds, down to the workload. The first byte
 * chooses the dialect of what says nothing of its own. */
#include "support.h"

#include "design/input/form.h"
#include "design/input/log.h"
#include "sql/ddl.h"
#include <stdio.h>
#include <string.h>

static const char tables[] =
    "CREATE TABLE a (id int PRIMARY KEY, name text, at timestamp, ok boolean);"
    "CREATE TABLE b (id int, a_id int REFERENCES a, n int, PRIMARY KEY (id, n));"
    "CREATE TABLE c (b_id int, b_n int, x text, FOREIGN KEY (b_id, b_n) REFERENCES b (id, n));";

static void check_reference(const struct graph *graph, const struct workload_statement *statement,
                            struct workload_reference field)
{
    FUZZ_REQUIRE(field.alias < statement->alias_count);
    FUZZ_REQUIRE(field.field < graph->entities[statement->aliases[field.alias].entity].field_count);
}

static void check_statement(const struct graph *graph, const struct workload_statement *statement)
{
    struct buffer form = {0};
    FUZZ_REQUIRE(statement->weight > 0 && statement->text != NULL);
    FUZZ_REQUIRE((statement->unserved == NULL) == (statement->alternative == NULL));
    FUZZ_REQUIRE(statement->alias_count > 0);
    for (uint32_t i = 0; i < statement->alias_count; i++) {
        FUZZ_REQUIRE(statement->aliases[i].entity < graph->entity_count);
    }
    for (uint32_t i = 0; i < statement->join_count; i++) {
        const struct workload_join *join = &statement->joins[i];
        FUZZ_REQUIRE(join->from < statement->alias_count && join->to < statement->alias_count);
        const struct graph_relation *relation = &graph->relations[join->relation];
        FUZZ_REQUIRE(relation->from == statement->aliases[join->from].entity);
        FUZZ_REQUIRE(relation->to == statement->aliases[join->to].entity);
    }
    for (uint32_t i = 0; i < statement->predicate_count; i++) {
        check_reference(graph, statement, statement->predicates[i].field);
        FUZZ_REQUIRE(statement->predicates[i].values >= 1);
    }
    for (uint32_t i = 0; i < statement->order_count; i++) {
        check_reference(graph, statement, statement->order[i].field);
    }
    for (uint32_t i = 0; i < statement->field_count; i++) {
        check_reference(graph, statement, statement->fields[i]);
    }
    for (uint32_t i = 0; i < statement->group_count; i++) {
        check_reference(graph, statement, statement->group[i]);
    }
    input_form_append(&form, graph, statement, true);
    buffer_free(&form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    struct schema schema;
    struct graph graph;
    struct sql_ddl_report ddl;
    struct input_log log;
    struct workload workload;
    struct input_sql_report report;
    struct error error = {0};
    if (size < 1) {
        arena_destroy(arena);
        return 0;
    }
    fuzz_empty_folder();
    fuzz_write("log", 3, data + 1, size - 1);
    const char *path = arena_format(arena, "%s/log", fuzz_folder());
    sql_ddl_read(SQL_POSTGRES, tables, sizeof tables - 1, arena, &schema, &ddl);
    graph_from_schema(&schema, NULL, NULL, arena, &graph);
    enum sql_language language = (enum sql_language)(data[0] % 3);
    struct input_sql *input = input_sql_create(&graph, language, arena);
    FUZZ_REQUIRE(input_log_read(path, language, &log, input, &error) == STATUS_OK);
    input_sql_finish(input, &workload, &report);
    FUZZ_REQUIRE(report.passed_over + report.unparsable + report.unresolved + report.dropped <=
                 report.statements);
    for (uint32_t i = 0; i < workload.count; i++) {
        check_statement(&graph, &workload.statements[i]);
    }
    arena_destroy(arena);
    return 0;
}
