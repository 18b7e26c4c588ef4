/* What a run learnt, as text and back. */
#include "base/clock.h"
#include "engine/ledger/kept_schema.h"
#include "engine/ledger/learnt.h"
#include "model/batch.h"
#include "model/time_zone.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

struct bench {
    struct arena *arena;
    struct error error;
    struct buffer text;
};

static void bench_begin(struct bench *bench)
{
    *bench = (struct bench){.arena = arena_create(0)};
}

static void bench_end(struct bench *bench)
{
    buffer_free(&bench->text);
    arena_destroy(bench->arena);
}

/* Written, read and written again: the text is the same. */
static struct learnt there_and_back(struct bench *bench, const struct learnt *learnt)
{
    struct learnt read;
    struct buffer again = {0};
    buffer_clear(&bench->text);
    learnt_append(learnt, &bench->text);
    if (learnt_read(bench->text.data, bench->text.length, bench->arena, &read, &bench->error) !=
        STATUS_OK) {
        fail_msg("%s: %s", bench->error.object, bench->error.message);
    }
    learnt_append(&read, &again);
    assert_string_equal(buffer_string(&again), buffer_string(&bench->text));
    buffer_free(&again);
    return read;
}

static const char *const names[] = {"id", "a \"b\"\n", "at"};
static const bool descending[] = {false, true};

static void every_member_comes_back(void **state)
{
    struct bench bench;
    const struct value_type inner = {
        .kind = VALUE_DECIMAL, .precision = 10, .scale = -2, .native = "numeric(10,-2)"};
    const struct value_type key = {.kind = VALUE_TEXT, .no_nul = true};
    const struct shape_field field = {.name = "street", .name_length = 6, .type = inner};
    const struct shape fields = {.name = "address", .fields = &field, .field_count = 1};
    (void)state;
    bench_begin(&bench);
    struct schema_column columns[] = {
        {.name = "id",
         .type = {.kind = VALUE_UINT64, .bits = 33, .native = "bigint unsigned", .truth = true},
         .not_null = true,
         .identity = true},
        {.name = names[1],
         .type = {.kind = VALUE_MAP, .element = &inner, .key = &key, .fields = &fields},
         .default_kind = SCHEMA_DEFAULT_COUNTER,
         .default_text = "nextval('s')",
         .collation = "C",
         .base = "citext"},
        {.name = "at",
         .type = {.kind = VALUE_TIMESTAMP, .zoned = true, .zero_days = true, .fraction = 7},
         .generated = GENERATED_VIRTUAL}};
    assert_int_equal(time_zone_make("UTC", bench.arena, &columns[2].type.zone, &bench.error),
                     STATUS_OK);
    const struct schema_index indexes[] = {
        {.name = "by_at", .columns = {&names[2], 1}, .unique = true, .method = "gin"}, {0}};
    const struct schema_foreign_key keys[] = {
        {.columns = {names, 1}, .references = "other", .on_delete = "CASCADE"}};
    const struct schema_table tables[] = {
        {.name = "t",
         .columns = columns,
         .column_count = 3,
         .primary_key = {names, 2},
         .key_shape = {.partition_count = 1, .descending = descending},
         .indexes = indexes,
         .index_count = 2,
         .foreign_keys = keys,
         .foreign_key_count = 1,
         .row_count = 1000,
         .native_sql = "CREATE TABLE t …"},
        {.name = "v", .kind = SCHEMA_VIEW, .form = "hash v:"}};
    const struct schema source = {.tables = tables, .table_count = 2};
    const struct schema there = {.tables = &tables[1], .table_count = 1};
    const struct schema_table query = {.kind = SCHEMA_QUERY, .columns = columns, .column_count = 1};
    struct learnt learnt = {.version = 3,
                            .mapping_hash = "ab",
                            .source_identity = "here",
                            .source = &source,
                            .there = &there,
                            .answers = plan_answers_create(bench.arena)};
    plan_answers_add_values(learnt.answers, "t", "id", VALUES_TRUTH, PLAN_ANSWER_NO);
    plan_answers_add_values(learnt.answers, "t", "id", VALUES_INT64, PLAN_ANSWER_UNASKED);
    plan_answers_add_words(learnt.answers, "citext", NULL, "C", (struct column_words){true, 0, 1});
    plan_answers_add_query(learnt.answers, "SELECT 1", &query);

    const struct learnt read = there_and_back(&bench, &learnt);
    assert_int_equal(read.version, 3);
    const struct schema_table *table = &read.source->tables[0];
    assert_int_equal(table->columns[0].type.bits, 33);
    assert_true(table->columns[0].type.truth && table->columns[0].identity);
    assert_int_equal(table->columns[1].type.element->scale, -2);
    assert_string_equal(table->columns[1].type.fields->fields[0].name, "street");
    assert_string_equal(table->columns[1].name, names[1]);
    assert_string_equal(time_zone_name(table->columns[2].type.zone), "UTC");
    assert_true(table->key_shape.descending[1] && !table->key_shape.descending[0]);
    assert_int_equal(table->row_count, -1);
    assert_null(table->native_sql);
    assert_null(table->indexes[1].name);
    assert_string_equal(read.there->tables[0].form, "hash v:");
    assert_int_equal(plan_answers_find_values(read.answers, "t", "id", VALUES_INT64)->answer,
                     PLAN_ANSWER_UNASKED);
    assert_null(plan_answers_find_values(read.answers, "t", "id", VALUES_DAYS));
    assert_int_equal(plan_answers_find_query(read.answers, "SELECT 1")->table->column_count, 1);
    assert_false(read.answers->has_grown);
    bench_end(&bench);
}

