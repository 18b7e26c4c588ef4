/* The proposal for key-value and document stores: partitions by owner, lists inside, names looked
 * up. */
#include "plan/propose/propose.h"
#include "plan/words/template.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* "{A}#{B}" of a table's columns, without the quotes around it. */
static const char *key_template(struct proposal *proposal, const char *prefix,
                                struct column_list columns)
{
    const char *text = prefix;
    for (uint32_t i = 0; i < columns.count; i++) {
        text = arena_format(proposal->arena, "%s#{%s}", text,
                            template_quote_name(proposal->arena, columns.names[i]));
    }
    return text;
}

static void field(struct proposal *proposal, int indent, const char *name, const char *value)
{
    buffer_format(proposal->out, "%*s", indent, "");
    propose_append_scalar(proposal->out, name);
    buffer_append_string(proposal->out, ": ");
    propose_append_quoted(proposal->out, value);
    buffer_append_byte(proposal->out, '\n');
}

/* The column that people know a row by: Name, Title, or the only text that is not null. */
static const char *naming_column(const struct schema_table *table)
{
    static const char *const names[] = {"name", "title", "label", "description"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            if (strcasecmp(table->columns[i].name, names[n]) == 0) {
                return table->columns[i].name;
            }
        }
    }
    return NULL;
}

static bool has_column(const struct schema_table *table, const char *name)
{
    return schema_find_column(table, name) >= 0;
}

/* Names of the rows that foreign keys point to, beside the numbers: what a reader of the item
 * wants. */
static void look_ups(struct proposal *proposal, const struct propose_table *entry, int indent)
{
    const struct schema_table *table = entry->table;
    for (uint32_t i = 0; proposal->joins && i < table->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &table->foreign_keys[i];
        bool ambiguous = false;
        const struct schema_table *other = NULL;
        for (uint32_t t = 0; t < proposal->count; t++) {
            if (strcmp(proposal->tables[t].table->name, key->references) == 0) {
                other = proposal->tables[t].table;
            }
        }
        const char *column = other ? naming_column(other) : NULL;
        const char *name =
            column ? arena_format(proposal->arena, "%s%s", other->name, column) : NULL;
        bool inside = entry->place == PROPOSE_EMBEDDED && key == entry->owner_key;
        if (!name || other == table || inside || has_column(table, name) ||
            strchr(other->name, '.') || !schema_find_foreign_key(table, other->name, &ambiguous) ||
            ambiguous) {
            continue;
        }
        buffer_format(proposal->out, "%*s", indent, "");
        propose_append_scalar(proposal->out, name);
        buffer_append_string(proposal->out, ": { lookup: ");
        propose_append_quoted(proposal->out, other->name);
        buffer_append_string(proposal->out, ", column: ");
        propose_append_quoted(proposal->out, column);
        buffer_append_string(proposal->out, " }\n");
    }
}

static bool name_is_free(const struct proposal *proposal, const struct schema_table *table,
                         const char *name)
{
    return !has_column(table, name) && strcmp(name, proposal->partition) != 0 &&
           strcmp(name, proposal->sort) != 0;
}

/* The field that holds a child's rows: "InvoiceLines". */
static const char *list_name(struct proposal *proposal, const struct schema_table *parent,
                             const struct schema_table *child)
{
    char *name = arena_format(proposal->arena, "%ss", child->name);
    for (char *at = name; *at; at++) {
        bool usual = isalnum((unsigned char)*at) || *at == '_' || (unsigned char)*at >= 0x80;
        *at = usual ? *at : '_';
    }
    while (!name_is_free(proposal, parent, name)) {
        name = arena_format(proposal->arena, "%s_", name);
    }
    return name;
}

static void embed(struct proposal *proposal, const struct propose_table *parent,
                  const struct propose_table *child)
{
    struct buffer *out = proposal->out;
    const char *list = list_name(proposal, parent->table, child->table);
    if (child->paged) {
        buffer_append_string(out, "          ");
        propose_append_scalar(out, arena_format(proposal->arena, "%sCount", list));
        buffer_append_string(out, ": { aggregate: ");
        propose_append_quoted(out, child->table->name);
        buffer_append_string(out, ", value: \"count(*)\" }\n");
    }
    buffer_append_string(out, "          ");
    propose_append_scalar(out, list);
    buffer_append_string(out, ":\n            embed: ");
    propose_append_quoted(out, child->table->name);
    buffer_append_byte(out, '\n');
    if (child->paged) {
        char condition[512];
        snprintf(condition, sizeof condition, "\"%sCount\" <= 100", list);
        buffer_append_string(out, "            when: ");
        propose_append_quoted(out, condition);
        buffer_append_string(out, "   # longer lists are cut into pages below\n");
    }
    buffer_append_string(out, "            fields:\n              \"*\": copy\n");
    for (uint32_t i = 0; i < child->owner_key->columns.count; i++) {
        buffer_append_string(out, "              ");
        propose_append_scalar(out, child->owner_key->columns.names[i]);
        buffer_append_string(out, ": { drop: true }   # it is the parent's key\n");
    }
    look_ups(proposal, child, 14);
}

