/* User-defined types that a target's new tables need: made before the tables, dropped after them.
 */
#include "connectors/cassandra/target.h"

#include "base/log.h"
#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/udts.h"
#include "connectors/common/store_key.h"
#include <string.h>

enum { TYPES_MAX = 256 /* that one table needs, or one run made */ };
static const char made_prefix[] = "type "; /* no table has such a name */

struct type_list {
    const struct cql_type *types[TYPES_MAX];
    uint32_t count;
};

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static bool is_equal(struct text left, struct text right)
{
    return left.length == right.length && memcmp(left.data, right.data, left.length) == 0;
}

static const char *name_of(const struct cql_type *type, struct arena *arena)
{
    return arena_copy(arena, type->name.data, type->name.length);
}

static const struct cql_type *find_type(struct cassandra_udts *udts, struct text name)
{
    struct cql_udts *finder = cassandra_udts_finder(udts);
    return finder->find(finder, (struct text){"", 0}, name);
}

/* ---------------------------------------------------------------- as CQL has them */

struct cassandra_udts *cassandra_udts_of(const struct schema_record_type *types, uint32_t count,
                                         struct arena *arena)
{
    struct cassandra_udts *udts = cassandra_udts_create(count, arena);
    for (uint32_t at = 0; at < count; at++) {
        const struct schema_record_type *type = &types[at];
        struct text *names = arena_allocate_zeroed(arena, type->field_count + 1u, sizeof(*names));
        struct text *fields = arena_allocate_zeroed(arena, type->field_count + 1u, sizeof(*fields));
        for (uint32_t field = 0; field < type->field_count; field++) {
            names[field] = text_of(type->field_names[field]);
            fields[field] = text_of(type->field_types[field]);
        }
        cassandra_udts_add(udts, text_of(type->name), names, fields, type->field_count);
    }
    return udts;
}

/* Types of fields are frozen if they are types of fields themselves; and what the plan says may go
 * into a column that is not frozen, where the server wants all within to be. */
static void append_field_type(const struct cql_type *part, bool given, struct arena *arena,
                              struct buffer *out)
{
    bool frozen = given || part->kind == CQL_TYPE_UDT;
    cql_type_append(frozen ? cql_type_frozen(part, arena) : part, out);
}

/* (street text, phones frozen<list<text>>) */
static void append_fields(const struct cql_type *type, bool given, struct arena *arena,
                          struct buffer *out)
{
    buffer_append_byte(out, '(');
    for (uint32_t at = 0; at < type->part_count; at++) {
        buffer_append_string(out, at > 0 ? ", " : "");
        cql_name_append(type->field_names[at], out);
        buffer_append_byte(out, ' ');
        append_field_type(type->parts[at], given, arena, out);
    }
    buffer_append_byte(out, ')');
}

static const char *fields_of(const struct cql_type *type, bool given, struct arena *arena)
{
    struct buffer out = {0};
    append_fields(type, given, arena, &out);
    const char *text = arena_copy(arena, out.data, out.length);
    buffer_free(&out);
    return text;
}

