/* `transhume init`: a plan that works as it stands, with the reasons beside it. */
#include "plan/propose/propose.h"

#include "model/time_zone.h"

static void column_list(struct buffer *out, struct column_list columns)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < columns.count; i++) {
        buffer_append_string(out, i ? ", " : "");
        propose_append_quoted(out, columns.names[i]);
    }
    buffer_append_byte(out, ']');
}

static void write_unknown_field(struct buffer *out, const char *name)
{
    buffer_append_string(out, "      ");
    propose_append_scalar(out, name);
    buffer_append_string(out, ": { column: ");
    propose_append_quoted(out, name);
    buffer_append_string(out, ", cast: text }\n");
}

/* Documents have at most a key that is known, and its types where the catalogue says them. */
static void write_known_fields(struct buffer *out, const struct schema_table *table)
{
    buffer_append_string(out, "      # and each further field: NAME: { column: NAME, cast: text }, "
                              "or int64, decimal(10,2) …\n");
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        if (schema_find_column(table, table->primary_key.names[i]) < 0) {
            write_unknown_field(out, table->primary_key.names[i]);
        }
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct schema_column *column = &table->columns[i];
        bool known = column->type.kind != VALUE_MISSING && column->type.kind != VALUE_NULL;
        if (!known) {
            write_unknown_field(out, column->name);
            continue;
        }
        buffer_append_string(out, "      ");
        propose_append_scalar(out, column->name);
        buffer_append_string(out, ": copy\n");
    }
    if (table->primary_key.count + table->column_count == 0) {
        write_unknown_field(out, "NAME");
    }
}

static void write_table(struct proposal *proposal, const struct schema_table *table, bool keyed)
{
    struct buffer *out = proposal->out;
    buffer_append_string(out, "  ");
    propose_append_scalar(out, table->name);
    buffer_append_string(out, ":\n");
    if (keyed && table->primary_key.count > 0) {
        buffer_append_string(out, "    key: ");
        column_list(out, table->primary_key);
        buffer_append_byte(out, '\n');
    }
    buffer_append_string(out, "    from: ");
    propose_append_quoted(out, table->name);
    buffer_append_string(out, "\n    fields:\n");
}

void propose_write_unknown(struct proposal *proposal, const struct schema_table *table)
{
    write_table(proposal, table, true);
    write_known_fields(proposal->out, table);
}

/* The tables of a plan for SQL targets: one to one. `keyed` false: without their keys, as whole
 * copies between two databases of one kind have them. */
static void propose_write_tables(struct proposal *proposal, bool keyed)
{
    buffer_append_string(proposal->out, proposal->count ? "tables:\n" : "tables: {}\n");
    for (uint32_t i = 0; i < proposal->count; i++) {
        write_table(proposal, proposal->tables[i].table, keyed);
        buffer_append_string(proposal->out, "      \"*\": copy\n");
    }
}

static void write_head(struct proposal *proposal, const char *source_uri, const char *target_uri,
                       const struct plan_settings *settings)
{
    const struct time_zone *zone = settings != NULL ? settings->time_zone : NULL;
    struct buffer *out = proposal->out;
    buffer_append_string(
        out,
        "# A plan for transhume: what moves, and how it arrives. Edit it, then:\n"
        "#   transhume check --sample 2    shows records as they will arrive, changes nothing\n"
        "#   transhume migrate             copies; after any interruption: transhume resume\n"
        "transhume: 1\nsource: ");
    propose_append_quoted(out, source_uri);
    if (settings != NULL && settings->schemas.count > 0) {
        buffer_append_string(out, "\nschemas: ");
        column_list(out, settings->schemas);
    }
    buffer_append_string(out, "\ntarget: ");
    propose_append_quoted(out, target_uri);
    buffer_append_string(
        out,
        "\nexisting: refuse     # or append, upsert, replace, skip, truncate: what to do about "
        "records that are there\n");
    if (zone == NULL) {
        buffer_append_string(out, "# options: { jobs: 2, memory: 48MiB, max_rejects: 0 }\n\n");
        return;
    }
    buffer_append_string(out, "options:\n  time_zone: ");
    propose_append_quoted(out, time_zone_name(zone));
    buffer_append_string(out, "   # of times that name none, where the target needs one\n\n");
}

enum status plan_propose(const char *source_uri, struct database *source,
                         const struct schema *schema, const char *target_uri,
                         struct database *target, const struct plan_settings *settings,
                         struct buffer *yaml, struct error *error)
{
    struct proposal proposal = {.arena = arena_create(0), .out = yaml};
    proposal.documents = (source->capabilities & CAPABILITY_FREE_FIELDS) != 0 &&
                         (source->capabilities & CAPABILITY_SQL_SCHEMA) == 0;
    proposal.joins = (source->capabilities & CAPABILITY_JOINS) != 0;
    enum status status = STATUS_OK;
    propose_decide(&proposal, schema, settings,
                   (target->capabilities & CAPABILITY_KEY_REQUIRED) != 0);
    write_head(&proposal, source_uri, target_uri, settings);
    if ((target->capabilities & CAPABILITY_SQL_SCHEMA) && proposal.documents) {
        status = propose_write_kinds(&proposal, source, error);
    } else if (source->connector == target->connector &&
               source->connector->catalog->settings != NULL) {
        buffer_append_string(
            yaml, "# Each table as it is, with its key and all else. What a table says here "
                  "beside `from`\n# (where:, key:, other fields) makes a new one, which has "
                  "just what the plan names.\n");
        propose_write_tables(&proposal, false);
    } else if ((target->capabilities & CAPABILITY_SQL_SCHEMA) &&
               (target->capabilities & CAPABILITY_CLUSTERS) == 0) {
        buffer_append_string(
            yaml, "# One target table a source table. \"*\": copy takes every column under "
                  "its own name;\n# a field named beside it wins: Price: { column: Total }, "
                  "Note: { drop: true }, Full: \"{First} {Last}\"\n");
        propose_write_tables(&proposal, true);
    } else if (target->capabilities & CAPABILITY_CLUSTERS) {
        buffer_append_string(
            yaml, "# One target table a source table: what belongs to a record of another one "
                  "shares its partition.\n# A query reads one partition by its whole key: to read "
                  "by something else, write a second table\n# of the same records with another "
                  "key.\n");
        propose_write_clusters(&proposal);
    } else {
        buffer_append_string(
            yaml,
            proposal.joins
                ? "# Proposed from the foreign keys: what belongs to a record stands under its "
                  "key or inside it,\n# and names that the record points to are beside the "
                  "numbers. "
                : "# Proposed from the keys: what belongs to a record stands under its key.\n"
                  "# ");
        buffer_append_string(
            yaml, "{Column} in a text is that column's value.\n"
                  "# To read by something else than the key, give a table an index and its "
                  "entities the two fields:\n"
                  "#   indexes: { GSI1: { partition: GSI1PK, sort: GSI1SK } }   and   GSI1PK: "
                  "\"EMAIL#{Email}\"\n");
        propose_write_documents(&proposal, target->connector);
    }
    arena_destroy(proposal.arena);
    return status;
}
