/*
 * Who owns whom: a table that belongs to another by a foreign key that is never null goes beside or
 * inside it. All decisions come from keys, names and row counts alone, so that the same schema
 * gives the same plan.
 */
#include "base/text.h"
#include "plan/propose/propose.h"
#include <ctype.h>
#include <string.h>

/* Lists that hold more than so many items on average are cut into pages. */
enum { PAGED_AVERAGE_MIN = 20 };

static bool selected(const struct schema_table *table, const struct plan_settings *settings)
{
    bool wanted = !settings || settings->include_count == 0;
    for (uint32_t i = 0; settings && i < settings->include_count; i++) {
        wanted = wanted || text_matches(settings->include[i], table->name);
    }
    for (uint32_t i = 0; settings && i < settings->exclude_count; i++) {
        wanted = wanted && !text_matches(settings->exclude[i], table->name);
    }
    return wanted && table->kind == SCHEMA_TABLE && table->belongs_to == NULL &&
           !text_matches("_transhume_*", table->name);
}

static bool never_null(const struct schema_table *table, struct column_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        int index = schema_find_column(table, columns.names[i]);
        const struct schema_column *column = index < 0 ? NULL : &table->columns[index];
        bool in_key = false;
        for (uint32_t k = 0; table->primary_key_not_null && k < table->primary_key.count; k++) {
            in_key = in_key || strcmp(table->primary_key.names[k], columns.names[i]) == 0;
        }
        if (!column || !(column->not_null || in_key)) {
            return false;
        }
    }
    return true;
}

