/* One change of a record that is applied: its values encoded, and sent by itself. */
#include "base/text.h"
#include "connectors/postgres/follow/apply.h"
#include <stdio.h>
#include <string.h>

enum { ENCODED_BYTES_MAX = 1 << 20 };

/* A large value that the server takes as it is: it is not copied first. */
static bool is_sent_as_is(const struct postgres_column *column, const struct cell *cell)
{
    enum { FIELD_BYTES_MAX = 1 << 30 };
    bool text = cell->kind == VALUE_TEXT && column->type.format == POSTGRES_AS_TEXT &&
                column->type.type.precision <= 0;
    bool bytes = cell->kind == VALUE_BYTES && column->type.format == POSTGRES_AS_BYTEA;
    return (text || bytes) && cell->length >= ARENA_SHARED_BYTES &&
           cell->length < FIELD_BYTES_MAX &&
           (bytes || memchr(cell->text, '\0', cell->length) == NULL);
}

enum status postgres_apply_name_column(const struct postgres_column *column, struct error *error)
{
    if (error->object[0] == '\0') {
        snprintf(error->object, sizeof error->object, "%s", column->name);
    }
    return STATUS_FAILED;
}

enum status postgres_apply_check(const struct postgres_column *column, const struct cell *cell,
                                 struct error *error)
{
    enum { OID_CHAR = 18, OID_NAME = 19, NAME_BYTES = 63 };
    bool is_char = column->type_oid == OID_CHAR;
    uint32_t most = is_char ? 1 : NAME_BYTES;
    /* a byte beyond ASCII is written as a backslash and three digits */
    bool escaped =
        is_char && cell->kind == VALUE_TEXT && cell->length == 4 && cell->text[0] == '\\';
    if ((!is_char && column->type_oid != OID_NAME) || cell->kind != VALUE_TEXT ||
        cell->length <= most || escaped) {
        return STATUS_OK;
    }
    return error_set(error, ERROR_REJECT_TYPE, column->name,
                     "the value has %u bytes, which do not fit %s", cell->length,
                     is_char ? "\"char\"" : "name");
}

/* The parameters' offsets in `encoded` become pointers once it has stopped growing. */
static enum status encode(struct postgres_apply *apply, const struct sql_apply_statement *statement,
                          const struct record_change *change, struct error *error)
{
    const struct apply_prepared *prepared = statement->prepared;
    buffer_clear(&apply->encoded);
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        const struct sql_apply_parameter *parameter = &statement->parameters[i];
        const struct postgres_column *column = prepared->columns[i];
        const struct cell *cell =
            parameter->of_key ? &change->key[parameter->at] : &change->after[parameter->at];
        size_t begin = apply->encoded.length;
        apply->values[i] = NULL;
        if (is_sent_as_is(column, cell)) {
            apply->values[i] = cell->text;
            apply->lengths[i] = (int)cell->length;
            apply->formats[i] = 1;
            continue;
        }
        if (postgres_apply_check(column, cell, error) != STATUS_OK ||
            postgres_encode(column, cell, apply->scratch, &apply->encoded, error) != STATUS_OK) {
            return postgres_apply_name_column(column, error);
        }
        uint32_t size = 0;
        memcpy(&size, apply->encoded.data + begin, sizeof size);
        size = __builtin_bswap32(size);
        apply->formats[i] = column->type.format != POSTGRES_AS_CAST;
        apply->lengths[i] = size == UINT32_MAX ? -1 : (int)size;
        if (apply->formats[i] == 0) { /* a text ends with NUL */
            buffer_append_byte(&apply->encoded, '\0');
        }
    }
    const char *at = apply->encoded.data;
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        if (apply->values[i] != NULL) {
            continue;
        }
        at += 4;
        apply->values[i] = apply->lengths[i] < 0 ? NULL : at;
        apply->lengths[i] = apply->lengths[i] < 0 ? 0 : apply->lengths[i];
        at += apply->lengths[i] + (apply->formats[i] == 0);
    }
    return STATUS_OK;
}

enum status postgres_apply_refuse(const struct error *problem, struct sql_apply_refused *refused,
                                  struct error *error)
{
    if (problem->class != ERROR_CLASS_REJECT) {
        error_copy(error, problem);
        return STATUS_FAILED;
    }
    refused->code = problem->code;
    refused->reason = arena_format(refused->arena, "%s: %s", problem->object, problem->message);
    return STATUS_AGAIN;
}

enum status postgres_apply_one(struct postgres_apply *apply, struct sql_apply_statement *statement,
                               const struct record_change *change,
                               struct sql_apply_refused *refused, struct error *error)
{
    struct apply_prepared *prepared = statement->prepared;
    struct error problem = {0};
    if (postgres_pipeline_enter(apply, error) != STATUS_OK ||
        postgres_pipeline_prepare(apply, &prepared->named, statement->sql, 0, NULL, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = encode(apply, statement, change, &problem);
    if (status != STATUS_OK) {
        arena_reset(apply->scratch);
        return postgres_apply_refuse(&problem, refused, error);
    }
    if (apply->failed) {
        arena_reset(apply->scratch);
        return STATUS_OK; /* settle tells */
    }
    if (statement->finds) {
        postgres_pipeline_expect(apply, 1, change);
    }
    status =
        postgres_pipeline_sent(apply,
                               PQsendQueryPrepared(apply->connection, prepared->named.name,
                                                   (int)statement->parameter_count, apply->values,
                                                   apply->lengths, apply->formats, 0),
                               error);
    if (apply->encoded.capacity > ENCODED_BYTES_MAX) {
        buffer_free(&apply->encoded);
    }
    arena_reset(apply->scratch);
    return status;
}
