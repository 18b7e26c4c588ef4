/* Writes what a run learnt as JSON lines, and reads it back. */
#include "engine/ledger/learnt.h"

#include "engine/ledger/json_text.h"
#include "engine/ledger/kept_schema.h"
#include "model/json_tree.h"
#include <string.h>

static const char *const test_names[] = {
    [VALUES_TRUTH] = "truth",       [VALUES_INT64] = "int64", [VALUES_WITHIN_DAY] = "within_day",
    [VALUES_DAYS] = "days",         [VALUES_DATES] = "dates", [VALUES_MOMENTS] = "moments",
    [VALUES_INSTANTS] = "instants", [VALUES_FLOAT] = "float", [VALUES_DECLARED] = "declared",
    [VALUES_TEXTS] = "texts",       [VALUES_WHOLE] = "whole", [VALUES_NUMBER] = "number",
    [VALUES_BYTES] = "bytes"};
enum { TEST_COUNT = sizeof test_names / sizeof test_names[0] };

static const char *const answer_names[PLAN_ANSWER_COUNT] = {"no", "yes", "unasked"};

/* ---------------------------------------------------------------- writing */

static void append_schema(const char *side, const struct schema *schema, struct buffer *out)
{
    json_tree_append_line(json_pack("{s:s}", "schema", side), out);
    kept_schema_append(schema, out);
}

static void append_words(const struct plan_words_answer *words, struct buffer *out)
{
    const struct column_words *understood = &words->understood;
    json_tree_append_line(json_pack("{s:[o,o,o,[b,b,b]]}", "words", json_text(words->type),
                                    json_text(words->default_text), json_text(words->collation),
                                    understood->type, understood->default_text,
                                    understood->collation),
                          out);
}

static void append_answers(const struct plan_answers *answers, struct buffer *out)
{
    for (uint32_t i = 0; i < answers->value_count; i++) {
        const struct plan_values_answer *values = &answers->values[i];
        json_tree_append_line(json_pack("{s:[o,o,s,s]}", "values", json_text(values->table),
                                        json_text(values->column), test_names[values->test],
                                        answer_names[values->answer]),
                              out);
    }
    for (uint32_t i = 0; i < answers->word_count; i++) {
        append_words(&answers->words[i], out);
    }
    for (uint32_t i = 0; i < answers->query_count; i++) {
        json_tree_append_line(json_pack("{s:o}", "query", json_text(answers->queries[i].query)),
                              out);
        kept_table_append(answers->queries[i].table, out);
    }
}

void learnt_append(const struct learnt *learnt, struct buffer *out)
{
    json_tree_append_line(json_pack("{s:i,s:I,s:o,s:o}", "format", LEDGER_FORMAT, "version",
                                    (json_int_t)learnt->version, "mapping_hash",
                                    json_text(learnt->mapping_hash), "source_identity",
                                    json_text(learnt->source_identity)),
                          out);
    append_schema("source", learnt->source, out);
    if (learnt->there != NULL) {
        append_schema("target", learnt->there, out);
    }
    if (learnt->answers != NULL) {
        append_answers(learnt->answers, out);
    }
}

/* ---------------------------------------------------------------- reading */

struct learnt_reader {
    struct learnt *learnt;
    struct arena *arena;
    struct kept_schema_reader *schema;
    const struct schema **side; /* where the lines of a schema go; NULL: nowhere */
    const char *query;          /* whose table is being read; NULL: none's */
};

static enum status is_damaged(const char *what, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, "ledger", "what it keeps of a run is damaged: %s", what);
    return error_hint(error, "the ledger was edited or its store is damaged: restore the target "
                             "from a backup, or empty it, `transhume reset --confirm`, and migrate "
                             "again");
}

/* The tables that were read belong to what was named before them. */
static enum status end_schema(struct learnt_reader *reader, struct error *error)
{
    const struct schema *schema = kept_schema_reader_end(reader->schema);
    if (reader->query != NULL) {
        if (schema->table_count != 1 || schema->tables[0].kind != SCHEMA_QUERY) {
            return is_damaged("the columns of a query", error);
        }
        plan_answers_add_query(reader->learnt->answers, reader->query, &schema->tables[0]);
    } else if (reader->side != NULL) {
        for (uint32_t i = 0; i < schema->table_count; i++) {
            if (schema->tables[i].name == NULL) {
                return is_damaged("a table without a name", error);
            }
        }
        *reader->side = schema;
    } else if (schema->table_count > 0) {
        return is_damaged("a table of no schema", error);
    }
    reader->query = NULL;
    reader->side = NULL;
    return STATUS_OK;
}