static void the_first_answer_stands(void **state)
{
    struct bench bench;
    (void)state;
    bench_begin(&bench);
    struct plan_answers *answers = plan_answers_create(bench.arena);
    plan_answers_add_values(answers, "t", "a", VALUES_TRUTH, PLAN_ANSWER_YES);
    plan_answers_add_values(answers, "t", "a", VALUES_TRUTH, PLAN_ANSWER_NO);
    assert_int_equal(answers->value_count, 1);
    assert_int_equal(plan_answers_find_values(answers, "t", "a", VALUES_TRUTH)->answer,
                     PLAN_ANSWER_YES);
    assert_null(plan_answers_find_values(answers, "ta", "", VALUES_TRUTH));
    bench_end(&bench);
}

static void damage_is_refused(void **state)
{
    static const char head[] =
        "{\"format\":3,\"version\":1,\"mapping_hash\":\"\",\"source_identity\":\"\"}\n";
    static const struct {
        const char *text;
        enum error_code code;
    } cases[] = {
        {"", ERROR_LEDGER_INVALID},
        {"{\"format\":2}", ERROR_FORMAT_OLDER},
        {"{\"format\":4}", ERROR_FORMAT_NEWER},
        {"{\"format\":3,\"version\":0}", ERROR_LEDGER_INVALID},
        {"{\"column\":\"a\"}", ERROR_LEDGER_INVALID},
        {"{\"schema\":\"neither\"}", ERROR_LEDGER_INVALID},
        {"{\"table\":\"t\"}", ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"table\":null}", ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"table\":\"t\",\"descending\":\"a\"}", ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"table\":\"t\",\"partition_count\":1}", ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"table\":\"t\"}\n{\"column\":\"a\"}", ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"table\":\"t\"}\n{\"column\":\"a\",\"type\":{\"kind\":\"b\"}}",
         ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"table\":\"t\"}\n{\"column\":\"a\",\"type\":{\"kind\":\"text\","
         "\"layout\":9}}",
         ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"table\":\"t\"}\n{\"foreign_key\":null}",
         ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"values\":[\"t\",\"a\",\"luck\",\"yes\"]}",
         ERROR_LEDGER_INVALID},
        {"{\"schema\":\"source\"}\n{\"query\":\"q\"}", ERROR_LEDGER_INVALID}};
    struct bench bench;
    (void)state;
    bench_begin(&bench);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct learnt read;
        bool is_head = i == 0 || strstr(cases[i].text, "\"format\"") != NULL;
        buffer_clear(&bench.text);
        buffer_append_string(&bench.text, is_head ? "" : head);
        buffer_append_string(&bench.text, cases[i].text);
        error_clear(&bench.error);
        enum status status =
            learnt_read(bench.text.data, bench.text.length, bench.arena, &read, &bench.error);
        if (status != STATUS_FAILED || bench.error.code != cases[i].code) {
            fail_msg("%s: %d %s", cases[i].text, (int)status, bench.error.message);
        }
    }
    bench_end(&bench);
}

static void thousands_of_tables(void **state)
{
    enum { TABLES = 4000, COLUMNS = 20 };
    struct bench bench;
    (void)state;
    bench_begin(&bench);
    struct schema_table *tables = arena_allocate_zeroed(bench.arena, TABLES, sizeof *tables);
    struct learnt learnt = {.version = 1,
                            .mapping_hash = "",
                            .source_identity = "",
                            .answers = plan_answers_create(bench.arena)};
    for (uint32_t i = 0; i < TABLES; i++) {
        struct schema_column *columns =
            arena_allocate_zeroed(bench.arena, COLUMNS, sizeof *columns);
        for (uint32_t k = 0; k < COLUMNS; k++) {
            columns[k] = (struct schema_column){.name = arena_format(bench.arena, "column_%u", k),
                                                .type = {.kind = VALUE_INT64, .native = "int(11)"}};
        }
        tables[i] = (struct schema_table){.name = arena_format(bench.arena, "table_%05u", i),
                                          .columns = columns,
                                          .column_count = COLUMNS};
        plan_answers_add_values(learnt.answers, tables[i].name, "column_0", VALUES_TRUTH,
                                PLAN_ANSWER_YES);
    }
    const struct schema source = {.tables = tables, .table_count = TABLES};
    learnt.source = &source;
    int64_t begun_ms = clock_monotonic_ms();
    const struct learnt read = there_and_back(&bench, &learnt);
    assert_true(clock_monotonic_ms() - begun_ms < 20000);
    assert_int_equal(read.source->table_count, TABLES);
    assert_int_equal(read.answers->value_count, TABLES);
    assert_true(bench.text.length < (size_t)TABLES * COLUMNS * 96);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_comes_back), cmocka_unit_test(the_first_answer_stands),
        cmocka_unit_test(damage_is_refused), cmocka_unit_test(thousands_of_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