static bool is_given(const struct target_table *table, const struct cql_type *type)
{
    for (uint32_t at = 0; at < table->record_type_count; at++) {
        const struct schema_record_type *known = &table->record_types[at];
        if (is_equal(text_of(known->name), type->name)) {
            return known->given;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- which a table needs */

/* Each one after those that it holds. */
static void collect(const struct cql_type *type, struct type_list *list)
{
    bool known = type->kind != CQL_TYPE_UDT || list->count == TYPES_MAX;
    for (uint32_t at = 0; at < list->count && !known; at++) {
        known = is_equal(list->types[at]->name, type->name);
    }
    for (uint32_t at = 0; at < type->part_count; at++) {
        collect(type->parts[at], list);
    }
    if (!known) {
        list->types[list->count++] = type;
    }
}

/* As they are defined: within a type that is frozen all is. */
static void collect_of_table(const struct target_table *table, struct arena *arena,
                             struct type_list *list)
{
    struct cassandra_udts *udts =
        cassandra_udts_of(table->record_types, table->record_type_count, arena);
    *list = (struct type_list){0};
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct cql_type *type = cassandra_new_type(table, &table->columns[at], arena);
        if (type != NULL) {
            collect(type, list);
        }
    }
    for (uint32_t at = 0; at < list->count; at++) {
        const struct cql_type *defined = find_type(udts, list->types[at]->name);
        list->types[at] = defined != NULL ? defined : list->types[at];
    }
}

enum status cassandra_types_check(struct cassandra *self, const struct target_table *table,
                                  struct arena *arena, struct buffer *out, struct error *error)
{
    struct cassandra_udts *there = NULL;
    struct type_list list;
    collect_of_table(table, arena, &list);
    if (list.count == 0 || !self->keyspace_there) {
        return STATUS_OK;
    }
    if (cassandra_udts_read(self, arena, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < list.count; at++) {
        const struct cql_type *wanted = list.types[at];
        const struct cql_type *found = find_type(there, wanted->name);
        if (found != NULL && !cql_type_is_equal(found, wanted)) {
            buffer_format(out, "the type %s is there as %s, and is to be %s\n",
                          name_of(wanted, arena), fields_of(found, false, arena),
                          fields_of(wanted, is_given(table, wanted), arena));
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- making */

static void append_type(struct cassandra *self, const struct cql_type *type, const char *fields,
                        struct arena *arena, struct buffer *text)
{
    buffer_append_string(text, "CREATE TYPE IF NOT EXISTS ");
    cassandra_append_table(self, name_of(type, arena), text);
    buffer_format(text, " %s", fields);
}

static enum status create_type(struct cassandra *self, const struct cql_type *type,
                               const char *fields, struct arena *arena, struct error *error)
{
    struct buffer text = {0};
    append_type(self, type, fields, arena, &text);
    enum status status = cassandra_define(self, buffer_string(&text), error);
    buffer_free(&text);
    return status == STATUS_OK ? status : error_context(error, "type %s: ", name_of(type, arena));
}

static enum status make_type(struct cassandra *self, const struct target_table *table,
                             const struct cql_type *type, struct cassandra_udts *there,
                             struct arena *arena, struct error *error)
{
    const struct keyed_room *room = &self->keyed.room;
    const struct cql_type *found = find_type(there, type->name);
    const char *fields = fields_of(type, is_given(table, type), arena);
    const char *note = arena_format(arena, "%s%s", made_prefix, name_of(type, arena));
    const char *made_as = NULL;
    enum keyed_made made = KEYED_MADE_NOT;
    if (found != NULL && !cql_type_is_equal(found, type)) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->name,
                         "the type %s is there as %s, and is to be %s", name_of(type, arena),
                         fields_of(found, false, arena), fields);
    }
    if (keyed_made_read(room, note, arena, &made, &made_as, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (found != NULL && made != KEYED_MADE_INTENDED) {
        return STATUS_OK;
    }
    if (found == NULL && (keyed_made_intend(room, note, error) != STATUS_OK ||
                          create_type(self, type, fields, arena, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return keyed_made_done(room, note, fields, error);
}

enum status cassandra_types_make(struct cassandra *self, const struct target_table *table,
                                 struct arena *arena, struct error *error)
{
    struct cassandra_udts *there = NULL;
    struct type_list list;
    collect_of_table(table, arena, &list);
    enum status status =
        list.count > 0 ? cassandra_udts_read(self, arena, &there, error) : STATUS_OK;
    for (uint32_t at = 0; at < list.count && status == STATUS_OK; at++) {
        status = make_type(self, table, list.types[at], there, arena, error);
    }
    return status;
}

static bool is_shown(const struct script *script, const char *name)
{
    for (uint32_t i = 0; i < script->count; i++) {
        if (strcmp(script->statements[i].what, "type") == 0 &&
            strcmp(script->statements[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

void cassandra_types_show(struct cassandra *self, const struct target_table *table,
                          struct script *script)
{
    struct type_list list;
    collect_of_table(table, script->arena, &list);
    for (uint32_t at = 0; at < list.count; at++) {
        const struct cql_type *type = list.types[at];
        const char *name = name_of(type, script->arena);
        struct buffer text = {0};
        if (!is_shown(script, name)) {
            append_type(self, type, fields_of(type, is_given(table, type), script->arena),
                        script->arena, &text);
            script_add(script, SCRIPT_BEFORE_LOAD, "type", name, &text);
        }
    }
}

/* ---------------------------------------------------------------- taking a run back */

struct dropping {
    struct cassandra *self;
    struct arena *arena;
    struct cassandra_schema schema;
    struct cassandra_udts *there;
    const char *names[TYPES_MAX]; /* of those that the run made; NULL: settled */
    uint32_t count;
};

static uint8_t digit_of(char letter)
{
    return (uint8_t)(letter <= '9' ? letter - '0' : letter - 'A' + 10);
}

/* The name of a key of a note, in which %XX stands for what a key may not hold. */
static const char *unescape(const char *key, struct arena *arena)
{
    char *name = arena_copy_string(arena, key);
    char *to = name;
    for (; *key != '\0'; key++) {
        bool escaped = key[0] == '%' && key[1] != '\0' && key[2] != '\0';
        *to++ = escaped ? (char)(digit_of(key[1]) << 4 | digit_of(key[2])) : *key;
        key += escaped ? 2 : 0;
    }
    *to = '\0';
    return name;
}

static enum status note_found(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    struct dropping *dropping = context;
    const char *name = unescape(strrchr(key, '/') + 1, dropping->arena);
    size_t prefix = sizeof(made_prefix) - 1;
    (void)value;
    (void)error;
    if (strncmp(name, made_prefix, prefix) == 0 && dropping->count < TYPES_MAX) {
        dropping->names[dropping->count++] = name + prefix;
    }
    return STATUS_OK;
}

static bool holds(const struct cql_type *type, struct text name)
{
    bool found = type->kind == CQL_TYPE_UDT && is_equal(type->name, name);
    for (uint32_t at = 0; at < type->part_count && !found; at++) {
        found = holds(type->parts[at], name);
    }
    return found;
}

static bool table_holds(const struct cassandra_table *table, struct text name)
{
    bool found = false;
    for (uint32_t at = 0; at < table->column_count && !found; at++) {
        found = holds(table->columns[at].type, name);
    }
    return found;
}

static bool is_going(const struct dropping *dropping, struct text name)
{
    bool going = false;
    for (uint32_t at = 0; at < dropping->count && !going; at++) {
        going = dropping->names[at] != NULL && is_equal(text_of(dropping->names[at]), name);
    }
    return going;
}

/* `*user`: what holds the type, NULL: nothing does; `*later`: it will be taken back as well. */
static enum status find_user(const struct dropping *dropping, struct text name, const char **user,
                             bool *later, struct error *error)
{
    *user = NULL;
    *later = false;
    for (uint32_t at = 0; at < dropping->schema.table_count; at++) {
        const char *table = dropping->schema.tables[at].name;
        enum keyed_made made = KEYED_MADE_NOT;
        const char *ignored = NULL;
        if (!table_holds(&dropping->schema.tables[at], name)) {
            continue;
        }
        if (keyed_made_read(&dropping->self->keyed.room, table, dropping->arena, &made, &ignored,
                            error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *user = table;
        *later |= made != KEYED_MADE_NOT;
    }
    for (uint32_t at = 0; at < cassandra_udts_count(dropping->there); at++) {
        const struct cql_type *type = cassandra_udts_type(dropping->there, at);
        if (type != NULL && !is_equal(type->name, name) && holds(type, name)) {
            *user = name_of(type, dropping->arena);
            *later |= is_going(dropping, type->name);
        }
    }
    return STATUS_OK;
}

static enum status record_types_forget(struct dropping *dropping, uint32_t number,
                                       struct error *error)
{
    const char *note = arena_format(dropping->arena, "%s%s", made_prefix, dropping->names[number]);
    dropping->names[number] = NULL;
    return keyed_made_forget(&dropping->self->keyed.room, note, error);
}

static void tell_left(const char *name, const char *why)
{
    log_write(LOG_WARNING, "the type %s, which the run made, is left: %s", name, why);
}

/* A function may still use it, which the server knows best. */
static enum status drop_type(struct dropping *dropping, const char *name, struct error *error)
{
    struct buffer text = {0};
    struct cql_reply reply = {0};
    buffer_append_string(&text, "DROP TYPE IF EXISTS ");
    cassandra_append_table(dropping->self, name, &text);
    enum status status = cassandra_run(dropping->self, buffer_string(&text), CQL_QUORUM, true,
                                       dropping->arena, &reply, error);
    if (status != STATUS_OK && reply.failure == CQL_FAILURE_INVALID) {
        tell_left(name, error->message);
        error_clear(error);
        status = STATUS_OK;
    }
    buffer_free(&text);
    return status;
}

/* `*settled`: it is gone, or is left for good. */
static enum status settle_type(struct dropping *dropping, uint32_t number, bool *settled,
                               struct error *error)
{
    const char *name = dropping->names[number];
    const struct cql_type *type = find_type(dropping->there, text_of(name));
    const char *user = NULL;
    bool later = false;
    if (type != NULL && find_user(dropping, text_of(name), &user, &later, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *settled = user == NULL || !later;
    if (!*settled) {
        return STATUS_OK;
    }
    if (user != NULL) {
        tell_left(name, arena_format(dropping->arena, "%s uses it", user));
    } else if (type != NULL && drop_type(dropping, name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return record_types_forget(dropping, number, error);
}

static enum status settle_types(struct dropping *dropping, bool *any, struct error *error)
{
    enum status status =
        cassandra_schema_read(dropping->self, dropping->arena, &dropping->schema, error) ==
                STATUS_OK
            ? cassandra_udts_read(dropping->self, dropping->arena, &dropping->there, error)
            : STATUS_FAILED;
    *any = false;
    for (uint32_t at = 0; at < dropping->count && status == STATUS_OK && !*any; at++) {
        if (dropping->names[at] != NULL) {
            status = settle_type(dropping, at, any, error);
        }
    }
    return status;
}

enum status cassandra_types_drop(struct cassandra *self, struct arena *arena, struct error *error)
{
    const struct keyed_room *room = &self->keyed.room;
    struct dropping *dropping = arena_allocate_zeroed(arena, 1, sizeof(*dropping));
    char prefix[STORE_KEY_BYTES];
    bool any = true;
    if (room->run_id == NULL) {
        return STATUS_OK;
    }
    *dropping = (struct dropping){.self = self, .arena = arena};
    store_note_key(prefix, room->run_id, "made", "");
    enum status status =
        room->home->connector->store->scan(room->store, prefix, note_found, dropping, error);
    while (status == STATUS_OK && dropping->count > 0 && any) {
        status = settle_types(dropping, &any, error);
    }
    return status;
}