static int propose_decide_find(const struct proposal *proposal, const char *name)
{
    for (uint32_t i = 0; i < proposal->count; i++) {
        if (strcmp(proposal->tables[i].table->name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_referenced(const struct proposal *proposal, const char *name)
{
    for (uint32_t i = 0; i < proposal->count; i++) {
        const struct schema_table *table = proposal->tables[i].table;
        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            if (strcmp(table->foreign_keys[k].references, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The foreign key to the table that this one belongs to: its name begins with the owner's, or it
 * has no other foreign key (a track with an album, a genre and a media type belongs to none of
 * them). NULL: it belongs to nobody. */
static const struct schema_foreign_key *owner_key_of(const struct proposal *proposal,
                                                     const struct schema_table *table)
{
    const struct schema_foreign_key *only = NULL;
    uint32_t others = 0;
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &table->foreign_keys[i];
        bool ambiguous = false;
        int owner = propose_decide_find(proposal, key->references);
        if (strcmp(key->references, table->name) == 0) {
            continue;
        }
        others++;
        bool fits = owner >= 0 && proposal->tables[owner].table->primary_key.count > 0 &&
                    never_null(table, key->columns) &&
                    schema_find_foreign_key(table, key->references, &ambiguous) && !ambiguous;
        if (!fits) {
            continue;
        }
        if (strncasecmp(table->name, key->references, strlen(key->references)) == 0) {
            return key;
        }
        only = key;
    }
    return others == 1 ? only : NULL;
}

/* The key of the owner is what the child's key names, so that the item can stand under its
 * partition. */
static bool names_owners_key(const struct schema_foreign_key *key, const struct schema_table *owner)
{
    struct column_list referenced =
        key->referenced_columns.count ? key->referenced_columns : owner->primary_key;
    if (referenced.count != owner->primary_key.count || referenced.count != 1) {
        return false;
    }
    return strcmp(referenced.names[0], owner->primary_key.names[0]) == 0;
}

static void place_table(struct proposal *proposal, uint32_t index)
{
    struct propose_table *entry = &proposal->tables[index];
    const struct schema_table *table = entry->table;
    const struct schema_foreign_key *key = owner_key_of(proposal, table);
    entry->place = PROPOSE_ROOT;
    if (key) {
        uint32_t owner = (uint32_t)propose_decide_find(proposal, key->references);
        if (names_owners_key(key, proposal->tables[owner].table)) {
            entry->owner_key = key;
            entry->owner = owner;
            bool leaf = !is_referenced(proposal, table->name);
            bool part = strncasecmp(table->name, key->references, strlen(key->references)) == 0;
            entry->place = leaf && part && proposal->joins ? PROPOSE_EMBEDDED : PROPOSE_MEMBER;
        }
    }
    if (table->primary_key.count == 0 && entry->place != PROPOSE_EMBEDDED) {
        entry->place = PROPOSE_KEYLESS;
        entry->owner_key = NULL;
    }
}

/* A member of a member, or inside an embedded one, becomes a root: a partition has one kind of
 * owner. */
static void flatten(struct proposal *proposal)
{
    for (uint32_t i = 0; i < proposal->count; i++) {
        struct propose_table *entry = &proposal->tables[i];
        if (!entry->owner_key) {
            continue;
        }
        enum propose_place above = proposal->tables[entry->owner].place;
        bool lost = above == PROPOSE_KEYLESS || above == PROPOSE_EMBEDDED;
        if (lost || (entry->place == PROPOSE_MEMBER && above != PROPOSE_ROOT)) {
            entry->place = entry->table->primary_key.count ? PROPOSE_ROOT : PROPOSE_KEYLESS;
            entry->owner_key = NULL;
            i = UINT32_MAX; /* from the beginning: what hung from this one may have to move as well
                             */
        }
    }
}

/* Every part of its key points somewhere: many on both sides. */
static bool is_junction(const struct schema_table *table)
{
    uint32_t pointing = 0;
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            const struct column_list *columns = &table->foreign_keys[k].columns;
            if (columns->count == 1 &&
                strcmp(columns->names[0], table->primary_key.names[i]) == 0) {
                pointing++;
                break;
            }
        }
    }
    return pointing > 1 && pointing == table->primary_key.count;
}

static void decide_pages(struct proposal *proposal)
{
    for (uint32_t i = 0; i < proposal->count; i++) {
        struct propose_table *entry = &proposal->tables[i];
        if (entry->place == PROPOSE_EMBEDDED) {
            int64_t rows = entry->table->row_count;
            int64_t owners = proposal->tables[entry->owner].table->row_count;
            entry->paged = rows >= 0 && owners > 0 ? rows / owners > PAGED_AVERAGE_MIN
                                                   : is_junction(entry->table);
        }
    }
}

static bool prefix_taken(const struct proposal *proposal, uint32_t before, const char *prefix)
{
    for (uint32_t i = 0; i < before; i++) {
        if (strcmp(proposal->tables[i].prefix, prefix) == 0) {
            return true;
        }
    }
    return false;
}

/* "InvoiceLine" → "INVOICE_LINE", "order details" → "ORDER_DETAILS"; unlike all before it. */
static const char *make_prefix(struct proposal *proposal, uint32_t index)
{
    const char *name = proposal->tables[index].table->name;
    char text[80];
    size_t length = 0;
    for (size_t i = 0; name[i] && length < 60; i++) {
        unsigned char byte = (unsigned char)name[i];
        bool word = i > 0 && isupper(byte) && islower((unsigned char)name[i - 1]);
        if (word && length > 0) {
            text[length++] = '_';
        }
        text[length++] = (char)(isalnum(byte) ? toupper(byte) : '_');
    }
    text[length] = 0;
    if (length == 0 || isdigit((unsigned char)text[0])) {
        return arena_format(proposal->arena, "TABLE_%u", index + 1);
    }
    return prefix_taken(proposal, index, text)
               ? arena_format(proposal->arena, "%s_%u", text, index + 1)
               : arena_copy_string(proposal->arena, text);
}

/* A name for a key field that no source column has. */
static const char *free_name(struct proposal *proposal, const char *wanted)
{
    const char *name = wanted;
    for (uint32_t i = 0; i < proposal->count; i++) {
        const struct schema_table *table = proposal->tables[i].table;
        for (uint32_t c = 0; c < table->column_count; c++) {
            if (strcasecmp(table->columns[c].name, name) == 0) {
                name = arena_format(proposal->arena, "_%s", name);
                i = UINT32_MAX;
                break;
            }
        }
    }
    return name;
}

/* Is it named as keys are: id, TABLEId, TABLE_id? */
static bool named_as_key(const struct schema_table *table, const char *column)
{
    size_t length = strlen(table->name);
    if (strncasecmp(column, table->name, length) == 0) {
        column += length;
        column += *column == '_' ? 1 : 0;
    }
    return strcasecmp(column, "id") == 0;
}

/* Files declare no keys: the column that is named as one, else the first. */
static void guess_key(struct proposal *proposal, struct propose_table *entry)
{
    const struct schema_table *declared = entry->table;
    if (declared->primary_key.count > 0 || declared->column_count == 0 || proposal->joins ||
        proposal->documents) {
        return;
    }
    uint32_t at = 0;
    while (at < declared->column_count && !named_as_key(declared, declared->columns[at].name)) {
        at++;
    }
    at = at < declared->column_count ? at : 0;
    struct schema_table *table = arena_allocate_zeroed(proposal->arena, 1, sizeof *table);
    const char **names = arena_allocate_zeroed(proposal->arena, 1, sizeof *names);
    names[0] = declared->columns[at].name;
    *table = *declared;
    table->primary_key.names = names;
    table->primary_key.count = 1;
    entry->table = table;
    entry->guessed = true;
}

void propose_decide(struct proposal *proposal, const struct schema *schema,
                    const struct plan_settings *settings, bool keys_wanted)
{
    proposal->tables =
        arena_allocate_zeroed(proposal->arena, schema->table_count + 1, sizeof *proposal->tables);
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (selected(&schema->tables[i], settings)) {
            proposal->tables[proposal->count++].table = &schema->tables[i];
        }
    }
    for (uint32_t i = 0; i < proposal->count && keys_wanted; i++) {
        guess_key(proposal, &proposal->tables[i]);
    }
    for (uint32_t i = 0; i < proposal->count; i++) {
        place_table(proposal, i);
        proposal->tables[i].prefix = make_prefix(proposal, i);
    }
    flatten(proposal);
    decide_pages(proposal);
    proposal->partition = free_name(proposal, "PK");
    proposal->sort = free_name(proposal, "SK");
}