static int place_of(const char *name, const char *const *names, int count)
{
    for (int i = 0; name != NULL && i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *text_at(const json_t *list, size_t at)
{
    return json_string_value(json_array_get(list, at));
}

static enum status take_values(struct learnt_reader *reader, const json_t *list,
                               struct error *error)
{
    int test = place_of(text_at(list, 2), test_names, TEST_COUNT);
    int answer = place_of(text_at(list, 3), answer_names, PLAN_ANSWER_COUNT);
    if (text_at(list, 0) == NULL || text_at(list, 1) == NULL || test < 0 || answer < 0) {
        return is_damaged("an answer about values", error);
    }
    plan_answers_add_values(reader->learnt->answers, text_at(list, 0), text_at(list, 1),
                            (enum value_test)test, (enum plan_answer)answer);
    return STATUS_OK;
}

static enum status take_words(struct learnt_reader *reader, const json_t *list, struct error *error)
{
    const json_t *flags = json_array_get(list, 3);
    if (json_array_size(flags) != 3) {
        return is_damaged("an answer about words", error);
    }
    const struct column_words understood = {.type = json_is_true(json_array_get(flags, 0)),
                                            .default_text = json_is_true(json_array_get(flags, 1)),
                                            .collation = json_is_true(json_array_get(flags, 2))};
    plan_answers_add_words(reader->learnt->answers, text_at(list, 0), text_at(list, 1),
                           text_at(list, 2), understood);
    return STATUS_OK;
}

static enum status take_side(struct learnt_reader *reader, const char *side, struct error *error)
{
    struct learnt *learnt = reader->learnt;
    bool of_source = side != NULL && strcmp(side, "source") == 0;
    if (!of_source && (side == NULL || strcmp(side, "target") != 0)) {
        return is_damaged("a schema of neither side", error);
    }
    reader->side = of_source ? &learnt->source : &learnt->there;
    return STATUS_OK;
}

static enum status take_line(struct learnt_reader *reader, const json_t *line, struct error *error)
{
    enum status status = kept_schema_reader_take(reader->schema, line, error);
    if (status != STATUS_END || (status = end_schema(reader, error)) != STATUS_OK) {
        return status;
    }
    const json_t *value;
    if ((value = json_object_get(line, "schema")) != NULL) {
        return take_side(reader, json_string_value(value), error);
    }
    if ((value = json_object_get(line, "values")) != NULL) {
        return take_values(reader, value, error);
    }
    if ((value = json_object_get(line, "words")) != NULL) {
        return take_words(reader, value, error);
    }
    const char *query = json_string_value(json_object_get(line, "query"));
    if (query == NULL) {
        return is_damaged("a line of no known kind", error);
    }
    reader->query = arena_copy_string(reader->arena, query);
    return STATUS_OK;
}

static enum status take_head(struct learnt_reader *reader, const json_t *line, struct error *error)
{
    struct learnt *learnt = reader->learnt;
    int64_t format = json_member_integer(line, "format", 0);
    int64_t version = json_member_integer(line, "version", 0);
    const char *hash = json_member_text(line, "mapping_hash", NULL);
    const char *identity = json_member_text(line, "source_identity", NULL);
    if (format != LEDGER_FORMAT) {
        return ledger_refuse_format("ledger", format, error);
    }
    if (version < 1 || version > UINT32_MAX || hash == NULL || identity == NULL) {
        return is_damaged("its first line", error);
    }
    learnt->version = (uint32_t)version;
    learnt->mapping_hash = arena_copy_string(reader->arena, hash);
    learnt->source_identity = arena_copy_string(reader->arena, identity);
    return STATUS_OK;
}

static enum status read_lines(struct learnt_reader *reader, const char *text, size_t length,
                              struct error *error)
{
    const char *end = text + length;
    enum status status = STATUS_OK;
    for (bool first = true; text < end && status == STATUS_OK; first = false) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((stop != NULL ? stop : end) - text);
        json_t *line;
        if (json_tree_parse(text, size, 0, "what the ledger keeps of a run", ERROR_LEDGER_INVALID,
                            &line, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        status = first ? take_head(reader, line, error) : take_line(reader, line, error);
        json_decref(line);
        text += size + (stop != NULL);
    }
    return status == STATUS_OK ? end_schema(reader, error) : status;
}

enum status learnt_read(const char *text, size_t length, struct arena *arena, struct learnt *learnt,
                        struct error *error)
{
    *learnt = (struct learnt){.answers = plan_answers_create(arena)};
    struct learnt_reader reader = {
        .learnt = learnt, .arena = arena, .schema = kept_schema_reader_create(arena)};
    enum status status = read_lines(&reader, text, length, error);
    kept_schema_reader_destroy(reader.schema);
    if (status == STATUS_OK && (learnt->version == 0 || learnt->source == NULL)) {
        status = is_damaged("it has no schema of the source", error);
    }
    learnt->answers->has_grown = false;
    return status;
}
