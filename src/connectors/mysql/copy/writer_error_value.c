/*
 * The error value of an ENUM: "", with the number 0, which a server without strict mode stores for
 * what is no label. A strict session takes it from no statement; so a record that holds one is sent
 * alone, in a session that is not strict, and counts only if all that the server warns of are these
 * values.
 */
#include "connectors/mysql/copy/writer_internal.h"
#include <string.h>
#include <strings.h>

enum { DATA_TRUNCATED = 1265 };
static const char before[] = "Data truncated for column '";
static const char behind[] = "' at row ";

void mysql_note_error_values(const struct target_table *table, struct mysql_table *facts)
{
    /* made with the catalogue, by whoever asks */
    struct mysql_column *columns = (struct mysql_column *)(uintptr_t)facts->columns;
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const char *native = columns[i].type.type.native;
        columns[i].error_value = table->same_engine != NULL && table->created && native != NULL &&
                                 strncmp(native, "enum(", 5) == 0 &&
                                 !mysql_holds_label(native, "", 0);
    }
}

static bool is_error_value(const struct writer_column *column, const struct cell *cells)
{
    const struct cell *cell = &cells[column->field];
    return column->column->error_value && cell->kind == VALUE_TEXT && cell->length == 0;
}

static const struct cell *cells_of(const struct writer *writer, uint32_t at)
{
    uint32_t count = 0;
    const struct sent_row *rows = writer_rows(writer, &count);
    return batch_row(rows[at].held->batch, rows[at].row);
}

bool writer_has_error_values(const struct writer *writer, uint32_t at)
{
    const struct writer_plan *plan = writer->sending->plan;
    bool found = false;
    for (uint32_t i = 0; !found && i < plan->column_count; i++) {
        found = is_error_value(&plan->columns[i], cells_of(writer, at));
    }
    return found;
}

bool writer_is_error_value(const struct writer *writer, uint64_t number, const char *words)
{
    const struct writer_plan *plan = writer->sending->plan;
    if (!writer->error_values || number != DATA_TRUNCATED ||
        strncmp(words, before, sizeof before - 1) != 0) {
        return false;
    }
    const char *name = words + sizeof before - 1;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const char *filled = plan->columns[i].column->name;
        size_t length = strlen(filled);
        if (strncasecmp(name, filled, length) == 0 &&
            strncmp(name + length, behind, sizeof behind - 1) == 0) {
            return is_error_value(&plan->columns[i], cells_of(writer, writer->error_values_at));
        }
    }
    return false;
}