static void pages(struct proposal *proposal, const struct propose_table *parent,
                  const struct propose_table *child, const char *partition_template,
                  const char *sort_template)
{
    struct buffer *out = proposal->out;
    const char *list = list_name(proposal, parent->table, child->table);
    /* A member shares its partition with its siblings: pages begin with its own sort key. */
    bool member = parent->place == PROPOSE_MEMBER;
    const char *sort = arena_format(proposal->arena, "%s%s%s_PAGE#{$page}",
                                    member ? sort_template : "", member ? "#" : "", child->prefix);
    char text[512];
    buffer_append_string(out, "      ");
    propose_append_scalar(out, arena_format(proposal->arena, "%s_page", child->table->name));
    buffer_append_string(out, ":\n        pages: ");
    snprintf(text, sizeof text, "%s.%s", parent->table->name, list);
    propose_append_quoted(out, text);
    snprintf(text, sizeof text, "\"%sCount\" > 100", list);
    buffer_append_string(out, "\n        size: 100\n        when: ");
    propose_append_quoted(out, text);
    buffer_append_string(out, "\n        fields:\n");
    field(proposal, 10, proposal->partition, partition_template);
    field(proposal, 10, proposal->sort, sort);
    buffer_append_string(out, "          Page: { column: $page }\n          ");
    propose_append_scalar(out, list);
    buffer_append_string(out, ": { column: $list }\n");
}

/* One entity with its keys, columns, look-ups and lists. */
static void entity(struct proposal *proposal, uint32_t index, const char *partition_template,
                   const char *sort_template)
{
    struct buffer *out = proposal->out;
    const struct propose_table *entry = &proposal->tables[index];
    buffer_append_string(out, "      ");
    propose_append_scalar(out, entry->table->name);
    buffer_append_string(out, ":\n        from: ");
    propose_append_quoted(out, entry->table->name);
    buffer_append_string(out, "\n        fields:\n");
    field(proposal, 10, proposal->partition, partition_template);
    field(proposal, 10, proposal->sort, sort_template);
    buffer_append_string(out, "          \"*\": copy\n");
    look_ups(proposal, entry, 10);
    for (uint32_t i = 0; i < proposal->count; i++) {
        const struct propose_table *child = &proposal->tables[i];
        if (child->place == PROPOSE_EMBEDDED && child->owner == index) {
            embed(proposal, entry, child);
        }
    }
    for (uint32_t i = 0; i < proposal->count; i++) {
        const struct propose_table *child = &proposal->tables[i];
        if (child->place == PROPOSE_EMBEDDED && child->owner == index && child->paged) {
            pages(proposal, entry, child, partition_template, sort_template);
        }
    }
}

/* A table name that every store takes: letters, digits, - and _. */
static const char *store_name(struct proposal *proposal, uint32_t index)
{
    char text[80];
    size_t length = 0;
    for (const char *at = proposal->tables[index].prefix; *at && length < sizeof text - 1; at++) {
        text[length++] = (char)(*at == '_' ? '-' : tolower((unsigned char)*at));
    }
    text[length] = 0;
    const char *ending = length < 3 ? "-items" : "";
    return arena_format(proposal->arena, "%s%s", text, ending);
}

/* Before a table whose key nobody declared. */
static void guess(struct proposal *proposal, const struct schema_table *table)
{
    buffer_append_string(proposal->out, "\n  # A guess: ");
    propose_append_comment(proposal->out, table->name);
    buffer_append_string(proposal->out, " declares no key. Records that share ");
    propose_append_comment(proposal->out, table->primary_key.names[0]);
    buffer_append_string(proposal->out,
                         " would be\n  # rejects: name the columns that tell them apart.");
}

static void root(struct proposal *proposal, uint32_t index, const struct connector *target)
{
    struct buffer *out = proposal->out;
    const struct propose_table *entry = &proposal->tables[index];
    const char *partition = key_template(proposal, entry->prefix, entry->table->primary_key);
    if (entry->guessed) {
        guess(proposal, entry->table);
    }
    buffer_append_string(out, "\n  ");
    propose_append_scalar(out, store_name(proposal, index));
    buffer_append_string(out, ":\n    key: { partition: ");
    propose_append_scalar(out, proposal->partition);
    buffer_append_string(out, ", sort: ");
    propose_append_scalar(out, proposal->sort);
    buffer_append_string(out, " }\n");
    if (strncmp(target->name, "dynamodb", 8) == 0) {
        buffer_append_string(out, "    billing: on_demand\n");
    }
    buffer_append_string(out, "    entities:\n");
    entity(proposal, index, partition, "METADATA");
    for (uint32_t i = 0; i < proposal->count; i++) {
        const struct propose_table *member = &proposal->tables[i];
        if (member->place != PROPOSE_MEMBER || member->owner != index) {
            continue;
        }
        buffer_append_string(out, "      # beside its ");
        propose_append_comment(out, entry->table->name);
        buffer_append_string(out, ": one query gives both\n");
        entity(proposal, i, key_template(proposal, entry->prefix, member->owner_key->columns),
               key_template(proposal, member->prefix, member->table->primary_key));
    }
}

void propose_write_documents(struct proposal *proposal, const struct connector *target)
{
    struct buffer *out = proposal->out;
    bool any = false;
    buffer_append_string(out, "tables:");
    for (uint32_t i = 0; i < proposal->count; i++) {
        if (proposal->tables[i].place == PROPOSE_ROOT) {
            root(proposal, i, target);
            any = true;
        }
    }
    buffer_append_string(out, any ? "" : " {}\n");
    for (uint32_t i = 0; i < proposal->count; i++) {
        if (proposal->tables[i].place == PROPOSE_KEYLESS) {
            buffer_append_string(out, "\n  # NOT COPIED: ");
            propose_append_comment(out, proposal->tables[i].table->name);
            buffer_append_string(
                out, " has no primary key, and this target puts records by key. Give it an "
                     "entity whose\n  # key fields tell its rows apart.\n");
        }
    }
}
