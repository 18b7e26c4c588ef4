/* The tables of a plan for databases whose keys place and order records: what belongs to a record
 * of another table shares its partition, in the order of its own key. */
#include "plan/propose/propose.h"

#include <string.h>

static void append_names(struct buffer *out, struct column_list names)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        propose_append_scalar(out, names.names[i]);
    }
    buffer_append_byte(out, ']');
}

/* The columns of the key that the reference does not hold. */
static struct column_list own_part(struct proposal *proposal, const struct schema_table *table,
                                   struct column_list reference)
{
    const char **names =
        arena_allocate_zeroed(proposal->arena, table->primary_key.count + 1u, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        if (!column_list_holds(reference, table->primary_key.names[i])) {
            names[count++] = table->primary_key.names[i];
        }
    }
    return (struct column_list){names, count};
}

static bool is_never_null(const struct schema_table *table, struct column_list columns)
{
    bool never = columns.count > 0;
    for (uint32_t i = 0; i < columns.count; i++) {
        int at = schema_find_column(table, columns.names[i]);
        never = never && at >= 0 && table->columns[at].not_null;
    }
    return never;
}

static void append_clustering(struct buffer *out, const struct schema_table *table)
{
    const struct key_shape *shape = &table->key_shape;
    buffer_append_string(out, ", clustering: [");
    for (uint32_t i = shape->partition_count; i < table->primary_key.count; i++) {
        buffer_append_string(out, i > shape->partition_count ? ", " : "");
        propose_append_scalar(out, table->primary_key.names[i]);
        buffer_append_string(out,
                             shape->descending != NULL && shape->descending[i] ? ": desc" : "");
    }
    buffer_append_byte(out, ']');
}

/* As the source has it. */
static void write_own_key(struct buffer *out, const struct schema_table *table)
{
    const struct key_shape *shape = &table->key_shape;
    const struct column_list partition = {table->primary_key.names, shape->partition_count};
    buffer_append_string(out, "    key: { partition: ");
    append_names(out, partition);
    if (partition.count < table->primary_key.count) {
        append_clustering(out, table);
    }
    if (shape->static_columns.count > 0) {
        buffer_append_string(out, ", static: ");
        append_names(out, shape->static_columns);
    }
    buffer_append_string(out, " }\n");
}

static void write_key(struct proposal *proposal, const struct propose_table *entry)
{
    const struct schema_table *table = entry->table;
    struct buffer *out = proposal->out;
    struct column_list reference =
        entry->owner_key != NULL ? entry->owner_key->columns : (struct column_list){0};
    struct column_list rest = own_part(proposal, table, reference);
    if (rest.count > 0 && is_never_null(table, reference)) {
        buffer_append_string(out, "    # all of one ");
        propose_append_comment(out, proposal->tables[entry->owner].table->name);
        buffer_append_string(out, " are read at once; one alone needs both parts\n"
                                  "    key: { partition: ");
        append_names(out, reference);
        buffer_append_string(out, ", clustering: ");
        append_names(out, rest);
    } else {
        buffer_append_string(out, "    key: { partition: ");
        append_names(out, table->primary_key);
    }
    buffer_append_string(out, " }\n");
}

void propose_write_clusters(struct proposal *proposal)
{
    struct buffer *out = proposal->out;
    buffer_append_string(out, proposal->count > 0 ? "tables:\n" : "tables: {}\n");
    for (uint32_t i = 0; i < proposal->count; i++) {
        const struct propose_table *entry = &proposal->tables[i];
        buffer_append_string(out, "  ");
        propose_append_scalar(out, entry->table->name);
        buffer_append_string(out, ":\n");
        if (entry->place == PROPOSE_KEYLESS) {
            buffer_append_string(out, "    # no key is declared: name the columns that tell its "
                                      "records apart\n    key: { partition: [] }\n");
        } else if (entry->table->key_shape.partition_count > 0) {
            write_own_key(out, entry->table);
        } else {
            write_key(proposal, entry);
        }
        buffer_append_string(out, "    from: ");
        propose_append_quoted(out, entry->table->name);
        buffer_append_string(out, "\n    fields:\n      \"*\": copy\n");
    }
}
