/* The advisor with anybody in the model's place: the first line is "gemini STATUS", "openai STATUS"
 * or "reply", the rest the body of an answer, or the text in it. */
#include "support.h"

#include "design/advisor/advisor_parts.h"
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 4 };

static const char *const id_name = "id";
static const char *const up_name = "up";
static const char *const other_name = "other";

static const struct schema_column columns[COLUMNS] = {
    {.name = "id", .not_null = true, .type = {.kind = VALUE_INT64}},
    {.name = "up", .type = {.kind = VALUE_INT64}},
    {.name = "other", .type = {.kind = VALUE_INT64}},
    {.name = "a.b", .type = {.kind = VALUE_JSON}}};

/* a <- b <- c, b <- b, and two ways from c to a. */
static void make_graph(struct arena *arena, struct graph *graph)
{
    static const struct schema_foreign_key keys[] = {
        {.columns = {&up_name, 1}, .references = "a", .referenced_columns = {&id_name, 1}},
        {.columns = {&other_name, 1}, .references = "b", .referenced_columns = {&id_name, 1}},
        {.columns = {&up_name, 1}, .references = "b", .referenced_columns = {&id_name, 1}},
        {.columns = {&other_name, 1}, .references = "a", .referenced_columns = {&id_name, 1}}};
    static struct schema_table tables[3];
    static const char *const names[] = {"a", "b", "c"};
    for (uint32_t i = 0; i < 3; i++) {
        tables[i] = (struct schema_table){.name = names[i],
                                          .columns = columns,
                                          .column_count = COLUMNS,
                                          .primary_key = {&id_name, 1},
                                          .row_count = 100,
                                          .foreign_keys = i > 0 ? &keys[2 * i - 2] : NULL,
                                          .foreign_key_count = i > 0 ? 2 : 0};
    }
    static const struct schema schema = {.tables = tables, .table_count = 3};
    graph_from_schema(&schema, NULL, NULL, arena, graph);
}

static void check_table(const struct advisor_reply *reply, const struct advisor_table *table,
                        const struct pool *pool)
{
    FUZZ_REQUIRE(table->root < reply->graph->entity_count);
    FUZZ_REQUIRE(table->partition.count > 0);
    FUZZ_REQUIRE(table->family < pool->count);
    FUZZ_REQUIRE(pool->families[table->family].root == table->root);
    FUZZ_REQUIRE(pool->families[table->family].partition.count > 0);
}

static void read_reply(const char *text, size_t length, struct arena *arena)
{
    struct graph graph;
    struct places places;
    struct pool pool;
    struct advisor_result result = {.has_tables = true};
    const struct advisor_options options = {.api = ADVISOR_GEMINI, .model = "m"};
    struct error error = {0};
    struct buffer out = {0};
    make_graph(arena, &graph);
    if (advisor_reply_read(text, length, &graph, arena, &result.reply, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    places_init(&places, &graph, arena);
    pool_init(&pool, &places, &cost_cassandra, 0);
    advisor_propose(&result.reply, &places, &pool);
    for (uint32_t i = 0; i < result.reply.table_count; i++) {
        check_table(&result.reply, &result.reply.tables[i], &pool);
    }
    advisor_append_summary(&options, &result, NULL, &out);
    FUZZ_REQUIRE(text_is_utf8(out.data, out.length));
    buffer_free(&out);
    fuzz_empty_folder();
    FUZZ_REQUIRE(advisor_write(&options, &result, NULL, fuzz_folder(), &error) == STATUS_OK);
}

static void read_answer(enum advisor_api api, uint32_t status, struct text body,
                        struct arena *arena)
{
    const struct advisor_options options = {.api = api, .model = "m", .key = "k"};
    struct advisor_answer answer;
    struct http_response response = {.status = status};
    buffer_append(&response.body, body.data, body.length);
    advisor_answer_read(&options, &response, arena, &answer);
    FUZZ_REQUIRE(answer.retry_after_ms >= 0);
    if (answer.verdict == ADVISOR_TEXT) {
        read_reply(answer.text, answer.length, arena);
    } else {
        fuzz_check_error(&answer.error);
    }
    buffer_free(&response.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    struct text first = fuzz_line(&input);
    struct arena *arena = arena_create(0);
    char line[32] = "";
    unsigned status = 200;
    memcpy(line, first.data, first.length < sizeof(line) ? first.length : sizeof(line) - 1);
    if (sscanf(line, "gemini %u", &status) == 1) {
        read_answer(ADVISOR_GEMINI, status, input, arena);
    } else if (sscanf(line, "openai %u", &status) == 1) {
        read_answer(ADVISOR_OPENAI, status, input, arena);
    } else {
        read_reply(input.data, input.length, arena);
    }
    arena_destroy(arena);
    return 0;
}
